//! Traces, services, dependencies, fields and metadata, in memory, in parts and after a restart.

use ph_access::TenantCtx;
use ph_filter::Filter;
use ph_model::{RangeNs, SeriesKind, Signal, SpanKind, SpanRow, SpanStatus};

use super::Bed;
use super::bed::{NOW_MS, NOW_NS, gauge, lines, org, put};
use crate::contract::{FieldsAsk, MetricFacts, Rows, Store, TracesAsk};
use crate::embedded::Embedded;

const DAY_NS: i64 = 86_400_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Span `n` of trace `t`; the first is the root of service `front`, the others are calls of it.
pub fn span(t: u8, n: u8, start: i64) -> SpanRow {
    let mut row = SpanRow {
        trace_id: [t; 16],
        span_id: [n; 8],
        parent_id: (n > 0).then_some([0; 8]),
        start,
        duration_ns: 1_000_000 * (u64::from(n) + 1),
        service: if n == 0 { "front".into() } else { format!("back-{}", n % 2) },
        name: format!("op-{n}"),
        kind: if n == 0 { SpanKind::Server } else { SpanKind::Client },
        status: if n == 3 { SpanStatus::Error } else { SpanStatus::Ok },
        db_system: if n == 2 { "postgresql".into() } else { String::new() },
        ..SpanRow::default()
    };
    row.attributes.set("n", i64::from(n));
    row
}

fn range() -> RangeNs {
    RangeNs::new(NOW_NS - 3 * DAY_NS, NOW_NS + DAY_NS)
}

async fn page(store: &Embedded, ctx: &TenantCtx, ask: TracesAsk) -> crate::contract::TracePage {
    store.search_traces(ctx, ask).await.unwrap()
}

fn ask(filter: Filter, limit: usize) -> TracesAsk {
    TracesAsk { spans: filter.into(), select: Vec::new(), range: range(), limit, cursor: None }
}

/// Every question of the list, as text.
pub async fn answers(store: &Embedded, ctx: &TenantCtx) -> Vec<String> {
    let mut out = Vec::new();
    for t in [0, 7, 19, 200] {
        for hint in [None, Some(RangeNs::new(NOW_NS, NOW_NS + SECOND))] {
            let trace = store.trace(ctx, [t; 16], hint).await.unwrap();
            out.push(format!("{t} {hint:?} {trace:?}"));
        }
    }
    let filters = [
        Filter::All,
        Filter::equal("status", "error"),
        Filter::equal("n", "2"),
        Filter::equal("name", "none"),
    ];
    for filter in filters {
        for limit in [3, 1_000] {
            let mut next = ask(filter.clone(), limit);
            loop {
                let page = page(store, ctx, next.clone()).await;
                out.push(format!("{filter:?} {:?} {:?}", page.traces, page.next));
                let Some(cursor) = page.next else { break };
                next.cursor = Some(cursor);
            }
        }
    }
    out.push(format!("{:?}", store.services(ctx, range()).await.unwrap()));
    out.push(format!("{:?}", store.dependencies(ctx, range()).await.unwrap()));
    for field in [None, Some("name"), Some("n"), Some("status"), Some("level"), Some("nothing")] {
        let ask = FieldsAsk {
            signal: Signal::Spans,
            filter: Filter::All,
            range: range(),
            field: field.map(str::to_owned),
            limit: 100,
        };
        let page = store.fields(ctx, ask).await.unwrap();
        out.push(format!("{:?} {} {}", page.items, page.rows, page.truncated));
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_answer_alike_in_memory_and_in_parts() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    // Spans of one trace come in five batches, out of order, the root last, over two days.
    for n in (0..5).rev() {
        let rows = (0..20).map(|t| span(t, n, NOW_NS - DAY_NS * i64::from(t % 2) + SECOND * i64::from(n)));
        let rows: Vec<_> = rows.collect();
        put(&store, &ctx, Rows::Spans(rows.clone())).await;
        put(&store, &ctx, Rows::Spans(rows)).await;
        put(&store, &org(2), Rows::Spans(vec![span(7, n, NOW_NS)])).await;
    }
    let in_memory = answers(&store, &ctx).await;
    let trace = store.trace(&ctx, [7; 16], None).await.unwrap();
    assert_eq!(trace.spans.iter().map(|s| s.span_id[0]).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(trace.complete);
    assert!(!store.trace(&ctx, [8; 16], None).await.unwrap().complete, "its spans are young");
    assert!(store.trace(&ctx, [200; 16], None).await.unwrap().spans.is_empty());
    store.flush().await.unwrap();
    assert_eq!(answers(&store, &ctx).await, in_memory, "after flush");
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(answers(&store, &ctx).await, in_memory, "after restart");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn summaries_pages_and_edges_are_right() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for t in 0..10 {
        let start = NOW_NS + SECOND * i64::from(t);
        put(&store, &ctx, Rows::Spans((0..4).map(|n| span(t, n, start + i64::from(n))).collect())).await;
        if t % 3 == 0 {
            store.flush().await.unwrap();
        }
    }
    let found = page(&store, &ctx, ask(Filter::equal("status", "error"), 1)).await;
    let first = found.traces.first().unwrap();
    assert_eq!(first.trace_id, [9; 16]);
    assert_eq!(
        (first.root_service.as_str(), first.root_name.as_str(), first.rooted),
        ("front", "op-0", true)
    );
    assert_eq!((first.spans, first.errors, first.orphans, first.matched), (4, 1, 0, 1));
    assert_eq!(first.duration_ns, 4_000_003);
    assert_eq!(first.services.len(), 3);
    let mut seen = Vec::new();
    let mut next = ask(Filter::All, 3);
    loop {
        let found = page(&store, &ctx, next.clone()).await;
        seen.extend(found.traces.iter().map(|t| t.trace_id[0]));
        let Some(cursor) = found.next else { break };
        next.cursor = Some(cursor);
    }
    assert_eq!(seen, (0..10).rev().collect::<Vec<u8>>());
    let edges = store.dependencies(&ctx, range()).await.unwrap().dependencies;
    let shown: Vec<String> = edges
        .iter()
        .map(|e| format!("{} {} {} {} {}", e.parent, e.child, e.kind.as_str(), e.calls, e.errors))
        .collect();
    assert_eq!(
        shown,
        ["back-0 postgresql database 10 0", "front back-0 call 10 0", "front back-1 call 20 10"]
    );
    let p50 = edges.last().unwrap().p50_ns as f64;
    assert!((p50 / 2e6 - 1.0).abs() < 0.02, "{p50}");
    let wrong = page_error(&store, &ctx, TracesAsk { limit: 0, ..ask(Filter::All, 1) }).await;
    assert!(wrong.contains("limit 0"), "{wrong}");
    let wrong = page_error(&store, &ctx, TracesAsk { cursor: Some("x".into()), ..ask(Filter::All, 1) }).await;
    assert!(wrong.contains("cursor \"x\""), "{wrong}");
    store.shutdown().await;
}

async fn page_error(store: &Embedded, ctx: &TenantCtx, ask: TracesAsk) -> String {
    store.search_traces(ctx, ask).await.unwrap_err().text
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_described_and_remembered() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    put(
        &store,
        &ctx,
        Rows::Metrics(vec![gauge("mem", "a", &[(NOW_MS, 1.0)]), gauge("cpu", "a", &[(NOW_MS, 1.0)])]),
    )
    .await;
    let said = MetricFacts { name: "mem".into(), help: "Memory in use.".into(), ..MetricFacts::default() };
    store
        .describe(&ctx, vec![said.clone(), MetricFacts { name: "gone".into(), ..said.clone() }])
        .await
        .unwrap();
    store.describe(&ctx, vec![MetricFacts { help: String::new(), ..said }]).await.unwrap();
    for round in 0..3 {
        let all = store.metadata(&ctx, None).await.unwrap();
        assert_eq!(
            all.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
            ["cpu", "gone", "mem"],
            "{round}"
        );
        let mem = store.metadata(&ctx, Some("mem")).await.unwrap();
        let known = MetricFacts {
            name: "mem".into(),
            kind: SeriesKind::Gauge,
            unit: "By".into(),
            help: "Memory in use.".into(),
            otel_name: String::new(),
            last_ms: Some(NOW_MS),
        };
        assert_eq!(mem, [known], "{round}");
        assert!(store.metadata(&org(2), None).await.unwrap().is_empty());
        store.flush().await.unwrap();
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_count_names_and_values() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Logs(lines(0, 30))).await;
    let ask = |field: Option<&str>, limit| FieldsAsk {
        signal: Signal::Logs,
        filter: Filter::equal("pod", "web-1"),
        range: RangeNs::ALL,
        field: field.map(str::to_owned),
        limit,
    };
    for _ in 0..2 {
        let names = store.fields(&ctx, ask(None, 100)).await.unwrap();
        let count = |name: &str| names.items.iter().find(|i| i.name == name).map(|i| i.rows);
        assert_eq!(
            (count("pod"), count("n"), count("resource.k8s.pod.name"), count("trace_id"), count("node")),
            (Some(6), Some(6), Some(6), Some(1), None)
        );
        assert_eq!(names.rows, 6);
        let values = store.fields(&ctx, ask(Some("namespace"), 1)).await.unwrap();
        assert_eq!((values.items.first().unwrap().name.as_str(), values.truncated), ("ops", true));
        assert!(store.fields(&ctx, ask(None, 0)).await.is_err());
        store.flush().await.unwrap();
    }
    store.shutdown().await;
}

/// A trace of a hundred thousand spans, in memory and in parts of two days, whose root came last: whole, each span once.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_of_a_hundred_thousand_spans_is_whole() {
    const SPANS: u64 = 100_000;
    let bed = super::Bed::new();
    let (ctx, store) = (org(1), bed.open().await);
    // From yesterday evening to now, with spans of another trace between them.
    let of = |n: u64| SpanRow {
        trace_id: [9; 16],
        span_id: (n + 1).to_be_bytes(),
        parent_id: (n > 0).then_some(1_u64.to_be_bytes()),
        start: NOW_NS - 14 * 3_600 * SECOND + n as i64 * (14 * 3_600 * SECOND / SPANS as i64),
        duration_ns: 1_000,
        service: format!("svc-{}", n % 7),
        name: format!("op-{}", n % 50),
        ..SpanRow::default()
    };
    for batch in 0..10 {
        let mut rows: Vec<SpanRow> =
            (batch * SPANS / 10..(batch + 1) * SPANS / 10).filter(|n| *n > 0).map(of).collect();
        rows.extend((0..50).map(|n| span(1, n, NOW_NS - i64::from(n) * SECOND)));
        put(&store, &ctx, Rows::Spans(rows)).await;
        if batch % 2 == 1 && batch < 9 {
            store.flush().await.unwrap();
        }
    }
    // Late, and sent twice.
    put(&store, &ctx, Rows::Spans(vec![of(0), of(0), of(77_777)])).await;
    let matched = (0..SPANS).filter(|n| n % 7 == 3).count() as u64;
    for round in 0..3 {
        let trace = store.trace(&ctx, [9; 16], None).await.unwrap();
        assert_eq!(trace.spans.len() as u64, SPANS, "{round}");
        assert!(
            trace.spans.iter().enumerate().all(|(n, s)| s.span_id == (n as u64 + 1).to_be_bytes()),
            "{round}"
        );
        assert_eq!(trace.spans.first().and_then(|s| s.parent_id), None);
        let found = page(&store, &ctx, ask(Filter::equal("service", "svc-3"), 5)).await;
        assert_eq!(found.traces.len(), 1, "{round}");
        assert_eq!((found.traces[0].spans, found.traces[0].matched), (SPANS, matched), "{round}");
        match round {
            0 => store.flush().await.unwrap(),
            _ => store.compact().await.unwrap(),
        }
    }
    store.shutdown().await;
}
