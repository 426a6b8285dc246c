//! Publication: files, catalogue, snapshot, log.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use ph_model::{OrgId, Signal};

use super::{Flusher, Waiting};
use crate::block::{self, BlockPart};
use crate::catalogue::{Checkpoint, PartRow, Publication};
use crate::contract::Error;
use crate::health::Meter;
use crate::memtable::Generation;
use crate::part::{self, Part, discard_part};
use crate::shard::{Lane, Order, ShardHandle, WORTHWHILE_BYTES};

/// Small generations that are worth a pack.
const PACKED: usize = 4;

impl Flusher {
    /// Publishes everything that waits; what fails stays waiting. Gives the first error.
    pub(super) fn write_waiting(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        let mut failed = HashSet::new();
        let (small, large) = self.sort_sealed();
        for generations in small {
            let result = self.publish_pack(&generations);
            if let Err(error) = result {
                self.flush_failed(&error);
                failed.extend(generations.iter().map(|g| (g.org, g.signal)));
                self.state.generations.extend(generations);
                first = first.and(Err(error));
            }
        }
        for generation in large {
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

    /// Generations that share a pack, by shard, and those that get a part of their own.
    fn sort_sealed(&mut self) -> (Vec<Vec<Arc<Generation>>>, Vec<Arc<Generation>>) {
        let mut small: BTreeMap<usize, Vec<Arc<Generation>>> = BTreeMap::new();
        let mut large = Vec::new();
        let mut seen = HashSet::new();
        for generation in std::mem::take(&mut self.state.generations) {
            // Of one table only one generation, so that they are published in their order.
            let alone = seen.insert((generation.org, generation.signal));
            if alone && generation.bytes() < WORTHWHILE_BYTES {
                small.entry(generation.shard).or_default().push(generation);
            } else {
                large.push(generation);
            }
        }
        small.retain(|_, list| {
            let few = list.len() < PACKED;
            if few {
                large.splice(0..0, list.drain(..));
            }
            !few
        });
        (small.into_values().collect(), large)
    }

    /// Publishes small generations of one shard as parts of one pack, in one transaction.
    fn publish_pack(&self, generations: &[Arc<Generation>]) -> Result<(), Error> {
        let (shared, root) = (&self.shared, &self.shared.config.dir);
        let snapshot = shared.snapshots.load();
        let hidden =
            |g: &Generation| snapshot.table(g.org, g.signal).map(|t| t.hidden.as_slice()).unwrap_or_default();
        let sealed: Vec<part::Sealed<'_>> = generations.iter().map(|g| (&**g, hidden(g))).collect();
        let rows = part::write_pack(shared.fs.as_ref(), root, &sealed)?;
        let checkpoints: Vec<_> = generations
            .iter()
            .map(|g| ((g.org, g.signal), Checkpoint { lsn: g.last_lsn(), border_ms: i64::MAX }))
            .collect();
        let shard = generations.first().and_then(|g| self.shard(Lane::Rows, g.shard));
        self.commit(&rows, checkpoints.clone(), shard)?;
        let parts: Vec<Arc<Part>> = rows.iter().map(|r| Arc::new(Part::new(r.clone(), shared))).collect();
        shared.snapshots.change(|s| {
            for generation in generations {
                let table = s.edit(generation.org, generation.signal);
                table.generations.retain(|g| !Arc::ptr_eq(g, generation));
            }
            for part in parts {
                s.edit(part.row.org, part.row.signal).parts.push(part);
            }
            shared.without_gone(s);
        });
        self.published(&rows, checkpoints, shard);
        Ok(())
    }

    fn flush_failed(&self, error: &Error) {
        tracing::warn!(%error, "flush failed, it will be tried again");
        self.shared.meter.trouble("flush", error.text.clone());
    }

    fn publish_rows(&self, generation: &Arc<Generation>) -> Result<(), Error> {
        let (shared, root) = (&self.shared, &self.shared.config.dir);
        let snapshot = shared.snapshots.load();
        let hidden = snapshot.table(generation.org, generation.signal).map(|t| t.hidden.as_slice());
        let rows = part::write(shared.fs.as_ref(), root, generation, hidden.unwrap_or_default())?;
        let of = (generation.org, generation.signal);
        let checkpoint = Checkpoint { lsn: generation.last_lsn(), border_ms: i64::MAX };
        let shard = self.shard(Lane::Rows, generation.shard);
        self.commit(&rows, vec![(of, checkpoint)], shard)?;
        let parts: Vec<Arc<Part>> = rows.iter().map(|r| Arc::new(Part::new(r.clone(), shared))).collect();
        shared.snapshots.change(|s| {
            let table = s.edit(of.0, of.1);
            table.generations.retain(|g| !Arc::ptr_eq(g, generation));
            table.parts.extend(parts);
            shared.without_gone(s);
        });
        self.published(&rows, vec![(of, checkpoint)], shard);
        Ok(())
    }

    fn publish_cut(&self, waiting: &Waiting) -> Result<(), Error> {
        let (shared, root) = (&self.shared, &self.shared.config.dir);
        let mut rows = Vec::new();
        let snapshot = shared.snapshots.load();
        for (org, _, cut) in &waiting.cuts {
            let hidden = snapshot.hidden_series(*org);
            let of = block::Source { org: *org, shard: waiting.shard, lsn: waiting.lsn, step_ms: 0 };
            match block::write(shared.fs.as_ref(), root, (of, hidden), cut) {
                Ok(written) => {
                    rows.extend(written);
                    for what in cut.take_lost() {
                        tracing::error!(%org, what, "samples are lost");
                        shared.meter.trouble("head", format!("samples are lost: {what}"));
                    }
                }
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
            shared.without_gone(s);
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
