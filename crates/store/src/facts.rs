//! What is known of metrics: what senders described, and what head and blocks show.

use std::collections::BTreeMap;

use ph_model::{OrgId, RangeMs, SeriesKind};

use crate::contract::{Error, MetricFacts};
use crate::shard::Shared;

/// Most metrics that an organisation may describe.
pub(crate) const MAX_DESCRIBED: usize = 100_000;

/// Merges what was described with what is stored in the range. Errors: those of reading blocks.
pub(crate) fn metadata(
    shared: &Shared,
    org: OrgId,
    described: Vec<MetricFacts>,
    ask: (Option<&str>, RangeMs),
) -> Result<Vec<MetricFacts>, Error> {
    let (name, range) = ask;
    let mut out: BTreeMap<String, MetricFacts> = described.into_iter().map(|m| (m.name.clone(), m)).collect();
    let head = shared.head(org).map(|head| head.metrics()).unwrap_or_default();
    let snapshot = shared.snapshots.load();
    // Newest first: what was measured last says what the metric is now.
    let mut blocks: Vec<_> = snapshot.blocks.get(&org).into_iter().flatten().collect();
    blocks.sort_by_key(|b| std::cmp::Reverse(b.row.last));
    for metric in head {
        note(&mut out, &metric, (name, range));
    }
    for block in blocks.into_iter().filter(|b| range.touches(b.row.first, b.row.last)) {
        for metric in block.metrics()?.iter() {
            note(&mut out, metric, (name, range));
        }
    }
    Ok(out.into_values().filter(|m| name.is_none_or(|n| n == m.name)).collect())
}

fn note(out: &mut BTreeMap<String, MetricFacts>, metric: &ph_tsdb::Metric, ask: (Option<&str>, RangeMs)) {
    if ask.0.is_some_and(|n| n != metric.name) || metric.last_ms < ask.1.from {
        return;
    }
    let known = out
        .entry(metric.name.clone())
        .or_insert_with(|| MetricFacts { name: metric.name.clone(), ..MetricFacts::default() });
    known.last_ms = known.last_ms.max(Some(metric.last_ms));
    if known.kind == SeriesKind::Unknown {
        known.kind = metric.kind;
    }
    if known.unit.is_empty() {
        known.unit.clone_from(&metric.unit);
    }
}
