//! Who calls whom: pairs of parent and child span of different services, and callees that have no spans.
//!
//! Cost: spans are read in passes over a share of all traces each, so that memory stays bounded.

use std::collections::{HashMap, HashSet};

use arrow::array::{
    Array, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt8Array, UInt64Array,
};
use ph_model::{RangeNs, Signal, SpanKind, SpanStatus};

use super::around;
use super::sketch::Sketch;
use crate::contract::{Dependency, DependencyKind, DependencyPage};
use crate::rows::{Columns, RowView, TRACE_ID, TS};
use crate::scan::{self, Scanned};
use crate::snapshot::Table;

/// Spans of one pass, about: 120 bytes each.
const PASS_SPANS: u64 = 1_000_000;
const COLUMNS: [&str; 10] = [
    TS,
    TRACE_ID,
    "span_id",
    "parent_id",
    "duration_ns",
    "service",
    "kind",
    "status",
    "peer_service",
    "db_system",
];
/// Where messages go, in OpenTelemetry's names, newest first.
const DESTINATIONS: [&str; 2] = ["messaging.destination.name", "messaging.destination"];

/// Trace and span id.
type Id = ([u8; 16], [u8; 8]);
/// Numbers of parent and child, and how one calls the other.
type Edge = (u32, u32, DependencyKind);

pub(crate) fn dependencies(table: Option<&Table>, range: RangeNs) -> DependencyPage {
    let mut scanned = Scanned::default();
    let mut names = Names::default();
    let mut calls: HashMap<Edge, Calls> = HashMap::new();
    if let Some(table) = table {
        let wide = around(range);
        let parts = table.parts.iter().filter(|p| wide.touches(p.row.first, p.row.last));
        let stored = parts.map(|p| p.row.rows).sum::<u64>();
        let passes = (stored + table.generations.iter().map(|g| g.rows()).sum::<u64>()).div_ceil(PASS_SPANS);
        let mut columns = Columns::from(COLUMNS);
        DESTINATIONS.iter().for_each(|key| columns.add_attribute(key));
        for pass in 0..passes {
            let mut spans = Spans { pass, passes, range: wide, ids: HashMap::new(), list: Vec::new() };
            scan::batches(table, (&columns, wide), &mut scanned, &mut |batch| spans.add(batch, &mut names));
            spans.pair(range, &mut calls);
        }
    }
    scanned.incomplete.sort_unstable();
    scanned.incomplete.dedup();
    let mut dependencies: Vec<Dependency> = calls
        .into_iter()
        .map(|((parent, child, kind), calls)| Dependency {
            parent: names.text(parent),
            child: names.text(child),
            kind,
            calls: calls.count,
            errors: calls.errors,
            p50_ns: calls.durations.quantile(0.5),
            p95_ns: calls.durations.quantile(0.95),
        })
        .collect();
    dependencies.sort_by(|a, b| (&a.parent, &a.child, a.kind).cmp(&(&b.parent, &b.child, b.kind)));
    DependencyPage { dependencies, incomplete: scanned.incomplete }
}

#[derive(Default)]
struct Calls {
    count: u64,
    errors: u64,
    durations: Sketch,
}

/// Services and callees by number.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Names {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    fn text(&self, number: u32) -> String {
        self.texts.get(number as usize).cloned().unwrap_or_default()
    }
}

struct OneSpan {
    id: Id,
    parent: Option<[u8; 8]>,
    start: i64,
    duration_ns: u64,
    service: u32,
    error: bool,
    /// What it calls, in case that has no spans.
    callee: Option<(u32, DependencyKind)>,
}

/// The spans of a share of all traces.
struct Spans {
    pass: u64,
    passes: u64,
    range: RangeNs,
    /// Service of each span.
    ids: HashMap<Id, u32>,
    list: Vec<OneSpan>,
}

impl Spans {
    fn add(&mut self, batch: &RecordBatch, names: &mut Names) -> Option<()> {
        let ts: &Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
        let trace: &FixedSizeBinaryArray = batch.column_by_name(TRACE_ID)?.as_any().downcast_ref()?;
        let span: &FixedSizeBinaryArray = batch.column_by_name("span_id")?.as_any().downcast_ref()?;
        let parent: &FixedSizeBinaryArray = batch.column_by_name("parent_id")?.as_any().downcast_ref()?;
        let duration: &UInt64Array = batch.column_by_name("duration_ns")?.as_any().downcast_ref()?;
        let service: &StringArray = batch.column_by_name("service")?.as_any().downcast_ref()?;
        let status: &UInt8Array = batch.column_by_name("status")?.as_any().downcast_ref()?;
        for row in 0..batch.num_rows() {
            let trace_id = trace.value(row).first_chunk::<16>().copied().unwrap_or_default();
            let mine = xxhash_rust::xxh3::xxh3_64(&trace_id) % self.passes == self.pass;
            if !mine || !self.range.contains(ts.value(row)) {
                continue;
            }
            let id = (trace_id, span.value(row).first_chunk::<8>().copied().unwrap_or_default());
            let service = names.number(service.value(row));
            if self.ids.insert(id, service) == Some(service) {
                // The same span came twice.
                continue;
            }
            self.list.push(OneSpan {
                id,
                parent: parent.is_valid(row).then(|| parent.value(row).first_chunk::<8>().copied()).flatten(),
                start: ts.value(row),
                duration_ns: duration.value(row),
                service,
                error: SpanStatus::from_u8(status.value(row)) == SpanStatus::Error,
                callee: callee(batch, row, names),
            });
        }
        Some(())
    }

    /// Counts the calls of spans that started in the range.
    fn pair(self, range: RangeNs, calls: &mut HashMap<Edge, Calls>) {
        let mut answered: HashSet<Id> = HashSet::new();
        for span in &self.list {
            let Some(parent) = span.parent.map(|p| (span.id.0, p)) else { continue };
            let Some(service) = self.ids.get(&parent).filter(|s| **s != span.service) else { continue };
            answered.insert(parent);
            if range.contains(span.start) {
                count(calls, (*service, span.service, DependencyKind::Call), span);
            }
        }
        for span in self.list.iter().filter(|s| range.contains(s.start) && !answered.contains(&s.id)) {
            if let Some((callee, kind)) = span.callee.filter(|(callee, _)| *callee != span.service) {
                count(calls, (span.service, callee, kind), span);
            }
        }
    }
}

fn count(calls: &mut HashMap<Edge, Calls>, edge: Edge, span: &OneSpan) {
    let of = calls.entry(edge).or_default();
    of.count += 1;
    of.errors += u64::from(span.error);
    of.durations.add(span.duration_ns);
}

/// What a span of a caller says about the other end.
fn callee(batch: &RecordBatch, row: usize, names: &mut Names) -> Option<(u32, DependencyKind)> {
    let kind: &UInt8Array = batch.column_by_name("kind")?.as_any().downcast_ref()?;
    let kind = SpanKind::from_u8(kind.value(row));
    if !matches!(kind, SpanKind::Client | SpanKind::Producer) {
        return None;
    }
    let text = |name: &str| -> Option<&str> {
        let column: &StringArray = batch.column_by_name(name)?.as_any().downcast_ref()?;
        Some(column.value(row)).filter(|t| !t.is_empty())
    };
    if kind == SpanKind::Producer {
        let view = RowView { signal: Signal::Spans, batch, row };
        let to = DESTINATIONS.iter().find_map(|key| view.attribute(key))?;
        return Some((names.number(&to), DependencyKind::Messaging));
    }
    let peer = text("peer_service");
    match (peer, text("db_system")) {
        (Some(peer), Some(_)) => Some((names.number(peer), DependencyKind::Database)),
        (None, Some(db)) => Some((names.number(db), DependencyKind::Database)),
        (Some(peer), None) => Some((names.number(peer), DependencyKind::Peer)),
        (None, None) => None,
    }
}
