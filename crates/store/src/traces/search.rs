//! Traces that a filter finds, newest match first.
//!
//! First only candidate spans' times and trace ids are read, newest parts first; then the chosen traces are gathered
//! and summed up, and what is asked of whole traces is tried on them. A trace whose newest candidate lies before the
//! cursor was on an earlier page and is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt8Array, UInt64Array,
};
use ph_filter::Record;
use ph_model::{ErrorKind, Signal, SpanStatus};

use super::around;
use super::gather::{Which, gather};
use super::sets::{Facts, Member, Sets};
use crate::contract::{Error, SelectedSpan, ServiceSpans, TracePage, TraceSummary, TracesAsk};
use crate::part::Part;
use crate::rows::{Columns, RowView, TRACE_ID, TS, columns_of_field};
use crate::scan::{self, Passed, Plan, Scanned};
use crate::snapshot::Table;

/// Most traces of one page.
const MAX_TRACES: usize = 1_000;
/// Candidates that one page tries when whole traces are asked for; then it says how far it came.
const MAX_TRIED: usize = 20_000;
/// Candidates that are gathered at once, at first and at most.
const TRIED_AT_ONCE: (usize, usize) = (128, 2_048);
/// Spans of a set whose selected fields are told.
const SELECTED_SPANS: usize = 3;

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
    let sought = Sought::new(table, ask)?;
    let mut cursor = ask.cursor.as_deref().map(cursor_place).transpose()?;
    let mut scanned = Scanned::default();
    let mut found: Vec<(Place, TraceSummary)> = Vec::new();
    let (mut tried, mut at_once) = (0, sought.sets.as_ref().map_or(1, |_| TRIED_AT_ONCE.0));
    let mut halted = None;
    while let Some(table) = table.filter(|_| found.len() <= ask.limit) {
        let want = (ask.limit + 1 - found.len()).max(at_once);
        let places = newest(table, &sought.plan, &Page { before: cursor, want }, &mut scanned);
        let ids: HashSet<TraceId> = places.iter().map(|(_, id)| *id).collect();
        let mut sums = summaries(table, &sought, &ids, &mut scanned);
        for place in &places {
            // A trace with a newer candidate than this one stands on an earlier page.
            let sum = sums.remove(&place.1).filter(|sum| sum.newest == Some(place.0));
            let sum = sum.and_then(|sum| sum.finish(place.1, &sought));
            found.extend(sum.map(|sum| (*place, sum)));
        }
        if places.len() < want {
            break;
        }
        cursor = places.last().copied();
        if sought.sets.is_some() {
            tried += places.len();
            at_once = (at_once * 2).min(TRIED_AT_ONCE.1);
            halted = cursor.filter(|_| tried >= MAX_TRIED);
        }
        if halted.is_some() {
            break;
        }
    }
    let more = found.len() > ask.limit;
    found.truncate(ask.limit);
    let next = if more { found.last().map(|(place, _)| *place) } else { halted };
    scanned.incomplete.sort_unstable();
    scanned.incomplete.dedup();
    Ok(TracePage {
        traces: found.into_iter().map(|(_, sum)| sum).collect(),
        next: next.as_ref().map(cursor_text),
        scanned_rows: scanned.rows,
        scanned_bytes: scanned.bytes,
        incomplete: scanned.incomplete,
    })
}

/// An ask made ready to run.
struct Sought<'a> {
    /// Finds candidates.
    plan: Plan,
    /// What is asked of whole traces, if anything.
    sets: Option<Sets>,
    select: &'a [String],
    /// Columns that are read of each span of a candidate.
    columns: Columns,
}

impl<'a> Sought<'a> {
    fn new(table: Option<&Table>, ask: &'a TracesAsk) -> Result<Self, Error> {
        let mut plan = Plan::new(table, Signal::Spans, &ask.spans.candidates(), ask.range)?;
        plan.columns.add(TRACE_ID);
        let sets = Sets::new(&ask.spans)?;
        let mut columns = plan.all_columns();
        columns.extend(SUMMARY);
        sets.iter().for_each(|sets| sets.columns(&mut columns));
        ask.select.iter().for_each(|field| columns_of_field(Signal::Spans, field, &mut columns));
        Ok(Self { plan, sets, select: &ask.select, columns })
    }
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
    /// `None` when the column of ids is missing.
    fn offer_all(&mut self, passed: &Passed<'_>) -> Option<()> {
        let ids: &FixedSizeBinaryArray = passed.batch.column_by_name(TRACE_ID)?.as_any().downcast_ref()?;
        for (row, _) in passed.rows() {
            self.offer((
                passed.ts.value(row),
                ids.value(row).first_chunk::<16>().copied().unwrap_or_default(),
            ));
        }
        Some(())
    }

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
        plan.run(&batch, &mut |passed| best.offer_all(passed));
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
        scan::part_side_by_side(part, plan, scanned, &mut |passed| best.offer_all(passed));
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
    sought: &Sought<'_>,
    ids: &HashSet<TraceId>,
    scanned: &mut Scanned,
) -> HashMap<TraceId, Sum> {
    let plan = &sought.plan;
    let which = Which { range: around(plan.range), columns: Some(&sought.columns) };
    let mut out: HashMap<TraceId, Sum> = HashMap::new();
    if ids.is_empty() {
        return out;
    }
    let batches = gather(table, ids, &which, scanned);
    let fresh: Vec<Vec<bool>> =
        batches.iter().map(|batch| add_batch(batch, plan, &mut out).unwrap_or_default()).collect();
    if sought.sets.is_some() || !sought.select.is_empty() {
        for (batch, fresh) in batches.iter().zip(fresh) {
            add_members(batch, &fresh, sought, &mut out);
        }
    }
    out
}

/// What each span of the asked range, seen for the first time, brings into the sets of its trace, once that is known
/// whole.
fn add_members(batch: &RecordBatch, fresh: &[bool], sought: &Sought<'_>, out: &mut HashMap<TraceId, Sum>) {
    for (row, _) in fresh.iter().enumerate().filter(|(_, fresh)| **fresh) {
        let view = RowView { signal: Signal::Spans, batch, row };
        let Some(sum) = out.get_mut(&trace_id(batch, row)) else { continue };
        if !sought.plan.range.contains(view.ts_ns()) {
            continue;
        }
        match &sought.sets {
            Some(sets) => {
                let facts = sum.facts.take().unwrap_or_else(|| sum.known());
                sum.members.push(sets.member(&view, &facts));
                sum.facts = Some(facts);
            }
            None if !sought.plan.filter.matches(&view) => continue,
            None => {}
        }
        if !sought.select.is_empty() {
            sum.selected.push(selected(&view, sought.select));
        }
    }
}

fn selected(view: &RowView<'_>, select: &[String]) -> SelectedSpan {
    let text = |name: &str| view.field(name).unwrap_or_default().into_owned();
    let id: Option<&FixedSizeBinaryArray> =
        view.batch.column_by_name("span_id").and_then(|c| c.as_any().downcast_ref());
    SelectedSpan {
        span_id: id.and_then(|c| c.value(view.row).first_chunk::<8>()).copied().unwrap_or_default(),
        start: view.ts_ns(),
        service: text("service"),
        name: text("name"),
        fields: select.iter().filter_map(|f| Some((f.clone(), view.field(f)?.into_owned()))).collect(),
    }
}

/// Which rows are seen for the first time. `None` when a column is missing: the file is not one of ours, and its scan
/// has said so.
fn add_batch(batch: &RecordBatch, plan: &Plan, out: &mut HashMap<TraceId, Sum>) -> Option<Vec<bool>> {
    let ts: &Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
    let duration: &UInt64Array = batch.column_by_name("duration_ns")?.as_any().downcast_ref()?;
    let status: &UInt8Array = batch.column_by_name("status")?.as_any().downcast_ref()?;
    let span: &FixedSizeBinaryArray = batch.column_by_name("span_id")?.as_any().downcast_ref()?;
    let parent: &FixedSizeBinaryArray = batch.column_by_name("parent_id")?.as_any().downcast_ref()?;
    let service: &StringArray = batch.column_by_name("service")?.as_any().downcast_ref()?;
    let name: &StringArray = batch.column_by_name("name")?.as_any().downcast_ref()?;
    let mut fresh = Vec::with_capacity(batch.num_rows());
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
        fresh.push(out.entry(trace_id(batch, row)).or_default().add(&one));
    }
    Some(fresh)
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
    /// Kept once the second look at the spans began.
    facts: Option<Facts>,
    /// Of the asked range, when whole traces are asked for.
    members: Vec<Member>,
    /// As many as members, or as matches where there are none; only when fields are selected.
    selected: Vec<SelectedSpan>,
}

impl Sum {
    /// `false` for a repeat.
    fn add(&mut self, span: &OneSpan<'_>) -> bool {
        let service = xxhash_rust::xxh3::xxh3_64(span.service.as_bytes());
        if !self.seen.insert((span.id, span.start, service)) {
            return false;
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
        true
    }

    fn known(&self) -> Facts {
        let (root_service, root_name) =
            self.root.as_ref().map(|r| (r.3.clone(), r.4.clone())).unwrap_or_default();
        Facts { root_name, root_service, duration_ns: self.duration_ns() }
    }

    fn duration_ns(&self) -> u64 {
        self.last.saturating_sub(self.first.unwrap_or_default()).max(0) as u64
    }

    /// `None` when nothing of the trace is in the asked set.
    fn finish(mut self, trace_id: TraceId, sought: &Sought<'_>) -> Option<TraceSummary> {
        if let Some(sets) = &sought.sets {
            let chosen = sets.chosen(&self.members);
            self.matched = chosen.len() as u64;
            if chosen.is_empty() {
                return None;
            }
            let mut all: Vec<_> = self.selected.into_iter().map(Some).collect();
            self.selected = chosen.iter().filter_map(|i| all.get_mut(*i)?.take()).collect();
        }
        self.selected.sort_by_key(|span| (span.start, span.span_id));
        self.selected.truncate(SELECTED_SPANS);
        let (start, duration_ns) = (self.first.unwrap_or_default(), self.duration_ns());
        let orphans = self.parents.iter().filter(|p| !self.ids.contains(*p)).count() as u64;
        let rooted = self.root.as_ref().is_some_and(|r| !r.0);
        let (root_service, root_name) = self.root.map(|r| (r.3, r.4)).unwrap_or_default();
        let services = self.services.into_iter().map(|(service, s)| ServiceSpans { service, ..s }).collect();
        Some(TraceSummary {
            trace_id,
            root_service,
            root_name,
            rooted,
            start,
            duration_ns,
            spans: self.seen.len() as u64,
            errors: self.errors,
            orphans,
            matched: self.matched,
            selected: self.selected,
            services,
        })
    }
}
