//! Roll-ups: made of closed days, kept longer than samples, exact or absent.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_model::{ErrorKind, Labels, Matcher, RangeMs, Rolled, Sample, Series, SeriesKind, stale_marker};
use tokio_util::sync::CancellationToken;

use super::Bed;
use super::bed::{NOW_MS, org, put, select};
use crate::compact::Compactor;
use crate::contract::{DeleteAsk, MetricsKept, RolledAsk, RolledKept, Rows, SeriesAsk, Store};
use crate::embedded::Embedded;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// A midnight.
const DAY: i64 = NOW_MS.div_euclid(DAY_MS) * DAY_MS;

fn series(pod: &str, samples: Vec<Sample>) -> Series {
    let labels: Labels = [("__name__", "jobs_total"), ("pod", pod)]
        .into_iter()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    Series { labels, kind: SeriesKind::Counter, unit: "1".into(), start_ms: None, samples }
}

/// Every 30 s, exactly at midnights too; a counter that begins anew, a pause, an end.
fn samples(from_ms: i64, to_ms: i64) -> Vec<Sample> {
    let value = |at_ms: i64| {
        let n = at_ms.div_euclid(30_000);
        if n % 1_013 == 0 { stale_marker() } else { (n % 977) as f64 * 0.5 }
    };
    (from_ms.div_euclid(30_000)..to_ms.div_euclid(30_000))
        .map(|n| n * 30_000)
        .filter(|at_ms| at_ms % (7 * HOUR_MS) >= 40 * 60_000)
        .map(|at_ms| Sample { at_ms, value: value(at_ms) })
        .collect()
}

/// Sends the samples of both pods hour by hour, as they come.
async fn fill(bed: &Bed, store: &Embedded, ctx: &TenantCtx, (from_ms, to_ms): (i64, i64)) {
    let mut at_ms = from_ms;
    while at_ms < to_ms {
        let next = (at_ms + HOUR_MS).min(to_ms);
        bed.clock_ms.store(next, Ordering::Relaxed);
        let rows = vec![series("a", samples(at_ms, next)), series("b", samples(at_ms, next))];
        let put = put(store, ctx, Rows::Metrics(rows)).await;
        assert_eq!(put.rejected, [], "{at_ms}");
        at_ms = next;
    }
}

async fn rolled(
    store: &Embedded,
    ctx: &TenantCtx,
    (pod, resolution_ms): (&str, i64),
    range: RangeMs,
) -> Vec<Rolled> {
    let matchers = vec![Matcher::equal("pod", pod)];
    let found = store.select_rolled(
        ctx,
        RolledAsk { matchers, range, resolution_ms, max_series: 10, max_windows: 10_000 },
    );
    let found = found.await.unwrap();
    found.into_iter().next().map(|one| one.windows).unwrap_or_default()
}

fn text(windows: &[Rolled]) -> Vec<String> {
    windows.iter().map(|w| format!("{w:?}")).collect()
}

const ALL: RangeMs = RangeMs::ALL;

#[tokio::test(flavor = "multi_thread")]
async fn roll_ups_stand_for_samples_that_are_gone() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&bed, &store, &ctx, (DAY, DAY + 2 * DAY_MS + 2 * HOUR_MS)).await;
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    assert_eq!(
        store.metrics_kept(&ctx).await.unwrap(),
        MetricsKept { samples_from_ms: i64::MIN, rolled: vec![] }
    );
    let all = samples(DAY, DAY + 2 * DAY_MS + 2 * HOUR_MS);
    for resolution_ms in [300_000, HOUR_MS] {
        let found = rolled(&store, &ctx, ("a", resolution_ms), ALL).await;
        assert_eq!(text(&found), text(&Rolled::roll(&all, resolution_ms)), "of samples");
    }
    // The first day's retention ends.
    bed.clock_ms.store(DAY + 31 * DAY_MS + HOUR_MS, Ordering::Relaxed);
    store.retain().await.unwrap();
    let left = select(&store, &ctx, Matcher::equal("pod", "a")).await;
    assert_eq!(left[0].samples[0].at_ms, DAY + DAY_MS, "samples of the first day are gone");
    let kept = store.metrics_kept(&ctx).await.unwrap();
    let of = |resolution_ms| RolledKept { resolution_ms, from_ms: DAY };
    assert_eq!(kept.samples_from_ms, DAY + DAY_MS);
    assert_eq!(kept.rolled, [of(300_000), of(HOUR_MS)]);
    for round in 0..3 {
        for resolution_ms in [300_000, HOUR_MS] {
            let want = Rolled::roll(&all, resolution_ms);
            let found = rolled(&store, &ctx, ("a", resolution_ms), ALL).await;
            assert_eq!(text(&found), text(&want), "{round}: of roll-ups and of samples, across the midnight");
            let range = RangeMs::new(DAY + 20 * HOUR_MS + 1, DAY + 30 * HOUR_MS + 1);
            let found = rolled(&store, &ctx, ("b", resolution_ms), range).await;
            let inside = |w: &&Rolled| w.end_ms > DAY + 20 * HOUR_MS && w.end_ms <= DAY + 30 * HOUR_MS;
            let want: Vec<Rolled> = want.iter().filter(inside).copied().collect();
            assert_eq!(text(&found), text(&want), "{round}");
        }
        store.compact().await.unwrap();
    }
    let range = RangeMs::new(DAY, DAY + HOUR_MS);
    let ask = SeriesAsk { matchers: vec![], range, max_series: 100 };
    assert_eq!(store.label_values(&ctx, "pod", ask.clone()).await.unwrap().values, ["a", "b"]);
    assert_eq!(store.series(&ctx, ask).await.unwrap().0.len(), 2);
    assert_eq!(rolled(&store, &org(2), ("a", 300_000), ALL).await, [], "another organisation");
    store.shutdown().await;
    drop(store);
    let report = crate::check(&bed.dir).await.unwrap();
    assert!(report.faults.is_empty() && report.garbage.is_empty(), "{report:?}");

    let store = bed.open().await;
    let found = rolled(&store, &ctx, ("a", HOUR_MS), ALL).await;
    assert_eq!(text(&found), text(&Rolled::roll(&all, HOUR_MS)), "after a restart");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roll_ups_have_a_retention_of_their_own() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&bed, &store, &ctx, (DAY, DAY + 6 * HOUR_MS)).await;
    store.flush().await.unwrap();
    bed.clock_ms.store(DAY + DAY_MS + 2 * HOUR_MS, Ordering::Relaxed);
    store.compact().await.unwrap();
    let after = async |days: i64| {
        bed.clock_ms.store(DAY + days * DAY_MS + 1, Ordering::Relaxed);
        let found = async |ms| !rolled(&store, &ctx, ("a", ms), ALL).await.is_empty();
        let hidden = (found(300_000).await, found(HOUR_MS).await);
        store.retain().await.unwrap();
        assert_eq!(hidden, (found(300_000).await, found(HOUR_MS).await), "the cut-off acts at once");
        (hidden, store.stats(&ctx).await.unwrap().parts)
    };
    assert_eq!(after(30).await, ((true, true), 3));
    assert_eq!(after(31).await, ((true, true), 2));
    assert_eq!(after(180).await, ((true, true), 2));
    assert_eq!(after(181).await, ((false, true), 1));
    assert_eq!(after(400).await, ((false, true), 1));
    assert_eq!(after(401).await, ((false, false), 0));
    store.shutdown().await;
    drop(store);
    let report = crate::check(&bed.dir).await.unwrap();
    assert!(report.garbage.is_empty(), "{report:?}");
}

/// What is made again of samples stays as it was when they go meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_roll_up_outlives_samples_that_go_while_it_is_made_again() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&bed, &store, &ctx, (DAY, DAY + 6 * HOUR_MS)).await;
    store.flush().await.unwrap();
    bed.clock_ms.store(DAY + DAY_MS + 2 * HOUR_MS, Ordering::Relaxed);
    store.compact().await.unwrap();
    let matchers = vec![Matcher::equal("pod", "a")];
    let range = RangeMs::new(DAY + HOUR_MS, DAY + 2 * HOUR_MS);
    store.erase(&ctx, DeleteAsk::Samples { matchers, range }).await.unwrap();
    let (_sender, orders) = std::sync::mpsc::sync_channel(1);
    let compactor = Compactor {
        shared: Arc::clone(&store.shared),
        catalogue: store.catalogue.clone(),
        runtime: tokio::runtime::Handle::current(),
        orders,
        stop: CancellationToken::new(),
        rolled_nothing: HashSet::new(),
    };
    let jobs = compactor.roll_jobs();
    assert_eq!(jobs.len(), 2);
    bed.clock_ms.store(DAY + 31 * DAY_MS, Ordering::Relaxed);
    store.retain().await.unwrap();
    let end = move || jobs.iter().map(|job| compactor.roll(job).unwrap_err().kind).collect::<Vec<_>>();
    let ended = tokio::task::spawn_blocking(end).await.unwrap();
    assert_eq!(ended, [ErrorKind::Gone, ErrorKind::Gone]);
    assert_eq!(store.metrics_kept(&ctx).await.unwrap().rolled.len(), 2);
    assert!(!rolled(&store, &ctx, ("b", 300_000), ALL).await.is_empty());
    store.shutdown().await;
}

/// No more windows are held than were asked for: samples of months are few, and windows of all series many.
#[tokio::test(flavor = "multi_thread")]
async fn windows_end_at_their_limit() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&bed, &store, &ctx, (DAY, DAY + 6 * HOUR_MS)).await;
    store.flush().await.unwrap();
    bed.clock_ms.store(DAY + DAY_MS + 2 * HOUR_MS, Ordering::Relaxed);
    store.compact().await.unwrap();
    bed.clock_ms.store(DAY + 31 * DAY_MS, Ordering::Relaxed);
    store.retain().await.unwrap();
    let ask = |max_windows| {
        let of = RolledAsk {
            matchers: Vec::new(),
            range: ALL,
            resolution_ms: HOUR_MS,
            max_series: 10,
            max_windows,
        };
        store.select_rolled(&ctx, of)
    };
    let all = ask(100).await.unwrap().iter().map(|one| one.windows.len()).sum();
    assert_eq!(ask(all).await.unwrap().len(), 2);
    let error = ask(all - 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Exhausted, "{error}");
    store.shutdown().await;
}

/// Samples that came after their day was rolled up are in the roll-up that is made again.
#[tokio::test(flavor = "multi_thread")]
async fn late_samples_are_rolled_up() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&bed, &store, &ctx, (DAY, DAY + 23 * HOUR_MS)).await;
    store.flush().await.unwrap();
    bed.clock_ms.store(DAY + DAY_MS + 2 * HOUR_MS, Ordering::Relaxed);
    store.compact().await.unwrap();
    let late = samples(DAY + 23 * HOUR_MS, DAY + DAY_MS);
    let put = put(&store, &ctx, Rows::Metrics(vec![series("a", late)])).await;
    assert_eq!(put.rejected, []);
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    let merges = store.counters().compactions;
    store.compact().await.unwrap();
    assert_eq!(store.counters().compactions, merges, "once is enough");
    bed.clock_ms.store(DAY + 31 * DAY_MS, Ordering::Relaxed);
    store.retain().await.unwrap();
    let want = Rolled::roll(&samples(DAY, DAY + DAY_MS), 300_000);
    assert_eq!(text(&rolled(&store, &ctx, ("a", 300_000), ALL).await), text(&want));
    store.shutdown().await;
}

/// What was deleted is in no roll-up: exactly while samples are there, and by whole windows when they are gone.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_samples_are_in_no_roll_up() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    fill(&bed, &store, &ctx, (DAY, DAY + 6 * HOUR_MS)).await;
    store.flush().await.unwrap();
    bed.clock_ms.store(DAY + DAY_MS + 2 * HOUR_MS, Ordering::Relaxed);
    store.compact().await.unwrap();
    let erase = async |pod: &str, from: i64, to: i64| {
        let matchers = vec![Matcher::equal("pod", pod)];
        let range = RangeMs::new(DAY + from * HOUR_MS, DAY + to * HOUR_MS);
        store.erase(&ctx, DeleteAsk::Samples { matchers, range }).await.unwrap();
    };
    erase("a", 2, 3).await;
    store.compact().await.unwrap();
    bed.clock_ms.store(DAY + 31 * DAY_MS, Ordering::Relaxed);
    store.retain().await.unwrap();
    let all = samples(DAY, DAY + 6 * HOUR_MS);
    let left = |from: i64, to: i64| -> Vec<Sample> {
        let gone = DAY + from * HOUR_MS..DAY + to * HOUR_MS;
        all.iter().filter(|s| !gone.contains(&s.at_ms)).copied().collect()
    };
    let want = Rolled::roll(&left(2, 3), 300_000);
    assert_eq!(text(&rolled(&store, &ctx, ("a", 300_000), ALL).await), text(&want));

    erase("b", 4, 5).await;
    // The window that ends at four o'clock holds that moment's sample.
    let want = Rolled::roll(&all, 300_000);
    let whole = |w: &&Rolled| w.end_ms < DAY + 4 * HOUR_MS || w.end_ms - 300_000 >= DAY + 5 * HOUR_MS - 1;
    let want: Vec<Rolled> = want.iter().filter(whole).copied().collect();
    for round in 0..3 {
        let found = rolled(&store, &ctx, ("b", 300_000), ALL).await;
        assert_eq!(text(&found), text(&want), "{round}");
        let other = rolled(&store, &ctx, ("a", 300_000), ALL).await;
        assert_eq!(text(&other), text(&Rolled::roll(&left(2, 3), 300_000)), "{round}");
        if round > 0 {
            store.compact().await.unwrap();
        }
        store.retain().await.unwrap();
    }
    store.shutdown().await;
}
