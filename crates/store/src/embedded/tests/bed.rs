//! A store in a temporary directory, and rows to put into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_filter::Filter;
use ph_model::{
    BatchId, EventRow, Labels, LogRow, Matcher, ObjectRef, OrgId, RangeMs, RangeNs, Sample, Series,
    SeriesKind, Signal, SpanRow,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contract::{
    Appended, Batch, Error, Order, Rows, SearchAsk, SearchPage, SearchRows, SeriesAsk, SeriesSamples, Store,
};
use crate::embedded::{Embedded, Surroundings};
use crate::fs::{Fs, RealFs};
use crate::{DiskFloor, StoreConfig};

/// 2026-11-21T11:00:00Z.
pub const NOW_MS: i64 = 1_795_258_800_000;
pub const NOW_NS: i64 = NOW_MS * 1_000_000;

/// One directory, on which stores are opened one after the other.
pub struct Bed {
    pub dir: PathBuf,
    pub fs: Arc<dyn Fs>,
    pub clock_ms: Arc<AtomicI64>,
    pub config: StoreConfig,
    _kept: Option<tempfile::TempDir>,
}

impl Bed {
    pub fn new() -> Self {
        Self::on(Arc::new(RealFs))
    }

    pub fn on(fs: Arc<dyn Fs>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = StoreConfig::new(dir.path());
        config.shards = Some(1);
        config.segment_bytes = 256 << 10;
        config.disk = DiskFloor { percent: 0, cap_bytes: 0, least_bytes: 0 };
        let clock_ms = Arc::new(AtomicI64::new(NOW_MS));
        Self { dir: dir.path().to_owned(), fs, clock_ms, config, _kept: Some(dir) }
    }

    /// A bed on a directory that somebody else keeps.
    pub fn at(dir: PathBuf) -> Self {
        let mut bed = Self::new();
        bed.config.dir.clone_from(&dir);
        bed.dir = dir;
        bed
    }

    pub async fn open(&self) -> Arc<Embedded> {
        self.try_open().await.unwrap()
    }

    pub async fn try_open(&self) -> Result<Arc<Embedded>, Error> {
        let clock_ms = Arc::clone(&self.clock_ms);
        let around = Surroundings {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            clock: Arc::new(move || clock_ms.load(Ordering::Relaxed)),
            fs: Arc::clone(&self.fs),
        };
        Embedded::open_on(self.config.clone(), around).await
    }
}

pub fn org(n: u8) -> TenantCtx {
    TenantCtx::system(OrgId::from_bytes([n; 16]), "test")
}

pub fn line(n: u64) -> LogRow {
    let mut row = LogRow {
        ts: NOW_NS + n as i64 * 1_000,
        observed_ts: NOW_NS,
        cluster: "c1".into(),
        namespace: if n.is_multiple_of(3) { "shop".into() } else { "ops".into() },
        pod: format!("web-{}", n % 5),
        container: "app".into(),
        iostream: "stdout".into(),
        level: if n.is_multiple_of(10) { 17 } else { 9 },
        message: format!("line {n} of the test").into_bytes(),
        segment_key: 7,
        offset: n * 100,
        ..LogRow::default()
    };
    row.attributes.set("n", n as i64);
    row.attributes.set("ratio", 0.5_f64);
    row.resource.set("k8s.pod.name", row.pod.clone());
    if n.is_multiple_of(4) {
        row.trace_id = Some([n as u8; 16]);
    }
    row
}

pub fn lines(from: u64, to: u64) -> Vec<LogRow> {
    (from..to).map(line).collect()
}

pub fn span(n: u64) -> SpanRow {
    let mut row = SpanRow {
        trace_id: [n as u8; 16],
        span_id: [1; 8],
        start: NOW_NS + n as i64,
        duration_ns: 1_000 * n,
        service: format!("svc-{}", n % 3),
        name: "GET /".into(),
        http_status: 200,
        ..SpanRow::default()
    };
    row.attributes.set("ok", true);
    row
}

pub fn event(n: u64) -> EventRow {
    EventRow {
        ts: NOW_NS + n as i64,
        first_ts: NOW_NS,
        count: n as u32,
        r#type: "Warning".into(),
        reason: "BackOff".into(),
        object: ObjectRef {
            kind: "Pod".into(),
            name: "web".into(),
            uid: format!("u{n}"),
            ..ObjectRef::default()
        },
        message: "restarting".into(),
        uid: format!("e{n}"),
        ..EventRow::default()
    }
}

pub fn gauge(name: &str, pod: &str, samples: &[(i64, f64)]) -> Series {
    let pairs = [("__name__", name), ("k8s.pod.name", pod)];
    Series {
        labels: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Labels>(),
        kind: SeriesKind::Gauge,
        unit: "By".into(),
        start_ms: None,
        samples: samples.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect(),
    }
}

pub async fn put(store: &Embedded, ctx: &TenantCtx, rows: Rows) -> Appended {
    store.append(ctx, Batch { id: None, rows }).await.unwrap()
}

pub async fn put_as(
    store: &Embedded,
    ctx: &TenantCtx,
    id: (u64, u64),
    rows: Rows,
) -> Result<Appended, Error> {
    store.append(ctx, Batch { id: Some(BatchId { source: id.0, seq: id.1 }), rows }).await
}

pub fn ask(signal: Signal, filter: Filter) -> SearchAsk {
    SearchAsk {
        signal,
        filter,
        range: RangeNs::ALL,
        order: Order::Ascending,
        limit: 10_000,
        cursor: None,
        within: None,
    }
}

pub async fn page(store: &Embedded, ctx: &TenantCtx, ask: SearchAsk) -> SearchPage {
    store.search(ctx, ask).await.unwrap()
}

pub fn logs(page: &SearchPage) -> Vec<LogRow> {
    match &page.rows {
        SearchRows::Logs(rows) => rows.clone(),
        other => panic!("not logs: {other:?}"),
    }
}

/// All lines, page by page.
pub async fn all_lines(store: &Embedded, ctx: &TenantCtx) -> Vec<LogRow> {
    let mut out = Vec::new();
    let mut next = ask(Signal::Logs, Filter::All);
    loop {
        let page = page(store, ctx, next.clone()).await;
        assert_eq!(page.incomplete, Vec::<String>::new());
        out.extend(logs(&page));
        match page.next {
            Some(cursor) => next.cursor = Some(cursor),
            None => return out,
        }
    }
}

pub async fn select(store: &Embedded, ctx: &TenantCtx, matcher: Matcher) -> Vec<SeriesSamples> {
    let ask = SeriesAsk { matchers: vec![matcher], range: RangeMs::ALL, max_series: 10_000 };
    let batches: Vec<_> = store.select_series(ctx, ask).await.unwrap().collect().await;
    batches.into_iter().flat_map(Result::unwrap).collect()
}
