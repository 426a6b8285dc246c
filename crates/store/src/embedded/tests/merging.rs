//! Merged parts answer as the parts did that they were made of.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_filter::Filter;
use ph_model::{Matcher, Signal};

use super::bed::{NOW_MS, NOW_NS, all_lines, ask, event, gauge, logs, org, page, put, select, span};
use super::{Bed, line, lines, questions, traces};
use crate::contract::{Order, Rows, SearchAsk, Store};

const DAY_NS: i64 = 86_400_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn merged_parts_answer_alike() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for batch in 0..6 {
        put(&store, &ctx, Rows::Logs(lines(batch * 20, batch * 20 + 20))).await;
        put(&store, &ctx, Rows::Spans((batch * 5..batch * 5 + 5).map(span).collect())).await;
        let rows = (0..20).map(|t| {
            let n = batch as u8;
            traces::span(t, n, NOW_NS - DAY_NS * i64::from(t % 2) + 1_000 * i64::from(n))
        });
        put(&store, &ctx, Rows::Spans(rows.collect())).await;
        put(&store, &ctx, Rows::Events((batch * 5..batch * 5 + 5).map(event).collect())).await;
        let at = NOW_MS + batch as i64 * 1_000;
        let series = (0..5).map(|n| gauge("mem", &format!("web-{n}"), &[(at, f64::from(n) / 3.0)])).collect();
        put(&store, &ctx, Rows::Metrics(series)).await;
        store.flush().await.unwrap();
    }
    let lines_before = all_lines(&store, &ctx).await;
    let before = (questions::answers(&store, &ctx).await, traces::answers(&store, &ctx).await);
    let parts = store.stats(&ctx).await.unwrap();
    store.compact().await.unwrap();
    let merged = store.stats(&ctx).await.unwrap();
    assert_eq!(merged.rows, parts.rows);
    assert_eq!(merged.parts, 5, "lines, events, metrics, and spans of two days; they were {}", parts.parts);
    assert_eq!((questions::answers(&store, &ctx).await, traces::answers(&store, &ctx).await), before);
    assert_eq!(all_lines(&store, &ctx).await, lines_before);
    let files = bed.fs.walk(&bed.dir.join("t")).unwrap().len();
    assert_eq!(files, 3 + 3 + 3 + 2 + 5, "old files are gone");
    store.compact().await.unwrap();
    assert_eq!(store.counters().compactions, 5, "nothing is merged twice");
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!((questions::answers(&store, &ctx).await, traces::answers(&store, &ctx).await), before);
    store.shutdown().await;
}

/// Of two samples of one time the first stays, whatever is merged in which order.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_sample_of_a_time_stays() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for value in [1.0, 2.0, 3.0] {
        put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, value)])])).await;
        store.flush().await.unwrap();
        store.compact().await.unwrap();
        let found = select(&store, &ctx, Matcher::equal("__name__", "m")).await;
        assert_eq!(found[0].samples.iter().map(|s| s.value).collect::<Vec<_>>(), [1.0]);
    }
    store.shutdown().await;
}

/// Equal times page through both ways while parts are written and merged, without loss or repeat.
#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_across_merges() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for batch in 0..20_u64 {
        let mut rows = lines(batch * 500, batch * 500 + 500);
        rows.iter_mut().for_each(|r| r.ts = NOW_NS);
        put(&store, &ctx, Rows::Logs(rows)).await;
        if batch % 4 == 3 {
            store.flush().await.unwrap();
        }
    }
    for order in [Order::Ascending, Order::Descending] {
        let working = Arc::clone(&store);
        let work = tokio::spawn(async move {
            for _ in 0..3 {
                put(&working, &org(1), Rows::Logs(vec![line(1_000_000)])).await;
                working.flush().await.unwrap();
                working.compact().await.unwrap();
            }
        });
        let mut seen = Vec::new();
        let mut next = SearchAsk { order, limit: 900, ..ask(Signal::Logs, Filter::contains("line")) };
        loop {
            let page = page(&store, &ctx, next.clone()).await;
            assert_eq!(page.incomplete, Vec::<String>::new());
            seen.extend(logs(&page).into_iter().map(|r| r.offset).filter(|o| *o < 100_000_000));
            let Some(cursor) = page.next else { break };
            next.cursor = Some(cursor);
        }
        work.await.unwrap();
        assert_eq!(seen.len(), 10_000);
        seen.sort_unstable();
        assert!(seen.iter().copied().eq((0..10_000).map(|n| n * 100)), "{order:?}");
    }
    store.shutdown().await;
}

/// A damaged part is not merged away: it stays and is named.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_not_merged() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    for batch in 0..3 {
        put(&store, &ctx, Rows::Logs(lines(batch * 10, batch * 10 + 10))).await;
        store.flush().await.unwrap();
    }
    let files = bed.fs.walk(&bed.dir.join("t")).unwrap();
    let file = files.iter().find(|f| f.path.extension().is_some_and(|e| e == "parquet")).unwrap();
    let mut bytes = std::fs::read(&file.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file.path, bytes).unwrap();
    store.compact().await.unwrap_err();
    store.compact().await.unwrap();
    let page = page(&store, &ctx, ask(Signal::Logs, Filter::All)).await;
    assert_eq!((logs(&page).len(), page.incomplete.len()), (20, 1));
    assert!(page.incomplete[0].contains("parquet"), "{:?}", page.incomplete);
    bed.clock_ms.store(NOW_MS, Ordering::Relaxed);
    store.shutdown().await;
}
