//! What the first screen asks for.

use ph_model::ClusterId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ObjectLink, Reason};

/// `GET /api/v1/problems` — everything that deviates, worst first, one row a cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemRow {
    /// Stable while the problem lasts.
    pub id: String,
    /// `crit`, `warn`, `unknown`.
    pub state: String,
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub cluster: String,
    pub object: ObjectLink,
    /// For example `3 of 6 available`, `NotReady · 31 pods`.
    pub effect: String,
    /// Effect first, first cause last; the last one's `quote` stands on the row.
    pub chain: Vec<Reason>,
    pub pods: u32,
    pub since_ms: i64,
}

/// `GET /api/v1/summary[?cluster=]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    pub clusters: u32,
    pub hosts: u32,
    pub agents_connected: u32,
    pub agents: u32,
    pub nodes_ready: u32,
    pub nodes: u32,
    pub pods_ready: u32,
    pub pods: u32,
    pub pods_by_phase: std::collections::BTreeMap<String, u32>,
    pub containers: u32,
    pub problems: std::collections::BTreeMap<String, u32>,
    pub cpu_used: Option<f64>,
    pub cpu_allocatable: Option<f64>,
    pub memory_used: Option<f64>,
    pub memory_allocatable: Option<f64>,
    pub log_lines_per_s: Option<f64>,
    pub samples_per_s: Option<f64>,
    /// Age of the newest and of the oldest newest sample over all sources.
    pub newest_ms: Option<i64>,
    pub oldest_ms: Option<i64>,
    pub oldest_source: String,
    pub updated_ms: i64,
}

/// `GET /api/v1/podfield` — one cell a pod, grouped by cluster; `states` has one letter a pod
/// (`o` ok, `m` move, `w` warn, `c` crit, `u` unknown) in the order of `uids`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PodField {
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub cluster: String,
    pub connected: bool,
    pub states: String,
    pub uids: Vec<String>,
    /// Index into `workloads` for each pod; -1 for bare pods.
    pub workload: Vec<i32>,
    pub workloads: Vec<ObjectLink>,
}
