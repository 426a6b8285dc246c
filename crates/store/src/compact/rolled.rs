//! Roll-ups of closed days: made from all blocks of the day, made again when late samples or a deletion changed them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_model::{ErrorKind, OrgId, RangeMs, Rolled, Signal};
use ph_tsdb::rolled::pack;
use ph_tsdb::{SeriesSamples, merge};
use uuid::Uuid;

use super::{Compactor, blocks, gone, stopping};
use crate::block::{self, BlockPart};
use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::flush::keep::{DAY_MS, cutoff_ms};
use crate::health::Meter;
use crate::hidden::HiddenSeries;
use crate::rolled::{RESOLUTIONS, veil, windows_of};
use crate::snapshot::Snapshot;

/// Samples of a day may come this long after its end.
const LATE_MS: i64 = 3_600_000;

/// One roll-up to be written, instead of those before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RollJob {
    org: OrgId,
    day: i64,
    step_ms: i64,
    /// Newest LSN of its samples; `None`: they are gone, what is there is written without what was deleted.
    lsn: Option<u64>,
    cleaned: i64,
    old: Vec<Uuid>,
}

/// Number of the last deletion that concerns a day.
fn last_deletion(hidden: &[Arc<HiddenSeries>], day: i64) -> i64 {
    // The first window of a day begins before it.
    let touched = |h: &&Arc<HiddenSeries>| h.range.touches((day - 1) * DAY_MS, (day + 1) * DAY_MS);
    hidden.iter().filter(touched).map(|h| h.seq).max().unwrap_or(0)
}

impl Compactor {
    /// Writes all roll-ups that are missing or not of today's samples; gives the first error.
    pub(super) fn roll_up(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        for job in self.roll_jobs() {
            if self.stop.is_cancelled() || self.rolled_nothing.contains(&job) {
                continue;
            }
            match self.roll(&job) {
                Ok(true) => self.shared.meter.cleared("roll-up"),
                // So that a day without a sample to be seen is not read again and again.
                Ok(false) => {
                    self.rolled_nothing.insert(job);
                }
                Err(error) if error.kind == ErrorKind::Gone => {}
                Err(error) => {
                    tracing::warn!(%error, "roll-up failed, it will be tried again");
                    self.shared.meter.trouble("roll-up", error.text.clone());
                    first = first.and(Err(error));
                }
            }
        }
        first
    }

    pub(crate) fn roll_jobs(&self) -> Vec<RollJob> {
        let (now_ms, snapshot) = ((self.shared.clock)(), self.shared.snapshots.load());
        let orgs: HashSet<OrgId> = snapshot.blocks.keys().chain(snapshot.rolled.keys()).copied().collect();
        let mut out = Vec::new();
        for org in orgs {
            let (cutoff, hidden) =
                (cutoff_ms(&self.shared, org, Signal::Metrics), snapshot.hidden_series(org));
            let mut days: BTreeMap<i64, (u64, bool)> = BTreeMap::new();
            for block in snapshot.blocks.get(&org).into_iter().flatten() {
                let day = days.entry(block.row.day).or_default();
                day.0 = day.0.max(block.row.lsn);
                // What a damaged block held is not known, so its day has no roll-up.
                day.1 |= block.damage().is_some() || block.row.quarantined.is_some();
            }
            for (day, (lsn, _)) in days.iter().filter(|(_, (_, damaged))| !damaged) {
                if day * DAY_MS >= cutoff && now_ms > (day + 1) * DAY_MS + LATE_MS {
                    let cleaned = last_deletion(hidden, *day);
                    out.extend(due(&snapshot, (org, *day), (Some(*lsn), cleaned)));
                }
            }
            let gone = |day: &i64| !days.contains_key(day) || day * DAY_MS < cutoff;
            let rolled: HashSet<i64> = snapshot.rolled(org).iter().map(|b| b.row.day).filter(gone).collect();
            for day in rolled {
                out.extend(due(&snapshot, (org, day), (None, last_deletion(hidden, day))));
            }
        }
        out
    }

    /// Writes one; `false` when nothing of the day can be seen.
    pub(crate) fn roll(&self, job: &RollJob) -> Result<bool, Error> {
        let snapshot = self.shared.snapshots.load();
        let written = match job.lsn {
            Some(_) => self.of_samples(job, &snapshot)?,
            None => self.rewritten(job, &snapshot)?,
        };
        let new: Vec<PartRow> = written.into_iter().collect();
        if new.is_empty() && job.old.is_empty() {
            return Ok(false);
        }
        if let Err(error) = self.runtime.block_on(self.catalogue.swap(&job.old, &new)) {
            self.forget(&new);
            return Err(error);
        }
        let shown: Vec<_> = new.iter().map(|r| Arc::new(BlockPart::new(r.clone(), &self.shared))).collect();
        let mut old = Vec::new();
        self.shared.snapshots.change(|s| {
            let list = s.rolled.entry(job.org).or_default();
            old = list.extract_if(.., |b| job.old.contains(&b.row.id)).collect();
            list.extend(shown);
            self.shared.without_gone(s);
        });
        old.iter().for_each(|b| b.doomed.store(true, Ordering::Relaxed));
        Meter::add(&self.shared.meter.compactions, 1);
        Meter::add(&self.shared.meter.compacted_bytes, new.iter().map(|p| p.bytes).sum());
        Ok(!new.is_empty())
    }

    fn of_samples(&self, job: &RollJob, snapshot: &Snapshot) -> Result<Option<PartRow>, Error> {
        let all = snapshot.blocks.get(&job.org).into_iter().flatten();
        let mut old: Vec<&Arc<BlockPart>> = all.filter(|b| b.row.day == job.day).collect();
        if old.is_empty() {
            // Retention was faster: what was made of them before stays as it is.
            return Err(gone(job.org));
        }
        old.sort_by_key(|b| (b.row.lsn, b.row.id));
        let hidden = snapshot.hidden_series(job.org);
        let mut packed = merge(blocks::sources(&old)?).filter_map(|series| {
            let windows = |one: SeriesSamples| {
                let one = block::seen(hidden, one)?;
                Some(as_samples(job, Rolled::roll(&one.samples, job.step_ms), one))
            };
            series.map(windows).transpose()
        });
        let shard = old.last().map_or(0, |b| b.row.shard);
        self.write(job, shard, &mut packed)
    }

    /// What is there, without windows of which something was deleted.
    fn rewritten(&self, job: &RollJob, snapshot: &Snapshot) -> Result<Option<PartRow>, Error> {
        let Some(block) = snapshot.rolled(job.org).iter().find(|b| job.old.contains(&b.row.id)) else {
            return Ok(None);
        };
        let hidden = snapshot.hidden_series(job.org);
        let lift = |e: ph_tsdb::Error| {
            let text = block.note_damage(e.kind(), e.to_string());
            Error::new(e.kind(), text).caused_by(e)
        };
        let mut failed = None;
        let mut left = block.block()?.select(&[], RangeMs::ALL).map_err(lift)?.filter_map(|one| {
            let one = match one {
                Ok(one) => one,
                Err(error) => return Some(Err(error)),
            };
            let mut windows = match windows_of(block, &one.samples) {
                Ok(windows) => windows,
                Err(error) => {
                    failed.get_or_insert(error);
                    return None;
                }
            };
            veil(hidden, &block.row, (&one.labels, &mut windows));
            (!windows.is_empty()).then(|| Ok(as_samples(job, windows, one)))
        });
        let row =
            self.write(&RollJob { lsn: Some(block.row.lsn), ..job.clone() }, block.row.shard, &mut left)?;
        drop(left);
        match failed {
            Some(error) => {
                row.iter().for_each(|row| BlockPart::new(row.clone(), &self.shared).doom());
                Err(error)
            }
            None => Ok(row),
        }
    }

    fn write(
        &self,
        job: &RollJob,
        shard: usize,
        series: &mut dyn Iterator<Item = Result<SeriesSamples, ph_tsdb::Error>>,
    ) -> Result<Option<PartRow>, Error> {
        let of = block::Source { org: job.org, shard, lsn: job.lsn.unwrap_or(0), step_ms: job.step_ms };
        let mut series = series.take_while(|_| !self.stop.is_cancelled());
        let (fs, root) = (self.shared.fs.as_ref(), &self.shared.config.dir);
        let row = block::write_day(fs, root, (of, job.day), &mut series)?;
        let row = row.map(|row| PartRow { cleaned: job.cleaned, ..row });
        if self.stop.is_cancelled() {
            // It may have ended before its last series.
            row.iter().for_each(|row| BlockPart::new(row.clone(), &self.shared).doom());
            return Err(stopping());
        }
        Ok(row)
    }
}

/// The roll-ups of a day that are not of these samples, or hold what was deleted since.
fn due(snapshot: &Snapshot, (org, day): (OrgId, i64), (lsn, cleaned): (Option<u64>, i64)) -> Vec<RollJob> {
    let mut out = Vec::new();
    for (step_ms, _) in RESOLUTIONS {
        let of_day = |b: &&Arc<BlockPart>| b.row.day == day && b.row.step_ms == step_ms;
        let there: Vec<&Arc<BlockPart>> = snapshot.rolled(org).iter().filter(of_day).collect();
        let fresh = |b: &&Arc<BlockPart>| {
            let of_samples = lsn.is_none_or(|lsn| b.row.lsn >= lsn && b.damage().is_none());
            b.row.cleaned >= cleaned && of_samples
        };
        let is_fresh = match lsn {
            Some(_) => there.len() == 1 && there.iter().all(fresh),
            // What is damaged stays as it is: there is nothing to make it of.
            None => there.iter().all(|b| fresh(b) || b.damage().is_some()),
        };
        if !is_fresh {
            let old = there.iter().map(|b| b.row.id).collect();
            out.push(RollJob { org, day, step_ms, lsn, cleaned, old });
        }
    }
    out
}

fn as_samples(job: &RollJob, windows: Vec<Rolled>, one: SeriesSamples) -> SeriesSamples {
    let samples = pack(job.day * DAY_MS, job.step_ms, &windows);
    SeriesSamples { samples, starts: Vec::new(), ..one }
}
