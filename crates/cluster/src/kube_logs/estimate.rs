//! How much a search in the client would download, before it does.

use futures::StreamExt;

use super::ask::Timing;
use super::containers::Source;
use super::fetch::{self, Options};
use super::line::Splitter;

/// The kubelet rotates the live file at about this size.
const LIVE_FILE: u64 = 10 << 20;
/// Containers that are sampled, spread over all.
const SAMPLES: usize = 20;
const SAMPLE_LINES: u64 = 100;
const SAMPLE_BYTES: u64 = 64 << 10;

/// What a question would download at most, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub bytes: u64,
    pub containers: usize,
    /// Containers whose pace was looked at.
    pub sampled: usize,
}

/// Bytes a second of a few containers, times the span, times their number; never more than a live file each.
///
/// `from_ns` absent: whole files. Costs at most 20 small requests.
pub async fn estimate(
    client: &kube::Client,
    sources: &[Source],
    (from_ns, now_ns): (Option<i64>, i64),
) -> Estimate {
    let readable: Vec<&Source> = sources.iter().filter(|s| !s.state.is_waiting() || s.restarts > 0).collect();
    let step = readable.len().div_ceil(SAMPLES).max(1);
    let asked: Vec<_> = readable.iter().step_by(step).map(|s| sample(client, s, (from_ns, now_ns))).collect();
    let sizes: Vec<u64> =
        futures::stream::iter(asked).buffer_unordered(8).filter_map(std::future::ready).collect().await;
    let containers = readable.len();
    let sampled = sizes.len();
    // Where nothing could be sampled, the worst is assumed.
    let mean = if sampled == 0 { LIVE_FILE } else { sizes.iter().sum::<u64>() / sampled as u64 };
    Estimate { bytes: mean.saturating_mul(containers as u64), containers, sampled }
}

async fn sample(
    client: &kube::Client,
    source: &Source,
    (from_ns, now_ns): (Option<i64>, i64),
) -> Option<u64> {
    let options =
        Options { tail_lines: Some(SAMPLE_LINES), limit_bytes: Some(SAMPLE_BYTES), ..Options::default() };
    let timing = Timing::default();
    let mut answer = fetch::open(client, source, &options, &timing).await.ok()?;
    let mut splitter = Splitter::new(64 << 10);
    let (mut bytes, mut lines, mut first, mut last) = (0_u64, 0_u64, None, None);
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(timing.answer, answer.next()).await {
        bytes += chunk.len() as u64;
        splitter.push(&chunk);
        while let Some(line) = splitter.next(now_ns) {
            lines += 1;
            first = first.or(line.ts_ns);
            last = line.ts_ns.or(last);
        }
    }
    if lines < SAMPLE_LINES && bytes < SAMPLE_BYTES {
        return Some(bytes);
    }
    let (first, last) = (first?, last?);
    let Some(from_ns) = from_ns else { return Some(LIVE_FILE) };
    // A tail that was cut at its end says little of its time; what it says is an upper bound of the pace.
    let seconds = ((last - first).max(1_000_000)) as f64 / 1e9;
    let span = (now_ns - from_ns).max(0) as f64 / 1e9;
    Some(((bytes as f64 / seconds * span) as u64).min(LIVE_FILE))
}
