//! Traces that a filter finds, newest match first.
//!
//! First only matching spans' times and trace ids are read, newest parts first; then the chosen traces are gathered
//! and summed up. A trace whose newest match lies before the cursor was on an earlier page and is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt8Array, UInt64Array,
};
use ph_model::{ErrorKind, Signal, SpanStatus};

use super::around;
use super::gather::{Which, gather};
use crate::contract::{Error, ServiceSpans, TracePage, TraceSummary, TracesAsk};
use crate::part::Part;
use crate::rows::{RowView, TRACE_ID, TS};
use crate::scan::{self, Plan, Scanned};
use crate::snapshot::Table;

/// Most traces of one page.
const MAX_TRACES: usize = 1_000;

type TraceId = [u8; 16];
/// Newest match and id; larger comes first.
type Place = (i64, TraceId);

/// One page. Errors: `Invalid` for the ask; damage is told in the page.
pub(crate) fn search(table: Option<&Table>, ask: &TracesAsk) -> Result<TracePage, Error> {
    if ask.limit == 0 || ask.limit > MAX_TRACES {
        let what =
            format!("limit {} is not between 1 and {MAX_TRACES}; ask for less and follow `next`", ask.limit);
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let mut plan = Plan::new(table, Signal::Spans, &ask.filter, ask.range)?;
    plan.columns.insert(TRACE_ID);
    let mut cursor = ask.cursor.as_deref().map(cursor_place).transpose()?;
    let mut scanned = Scanned::default();
    let mut found: Vec<(Place, TraceSummary)> = Vec::new();
    while let Some(table) = table.filter(|_| found.len() <= ask.limit) {
        let want = ask.limit + 1 - found.len();
        let places = newest(table, &plan, &Page { before: cursor, want }, &mut scanned);
        let ids: HashSet<TraceId> = places.iter().map(|(_, id)| *id).collect();
        let mut sums = summaries(table, &plan, &ids, &mut scanned);
        for place in &places {
            // A trace with a newer match than this one stands on an earlier page.
            let sum = sums.remove(&place.1).filter(|sum| sum.newest == Some(place.0));
            found.extend(sum.map(|sum| (*place, sum.finish(place.1))));
        }
        if places.len() < want {
            break;
        }
        cursor = places.last().copied();
    }
    let more = found.len() > ask.limit;
    found.truncate(ask.limit);
    let next = found.last().filter(|_| more).map(|(place, _)| cursor_text(place));
    scanned.incomplete.sort_unstable();
    scanned.incomplete.dedup();
    Ok(TracePage {
        traces: found.into_iter().map(|(_, sum)| sum).collect(),
        next,
        scanned_rows: scanned.rows,
        scanned_bytes: scanned.bytes,
        incomplete: scanned.incomplete,
    })
}

struct Page {
    before: Option<Place>,
    want: usize,
}

/// The best traces so far, each with its newest match.
struct Best {
    page: Page,
    order: BTreeSet<Place>,
    newest: HashMap<TraceId, i64>,
}

impl Best {
    fn offer(&mut self, place: Place) {
        if self.page.before.is_some_and(|before| place >= before) {
            return;
        }
        if self.order.len() >= self.page.want && self.order.first().is_some_and(|worst| place <= *worst) {
            return;
        }
        if let Some(known) = self.newest.get(&place.1).copied() {
            if known >= place.0 {
                return;
            }
            self.order.remove(&(known, place.1));
        }
        self.newest.insert(place.1, place.0);
        self.order.insert(place);
        if self.order.len() > self.page.want
            && let Some(worst) = self.order.pop_first()
        {
            self.newest.remove(&worst.1);
        }
    }

    fn closed_to(&self, last: i64) -> bool {
        self.order.len() >= self.page.want && self.order.first().is_some_and(|worst| last < worst.0)
    }
}

/// Traces by their newest match, largest first.
fn newest(table: &Table, plan: &Plan, page: &Page, scanned: &mut Scanned) -> Vec<Place> {
    let page = Page { before: page.before, want: page.want };
    let before = page.before;
    let mut best = Best { page, order: BTreeSet::new(), newest: HashMap::new() };
    for batch in scan::memory(table, plan.range) {
        scanned.rows += batch.num_rows() as u64;
        plan.run(&batch, &mut |keys, row| {
            best.offer((keys.ts.value(row), trace_id(&batch, row)));
        });
    }
    let reaches = |p: &&Arc<Part>| {
        plan.range.touches(p.row.first, p.row.last) && before.is_none_or(|b| p.row.first <= b.0)
    };
    let mut parts: Vec<&Arc<Part>> = table.parts.iter().filter(reaches).collect();
    parts.sort_by_key(|p| std::cmp::Reverse(p.row.last));
    for part in parts {
        if best.closed_to(part.row.last) {
            break;
        }
        scan::part(part, plan, scanned, &mut |keys, batch, row, _| {
            best.offer((keys.ts.value(row), trace_id(batch, row)));
        });
    }
    best.order.into_iter().rev().collect()
}

fn trace_id(batch: &RecordBatch, row: usize) -> TraceId {
    let column: Option<&FixedSizeBinaryArray> =
        batch.column_by_name(TRACE_ID).and_then(|c| c.as_any().downcast_ref());
    column.and_then(|c| c.value(row).first_chunk::<16>()).copied().unwrap_or_default()
}

/// `ts.id` in hex.
fn cursor_text(place: &Place) -> String {
    format!("{:x}.{:x}", place.0 as u64, u128::from_be_bytes(place.1))
}

fn cursor_place(text: &str) -> Result<Place, Error> {
    let read = text.split_once('.').and_then(|(ts, id)| {
        let ts = u64::from_str_radix(ts, 16).ok()? as i64;
        Some((ts, u128::from_str_radix(id, 16).ok()?.to_be_bytes()))
    });
    read.ok_or_else(|| {
        let what =
            format!("cursor {text:?} is not one that a page gave; ask without a cursor to start again");
        Error::new(ErrorKind::Invalid, what)
    })
}

const SUMMARY: [&str; 9] =
    [TS, TRACE_ID, "span_id", "parent_id", "duration_ns", "service", "name", "status", "kind"];

/// Sums of the given traces, over the range of the plan and what lies around it.
fn summaries(
    table: &Table,
    plan: &Plan,
    ids: &HashSet<TraceId>,
    scanned: &mut Scanned,
) -> HashMap<TraceId, Sum> {
    let mut columns = plan.columns.clone();
    columns.extend(SUMMARY);
    let which = Which { range: around(plan.range), columns: Some(&columns) };
    let mut out: HashMap<TraceId, Sum> = HashMap::new();
    if ids.is_empty() {
        return out;
    }
    for batch in gather(table, ids, &which, scanned) {
        add_batch(&batch, plan, &mut out);
    }
    out
}

/// `None` when a column is missing: the file is not one of ours, and its scan has said so.
fn add_batch(batch: &RecordBatch, plan: &Plan, out: &mut HashMap<TraceId, Sum>) -> Option<()> {
    let ts: &Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
    let duration: &UInt64Array = batch.column_by_name("duration_ns")?.as_any().downcast_ref()?;
    let status: &UInt8Array = batch.column_by_name("status")?.as_any().downcast_ref()?;
    let span: &FixedSizeBinaryArray = batch.column_by_name("span_id")?.as_any().downcast_ref()?;
    let parent: &FixedSizeBinaryArray = batch.column_by_name("parent_id")?.as_any().downcast_ref()?;
    let service: &StringArray = batch.column_by_name("service")?.as_any().downcast_ref()?;
    let name: &StringArray = batch.column_by_name("name")?.as_any().downcast_ref()?;
    for row in 0..batch.num_rows() {
        let view = RowView { signal: Signal::Spans, batch, row };
        let matched = plan.range.contains(ts.value(row)) && plan.filter.matches(&view);
        let one = OneSpan {
            start: ts.value(row),
            end: ts.value(row).saturating_add_unsigned(duration.value(row)),
            id: span.value(row).first_chunk::<8>().copied().unwrap_or_default(),
            parent: parent.is_valid(row).then(|| parent.value(row).first_chunk::<8>().copied()).flatten(),
            service: service.value(row),
            name: name.value(row),
            error: SpanStatus::from_u8(status.value(row)) == SpanStatus::Error,
            matched,
        };
        out.entry(trace_id(batch, row)).or_default().add(&one);
    }
    Some(())
}

struct OneSpan<'a> {
    start: i64,
    end: i64,
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    service: &'a str,
    name: &'a str,
    error: bool,
    matched: bool,
}

/// A trace while its spans come in any order.
#[derive(Default)]
struct Sum {
    newest: Option<i64>,
    seen: HashSet<([u8; 8], i64, u64)>,
    ids: HashSet<[u8; 8]>,
    parents: Vec<[u8; 8]>,
    first: Option<i64>,
    last: i64,
    errors: u64,
    matched: u64,
    services: BTreeMap<String, ServiceSpans>,
    /// Earliest span, spans without parent before all others: whether it has one, start, id, service, name.
    root: Option<(bool, i64, [u8; 8], String, String)>,
}

impl Sum {
    fn add(&mut self, span: &OneSpan<'_>) {
        let service = xxhash_rust::xxh3::xxh3_64(span.service.as_bytes());
        if !self.seen.insert((span.id, span.start, service)) {
            return;
        }
        self.ids.insert(span.id);
        self.parents.extend(span.parent);
        self.first = Some(self.first.map_or(span.start, |f| f.min(span.start)));
        self.last = self.last.max(span.end);
        self.errors += u64::from(span.error);
        if span.matched {
            self.matched += 1;
            self.newest = self.newest.max(Some(span.start));
        }
        let of = self.services.entry(span.service.to_owned()).or_default();
        of.spans += 1;
        of.errors += u64::from(span.error);
        let rank = (span.parent.is_some(), span.start, span.id);
        if self.root.as_ref().is_none_or(|r| rank < (r.0, r.1, r.2)) {
            self.root = Some((rank.0, rank.1, rank.2, span.service.to_owned(), span.name.to_owned()));
        }
    }

    fn finish(self, trace_id: TraceId) -> TraceSummary {
        let start = self.first.unwrap_or_default();
        let orphans = self.parents.iter().filter(|p| !self.ids.contains(*p)).count() as u64;
        let rooted = self.root.as_ref().is_some_and(|r| !r.0);
        let (root_service, root_name) = self.root.map(|r| (r.3, r.4)).unwrap_or_default();
        let services = self.services.into_iter().map(|(service, s)| ServiceSpans { service, ..s }).collect();
        TraceSummary {
            trace_id,
            root_service,
            root_name,
            rooted,
            start,
            duration_ns: self.last.saturating_sub(start).max(0) as u64,
            spans: self.seen.len() as u64,
            errors: self.errors,
            orphans,
            matched: self.matched,
            services,
        }
    }
}
