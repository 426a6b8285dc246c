//! Commands in containers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/v1/debug/exec` → 201 [`ExecOpened`], then `GET /api/v1/debug/tty/{tty_id}` as WebSocket, subprotocol `pilothouse.tty.v1`.
///
/// Binary frames; first byte: 0 stdin (client), 1 stdout, 2 stderr (server; then u64 BE sequence of the first byte, then bytes),
/// 3 status (server; JSON [`ExecStatus`]), 4 resize (client; JSON `{"cols","rows"}`), 5 acknowledged sequence (client; u64 BE),
/// 6 notice (server; JSON [`ExecNotice`]), 7 end of stdin (client). Reconnect with `?from=<sequence>` within 60 s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecOpen {
    /// Name or id.
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    /// Refused when the pod of that name has another UID by now. Absent: whatever pod has the name, fixed from here on.
    #[serde(default)]
    pub pod_uid: Option<String>,
    /// Absent: annotation `kubectl.kubernetes.io/default-container`, else the first.
    #[serde(default)]
    pub container: Option<String>,
    /// Passed as given; nothing is parsed.
    pub argv: Vec<String>,
    #[serde(default)]
    pub tty: bool,
    #[serde(default)]
    pub stdin: bool,
    #[serde(default)]
    pub cols: Option<u16>,
    #[serde(default)]
    pub rows: Option<u16>,
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecOpened {
    pub tty_id: String,
    pub container: String,
    pub pod_uid: String,
    pub node: String,
    pub expires_ms: i64,
    /// Audit sequence of the row that allowed it.
    pub audit_seq: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecStatus {
    /// Absent when not known.
    pub exit_code: Option<i32>,
    /// Empty on a plain exit.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecNotice {
    pub text: String,
    pub missing_bytes: u64,
}
