//! Prints sizes and speeds of head, write-ahead payloads and blocks on a mix of series as Kubernetes gives them.
//!
//! In:     optionally the number of series (default 20,000) and of samples a series (default 240, 15 s apart).
//! Out:    bytes per sample, million samples a second on one core, bytes of memory per series.

use std::time::Instant;

use ph_model::{Labels, Matcher, RangeMs, Sample, Series, SeriesKind};
use ph_tsdb::{Grid, Head, HeadConfig, RangeFn, block, rate_at, wal};

const STEP_MS: i64 = 15_000;

/// A small generator with a fixed start, so that each run sees the same mix.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 1
    }

    fn below(&mut self, n: u64) -> f64 {
        (self.next() % n) as f64
    }
}

fn labels(n: usize) -> Labels {
    let metric =
        ["container_memory_bytes", "container_cpu_seconds", "pod_ready", "network_bytes", "queue_ratio"];
    let pod = n / 40;
    let pair = |name: &str, value: String| (name.to_owned(), value);
    Labels::new(vec![
        pair("__name__", format!("{}_{}", metric[n % 5], n % 40 / 5)),
        pair("cluster", "production-eu".into()),
        pair("namespace", format!("team-{}", pod % 12)),
        pair("workload", format!("service-{}", pod % 60)),
        pair("pod", format!("service-{}-{:08x}-x{}", pod % 60, pod * 7919, pod % 10)),
        pair("container", ["app", "sidecar"][n % 2].into()),
        pair("node", format!("node-{}", pod % 30)),
        pair("uid", format!("{:032x}", pod as u128 * 0x9e37_79b9_7f4a_7c15_f39c)),
    ])
}

/// A third constant, a third counters, gauges with few decimals, and one in twenty full random floats.
fn values(n: usize, count: usize, rng: &mut Rng) -> Vec<f64> {
    let mut at = rng.below(1_000_000_000);
    let next = |i: usize| match n % 20 {
        0 => (rng.next() >> 10) as f64 / (1_u64 << 53) as f64,
        1..=6 => 1.0 + (n % 3) as f64,
        7..=10 => {
            at += rng.below(2000);
            at
        }
        11..=13 => {
            at += rng.below(100);
            at / 100.0
        }
        14..=16 => ((at / 4096.0).trunc() + if i.is_multiple_of(4) { rng.below(64) } else { 0.0 }) * 4096.0,
        17 => rng.below(100),
        _ => rng.below(1000) / 1000.0,
    };
    (0..count).map(next).collect()
}

fn rss_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count = |text: Option<String>, default| text.map_or(Ok(default), |t| t.parse::<usize>());
    let (series, samples) = (count(args.next(), 20_000)?, count(args.next(), 240)?);
    let mut rng = Rng(1);
    let all: Vec<Series> = (0..series)
        .map(|n| Series {
            labels: labels(n),
            kind: SeriesKind::Gauge,
            unit: "1".into(),
            start_ms: None,
            samples: Vec::new(),
        })
        .collect();
    let columns: Vec<Vec<f64>> = (0..series).map(|n| values(n, samples, &mut rng)).collect();
    let total = (series * samples) as f64;
    let report = |what: &str, from: Instant| {
        println!("{what:34} {:8.1} M samples/s", total / from.elapsed().as_secs_f64() / 1e6)
    };

    let batches = (0..samples).map(|step| {
        let mut batch = all.clone();
        for (one, column) in batch.iter_mut().zip(&columns) {
            one.samples.push(Sample { at_ms: step as i64 * STEP_MS, value: column[step] });
        }
        batch
    });
    // What a batch itself needs is resident before memory is measured.
    drop(all.clone());
    let before = rss_bytes();
    let head = Head::new(HeadConfig::default());
    let (mut encoder, mut payloads) = (wal::Encoder::new(), Vec::new());
    let (mut append, mut log) = (0.0, 0.0);
    for batch in batches {
        let refs: Vec<u64> = batch.iter().filter_map(|s| head.series_ref(&s.labels)).collect();
        let start = Instant::now();
        payloads.push(encoder.encode(refs.into_iter().zip(&batch)));
        log += start.elapsed().as_secs_f64();
        let start = Instant::now();
        head.append(&batch, i64::MAX);
        append += start.elapsed().as_secs_f64();
    }
    println!("{:34} {:8.1} M samples/s", "append to the head", total / append / 1e6);
    let kept: u64 = payloads.iter().map(|p| p.len() as u64).sum();
    let stats = head.stats();
    println!(
        "{:34} {:8} B estimated, {} B resident, chunks included",
        "memory per series",
        stats.bytes / series as u64,
        (rss_bytes().saturating_sub(before + kept)) / series as u64,
    );

    println!(
        "{:34} {:8.1} M samples/s, {:.2} B/sample",
        "log payload",
        total / log / 1e6,
        kept as f64 / total
    );
    let (start, second, mut table) =
        (Instant::now(), Head::new(HeadConfig::default()), wal::DefTable::default());
    for payload in &payloads {
        second.replay(payload, &mut table, (i64::MIN, i64::MAX))?;
    }
    report("replay of the log", start);

    let start = Instant::now();
    let cut = head.cut(i64::MAX);
    report("cut", start);
    let start = Instant::now();
    let (meta, files) = block::encode(cut.iter())?;
    report("encode a block from the head", start);
    for (name, content) in &files {
        println!("  {name:32} {:8.3} B/sample", content.len() as f64 / total);
    }
    println!("{:34} {:8.3} B/sample", "block", meta.bytes as f64 / total);

    let open = |name: &str| {
        let found = files.iter().find(|(n, _)| n == name).map(|(_, content)| content.clone());
        found
            .map(|f| Box::new(f) as Box<dyn block::ReadAt>)
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let block = block::Block::from_files("memory", open)?;
    let start = Instant::now();
    let decoded: Vec<_> = block.select(&[], RangeMs::ALL)?.collect::<Result<_, _>>()?;
    report("decode a block", start);
    let grid = Grid { start_ms: 0, end_ms: samples as i64 * STEP_MS, step_ms: 60_000 };
    let start = Instant::now();
    let points: usize = decoded.iter().map(|s| rate_at(&s.samples, RangeFn::Rate, 300_000, grid).len()).sum();
    report(&format!("rate[5m] at {} steps", points / series.max(1)), start);
    let start = Instant::now();
    let one = [Matcher::equal("__name__", "pod_ready_1"), Matcher::regex("pod", "service-7-.*")];
    let found = block.select(&one, RangeMs::ALL)?.count();
    println!("select {found} series by name and regex: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
