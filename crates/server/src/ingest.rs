//! Telemetry coming in, from our own agents and from other programs, durable before it is acknowledged.
//!
//! In:     OTLP over HTTP and gRPC; an agent's token with `Pilothouse-Batch: <source>/<seq>`, or an API key that may write telemetry.
//! Out:    rows for the store, stamped with the cluster that the credential names.
//! Never:  an organisation or a cluster from the payload.
//! Source: OpenTelemetry protocol specification 1.x.

mod attributes;
mod classic;
mod delta;
mod intake;
mod keep;
mod logs;
mod metrics;
mod quota;
mod red;
mod routes;
mod sender;
mod traces;
mod write;

pub use intake::{Counted, Intake, IntakeNow};
pub use routes::{IngestRoom, routes};

/// What the sender's credential says about everything it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Empty for a key that is bound to no cluster.
    pub cluster_name: String,
    pub cluster_id: String,
    pub cluster_uid: String,
}

/// What of a request cannot be stored, by reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub reason: &'static str,
    pub count: u64,
    pub example: String,
}

/// Adds to the entry of that reason, or makes one.
fn refuse(list: &mut Vec<Refused>, reason: &'static str, example: impl FnOnce() -> String) {
    match list.iter_mut().find(|r| r.reason == reason) {
        Some(r) => r.count += 1,
        None => list.push(Refused { reason, count: 1, example: example() }),
    }
}

/// The same for many of one reason at once.
fn refuse_many(list: &mut Vec<Refused>, reason: &'static str, count: u64, example: impl FnOnce() -> String) {
    if count > 0 {
        list.push(Refused { reason, count, example: example() });
    }
}

#[cfg(test)]
pub(crate) mod tests;
