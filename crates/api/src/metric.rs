//! Metrics of one object, and the names the store knows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /api/v1/{nodes|pods|workloads|containers}/{id}/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MetricQuery {
    /// Canonical names, comma-separated; absent: the kind's standard set.
    pub metric: Option<String>,
    /// ms UTC; default: one hour before `end`.
    pub start: Option<i64>,
    /// ms UTC; default: now.
    pub end: Option<i64>,
    /// Seconds (`15`), or a duration (`15s`, `1m`); default: what gives at most 240 points, at least 15 s.
    pub step: Option<String>,
}

/// Series of one object. All share the grid `start_ms + i × step_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObjectMetrics {
    pub start_ms: i64,
    pub end_ms: i64,
    pub step_ms: i64,
    pub charts: Vec<Chart>,
    /// Newest sample of any series; absent without data.
    pub newest_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chart {
    /// Canonical name, for example `k8s.pod.cpu.usage`.
    pub metric: String,
    pub title: String,
    /// UCUM: `{cpu}`, `By`, `By/s`, `1` …
    pub unit: String,
    /// `value`, or `rate` when a counter is shown per second.
    pub shown: String,
    pub series: Vec<ChartSeries>,
    /// Limits and requests to draw as dashed lines.
    pub lines: Vec<ChartLine>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChartSeries {
    /// What tells this series from the others of the chart, for example `{"pod":"web-1","direction":"receive"}`.
    pub labels: std::collections::BTreeMap<String, String>,
    /// One entry a step; `null` is a gap, never zero.
    pub points: Vec<Option<f64>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChartLine {
    /// `limit`, `request`, `allocatable`.
    pub kind: String,
    pub value: f64,
}

/// `GET /api/v1/metrics`. Names, sorted; `truncated` when there are more than fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelPageAnswer {
    pub items: Vec<String>,
    pub truncated: bool,
}
