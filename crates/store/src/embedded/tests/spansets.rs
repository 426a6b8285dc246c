//! Questions about whole traces, page by page, in memory and in parts, against what is known of each trace.

use ph_access::TenantCtx;
use ph_filter::{Filter, Order, Unit};
use ph_model::RangeNs;

use super::Bed;
use super::bed::{NOW_NS, org, put};
use super::traces::span;
use crate::contract::{
    Comparison, Measure, ROOT_NAME, ROOT_SERVICE, Rows, SpanSet, Store, TRACE_DURATION, TracesAsk,
};
use crate::embedded::Embedded;

const SECOND: i64 = 1_000_000_000;
const TRACES: u8 = 30;

/// Spans of trace `t`: one to five, so that 3 and more have a database call and 4 and more a failed one.
fn spans_of(t: u8) -> u8 {
    t % 5 + 1
}

async fn found(store: &Embedded, ctx: &TenantCtx, spans: &SpanSet, limit: usize) -> Vec<(u8, u64)> {
    let range = RangeNs::new(NOW_NS - SECOND, NOW_NS + 1_000 * SECOND);
    let mut ask = TracesAsk { spans: spans.clone(), select: Vec::new(), range, limit, cursor: None };
    let mut out = Vec::new();
    loop {
        let page = store.search_traces(ctx, ask.clone()).await.unwrap();
        assert!(page.traces.len() <= limit && page.incomplete.is_empty());
        out.extend(page.traces.iter().map(|t| (t.trace_id[0], t.matched)));
        let Some(next) = page.next else { return out };
        ask.cursor = Some(next);
    }
}

fn having(set: SpanSet, measure: Measure, op: Comparison, value: (f64, Unit)) -> SpanSet {
    SpanSet::Having { set: Box::new(set), measure, op, value }
}

/// Sets, and how many spans of a trace with so many spans are in each.
fn questions() -> Vec<(SpanSet, fn(u64) -> u64)> {
    let any = || SpanSet::default();
    let equal = |field: &str, value: &str| SpanSet::Where(Filter::equal(field, value));
    let more = Comparison::Ordered(Order::More);
    let longer =
        |ns: &str| Filter::Compare { field: TRACE_DURATION.into(), op: Order::AtLeast, value: ns.into() };
    vec![
        (having(any(), Measure::Count, more, (2.0, Unit::None)), |n| if n > 2 { n } else { 0 }),
        (SpanSet::And(vec![equal("status", "error"), equal("name", "op-0")]), |n| if n > 3 { 2 } else { 0 }),
        (
            SpanSet::Or(vec![
                equal("status", "error"),
                having(any(), Measure::Count, Comparison::Equal, (1.0, Unit::None)),
            ]),
            |n| u64::from(n > 3 || n == 1),
        ),
        // The spans of a trace last 1 ms, 2 ms, and so on.
        (having(any(), Measure::Avg("duration".into()), more, (2.1e6, Unit::Nanoseconds)), |n| {
            if n > 3 { n } else { 0 }
        }),
        (
            having(
                any(),
                Measure::Max("duration".into()),
                Comparison::Ordered(Order::AtMost),
                (2e6, Unit::Nanoseconds),
            ),
            |n| {
                if n < 3 { n } else { 0 }
            },
        ),
        (having(any(), Measure::Sum("n".into()), Comparison::Equal, (3.0, Unit::None)), |n| {
            if n == 3 { 3 } else { 0 }
        }),
        (having(any(), Measure::Min("no.such".into()), Comparison::Differs, (3.0, Unit::None)), |_| 0),
        (
            SpanSet::Within {
                set: Box::new(having(any(), Measure::Count, more, (3.0, Unit::None))),
                filter: Filter::equal("name", "op-1"),
            },
            |n| u64::from(n > 3),
        ),
        (
            SpanSet::Where(Filter::And(vec![
                Filter::equal(ROOT_NAME, "op-0"),
                Filter::equal("name", "op-2"),
            ])),
            |n| u64::from(n > 2),
        ),
        (equal(ROOT_SERVICE, "back-1"), |_| 0),
        (SpanSet::Where(Filter::Not(Box::new(Filter::equal(ROOT_SERVICE, "front")))), |_| 0),
        // Span n starts n s after the first and lasts n + 1 ms.
        (SpanSet::Where(longer("3s")), |n| if n > 3 { n } else { 0 }),
    ]
}

async fn check(store: &Embedded, ctx: &TenantCtx) {
    for (set, expected) in questions() {
        let right: Vec<(u8, u64)> = (0..TRACES)
            .rev()
            .map(|t| (t, expected(u64::from(spans_of(t)))))
            .filter(|(_, matched)| *matched > 0)
            .collect();
        for limit in [1, 4, 1_000] {
            assert_eq!(found(store, ctx, &set, limit).await, right, "{set:?} by {limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_traces_are_joined_measured_and_paged() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for n in 0..5 {
        // Traces lie ten seconds apart, so that the newest span of each is newer than all of the trace before.
        let spans = (0..TRACES).filter(|t| n < spans_of(*t));
        let rows = spans.map(|t| span(t, n, NOW_NS + SECOND * (10 * i64::from(t) + i64::from(n))));
        let rows: Vec<_> = rows.collect();
        put(&store, &ctx, Rows::Spans(rows.clone())).await;
        put(&store, &ctx, Rows::Spans(rows)).await;
        if n == 2 {
            store.flush().await.unwrap();
        }
    }
    check(&store, &ctx).await;
    store.flush().await.unwrap();
    check(&store, &ctx).await;

    let mut ask = TracesAsk {
        spans: SpanSet::Where(Filter::equal("kind", "client")),
        select: vec!["n".into(), "none".into(), "db_system".into()],
        range: RangeNs::new(NOW_NS - SECOND, NOW_NS + 1_000 * SECOND),
        limit: 1,
        cursor: None,
    };
    let told = |page: crate::contract::TracePage| {
        let trace = page.traces.into_iter().next().unwrap();
        (trace.matched, trace.selected.into_iter().map(|s| (s.name, s.fields)).collect::<Vec<_>>())
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let three = vec![
        ("op-1".to_owned(), vec![field("n", "1")]),
        ("op-2".to_owned(), vec![field("n", "2"), field("db_system", "postgresql")]),
        ("op-3".to_owned(), vec![field("n", "3")]),
    ];
    assert_eq!(told(store.search_traces(&ctx, ask.clone()).await.unwrap()), (4, three.clone()));
    ask.spans = having(ask.spans, Measure::Count, Comparison::Equal, (4.0, Unit::None));
    assert_eq!(told(store.search_traces(&ctx, ask.clone()).await.unwrap()), (4, three));

    ask.spans = SpanSet::Or(vec![SpanSet::Where(Filter::equal(ROOT_NAME, "x")); 65]);
    let refused = store.search_traces(&ctx, ask).await.unwrap_err();
    assert!(refused.text.contains("more than 64 selectors"), "{refused}");
    store.shutdown().await;
}
