//! Parts whose catalogue row says that no row can pass are not opened, and nothing is missed by that.

use ph_access::TenantCtx;
use ph_filter::{Compiled, Filter, LevelTest};
use ph_model::{Level, LogRow, RangeNs, Signal, SpanRow};

use super::Bed;
use super::bed::{NOW_NS, ask, line, logs, org, page, put, span};
use crate::contract::{CountAsk, FieldsAsk, Rows, SpanSet, Store, TracesAsk};
use crate::embedded::Embedded;
use crate::rows::{RowView, logs_batch};

/// Lines of one cluster, with its own pods and levels.
fn of_cluster(n: u64) -> Vec<LogRow> {
    let of = |i: u64| LogRow {
        cluster: format!("c{n}"),
        service: format!("svc-{}", n % 3),
        pod: format!("pod-{n}-{}", i % 40),
        level: if n.is_multiple_of(4) { 17 } else { 9 },
        ..line(n * 100 + i)
    };
    (0..60).map(of).collect()
}

fn filters() -> Vec<Filter> {
    vec![
        Filter::All,
        Filter::equal("cluster", "c3"),
        Filter::equal("cluster", "nowhere"),
        Filter::equal("pod", "pod-5-7"),
        Filter::Level(LevelTest::AtLeast(Level::Error)),
        Filter::Not(Box::new(Filter::equal("service", "svc-1"))),
        Filter::And(vec![Filter::equal("service", "svc-2"), Filter::contains("line 512")]),
        Filter::Or(vec![Filter::equal("cluster", "c1"), Filter::equal("pod", "pod-6-0")]),
        Filter::And(vec![
            Filter::Regex {
                field: Some("cluster".into()),
                pattern: "c[56]".into(),
                case: Default::default(),
            },
            Filter::Not(Box::new(Filter::equal("attr.n", "501"))),
        ]),
        Filter::Or(vec![Filter::equal("cluster", "c1"), Filter::equal("attr.n", "207")]),
    ]
}

/// Every question finds what a look at each row finds.
async fn compared(store: &Embedded, ctx: &TenantCtx, all: &[LogRow]) {
    let batch = logs_batch(all).unwrap();
    for filter in filters() {
        let compiled = Compiled::new(&filter).unwrap();
        let passes = |row| compiled.matches(&RowView { signal: Signal::Logs, batch: &batch, row });
        let want: Vec<u64> = (0..all.len()).filter(|i| passes(*i)).map(|i| all[i].offset).collect();
        let found = page(store, ctx, ask(Signal::Logs, filter.clone())).await;
        let mut offsets: Vec<u64> = logs(&found).iter().map(|r| r.offset).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, want, "{filter:?}");
        let range = RangeNs::new(NOW_NS, NOW_NS + 1_000_000_000);
        let count = CountAsk {
            signal: Signal::Logs,
            filter: filter.clone(),
            range,
            step_ns: 1_000_000_000,
            by: None,
        };
        let counted: u64 = store.count(ctx, count).await.unwrap().iter().map(|b| b.count).sum();
        assert_eq!(counted, want.len() as u64, "{filter:?}");
        let fields = FieldsAsk {
            signal: Signal::Logs,
            filter: filter.clone(),
            range,
            field: Some("pod".into()),
            limit: 1_000,
        };
        assert_eq!(store.fields(ctx, fields).await.unwrap().rows, want.len() as u64, "{filter:?}");
    }
}

/// Parts that one question looked into.
async fn opened(store: &Embedded, ctx: &TenantCtx, filter: Filter) -> u64 {
    let before = store.counters().parts_read;
    page(store, ctx, ask(Signal::Logs, filter)).await;
    store.counters().parts_read - before
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_cannot_hold_a_row_are_not_opened() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut all = Vec::new();
    // Fewer than are merged by themselves.
    for n in 0..7 {
        let rows = of_cluster(n);
        put(&store, &ctx, Rows::Logs(rows.clone())).await;
        // Small tables of some organisations share a pack, whose parts are summed up as well.
        for other in 2..(if n % 2 == 0 { 7 } else { 3 }) {
            put(&store, &org(other), Rows::Logs(of_cluster(n))).await;
        }
        store.flush().await.unwrap();
        all.extend(rows);
    }
    compared(&store, &ctx, &all).await;
    assert_eq!(opened(&store, &ctx, Filter::All).await, 7);
    assert_eq!(opened(&store, &ctx, Filter::equal("cluster", "c3")).await, 1);
    assert_eq!(opened(&store, &ctx, Filter::equal("cluster", "nowhere")).await, 0);
    assert_eq!(opened(&store, &ctx, Filter::Level(LevelTest::AtLeast(Level::Error))).await, 2);
    assert!(opened(&store, &ctx, Filter::equal("pod", "pod-5-7")).await <= 3, "by bits, so rarely one more");
    assert_eq!(opened(&store, &org(2), Filter::equal("cluster", "c4")).await, 1, "in packs");
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    compared(&store, &ctx, &all).await;
    assert_eq!(opened(&store, &ctx, Filter::equal("cluster", "c3")).await, 1, "after a restart");
    store.compact().await.unwrap();
    compared(&store, &ctx, &all).await;
    assert_eq!(opened(&store, &ctx, Filter::equal("cluster", "nowhere")).await, 0, "after merges");
    assert_eq!(opened(&store, &ctx, Filter::equal("cluster", "c3")).await, 1);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_found_without_opening_other_parts() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for n in 0..7_u64 {
        let spans = (0..20).map(|i| SpanRow { service: format!("svc-{n}"), ..span(n * 20 + i) }).collect();
        put(&store, &ctx, Rows::Spans(spans)).await;
        store.flush().await.unwrap();
    }
    let before = store.counters();
    let ask = TracesAsk {
        spans: SpanSet::Where(Filter::equal("service", "svc-5")),
        range: RangeNs::ALL,
        limit: 100,
        cursor: None,
        select: Vec::new(),
    };
    let found = store.search_traces(&ctx, ask).await.unwrap();
    assert_eq!(found.traces.len(), 20);
    let after = store.counters();
    assert_eq!(after.parts_read - before.parts_read, 1);
    assert_eq!(after.parts_passed_over - before.parts_passed_over, 6);
    store.shutdown().await;
}
