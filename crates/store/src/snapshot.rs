//! What readers see: generations and parts, swapped as one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use ph_model::{OrgId, Signal};

use crate::block::BlockPart;
use crate::hidden::{Hidden, HiddenSeries};
use crate::memtable::Generation;
use crate::part::Part;

/// Rows of one organisation and signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub generations: Vec<Arc<Generation>>,
    pub parts: Vec<Arc<Part>>,
    /// What of it must not be seen.
    pub hidden: Vec<Arc<Hidden>>,
}

/// One consistent state. A row is in a generation or in a part, never in both and never in neither.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub epoch: u64,
    pub tables: HashMap<(OrgId, Signal), Arc<Table>>,
    /// Metric blocks, oldest first.
    pub blocks: HashMap<OrgId, Vec<Arc<BlockPart>>>,
    /// Roll-ups, in no order.
    pub rolled: HashMap<OrgId, Vec<Arc<BlockPart>>>,
    /// Deleted samples.
    pub hidden_series: HashMap<OrgId, Vec<Arc<HiddenSeries>>>,
}

/// The current snapshot and the one lock under which it changes.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    current: ArcSwap<Snapshot>,
    changing: Mutex<()>,
}

impl Snapshots {
    /// The current state. Files of it stay on disk while it is held.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Makes the next state out of the current one and swaps it in.
    pub fn change(&self, edit: impl FnOnce(&mut Snapshot)) {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        next.epoch += 1;
        edit(&mut next);
        self.current.store(Arc::new(next));
    }
}

impl Snapshot {
    pub fn table(&self, org: OrgId, signal: Signal) -> Option<&Arc<Table>> {
        self.tables.get(&(org, signal))
    }

    /// Roll-ups of an organisation.
    pub fn rolled(&self, org: OrgId) -> &[Arc<BlockPart>] {
        self.rolled.get(&org).map(Vec::as_slice).unwrap_or_default()
    }

    /// Blocks and roll-ups of all organisations.
    pub fn all_blocks(&self) -> impl Iterator<Item = &Arc<BlockPart>> {
        self.blocks.values().chain(self.rolled.values()).flatten()
    }

    /// Deleted samples of an organisation.
    pub fn hidden_series(&self, org: OrgId) -> &[Arc<HiddenSeries>] {
        self.hidden_series.get(&org).map(Vec::as_slice).unwrap_or_default()
    }

    /// The table to be changed, its parts and generations shared with the state before.
    pub fn edit(&mut self, org: OrgId, signal: Signal) -> &mut Table {
        Arc::make_mut(self.tables.entry((org, signal)).or_default())
    }
}
