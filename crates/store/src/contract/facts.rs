//! What is asked about the shape of what is stored: fields with their values, and metrics with their meaning.

use ph_filter::Filter;
use ph_model::{RangeNs, SeriesKind, Signal};

#[derive(Clone, Debug)]
pub struct FieldsAsk {
    pub signal: Signal,
    /// Only rows that pass are looked at.
    pub filter: Filter,
    pub range: RangeNs,
    /// The field whose values are asked; `None`: the names of all fields.
    pub field: Option<String>,
    /// Most items of the answer; 1 to 10,000.
    pub limit: usize,
}

/// Names or values with the number of rows that have them: most rows first, then by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldsPage {
    pub items: Vec<FieldCount>,
    /// There are more than the limit let through, or more than 100,000 different ones, of which only those seen
    /// first were counted.
    pub truncated: bool,
    /// Rows that passed the filter; the counts are exact over them.
    pub rows: u64,
    pub scanned_rows: u64,
    pub scanned_bytes: u64,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldCount {
    /// Name or value. Attributes stand as they are, resource attributes with `resource.` in front.
    pub name: String,
    pub rows: u64,
}

/// What is known of one metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricFacts {
    pub name: String,
    pub kind: SeriesKind,
    /// UCUM unit; empty when unknown.
    pub unit: String,
    /// Empty when no sender described it.
    pub help: String,
    /// Name in OpenTelemetry's form, when it came as such and differs from `name`; else empty.
    pub otel_name: String,
    /// ms UTC of the newest sample; `None` when it is described and has no sample in its retention.
    pub last_ms: Option<i64>,
}
