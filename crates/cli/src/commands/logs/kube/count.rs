//! Numbers instead of lines, counted where the bytes arrive.

use std::collections::HashMap;

use ph_api::{LogBucket, LogCount};
use ph_cluster::kube_logs::Record;
use ph_model::LogFlags;

use super::lanes::Lanes;
use crate::commands::logs::ask::{Aggregate, Ask};
use crate::commands::logs::line::Source;
use crate::commands::logs::numbers;
use crate::commands::logs::output::{End, Output};
use crate::commands::logs::spread::Spread;
use crate::failure::Failure;

/// Values that are told apart at most; further new ones are counted as others.
const MOST: usize = 100_000;

/// Counts to the end of the streams.
pub async fn run(
    lanes: &mut Lanes,
    (_ask, by): (&Ask, &Aggregate),
    out: &mut Output,
) -> Result<End, Failure> {
    let mut per_source: Vec<u64> = Vec::new();
    let mut spread = Spread::default();
    let mut values = Values::default();
    let mut matches = 0;
    while let Some((source, record)) = lanes.next(out).await? {
        if record.flags.has(LogFlags::CONTEXT) {
            continue;
        }
        matches += 1;
        if per_source.len() <= source {
            per_source.resize(source + 1, 0);
        }
        if let Some(count) = per_source.get_mut(source) {
            *count += 1;
        }
        match by {
            Aggregate::PerSource | Aggregate::SourcesOnly => {}
            Aggregate::Time { .. } => spread.add(record.ts_ns, ph_filter::level_of(&record.message).0),
            _ => values.add(lanes.sources().get(source).and_then(|s| key(by, (s, &record)))),
        }
    }
    match by {
        Aggregate::PerSource | Aggregate::SourcesOnly => {
            per_source.resize(lanes.sources().len(), 0);
            let names = lanes.sources().iter().map(|s| format!("{}:{}/{}", s.namespace, s.pod, s.container));
            let rows: Vec<(String, u64)> = names.zip(per_source).collect();
            numbers::sources(by, &rows, out)?;
        }
        Aggregate::Time { buckets } => {
            let count = LogCount { buckets: spread.buckets(*buckets), exact: true, ..LogCount::default() };
            numbers::write(by, &count, out)?;
        }
        Aggregate::Field { most, .. } | Aggregate::Pattern { most } => {
            numbers::write(by, &values.told(*most as usize), out)?;
        }
    }
    out.counted(matches);
    Ok(lanes.end())
}

fn key(by: &Aggregate, (source, record): (&Source, &Record)) -> Option<String> {
    let plain = ph_taillog::plain(&record.message);
    match by {
        Aggregate::Field { name, .. } if name == "level" => {
            Some(ph_filter::level_of(&record.message).0.as_str().to_owned())
        }
        Aggregate::Field { name, .. } if name == "stream" => {
            Some(record.stream.as_str().to_owned()).filter(|s| !s.is_empty())
        }
        Aggregate::Field { name, .. } if name == "restart" => Some(record.run.to_string()),
        Aggregate::Field { name, .. } => source
            .column(name)
            .map(str::to_owned)
            .or_else(|| ph_filter::field(&plain.text, name).map(std::borrow::Cow::into_owned)),
        _ => Some(ph_taillog::pattern(&plain.text)),
    }
}

/// Values with their counts.
#[derive(Default)]
struct Values {
    counts: HashMap<String, u64>,
    other: u64,
}

impl Values {
    fn add(&mut self, key: Option<String>) {
        match key {
            Some(key) if self.counts.len() < MOST || self.counts.contains_key(&key) => {
                *self.counts.entry(key).or_default() += 1;
            }
            _ => self.other += 1,
        }
    }

    fn told(self, most: usize) -> LogCount {
        let full = self.counts.len() >= MOST;
        let mut found: Vec<(String, u64)> = self.counts.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rest: u64 = found.iter().skip(most).map(|(_, n)| n).sum();
        let buckets = found
            .into_iter()
            .take(most)
            .map(|(key, count)| LogBucket { key, count, ..LogBucket::default() })
            .collect();
        LogCount {
            buckets,
            other: self.other + rest,
            exact: !full,
            error: if full { self.other } else { 0 },
            ..LogCount::default()
        }
    }
}
