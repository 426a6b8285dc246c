//! What is asked about traces, and the answers.

use ph_model::{RangeNs, SpanKind, SpanRow};

use super::spanset::SpanSet;

/// One trace: its spans by start, each exact repeat once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Ascending by start, then by span id; empty when no such trace is stored.
    pub spans: Vec<SpanRow>,
    /// `false` while a span of it ended less than 30 s ago, so that more may come, or when a part could not be read.
    pub complete: bool,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct TracesAsk {
    /// Of the spans of the trace that started in the range, some are in this set.
    pub spans: SpanSet,
    /// Fields that are wanted of the first spans of the set: [`TraceSummary::selected`].
    pub select: Vec<String>,
    pub range: RangeNs,
    /// 1 to 1,000 traces.
    pub limit: usize,
    /// From an earlier [`TracePage::next`] of the same ask.
    pub cursor: Option<String>,
}

/// Traces, that with the newest span first that some selector of the ask names. An ask about whole traces may give a
/// short or an empty page with [`TracePage::next`]: so far it has looked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePage {
    pub traces: Vec<TraceSummary>,
    pub next: Option<String>,
    pub scanned_rows: u64,
    pub scanned_bytes: u64,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}

/// One trace over all its spans from 5 minutes before the asked range to 5 minutes after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceSummary {
    pub trace_id: [u8; 16],
    /// Of the span without parent; of the earliest span while no such span is stored.
    pub root_service: String,
    pub root_name: String,
    /// Whether a span without parent is stored.
    pub rooted: bool,
    /// ns UTC, start of the earliest span.
    pub start: i64,
    /// From the earliest start to the latest end.
    pub duration_ns: u64,
    pub spans: u64,
    pub errors: u64,
    /// Spans whose parent is not stored.
    pub orphans: u64,
    /// Spans of the asked set.
    pub matched: u64,
    /// The earliest three of the asked set, when fields were selected.
    pub selected: Vec<SelectedSpan>,
    /// Ascending by service.
    pub services: Vec<ServiceSpans>,
}

/// A span of a set with the fields that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectedSpan {
    pub span_id: [u8; 8],
    pub start: i64,
    pub service: String,
    pub name: String,
    /// In the order of the ask; fields that the span does not have are left out.
    pub fields: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSpans {
    pub service: String,
    pub spans: u64,
    pub errors: u64,
}

/// Services that have spans in a range, ascending by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServicePage {
    pub services: Vec<Service>,
    /// More than 10,000 pairs of service and operation exist; the rest is left out.
    pub truncated: bool,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    pub name: String,
    /// Ascending by name, then by kind.
    pub operations: Vec<Operation>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    pub name: String,
    pub kind: SpanKind,
    pub spans: u64,
    pub errors: u64,
}

/// What one service calls the other by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DependencyKind {
    /// Both ends have spans.
    Call,
    /// A callee without spans, known from `db.system`.
    Database,
    /// A destination of messages without spans of its own.
    Messaging,
    /// A callee without spans, known from `peer.service`.
    Peer,
}

impl DependencyKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Database => "database",
            Self::Messaging => "messaging",
            Self::Peer => "peer",
        }
    }
}

/// Calls from one service to another in a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    pub parent: String,
    pub child: String,
    pub kind: DependencyKind,
    pub calls: u64,
    pub errors: u64,
    /// ns, within 2 % of the exact quantile.
    pub p50_ns: u64,
    pub p95_ns: u64,
}

/// Ascending by parent, child and kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DependencyPage {
    pub dependencies: Vec<Dependency>,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}
