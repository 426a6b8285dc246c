//! What organisations are allowed, what they delete, and their end.

use std::sync::Arc;

use ph_access::{Grant, TelemetryErase, TenantCtx};
use ph_model::{ErrorKind, OrgId, RangeMs, RangeNs, Signal};

use super::Embedded;
use super::start::run;
use crate::contract::{DeleteAsk, Deletion, Error, Keep, Kept};
use crate::hidden::{Hidden, HiddenSeries};
use crate::limits::OrgSettings;
use crate::orgs::ROWS;
use crate::shard::{Order, Shared};

/// Every row that is read is held against every rule of its signal.
const MAX_RULES: usize = 100;

impl Embedded {
    /// What an organisation may send and how long its rows are kept. Durable when it returns, in force at once.
    ///
    /// Errors: `Invalid` for a rule about metrics or with a filter that does not compile.
    pub async fn configure(&self, org: OrgId, settings: OrgSettings) -> Result<(), Error> {
        check_rules(&settings)?;
        if *self.shared.settings(org) == settings {
            return Ok(());
        }
        self.catalogue.set(org, &settings).await?;
        self.shared.configure(org, settings);
        show_rules(&self.shared, org)
    }

    /// Changes some of an organisation's settings and leaves the others, whoever changes those meanwhile.
    ///
    /// Errors: as of [`Self::configure`].
    pub async fn reconfigure(
        &self,
        org: OrgId,
        change: impl FnOnce(&mut OrgSettings) + Send,
    ) -> Result<(), Error> {
        let _one = self.settings_turn.acquire().await;
        let mut settings = self.settings(org);
        change(&mut settings);
        self.configure(org, settings).await
    }

    pub(super) fn kept_of(&self, org: OrgId) -> Kept {
        let settings = self.shared.settings(org);
        let config = &self.shared.config;
        Kept {
            retention: settings.retention.unwrap_or(config.retention),
            own: settings.retention.is_some(),
            rules: settings.rules.clone(),
            rollups: config.rollups,
        }
    }

    pub(super) async fn keep_of(&self, org: OrgId, keep: Keep) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Invalid, what));
        if keep.rules.len() > MAX_RULES {
            return wrong(format!("{} rules; {MAX_RULES} are the most", keep.rules.len()));
        }
        let own = keep.retention.iter().flat_map(|r| Signal::ALL.map(|signal| r.days(signal)));
        if own.chain(keep.rules.iter().map(|r| r.days)).any(|days| days == 0) {
            return wrong("telemetry is kept for a day at least".to_owned());
        }
        self.reconfigure(org, |settings| {
            settings.retention = keep.retention;
            settings.rules = keep.rules;
        })
        .await
    }

    /// What is in force for an organisation.
    pub fn settings(&self, org: OrgId) -> OrgSettings {
        OrgSettings::clone(&self.shared.settings(org))
    }

    /// Removes everything of an organisation, for ever: its id is never accepted again.
    ///
    /// Errors: those of the disk; then the organisation is there as before.
    pub async fn remove_org(&self, org: OrgId) -> Result<(), Error> {
        self.catalogue.remove_org(org, (self.shared.clock)()).await?;
        self.shared.gone(org);
        let shards: Vec<_> = {
            let all = self.shards.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            all.iter().map(|s| s.orders.clone()).collect()
        };
        for shard in shards {
            // A shard that is gone takes nothing more; the next start passes over what its log holds.
            let _ = shard.send(Order::Forget(org)).await;
        }
        let shared = Arc::clone(&self.shared);
        run(move || forget(&shared, org)).await
    }

    /// The right is used up by the act. Errors: `Denied` when it is another organisation's or has lapsed.
    pub(super) async fn delete_with(
        &self,
        ctx: &TenantCtx,
        grant: Grant<TelemetryErase>,
        ask: DeleteAsk,
    ) -> Result<Deletion, Error> {
        if grant.org() != ctx.org() {
            return Err(Error::new(ErrorKind::Denied, "the right to delete is one of another organisation"));
        }
        if grant.spend((self.shared.clock)()).is_none() {
            return Err(Error::new(ErrorKind::Denied, "the right to delete has lapsed; ask for it again"));
        }
        self.erase(ctx, ask).await
    }

    /// Hides what was asked, durably and at once. It leaves the disk within a day.
    pub(crate) async fn erase(&self, ctx: &TenantCtx, mut ask: DeleteAsk) -> Result<Deletion, Error> {
        let now_ms = (self.shared.clock)();
        match &mut ask {
            DeleteAsk::Rows { signal, range, filter } => {
                range.to = range.to.min(now_ms.saturating_add(1).saturating_mul(1_000_000));
                if matches!(signal, Signal::Metrics | Signal::Exemplars) {
                    let what =
                        "metrics, and their exemplars with them, are deleted by matchers, not by a filter";
                    return Err(Error::new(ErrorKind::Invalid, what));
                }
                Hidden::deleted(0, *signal, filter, *range)?;
            }
            DeleteAsk::Samples { matchers, range } => {
                range.to = range.to.min(now_ms.saturating_add(1));
                if matchers.is_empty() {
                    return Err(Error::new(ErrorKind::Invalid, "a deletion of samples needs a matcher"));
                }
                HiddenSeries::new(0, matchers, *range)?;
            }
        }
        let seq = self.catalogue.add_deletion(ctx.org(), &ask, now_ms).await?;
        let deletion = Deletion { seq, ask, made_ms: now_ms };
        show(&self.shared, ctx.org(), &deletion)?;
        Ok(deletion)
    }
}

/// Errors: `Invalid`.
fn check_rules(settings: &OrgSettings) -> Result<(), Error> {
    for rule in &settings.rules {
        if matches!(rule.signal, Signal::Metrics | Signal::Exemplars) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "a retention rule with a filter is about rows, not metrics",
            ));
        }
        Hidden::deleted(0, rule.signal, &rule.filter, RangeNs::ALL)?;
    }
    Ok(())
}

/// Makes a deletion visible to new snapshots.
pub(super) fn show(shared: &Shared, org: OrgId, deletion: &Deletion) -> Result<(), Error> {
    match &deletion.ask {
        DeleteAsk::Rows { signal, filter, range } => {
            let hidden = Arc::new(Hidden::deleted(deletion.seq, *signal, filter, *range)?);
            shared.snapshots.change(|s| s.edit(org, *signal).hidden.push(hidden));
        }
        DeleteAsk::Samples { matchers, range } => {
            let hidden = Arc::new(HiddenSeries::new(deletion.seq, matchers, *range)?);
            let exemplars = Arc::new(Hidden::exemplars(deletion.seq, matchers, *range)?);
            shared.snapshots.change(|s| {
                s.hidden_series.entry(org).or_default().push(hidden);
                s.edit(org, Signal::Exemplars).hidden.push(exemplars);
            });
            shared.changes.note(org, *range);
        }
    }
    Ok(())
}

/// Puts the rules of an organisation in force, instead of those before.
pub(super) fn show_rules(shared: &Shared, org: OrgId) -> Result<(), Error> {
    let settings = shared.settings(org);
    let mut rules = Vec::new();
    for rule in &settings.rules {
        let clock = Arc::clone(&shared.clock);
        rules.push((rule.signal, Arc::new(Hidden::kept(rule.days, rule.signal, &rule.filter, clock)?)));
    }
    shared.snapshots.change(|s| {
        for signal in ROWS {
            let had = s.table(org, signal).is_some_and(|t| t.hidden.iter().any(|h| h.seq == 0));
            let new = rules.iter().any(|(of, _)| *of == signal);
            if had || new {
                let table = s.edit(org, signal);
                table.hidden.retain(|h| h.seq != 0);
                table.hidden.extend(rules.iter().filter(|(of, _)| *of == signal).map(|(_, h)| Arc::clone(h)));
            }
        }
    });
    Ok(())
}

/// Takes everything of an organisation out of sight; files go with their last reader.
fn forget(shared: &Shared, org: OrgId) {
    shared.snapshots.change(|s| shared.without_gone(s));
    shared.changes.note(org, RangeMs::ALL);
}
