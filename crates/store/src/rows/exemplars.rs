//! Columns of exemplars.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, MapArray, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field};
use ph_model::{ExemplarRow, Labels, Signal};

use super::build::{fixed, fixed_optional, long, map_array, map_type, text};
use super::take::{Taker, entries};
use super::{SERIES, STREAM, TRACE_ID, TS, field, optional, schema};

/// Columns that an answer is made of.
pub(crate) const COLUMNS: [&str; 6] = [TS, "value", TRACE_ID, "span_id", SERIES, "labels"];

pub(super) fn fields() -> Vec<Field> {
    vec![
        field(TS, DataType::Int64),
        field(STREAM, DataType::FixedSizeBinary(16)),
        field("metric", DataType::Utf8),
        field("value", DataType::Float64),
        optional(TRACE_ID, DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        field(SERIES, map_type()),
        field("labels", map_type()),
    ]
}

/// Exemplars as columns; `None` only beyond Arrow's limits.
pub(crate) fn exemplars_batch(rows: &[ExemplarRow]) -> Option<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        long(rows, |r| r.ts),
        fixed(rows, |r| r.series.hash128().to_be_bytes())?,
        text(rows, |r| r.series.metric()),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.value))),
        fixed_optional(rows, |r| r.trace_id)?,
        fixed_optional(rows, |r| r.span_id)?,
        label_map(rows, |r| &r.series)?,
        label_map(rows, |r| &r.labels)?,
    ];
    RecordBatch::try_new(Arc::clone(&schema(Signal::Exemplars)), columns).ok()
}

fn label_map<'a>(rows: &'a [ExemplarRow], of: impl Fn(&'a ExemplarRow) -> &'a Labels) -> Option<ArrayRef> {
    let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
    let mut ends = Vec::with_capacity(rows.len() + 1);
    let mut count = 0_i32;
    ends.push(count);
    for row in rows {
        let labels = of(row);
        for (name, value) in labels.iter() {
            keys.append_value(name);
            values.append_value(value);
        }
        count = count.checked_add(i32::try_from(labels.len()).ok()?)?;
        ends.push(count);
    }
    map_array(ends, Arc::new(keys.finish()), Arc::new(values.finish()))
}

/// All rows of a batch, in its order.
pub(crate) fn exemplar_rows(batch: &RecordBatch) -> Vec<ExemplarRow> {
    let t = Taker(batch);
    let (ts, value) = (t.long(TS), t.double("value"));
    let (trace_id, span_id) = (t.fixed(TRACE_ID), t.fixed("span_id"));
    let row = |i| ExemplarRow {
        series: labels_at(batch, SERIES, i),
        ts: ts(i),
        value: value(i),
        trace_id: trace_id(i),
        span_id: span_id(i),
        labels: labels_at(batch, "labels", i),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The label set in one row of a map column; empty when there is none.
pub(crate) fn labels_at(batch: &RecordBatch, column: &str, row: usize) -> Labels {
    let map: Option<&MapArray> = batch.column_by_name(column).and_then(|c| c.as_any().downcast_ref());
    let pairs = map.and_then(|map| entries(map, row));
    pairs.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
