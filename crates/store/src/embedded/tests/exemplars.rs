//! Exemplars through memory, parts, merges, restarts, deletions and limits.

use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_filter::Filter;
use ph_model::{ErrorKind, ExemplarRow, Labels, Matcher, RangeMs, RangeNs, Signal};

use super::Bed;
use super::bed::{NOW_MS, NOW_NS, ask, org, put, put_as};
use crate::contract::{Appended, DeleteAsk, ExemplarPage, ExemplarsAsk, Rows, Store};
use crate::embedded::Embedded;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// The `n`th exemplar of a path's bucket, `n` ms after now.
fn exemplar(path: &str, n: i64) -> ExemplarRow {
    ExemplarRow {
        series: labels(&[("__name__", "request_seconds_bucket"), ("path", path), ("le", "0.5")]),
        ts: NOW_NS + n * 1_000_000,
        value: if n == 3 { f64::NAN } else { n as f64 / 8.0 },
        trace_id: (n != 2).then_some([n as u8; 16]),
        span_id: (n != 2).then_some([n as u8; 8]),
        labels: if n == 1 { labels(&[("user", "jane")]) } else { Labels::default() },
    }
}

fn of(path: &str) -> ExemplarsAsk {
    let selectors = vec![vec![Matcher::equal("path", path)]];
    ExemplarsAsk { selectors, range: RangeMs::new(NOW_MS - 1_000, NOW_MS + 1_000), limit: 1_000 }
}

async fn page(store: &Embedded, ctx: &TenantCtx, ask: ExemplarsAsk) -> ExemplarPage {
    let page = store.exemplars(ctx, ask).await.unwrap();
    assert_eq!(page.incomplete, Vec::<String>::new());
    page
}

/// One word a series: the path, and the exemplars' times in ms.
fn told(page: &ExemplarPage) -> Vec<String> {
    let times = |s: &crate::contract::SeriesExemplars| {
        s.exemplars.iter().map(|e| ((e.ts - NOW_NS) / 1_000_000).to_string()).collect::<Vec<_>>().join(",")
    };
    page.series.iter().map(|s| format!("{}:{}", s.series.value("path").unwrap(), times(s))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_in_memory_in_parts_and_after_a_restart() {
    let bed = Bed::new();
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    let all: Vec<ExemplarRow> = ["/a", "/b"].iter().flat_map(|p| (0..4).map(|n| exemplar(p, n))).collect();
    // The same exemplar twice is one.
    put(&store, &ctx, Rows::Exemplars([all.clone(), all[..1].to_vec()].concat())).await;
    put(&store, &other, Rows::Exemplars(vec![exemplar("/c", 0)])).await;
    let both =
        ExemplarsAsk { selectors: [of("/a"), of("/b")].map(|a| a.selectors[0].clone()).into(), ..of("") };
    let check = async |store: &Embedded, stage: &str| {
        let seen = page(store, &ctx, both.clone()).await;
        assert_eq!(told(&seen), ["/a:0,1,2,3", "/b:0,1,2,3"], "{stage}");
        let first = &seen.series[0];
        assert_eq!(first.series, exemplar("/a", 0).series, "{stage}");
        for (one, row) in first.exemplars.iter().zip(&all) {
            assert_eq!((one.trace_id, one.span_id, &one.labels), (row.trace_id, row.span_id, &row.labels));
            assert_eq!(one.value.to_bits(), row.value.to_bits(), "{stage}");
        }
        let narrow = RangeMs::new(NOW_MS + 1, NOW_MS + 3);
        assert_eq!(told(&page(store, &ctx, ExemplarsAsk { range: narrow, ..of("/b") }).await), ["/b:1,2"]);
        let cut = page(store, &ctx, ExemplarsAsk { limit: 3, ..both.clone() }).await;
        assert_eq!((told(&cut), cut.truncated), (vec!["/a:2,3".into(), "/b:3".into()], true), "{stage}");
        assert_eq!(told(&page(store, &other, both.clone()).await), Vec::<String>::new(), "{stage}");
        assert_eq!(told(&page(store, &other, of("/c")).await), ["/c:0"], "{stage}");
    };
    check(&store, "memory").await;
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    check(&store, "replayed").await;
    store.flush().await.unwrap();
    check(&store, "part").await;
    put(&store, &ctx, Rows::Exemplars(all[2..].to_vec())).await;
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    check(&store, "merged").await;
    assert_eq!(store.stats(&ctx).await.unwrap().rows[4], 15);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_go_with_the_samples_of_their_series() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Exemplars((0..4).flat_map(|n| [exemplar("/a", n), exemplar("/b", n)]).collect()))
        .await;
    store.flush().await.unwrap();
    bed.clock_ms.store(NOW_MS + 10_000, Ordering::Relaxed);
    let range = RangeMs::new(NOW_MS, NOW_MS + 2);
    let matchers = vec![Matcher::equal("path", "/a")];
    store.erase(&ctx, DeleteAsk::Samples { matchers, range }).await.unwrap();
    let seen = async |store: &Embedded| {
        [told(&page(store, &ctx, of("/a")).await), told(&page(store, &ctx, of("/b")).await)].concat()
    };
    assert_eq!(seen(&store).await, ["/a:2,3", "/b:0,1,2,3"]);
    put(&store, &ctx, Rows::Exemplars(vec![exemplar("/a", 1)])).await;
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(seen(&store).await, ["/a:2,3", "/b:0,1,2,3"], "also late ones, also after a restart");
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    assert_eq!(seen(&store).await, ["/a:2,3", "/b:0,1,2,3"]);
    assert_eq!(store.stats(&ctx).await.unwrap().rows[4], 6, "physically gone");
    let rows = DeleteAsk::Rows { signal: Signal::Exemplars, filter: Filter::All, range: RangeNs::ALL };
    assert_eq!(store.erase(&ctx, rows).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(
        store.search(&ctx, ask(Signal::Exemplars, Filter::All)).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
    bed.clock_ms.store(NOW_MS + 40 * 86_400_000, Ordering::Relaxed);
    assert_eq!(seen(&store).await, Vec::<String>::new(), "kept as long as metrics");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_or_repeated_is_refused_or_stored_once() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let nameless = ExemplarRow { series: Labels::default(), ..exemplar("/a", 0) };
    let long = ExemplarRow { labels: labels(&[("k", &"v".repeat(200))]), ..exemplar("/a", 1) };
    let old = ExemplarRow { ts: 0, ..exemplar("/a", 2) };
    let batch = || Rows::Exemplars(vec![nameless.clone(), long.clone(), old.clone(), exemplar("/a", 3)]);
    let done = put_as(&store, &ctx, (7, 1), batch()).await.unwrap();
    let reasons: Vec<&str> = done.rejected.iter().map(|r| r.reason).collect();
    assert_eq!((done.accepted, reasons), (1, vec!["invalid_labels", "exemplar_label_limit", "too_old"]));
    // The batch of metrics beside it has the same number.
    let beside = Rows::Metrics(vec![super::bed::gauge("request_seconds_bucket", "x", &[(NOW_MS, 1.0)])]);
    assert_eq!(put_as(&store, &ctx, (7, 1), beside).await.unwrap().accepted, 1);
    let again: Appended = put_as(&store, &ctx, (7, 1), batch()).await.unwrap();
    assert!(again.repeated, "{again:?}");
    assert_eq!(told(&page(&store, &ctx, of("/a")).await), ["/a:3"]);
    let wrong = ExemplarsAsk { selectors: vec![vec![Matcher::regex("path", "(")]], ..of("") };
    assert_eq!(store.exemplars(&ctx, wrong).await.unwrap_err().kind, ErrorKind::Invalid);
    store.shutdown().await;
}
