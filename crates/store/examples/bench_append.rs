//! How fast the store takes samples and log rows, with its durability on, and how small they become.
//!
//! In:     arguments `metrics` or `logs`, then optionally `sync`, `interval` or `os`, then seconds (default 10).
//! Out:    one line of figures a second, and a summary: rate, rate per CPU second, bytes on disk, fsyncs.
//! Run:    `cargo run --release -p ph-store --example bench_append -- metrics sync 10`

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ph_access::TenantCtx;
use ph_model::{BatchId, LogRow, OrgId, Sample, Series, SeriesKind};
use ph_store::{Batch, Durability, Embedded, Rows, Store, StoreConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Senders side by side.
const SENDERS: u64 = 4;
const SERIES: u64 = 25_000;
const LINES: u64 = 2_000;
/// Time of the readings' start: so long ago that no run reaches the future, which the store would refuse.
static FIRST_MS: OnceLock<i64> = OnceLock::new();

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// CPU time that this process has used.
fn cpu() -> Duration {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(usage.tv_sec as u64, usage.tv_nsec as u32)
}

/// A small generator (xorshift), so that runs are alike.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// One reading of many series: counters, gauges with steps, a few random ones.
fn samples(sender: u64, step: u64, series: &mut [Series], random: &mut Random) {
    let at_ms = FIRST_MS.get_or_init(|| now_ms() - 7 * 86_400_000) + step as i64 * 15_000;
    for (n, one) in series.iter_mut().enumerate() {
        let value = match n % 20 {
            0 => random.next() as f64 / 7.0,
            1..=9 => (step * (n as u64 % 90 + 10) + sender) as f64,
            10..=15 => (random.next() % 1_000) as f64 / 10.0,
            _ => (n % 4) as f64,
        };
        one.samples = vec![Sample { at_ms, value }];
    }
}

fn series(sender: u64) -> Vec<Series> {
    let count = SERIES / SENDERS;
    let one = |n: u64| {
        let pairs = [
            ("__name__", format!("k8s.pod.metric.{}", n % 40)),
            ("k8s.cluster.name", "bench".to_owned()),
            ("k8s.namespace.name", format!("ns-{}", n % 12)),
            ("k8s.pod.name", format!("web-{}-{}", sender, n / 40)),
            ("k8s.pod.uid", format!("{:032x}", u128::from(n / 40) * 0x9e37_79b9_7f4a_7c15)),
        ];
        Series {
            labels: pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            kind: SeriesKind::Gauge,
            unit: "1".to_owned(),
            start_ms: None,
            samples: Vec::new(),
        }
    };
    (0..count).map(one).collect()
}

/// Lines of about 190 bytes, two of five with random ids.
fn lines(sender: u64, seq: u64, random: &mut Random) -> Vec<LogRow> {
    let line = |n: u64| {
        let ids =
            if n % 5 < 2 { format!("{:016x} {:016x}", random.next(), random.next()) } else { String::new() };
        let pod = n % 30;
        let text = format!(
            "2026-11-21T11:00:00.{:06}Z level=info method=GET path=/api/v1/orders/{} status=200 duration={}ms bytes={} \
             user=user-{} region=eu-central-1 trace={ids}",
            n,
            random.next() % 5_000,
            random.next() % 300,
            random.next() % 90_000,
            random.next() % 900
        );
        LogRow {
            ts: now_ms() * 1_000_000 + n as i64,
            observed_ts: now_ms() * 1_000_000,
            cluster: "bench".into(),
            namespace: format!("ns-{}", pod % 6),
            workload_kind: "Deployment".into(),
            workload: format!("web-{}", pod % 10),
            pod: format!("web-{}-7c9f-{pod}", pod % 10),
            pod_uid: format!("{pod:032x}"),
            container: "app".into(),
            node: format!("node-{}", pod % 3),
            iostream: "stdout".into(),
            level: 9,
            message: text.into_bytes(),
            segment_key: u128::from(sender),
            offset: (seq * LINES + n) * 190,
            ..LogRow::default()
        }
    };
    (0..LINES).map(line).collect()
}

struct Load {
    store: Arc<Embedded>,
    taken: AtomicU64,
    text_bytes: AtomicU64,
    building_ns: AtomicU64,
    until: Instant,
}

async fn send(load: &Load, sender: u64, metrics: bool) -> Result<(), Fault> {
    let ctx = TenantCtx::system(OrgId::from_bytes([1; 16]), "bench");
    let mut random = Random(sender + 88_172_645_463_325_252);
    let mut all = series(sender);
    let mut seq = 0;
    while Instant::now() < load.until {
        seq += 1;
        let began = cpu_of_thread();
        let rows = if metrics {
            samples(sender, seq, &mut all, &mut random);
            Rows::Metrics(all.clone())
        } else {
            let rows = lines(sender, seq, &mut random);
            load.text_bytes.fetch_add(rows.iter().map(|r| r.message.len() as u64).sum(), Ordering::Relaxed);
            Rows::Logs(rows)
        };
        load.building_ns.fetch_add((cpu_of_thread() - began).as_nanos() as u64, Ordering::Relaxed);
        let done = load.store.append(&ctx, Batch { id: Some(BatchId { source: sender, seq }), rows }).await?;
        load.taken.fetch_add(done.accepted, Ordering::Relaxed);
    }
    Ok(())
}

fn cpu_of_thread() -> Duration {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(usage.tv_sec as u64, usage.tv_nsec as u32)
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let metrics = match words.first().map(String::as_str) {
        Some("metrics") => true,
        Some("logs") => false,
        other => return Err(format!("first argument {other:?} is neither `metrics` nor `logs`").into()),
    };
    let durability = match words.get(1).map_or("sync", String::as_str) {
        "sync" => Durability::Sync,
        "interval" => Durability::Interval(Duration::from_secs(1)),
        "os" => Durability::Os,
        other => return Err(format!("durability {other:?} is none of sync, interval, os").into()),
    };
    let seconds: u64 = words.get(2).map_or(Ok(10), |s| s.parse())?;
    let dir = tempfile::tempdir()?;
    let mut config = StoreConfig::new(dir.path());
    config.durability = durability;
    let clock: ph_store::Clock = Arc::new(now_ms);
    let store = Embedded::open(config, CancellationToken::new(), TaskTracker::new(), clock).await?;
    let load = Arc::new(Load {
        store: Arc::clone(&store),
        taken: AtomicU64::new(0),
        text_bytes: AtomicU64::new(0),
        building_ns: AtomicU64::new(0),
        until: Instant::now() + Duration::from_secs(seconds),
    });
    let (began, cpu_began) = (Instant::now(), cpu());
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let load = Arc::clone(&load);
        senders.spawn(async move { send(&load, sender, metrics).await });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    let taking = began.elapsed();
    store.flush().await?;
    let building = Duration::from_nanos(load.building_ns.load(Ordering::Relaxed));
    let used = (cpu() - cpu_began).saturating_sub(building);
    let taken = load.taken.load(Ordering::Relaxed);
    let stats = store.stats(&TenantCtx::system(OrgId::from_bytes([1; 16]), "bench")).await?;
    let bytes: u64 = stats.bytes.iter().sum();
    let counters = store.counters();
    let what = if metrics { "samples" } else { "rows" };
    println!("{what}                  {taken}");
    println!("{what}/s                {:.0}", taken as f64 / taking.as_secs_f64());
    println!(
        "{what}/CPU second       {:.0}  (log, index and parts included, building of batches not)",
        taken as f64 / used.as_secs_f64()
    );
    println!("bytes/{what} in parts   {:.2}", bytes as f64 / taken as f64);
    println!("bytes/{what} in the log {:.2}", counters.wal_bytes as f64 / taken as f64);
    if !metrics {
        println!(
            "text bytes/row         {:.1}",
            load.text_bytes.load(Ordering::Relaxed) as f64 / taken as f64
        );
    }
    println!("{what} refused          {}", counters.rejected);
    println!("fsyncs                 {}", counters.fsyncs);
    println!("parts                  {}", stats.parts);
    store.shutdown().await;
    Ok(())
}
