//! Deletions, retention rules, the cap on the disk, limits, packs, and the end of an organisation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_filter::Filter;
use ph_model::{ErrorKind, Labels, Matcher, RangeMs, RangeNs, Signal};

use super::bed::{NOW_MS, NOW_NS, all_lines, ask, gauge, logs, org, page, put, select, span};
use super::{Bed, line, lines};
use crate::contract::{Batch, CountAsk, DeleteAsk, FieldsAsk, Rows, SearchRows, SeriesAsk, Store};
use crate::embedded::Embedded;
use crate::fs::FaultFs;
use crate::limits::{Limits, OrgSettings, RetentionRule};

const DAY_MS: i64 = 86_400_000;

pub(super) async fn erase_pod(store: &Embedded, ctx: &TenantCtx, pod: &str) {
    let ask = DeleteAsk::Rows {
        signal: Signal::Logs,
        filter: Filter::equal("pod", pod),
        range: RangeNs::new(NOW_NS - 1_000, NOW_NS + 20_000),
    };
    store.erase(ctx, ask).await.unwrap();
}

/// Offsets of what is seen, and that counts and values agree with it.
async fn seen(store: &Embedded, ctx: &TenantCtx) -> Vec<u64> {
    let found: Vec<u64> = all_lines(store, ctx).await.iter().map(|r| r.offset / 100).collect();
    let range = RangeNs::new(NOW_NS, NOW_NS + 1_000_000);
    let ask = CountAsk { signal: Signal::Logs, filter: Filter::All, range, step_ns: 1_000_000, by: None };
    let counted: u64 = store.count(ctx, ask).await.unwrap().iter().map(|b| b.count).sum();
    assert_eq!(counted, found.len() as u64);
    let ask = FieldsAsk { signal: Signal::Logs, filter: Filter::All, range, field: None, limit: 10 };
    assert_eq!(store.fields(ctx, ask).await.unwrap().rows, found.len() as u64);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_are_gone_everywhere_and_others_are_not() {
    let bed = Bed::new();
    let (ctx, other) = (org(1), org(2));
    // The deletion ends at the present, which must be after the rows.
    bed.clock_ms.store(NOW_MS + 10_000, Ordering::Relaxed);
    let store = bed.open().await;
    for tenant in [&ctx, &other] {
        put(&store, tenant, Rows::Logs(lines(0, 10))).await;
        store.flush().await.unwrap();
        put(&store, tenant, Rows::Logs(lines(10, 40))).await;
    }
    erase_pod(&store, &ctx, "web-1").await;
    // Rows at 1, 6, 11 and 16 µs are in the range, later ones of the pod are not.
    let expected: Vec<u64> = (0..40).filter(|n| n % 5 != 1 || *n >= 20).collect();
    assert_eq!(seen(&store, &ctx).await, expected, "in memory and in a part");
    // Late rows of the pod and the range never come to light.
    put(&store, &ctx, Rows::Logs(vec![line(6), line(11)])).await;
    assert_eq!(seen(&store, &ctx).await, expected, "late rows");
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    assert_eq!(seen(&store, &ctx).await, expected, "after replay");
    store.flush().await.unwrap();
    assert_eq!(seen(&store, &ctx).await, expected, "after flush");
    assert_eq!(
        store.stats(&ctx).await.unwrap().rows[1],
        40,
        "old parts still hold them, late rows were not written"
    );
    store.compact().await.unwrap();
    assert_eq!(store.stats(&ctx).await.unwrap().rows[1], 36, "physically gone");
    store.compact().await.unwrap();
    assert_eq!(seen(&store, &ctx).await, expected, "after merges");
    assert_eq!(seen(&store, &other).await, (0..40).collect::<Vec<_>>(), "another organisation");
    let wrong = DeleteAsk::Rows { signal: Signal::Metrics, filter: Filter::All, range: RangeNs::ALL };
    assert_eq!(store.erase(&ctx, wrong).await.unwrap_err().kind, ErrorKind::Invalid);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_spans_leave_their_traces() {
    let bed = Bed::new();
    let ctx = org(1);
    bed.clock_ms.store(NOW_MS + 10_000, Ordering::Relaxed);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Spans((0..10).map(span).collect())).await;
    let ask = DeleteAsk::Rows {
        signal: Signal::Spans,
        filter: Filter::equal("service", "svc-1"),
        range: RangeNs::ALL,
    };
    store.erase(&ctx, ask).await.unwrap();
    for round in 0..3 {
        assert!(store.trace(&ctx, [4; 16], None).await.unwrap().spans.is_empty(), "{round}");
        assert_eq!(store.trace(&ctx, [5; 16], None).await.unwrap().spans.len(), 1, "{round}");
        let services = store.services(&ctx, RangeNs::ALL).await.unwrap().services;
        assert_eq!(services.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["svc-0", "svc-2"]);
        match round {
            0 => store.flush().await.unwrap(),
            _ => store.compact().await.unwrap(),
        }
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_samples_are_gone_everywhere() {
    let bed = Bed::new();
    let ctx = org(1);
    bed.clock_ms.store(NOW_MS + 100_000, Ordering::Relaxed);
    let store = bed.open().await;
    let at = |n: i64| NOW_MS + n * 1_000;
    let series = |from: i64, to: i64| -> Vec<_> {
        let samples: Vec<_> = (from..to).map(|n| (at(n), n as f64)).collect();
        vec![gauge("mem", "a", &samples), gauge("mem", "b", &samples), gauge("cpu", "c", &samples)]
    };
    put(&store, &ctx, Rows::Metrics(series(0, 5))).await;
    store.flush().await.unwrap();
    put(&store, &ctx, Rows::Metrics(series(5, 10))).await;
    let mem = Matcher::equal("__name__", "mem");
    let gone = DeleteAsk::Samples {
        matchers: vec![mem.clone(), Matcher::equal("k8s.pod.name", "a")],
        range: RangeMs::ALL,
    };
    store.erase(&ctx, gone).await.unwrap();
    let part = DeleteAsk::Samples {
        matchers: vec![mem.clone(), Matcher::equal("k8s.pod.name", "b")],
        range: RangeMs::new(at(3), at(6)),
    };
    store.erase(&ctx, part).await.unwrap();
    let all = SeriesAsk { matchers: vec![mem.clone()], range: RangeMs::ALL, max_series: 10 };
    for round in 0..4 {
        let found = select(&store, &ctx, mem.clone()).await;
        let values: Vec<f64> = found.iter().flat_map(|s| &s.samples).map(|s| s.value).collect();
        assert_eq!(values, [0.0, 1.0, 2.0, 6.0, 7.0, 8.0, 9.0], "{round}");
        assert_eq!(store.series(&ctx, all.clone()).await.unwrap().0.len(), 1, "{round}");
        let pods = store.label_values(&ctx, "k8s.pod.name", all.clone()).await.unwrap().values;
        assert_eq!(pods, ["b"], "{round}");
        let any = SeriesAsk { matchers: Vec::new(), ..all.clone() };
        assert_eq!(store.label_values(&ctx, "k8s.pod.name", any).await.unwrap().values, ["b", "c"]);
        match round {
            0 => store.flush().await.unwrap(),
            1 => store.compact().await.unwrap(),
            _ => store.compact().await.unwrap(),
        }
    }
    assert_eq!(store.stats(&ctx).await.unwrap().rows[0], 17, "physically gone");
    assert!(store.erase(&ctx, DeleteAsk::Samples { matchers: vec![], range: RangeMs::ALL }).await.is_err());
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hide_and_remove_what_they_name() {
    let bed = Bed::new();
    let ctx = org(1);
    let store = bed.open().await;
    let settings = OrgSettings {
        rules: vec![RetentionRule {
            signal: Signal::Logs,
            filter: Filter::equal("namespace", "shop"),
            days: 1,
        }],
        ..OrgSettings::default()
    };
    put(&store, &ctx, Rows::Logs(lines(0, 9))).await;
    store.flush().await.unwrap();
    store.configure(ctx.org(), settings.clone()).await.unwrap();
    assert_eq!(all_lines(&store, &ctx).await.len(), 9, "the day is not over");
    bed.clock_ms.store(NOW_MS + 2 * DAY_MS, Ordering::Relaxed);
    assert_eq!(all_lines(&store, &ctx).await.len(), 6, "hidden at once");
    store.compact().await.unwrap();
    assert_eq!(store.stats(&ctx).await.unwrap().rows[1], 6, "removed");
    let merges = store.counters().compactions;
    store.compact().await.unwrap();
    assert_eq!(store.counters().compactions, merges, "once is enough");
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    put(&store, &ctx, Rows::Logs(lines(0, 9))).await;
    assert_eq!(all_lines(&store, &ctx).await.len(), 12, "settings outlive a restart");
    store.configure(ctx.org(), OrgSettings::default()).await.unwrap();
    assert_eq!(all_lines(&store, &ctx).await.len(), 15, "and end when they are taken back");
    let longer = crate::Retention { logs_days: 1, ..crate::Retention::default() };
    store
        .configure(ctx.org(), OrgSettings { retention: Some(longer), ..OrgSettings::default() })
        .await
        .unwrap();
    assert_eq!(all_lines(&store, &ctx).await.len(), 0, "a shorter retention hides at once");
    store.retain().await.unwrap();
    let mut wrong = settings;
    wrong.rules[0].signal = Signal::Metrics;
    assert!(store.configure(ctx.org(), wrong).await.is_err());
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_drops_the_oldest_day_of_the_largest_and_says_so() {
    let mut bed = Bed::new();
    bed.config.disk_cap_bytes = Some(0);
    let (large, small) = (org(1), org(2));
    {
        bed.config.disk_cap_bytes = None;
        let store = bed.open().await;
        for day in 0..3 {
            let mut rows = lines(0, 400);
            rows.iter_mut().for_each(|r| r.ts -= day * DAY_MS * 1_000_000);
            put(&store, &large, Rows::Logs(rows)).await;
        }
        put(&store, &small, Rows::Logs(lines(0, 10))).await;
        store.flush().await.unwrap();
        store.compact().await.unwrap();
        let bytes = store.stats(&large).await.unwrap().bytes[1];
        bed.config.disk_cap_bytes = Some(bytes);
        store.shutdown().await;
    }
    let store = bed.open().await;
    store.retain().await.unwrap();
    let left = all_lines(&store, &large).await;
    assert!(!left.is_empty() && left.len() < 1_200, "{}", left.len());
    assert!(left.iter().any(|r| r.ts >= NOW_NS), "the newest day stays longest");
    assert_eq!(all_lines(&store, &small).await.len(), 10);
    let SearchRows::Events(events) = page(&store, &large, ask(Signal::Events, Filter::All)).await.rows else {
        panic!()
    };
    assert!(events.iter().all(|e| e.reason == "DiskCapReached"), "{events:?}");
    assert!(events.first().unwrap().message.contains("disk_cap_bytes"), "{events:?}");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_organisation_never_comes_back() {
    let bed = Bed::new();
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    for tenant in [&ctx, &other] {
        put(&store, tenant, Rows::Logs(lines(0, 10))).await;
        put(&store, tenant, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
        store.flush().await.unwrap();
        put(&store, tenant, Rows::Logs(lines(10, 20))).await;
        put(&store, tenant, Rows::Metrics(vec![gauge("m", "q", &[(NOW_MS, 1.0)])])).await;
    }
    store.remove_org(ctx.org()).await.unwrap();
    let late = store.append(&ctx, Batch { id: None, rows: Rows::Logs(lines(0, 1)) }).await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::Denied);
    for round in 0..2 {
        let store = if round == 0 {
            std::sync::Arc::clone(&store)
        } else {
            store.shutdown().await;
            bed.open().await
        };
        assert_eq!(all_lines(&store, &ctx).await.len(), 0, "{round}");
        assert_eq!(select(&store, &ctx, Matcher::equal("__name__", "m")).await, []);
        assert_eq!(store.stats(&ctx).await.unwrap().parts, 0);
        assert_eq!(all_lines(&store, &other).await.len(), 20, "{round}");
        assert_eq!(select(&store, &other, Matcher::equal("__name__", "m")).await.len(), 2);
        let files = bed.fs.walk(&bed.dir.join("t")).unwrap();
        let mine = ctx.org().to_string();
        assert!(files.iter().all(|f| !f.path.to_string_lossy().contains(&mine)), "{files:?}");
        assert!(store.append(&ctx, Batch { id: None, rows: Rows::Logs(lines(0, 1)) }).await.is_err());
        store.flush().await.unwrap();
        store.shutdown().await;
    }
}

/// Also what was sealed and could not be written while it was there.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_disk_goes_with_its_organisation() {
    let disk = FaultFs::new(1);
    let bed = Bed::on(Arc::new(disk.clone()));
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    for tenant in [&ctx, &other] {
        put(&store, tenant, Rows::Logs(lines(0, 100))).await;
        put(&store, tenant, Rows::Metrics(vec![gauge("m", "p", &[(NOW_MS, 1.0)])])).await;
    }
    disk.set_capacity(disk.used_bytes() + 100);
    assert_eq!(store.flush().await.unwrap_err().kind, ErrorKind::Exhausted);
    disk.set_capacity(u64::MAX);
    store.remove_org(ctx.org()).await.unwrap();
    store.flush().await.unwrap();
    let mine = ctx.org().to_string();
    for round in 0..2 {
        let store = if round == 0 { Arc::clone(&store) } else { bed.open().await };
        assert_eq!(all_lines(&store, &ctx).await.len(), 0, "{round}");
        assert_eq!(store.stats(&ctx).await.unwrap().parts, 0, "{round}");
        assert_eq!(select(&store, &ctx, Matcher::equal("__name__", "m")).await, [], "{round}");
        assert_eq!(all_lines(&store, &other).await.len(), 100, "{round}");
        assert_eq!(select(&store, &other, Matcher::equal("__name__", "m")).await.len(), 1);
        let files = bed.fs.walk(&bed.dir.join("t")).unwrap();
        assert!(files.iter().all(|f| !f.path.to_string_lossy().contains(&mine)), "{round}: {files:?}");
        store.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_end_at_their_limits_by_name() {
    let bed = Bed::new();
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    let limits = Limits { query_rows: Some(50), query_samples: Some(3), ..Limits::default() };
    store.configure(ctx.org(), OrgSettings { limits, ..OrgSettings::default() }).await.unwrap();
    for tenant in [&ctx, &other] {
        put(&store, tenant, Rows::Logs(lines(0, 60))).await;
        let samples: Vec<(i64, f64)> = (0..5).map(|n| (NOW_MS + n, 1.0)).collect();
        put(&store, tenant, Rows::Metrics(vec![gauge("m", "p", &samples)])).await;
    }
    store.flush().await.unwrap();
    let range = RangeNs::new(NOW_NS, NOW_NS + 1_000_000);
    let count = CountAsk { signal: Signal::Logs, filter: Filter::All, range, step_ns: 1_000_000, by: None };
    let select =
        SeriesAsk { matchers: vec![Matcher::equal("__name__", "m")], range: RangeMs::ALL, max_series: 10 };
    let ended = |text: &str, kind: ErrorKind, name: &str| {
        assert_eq!(kind, ErrorKind::Exhausted);
        assert!(text.starts_with(name) && text.contains("have it raised"), "{text}");
    };
    let error = store.search(&ctx, ask(Signal::Logs, Filter::All)).await.unwrap_err();
    ended(&error.text, error.kind, "query_rows");
    let error = store.count(&ctx, count.clone()).await.unwrap_err();
    ended(&error.text, error.kind, "query_rows");
    let mut found = store.select_series(&ctx, select.clone()).await.unwrap();
    let error = futures::StreamExt::next(&mut found).await.unwrap().unwrap_err();
    ended(&error.text, error.kind, "query_samples");
    assert!(store.search(&other, ask(Signal::Logs, Filter::All)).await.is_ok());
    assert_eq!(store.count(&other, count.clone()).await.unwrap()[0].count, 60);
    let limits = Limits { query_bytes: Some(10), ..Limits::default() };
    store.configure(ctx.org(), OrgSettings { limits, ..OrgSettings::default() }).await.unwrap();
    let error = store.count(&ctx, count).await.unwrap_err();
    ended(&error.text, error.kind, "query_bytes");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_refuse_by_name_and_spare_others() {
    let bed = Bed::new();
    let (ctx, other) = (org(1), org(2));
    let store = bed.open().await;
    let limits = Limits { active_series: Some(3), samples_per_second: Some(10), ..Limits::default() };
    store.configure(ctx.org(), OrgSettings { limits, ..OrgSettings::default() }).await.unwrap();
    let bomb = |from: i64, at: i64| -> Vec<_> {
        (from..from + 6).map(|n| gauge("m", &format!("p{n}"), &[(NOW_MS + at, 1.0)])).collect()
    };
    let done = put(&store, &ctx, Rows::Metrics(bomb(0, 0))).await;
    let refused = done.rejected.first().unwrap();
    assert_eq!((done.accepted, refused.reason, refused.count), (3, "series_limit", 3));
    assert!(["p3", "p4", "p5"].iter().all(|p| refused.example.contains(p)), "{}", refused.example);
    let done = put(&store, &ctx, Rows::Metrics(bomb(0, 1_000))).await;
    assert_eq!(done.accepted, 3, "known series go on");
    let done = put(&store, &other, Rows::Metrics(bomb(0, 0))).await;
    assert_eq!((done.accepted, done.rejected.len()), (6, 0));
    assert_eq!(store.stats(&ctx).await.unwrap().refused[0].count, 6);
    assert_eq!(store.stats(&other).await.unwrap().refused, []);
    // A hundred samples may come at once; after them the rate holds.
    let mut error = None;
    for n in 2..30 {
        let rows = Rows::Metrics(bomb(0, n * 1_000));
        if let Err(e) = store.append(&ctx, Batch { id: None, rows }).await {
            error = Some(e);
            break;
        }
    }
    let error = error.unwrap();
    assert_eq!(error.kind, ErrorKind::Exhausted);
    assert!(error.text.contains("samples_per_second") && error.retry_after_ms > Some(0), "{error}");
    bed.clock_ms.store(NOW_MS + 60_000, Ordering::Relaxed);
    put(&store, &ctx, Rows::Metrics(bomb(0, 60_000))).await;

    let mut wide = line(1);
    (0..200).for_each(|n| wide.attributes.set(format!("k{n}"), n as i64));
    let mut long = line(2);
    long.message = vec![b'x'; (1 << 20) + 7];
    let mut huge = line(3);
    huge.attributes.set("k", "x".repeat(2 << 20));
    let done = put(&store, &other, Rows::Logs(vec![wide, long, huge])).await;
    let reasons: Vec<_> = done.rejected.iter().map(|r| r.reason).collect();
    assert_eq!((done.accepted, reasons), (1, vec!["attributes_limit", "record_bytes_limit"]));
    let kept = all_lines(&store, &other).await;
    assert_eq!((kept[0].message.len(), kept[0].full_bytes), (1 << 20, (1 << 20) + 7));
    assert!(kept[0].flags.has(ph_model::LogFlags::TRUNCATED));
    let mut many = gauge("m", "p", &[(NOW_MS, 1.0)]);
    let pairs = (0..80).map(|n| (format!("l{n}"), "v".to_owned()));
    many.labels = pairs.collect::<Labels>();
    let done = put(&store, &other, Rows::Metrics(vec![many])).await;
    assert_eq!(done.rejected[0].reason, "label_limit");
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_parts_of_many_organisations_share_a_pack() {
    let bed = Bed::new();
    let store = bed.open().await;
    let orgs: Vec<TenantCtx> = (1..=60).map(org).collect();
    for round in 0..2_u64 {
        for ctx in &orgs {
            put(&store, ctx, Rows::Logs(lines(round * 5, round * 5 + 5))).await;
        }
        store.flush().await.unwrap();
    }
    let files = |dir: &str| bed.fs.walk(&bed.dir.join(dir)).unwrap().len();
    assert_eq!((files("l0"), files("t")), (2, 0), "one file a flush");
    store.shutdown().await;
    drop(store);
    let store = bed.open().await;
    for ctx in &orgs {
        assert_eq!(all_lines(&store, ctx).await, lines(0, 10));
    }
    // Half of the organisations merge their parts; the packs stay for the others.
    for ctx in orgs.iter().skip(1) {
        store.remove_org(ctx.org()).await.unwrap();
    }
    assert_eq!(files("l0"), 2);
    store.compact().await.unwrap();
    assert_eq!((files("l0"), files("t")), (0, 3), "a part of its own, with both indexes");
    let found = page(&store, &orgs[0], ask(Signal::Logs, Filter::words("line"))).await;
    assert_eq!(logs(&found).len(), 10);
    store.shutdown().await;
}
