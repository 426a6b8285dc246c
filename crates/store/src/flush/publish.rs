//! Publication: files, catalogue, snapshot, log.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use ph_model::{OrgId, Signal};

use super::{Flusher, Waiting};
use crate::block::{self, BlockPart};
use crate::catalogue::{Checkpoint, PartRow, Publication};
use crate::contract::Error;
use crate::health::Meter;
use crate::memtable::Generation;
use crate::part::{self, Part, discard_part};
use crate::shard::{Lane, Order, ShardHandle};

impl Flusher {
    /// Publishes everything that waits; what fails stays waiting. Gives the first error.
    pub(super) fn write_waiting(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        let mut failed = HashSet::new();
        for generation in std::mem::take(&mut self.state.generations) {
            let of = (generation.org, generation.signal);
            // A later generation of the same table must wait: its checkpoint would cover the earlier one too.
            if failed.contains(&of) {
                self.state.generations.push(generation);
                continue;
            }
            if let Err(error) = self.publish_rows(&generation) {
                self.flush_failed(&error);
                failed.insert(of);
                self.state.generations.push(generation);
                first = first.and(Err(error));
            }
        }
        for waiting in std::mem::take(&mut self.state.cuts) {
            if let Err(error) = self.publish_cut(&waiting) {
                self.flush_failed(&error);
                self.state.cuts.push(waiting);
                first = first.and(Err(error));
            }
        }
        if first.is_ok() {
            self.shared.meter.cleared("flush");
        }
        first
    }

    fn flush_failed(&self, error: &Error) {
        tracing::warn!(%error, "flush failed, it will be tried again");
        self.shared.meter.trouble("flush", error.text.clone());
    }

    fn publish_rows(&self, generation: &Arc<Generation>) -> Result<(), Error> {
        let (shared, root) = (&self.shared, &self.shared.config.dir);
        let rows = part::write(shared.fs.as_ref(), root, generation)?;
        let of = (generation.org, generation.signal);
        let checkpoint = Checkpoint { lsn: generation.last_lsn(), border_ms: i64::MAX };
        let shard = self.shard(Lane::Rows, generation.shard);
        self.commit(&rows, vec![(of, checkpoint)], shard)?;
        let parts: Vec<Arc<Part>> = rows.iter().map(|r| Arc::new(Part::new(r.clone(), shared))).collect();
        shared.snapshots.change(|s| {
            let table = s.edit(of.0, of.1);
            table.generations.retain(|g| !Arc::ptr_eq(g, generation));
            table.parts.extend(parts);
        });
        self.published(&rows, vec![(of, checkpoint)], shard);
        Ok(())
    }

    fn publish_cut(&self, waiting: &Waiting) -> Result<(), Error> {
        let (shared, root) = (&self.shared, &self.shared.config.dir);
        let mut rows = Vec::new();
        for (org, _, cut) in &waiting.cuts {
            let of = block::Source { org: *org, shard: waiting.shard, lsn: waiting.lsn };
            match block::write(shared.fs.as_ref(), root, of, cut) {
                Ok(written) => rows.extend(written),
                Err(error) => {
                    self.forget_files(&rows);
                    return Err(error);
                }
            }
        }
        let checkpoint = Checkpoint { lsn: waiting.lsn, border_ms: waiting.border_ms };
        let checkpoints: Vec<_> =
            waiting.cuts.iter().map(|(org, ..)| ((*org, Signal::Metrics), checkpoint)).collect();
        let shard = self.shard(Lane::Metrics, waiting.shard);
        self.commit(&rows, checkpoints.clone(), shard)?;
        let mut blocks: HashMap<OrgId, Vec<Arc<BlockPart>>> = HashMap::new();
        for row in &rows {
            let block = BlockPart::new(row.clone(), shared);
            blocks.entry(row.org).or_default().push(Arc::new(block));
        }
        shared.snapshots.change(|s| {
            for (org, new) in blocks {
                s.blocks.entry(org).or_default().extend(new);
            }
        });
        // Between the swap and this, samples are in both; readers merge equal samples into one.
        waiting.cuts.iter().for_each(|(_, head, cut)| head.drop_cut(cut));
        self.published(&rows, checkpoints, shard);
        Ok(())
    }

    fn shard(&self, lane: Lane, number: usize) -> Option<&ShardHandle> {
        self.shards.iter().find(|s| s.lane == lane && s.number == number)
    }

    /// The transaction, with the batch windows of the organisations concerned.
    fn commit(
        &self,
        parts: &[PartRow],
        checkpoints: Vec<((OrgId, Signal), Checkpoint)>,
        shard: Option<&ShardHandle>,
    ) -> Result<(), Error> {
        let mut windows = Vec::new();
        if let Some(shard) = shard {
            let mut all = shard.windows.lock().unwrap_or_else(PoisonError::into_inner);
            for ((org, _), _) in &checkpoints {
                let changed = all.get_mut(org).map(crate::window::Windows::take_changed).unwrap_or_default();
                windows.extend(changed.into_iter().map(|(source, seen)| (*org, shard.lane, source, seen)));
            }
        }
        let publication = Publication { parts: parts.to_vec(), checkpoints, windows };
        let result = self.runtime.block_on(self.catalogue.publish(&publication));
        if result.is_err() {
            self.forget_files(parts);
            if let Some(shard) = shard {
                let mut all = shard.windows.lock().unwrap_or_else(PoisonError::into_inner);
                for (org, _, source, _) in &publication.windows {
                    all.entry(*org).or_default().mark_changed(*source);
                }
            }
        }
        result
    }

    /// Files of an attempt that was not published.
    fn forget_files(&self, parts: &[PartRow]) {
        for part in parts {
            if part.signal == Signal::Metrics {
                let block = BlockPart::new(part.clone(), &self.shared);
                block.doomed.store(true, std::sync::atomic::Ordering::Relaxed);
            } else {
                discard_part(self.shared.fs.as_ref(), &self.shared.config.dir, part);
            }
        }
    }

    fn published(
        &self,
        parts: &[PartRow],
        checkpoints: Vec<((OrgId, Signal), Checkpoint)>,
        shard: Option<&ShardHandle>,
    ) {
        Meter::add(&self.shared.meter.flushes, 1);
        Meter::add(&self.shared.meter.flushed_bytes, parts.iter().map(|p| p.bytes).sum());
        if let Some(shard) = shard {
            // A shard that is gone is not deleting segments any more; the next start does.
            let _ = shard.orders.blocking_send(Order::Trim(checkpoints));
        }
    }
}
