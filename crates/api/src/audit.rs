//! The audit chain.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /api/v1/audit`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    pub actor: Option<String>,
    /// Prefix, for example `exec`, `sign_in`.
    pub action: Option<String>,
    pub object: Option<String>,
    pub cluster: Option<String>,
    /// `allow`, `deny`.
    pub decision: Option<String>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// 1–1000, default 100.
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// One row; newest first. `hash = SHA-256(prev ‖ canonical JSON of the row without prev and hash)`, in hex;
/// canonical: keys sorted, no white space; the first row's `prev` is `SHA-256("pilothouse-audit-v1" ‖ organisation id)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditRow {
    /// Gap-free per organisation, from 1.
    pub seq: u64,
    pub at_ms: i64,
    /// For example `user:ann@example.org`, `key:ci`, `agent:…`, `system`.
    pub actor: String,
    /// `web`, `cli`, `api`, `agent`, `server`.
    pub client: String,
    pub ip: String,
    pub user_agent: String,
    pub request_id: String,
    /// Session that carried the call; empty without one.
    pub session: String,
    /// For example `sign_in.password`, `key.create`, `cluster.join`, `agent.enrol`, `agent.revoke`, `exec.open`, `exec.close`, `logs.query`.
    pub action: String,
    pub cluster: String,
    /// What was acted on, in words: `pod shop/web-1 container app`.
    pub object: String,
    pub target_uid: String,
    /// `allow`, `deny`, or empty for outcomes.
    pub decision: String,
    pub rule: String,
    /// Outcome: `ok`, `failed`, empty on a decision.
    pub state: String,
    /// Further fields by action: `argv`, `exit_code`, `bytes`, `rows`, `filter`, `from_ms`, `to_ms`, `output_sha256` …; secrets never.
    pub detail: serde_json::Value,
    /// Of the decision row this outcome belongs to.
    pub decision_seq: Option<u64>,
    pub prev: String,
    pub hash: String,
}

/// `GET /api/v1/audit/verify`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    pub intact: bool,
    pub rows: u64,
    pub head_seq: u64,
    pub head_hash: String,
    /// First row that does not fit, and why.
    pub broken_at: Option<u64>,
    pub reason: String,
    pub checked_ms: i64,
}
