//! Agents and enrolment.

use ph_model::{AgentId, ClusterId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/agents`; live channel `agents` (key: id).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    #[schema(value_type = String)]
    pub id: AgentId,
    /// `cluster`, `node`, `host`.
    pub kind: String,
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub cluster: String,
    /// Node or host name; empty for a cluster-agent.
    pub node: String,
    pub version: String,
    pub platform: String,
    /// `connected`, `disconnected`, `revoked`.
    pub status: String,
    pub connected_since_ms: Option<i64>,
    pub last_seen_ms: Option<i64>,
    /// Round trip of the last ping.
    pub ping_ms: Option<f64>,
    /// Ceiling set in the cluster: `observe`, `debug`, `operate`.
    pub tier: String,
    pub sources: Vec<AgentSource>,
    pub warnings: Vec<String>,
    pub queue_bytes: u64,
    pub rss_bytes: u64,
}

/// One source of an agent: when it last worked, else why not and the fix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentSource {
    pub name: String,
    pub last_success_ms: Option<i64>,
    pub last_error: String,
    pub fix: String,
    pub facts: std::collections::BTreeMap<String, String>,
}

/// `POST /api/v1/agents/enrol` — buys the enrolment of a public key. No other credential.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolAsk {
    pub proof: EnrolProof,
    /// Ed25519, base64.
    pub public_key: String,
    /// UID of `kube-system`; empty for hosts.
    #[serde(default)]
    pub cluster_uid: String,
    /// Node or host name; empty for a cluster-agent.
    #[serde(default)]
    pub node: String,
    /// `/etc/machine-id`, hashed; empty where there is none.
    #[serde(default)]
    pub machine: String,
    pub version: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EnrolProof {
    /// `phj_…`: a cluster's or host's one-time token.
    JoinToken { token: String },
    /// A node-agent's projected ServiceAccount token (audience `pilothouse`), checked by the cluster's own cluster-agent.
    ServiceAccount {
        #[schema(value_type = String)]
        cluster_id: ClusterId,
        token: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub cluster_name: String,
}

/// `POST /api/v1/agents/token` — a token between links (the link hands one out too): proves the key again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTokenAsk {
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// ms UTC; within 2 min of the server's clock.
    pub at_ms: i64,
    /// Base64 of Ed25519 over `"pilothouse-token-v1" || agent_id (16 bytes) || at_ms (i64 BE) || host name`.
    pub signature: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentToken {
    pub token: String,
    pub expires_ms: i64,
}
