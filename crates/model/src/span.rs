//! Spans as rows.

use crate::Attributes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SpanKind {
    #[default]
    Unspecified = 0,
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

impl SpanKind {
    pub fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    /// As filters, series and answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SpanStatus {
    #[default]
    Unset = 0,
    Ok = 1,
    Error = 2,
}

impl SpanStatus {
    pub fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }

    /// As filters, series and answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// One span in the store. Events and links are kept as JSON text until the trace views read them apart.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SpanRow {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub parent_id: Option<[u8; 8]>,
    /// ns UTC.
    pub start: i64,
    pub duration_ns: u64,
    pub service: String,
    pub name: String,
    pub kind: SpanKind,
    pub status: SpanStatus,
    pub status_text: String,
    pub cluster: String,
    pub namespace: String,
    pub workload_kind: String,
    pub workload: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub node: String,
    pub http_method: String,
    pub http_route: String,
    pub http_status: u16,
    pub rpc_method: String,
    pub db_system: String,
    pub peer_service: String,
    pub attributes: Attributes,
    pub resource: Attributes,
    pub scope: String,
    pub events: String,
    pub links: String,
    pub trace_state: String,
    pub flags: u32,
}
