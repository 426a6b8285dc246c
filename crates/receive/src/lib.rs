//! Telemetry protocols of other programs: their requests become OTLP, and each is answered in its own encoding.
//!
//! In:     headers and body of one request; a [`Sink`] that stores or queues what it holds.
//! Out:    the answer as the protocol has it, with what was rejected, or when to come again.
//! Never:  listens, knows who sent a request, or answers well before the sink has said that it is durable.
//!
//! Server and node agent take the same protocols and may not import each other: both import this room.

mod answer;
mod body;
mod cors;
mod door;
mod error;
mod foreign;
mod grpc;
pub mod jaeger;
pub mod otlp;
pub mod remote_write;
mod sink;
mod spread;
mod weigh;
pub mod zipkin;

pub use answer::{Encoding, Reply, ReplyBody, RpcStatus};
pub use cors::{Asks, Cors};
pub use door::{Admitted, Door, Limits};
pub use error::Error;
pub use grpc::refused as grpc_refused;
pub use sink::{Export, Refusal, Sink, Taken};
