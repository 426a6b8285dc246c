//! Metric blocks into one: series merged, encoded anew.

use std::sync::Arc;

use ph_model::RangeMs;
use ph_tsdb::{Source, merge as merge_series};
use tokio_util::sync::CancellationToken;

use super::choose::Job;
use super::{gone, stopping};
use crate::block::{self, BlockPart};
use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::shard::Shared;

/// Writes the merged block; nothing is published. Of two samples of one time that of the older block stays.
pub(super) fn merge(shared: &Shared, job: &Job, stop: &CancellationToken) -> Result<Vec<PartRow>, Error> {
    let snapshot = shared.snapshots.load();
    let all = snapshot.blocks.get(&job.org).map(Vec::as_slice).unwrap_or_default();
    let mut old: Vec<&Arc<BlockPart>> = all.iter().filter(|b| job.parts.contains(&b.row.id)).collect();
    if old.len() != job.parts.len() {
        return Err(gone(job.org));
    }
    old.sort_by_key(|b| (b.row.lsn, b.row.id));
    let sources = sources(&old)?;
    let hidden = snapshot.hidden_series(job.org);
    let cleaned = hidden.iter().map(|h| h.seq).max().unwrap_or(0);
    let mut merged = merge_series(sources)
        .take_while(|_| !stop.is_cancelled())
        .filter_map(|series| series.map(|series| block::seen(hidden, series)).transpose());
    let newest = old.last().ok_or_else(|| gone(job.org))?;
    let of = block::Source { org: job.org, shard: newest.row.shard, lsn: newest.row.lsn, step_ms: 0 };
    let level = old.iter().map(|b| b.row.level).max().unwrap_or(0) + 1;
    let row = block::write_day(shared.fs.as_ref(), &shared.config.dir, (of, job.day), &mut merged)?;
    if stop.is_cancelled() {
        // It may have ended before its last series.
        row.iter().for_each(|row| BlockPart::new(row.clone(), shared).doom());
        return Err(stopping());
    }
    Ok(row.map(|row| PartRow { level, cleaned, ..row }).into_iter().collect())
}

/// All series of blocks, block by block; damage is noted at the block that has it.
pub(super) fn sources<'a>(blocks: &[&'a Arc<BlockPart>]) -> Result<Vec<Source<'a>>, Error> {
    let mut out: Vec<Source<'a>> = Vec::new();
    for &block in blocks {
        let lift = |e: ph_tsdb::Error| {
            let text = block.note_damage(e.kind(), e.to_string());
            Error::new(e.kind(), text).caused_by(e)
        };
        let series = block.block()?.select(&[], RangeMs::ALL).map_err(lift)?;
        let watch = move |e: &ph_tsdb::Error| drop(block.note_damage(e.kind(), e.to_string()));
        out.push(Box::new(series.map(move |one| one.inspect_err(watch))));
    }
    Ok(out)
}
