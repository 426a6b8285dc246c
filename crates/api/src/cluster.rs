//! Clusters and Docker hosts.

use ph_model::ClusterId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/clusters`, `/clusters/{id or name}`; live channel `clusters` (key: id).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    #[schema(value_type = String)]
    pub id: ClusterId,
    pub name: String,
    /// `kubernetes`, `docker`, `host`.
    pub kind: String,
    /// `waiting` (token made, nothing seen), `connected`, `disconnected`, `cluster_changed`, `removed`.
    pub status: String,
    /// For example `kubernetes v1.34.4`, `docker 28.2`.
    pub platform: String,
    pub uid: String,
    pub tier: String,
    pub created_ms: i64,
    pub last_seen_ms: Option<i64>,
    pub nodes_ready: u32,
    pub nodes: u32,
    pub pods_ready: u32,
    pub pods: u32,
    pub agents_connected: u32,
    pub agents: u32,
    /// Cores and bytes; absent until measured.
    pub cpu: Usage,
    pub memory: Usage,
    /// Log lines per second over the last minute.
    pub log_lines_per_s: Option<f64>,
    /// Age of the newest sample.
    pub data_age_ms: Option<i64>,
    /// The worst state of what is in it: `ok`, `warn`, `crit`, `unknown`, `move`.
    pub state: String,
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    pub used: Option<f64>,
    pub requested: Option<f64>,
    pub allocatable: Option<f64>,
}

/// `POST /api/v1/clusters` — registers a cluster and makes its join token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterJoin {
    /// 1–63 characters, `[a-z0-9]([-a-z0-9]*[a-z0-9])?`.
    pub name: String,
    /// `kubernetes`, `docker`, `host`.
    #[serde(default = "kubernetes")]
    pub kind: String,
    /// `observe` or `debug`.
    #[serde(default = "observe")]
    pub tier: String,
    /// Image of the agents; default: the server's own.
    #[serde(default)]
    pub image: Option<String>,
    /// `on` (default): secrets in log lines are masked for everybody. `off`: people who ask for it see lines as they are. For hosts
    /// it is a flag of their agent.
    #[serde(default = "on")]
    pub log_redaction: String,
}

fn on() -> String {
    "on".into()
}

fn kubernetes() -> String {
    "kubernetes".into()
}

fn observe() -> String {
    "observe".into()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterJoining {
    pub cluster: Cluster,
    /// Shown once; 15 min, one use.
    pub join_token: String,
    pub expires_ms: i64,
    /// Manifests for `kubectl apply -f -`, with the token in them; empty for hosts.
    pub manifests: String,
    /// The whole command as a here-document, or `pilothouse host join …` for hosts.
    pub command: String,
}

/// `GET /api/v1/clusters/{id}/checks` — the Connect page's list, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectCheck {
    /// `token`, `link`, `identity`, `inventory`, `nodes`, `metrics`, `logs`.
    pub id: String,
    pub title: String,
    /// `waiting`, `done`, `failed`.
    pub state: String,
    /// What was seen, for example `2 of 2 node-agents connected`.
    pub evidence: String,
    pub at_ms: Option<i64>,
    /// What to do when it failed or hangs; empty otherwise.
    pub fix: String,
    /// A command to copy; empty where there is none.
    pub fix_command: String,
}

/// Answer to `DELETE /api/v1/clusters/{id}`: agents are revoked at once; what remains in the cluster is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterRemoved {
    pub revoked_agents: u32,
    /// What to delete in the cluster, as a command.
    pub command: String,
}
