//! Kubernetes events and changes as rows.

use crate::ObjectRef;

/// One state of one event. Updates (same `uid`, higher `count`) are rows of their own; readers show the last.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct EventRow {
    /// ns UTC, when it was last seen.
    pub ts: i64,
    /// ns UTC, when it was first seen.
    pub first_ts: i64,
    pub count: u32,
    /// `Normal`, `Warning`, or `change` for our own.
    pub r#type: String,
    pub reason: String,
    pub action: String,
    pub object: ObjectRef,
    pub reporter: String,
    pub node: String,
    pub message: String,
    pub uid: String,
    pub resource_version: String,
    pub cluster: String,
}
