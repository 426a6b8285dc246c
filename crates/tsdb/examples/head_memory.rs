//! Where the bytes of a head are, with all series active.
//!
//! In:     how many series (default 100,000) and samples of each (default 60, a quarter of an hour).
//! Out:    bytes a series by part, estimated, beside what the process has resident: the head, the log's encoder, and a
//!         question about all series while its answer is held.
//! Run:    `cargo run --release -p ph-tsdb --example head_memory -- 100000 60`

use std::fs;

use ph_model::{Labels, RangeMs, Sample, Series, SeriesKind};
use ph_tsdb::wal::Encoder;
use ph_tsdb::{Head, HeadConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Series of one batch, as senders batch them.
const PER_BATCH: u64 = 2_000;

/// Labels as a cluster has them: forty metrics a pod.
fn labels(n: u64) -> Labels {
    let pod = n / 40;
    let hash = pod.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pairs = [
        ("__name__", format!("bench_metric_{}", n % 40)),
        ("cluster", "bench".to_owned()),
        ("container", "app".to_owned()),
        ("instance", format!("10.{}.{}.{}:8080", pod >> 16 & 255, pod >> 8 & 255, pod & 255)),
        ("job", "bench".to_owned()),
        ("namespace", format!("ns-{}", pod % 30)),
        ("node", format!("node-{}", pod % 200)),
        ("pod", format!("web-{}-{:08x}", pod % 500, hash >> 32)),
        ("uid", format!("{hash:016x}{:016x}", hash.rotate_left(17))),
    ];
    Labels::of(pairs.iter().map(|(name, value)| (*name, value.as_str())))
}

/// Counters, gauges with steps, a few random ones.
fn value(n: u64, step: u64) -> f64 {
    let mut random = (n << 20 | step).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    random ^= random >> 29;
    random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    match n % 20 {
        0 => (random >> 11) as f64 / 7.0,
        1..=9 => (step * (n % 90 + 10)) as f64,
        10..=15 => ((random >> 40) % 1_000) as f64 / 10.0,
        _ => (n % 4) as f64,
    }
}

/// Resident bytes of the process, and the most there ever were.
fn resident() -> Result<(f64, f64), std::io::Error> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    Ok((kib("VmRSS:") * 1024.0, kib("VmHWM:") * 1024.0))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let count = numbers.next().transpose()?.unwrap_or(100_000);
    let steps = numbers.next().transpose()?.unwrap_or(60);
    let each = |bytes: f64| bytes / count as f64;
    let (idle, _) = resident()?;
    let head = Head::new(HeadConfig::default());
    let mut encoder = Encoder::new();
    let mut told = idle;
    let mut tell = |what: &str| -> Result<(), std::io::Error> {
        let (now, peak) = resident()?;
        println!(
            "{what}: {:.0} bytes a series more, {:.1} MiB in all, peak {:.1}",
            each(now - told),
            now / 1_048_576.0,
            peak / 1_048_576.0
        );
        told = now;
        Ok(())
    };
    for step in 0..steps {
        for first in (0..count).step_by(PER_BATCH as usize) {
            let batch: Vec<Series> = (first..(first + PER_BATCH).min(count))
                .map(|n| Series {
                    labels: labels(n),
                    kind: SeriesKind::Unknown,
                    unit: String::new(),
                    start_ms: None,
                    samples: vec![Sample { at_ms: step as i64 * 15_000, value: value(n, step) }],
                })
                .collect();
            head.append(&batch, i64::MAX);
        }
        if step == 0 {
            tell("the head with one sample each")?;
        }
    }
    tell(&format!("the head with {steps} samples each"))?;
    for first in (0..count).step_by(PER_BATCH as usize) {
        let batch: Vec<Series> = (first..(first + PER_BATCH).min(count))
            .map(|n| Series {
                labels: labels(n),
                kind: SeriesKind::Unknown,
                unit: String::new(),
                start_ms: None,
                samples: Vec::new(),
            })
            .collect();
        let refs = batch.iter().filter_map(|series| head.series_ref(&series.labels));
        encoder.encode(refs.zip(&batch));
    }
    tell("the log's encoder")?;
    let last = steps as i64 * 15_000;
    let found = head.select(&[], RangeMs::new(last - 300_000, last))?;
    tell(&format!("an answer of {} series over five minutes", found.len()))?;
    let sets: usize = found.iter().map(|one| one.labels.size_bytes()).sum();
    println!(
        "of which {:.0} are labels, {:.0} samples",
        each(sets as f64),
        each(found.iter().map(|s| s.samples.capacity() * 16).sum::<usize>() as f64)
    );
    let parts = head.stats().parts;
    for (what, bytes) in [
        ("samples", parts.samples),
        ("series", parts.series),
        ("texts", parts.texts),
        ("label sets", parts.sets),
        ("hashes", parts.hashes),
        ("postings", parts.postings),
        ("all", parts.total()),
    ] {
        println!("{what}: {:.0} bytes a series", each(bytes as f64));
    }
    Ok(())
}
