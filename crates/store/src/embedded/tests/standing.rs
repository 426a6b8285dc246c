//! What tells whoever keeps an answer that samples changed.

use std::sync::atomic::Ordering;

use ph_model::{Matcher, RangeMs, SeriesKind};

use super::Bed;
use super::bed::{NOW_MS, gauge, org, put, select};
use crate::contract::{DeleteAsk, Rows, Standing, Store};
use crate::embedded::Embedded;

const HOUR_MS: i64 = 3_600_000;

async fn ask(store: &Embedded, n: u8, since: u64) -> Standing {
    store.standing(&org(n), RangeMs::new(NOW_MS - 24 * HOUR_MS, NOW_MS + HOUR_MS), since).await.unwrap()
}

fn hours(from: i64, to: i64) -> Option<RangeMs> {
    Some(RangeMs::new(NOW_MS + from * HOUR_MS, NOW_MS + to * HOUR_MS))
}

#[tokio::test(flavor = "multi_thread")]
async fn late_samples_deletions_and_descriptions_are_changes_and_nothing_else_is() {
    let bed = Bed::new();
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    let first = ask(&store, 1, 0).await;
    assert_eq!((first.changes, first.touched), (0, None));
    assert_eq!(first.settled.to, NOW_MS - 599_999);
    assert_eq!(first.settled.from, (NOW_MS / (24 * HOUR_MS) - 30) * 24 * HOUR_MS);
    // In the course of things.
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "a", &[(NOW_MS - 599_999, 1.0), (NOW_MS, 2.0)])])).await;
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    assert_eq!(ask(&store, 1, 0).await, first);
    // Late, by one millisecond and by hours.
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "a", &[(NOW_MS - 600_000, 1.0)])])).await;
    let late = ask(&store, 1, 0).await;
    assert_eq!((late.changes, late.touched), (1, hours(-1, 0)));
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "b", &[(NOW_MS - 5 * HOUR_MS, 1.0)])])).await;
    let later = ask(&store, 1, 1).await;
    assert_eq!((later.changes, later.touched), (2, hours(-5, -4)));
    assert_eq!(ask(&store, 1, 2).await.touched, None);
    // Those that nobody had called settled are none.
    put(&store, &other, Rows::Metrics(vec![gauge("m", "b", &[(NOW_MS - 5 * HOUR_MS, 1.0)])])).await;
    assert_eq!(ask(&store, 2, 0).await.changes, 0);
    // A clock that goes back makes nothing unsettled.
    bed.clock_ms.store(NOW_MS - HOUR_MS, Ordering::Relaxed);
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "c", &[(NOW_MS - HOUR_MS, 1.0)])])).await;
    assert_eq!(ask(&store, 1, 2).await.touched, hours(-1, 0));
    bed.clock_ms.store(NOW_MS, Ordering::Relaxed);
    // What is deleted, and the unit of a series that had none before.
    let asked = DeleteAsk::Samples {
        matchers: vec![Matcher::equal("k8s.pod.name", "b")],
        range: RangeMs::new(NOW_MS - 7 * HOUR_MS, NOW_MS - 4 * HOUR_MS),
    };
    store.erase(&ctx, asked).await.unwrap();
    assert_eq!(ask(&store, 1, 3).await.touched, hours(-7, -4));
    let plain = |unit: &str, at_ms| {
        let mut series = gauge("n", "d", &[(at_ms, 1.0)]);
        (series.unit, series.kind) = (unit.to_owned(), SeriesKind::Gauge);
        Rows::Metrics(vec![series])
    };
    put(&store, &ctx, plain("", NOW_MS)).await;
    assert_eq!(ask(&store, 1, 4).await.touched, None);
    put(&store, &ctx, plain("s", NOW_MS + 1)).await;
    let all = ask(&store, 1, 4).await;
    assert_eq!((all.changes, all.touched), (5, hours(-24, 1)));
    // From head and blocks that do not agree about it.
    store.flush().await.unwrap();
    assert!(!select(&store, &ctx, Matcher::equal("k8s.pod.name", "d")).await[0].disputed);
    store.shutdown().await;
}
