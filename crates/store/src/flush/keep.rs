//! Retention by UTC day, and parts that are set aside because they are damaged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_model::{OrgId, RangeMs, Signal};
use uuid::Uuid;

use super::Flusher;
use crate::block::BlockPart;
use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::health::Meter;
use crate::hidden::HiddenSeries;
use crate::part::{self, Part};
use crate::rolled::kept_from_ms;
use crate::shard::Shared;
use crate::snapshot::Snapshot;

pub(crate) const DAY_MS: i64 = 86_400_000;

/// Rows before this moment (ms UTC) are past their retention: the start of a UTC day.
pub(crate) fn cutoff_ms(shared: &Shared, org: OrgId, signal: Signal) -> i64 {
    let retention = shared.settings(org).retention.unwrap_or(shared.config.retention);
    let days = i64::from(retention.days(signal));
    ((shared.clock)().div_euclid(DAY_MS) - days) * DAY_MS
}

/// Deletions that concern roll-ups which are not written without them yet.
fn held(snapshot: &Snapshot, org: OrgId, all: &[Arc<HiddenSeries>]) -> Vec<i64> {
    let holds = |b: &Arc<BlockPart>, h: &HiddenSeries| {
        // The first window of a day begins before it.
        b.row.cleaned < h.seq && h.range.touches(b.row.first - DAY_MS, b.row.last)
    };
    let held = all.iter().filter(|h| snapshot.rolled(org).iter().any(|b| holds(b, h)));
    held.map(|h| h.seq).collect()
}

impl Flusher {
    /// Removes parts whose every row is past its retention: first from the catalogue, then from sight, then from disk.
    pub(super) fn retain(&mut self) -> Result<(), Error> {
        let snapshot = self.shared.snapshots.load();
        let shared = Arc::clone(&self.shared);
        let expired = |p: &&Arc<Part>| {
            p.row.last < cutoff_ms(&shared, p.row.org, p.row.signal).saturating_mul(1_000_000)
        };
        let parts: Vec<Arc<Part>> =
            snapshot.tables.values().flat_map(|t| &t.parts).filter(expired).cloned().collect();
        let past = |b: &&Arc<BlockPart>| b.row.last < cutoff_ms(&shared, b.row.org, Signal::Metrics);
        let past_rolled = |b: &&Arc<BlockPart>| b.row.last < kept_from_ms(&shared, b.row.step_ms);
        let blocks = snapshot.blocks.values().flatten().filter(past);
        let rolled = snapshot.rolled.values().flatten().filter(past_rolled);
        let blocks: Vec<Arc<BlockPart>> = blocks.chain(rolled).cloned().collect();
        drop(snapshot);
        self.end_deletions()?;
        self.drop_parts(parts, blocks)
    }

    /// Removes parts: first from the catalogue, then from sight, then from disk.
    pub(super) fn drop_parts(&self, parts: Vec<Arc<Part>>, blocks: Vec<Arc<BlockPart>>) -> Result<(), Error> {
        if parts.is_empty() && blocks.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = parts.iter().map(|p| p.row.id).chain(blocks.iter().map(|b| b.row.id)).collect();
        self.runtime.block_on(self.catalogue.remove(&ids))?;
        self.shared.snapshots.change(|s| {
            for part in &parts {
                s.edit(part.row.org, part.row.signal).parts.retain(|p| p.row.id != part.row.id);
            }
            for block in &blocks {
                let all = if block.row.step_ms == 0 { &mut s.blocks } else { &mut s.rolled };
                if let Some(list) = all.get_mut(&block.row.org) {
                    list.retain(|b| b.row.id != block.row.id);
                }
            }
        });
        parts.iter().for_each(|p| p.doomed.store(true, Ordering::Relaxed));
        blocks.iter().for_each(|b| b.doomed.store(true, Ordering::Relaxed));
        for row in blocks.iter().map(|b| &b.row) {
            self.shared.changes.note(row.org, RangeMs::new(row.first, row.last.saturating_add(1)));
        }
        tracing::info!(parts = parts.len(), blocks = blocks.len(), "removed parts");
        Ok(())
    }

    /// Forgets deletions whose whole range is past its retention.
    fn end_deletions(&self) -> Result<(), Error> {
        let snapshot = self.shared.snapshots.load();
        let mut ended = Vec::new();
        for ((org, signal), table) in &snapshot.tables {
            let border = cutoff_ms(&self.shared, *org, *signal).saturating_mul(1_000_000);
            ended.extend(table.hidden.iter().filter(|h| h.seq > 0 && h.range().to <= border).map(|h| h.seq));
        }
        for (org, hidden) in &snapshot.hidden_series {
            let border = cutoff_ms(&self.shared, *org, Signal::Metrics);
            ended.extend(hidden.iter().filter(|h| h.range.to <= border).map(|h| h.seq));
        }
        // Roll-ups outlive samples: until they are written without it, a deletion stays.
        let held: Vec<i64> =
            snapshot.hidden_series.iter().flat_map(|(org, all)| held(&snapshot, *org, all)).collect();
        ended.retain(|seq| !held.contains(seq));
        if ended.is_empty() {
            return Ok(());
        }
        self.runtime.block_on(self.catalogue.end_deletions(&ended))?;
        self.shared.snapshots.change(|s| {
            let of: Vec<_> = s.tables.keys().copied().collect();
            for (org, signal) in of {
                s.edit(org, signal).hidden.retain(|h| !ended.contains(&h.seq));
            }
            s.hidden_series.values_mut().for_each(|list| list.retain(|h| !ended.contains(&h.seq)));
        });
        Ok(())
    }

    /// Moves files of damaged parts to `quarantine`, each with a file that says why. Their rows stay, so that answers
    /// over their time say that they are incomplete.
    pub(super) fn set_aside(&mut self) {
        let snapshot = self.shared.snapshots.load();
        let parts =
            snapshot.tables.values().flat_map(|t| &t.parts).filter_map(|p| Some((&p.row, p.damage()?)));
        let blocks = snapshot.all_blocks().filter_map(|b| Some((&b.row, b.damage()?)));
        for (row, why) in parts.chain(blocks).filter(|(row, _)| row.quarantined.is_none()) {
            if self.aside.contains(&row.id) {
                continue;
            }
            let moved = self.move_aside(row, &why);
            let to = match moved {
                Ok(to) => to,
                Err(e) => {
                    self.shared.meter.failed(format!("set part {} aside: {e}", row.path));
                    row.path.clone()
                }
            };
            match self.runtime.block_on(self.catalogue.quarantine(row.id, &to, &why)) {
                Ok(()) => {
                    tracing::error!(part = row.path, why, "part is damaged and was set aside");
                    Meter::add(&self.shared.meter.quarantined, 1);
                    self.shared.meter.trouble(&format!("part {}", row.path), why);
                    self.aside.insert(row.id);
                }
                Err(e) => self.shared.meter.failed(e.text),
            }
        }
    }

    /// Gives the new place, below the store's directory.
    fn move_aside(&self, row: &PartRow, why: &str) -> std::io::Result<String> {
        let (fs, root, id) = (&self.shared.fs, &self.shared.config.dir, row.id);
        let dir = root.join("quarantine");
        fs.create_dir_all(&dir)?;
        let from = root.join(&row.path);
        let to = format!("quarantine/{id}");
        if row.at.is_some() {
            // Its pack holds other parts that are well.
            return Ok(row.path.clone());
        }
        if row.signal == Signal::Metrics {
            for file in fs.walk(&from)? {
                let name =
                    file.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                fs.rename(&file.path, &dir.join(format!("{id}.{name}")))?;
            }
        } else {
            fs.rename(&from, &root.join(&to))?;
            // Without its part an index is of no use.
            part::files(row).iter().skip(1).for_each(|path| part::discard(fs.as_ref(), &root.join(path)));
        }
        fs.place(
            &root.join("tmp").join(format!("{id}.reason")),
            &dir.join(format!("{id}.reason")),
            why.as_bytes(),
        )?;
        Ok(to)
    }
}
