//! The link between agents and the gateway: HTTP/2 with the roles reversed over one outbound WebSocket.
//!
//! The agent dials, proves possession of its key and serves gRPC; the gateway calls it. Also here: enrolment, the
//! agent's identity and token, the check of log tickets that every agent makes, and what both ends of a command session share.
//!
//! Never: Kubernetes, HTTP routes, policy.

pub mod agent;
mod dial;
pub mod enrol;
mod error;
pub mod exec;
mod frame;
pub mod gateway;
mod http1;
mod identity;
mod origin;
mod proof;
mod tasks;
pub mod tickets;
mod token;
pub mod v1;

pub use dial::Stream as ServerStream;
pub use error::Error;
pub use frame::{Close, CloseCode, Frame, Frames};
pub use identity::{Identity, Key};
pub use origin::Origin;
pub use proof::{HELLO_DOMAIN, TOKEN_DOMAIN, verify_hello, verify_token};
pub use token::{HeldToken, TokenSource};

/// Segment key of a [`v1::LogPosition`] that does not lie in a file: the line was read over the Kubernetes API. Its `offset` grows
/// along the run; `rewind` names the line before it, 0: unknown.
pub const API_SEGMENT: u128 = u128::from_be_bytes(*b"kubernetes-api/1");

/// Kind of a [`v1::KindFailed`] that is about the cluster as a whole: nothing of it can be looked at now.
pub const WHOLE_CLUSTER: &str = "Kubernetes API";

/// WebSocket subprotocol of the link.
pub const SUBPROTOCOL: &str = "pilothouse.link.v1";

/// HTTP/2 flow-control window of one stream, both directions. It bounds what one slow reader can leave in memory.
pub const STREAM_WINDOW: u32 = 256 * 1024;

/// Streams at once on one link.
pub const MAX_STREAMS: u32 = 256;

/// Window of the whole connection: all streams' windows together, so that stalled streams never starve another one.
pub const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS;

/// Largest WebSocket message accepted on the link; HTTP/2 frames are far below it.
pub const MAX_MESSAGE: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
