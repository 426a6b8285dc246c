//! Receivers: telemetry that programs on this machine send, on its way to the server.
//!
//! In:     OTLP over HTTP and gRPC, Zipkin, Jaeger, on each address of the configuration; no credential: who reaches the port
//!         stands on this node or is let in by its owner.
//! Out:    OTLP with the sender's pod, owner and node on each resource, in a queue on disk, and from there to the server.
//! Never:  acknowledges before the disk has it; drops what waits to make room: a full queue refuses, and says when to come again.

mod identify;
mod port;
mod relay;

pub use identify::Identify;
pub use port::{Port, serve};
pub use relay::Relay;

#[cfg(test)]
mod tests;
