//! Traces out of spans: one by its id, those that a filter finds, services, and who calls whom.
//!
//! In:     the table of spans of one organisation, from one snapshot.
//! Out:    spans and summaries, each span once: its identity is trace, span id, service and start.
//! Never:  repairs: a missing parent or a skewed clock stays visible to the caller.

mod dependencies;
mod gather;
mod search;
mod services;
mod sets;
mod sketch;

use std::collections::HashSet;

use ph_model::RangeNs;

pub(crate) use dependencies::dependencies;
pub(crate) use search::search;
pub(crate) use services::services;

use crate::contract::Trace;
use crate::rows::span_rows;
use crate::scan::Scanned;
use crate::snapshot::Table;

/// Spans of a trace may lie this far outside the range by which it is asked for.
pub(crate) const AROUND_NS: i64 = 300_000_000_000;
/// Spans of a trace may still be on their way for this long after one ended.
const YOUNG_NS: i64 = 30_000_000_000;

/// A range with room for the rest of its traces.
pub(crate) fn around(range: RangeNs) -> RangeNs {
    RangeNs::new(range.from.saturating_sub(AROUND_NS), range.to.saturating_add(AROUND_NS))
}

/// All spans of one trace that start in the range. `now_ns` decides whether more may come.
pub(crate) fn trace(table: Option<&Table>, id: [u8; 16], range: RangeNs, now_ns: i64) -> Trace {
    let mut scanned = Scanned::default();
    let batches = match table {
        Some(table) => {
            gather::gather(table, &HashSet::from([id]), &gather::Which { range, columns: None }, &mut scanned)
        }
        None => Vec::new(),
    };
    let mut spans: Vec<_> = batches.iter().flat_map(span_rows).collect();
    spans.sort_by(|a, b| {
        (a.start, a.span_id).cmp(&(b.start, b.span_id)).then_with(|| a.service.cmp(&b.service))
    });
    spans.dedup_by(|a, b| (a.start, a.span_id) == (b.start, b.span_id) && a.service == b.service);
    let young = spans
        .iter()
        .any(|s| s.start.saturating_add_unsigned(s.duration_ns) > now_ns.saturating_sub(YOUNG_NS));
    Trace { spans, complete: !young && scanned.incomplete.is_empty(), incomplete: scanned.incomplete }
}
