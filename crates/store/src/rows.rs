//! Rows of logs, spans and events as Arrow columns: one form in memory, in parts and in answers.
//!
//! In:     rows of the model.
//! Out:    record batches in the schema of their signal; rows again; a view of one row for filters.
//! Never:  empty text as a value of its own: an empty column value means that the row does not have the field.

mod attributes;
mod blank;
mod build;
mod codec;
mod columns;
mod events;
mod exemplars;
mod logs;
mod messages;
mod promoted;
mod sight;
mod sorting;
mod spans;
mod take;
mod view;

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ph_model::Signal;

pub(crate) use blank::{blank, is_blank};
pub(crate) use codec::{decode, encode};
pub(crate) use columns::{ATTRS, Columns, OWN};
pub(crate) use events::{event_rows, events_batch};
pub(crate) use exemplars::{COLUMNS as EXEMPLAR_COLUMNS, exemplar_rows, exemplars_batch, labels_at};
pub(crate) use logs::{log_rows, logs_batch};
pub(crate) use messages::Messages;
pub(crate) use promoted::{promote, whole};
pub(crate) use sight::Sight;
pub(crate) use sorting::Sorting;
pub(crate) use spans::{span_rows, spans_batch};
pub(crate) use take::entries;
pub(crate) use view::{RowView, column_name, columns_for, columns_of_field, listed, message_column};

use crate::contract::{Rows, SearchRows};

/// Columns that every signal has, in front: time (ns UTC) and stream hash.
pub(crate) const TS: &str = "ts";
pub(crate) const STREAM: &str = "stream_id";
/// The trace that a span, or a log line, belongs to.
pub(crate) const TRACE_ID: &str = "trace_id";
/// The labels of the series that an exemplar belongs to.
pub(crate) const SERIES: &str = "series";
/// Columns that place a row in the log, at the end; the memtable adds them.
pub(crate) const LSN: &str = "lsn";
pub(crate) const ROW: &str = "row";

fn field(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn optional(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

/// The schema of a batch as it is appended: all columns but `lsn` and `row`.
pub(crate) fn schema(signal: Signal) -> SchemaRef {
    static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(logs::fields())));
    static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(spans::fields())));
    static EVENTS: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(events::fields())));
    static EXEMPLARS: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(exemplars::fields())));
    match signal {
        Signal::Spans => SPANS.clone(),
        Signal::Exemplars => EXEMPLARS.clone(),
        Signal::Events => EVENTS.clone(),
        // Metrics are not kept as rows; nobody asks for their schema.
        Signal::Logs | Signal::Metrics => LOGS.clone(),
    }
}

/// The schema of stored rows: with `lsn` and `row`.
pub(crate) fn stored_schema(signal: Signal) -> SchemaRef {
    static ALL: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| {
        [Signal::Logs, Signal::Spans, Signal::Events, Signal::Exemplars].map(|signal| {
            let mut fields: Vec<Field> = schema(signal).fields().iter().map(|f| f.as_ref().clone()).collect();
            fields.push(field(LSN, DataType::UInt64));
            fields.push(field(ROW, DataType::UInt32));
            Arc::new(Schema::new(fields))
        })
    });
    let [logs, spans, events, exemplars] = &*ALL;
    match signal {
        Signal::Spans => spans.clone(),
        Signal::Events => events.clone(),
        Signal::Exemplars => exemplars.clone(),
        Signal::Logs | Signal::Metrics => logs.clone(),
    }
}

/// Adds the place in the log to a batch. `None` if the batch is not in its signal's schema.
pub(crate) fn placed(signal: Signal, batch: &RecordBatch, lsn: u64) -> Option<RecordBatch> {
    let rows = batch.num_rows();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns.push(Arc::new(UInt64Array::from_value(lsn, rows)));
    columns.push(Arc::new(UInt32Array::from_iter_values(0..rows as u32)));
    RecordBatch::try_new(stored_schema(signal), columns).ok()
}

/// Rows as columns; `None` for metrics.
pub(crate) fn batch_of(rows: &Rows) -> Option<RecordBatch> {
    match rows {
        Rows::Metrics(_) => None,
        Rows::Logs(rows) => logs_batch(rows),
        Rows::Spans(rows) => spans_batch(rows),
        Rows::Events(rows) => events_batch(rows),
        Rows::Exemplars(rows) => exemplars_batch(rows),
    }
}

/// Columns as rows; exemplars have a reader of their own.
pub(crate) fn rows_of(signal: Signal, batch: &RecordBatch) -> SearchRows {
    match signal {
        Signal::Spans => SearchRows::Spans(span_rows(batch)),
        Signal::Events => SearchRows::Events(event_rows(batch)),
        Signal::Logs | Signal::Metrics | Signal::Exemplars => SearchRows::Logs(log_rows(batch)),
    }
}

/// The columns by which rows are ordered, of one batch.
pub(crate) struct Keys<'a> {
    pub ts: &'a Int64Array,
    stream: &'a FixedSizeBinaryArray,
    lsn: &'a UInt64Array,
    row: &'a UInt32Array,
}

/// A row's place in the order of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub ts: i64,
    pub stream: u128,
    pub lsn: u64,
    pub row: u32,
}

impl<'a> Keys<'a> {
    /// `None` when a column is missing or of another type: the file is not one of ours.
    pub fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            ts: batch.column_by_name(TS)?.as_any().downcast_ref()?,
            stream: batch.column_by_name(STREAM)?.as_any().downcast_ref()?,
            lsn: batch.column_by_name(LSN)?.as_any().downcast_ref()?,
            row: batch.column_by_name(ROW)?.as_any().downcast_ref()?,
        })
    }

    /// The key of a row below the batch's length.
    pub fn at(&self, i: usize) -> Key {
        let mut stream = [0; 16];
        stream.copy_from_slice(self.stream.value(i));
        Key {
            ts: self.ts.value(i),
            stream: u128::from_be_bytes(stream),
            lsn: self.lsn.value(i),
            row: self.row.value(i),
        }
    }
}

#[cfg(test)]
mod tests;
