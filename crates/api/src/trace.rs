//! Traces, services and who calls whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /api/v1/traces`, and body of `POST /api/v1/traces/search` → page of [`TraceSummary`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TraceQuery {
    /// The filter language over spans, or TraceQL (`{span.http.route = "/pay"} && {status = error} | count() > 2`). A trace is
    /// found when one of its spans passes, or when the set that TraceQL describes is not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Cluster's name; more than one with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Of the span that passes: `250ms`, `1.5s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<String>,
    /// `true`: only spans with status error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<bool>,
    /// ms UTC; default: one hour before `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// ms UTC; default: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// 1–1000, default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One trace in a list: over all its spans from 5 minutes before the asked range to 5 minutes after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// Of the span without parent; of the earliest span when `rooted` is false.
    pub root_service: String,
    pub root_name: String,
    /// Whether a span without parent is stored.
    pub rooted: bool,
    /// ns UTC, in decimal digits.
    pub start_ns: String,
    pub duration_ns: u64,
    pub spans: u64,
    pub errors: u64,
    /// Spans whose parent is not stored.
    pub orphans: u64,
    /// Spans that passed the query.
    pub matched: u64,
    /// The earliest three of them with the fields that `select(…)` asked for; absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected: Vec<SelectedSpan>,
    /// Ascending by service.
    pub services: Vec<TraceService>,
}

/// A span that passed the query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SelectedSpan {
    /// 16 hex digits.
    pub span_id: String,
    /// ns UTC, in decimal digits.
    pub start_ns: String,
    pub service: String,
    pub name: String,
    /// The wanted fields that it has, as text.
    pub fields: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceService {
    pub service: String,
    pub spans: u64,
    pub errors: u64,
}

/// Query of `GET /api/v1/traces/{id}` and `GET /api/v1/logs/trace/{trace_id}`: where to look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TraceRange {
    /// ms UTC. With both, only spans from 5 minutes before to 5 minutes after are looked for; without, all that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
}

/// `GET /api/v1/traces/{id}`: one trace with its spans by start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    /// 32 hex digits.
    pub trace_id: String,
    /// ns UTC, in decimal digits: start of the earliest span.
    pub start_ns: String,
    /// From the earliest start to the latest end.
    pub duration_ns: u64,
    pub errors: u64,
    /// Ascending by service.
    pub services: Vec<TraceService>,
    /// Ascending by start.
    pub spans: Vec<Span>,
    /// `false` while a span of it ended less than 30 s ago, so that more may come, or when something could not be read.
    pub complete: bool,
    /// What could not be read, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
}

/// One span. What is empty is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// 16 hex digits.
    pub span_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    pub service: String,
    pub name: String,
    /// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`.
    pub kind: String,
    /// `unset`, `ok`, `error`.
    pub status: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status_text: String,
    /// ns UTC, in decimal digits.
    pub start_ns: String,
    pub duration_ns: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload_kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod_uid: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// Values keep their types; bytes are hex.
    #[schema(value_type = Object)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    #[schema(value_type = Object)]
    pub resource: BTreeMap<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<SpanLink>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// `missing_parent`: its parent is not stored; `outside_parent`: it begins before its parent or ends after it, as skewed
    /// clocks and work that goes on behind the call do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanEvent {
    /// ns UTC, in decimal digits.
    pub at_ns: String,
    pub name: String,
    #[schema(value_type = Object)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanLink {
    pub trace_id: String,
    pub span_id: String,
    #[schema(value_type = Object)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// Query of `GET /api/v1/services…` and `GET /api/v1/dependencies`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServiceQuery {
    /// ms UTC; default: one hour before `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// ms UTC; default: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
}

/// `GET /api/v1/services`, `GET /api/v1/services/{name}`: a service that has spans in the range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    pub name: String,
    pub spans: u64,
    pub errors: u64,
    /// Ascending by name, then by kind.
    pub operations: Vec<Operation>,
}

/// `GET /api/v1/services/{name}/operations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    pub name: String,
    /// As in [`Span::kind`].
    pub kind: String,
    pub spans: u64,
    pub errors: u64,
}

/// `GET /api/v1/dependencies`: calls from one service to another in the range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Dependency {
    pub parent: String,
    pub child: String,
    /// `call` between services that both have spans; `database`, `messaging`, `peer` for a callee without.
    pub kind: String,
    pub calls: u64,
    pub errors: u64,
    /// Within 2 % of the exact quantile.
    pub p50_ns: u64,
    pub p95_ns: u64,
}

/// `GET /api/v1/logs/trace/{trace_id}`: a stored line of a trace, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceLine {
    /// ns UTC, in decimal digits.
    pub ts_ns: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// `trace` … `fatal`, `unknown`.
    pub level: String,
    pub message: String,
    pub service: String,
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    pub container: String,
    #[schema(value_type = Object)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}
