//! Frames of the live channel: one WebSocket a tab at `/api/v1/live`, subprotocol `pilothouse.live.v1.json`.
//!
//! Channels: `objects:<cluster id>/<Kind>` (values: [`crate::Object`]), `metrics:<cluster id>/<view>` (view: `overview`, `pods`, `containers`, `node/<uid>`,
//! `workload/<uid>`, `pod/<uid>`; values: latest [`LiveValue`] by series key), `events:<cluster id>` ([`crate::Event`]),
//! `agents` ([`crate::Agent`]), `clusters` ([`crate::Cluster`]), `problems` ([`crate::ProblemRow`]).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum LiveAsk {
    Sub {
        /// Chosen by the client, unique on this socket.
        id: u32,
        ch: String,
        #[serde(default)]
        resume: Option<String>,
    },
    Unsub {
        id: u32,
    },
    Ping,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum LiveFrame {
    /// Full state; deltas follow.
    Snap {
        id: u32,
        epoch: u64,
        offset: u64,
        resume: String,
        at: i64,
        state: Vec<LiveSet>,
    },
    /// `offset` is one more than the frame before on this channel.
    Delta {
        id: u32,
        offset: u64,
        resume: String,
        at: i64,
        set: Vec<LiveSet>,
        del: Vec<String>,
    },
    /// Deltas were lost for good; a new `snap` follows.
    Resync {
        id: u32,
    },
    Gap {
        id: u32,
        dropped: u64,
        from: i64,
        to: i64,
    },
    Denied {
        id: u32,
        reason: String,
    },
    Pong {
        at: i64,
    },
    /// The server closes; `resume` lists `(id, token)` to go on with.
    Bye {
        code: u16,
        reason: String,
        resume: Vec<(u32, String)>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveSet {
    pub key: String,
    pub value: serde_json::Value,
}

/// Newest value of one series, for readouts and moving charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveValue {
    pub metric: String,
    pub labels: std::collections::BTreeMap<String, String>,
    pub at_ms: i64,
    pub value: f64,
}
