//! Images of heads: the log behind them goes, and nothing else does.

use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_model::{ErrorKind, Matcher, RangeMs};

use super::Bed;
use super::bed::{NOW_MS, gauge, org, put, put_as, select};
use crate::contract::{DeleteAsk, Rows};
use crate::embedded::Embedded;
use crate::{SeriesSamples, check};

/// A bed whose closed chunks always leave the memory.
fn bed() -> Bed {
    let mut bed = Bed::new();
    bed.config.head_spill_bytes = 1;
    bed
}

/// Samples of 20 pods, one each second from `from` to `to`; some come late.
async fn fill(store: &Embedded, ctx: &TenantCtx, from: i64, to: i64) {
    for at in from..to {
        let series = (0..20).map(|pod| {
            let mut samples = vec![(NOW_MS - 3_000_000 + at * 1_000, (pod * at) as f64 / 7.0)];
            if at % 50 == 7 {
                samples.push((NOW_MS - 3_000_000 + at * 1_000 - 500, 0.5));
            }
            gauge("m", &format!("p{pod}"), &samples)
        });
        let done = put(store, ctx, Rows::Metrics(series.collect())).await;
        assert!(done.rejected.is_empty(), "{done:?}");
    }
}

async fn all(store: &Embedded, ctx: &TenantCtx) -> Vec<SeriesSamples> {
    select(store, ctx, Matcher::equal("__name__", "m")).await
}

fn files(bed: &Bed) -> Vec<String> {
    let dir = bed.dir.join("head/m-0");
    let mut out: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    out.sort();
    out
}

fn log_files(bed: &Bed) -> usize {
    std::fs::read_dir(bed.dir.join("wal/m-0")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spill_that_was_cut_short_is_garbage() {
    for (name, left) in
        [("chunks-2", &b""[..]), ("chunks-2", b"PHCH"), ("chunks-9", b"something else entirely")]
    {
        let bed = bed();
        let ctx = org(1);
        let store = bed.open().await;
        fill(&store, &ctx, 0, 300).await;
        store.image_heads().await.unwrap();
        let before = all(&store, &ctx).await;
        store.shutdown().await;
        drop(store);
        // Killed before the image that would have named it.
        std::fs::write(bed.dir.join("head/m-0").join(name), left).unwrap();
        let store = bed.open().await;
        assert_eq!(all(&store, &ctx).await, before);
        assert_eq!(files(&bed).join(" "), "chunks-1 series-1");
        store.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_reads_the_image_and_the_log_behind_it() {
    let bed = bed();
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    fill(&store, &ctx, 0, 300).await;
    fill(&store, &other, 0, 5).await;
    let before = all(&store, &ctx).await;
    assert_eq!(before.iter().map(|s| s.samples.len()).collect::<Vec<_>>(), vec![306; 20]);
    put_as(&store, &ctx, (3, 1), Rows::Metrics(vec![gauge("n", "x", &[(NOW_MS, 1.0)])])).await.unwrap();
    store.image_heads().await.unwrap();
    assert_eq!((files(&bed).join(" "), log_files(&bed)), ("chunks-1 series-1".to_owned(), 0));
    assert_eq!(all(&store, &ctx).await, before, "closed chunks are read from the file");
    fill(&store, &ctx, 300, 320).await;
    let whole = all(&store, &ctx).await;
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    assert_eq!(all(&store, &ctx).await, whole, "image and log");
    assert_eq!(all(&store, &other).await[0].samples.len(), 5);
    let again = put_as(&store, &ctx, (3, 1), Rows::Metrics(vec![gauge("n", "x", &[(NOW_MS, 1.0)])])).await;
    assert!(again.unwrap().repeated, "the batch's number outlives its log");
    let twice = put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p1", &[(NOW_MS - 2_999_000, 9.0)])])).await;
    assert_eq!(twice.rejected[0].reason, "duplicate_timestamp", "of a chunk in the file");
    fill(&store, &ctx, 320, 500).await;
    store.image_heads().await.unwrap();
    store.image_heads().await.unwrap();
    assert_eq!(
        files(&bed).join(" "),
        "chunks-1 chunks-2 series-2",
        "a second one without news is not written"
    );
    let whole = all(&store, &ctx).await;
    assert_eq!(whole[0].samples.len(), 510);
    store.flush().await.unwrap();
    assert_eq!(all(&store, &ctx).await, whole, "out of a block");
    fill(&store, &ctx, 500, 501).await;
    store.shutdown().await;
    drop(store);

    let report = check(&bed.dir).await.unwrap();
    assert_eq!((report.faults, report.garbage), (Vec::new(), Vec::new()));
    bed.open().await.shutdown().await;
    let store = bed.open().await;
    let seen = all(&store, &ctx).await;
    assert_eq!(seen[3].samples.len(), 511, "what is in the block does not come back beside it");
    store.image_heads().await.unwrap();
    assert_eq!(files(&bed).join(" "), "series-3", "chunks go when nobody needs them");
    assert_eq!(all(&store, &ctx).await, seen);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_samples_and_removed_organisations_do_not_come_back() {
    let bed = bed();
    let (ctx, other) = (org(1), org(2));
    bed.clock_ms.store(NOW_MS + 10_000, Ordering::Relaxed);
    let store = bed.open().await;
    fill(&store, &ctx, 0, 200).await;
    fill(&store, &other, 0, 200).await;
    store.image_heads().await.unwrap();
    let matchers = vec![Matcher::regex("k8s.pod.name", "p1.*")];
    store.erase(&ctx, DeleteAsk::Samples { matchers, range: RangeMs::ALL }).await.unwrap();
    store.remove_org(other.org()).await.unwrap();
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(all(&store, &ctx).await.len(), 9);
    assert_eq!(all(&store, &other).await.len(), 0);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_contained() {
    for (name, at) in [("series-1", 30), ("series-1", 2_000), ("chunks-1", 40), ("chunks-1", 0)] {
        let mut bed = bed();
        let ctx = org(1);
        let store = bed.open().await;
        fill(&store, &ctx, 0, 260).await;
        store.image_heads().await.unwrap();
        fill(&store, &ctx, 260, 262).await;
        store.shutdown().await;
        drop(store);
        let path = bed.dir.join("head/m-0").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
        let found = check(&bed.dir).await.unwrap().faults;
        assert!(found[0].contains(name), "{name} {at}: {found:?}");
        let in_chunk = (name, at) == ("chunks-1", 40);
        if !in_chunk {
            let error = bed.try_open().await.err().unwrap();
            assert_eq!(error.kind, ErrorKind::Internal);
            assert!(error.text.contains(name) && error.text.contains("--repair"), "{error}");
            bed.config.repair = true;
        }
        let store = bed.open().await;
        let ask = crate::SeriesAsk {
            matchers: vec![Matcher::equal("__name__", "m")],
            range: RangeMs::ALL,
            max_series: 100,
        };
        let found: Vec<_> =
            futures::StreamExt::collect(crate::Store::select_series(&*store, &ctx, ask).await.unwrap()).await;
        let faults = found.iter().filter(|f| f.is_err()).count();
        let series: usize = found.iter().flatten().map(Vec::len).sum();
        if in_chunk {
            assert_eq!((series, faults), (19, 1), "one series is told to be damaged, the others answer");
        } else {
            assert!(!store.health().warnings.is_empty() || series > 0, "{name} {at}");
        }
        store.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_refuses() {
    let bed = bed();
    let store = bed.open().await;
    fill(&store, &org(1), 0, 130).await;
    store.image_heads().await.unwrap();
    store.shutdown().await;
    drop(store);
    for name in ["chunks-1", "series-1"] {
        let path = bed.dir.join("head/m-0").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 9;
        std::fs::write(&path, &bytes).unwrap();
        let error = bed.try_open().await.err().unwrap();
        assert!(error.text.contains(name) && error.text.contains("version 9"), "{error}");
        bytes[8] = 1;
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(all(&*bed.open().await, &org(1)).await.len(), 20);
}
