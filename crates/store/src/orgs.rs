//! What the store knows of organisations beside their data: settings, use, and which are gone.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use ph_model::{ErrorKind, OrgId, Signal};

use crate::contract::Error;
use crate::limits::{OrgSettings, Usage};
use crate::shard::Shared;
use crate::snapshot::Snapshot;

/// Signals that are kept as rows.
pub(crate) const ROWS: [Signal; 4] = [Signal::Logs, Signal::Spans, Signal::Events, Signal::Exemplars];

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Orgs {
    settings: RwLock<HashMap<OrgId, Arc<OrgSettings>>>,
    usage: RwLock<HashMap<OrgId, Arc<Usage>>>,
    gone: RwLock<HashSet<OrgId>>,
}

impl Shared {
    /// Settings of an organisation, the defaults when it has none.
    pub fn settings(&self, org: OrgId) -> Arc<OrgSettings> {
        let all = self.orgs.settings.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&org).cloned().unwrap_or_default()
    }

    pub fn configure(&self, org: OrgId, settings: OrgSettings) {
        let mut all = self.orgs.settings.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(org, Arc::new(settings));
    }

    /// What an organisation has used of its limits.
    pub fn usage(&self, org: OrgId) -> Arc<Usage> {
        let known = self.orgs.usage.read().unwrap_or_else(PoisonError::into_inner).get(&org).cloned();
        known.unwrap_or_else(|| {
            let mut all = self.orgs.usage.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(org).or_default())
        })
    }

    /// Errors: `Denied` for an organisation that was removed.
    pub fn accepts(&self, org: OrgId) -> Result<(), Error> {
        if !self.is_gone(org) {
            return Ok(());
        }
        let what = format!("organisation {org} was removed; nothing is taken for it any more");
        Err(Error::new(ErrorKind::Denied, what))
    }

    pub fn is_gone(&self, org: OrgId) -> bool {
        self.orgs.gone.read().unwrap_or_else(PoisonError::into_inner).contains(&org)
    }

    /// Takes everything of removed organisations out of the next state; files go with their last reader. To be called where
    /// something is put in, too: it may have waited for the disk while its organisation was removed.
    pub fn without_gone(&self, next: &mut Snapshot) {
        let gone = self.orgs.gone.read().unwrap_or_else(PoisonError::into_inner);
        for org in gone.iter() {
            for signal in ROWS {
                let table = next.tables.remove(&(*org, signal));
                let parts = table.iter().flat_map(|t| &t.parts);
                parts.for_each(|p| p.doomed.store(true, Ordering::Relaxed));
            }
            let blocks = [next.blocks.remove(org), next.rolled.remove(org)];
            blocks.iter().flatten().flatten().for_each(|b| b.doom());
            next.hidden_series.remove(org);
        }
    }

    /// Takes nothing more of an organisation.
    pub fn gone(&self, org: OrgId) {
        self.orgs.gone.write().unwrap_or_else(PoisonError::into_inner).insert(org);
        self.orgs.settings.write().unwrap_or_else(PoisonError::into_inner).remove(&org);
        self.orgs.usage.write().unwrap_or_else(PoisonError::into_inner).remove(&org);
        self.heads.write().unwrap_or_else(PoisonError::into_inner).remove(&org);
    }
}
