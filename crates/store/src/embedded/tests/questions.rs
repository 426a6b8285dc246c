//! The same questions have the same answers in memory, in parts, and after a restart.

use std::sync::Arc;

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_filter::{Filter, LevelTest};
use ph_model::{ErrorKind, Level, Matcher, RangeMs, RangeNs, Signal};

use super::bed::{NOW_MS, NOW_NS, all_lines, ask, event, gauge, logs, org, page, put, select, span};
use super::{Bed, line, lines};
use crate::contract::{CountAsk, Order, Rows, SearchRows, SeriesAsk, Store, TailAsk, TailEvent, TailFrom};
use crate::embedded::Embedded;
use crate::scan::Leave;
use crate::series::{self, Asked};

/// Every question of the list, as text.
pub async fn answers(store: &Embedded, ctx: &TenantCtx) -> Vec<String> {
    let mut out = Vec::new();
    let filters = [
        Filter::All,
        Filter::contains("line 7"),
        Filter::contains("LINE 7"),
        Filter::equal("namespace", "shop"),
        Filter::equal("n", "12"),
        Filter::equal("attr.n", "12"),
        Filter::equal("resource.k8s.pod.name", "web-3"),
        Filter::equal("trace_id", "04".repeat(16)),
        Filter::Level(LevelTest::AtLeast(Level::Error)),
        Filter::Not(Box::new(Filter::equal("pod", "web-1"))),
        Filter::Or(vec![Filter::contains("line 3"), Filter::equal("nothing", "x")]),
        Filter::And(vec![
            Filter::Time { from: Some(NOW_NS + 50_000), to: None },
            Filter::equal("stream", "stdout"),
        ]),
    ];
    for filter in filters {
        for order in [Order::Ascending, Order::Descending] {
            for limit in [3, 10_000] {
                let ask = crate::SearchAsk { order, limit, ..ask(Signal::Logs, filter.clone()) };
                let page = page(store, ctx, ask).await;
                out.push(format!("{filter:?} {order:?} {:?} next {:?}", logs(&page), page.next));
            }
        }
        for by in [None, Some("pod".to_owned()), Some("level".to_owned()), Some("n".to_owned())] {
            let range = RangeNs::new(NOW_NS, NOW_NS + 1_000_000);
            let ask = CountAsk { signal: Signal::Logs, filter: filter.clone(), range, step_ns: 20_000, by };
            out.push(format!("{:?}", store.count(ctx, ask).await.unwrap()));
        }
    }
    for signal in [Signal::Spans, Signal::Events] {
        let found = page(store, ctx, ask(signal, Filter::All)).await;
        out.push(format!("{:?}", found.rows));
        let found = page(store, ctx, ask(signal, Filter::Level(LevelTest::AtLeast(Level::Warn)))).await;
        out.push(format!("{:?}", found.rows));
    }
    for matcher in [Matcher::equal("__name__", "mem"), Matcher::regex("k8s.pod.name", "web-[12]")] {
        out.push(format!("{:?}", select(store, ctx, matcher.clone()).await));
        let ask = SeriesAsk { matchers: vec![matcher], range: RangeMs::ALL, max_series: 100 };
        out.push(format!("{:?}", store.series(ctx, ask.clone()).await.unwrap()));
        out.push(format!("{:?}", store.label_names(ctx, ask.clone()).await.unwrap()));
        out.push(format!("{:?}", store.label_values(ctx, "k8s.pod.name", ask).await.unwrap()));
    }
    out
}

async fn fill(store: &Embedded, ctx: &TenantCtx) {
    for batch in 0..10 {
        put(store, ctx, Rows::Logs(lines(batch * 10, batch * 10 + 10))).await;
    }
    put(store, ctx, Rows::Spans((0..20).map(span).collect())).await;
    put(store, ctx, Rows::Events((0..20).map(event).collect())).await;
    for step in 0..50 {
        let at = NOW_MS + step * 1_000;
        let series =
            (0..5).map(|n| gauge("mem", &format!("web-{n}"), &[(at, (step * n) as f64 / 3.0)])).collect();
        put(store, ctx, Rows::Metrics(series)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_parts_and_restart_answer_alike() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&store, &ctx).await;
    fill(&store, &org(2)).await;
    let in_memory = answers(&store, &ctx).await;
    assert!(in_memory.iter().any(|a| a.contains("web-3")));
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    assert_eq!(answers(&store, &ctx).await, in_memory, "after replay");
    store.flush().await.unwrap();
    assert_eq!(answers(&store, &ctx).await, in_memory, "after flush");
    let stats = store.stats(&ctx).await.unwrap();
    assert_eq!(stats.rows, [250, 100, 20, 20, 0]);
    assert_eq!(stats.parts, 4);
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    assert_eq!(answers(&store, &ctx).await, in_memory, "after flush and restart");
    assert_eq!(store.stats(&ctx).await.unwrap().rows, [250, 100, 20, 20, 0]);
    assert_eq!(store.stats(&org(3)).await.unwrap().rows, [0; 5], "an organisation without rows");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_whole() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut rows = lines(0, 3);
    rows[1].attributes.set("list", ph_model::Value::Array(vec![1.into(), "x".into()]));
    rows[1].attributes.set("bytes", ph_model::Value::Bytes(vec![0, 255]));
    rows[1].message = vec![0xff, 0xfe, b'a'];
    rows[2].span_id = Some([9; 8]);
    rows[2].flags = ph_model::LogFlags::TRUNCATED;
    put(&store, &ctx, Rows::Logs(rows.clone())).await;
    assert_eq!(all_lines(&store, &ctx).await, rows);
    let spans: Vec<_> = (0..5).map(span).collect();
    put(&store, &ctx, Rows::Spans(spans.clone())).await;
    let events: Vec<_> = (0..5).map(event).collect();
    put(&store, &ctx, Rows::Events(events.clone())).await;
    store.flush().await.unwrap();
    assert_eq!(all_lines(&store, &ctx).await, rows);
    let SearchRows::Spans(found) = page(&store, &ctx, ask(Signal::Spans, Filter::All)).await.rows else {
        panic!()
    };
    assert_eq!(found, spans);
    let SearchRows::Events(found) = page(&store, &ctx, ask(Signal::Events, Filter::All)).await.rows else {
        panic!()
    };
    assert_eq!(found, events);
    store.shutdown().await;
}

/// 2,000 lines of one time page through without loss or repeat, both ways, while parts are written.
#[tokio::test(flavor = "multi_thread")]
async fn equal_times_page_through_across_a_flush() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for batch in 0..20_u64 {
        let mut rows = lines(batch * 100, batch * 100 + 100);
        rows.iter_mut().for_each(|r| r.ts = NOW_NS);
        put(&store, &ctx, Rows::Logs(rows)).await;
    }
    for order in [Order::Ascending, Order::Descending] {
        let mut seen = Vec::new();
        let mut next = crate::SearchAsk { order, limit: 170, ..ask(Signal::Logs, Filter::All) };
        for n in 0.. {
            let page = page(&store, &ctx, next.clone()).await;
            seen.extend(logs(&page).into_iter().map(|r| r.offset));
            if n == 4 {
                store.flush().await.unwrap();
            }
            let Some(cursor) = page.next else { break };
            next.cursor = Some(cursor);
        }
        assert_eq!(seen.len(), 2_000);
        seen.sort_unstable();
        assert!(seen.iter().copied().eq((0..2_000).map(|n| n * 100)), "{order:?}");
    }
    store.shutdown().await;
}

/// The newest lines are found in the newest part alone.
#[tokio::test(flavor = "multi_thread")]
async fn newest_first_reads_only_what_it_needs() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for day in 0..4 {
        let mut rows = lines(0, 1_000);
        rows.iter_mut().for_each(|r| r.ts -= day * 86_400_000_000_000);
        put(&store, &ctx, Rows::Logs(rows)).await;
        store.flush().await.unwrap();
    }
    let newest = crate::SearchAsk { order: Order::Descending, limit: 10, ..ask(Signal::Logs, Filter::All) };
    let page = page(&store, &ctx, newest).await;
    assert_eq!(logs(&page).first().unwrap().offset, 99_900);
    assert_eq!(page.scanned_rows, 1_000);
    assert!(page.next.is_some());
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_gives_rows_as_they_come_and_counts_gaps() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Logs(lines(0, 5))).await;
    let follow = async |filter| {
        let ask = TailAsk { signal: Signal::Logs, filter, from: TailFrom::Now };
        store.tail(&ctx, ask).await.unwrap().events
    };
    let mut tail = follow(Filter::equal("pod", "web-1")).await;
    let mut slow = follow(Filter::All).await;
    put(&store, &org(2), Rows::Logs(lines(0, 5))).await;
    put(&store, &ctx, Rows::Logs(lines(5, 20))).await;
    let Some(Ok(TailEvent::Rows { rows: SearchRows::Logs(rows), .. })) = tail.next().await else { panic!() };
    assert_eq!(rows, vec![line(6), line(11), line(16)]);

    let big = |n: u64| {
        let mut row = line(n);
        row.message = vec![b'x'; 1 << 20];
        row
    };
    for n in 0..12 {
        put(&store, &ctx, Rows::Logs(vec![big(n)])).await;
    }
    let Some(Ok(TailEvent::Gap(gap))) = slow.next().await else { panic!() };
    let mut left = 0;
    while let Ok(Some(Ok(TailEvent::Rows { rows: SearchRows::Logs(rows), .. }))) =
        tokio::time::timeout(std::time::Duration::ZERO, slow.next()).await
    {
        left += rows.len() as u64;
    }
    assert!(gap.dropped >= 15, "{gap:?}");
    assert_eq!(gap.dropped + left, 27);
    store.shutdown().await;
    let left = tail.filter_map(|event| async { event.ok() }).collect::<Vec<_>>().await;
    assert_eq!(left.len(), 3, "what was durable is given before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_asks_are_refused_by_name() {
    let bed = Bed::new();
    let (ctx, store) = (org(1), bed.open().await);
    let wrong = crate::SearchAsk { cursor: Some("x".into()), ..ask(Signal::Logs, Filter::All) };
    assert!(store.search(&ctx, wrong).await.unwrap_err().text.contains("cursor \"x\""));
    let wrong = crate::SearchAsk { limit: 0, ..ask(Signal::Logs, Filter::All) };
    assert!(store.search(&ctx, wrong).await.unwrap_err().text.contains("limit 0"));
    assert!(store.search(&ctx, ask(Signal::Metrics, Filter::All)).await.is_err());
    let range = RangeNs::new(0, i64::MAX);
    let wrong = CountAsk { signal: Signal::Logs, filter: Filter::All, range, step_ns: 1, by: None };
    assert!(store.count(&ctx, wrong).await.unwrap_err().text.contains("smallest that fits"));
    let second = bed.try_open().await.unwrap_err();
    assert!(second.text.contains(&format!("in use by process {}", std::process::id())), "{second}");
    let store: Arc<dyn Store> = store;
    let many = SeriesAsk { matchers: vec![], range: RangeMs::ALL, max_series: 0 };
    store
        .append(&ctx, crate::Batch { id: None, rows: Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])]) })
        .await
        .unwrap();
    let mut found = store.select_series(&ctx, many).await.unwrap();
    assert!(found.next().await.unwrap().unwrap_err().text.contains("more than 0 series"));
}

/// A page whose time is up gives what is certain and says how far it came; the pages behind it give the rest, each row once.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_time_is_up_says_how_far_it_came() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    // Parts in turn, of which each fourth reaches into its neighbours.
    for batch in 0..12_u64 {
        let mut rows = lines(batch * 100, batch * 100 + 100);
        let wide = if batch % 4 == 0 { 40_000_000 } else { 1 };
        rows.iter_mut()
            .enumerate()
            .for_each(|(i, r)| r.ts = NOW_NS + batch as i64 * 1_000_000_000 + i as i64 * wide);
        put(&store, &ctx, Rows::Logs(rows)).await;
        store.flush().await.unwrap();
    }
    let whole = |order| crate::SearchAsk { order, ..ask(Signal::Logs, Filter::All) };
    for (order, limit) in
        [Order::Ascending, Order::Descending].into_iter().flat_map(|o| [(o, 10_000), (o, 30)])
    {
        let want: Vec<_> =
            logs(&page(&store, &ctx, whole(order)).await).into_iter().map(|r| (r.ts, r.offset)).collect();
        let (mut seen, mut last, mut cut) = (Vec::new(), None, 0);
        let mut next = crate::SearchAsk { limit, within: Some(std::time::Duration::ZERO), ..whole(order) };
        loop {
            let page = page(&store, &ctx, next.clone()).await;
            seen.extend(logs(&page).into_iter().map(|r| (r.ts, r.offset)));
            if let Some(reached) = page.reached {
                let further =
                    |last: i64| if order == Order::Ascending { reached > last } else { reached < last };
                assert!(last.is_none_or(further), "{last:?} {reached}");
                (last, cut) = (Some(reached), cut + 1);
            }
            let Some(cursor) = page.next else { break };
            next.cursor = Some(cursor);
        }
        assert!(seen == want, "{order:?} {limit}: {} of {}", seen.len(), want.len());
        assert!(cut > 2 || limit < 100, "{cut}");
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_nobody_waits_for_ends_in_memory_and_in_blocks() {
    let bed = Bed::new();
    let (store, ctx) = (bed.open().await, org(1));
    let pods: Vec<_> = ["a", "b", "c"].iter().map(|pod| gauge("mem", pod, &[(NOW_MS, 1.0)])).collect();
    put(&store, &ctx, Rows::Metrics(pods)).await;
    let ask = SeriesAsk { matchers: Vec::new(), range: RangeMs::ALL, max_series: 10 };
    let chosen = |leave: &Leave| {
        let (asked, mut found) = (Asked { org: ctx.org(), ask: &ask, pick: ph_tsdb::Pick::All, leave }, 0);
        let done = series::select(&store.shared, asked, &mut |batch| {
            found += batch.len();
            true
        });
        done.map(|()| found).map_err(|e| e.kind)
    };
    for _ in ["memory", "blocks"] {
        let leave = Leave::default();
        let waiting = leave.unless_waited_for();
        assert_eq!(chosen(&leave), Ok(3));
        drop(waiting);
        assert_eq!(chosen(&leave), Err(ErrorKind::Gone));
        store.flush().await.unwrap();
    }
    store.shutdown().await;
}
