//! Numbers instead of lines: counted by the engine over what it reads.

use ph_api::{LogBucket, LogCount};
use ph_taillog::{Batch, Bucket, Count, CountBy, Feed, ReadAsk, Reader, State};

use super::{Job, Local, failed, failure, note, now_ns};
use crate::commands::logs::ask::{Aggregate, Ask};
use crate::commands::logs::line::Source;
use crate::commands::logs::numbers;
use crate::commands::logs::output::{End, Output};
use crate::commands::logs::spread::Spread;
use crate::failure::{Doing, Failure, Outcome};

/// Bytes of messages of one batch.
const BATCH: usize = 256 << 10;

/// What is counted over all sources together.
enum Counter {
    /// Each source's own matches are all that is wanted.
    Sources,
    Time(Spread, u32),
    /// With how many are told.
    By(Box<Count>, usize),
}

impl Counter {
    fn new(by: &Aggregate) -> Self {
        match by {
            Aggregate::PerSource | Aggregate::SourcesOnly => Counter::Sources,
            Aggregate::Time { buckets } => Counter::Time(Spread::default(), *buckets),
            Aggregate::Field { name, most } if name == "level" => Self::by(CountBy::Level, *most),
            Aggregate::Field { name, most } if Source::default().column(name).is_some() => {
                Self::by(CountBy::Source, *most)
            }
            Aggregate::Field { name, most } => {
                Self::by(CountBy::Field { name: name.clone(), top: *most as usize }, *most)
            }
            Aggregate::Pattern { most } => Self::by(CountBy::Pattern { top: *most as usize }, *most),
        }
    }

    fn by(by: CountBy, most: u32) -> Self {
        Counter::By(Box::new(Count::new(by)), most as usize)
    }

    fn add(&mut self, source: usize, batch: &Batch) {
        match self {
            Counter::Sources => {}
            Counter::By(count, _) => count.add_from(u32::try_from(source).unwrap_or(u32::MAX), batch),
            Counter::Time(spread, _) => {
                for record in batch.records.iter().filter(|r| !r.context) {
                    spread.add(record.ts_ns, record.level);
                }
            }
        }
    }

    /// In the contract's words; `None` where sources are told.
    fn told(&self, by: &Aggregate, sources: &[Source]) -> Option<LogCount> {
        match self {
            Counter::Sources => None,
            Counter::Time(spread, buckets) => {
                Some(LogCount { buckets: spread.buckets(*buckets), exact: true, ..LogCount::default() })
            }
            Counter::By(count, most) => {
                let mut found = count.buckets();
                if let Aggregate::Field { name, .. } = by {
                    found = named(found, name, sources);
                }
                found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
                found.truncate(*most);
                let error = found.iter().map(|b| b.over).max().unwrap_or_default();
                let inside: u64 = found.iter().map(|b| b.count).sum();
                let buckets = found
                    .into_iter()
                    .map(|b| LogBucket { key: b.key, count: b.count, ..LogBucket::default() })
                    .collect();
                let other = count.outside() + count.records().saturating_sub(inside);
                Some(LogCount { buckets, other, exact: error == 0, error, ..LogCount::default() })
            }
        }
    }
}

/// Counts by source as counts by what its lines have in common; counts of anything else as they are.
fn named(found: Vec<Bucket>, name: &str, sources: &[Source]) -> Vec<Bucket> {
    if Source::default().column(name).is_none() {
        return found;
    }
    let mut by_value: std::collections::BTreeMap<String, Bucket> = std::collections::BTreeMap::new();
    for bucket in found {
        let source = bucket.key.parse::<usize>().ok().and_then(|i| sources.get(i));
        // A file outside of a cluster's layout has none of them: it stays among the others.
        let Some(value) = source.and_then(|s| s.column(name)).filter(|v| !v.is_empty()) else { continue };
        match by_value.get_mut(value) {
            Some(held) => held.count += bucket.count,
            None => drop(by_value.insert(value.to_owned(), Bucket { key: value.to_owned(), ..bucket })),
        }
    }
    by_value.into_values().collect()
}

/// Counts what files hold.
pub fn run(job: &Job, (_ask, by): (&Ask, &Aggregate), (locals, out): (&[Local], &mut Output)) -> Outcome {
    out.sources(locals.iter().map(|l| l.source.clone()).collect())?;
    let mut counting = Counting {
        job,
        by,
        counter: Counter::new(by),
        sum: ph_taillog::Stats::default(),
        rows: Vec::new(),
        sources: Vec::new(),
    };
    counting.sources = locals.iter().map(|l| l.source.clone()).collect();
    let mut last = None;
    let mut end = End::Done;
    for (index, local) in locals.iter().enumerate() {
        match counting.one((index, local), out) {
            Ok(None) => {}
            Ok(Some(stopped)) => {
                end = stopped;
                break;
            }
            Err(error) => {
                failed(out, &error, (index, &local.path.display().to_string()))?;
                last = Some(failure(&error));
            }
        }
    }
    if let (true, Some(failure)) = (counting.rows.is_empty(), last) {
        return Err(failure);
    }
    counting.tell((end, locals.len()), out)
}

/// Counts what comes through a pipe.
pub fn piped(job: &Job, (_ask, by): (&Ask, &Aggregate), (feed, out): (&mut Feed, &mut Output)) -> Outcome {
    let mut counting = Counting {
        job,
        by,
        counter: Counter::new(by),
        sum: ph_taillog::Stats::default(),
        rows: Vec::new(),
        sources: Vec::new(),
    };
    let mut end = End::Done;
    loop {
        if let Some(stop) = job.stop(out) {
            end = stop;
            break;
        }
        let batch = match feed.next_batch(BATCH) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.doing(|| "read standard input".to_owned())?,
        };
        counting.counter.add(0, &batch);
        if batch.state == State::Ended {
            break;
        }
    }
    counting.sum = feed.stats();
    counting.rows.push(("stdin".to_owned(), counting.sum.matches));
    counting.tell((end, 1), out)
}

struct Counting<'a> {
    job: &'a Job,
    by: &'a Aggregate,
    counter: Counter,
    sum: ph_taillog::Stats,
    rows: Vec<(String, u64)>,
    sources: Vec<Source>,
}

impl Counting<'_> {
    /// Reads one file to its end, or to its first match where that is enough.
    fn one(
        &mut self,
        (index, local): (usize, &Local),
        out: &mut Output,
    ) -> Result<Option<End>, ph_taillog::Error> {
        let limit = (*self.by == Aggregate::SourcesOnly).then_some(1);
        let mut reader =
            Reader::open(&self.job.roots, &local.id, ReadAsk { limit, ..self.job.read.clone() })?;
        let name = local.path.display().to_string();
        let stopped = loop {
            if let Some(end) = self.job.stop(out) {
                break Some(end);
            }
            let batch = reader.next_batch(BATCH, now_ns())?;
            for (_, event) in &batch.notes {
                // A reader of our output that went away shows when the count is written.
                let _ = note(out, event, (index, &name));
            }
            self.counter.add(index, &batch);
            if batch.state != State::More {
                break None;
            }
        };
        self.sum = plus(self.sum, reader.stats());
        self.rows.push((name, reader.stats().matches));
        Ok(stopped)
    }

    fn tell(self, (end, known): (End, usize), out: &mut Output) -> Result<(), Failure> {
        match self.counter.told(self.by, &self.sources) {
            None => numbers::sources(self.by, &self.rows, out)?,
            Some(count) => numbers::write(self.by, &count, out)?,
        }
        out.counted(self.sum.matches);
        out.finish(&self.job.summary(self.sum, (self.rows.len(), known)), end)
    }
}

fn plus(a: ph_taillog::Stats, b: ph_taillog::Stats) -> ph_taillog::Stats {
    ph_taillog::Stats {
        segments_opened: a.segments_opened + b.segments_opened,
        scanned_bytes: a.scanned_bytes + b.scanned_bytes,
        lines: a.lines + b.lines,
        matches: a.matches + b.matches,
        cut_lines: a.cut_lines + b.cut_lines,
        gaps: a.gaps + b.gaps,
        unknown_levels: a.unknown_levels + b.unknown_levels,
    }
}
