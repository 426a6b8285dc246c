//! Parts of rows into one, row by row in the order of the parts, so that memory holds a batch of each.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use ph_model::{ErrorKind, RangeNs};
use tokio_util::sync::CancellationToken;

use super::choose::Job;
use super::{gone, stopping};
use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::hidden::{self, Veil};
use crate::part::{self, Attributes, Content, Part, PartRows};
use crate::rows::Sorting;
use crate::shard::Shared;

/// Rows of one batch of the new part.
const BATCH_ROWS: usize = 8_192;

/// Writes the merged part; nothing is published.
pub(super) fn merge(shared: &Shared, job: &Job, stop: &CancellationToken) -> Result<Vec<PartRow>, Error> {
    let snapshot = shared.snapshots.load();
    let table = snapshot.table(job.org, job.signal).ok_or_else(|| gone(job.org))?;
    let old: Vec<&Arc<Part>> = table.parts.iter().filter(|p| job.parts.contains(&p.row.id)).collect();
    if old.len() != job.parts.len() {
        return Err(gone(job.org));
    }
    let mut merge = Merge { cursors: Vec::new(), held: Vec::new(), chosen: Vec::new(), signal: job.signal };
    let mut told = Vec::new();
    for part in &old {
        told.push(part.attributes().map_err(|e| damaged(part, e))?);
        let rows = part.rows().map_err(|e| damaged(part, e))?;
        merge.open(part, rows)?;
    }
    let veil = Veil::over(&table.hidden, RangeNs::ALL);
    let mut next = || match stop.is_cancelled() {
        true => Err(stopping()),
        false => Ok(merge.next_batch()?.map(|batch| veil.seen(batch))),
    };
    // What one of them does not tell, nobody knows of the whole.
    let told: Option<Vec<Attributes>> = told.into_iter().collect();
    let promoted = told.map_or_else(Vec::new, |told| Attributes::promoted(&told));
    let content = Content { of: (job.org, job.signal, job.day), promoted };
    let row = part::store_all(shared.fs.as_ref(), &shared.config.dir, &content, &mut next)?;
    let level = old.iter().map(|p| p.row.level).max().unwrap_or(0) + 1;
    let (shard, lsn) = old.iter().map(|p| (p.row.shard, p.row.lsn)).max_by_key(|p| p.1).unwrap_or((0, 0));
    let marked = |row: PartRow| {
        let (cleaned, ruled) = hidden::marks(&table.hidden, row.first, row.last);
        PartRow { level, shard, lsn, cleaned, ruled, ..row }
    };
    Ok(row.map(marked).into_iter().collect())
}

/// Notes damage at the part that has it.
fn damaged(part: &Part, error: Error) -> Error {
    part.note_damage(&error);
    error
}

struct Merge<'a> {
    signal: ph_model::Signal,
    cursors: Vec<Cursor<'a>>,
    /// Batches that rows were chosen from since the last output.
    held: Vec<RecordBatch>,
    /// Batch in `held` and row of each chosen row.
    chosen: Vec<(usize, usize)>,
}

/// The next row of one part.
struct Cursor<'a> {
    part: &'a Part,
    rows: PartRows<'a>,
    sorting: Sorting,
    /// Where its batch lies in `held`.
    held: usize,
    at: usize,
}

impl<'a> Merge<'a> {
    fn open(&mut self, part: &'a Part, mut rows: PartRows<'a>) -> Result<(), Error> {
        let Some(batch) = rows.next().transpose().map_err(|e| damaged(part, e))? else { return Ok(()) };
        let sorting = self.sorting(&batch)?;
        self.cursors.push(Cursor { part, rows, sorting, held: self.held.len(), at: 0 });
        self.held.push(batch);
        Ok(())
    }

    fn sorting(&self, batch: &RecordBatch) -> Result<Sorting, Error> {
        Sorting::of(self.signal, batch)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "merge parts: rows lack a column"))
    }

    /// The next rows in order; `None` at the end.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        while self.chosen.len() < BATCH_ROWS {
            let Some((lowest, second)) = self.lowest() else { break };
            self.take_run(lowest, second)?;
        }
        if self.chosen.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = self.held.iter().collect();
        let out = interleave_record_batch(&batches, &self.chosen)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("merge parts: {e}")))?;
        self.chosen.clear();
        self.let_go();
        Ok(Some(out))
    }

    /// The cursor with the lowest row, and the one with the lowest of the others.
    fn lowest(&self) -> Option<(usize, Option<usize>)> {
        let mut order: (Option<usize>, Option<usize>) = (None, None);
        for (n, cursor) in self.cursors.iter().enumerate() {
            let before = |other: Option<usize>| {
                other.and_then(|o| self.cursors.get(o)).is_none_or(|o| cursor.compare(o) == Ordering::Less)
            };
            if before(order.0) {
                order = (Some(n), order.0);
            } else if before(order.1) {
                order.1 = Some(n);
            }
        }
        order.0.map(|first| (first, order.1))
    }

    /// Takes rows of a cursor while none of the others has a lower one.
    fn take_run(&mut self, lowest: usize, second: Option<usize>) -> Result<(), Error> {
        loop {
            let Some(cursor) = self.cursors.get_mut(lowest) else { return Ok(()) };
            self.chosen.push((cursor.held, cursor.at));
            cursor.at += 1;
            if cursor.at >= cursor.sorting.len() {
                return self.refill(lowest);
            }
            let ends = self.chosen.len() >= BATCH_ROWS
                || match (self.cursors.get(lowest), second.and_then(|s| self.cursors.get(s))) {
                    (Some(cursor), Some(other)) => cursor.compare(other) == Ordering::Greater,
                    _ => false,
                };
            if ends {
                return Ok(());
            }
        }
    }

    fn refill(&mut self, number: usize) -> Result<(), Error> {
        let Some(cursor) = self.cursors.get_mut(number) else { return Ok(()) };
        let part = cursor.part;
        match cursor.rows.next().transpose().map_err(|e| damaged(part, e))? {
            None => {
                self.cursors.swap_remove(number);
            }
            Some(batch) => {
                let sorting = self.sorting(&batch)?;
                let held = self.held.len();
                self.held.push(batch);
                if let Some(cursor) = self.cursors.get_mut(number) {
                    (cursor.sorting, cursor.held, cursor.at) = (sorting, held, 0);
                }
            }
        }
        Ok(())
    }

    /// Forgets batches that no cursor stands in any more.
    fn let_go(&mut self) {
        let mut kept = Vec::with_capacity(self.cursors.len());
        for cursor in &mut self.cursors {
            if let Some(batch) = self.held.get(cursor.held) {
                cursor.held = kept.len();
                kept.push(batch.clone());
            }
        }
        self.held = kept;
    }
}

impl Cursor<'_> {
    fn compare(&self, other: &Cursor<'_>) -> Ordering {
        self.sorting.compare(self.at, &other.sorting, other.at)
    }
}
