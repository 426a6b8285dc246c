//! Nouns that two rooms share: ids, labels, time ranges, object references, error kinds, telemetry records.
//!
//! Never: logic that one room owns, I/O, a clock.

mod attribute;
mod error;
mod event;
mod exemplar;
mod id;
mod labels;
mod log;
mod matcher;
mod metric;
mod object;
mod rolled;
mod secret;
mod span;
mod time;

pub use attribute::{Attributes, Value};
pub use error::ErrorKind;
pub use event::EventRow;
pub use exemplar::ExemplarRow;
pub use id::{AgentId, BotId, ClusterId, KeyId, OrgId, SessionId, UserId};
pub use labels::Labels;
pub use log::{Level, LogFlags, LogRow, Position};
pub use matcher::{MatchOp, Matcher};
pub use metric::{
    NumberValue, Point, PointKind, STALE_NAN_BITS, Sample, Series, SeriesKind, is_stale_marker, stale_marker,
};
pub use object::{ObjectKind, ObjectRef};
pub use rolled::Rolled;
pub use secret::Secret;
pub use span::{SpanKind, SpanRow, SpanStatus};
pub use time::{RangeMs, RangeNs};

/// Metrics, and the telemetry signals that rows belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    Metrics,
    Logs,
    Spans,
    Events,
    /// Single measurements of series; they come with metrics and are kept as rows.
    Exemplars,
}

impl Signal {
    pub const ALL: [Signal; 5] =
        [Signal::Metrics, Signal::Logs, Signal::Spans, Signal::Events, Signal::Exemplars];

    /// Lower-case plural name, as it stands in paths, headers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
            Signal::Spans => "spans",
            Signal::Events => "events",
            Signal::Exemplars => "exemplars",
        }
    }
}

/// Names one batch of one sender, so that a repeat is acknowledged without being stored twice.
///
/// `source` is unique per (agent, signal, queue directory); `seq` ascends within it and may have holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct BatchId {
    pub source: u64,
    pub seq: u64,
}
