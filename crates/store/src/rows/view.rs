//! One row of a batch as filters see it, and which columns a filter needs.
//!
//! Names: a column of the signal first (`namespace`, `stream`, `object_uid` …), then an attribute, then a resource
//! attribute, then a field of the message. `attr.`, `resource.` and `body.` choose one of the last three.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::array::{
    Array, BinaryArray, FixedSizeBinaryArray, Int64Array, MapArray, RecordBatch, StringArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::DataType;
use ph_filter::{Filter, Record, Unit};
use ph_model::{Level, Signal, SpanKind, SpanStatus};

use super::columns::{ATTRS, Columns, OWN};
use super::take::entry;
use super::{TS, schema};

/// Row `row` of `batch`, which may hold fewer columns than its signal has; those read as absent.
#[derive(Clone, Copy)]
pub(crate) struct RowView<'a> {
    pub signal: Signal,
    pub batch: &'a RecordBatch,
    pub row: usize,
}

/// Signals that are kept as rows.
const ROWS: [Signal; 4] = [Signal::Logs, Signal::Spans, Signal::Events, Signal::Exemplars];

/// The column that a field's name means, if it is one.
pub(crate) fn column_name(signal: Signal, name: &str) -> Option<&'static str> {
    static NAMES: LazyLock<[HashMap<&'static str, &'static str>; 4]> = LazyLock::new(|| ROWS.map(names));
    let [logs, spans, events, exemplars] = &*NAMES;
    let names = match signal {
        Signal::Spans => spans,
        Signal::Events => events,
        Signal::Exemplars => exemplars,
        Signal::Logs | Signal::Metrics => logs,
    };
    names.get(name).copied()
}

/// Columns of a signal by their own names and by those that people use.
fn names(signal: Signal) -> HashMap<&'static str, &'static str> {
    let known = schema(signal);
    let own =
        COLUMNS.iter().filter(|c| known.column_with_name(c).is_some() && ![ATTRS, "resource"].contains(c));
    let mut out: HashMap<_, _> = own.map(|c| (*c, *c)).collect();
    match signal {
        Signal::Spans => out.extend([("duration", "duration_ns"), ("start", TS)]),
        Signal::Events => out.extend([("namespace", "object_namespace")]),
        Signal::Exemplars => {}
        Signal::Logs | Signal::Metrics => out.extend([("stream", "iostream")]),
    }
    out
}

/// Columns that say where a row came from rather than what it is: not listed as fields.
const UNLISTED: [&str; 6] = [TS, "observed_ts", "segment_key", "offset", "full_bytes", "flags"];

/// Fields that are columns: the name that people use, and the column. Ascending by name.
pub(crate) fn listed(signal: Signal) -> impl Iterator<Item = (&'static str, &'static str)> {
    static LISTED: LazyLock<[Vec<(&'static str, &'static str)>; 4]> = LazyLock::new(|| {
        ROWS.map(|signal| {
            let all = names(signal);
            let mut by_column: HashMap<&str, &str> = HashMap::new();
            for (name, column) in &all {
                let best = by_column.entry(column).or_insert(name);
                if name.len() < best.len() {
                    *best = name;
                }
            }
            let mut out: Vec<_> = all
                .iter()
                .filter(|(name, column)| by_column.get(*column) == Some(*name) && !UNLISTED.contains(column))
                .map(|(name, column)| (*name, *column))
                .collect();
            out.sort_unstable();
            out
        })
    });
    let [logs, spans, events, exemplars] = &*LISTED;
    let of = match signal {
        Signal::Spans => spans,
        Signal::Events => events,
        Signal::Exemplars => exemplars,
        Signal::Logs | Signal::Metrics => logs,
    };
    of.iter().copied()
}

/// The column that holds what filters call the message.
pub(crate) fn message_column(signal: Signal) -> &'static str {
    if signal == Signal::Spans { "name" } else { "message" }
}

fn level_column(signal: Signal) -> &'static str {
    match signal {
        Signal::Spans => "status",
        Signal::Events => "type",
        Signal::Logs | Signal::Metrics | Signal::Exemplars => "level",
    }
}

/// The columns and attributes that must be read to evaluate a filter.
pub(crate) fn columns_for(signal: Signal, filter: &Filter, into: &mut Columns) {
    match filter {
        Filter::All => {}
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().for_each(|part| columns_for(signal, part, into));
        }
        Filter::Not(part) => columns_for(signal, part, into),
        Filter::Level(_) => into.add(level_column(signal)),
        Filter::Time { .. } => into.add(TS),
        Filter::Contains { field, .. } | Filter::Words { field, .. } | Filter::Regex { field, .. } => {
            columns_of_field(signal, field.as_deref().unwrap_or("message"), into);
        }
        Filter::Equal { field, .. }
        | Filter::Compare { field, .. }
        | Filter::Between { field, .. }
        | Filter::Has { field } => columns_of_field(signal, field, into),
    }
}

/// The columns and attributes in which a field may lie.
pub(crate) fn columns_of_field(signal: Signal, field: &str, into: &mut Columns) {
    match field {
        "message" => return into.add(message_column(signal)),
        "level" => return into.add(level_column(signal)),
        _ => {}
    }
    if let Some(column) = column_name(signal, field) {
        return into.add(column);
    }
    let known = schema(signal);
    let has = |name: &str| known.column_with_name(name).is_some();
    if let Some(key) = field.strip_prefix(OWN) {
        if has(ATTRS) {
            into.add_attribute(key);
        }
    } else if field.starts_with("resource.") {
        into.extend(has("resource").then_some("resource"));
    } else if field.starts_with("body.") {
        into.extend(has(message_column(signal)).then(|| message_column(signal)));
    } else {
        let elsewhere = ["resource", message_column(signal)].into_iter().filter(|name| has(name));
        match has(ATTRS) {
            true => into.add_loose(field, elsewhere),
            false => into.extend(elsewhere),
        }
    }
}

/// Every column that a filter can name, so that names live as long as the program.
const COLUMNS: [&str; 53] = [
    "ts",
    "observed_ts",
    "cluster",
    "namespace",
    "workload_kind",
    "workload",
    "pod",
    "pod_uid",
    "container",
    "restart",
    "node",
    "service",
    "iostream",
    "level",
    "level_text",
    "trace_id",
    "span_id",
    "message",
    "flags",
    "full_bytes",
    "segment_key",
    "offset",
    "parent_id",
    "duration_ns",
    "name",
    "kind",
    "status",
    "status_text",
    "http_method",
    "http_route",
    "http_status",
    "rpc_method",
    "db_system",
    "peer_service",
    "scope",
    "events",
    "links",
    "trace_state",
    "first_ts",
    "count",
    "type",
    "reason",
    "action",
    "object_api",
    "object_kind",
    "object_namespace",
    "object_name",
    "object_uid",
    "reporter",
    "uid",
    "resource_version",
    ATTRS,
    "resource",
];

impl<'a> RowView<'a> {
    fn column<T: 'static>(&self, name: &str) -> Option<&'a T> {
        self.batch.column_by_name(name)?.as_any().downcast_ref()
    }

    /// Text of a column's value; `None` when it is empty or absent.
    fn column_text(&self, name: &str) -> Option<Cow<'a, str>> {
        let array = self.batch.column_by_name(name)?;
        let i = self.row;
        if array.is_null(i) {
            return None;
        }
        let any = array.as_any();
        Some(match array.data_type() {
            DataType::Utf8 => {
                let text = any.downcast_ref::<StringArray>()?.value(i);
                return (!text.is_empty()).then_some(Cow::Borrowed(text));
            }
            DataType::Binary => String::from_utf8_lossy(any.downcast_ref::<BinaryArray>()?.value(i)),
            DataType::Int64 => any.downcast_ref::<Int64Array>()?.value(i).to_string().into(),
            DataType::UInt64 => any.downcast_ref::<UInt64Array>()?.value(i).to_string().into(),
            DataType::UInt32 => any.downcast_ref::<UInt32Array>()?.value(i).to_string().into(),
            DataType::UInt16 => any.downcast_ref::<UInt16Array>()?.value(i).to_string().into(),
            DataType::UInt8 => self.word(name, any.downcast_ref::<UInt8Array>()?.value(i)),
            DataType::FixedSizeBinary(_) => {
                let id = any.downcast_ref::<FixedSizeBinaryArray>()?.value(i);
                id.iter().map(|b| format!("{b:02x}")).collect::<String>().into()
            }
            _ => return None,
        })
    }

    /// Small numbers that people know as words.
    fn word(&self, name: &str, n: u8) -> Cow<'a, str> {
        match (self.signal, name) {
            (Signal::Spans, "kind") => Cow::Borrowed(SpanKind::from_u8(n).as_str()),
            (Signal::Spans, "status") => Cow::Borrowed(SpanStatus::from_u8(n).as_str()),
            _ => n.to_string().into(),
        }
    }

    fn entry(&self, map: &str, key: &str) -> Option<Cow<'a, str>> {
        entry(self.column::<MapArray>(map)?, self.row, key)
    }

    /// An attribute's text, from its own column or from the map.
    pub fn attribute(&self, key: &str) -> Option<Cow<'a, str>> {
        match self.own(key) {
            Some(texts) => texts.is_valid(self.row).then(|| Cow::Borrowed(texts.value(self.row))),
            None => self.entry(ATTRS, key),
        }
    }

    fn own(&self, key: &str) -> Option<&'a StringArray> {
        let mut fields = self.batch.schema_ref().fields().iter();
        let at = fields.position(|f| f.name().strip_prefix(OWN) == Some(key))?;
        self.batch.columns().get(at)?.as_any().downcast_ref()
    }

    /// The attribute's own column in which a field is looked for first, if there is one.
    pub fn own_column(&self, field: &str) -> Option<&'a StringArray> {
        match field.strip_prefix(OWN) {
            Some(key) => self.own(key),
            None if field.starts_with("resource.") || field.starts_with("body.") => None,
            None => self.own(field),
        }
    }

    /// See [`Record::field`].
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        if let Some(column) = column_name(self.signal, name) {
            return self.column_text(column);
        }
        if let Some(key) = name.strip_prefix(OWN) {
            return self.attribute(key);
        }
        if let Some(key) = name.strip_prefix("resource.") {
            return self.entry("resource", key).or_else(|| self.entry("resource", name));
        }
        if let Some(key) = name.strip_prefix("body.") {
            return self.body(key);
        }
        self.attribute(name).or_else(|| self.entry("resource", name)).or_else(|| self.body(name))
    }

    fn message_bytes(&self) -> &'a [u8] {
        let name = message_column(self.signal);
        if let Some(binary) = self.column::<BinaryArray>(name) {
            return binary.value(self.row);
        }
        self.column::<StringArray>(name).map_or(&[], |c| c.value(self.row).as_bytes())
    }

    fn body(&self, key: &str) -> Option<Cow<'a, str>> {
        ph_filter::field(self.message_bytes(), key)
    }

    /// Whether the row has something in a column.
    pub fn holds(&self, column: &str) -> bool {
        self.column_text(column).is_some_and(|text| !text.is_empty())
    }

    /// A field's text for grouping: like [`Record::field`], and `message` and `level` as well.
    pub fn group(&self, name: &str) -> String {
        match name {
            "message" => String::from_utf8_lossy(self.message_bytes()).into_owned(),
            "level" => self.level().as_str().to_owned(),
            _ => self.field(name).map_or_else(String::new, Cow::into_owned),
        }
    }
}

impl Record for RowView<'_> {
    fn ts_ns(&self) -> i64 {
        self.column::<Int64Array>(TS).map_or(0, |c| c.value(self.row))
    }

    fn level(&self) -> Level {
        match self.signal {
            Signal::Spans => {
                let status = self.column::<UInt8Array>("status").map_or(0, |c| c.value(self.row));
                if SpanStatus::from_u8(status) == SpanStatus::Error { Level::Error } else { Level::Unknown }
            }
            Signal::Events => match self.column_text("type").as_deref() {
                Some("Warning") => Level::Warn,
                Some("Normal") => Level::Info,
                _ => Level::Unknown,
            },
            Signal::Logs | Signal::Metrics | Signal::Exemplars => {
                Level::from_number(self.column::<UInt8Array>("level").map_or(0, |c| c.value(self.row)))
            }
        }
    }

    fn message(&self) -> &[u8] {
        self.message_bytes()
    }

    fn unit(&self, name: &str) -> Unit {
        match column_name(self.signal, name) {
            Some("duration_ns") => Unit::Nanoseconds,
            Some("full_bytes") => Unit::Bytes,
            _ => Unit::None,
        }
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.text(name)
    }
}
