//! Followers that come back: each row once, in the order of arrival, across flush, merge and restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_filter::Filter;
use ph_model::{ErrorKind, LogRow, Signal};

use super::bed::{NOW_MS, NOW_NS, ask, event, logs, org, page, put, span};
use super::{Bed, line, lines};
use crate::contract::{Order as Sorted, Rows, SearchRows, Store, Tail, TailAsk, TailEvent, TailFrom};
use crate::embedded::Embedded;

async fn follow(store: &Embedded, ctx: &TenantCtx, filter: Filter, from: TailFrom) -> Tail {
    store.tail(ctx, TailAsk { signal: Signal::Logs, filter, from }).await.unwrap()
}

async fn from(store: &Embedded, ctx: &TenantCtx, cursor: &str) -> Tail {
    follow(store, ctx, Filter::All, TailFrom::Cursor(cursor.to_owned())).await
}

/// The next rows and the cursor behind them.
async fn next(tail: &mut Tail) -> (Vec<LogRow>, String) {
    match tail.events.next().await {
        Some(Ok(TailEvent::Rows { rows: SearchRows::Logs(rows), cursor, incomplete })) => {
            assert_eq!(incomplete, Vec::<String>::new());
            (rows, cursor)
        }
        other => panic!("{other:?}"),
    }
}

/// Follows until so many rows have come; gives the numbers of the lines and the last cursor.
async fn take(tail: &mut Tail, count: usize) -> (Vec<u64>, String) {
    let (mut seen, mut cursor) = (Vec::new(), tail.cursor.clone());
    while seen.len() < count {
        let (rows, behind) = next(tail).await;
        seen.extend(rows.iter().map(|r| r.offset / 100));
        cursor = behind;
    }
    (seen, cursor)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_from_its_cursor_across_flush_merge_and_restart() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut tail = follow(&store, &ctx, Filter::All, TailFrom::Now).await;
    let begun = tail.cursor.clone();
    put(&store, &ctx, Rows::Logs(lines(0, 4))).await;
    let (seen, first) = take(&mut tail, 4).await;
    assert_eq!(seen, [0, 1, 2, 3]);
    drop(tail);
    // Nobody follows; times run against the order of arrival, and other tables take numbers of the log.
    put(&store, &ctx, Rows::Logs(vec![line(9), line(8)])).await;
    put(&store, &ctx, Rows::Spans(vec![span(1)])).await;
    put(&store, &org(2), Rows::Logs(lines(90, 95))).await;
    store.flush().await.unwrap();
    put(&store, &ctx, Rows::Logs(vec![line(7), line(6)])).await;
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    put(&store, &ctx, Rows::Logs(vec![line(5)])).await;
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    let mut tail = from(&store, &ctx, &first).await;
    assert_eq!(tail.cursor, first);
    let (seen, behind) = take(&mut tail, 5).await;
    assert_eq!(seen, [9, 8, 7, 6, 5], "in the order of arrival");
    put(&store, &ctx, Rows::Logs(vec![line(10)])).await;
    assert_eq!(next(&mut tail).await.0, vec![line(10)], "then what comes, whole");
    let mut again = from(&store, &ctx, &behind).await;
    assert_eq!(next(&mut again).await.0, vec![line(10)]);
    let mut all = from(&store, &ctx, &begun).await;
    assert_eq!(take(&mut all, 10).await.0, [0, 1, 2, 3, 9, 8, 7, 6, 5, 10], "from the very beginning");
    let some = TailFrom::Cursor(first);
    let mut some = follow(&store, &ctx, Filter::equal("pod", "web-1"), some).await;
    assert_eq!(take(&mut some, 1).await.0, [6], "filtered");
    store.shutdown().await;
    assert!(tail.events.next().await.is_none(), "it ends with the store");
}

/// A page of a search and a follower from its cursor give together what was and what comes, each once.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_where_a_search_ended() {
    for order in [Sorted::Ascending, Sorted::Descending] {
        let bed = Bed::new();
        let ctx = org(1);
        let store = bed.open().await;
        put(&store, &ctx, Rows::Logs(lines(10, 40))).await;
        let ask = crate::SearchAsk { order, limit: 7, ..ask(Signal::Logs, Filter::All) };
        let first = page(&store, &ctx, ask.clone()).await;
        // It arrives between two pages, before and behind where the first one ended.
        put(&store, &ctx, Rows::Logs(vec![line(1), line(2), line(50)])).await;
        store.flush().await.unwrap();
        let (mut paged, mut cursor) = (logs(&first), first.next.clone());
        while let Some(at) = cursor {
            let page = page(&store, &ctx, crate::SearchAsk { cursor: Some(at), ..ask.clone() }).await;
            assert_eq!(page.tail, first.tail, "what had arrived at the first page");
            paged.extend(logs(&page));
            cursor = page.next;
        }
        let mut seen: Vec<u64> = paged.iter().map(|r| r.offset / 100).collect();
        assert_eq!(seen.len(), 30);
        let mut tail = from(&store, &ctx, &first.tail).await;
        assert_eq!(take(&mut tail, 3).await.0, [1, 2, 50]);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(10..40), "{order:?}");
        // From the first page's own cursor: what the search would have given, toward newer rows, and then the new ones.
        let mut rest = from(&store, &ctx, &first.next.clone().unwrap()).await;
        let want: Vec<u64> =
            if order == Sorted::Ascending { (17..40).chain([1, 2, 50]).collect() } else { vec![1, 2, 50] };
        let (seen, behind) = take(&mut rest, want.len()).await;
        assert_eq!(seen, want, "{order:?}");
        put(&store, &ctx, Rows::Logs(vec![line(0)])).await;
        assert_eq!(next(&mut from(&store, &ctx, &behind).await).await.0, vec![line(0)]);
        assert_eq!(next(&mut rest).await.0, vec![line(0)]);
        store.shutdown().await;
    }
}

/// Beside a writer, flushes, merges and restarts, a follower that breaks off at random sees every row once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_beside_flush_and_restart_loses_nothing() {
    let bed = Bed::new();
    let ctx = org(1);
    let mut store = bed.open().await;
    let mut tail = follow(&store, &ctx, Filter::All, TailFrom::Now).await;
    let (mut cursor, mut seen, mut sent) = (tail.cursor.clone(), Vec::new(), 0_u64);
    let mut dice = 7_u64;
    for round in 0..60_u64 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let writer = Arc::clone(&store);
        let (ctx_of_writer, begin, batches) = (ctx.clone(), sent, 1 + (dice >> 33) % 6);
        sent += batches * 10;
        let writing = tokio::spawn(async move {
            for n in 0..batches {
                let mut rows = lines(begin + n * 10, begin + n * 10 + 10);
                // Times that do not run with the order of arrival.
                rows.iter_mut().for_each(|r| r.ts = NOW_NS + (r.offset * 7_919 % 10_007) as i64);
                put(&writer, &ctx_of_writer, Rows::Logs(rows)).await;
            }
        });
        let wanted = seen.len() + ((dice >> 40) as usize % (sent as usize - seen.len() + 1));
        while seen.len() < wanted {
            let (rows, behind) = next(&mut tail).await;
            seen.extend(rows.iter().map(|r| r.offset / 100));
            cursor = behind;
        }
        if dice >> 60 < 6 {
            store.flush().await.unwrap();
        }
        if dice >> 58 & 7 == 0 {
            store.compact().await.unwrap();
        }
        writing.await.unwrap();
        if round % 9 == 8 {
            store.shutdown().await;
            drop((tail, store));
            store = bed.open().await;
            tail = from(&store, &ctx, &cursor).await;
        } else if dice >> 55 & 3 == 0 {
            drop(tail);
            tail = from(&store, &ctx, &cursor).await;
        }
    }
    while seen.len() < sent as usize {
        seen.extend(next(&mut tail).await.0.iter().map(|r| r.offset / 100));
    }
    assert!(seen.iter().copied().eq(0..sent), "{} of {sent}", seen.len());
    store.shutdown().await;
}

fn big(n: u64) -> LogRow {
    let mut row = line(n);
    row.message = vec![b'x'; 1 << 20];
    row
}

/// More arrives than a ring holds while a follower still reads what is stored: the rest comes from the store.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_while_a_follower_catches_up_is_not_lost() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let begun = follow(&store, &ctx, Filter::All, TailFrom::Now).await.cursor;
    put(&store, &ctx, Rows::Logs(lines(0, 1_500))).await;
    let mut tail = from(&store, &ctx, &begun).await;
    let (rows, _) = next(&mut tail).await;
    assert_eq!(rows.len(), 1_000, "a piece, not all at once");
    for n in 0..12 {
        put(&store, &ctx, Rows::Logs(vec![big(1_500 + n)])).await;
    }
    assert!(take(&mut tail, 512).await.0.into_iter().eq(1_000..1_512));
    store.shutdown().await;
}

/// Who is too slow is told how many were lost, and can fetch them from the cursor before the gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_can_be_filled_from_the_store() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let mut slow = follow(&store, &ctx, Filter::All, TailFrom::Now).await;
    put(&store, &ctx, Rows::Logs(lines(0, 3))).await;
    let (_, before) = take(&mut slow, 3).await;
    for n in 3..15 {
        put(&store, &ctx, Rows::Logs(vec![big(n)])).await;
    }
    let Some(Ok(TailEvent::Gap(gap))) = slow.events.next().await else { panic!() };
    let (live, _) = take(&mut slow, 12 - gap.dropped as usize).await;
    assert_eq!(live.first().copied(), Some(3 + gap.dropped));
    let (filled, _) = take(&mut from(&store, &ctx, &before).await, 12).await;
    assert!(filled.into_iter().eq(3..15));
    let (behind, _) = take(&mut from(&store, &ctx, &gap.cursor).await, live.len()).await;
    assert_eq!(behind, live);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_that_nobody_gave_are_refused_by_name() {
    let bed = Bed::new();
    let (ctx, store) = (org(1), bed.open().await);
    let refused = async |signal, text: &str| {
        let from = TailFrom::Cursor(text.to_owned());
        store.tail(&ctx, TailAsk { signal, filter: Filter::All, from }).await.err().unwrap()
    };
    let invalid = refused(Signal::Logs, "x").await;
    assert!(invalid.kind == ErrorKind::Invalid && invalid.text.contains("cursor \"x\""), "{invalid}");
    let ahead = refused(Signal::Logs, "t99.0").await;
    assert!(ahead.kind == ErrorKind::Gone && ahead.text.contains("ahead of what is stored"), "{ahead}");
    assert_eq!(refused(Signal::Metrics, "t0.0").await.kind, ErrorKind::Invalid);
    store.shutdown().await;
}

/// Every signal of rows is followed, and what was deleted is not given, stored or new.
#[tokio::test(flavor = "multi_thread")]
async fn followers_see_what_searches_see() {
    let bed = Bed::new();
    let ctx = org(1);
    // A deletion ends at the present, which must be after the rows.
    bed.clock_ms.store(NOW_MS + 10_000, Ordering::Relaxed);
    let store = bed.open().await;
    let begun = follow(&store, &ctx, Filter::All, TailFrom::Now).await.cursor;
    put(&store, &ctx, Rows::Logs(lines(0, 10))).await;
    put(&store, &ctx, Rows::Spans(vec![span(1)])).await;
    put(&store, &ctx, Rows::Events(vec![event(1)])).await;
    super::managing::erase_pod(&store, &ctx, "web-1").await;
    put(&store, &ctx, Rows::Logs(lines(10, 20))).await;
    let left: Vec<u64> = (0..20).filter(|n| n % 5 != 1).collect();
    let mut stored = from(&store, &ctx, &begun).await;
    assert_eq!(take(&mut stored, left.len()).await.0, left);
    put(&store, &ctx, Rows::Logs(vec![line(6), line(20)])).await;
    assert_eq!(take(&mut stored, 1).await.0, [20]);
    for signal in [Signal::Spans, Signal::Events] {
        let from = TailFrom::Cursor(begun.clone());
        let mut tail = store.tail(&ctx, TailAsk { signal, filter: Filter::All, from }).await.unwrap();
        match tail.events.next().await {
            Some(Ok(TailEvent::Rows { rows: SearchRows::Spans(rows), .. })) => assert_eq!(rows, [span(1)]),
            Some(Ok(TailEvent::Rows { rows: SearchRows::Events(rows), .. })) => assert_eq!(rows, [event(1)]),
            other => panic!("{other:?}"),
        }
    }
    store.shutdown().await;
}
