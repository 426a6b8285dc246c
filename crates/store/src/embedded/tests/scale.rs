//! Many organisations, many series that come and go, and a clock that jumps.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_model::{Matcher, OrgId, RangeMs, Signal};

use super::Bed;
use super::bed::{NOW_MS, all_lines, gauge, line, org, put, put_as, select};
use crate::contract::{Rows, SeriesAsk, Store};

fn files_below(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|e| if e.path().is_dir() { files_below(&e.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_organisations_keep_few_files() {
    const ORGS: u32 = 2_000;
    let bed = Bed::new();
    let store = bed.open().await;
    let tenant =
        |n: u32| TenantCtx::system(OrgId::from_bytes((u128::from(n) << 64 | 7).to_be_bytes()), "test");
    for round in 0..3_u64 {
        let sent = (0..ORGS).map(|n| {
            let (store, ctx) = (&store, tenant(n));
            async move { put(store, &ctx, Rows::Logs(vec![line(round)])).await.accepted }
        });
        let taken: u64 = futures::future::join_all(sent).await.into_iter().sum();
        assert_eq!(taken, u64::from(ORGS));
        store.flush().await.unwrap();
    }
    let parts = store.stats(&tenant(5)).await.unwrap().parts;
    assert_eq!(parts, 3, "one a flush, which merges take together later");
    assert_eq!(files_below(&bed.dir.join("l0")), 3, "a pack a flush");
    assert_eq!(files_below(&bed.dir.join("t")), 0);
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    for n in [0, 999, ORGS - 1] {
        assert_eq!(all_lines(&store, &tenant(n)).await, (0..3).map(line).collect::<Vec<_>>());
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_follows_the_series_that_are_active() {
    const ACTIVE: i64 = 100;
    const WINDOWS: i64 = 12;
    let bed = Bed::new();
    let (ctx, start) = (org(1), NOW_MS - 86_400_000);
    let store = bed.open().await;
    for window in 0..WINDOWS {
        for at in 0..4 {
            let series = (0..ACTIVE).map(|n| {
                let at_ms = start + window * 7_200_000 + at * 60_000;
                gauge("m", &format!("p{}", window * ACTIVE + n), &[(at_ms, at as f64)])
            });
            put(&store, &ctx, Rows::Metrics(series.collect())).await;
        }
        assert_eq!(store.stats(&ctx).await.unwrap().active_series, ACTIVE as u64);
        store.flush().await.unwrap();
        assert_eq!(store.stats(&ctx).await.unwrap().active_series, 0, "none without samples in the head");
    }
    let all = select(&store, &ctx, Matcher::equal("__name__", "m")).await;
    assert_eq!(all.len() as i64, ACTIVE * WINDOWS);
    assert!(all.iter().all(|s| s.samples.len() == 4));
    let range = RangeMs::new(start + 7_200_000, start + 3 * 7_200_000);
    let ask = SeriesAsk { matchers: vec![Matcher::regex("k8s.pod.name", "p.*9")], range, max_series: 10_000 };
    let values = store.label_values(&ctx, "k8s.pod.name", ask).await.unwrap().values;
    assert_eq!(values.len(), 20, "one in ten of two windows");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_loses_nothing() {
    let bed = Bed::new();
    let ctx = org(1);
    let mut store = bed.open().await;
    let mut seq = 0;
    for jump_ms in [0, -3_600_000, 86_400_000, -86_400_000, 7_200_000] {
        let now_ms = bed.clock_ms.fetch_add(jump_ms, Ordering::Relaxed) + jump_ms;
        for n in 0..5 {
            seq += 1;
            let mut row = line(seq);
            row.ts = now_ms * 1_000_000 + n;
            let done = put_as(&store, &ctx, (1, seq), Rows::Logs(vec![row])).await.unwrap();
            assert_eq!((done.accepted, done.rejected.len()), (1, 0), "after a jump of {jump_ms} ms");
            // Each jump has a series of its own: what is older than a series' newest by more than an hour is refused.
            let series = gauge("m", &format!("p{jump_ms}"), &[(now_ms + n, seq as f64)]);
            let done = put_as(&store, &ctx, (2, seq), Rows::Metrics(vec![series])).await.unwrap();
            assert_eq!((done.accepted, done.rejected.len()), (1, 0), "after a jump of {jump_ms} ms");
        }
        if jump_ms % 7_200_000 == 0 {
            store.flush().await.unwrap();
        } else {
            store.image_heads().await.unwrap();
        }
        store.shutdown().await;
        drop(store);
        store = bed.open().await;
    }
    bed.clock_ms.store(NOW_MS + 86_400_000, Ordering::Relaxed);
    let mut offsets: Vec<u64> = all_lines(&store, &ctx).await.iter().map(|r| r.offset / 100).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, (1..=seq).collect::<Vec<_>>());
    let samples: usize =
        select(&store, &ctx, Matcher::equal("__name__", "m")).await.iter().map(|s| s.samples.len()).sum();
    assert_eq!(samples as u64, seq);
    store.compact().await.unwrap();
    assert_eq!(all_lines(&store, &ctx).await.len() as u64, seq);
    store.shutdown().await;
}

/// The clock jumps while senders send, parts are written and merged: whatever was acknowledged is there once, in its day.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_under_load_loses_nothing() {
    const SENDERS: u64 = 3;
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (store, stop, clock) = (Arc::clone(&store), stop.clone(), Arc::clone(&bed.clock_ms));
            tokio::spawn(async move {
                let (mut lines, mut samples) = (Vec::new(), 0);
                for n in 0..2_000 {
                    if stop.is_cancelled() {
                        break;
                    }
                    let now_ms = clock.load(Ordering::Relaxed);
                    let mut row = line(n * SENDERS + sender);
                    row.ts = now_ms * 1_000_000;
                    let done = put(&store, &org(1), Rows::Logs(vec![row])).await;
                    if done.accepted == 1 {
                        lines.push(n * SENDERS + sender);
                    } else {
                        assert_eq!(done.rejected.len(), 1, "neither taken nor refused by name");
                    }
                    let series = gauge("m", &format!("p{sender}-{n}"), &[(now_ms, n as f64)]);
                    let done = put(&store, &org(1), Rows::Metrics(vec![series])).await;
                    samples += done.accepted;
                    assert_eq!(done.accepted + done.rejected.iter().map(|r| r.count).sum::<u64>(), 1);
                }
                (lines, samples)
            })
        })
        .collect();
    for round in 0..3 {
        for jump_ms in [-3_600_000, 86_400_000, -86_400_000, 3_600_000 + 60_000] {
            bed.clock_ms.fetch_add(jump_ms, Ordering::Relaxed);
            store.flush().await.unwrap();
            if round == 1 {
                store.compact().await.unwrap();
            }
        }
    }
    stop.cancel();
    let (mut taken, mut samples) = (Vec::new(), 0);
    for sender in senders {
        let (lines, some) = sender.await.unwrap();
        taken.extend(lines);
        samples += some;
    }
    taken.sort_unstable();
    assert!(taken.len() > 20, "{} lines", taken.len());
    bed.clock_ms.store(NOW_MS + 2 * 86_400_000, Ordering::Relaxed);
    store.flush().await.unwrap();
    for part in store.catalogue.parts().await.unwrap() {
        let unit = if part.signal == Signal::Metrics { 1 } else { 1_000_000 };
        let day = 86_400_000 * unit;
        let within = part.first <= part.last && part.first.div_euclid(day) == part.day;
        assert!(within && part.last.div_euclid(day) == part.day, "{part:?}");
    }
    store.shutdown().await;
    drop(store);
    let report = crate::check(&bed.dir).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    let store = bed.open().await;
    let mut found: Vec<u64> = all_lines(&store, &ctx).await.iter().map(|r| r.offset / 100).collect();
    found.sort_unstable();
    assert_eq!(found, taken);
    let there = select(&store, &ctx, Matcher::equal("__name__", "m")).await;
    assert_eq!(there.iter().map(|s| s.samples.len() as u64).sum::<u64>(), samples);
    store.shutdown().await;
}
