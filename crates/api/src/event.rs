//! Kubernetes events.

use ph_model::ClusterId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /api/v1/events`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    /// UID of the object; with `related=true` also its owners' and pods'.
    pub object: Option<String>,
    pub related: Option<bool>,
    /// `Normal`, `Warning`, `change`, comma-separated.
    pub r#type: Option<String>,
    pub reason: Option<String>,
    /// ms UTC; default: one hour before `to`.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// 1–1000, default 100.
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// Newest first. Live channel `events:<cluster>` (key: uid).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub cluster: String,
    pub uid: String,
    pub at_ms: i64,
    pub first_ms: i64,
    pub count: u32,
    /// `Normal`, `Warning`, `change`.
    pub r#type: String,
    pub reason: String,
    pub action: String,
    pub message: String,
    pub namespace: String,
    pub object_kind: String,
    pub object_name: String,
    pub object_uid: String,
    pub reporter: String,
    pub node: String,
}
