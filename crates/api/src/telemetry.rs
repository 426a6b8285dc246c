//! How long telemetry is kept, and what is deleted of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whole days by signal, 1 to 36,500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionDays {
    pub metrics: u32,
    pub logs: u32,
    pub spans: u32,
    pub events: u32,
}

/// Rows of a signal that are kept for less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    pub signal: RowSignal,
    /// In the filter language, such as `namespace=dev`.
    pub filter: String,
    /// Whole days, 1 to 36,500.
    pub days: u32,
}

/// A signal that is kept as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowSignal {
    Logs,
    Spans,
    Events,
}

/// How long the organisation's telemetry is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TelemetryRetention {
    pub days: RetentionDays,
    /// The organisation's own days; else they are those of `serve --retention`.
    pub own: bool,
    pub rules: Vec<RetentionRule>,
    /// Days of roll-ups of metrics over 5 minutes, of the server.
    pub rollup_5m_days: u32,
    /// Days of roll-ups of metrics over an hour, of the server.
    pub rollup_1h_days: u32,
}

/// What shall be in force instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryRetain {
    /// Absent: those of `serve --retention`.
    #[serde(default)]
    pub days: Option<RetentionDays>,
    /// At most 100, each for rows of one signal; the shortest time that chooses a row counts.
    #[serde(default)]
    pub rules: Vec<RetentionRule>,
}

/// What to delete: rows by a filter, or samples by a selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum TelemetryErase {
    Logs(RowsErase),
    Spans(RowsErase),
    Events(RowsErase),
    Metrics(SamplesErase),
}

/// Rows that pass a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsErase {
    /// In the filter language; empty: all rows of the range.
    pub filter: String,
    /// ms UTC. Absent: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// ms UTC, not within. Absent, or in the future: until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
}

/// Samples of series that a selector matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplesErase {
    /// In PromQL, such as `http_requests_total{user="ann"}`.
    pub selector: String,
    /// ms UTC. Absent: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// ms UTC, not within. Absent, or in the future: until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
}

/// A deletion in force: what it covers is in no answer, also when it comes late, and leaves the disk within a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TelemetryDeletion {
    /// Grows from deletion to deletion.
    pub number: i64,
    pub made_ms: i64,
    pub what: TelemetryErase,
}
