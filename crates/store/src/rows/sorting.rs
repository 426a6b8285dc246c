//! The order of rows in parts: a leading column, then time, stream and place in the log.

use std::cmp::Ordering;

use arrow::array::{
    Array, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use ph_model::Signal;

use super::{Keys, LSN, ROW, STREAM, TS};

/// The columns by which the rows of a batch are ordered; shares them with the batch.
pub(crate) struct Sorting {
    leading: Leading,
    ts: Int64Array,
    stream: FixedSizeBinaryArray,
    lsn: UInt64Array,
    row: UInt32Array,
}

/// The column that parts are sorted by first.
enum Leading {
    Text(StringArray),
    Id(FixedSizeBinaryArray),
}

impl Sorting {
    /// `None` when a column is missing.
    pub fn of(signal: Signal, batch: &RecordBatch) -> Option<Self> {
        Keys::of(batch)?;
        let text = |name: &str| -> Option<Leading> { Some(Leading::Text(column(batch, name)?)) };
        let leading = match signal {
            Signal::Spans => text("service")?,
            Signal::Events => text("object_namespace")?,
            Signal::Logs | Signal::Metrics | Signal::Exemplars => Leading::Id(column(batch, STREAM)?),
        };
        Some(Self {
            leading,
            ts: column(batch, TS)?,
            stream: column(batch, STREAM)?,
            lsn: column(batch, LSN)?,
            row: column(batch, ROW)?,
        })
    }

    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Compares row `i` of this batch with row `j` of another one.
    pub fn compare(&self, i: usize, other: &Self, j: usize) -> Ordering {
        let leading = match (&self.leading, &other.leading) {
            (Leading::Text(a), Leading::Text(b)) => a.value(i).cmp(b.value(j)),
            (Leading::Id(a), Leading::Id(b)) => a.value(i).cmp(b.value(j)),
            _ => Ordering::Equal,
        };
        leading
            .then_with(|| self.ts.value(i).cmp(&other.ts.value(j)))
            .then_with(|| self.stream.value(i).cmp(other.stream.value(j)))
            .then_with(|| self.lsn.value(i).cmp(&other.lsn.value(j)))
            .then_with(|| self.row.value(i).cmp(&other.row.value(j)))
    }
}

fn column<T: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Option<T> {
    batch.column_by_name(name)?.as_any().downcast_ref::<T>().cloned()
}
