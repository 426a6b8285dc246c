//! How fast the store finds, and how small it keeps, against what people use on files.
//!
//! In:     rows (`L1 L2 L3 L4 L5 T1 M2`, none: all), then optionally the size of the corpus in MiB (default 512).
//! Out:    a line a row: our time or size, the rival's, the ratio; best of five, answers compared before times. Of ours also
//!         the first time and the processor's, of which the best round took that much.
//! Run:    `cargo run --release -p ph-store --example bench_search -- L1 L4 1024`
//! Needs:  `zstd`, `gzip`, `grep` and `awk` for the rows of lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ph_access::TenantCtx;
use ph_filter::{Case, Filter, Order as Side};
use ph_model::{LogRow, OrgId, RangeNs, Sample, Series, SeriesKind, Signal, SpanRow};
use ph_store::{
    Batch, CountAsk, DiskFloor, Embedded, Order, Rows, SearchAsk, SearchRows, Store, StoreConfig, TracesAsk,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How long a full store is left alone.
const RETRY: std::time::Duration = std::time::Duration::from_millis(200);
const ROUNDS: u32 = 5;
const BATCH: u64 = 2_000;
/// 2026-11-21T00:00:00Z, and a clock that stands at the end of that day.
const DAY_MS: i64 = 1_795_219_200_000;
const NOW_MS: i64 = DAY_MS + 86_000_000;
const RARE: &str = "zebrafish_7719";

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

struct Bench {
    dir: PathBuf,
    mib: u64,
    ctx: TenantCtx,
    store: Arc<Embedded>,
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let (mut rows, mut mib) = (Vec::new(), 512);
    for word in std::env::args().skip(1) {
        match word.parse() {
            Ok(n) => mib = n,
            Err(_) => rows.push(word),
        }
    }
    let asked = |row: &str| rows.is_empty() || rows.iter().any(|r| r == row);
    let dir = std::env::temp_dir().join(format!("ph-bench-search-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let tasks = TaskTracker::new();
    let mut config = StoreConfig::new(dir.join("store"));
    config.disk = DiskFloor { percent: 0, cap_bytes: 0, least_bytes: 1 << 30 };
    let store = Embedded::open(config, CancellationToken::new(), tasks, Arc::new(|| NOW_MS)).await?;
    let ctx = TenantCtx::system(OrgId::from_bytes([7; 16]), "bench");
    let bench = Bench { dir: dir.clone(), mib, ctx, store };
    let done = bench.run(&asked).await;
    bench.store.shutdown().await;
    std::fs::remove_dir_all(&dir)?;
    done
}

fn line(n: u64, random: &mut Random) -> String {
    let (a, b) = (random.next(), random.next());
    let level = ["INFO", "INFO", "INFO", "WARN", "ERROR"][(a % 5) as usize];
    if n % 5 < 2 {
        return format!(
            "{level} request {a:016x} of session {b:016x} took {}ms, status {} for tenant-{} on shard {}",
            b % 900,
            [200, 200, 404, 500][(b % 4) as usize],
            a % 500,
            b % 64
        );
    }
    format!(
        "{level} worker {} finished job kind={} attempt {} in queue default, next run in {} seconds, checkpoint {} committed",
        a % 40,
        ["reindex", "mail", "billing", "thumbnail"][(a % 4) as usize],
        b % 4,
        b % 600,
        n / 100
    )
}

/// How long something took: the best round, its processor time, and the first round.
#[derive(Clone, Copy)]
struct Took {
    best: Duration,
    processor: Duration,
    first: Duration,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1?} (processor {:.1?}, first {:.1?})", self.best, self.processor, self.first)
    }
}

fn processor() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// The best of some rounds, and the answer, which must be the same each time.
async fn best<T: PartialEq, F: Future<Output = Result<T, Fault>>>(
    mut round: impl FnMut() -> F,
) -> Result<(Took, T), Fault> {
    let mut out: Option<(Took, T)> = None;
    for _ in 0..ROUNDS {
        let (began, worked) = (Instant::now(), processor());
        let answer = round().await?;
        let (took, processor) = (began.elapsed(), processor() - worked);
        out = match out {
            None => Some((Took { best: took, processor, first: took }, answer)),
            Some((_, known)) if known != answer => return Err("two rounds gave two answers".into()),
            Some((least, known)) if took < least.best => {
                Some((Took { best: took, processor, ..least }, known))
            }
            known => known,
        };
    }
    out.ok_or_else(|| "no round was run".into())
}

/// What a shell's pipe counts, and how long it takes.
fn shell(command: &str) -> Result<(Duration, u64), Fault> {
    let mut least = Duration::MAX;
    let mut count = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let out = Command::new("sh").args(["-c", command]).stderr(Stdio::inherit()).output()?;
        least = least.min(began.elapsed());
        count = String::from_utf8(out.stdout)?.trim().parse()?;
    }
    Ok((least, count))
}

fn size(dir: &Path, endings: &[&str]) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sum += size(&path, endings)?;
        } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
            sum += path.metadata()?.len();
        }
    }
    Ok(sum)
}

fn told(row: &str, what: &str, ours: Took, rival: Duration) {
    let ratio = rival.as_secs_f64() / ours.best.as_secs_f64();
    println!("{row}  {what}: {ours} against {rival:.1?}, ratio {ratio:.1}");
}

impl Bench {
    async fn run(&self, asked: &dyn Fn(&str) -> bool) -> Result<(), Fault> {
        if ["L1", "L2", "L3", "L4"].iter().any(|row| asked(row)) {
            self.lines(asked).await?;
        }
        if asked("L5") {
            self.beside().await?;
        }
        if asked("T1") {
            self.traces().await?;
        }
        if asked("M2") {
            self.metrics().await?;
        }
        Ok(())
    }

    async fn put(&self, rows: Rows) -> Result<(), Fault> {
        loop {
            match self.store.append(&self.ctx, Batch { id: None, rows: rows.clone() }).await {
                Ok(done) if done.rejected.is_empty() => return Ok(()),
                Ok(done) => return Err(format!("{:?}", done.rejected).into()),
                // As a sender does: later, when the disk has taken what waits.
                Err(e) if e.retry_after_ms.is_some() => tokio::time::sleep(RETRY).await,
                Err(e) => return Err(e.into()),
            }
        }
    }

    async fn settle(&self) -> Result<(), Fault> {
        self.store.flush().await?;
        self.store.compact().await?;
        Ok(())
    }

    async fn lines(&self, asked: &dyn Fn(&str) -> bool) -> Result<(), Fault> {
        let text = self.dir.join("lines.txt");
        let (mut out, mut random) = (BufWriter::with_capacity(1 << 20, File::create(&text)?), Random(1));
        let (mut written, mut n) = (0, 0_u64);
        let mut rare = false;
        while written < self.mib << 20 {
            let mut rows = Vec::with_capacity(BATCH as usize);
            for _ in 0..BATCH {
                let mut message = line(n, &mut random);
                if !rare && written > (self.mib << 20) * 3 / 5 {
                    rare = true;
                    message.push_str(&format!(" {RARE}"));
                }
                writeln!(out, "{message}")?;
                written += message.len() as u64 + 1;
                rows.push(LogRow {
                    ts: DAY_MS * 1_000_000 + n as i64 * 1_000_000,
                    namespace: format!("ns-{}", n % 12),
                    pod: format!("web-{}", n % 200),
                    container: "app".into(),
                    iostream: "stdout".into(),
                    level: [9, 9, 9, 13, 17][(n % 5) as usize],
                    message: message.into_bytes(),
                    offset: n,
                    ..LogRow::default()
                });
                n += 1;
            }
            self.put(Rows::Logs(rows)).await?;
        }
        out.flush()?;
        self.settle().await?;
        for pack in ["zstd -q -3 -k -f lines.txt", "gzip -k -f lines.txt"] {
            let packed = Command::new("sh").args(["-c", pack]).current_dir(&self.dir).status()?;
            if !packed.success() {
                return Err(format!("`{pack}` failed").into());
            }
        }
        if asked("L1") {
            self.rare().await?;
        }
        if asked("L2") {
            let filter = Filter::Contains { field: None, text: "b3f1".into(), case: Case::Sensitive };
            self.counted("L2", filter, "grep -cF b3f1").await?;
        }
        if asked("L3") {
            let filter =
                Filter::Regex { field: None, pattern: "Kind=(mail|bill)".into(), case: Case::Insensitive };
            self.counted("L3", filter.clone(), "grep -ciE 'Kind=(mail|bill)'").await?;
            self.by_level(filter).await?;
        }
        if asked("L4") {
            let ours = size(&self.dir.join("store/t"), &["parquet", "tix", "tid"])?;
            let zstd = self.dir.join("lines.txt.zst").metadata()?.len();
            println!(
                "L4  {n} lines: {ours} bytes against zstd -3 {zstd}, ratio {:.2}",
                ours as f64 / zstd as f64
            );
        }
        Ok(())
    }

    /// Intake alone, questions alone, and both at once.
    async fn beside(&self) -> Result<(), Fault> {
        const SPAN: Duration = Duration::from_secs(10);
        if self.store.stats(&self.ctx).await?.rows[1] < 200_000 {
            self.take_lines(Instant::now() + Duration::from_secs(5), 0).await?;
            self.settle().await?;
        }
        let (_, alone) = self.questions(Instant::now() + SPAN).await?;
        let taken = self.take_lines(Instant::now() + SPAN, 1).await?;
        let until = Instant::now() + SPAN;
        let (beside, asked) = tokio::join!(self.take_lines(until, 2), self.questions(until));
        let (beside, (count, busy)) = (beside?, asked?);
        let rate = |rows: u64| rows as f64 / SPAN.as_secs_f64();
        println!(
            "L5  {:.0} rows/s alone, {:.0} beside 4 queries: {:.0} % kept",
            rate(taken),
            rate(beside),
            beside as f64 / taken as f64 * 100.0
        );
        println!(
            "L5  p99 of queries {alone:.1?} alone, {busy:.1?} beside intake ({count} queries): {:.1} x",
            busy.as_secs_f64() / alone.as_secs_f64()
        );
        Ok(())
    }

    /// Four askers at once; how many questions were answered, and the p99 of their times.
    async fn questions(&self, until: Instant) -> Result<(usize, Duration), Fault> {
        let one = |n: u64| async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let ask = SearchAsk {
                    signal: Signal::Logs,
                    filter: Filter::And(vec![
                        Filter::equal("pod", format!("web-{}", n * 7)),
                        Filter::words("ERROR"),
                    ]),
                    range: RangeNs::ALL,
                    order: Order::Descending,
                    limit: 100,
                    cursor: None,
                    within: None,
                };
                let began = Instant::now();
                self.store.search(&self.ctx, ask).await?;
                times.push(began.elapsed());
            }
            Ok::<_, Fault>(times)
        };
        let (a, b, c, d) = tokio::join!(one(0), one(1), one(2), one(3));
        let mut all = [a?, b?, c?, d?].concat();
        all.sort_unstable();
        let p99 = all.get(all.len() * 99 / 100).copied().ok_or("no question was answered")?;
        Ok((all.len(), p99))
    }

    /// Sends lines until a moment; how many were taken.
    async fn take_lines(&self, until: Instant, seed: u64) -> Result<u64, Fault> {
        let (mut random, mut taken) = (Random(seed + 11), 0_u64);
        // New lines are newer than those before them, as where they are written.
        let first = DAY_MS * 1_000_000 + (seed as i64 + 1) * 10_000_000_000_000;
        while Instant::now() < until {
            let rows = (taken..taken + BATCH).map(|n| LogRow {
                ts: first + n as i64 * 100_000,
                namespace: format!("ns-{}", n % 12),
                pod: format!("web-{}", n % 200),
                container: "app".into(),
                iostream: "stdout".into(),
                level: [9, 9, 9, 13, 17][(n % 5) as usize],
                message: line(n, &mut random).into_bytes(),
                offset: n,
                segment_key: u128::from(seed),
                ..LogRow::default()
            });
            self.put(Rows::Logs(rows.collect())).await?;
            taken += BATCH;
        }
        Ok(taken)
    }

    async fn rare(&self) -> Result<(), Fault> {
        let ask = SearchAsk {
            signal: Signal::Logs,
            filter: Filter::words(RARE),
            range: RangeNs::ALL,
            order: Order::Descending,
            limit: 10,
            cursor: None,
            within: None,
        };
        let (ours, found) = best(|| async {
            match self.store.search(&self.ctx, ask.clone()).await?.rows {
                SearchRows::Logs(rows) => Ok(rows.len() as u64),
                _ => Err("not lines".into()),
            }
        })
        .await?;
        for (unpack, packed) in [("zstdcat", "lines.txt.zst"), ("zcat", "lines.txt.gz")] {
            let path = self.dir.join(packed);
            let (rival, count) = shell(&format!("{unpack} {} | grep -cF {RARE}", path.display()))?;
            if count != found {
                return Err(format!("L1: {found} lines, {unpack} finds {count}").into());
            }
            told("L1", &format!("rare token, {unpack} | grep -F"), ours, rival);
        }
        Ok(())
    }

    /// Counts what passes a filter, beside `zstdcat | grep`.
    async fn counted(&self, row: &str, filter: Filter, grep: &str) -> Result<(), Fault> {
        let range = RangeNs::new(DAY_MS * 1_000_000, (DAY_MS + 86_400_000) * 1_000_000);
        let step_ns = 86_400_000_000_000;
        let ask = CountAsk { signal: Signal::Logs, filter, range, step_ns, by: None };
        let (ours, found) = best(|| async {
            Ok(self.store.count(&self.ctx, ask.clone()).await?.iter().map(|b| b.count).sum::<u64>())
        })
        .await?;
        let path = self.dir.join("lines.txt.zst");
        let (rival, count) = shell(&format!("zstdcat {} | {grep}", path.display()))?;
        if count != found {
            return Err(format!("{row}: {found} lines, grep finds {count}").into());
        }
        told(row, &format!("{found} lines, zstdcat | {grep}"), ours, rival);
        Ok(())
    }

    /// Counts what passes a filter by level and minute, beside `zstdcat | awk`.
    async fn by_level(&self, filter: Filter) -> Result<(), Fault> {
        let range = RangeNs::new(DAY_MS * 1_000_000, (DAY_MS + 86_400_000) * 1_000_000);
        let by = Some("level".to_owned());
        let ask = CountAsk { signal: Signal::Logs, filter, range, step_ns: 60_000_000_000, by };
        let (ours, found) = best(|| async {
            let buckets = self.store.count(&self.ctx, ask.clone()).await?;
            Ok(buckets.iter().map(|b| b.count * 100_000 + 1).sum::<u64>())
        })
        .await?;
        // One line each millisecond, levels as the rows have them.
        let awk = "awk 'tolower($0) ~ /kind=(mail|bill)/ { l = (NR - 1) % 5; if (l < 3) l = 0; \
                   c[l \" \" int((NR - 1) / 60000)]++; n++ } END { for (k in c) g++; printf \"%.0f\", n * 100000 + g }'";
        let path = self.dir.join("lines.txt.zst");
        let (rival, count) = shell(&format!("zstdcat {} | {awk}", path.display()))?;
        if count != found {
            return Err(format!("L3: {found} by level and minute, awk finds {count}").into());
        }
        told("L3", "the same by level and minute, zstdcat | awk", ours, rival);
        Ok(())
    }

    async fn traces(&self) -> Result<(), Fault> {
        // A span takes about as much room as two lines.
        let count = (self.mib << 20) / 256;
        let mut random = Random(3);
        let mut n = 0;
        while n < count {
            let spans = (n..n + BATCH).map(|n| {
                let trace = (n / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mut row = SpanRow {
                    trace_id: (u128::from(trace) << 64 | u128::from(n / 8)).to_be_bytes(),
                    span_id: n.to_be_bytes(),
                    parent_id: (n % 8 > 0).then(|| (n - n % 8).to_be_bytes()),
                    start: DAY_MS * 1_000_000 + n as i64 * 20_000,
                    duration_ns: random.next() % 500_000_000,
                    service: format!("svc-{}", n % 40),
                    name: format!("op-{}", n % 300),
                    ..SpanRow::default()
                };
                row.attributes.set("customer", format!("c{}", n / 8 % 50_000));
                row
            });
            let spans: Vec<SpanRow> = spans.collect();
            n += spans.len() as u64;
            self.put(Rows::Spans(spans)).await?;
        }
        self.settle().await?;
        let middle = n / 16;
        let id = u128::from(middle.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(middle);
        let (ours, spans) =
            best(|| async { Ok(self.store.trace(&self.ctx, id.to_be_bytes(), None).await?.spans.len()) })
                .await?;
        println!("T1  {spans} spans by trace id out of {n}: {ours}");
        let slow = Filter::Compare { field: "duration".into(), op: Side::More, value: "400ms".into() };
        let filter = Filter::And(vec![Filter::equal("customer", "c777"), slow]);
        let ask = TracesAsk {
            spans: filter.into(),
            select: Vec::new(),
            range: RangeNs::ALL,
            limit: 20,
            cursor: None,
        };
        let (ours, found) =
            best(|| async { Ok(self.store.search_traces(&self.ctx, ask.clone()).await?.traces.len()) })
                .await?;
        println!("T1  {found} traces by attribute and duration: {ours}");
        Ok(())
    }

    async fn metrics(&self) -> Result<(), Fault> {
        let mut random = Random(5);
        let mut series: Vec<Series> = (0..2_000_u64)
            .map(|n| Series {
                labels: [("__name__", format!("m{}", n % 40)), ("pod", format!("web-{}", n / 40))]
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect(),
                kind: SeriesKind::Gauge,
                unit: String::new(),
                start_ms: None,
                samples: Vec::new(),
            })
            .collect();
        let steps = (self.mib * 4).min(5_700);
        for step in 0..steps {
            for (n, one) in series.iter_mut().enumerate() {
                let value = match n % 20 {
                    0 => random.next() as f64 / 7.0,
                    1..=9 => (step * (n as u64 % 90 + 10)) as f64,
                    10..=15 => (random.next() % 1_000) as f64 / 10.0,
                    _ => (n % 4) as f64,
                };
                one.samples = vec![Sample { at_ms: DAY_MS + step as i64 * 15_000, value }];
            }
            self.put(Rows::Metrics(series.clone())).await?;
        }
        self.settle().await?;
        let stats = self.store.stats(&self.ctx).await?;
        let [samples, ..] = stats.rows;
        let [bytes, ..] = stats.bytes;
        println!(
            "M2  {samples} samples: {:.2} bytes a sample, index included",
            bytes as f64 / samples as f64
        );
        Ok(())
    }
}
