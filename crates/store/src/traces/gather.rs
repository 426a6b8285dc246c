//! Rows of given traces, from memory and from parts.

use std::collections::HashSet;

use arrow::array::{Array, BooleanArray, FixedSizeBinaryArray, RecordBatch};
use arrow::compute::filter_record_batch;
use ph_model::RangeNs;

use crate::hidden::Veil;
use crate::rows::{Columns, Keys, LSN, ROW, STREAM, TRACE_ID, TS};
use crate::scan::{self, Scanned};
use crate::snapshot::Table;

/// What is gathered of the traces.
pub(super) struct Which<'a> {
    pub range: RangeNs,
    /// `None`: all columns.
    pub columns: Option<&'a Columns>,
}

/// Batches whose rows belong to one of the traces and lie in the range.
pub(super) fn gather(
    table: &Table,
    ids: &HashSet<[u8; 16]>,
    which: &Which<'_>,
    scanned: &mut Scanned,
) -> Vec<RecordBatch> {
    let mut out = Vec::new();
    let veil = Veil::over(&table.hidden, which.range);
    let columns = which.columns.map(|columns| {
        let mut all = columns.clone();
        all.extend([TS, STREAM, LSN, ROW]);
        veil.columns(&mut all);
        all
    });
    for batch in scan::memory(table, which.range) {
        scanned.rows += batch.num_rows() as u64;
        out.extend(of_traces(&batch, ids, which.range).map(|batch| veil.seen(batch)));
    }
    for part in table.parts.iter().filter(|p| which.range.touches(p.row.first, p.row.last)) {
        if let Some(why) = part.damage() {
            scanned.incomplete.push(why);
            continue;
        }
        let found = part.rows_of_traces(ids, which.range, scanned).and_then(|rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            part.fetch_columns(&rows, columns.as_ref(), scanned).map(Some)
        });
        match found {
            Ok(batch) => out.extend(batch.map(|batch| veil.seen(batch))),
            Err(error) => scanned.incomplete.push(part.note_damage(&error)),
        }
    }
    out
}

fn of_traces(batch: &RecordBatch, ids: &HashSet<[u8; 16]>, range: RangeNs) -> Option<RecordBatch> {
    let keys = Keys::of(batch)?;
    let column: &FixedSizeBinaryArray = batch.column_by_name(TRACE_ID)?.as_any().downcast_ref()?;
    let mask: BooleanArray = (0..batch.num_rows())
        .map(|i| {
            let id = column.value(i).first_chunk::<16>();
            Some(
                range.contains(keys.ts.value(i))
                    && column.is_valid(i)
                    && id.is_some_and(|id| ids.contains(id)),
            )
        })
        .collect();
    if mask.true_count() == 0 {
        return None;
    }
    filter_record_batch(batch, &mask).ok()
}
