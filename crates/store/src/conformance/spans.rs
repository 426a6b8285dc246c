//! Questions about spans and traces.

use std::collections::{BTreeMap, BTreeSet};

use ph_filter::{Filter, LevelTest, Order as Side};
use ph_model::{Level, RangeNs, Signal, SpanRow, SpanStatus};

use super::Asker;
use super::rows::{BASE_NS, TRACES, span};
use crate::contract::{Order, SearchAsk, SearchRows, Store, TracesAsk};

type Test = fn(&SpanRow) -> bool;

const SPANS: u8 = 6;

fn range() -> RangeNs {
    RangeNs::new(BASE_NS, BASE_NS + 60_000_000_000)
}

fn all() -> impl Iterator<Item = SpanRow> {
    (0..TRACES).flat_map(|t| (0..SPANS).map(move |n| span(t, n)))
}

fn filters() -> Vec<(Filter, Test)> {
    let longer =
        |value: &str| Filter::Compare { field: "duration".into(), op: Side::More, value: value.into() };
    vec![
        (Filter::All, |_| true),
        (Filter::equal("service", "cart"), |s| s.service == "cart"),
        (Filter::equal("name", "op-1"), |s| s.name == "op-1"),
        (Filter::words("op"), |_| true),
        (Filter::equal("status", "error"), |s| s.status == SpanStatus::Error),
        (Filter::Level(LevelTest::AtLeast(Level::Error)), |s| s.status == SpanStatus::Error),
        (Filter::equal("kind", "client"), |s| s.kind as u8 == 3),
        (Filter::equal("http_status", "500"), |s| s.http_status == 500),
        (longer("8ms"), |s| s.duration_ns > 8_000_000),
        (Filter::equal("item", "sku-3"), |s| s.attributes.text("item") == Some("sku-3")),
        (Filter::equal("attr.n", "4"), |s| s.span_id[0] == 4),
        (Filter::equal("trace_id", "05".repeat(16)), |s| s.trace_id == [5; 16]),
        (Filter::equal("trace_id", "fe".repeat(16)), |_| false),
        (Filter::And(vec![Filter::equal("service", "db"), Filter::equal("status", "error")]), |s| {
            s.service == "db" && s.status == SpanStatus::Error
        }),
        (Filter::Not(Box::new(Filter::equal("service", "front"))), |s| s.service != "front"),
    ]
}

pub(super) async fn check<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    for (filter, test) in filters() {
        let ask = SearchAsk {
            signal: Signal::Spans,
            filter: filter.clone(),
            range: range(),
            order: Order::Descending,
            limit: 1_000,
            cursor: None,
            within: None,
        };
        let SearchRows::Spans(found) = asker.store.search(&asker.ctx, ask).await.unwrap().rows else {
            panic!("not spans")
        };
        let mut expected: Vec<SpanRow> = all().filter(test).collect();
        expected.sort_by_key(|s| std::cmp::Reverse(s.start));
        asker.right(&format!("spans, {filter:?}"), &found, &expected);
        traces(asker, (&filter, test), 7).await;
        traces(asker, (&filter, test), 1_000).await;
    }
    by_id(asker).await;
    services(asker).await;
}

/// Traces with a match, newest match first, page by page.
async fn traces<S: Store + ?Sized>(asker: &mut Asker<'_, S>, (filter, test): (&Filter, Test), limit: usize) {
    let mut ask =
        TracesAsk { spans: filter.clone().into(), select: Vec::new(), range: range(), limit, cursor: None };
    let mut found = Vec::new();
    loop {
        let page = asker.store.search_traces(&asker.ctx, ask.clone()).await.unwrap();
        assert!(page.incomplete.is_empty());
        found.extend(page.traces.iter().map(|t| {
            (
                t.trace_id[0],
                t.spans,
                t.errors,
                t.matched,
                t.root_name.clone(),
                t.duration_ns,
                t.services.len(),
            )
        }));
        let Some(cursor) = page.next else { break };
        ask.cursor = Some(cursor);
    }
    let mut newest: Vec<(i64, u8)> = Vec::new();
    for t in 0..TRACES {
        let last = (0..SPANS).map(|n| span(t, n)).filter(test).map(|s| s.start).max();
        newest.extend(last.map(|last| (last, t)));
    }
    newest.sort_by_key(|n| std::cmp::Reverse(*n));
    let expected: Vec<_> = newest
        .into_iter()
        .map(|(_, t)| {
            let spans: Vec<SpanRow> = (0..SPANS).map(|n| span(t, n)).collect();
            let end = spans.iter().map(|s| s.start + s.duration_ns as i64).max().unwrap();
            let errors = spans.iter().filter(|s| s.status == SpanStatus::Error).count() as u64;
            let matched = spans.iter().filter(|s| test(s)).count() as u64;
            (t, spans.len() as u64, errors, matched, "op-0".to_owned(), (end - spans[0].start) as u64, 3)
        })
        .collect();
    asker.right(&format!("traces by {limit}, {filter:?}"), &found, &expected);
}

async fn by_id<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    for t in [0, 1, TRACES - 1, TRACES, 200] {
        let expected: Vec<SpanRow> =
            if t < TRACES { (0..SPANS).map(|n| span(t, n)).collect() } else { Vec::new() };
        let start = BASE_NS + i64::from(t) * 1_000_000_000;
        for hint in [None, Some(RangeNs::new(start, start + 1))] {
            let trace = asker.store.trace(&asker.ctx, [t; 16], hint).await.unwrap();
            asker.right(
                &format!("trace {t} {hint:?}"),
                &(trace.spans, trace.complete),
                &(expected.clone(), true),
            );
        }
    }
    let far = RangeNs::new(BASE_NS + 3_600_000_000_000, BASE_NS + 3_700_000_000_000);
    let trace = asker.store.trace(&asker.ctx, [1; 16], Some(far)).await.unwrap();
    asker.right("a trace with a hint far from it", &trace.spans.len(), &0);
}

async fn services<S: Store + ?Sized>(asker: &mut Asker<'_, S>) {
    let page = asker.store.services(&asker.ctx, range()).await.unwrap();
    let found: BTreeMap<String, BTreeSet<(String, u8, u64)>> = page
        .services
        .into_iter()
        .map(|s| (s.name, s.operations.into_iter().map(|o| (o.name, o.kind as u8, o.spans)).collect()))
        .collect();
    let mut counts: BTreeMap<(String, String, u8), u64> = BTreeMap::new();
    all().for_each(|s| *counts.entry((s.service, s.name, s.kind as u8)).or_default() += 1);
    let mut expected: BTreeMap<String, BTreeSet<(String, u8, u64)>> = BTreeMap::new();
    for ((service, name, kind), count) in counts {
        expected.entry(service).or_default().insert((name, kind, count));
    }
    asker.right("services", &found, &expected);
    let page = asker.store.dependencies(&asker.ctx, range()).await.unwrap();
    let found: BTreeMap<(String, String), (u64, u64)> =
        page.dependencies.into_iter().map(|d| ((d.parent, d.child), (d.calls, d.errors))).collect();
    let mut expected: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for child in all() {
        let Some(parent) = child.parent_id.map(|p| span(child.trace_id[0], p[0])) else { continue };
        if parent.service != child.service {
            let calls = expected.entry((parent.service, child.service)).or_default();
            calls.0 += 1;
            calls.1 += u64::from(child.status == SpanStatus::Error);
        }
    }
    asker.right("dependencies", &found, &expected);
}
