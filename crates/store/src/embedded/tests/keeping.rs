//! Batches sent twice, rows out of time, retention, disk full, damage.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_filter::Filter;
use ph_model::{ErrorKind, Matcher, Signal};

use super::bed::{NOW_MS, all_lines, ask, gauge, logs, org, page, put, put_as, select};
use super::{Bed, lines};
use crate::contract::{Rows, Store};
use crate::fs::{Fault, FaultFs, Fs};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_twice_is_stored_once() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let rows = || Rows::Logs(lines(0, 10));
    let first = put_as(&store, &ctx, (1, 5), rows()).await.unwrap();
    assert!(!first.repeated && first.accepted == 10);
    let (a, b) = tokio::join!(put_as(&store, &ctx, (1, 5), rows()), put_as(&store, &ctx, (1, 5), rows()));
    assert!(a.unwrap().repeated && b.unwrap().repeated);
    let other = put_as(&store, &ctx, (1, 5), Rows::Logs(lines(1, 11))).await.unwrap_err();
    assert_eq!(other.kind, ErrorKind::Invalid);
    assert!(
        !put_as(&store, &org(2), (1, 5), rows()).await.unwrap().repeated,
        "another organisation's number"
    );
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    assert!(put_as(&store, &ctx, (1, 5), rows()).await.unwrap().repeated, "after replay");
    store.flush().await.unwrap();
    assert!(put_as(&store, &ctx, (1, 5), rows()).await.unwrap().repeated, "after flush");
    // Enough to end the segment, so that the first batch is known from the catalogue alone.
    for n in 0..40 {
        put(&store, &ctx, Rows::Logs(lines(1_000 + n * 500, 1_500 + n * 500))).await;
    }
    store.flush().await.unwrap();
    store.shutdown().await;
    drop(store);

    let store = bed.open().await;
    assert!(put_as(&store, &ctx, (1, 5), rows()).await.unwrap().repeated, "after flush and restart");
    assert!(put_as(&store, &ctx, (1, 5), Rows::Logs(lines(1, 11))).await.is_err());
    let m = |v| Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, v)])]);
    assert!(!put_as(&store, &ctx, (2, 1), m(1.0)).await.unwrap().repeated);
    assert!(put_as(&store, &ctx, (2, 1), m(1.0)).await.unwrap().repeated);
    assert!(put_as(&store, &ctx, (2, 1), m(2.0)).await.is_err());
    assert_eq!(all_lines(&store, &ctx).await.len(), 10 + 40 * 500);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_time_is_counted() {
    let bed = Bed::new();
    let (ctx, store) = (org(1), bed.open().await);
    let mut rows = lines(0, 4);
    rows[0].ts -= 9 * 86_400_000_000_000;
    rows[1].ts += 2 * 86_400_000_000_000;
    let done = put(&store, &ctx, Rows::Logs(rows)).await;
    let reasons: Vec<_> = done.rejected.iter().map(|r| (r.reason, r.count)).collect();
    assert_eq!((done.accepted, reasons), (2, vec![("too_old", 1), ("too_far_in_future", 1)]));
    let samples = [(NOW_MS - 7_200_000, 0.0), (NOW_MS, 1.0), (NOW_MS, 2.0), (NOW_MS + 3_600_000, 3.0)];
    let late = gauge("m", "p", &[(NOW_MS - 7_200_000, 0.0)]);
    let done = put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &samples), late])).await;
    let reasons: Vec<_> = done.rejected.iter().map(|r| (r.reason, r.count)).collect();
    assert_eq!(
        (done.accepted, reasons),
        (2, vec![("duplicate_timestamp", 1), ("too_far_in_future", 1), ("too_old", 1)])
    );
    let before = select(&store, &ctx, Matcher::equal("__name__", "m")).await;
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(select(&store, &ctx, Matcher::equal("__name__", "m")).await, before);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_hides_at_once_and_removes_files() {
    let bed = Bed::new();
    let (ctx, store) = (org(1), bed.open().await);
    put(&store, &ctx, Rows::Logs(lines(0, 10))).await;
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
    store.flush().await.unwrap();
    let parts = || bed.fs.walk(&bed.dir.join("t")).unwrap().len();
    assert_eq!(parts(), 8, "a part of lines with two indexes, a block of five files");
    bed.clock_ms.store(NOW_MS + 7 * 86_400_000, Ordering::Relaxed);
    assert_eq!(all_lines(&store, &ctx).await.len(), 10, "the seventh day");
    bed.clock_ms.store(NOW_MS + 8 * 86_400_000, Ordering::Relaxed);
    assert_eq!(all_lines(&store, &ctx).await.len(), 0);
    store.retain().await.unwrap();
    assert_eq!(parts(), 5);
    bed.clock_ms.store(NOW_MS + 31 * 86_400_000, Ordering::Relaxed);
    store.retain().await.unwrap();
    assert_eq!(parts(), 0);
    assert_eq!(store.stats(&ctx).await.unwrap().parts, 0);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let disk = FaultFs::new(1);
    let mut bed = Bed::on(Arc::new(disk.clone()));
    bed.config.segment_bytes = 32 << 10;
    let (ctx, store) = (org(1), bed.open().await);
    put(&store, &ctx, Rows::Logs(lines(0, 100))).await;
    disk.set_capacity(disk.used_bytes() + 10_000);
    let mut stored = 100;
    let mut refused = None;
    for n in 1..200_u64 {
        match store
            .append(&ctx, crate::Batch { id: None, rows: Rows::Logs(lines(n * 100, n * 100 + 100)) })
            .await
        {
            Ok(done) => stored += done.accepted,
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.kind, ErrorKind::Exhausted, "{refused}");
    // However many are refused, the log says it once; and once more when it begins anew.
    let again = || crate::Batch { id: None, rows: Rows::Logs(lines(100_000, 100_400)) };
    for _ in 0..5 {
        assert!(store.append(&ctx, again()).await.is_err());
    }
    assert_eq!((store.counters().refusals, store.shared.meter.refusing.is_any()), (1, true));
    let failed = store.flush().await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Exhausted, "{failed}");
    assert!(store.health().not_ready.iter().any(|(part, _)| part == "flush"));
    assert_eq!(all_lines(&store, &ctx).await.len() as u64, stored, "nothing that was acknowledged is gone");
    assert_eq!(disk.walk(&bed.dir.join("t")).unwrap(), vec![], "no part was left behind");

    disk.set_capacity(u64::MAX);
    stored += put(&store, &ctx, Rows::Logs(lines(50_000, 50_100))).await.accepted;
    store.flush().await.unwrap();
    assert_eq!(store.health().not_ready, vec![]);
    assert_eq!((store.counters().refusals, store.shared.meter.refusing.is_any()), (1, false));
    assert_eq!(all_lines(&store, &ctx).await.len() as u64, stored);
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(all_lines(&store, &ctx).await.len() as u64, stored, "after restart");
    store.shutdown().await;
}

/// A merge that finds no room changes nothing, and is done when there is some.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_merge_and_nothing_else() {
    let disk = FaultFs::new(1);
    let bed = Bed::on(Arc::new(disk.clone()));
    let (ctx, store) = (org(1), bed.open().await);
    for n in 0..6 {
        put(&store, &ctx, Rows::Logs(lines(n * 100, n * 100 + 100))).await;
        let at = NOW_MS - 7_200_000 + n as i64 * 1_000;
        put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(at, n as f64)])])).await;
        store.flush().await.unwrap();
    }
    let parts = store.stats(&ctx).await.unwrap().parts;
    disk.set_capacity(disk.used_bytes() + 500);
    let failed = store.compact().await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Exhausted, "{failed}");
    assert_eq!(store.stats(&ctx).await.unwrap().parts, parts);
    assert_eq!(all_lines(&store, &ctx).await, lines(0, 600));
    disk.set_capacity(u64::MAX);
    store.compact().await.unwrap();
    assert!(store.stats(&ctx).await.unwrap().parts < parts);
    assert_eq!(all_lines(&store, &ctx).await, lines(0, 600));
    assert_eq!(store.health().not_ready, vec![]);
    let found = select(&store, &ctx, Matcher::equal("__name__", "m")).await;
    assert_eq!(found.iter().map(|s| s.samples.len()).sum::<usize>(), 6);
    store.shutdown().await;
}

/// The disk has room for a part and none for its row: the part does not exist, and its rows stay where they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_without_room_publishes_nothing_and_recovers() {
    let bed = Bed::new();
    let (ctx, store) = (org(1), bed.open().await);
    let pages = async |most: u64| store.catalogue.bound(most).await;
    put(&store, &ctx, Rows::Logs(lines(0, 10))).await;
    store.flush().await.unwrap();
    pages(1).await;
    let mut last = 10;
    let failed = loop {
        put(&store, &ctx, Rows::Logs(lines(last, last + 10))).await;
        last += 10;
        match store.flush().await {
            Ok(()) => assert!(last < 2_000, "a catalogue of few pages holds everything"),
            Err(error) => break error,
        }
    };
    assert_eq!(failed.kind, ErrorKind::Exhausted, "{failed}");
    assert!(failed.text.contains("catalogue"), "{failed}");
    assert!(store.health().not_ready.iter().any(|(part, _)| part == "flush"));
    assert_eq!(all_lines(&store, &ctx).await, lines(0, last));
    put(&store, &ctx, Rows::Logs(lines(last, last + 10))).await;
    pages(1 << 20).await;
    store.flush().await.unwrap();
    assert_eq!(store.health().not_ready, vec![]);
    store.shutdown().await;
    drop(store);
    let report = crate::check(&bed.dir).await.unwrap();
    assert_eq!((report.faults, report.garbage), (Vec::<String>::new(), Vec::<String>::new()));
    let store = bed.open().await;
    assert_eq!(all_lines(&store, &ctx).await, lines(0, last + 10));
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn little_free_space_refuses_before_the_log() {
    let disk = FaultFs::new(1);
    let mut bed = Bed::on(Arc::new(disk.clone()));
    bed.config.disk = crate::DiskFloor { percent: 5, cap_bytes: 1 << 30, least_bytes: 1 << 20 };
    disk.set_capacity((1 << 20) - 1);
    let (ctx, store) = (org(1), bed.open().await);
    let refused =
        store.append(&ctx, crate::Batch { id: None, rows: Rows::Logs(lines(0, 1)) }).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Exhausted);
    assert!(refused.text.starts_with("disk: "), "{refused}");
    assert_eq!(store.health().not_ready[0].0, "disk");
    let look = || crate::flush::measure(&store.shared, &store.gauges);
    for (capacity, refusals, stands) in [(1 << 10, 1, true), (u64::MAX, 1, false), (1 << 10, 2, true)] {
        disk.set_capacity(capacity);
        look();
        look();
        let told = (store.counters().refusals, store.shared.meter.refusing.is_any());
        assert_eq!(told, (refusals, stands), "{capacity}");
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_is_final_for_its_shard() {
    let disk = FaultFs::new(1);
    let bed = Bed::on(Arc::new(disk.clone()));
    let (ctx, store) = (org(1), bed.open().await);
    put(&store, &ctx, Rows::Logs(lines(0, 10))).await;
    disk.inject(Fault::SyncFailsAt(0));
    for _ in 0..2 {
        let refused =
            store.append(&ctx, crate::Batch { id: None, rows: Rows::Logs(lines(10, 20)) }).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unavailable);
    }
    assert_eq!(all_lines(&store, &ctx).await.len(), 10, "readers go on");
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
    let health = store.health();
    assert!(
        health.not_ready[0].0 == "wal r-0" && health.not_ready[0].1.contains("sync failed"),
        "{health:?}"
    );
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Logs(lines(20, 30))).await;
    store.shutdown().await;
}

/// One file whose path has a part of the name.
fn file(disk: &FaultFs, bed: &Bed, name: &str) -> PathBuf {
    let all = disk.walk(&bed.dir).unwrap();
    all.into_iter().map(|f| f.path).find(|p| p.to_str().unwrap().contains(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_part_is_contained() {
    let disk = FaultFs::new(3);
    let bed = Bed::on(Arc::new(disk.clone()));
    let (ctx, store) = (org(1), bed.open().await);
    put(&store, &ctx, Rows::Logs(lines(0, 100))).await;
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
    store.flush().await.unwrap();
    let (part, block) = (file(&disk, &bed, ".parquet"), file(&disk, &bed, "/pages"));
    put(&store, &ctx, Rows::Logs(lines(100, 150))).await;
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "q", &[(NOW_MS, 2.0)])])).await;
    store.flush().await.unwrap();
    store.shutdown().await;
    drop(store);
    disk.flip_bit(&part, 8 * (disk.size(&part).unwrap() / 2)).unwrap();
    disk.flip_bit(&block, 8 * 14).unwrap();

    let store = bed.open().await;
    for _ in 0..2 {
        let found = page(&store, &ctx, ask(Signal::Logs, Filter::All)).await;
        assert_eq!(logs(&found), lines(100, 150), "the other part answers");
        assert_eq!(found.incomplete.len(), 1);
        assert!(
            found.incomplete[0].contains(part.file_name().unwrap().to_str().unwrap()),
            "{:?}",
            found.incomplete
        );
    }
    let ask = crate::SeriesAsk { matchers: vec![], range: ph_model::RangeMs::ALL, max_series: 10 };
    let all: Vec<_> = futures::StreamExt::collect(store.select_series(&ctx, ask).await.unwrap()).await;
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    let text = &bad[0].as_ref().unwrap_err().text;
    assert!(text.contains("pages") && text.contains("byte"), "{text}");
    // The flusher sets both aside; it is asked for something so that the test need not wait for its next round.
    while store.counters().quarantined < 2 {
        store.retain().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(disk.walk(&bed.dir.join("quarantine")).unwrap().len() >= 2 + 2);
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(
        page(&store, &ctx, super::bed::ask(Signal::Logs, Filter::All)).await.incomplete.len(),
        1,
        "still said"
    );
    store.shutdown().await;
}

/// A segment that never took a record has the name of the one after the restart; forgetting the first must not delete
/// the second.
#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_was_made_in_vain_takes_nothing_along() {
    let ctx = org(1);
    let mut in_vain = 0;
    for nth in 1..10 {
        let disk = FaultFs::new(7);
        let bed = Bed::on(Arc::new(disk.clone()));
        let rows = |n: u64| Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS + n as i64, n as f64)])]);
        let store = bed.open().await;
        put_as(&store, &ctx, (1, 1), rows(1)).await.unwrap();
        store.shutdown().await;
        let store = bed.open().await;
        disk.inject(Fault::ErrorAt(disk.operations() + nth));
        if put_as(&store, &ctx, (1, 2), rows(2)).await.is_err() {
            in_vain += 1;
        }
        store.shutdown().await;
        let store = bed.open().await;
        put_as(&store, &ctx, (1, 2), rows(2)).await.unwrap();
        store.flush().await.unwrap();
        put_as(&store, &ctx, (1, 3), rows(3)).await.unwrap();
        store.shutdown().await;
        let store = bed.open().await;
        let found = select(&store, &ctx, Matcher::equal("__name__", "m")).await;
        let values: Vec<f64> = found.iter().flat_map(|s| &s.samples).map(|s| s.value).collect();
        assert_eq!(values, [1.0, 2.0, 3.0], "operation {nth} fails");
        store.shutdown().await;
    }
    assert!(in_vain > 3, "{in_vain} batches were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_once_is_not_damage() {
    let disk = FaultFs::new(6);
    let bed = Bed::on(Arc::new(disk.clone()));
    let (ctx, store) = (org(1), bed.open().await);
    put(&store, &ctx, Rows::Logs(lines(0, 100))).await;
    put(&store, &ctx, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
    store.flush().await.unwrap();
    // The first question opens and compares the part, later ones read footer and columns: each operation fails once.
    let mut failed = 0;
    for after in 1..60 {
        disk.inject(Fault::ErrorAt(disk.operations() + after));
        let found = page(&store, &ctx, ask(Signal::Logs, Filter::All)).await;
        if let [why] = found.incomplete.as_slice() {
            assert!(why.contains("injected") && !why.contains("damaged"), "{why}");
            failed += 1;
        }
        let again = page(&store, &ctx, ask(Signal::Logs, Filter::All)).await;
        if again.incomplete.is_empty() {
            assert_eq!(logs(&again), lines(0, 100));
        }
    }
    assert!(failed > 3, "{failed} reads met the error");
    // Beyond all injected errors.
    for _ in 0..60 {
        page(&store, &ctx, ask(Signal::Logs, Filter::All)).await;
    }
    store.retain().await.unwrap();
    assert_eq!(logs(&page(&store, &ctx, ask(Signal::Logs, Filter::All)).await), lines(0, 100));
    assert_eq!(select(&store, &ctx, Matcher::equal("__name__", "m")).await.len(), 1);
    assert_eq!(store.counters().quarantined, 0);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_log_stops_the_start_until_repair() {
    let disk = FaultFs::new(4);
    let mut bed = Bed::on(Arc::new(disk.clone()));
    let (ctx, store) = (org(1), bed.open().await);
    for n in 0..10 {
        put(&store, &ctx, Rows::Logs(lines(n * 10, n * 10 + 10))).await;
    }
    store.shutdown().await;
    drop(store);
    let log = file(&disk, &bed, "r-0/");
    // Inside the third record or so: commits stand behind it.
    disk.flip_bit(&log, 8 * 1_500).unwrap();
    let refused = bed.try_open().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Internal);
    assert!(refused.text.contains(log.to_str().unwrap()) && refused.text.contains("--repair"), "{refused}");
    bed.config.repair = true;
    let store = bed.open().await;
    let left = all_lines(&store, &ctx).await.len();
    assert_eq!(left, 90, "one batch of ten is lost");
    assert_eq!(store.health().warnings.len(), 1);
    store.shutdown().await;
}
