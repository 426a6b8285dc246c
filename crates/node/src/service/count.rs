//! One `Logs.Count`: what a read would give, counted where it lies.
//!
//! In:     a read's question and what to count. Out: progress, gaps, at the end one result with the read's summary.
//! Never:  sends a line, but for one masked example of each pattern; lives on when its call ended.

use std::time::{Duration, Instant};

use ph_link::v1::{
    CountAsk, CountBy as By, CountEvent, CountResult, LogProgress, LogSummary, ReadMode, count_event::M,
    read_event,
};
use ph_taillog::{
    Batch, CountBy, MAX_BUCKETS, MAX_PATTERNS, MAX_VALUES, Reader, Seek, State, Telling, Told, inspect,
};
use tokio::sync::mpsc;
use tonic::Status;

use super::masking::Redactions;
use super::read::{PROGRESS_BYTES, PROGRESS_EVERY, Plan, Wanted};
use super::{Services, sources, wire};
use crate::time::now_ms;

/// A count that names no deadline ends after this.
const DEADLINE: Duration = Duration::from_secs(30);
const BATCH_BYTES: usize = 256 << 10;

/// What is asked for, checked.
pub struct Counting {
    plan: Plan,
    by: CountBy,
}

impl Counting {
    /// # Errors
    /// `invalid_argument` naming the field.
    pub fn new(services: &Services, ask: CountAsk, denied: Vec<(u32, String)>) -> Result<Self, Status> {
        let by = ask.by();
        let Some(mut open) = ask.open else { return Err(Status::invalid_argument("open is missing")) };
        open.mode = ReadMode::All.into();
        (open.lines, open.limit, open.max_rows, open.follow) = (0, 0, 0, false);
        (open.context_before, open.context_after) = (0, 0);
        let range =
            (open.from_ns, if open.to_ns == 0 { now_ms().saturating_mul(1_000_000) } else { open.to_ns });
        let mut plan = Plan::new(services, open)?.without(denied);
        plan.deadline.get_or_insert(DEADLINE);
        let most = |most: usize, name: &str| match ask.buckets as usize {
            0 => Ok(most),
            n if n <= most => Ok(n),
            n => Err(Status::invalid_argument(format!("buckets is {n}: at most {most} {name}"))),
        };
        let by = match by {
            By::Unspecified => return Err(Status::invalid_argument("by is missing")),
            By::Level => CountBy::Level,
            By::Source => CountBy::Source,
            By::Pattern => CountBy::Pattern { top: most(MAX_PATTERNS, "patterns")? },
            By::Field if ask.field.is_empty() => return Err(Status::invalid_argument("field is missing")),
            By::Field => CountBy::Field { name: ask.field, top: most(MAX_VALUES, "values")? },
            By::Time if range.0 >= range.1 || range.0 == 0 => {
                return Err(Status::invalid_argument("from_ns and to_ns must name a range of time"));
            }
            By::Time => {
                CountBy::Time { from_ns: range.0, to_ns: range.1, buckets: most(MAX_BUCKETS, "buckets")? }
            }
        };
        Ok(Self { plan, by })
    }
}

/// Why it ended without a result.
enum End {
    Cancelled,
    Failed(Status),
}

/// Counts until everything is read, the call ends, or a limit is reached. Blocks.
pub fn run(services: &Services, counting: Counting, events: &mpsc::Sender<Result<CountEvent, Status>>) {
    ph_taillog::stand_back();
    let Counting { plan, by } = counting;
    let counter = Counter {
        services,
        plan,
        count: Telling::new(by),
        events,
        summary: LogSummary::default(),
        began: Instant::now(),
        proven: true,
        redactions: Redactions::default(),
    };
    if let Err(End::Failed(status)) = counter.run() {
        // Nobody listens any more when the call was cancelled.
        let _ = events.blocking_send(Err(status));
    }
}

struct Counter<'a> {
    services: &'a Services,
    plan: Plan,
    count: Telling,
    events: &'a mpsc::Sender<Result<CountEvent, Status>>,
    summary: LogSummary,
    began: Instant,
    proven: bool,
    redactions: Redactions,
}

impl Counter<'_> {
    fn run(mut self) -> Result<(), End> {
        for (index, why) in std::mem::take(&mut self.plan.denied) {
            self.summary.sources += 1;
            self.gap(wire::denied(index, why))?;
        }
        let wanted = std::mem::take(&mut self.plan.wanted);
        let single = self.summary.sources == 0 && wanted.len() == 1;
        for one in wanted {
            self.summary.sources += 1;
            match self.source(&one) {
                Ok(None) => {}
                Ok(Some(stopped)) => return self.finish(stopped),
                Err(End::Failed(status)) if !single => {
                    self.gap(wire::unreadable(one.index, status.message().to_owned()))?;
                }
                Err(end) => return Err(end),
            }
        }
        self.finish("done")
    }

    /// Counts one source. Says why all of it is over.
    fn source(&mut self, wanted: &Wanted) -> Result<Option<&'static str>, End> {
        let failed = |error: ph_taillog::Error| End::Failed(sources::status(&error));
        let roots = self.services.roots();
        let known_bytes = self.known(&inspect(&roots, &wanted.id).map_err(failed)?);
        let mut ask = wanted.ask.clone();
        ask.threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(2));
        let mut reader = Reader::open(&roots, &wanted.id, ask).map_err(failed)?;
        let (mut told, mut untold) = (Instant::now(), 0);
        let stopped = loop {
            let batch = reader.next_batch(BATCH_BYTES, now_ms().saturating_mul(1_000_000)).map_err(failed)?;
            self.add(wanted.index, &batch);
            for gap in batch.gaps() {
                self.gap(wire::gap(wanted.index, gap))?;
            }
            untold += batch.scanned_bytes;
            let over = batch.state != State::More;
            let spent = self.spent().filter(|_| !over);
            if over || spent.is_some() || told.elapsed() >= PROGRESS_EVERY || untold >= PROGRESS_BYTES {
                (told, untold) = (Instant::now(), 0);
                self.send(M::Progress(LogProgress {
                    source: wanted.index,
                    at_ns: batch.at_ns.unwrap_or(0),
                    scanned_bytes: reader.stats().scanned_bytes,
                    total_bytes: known_bytes,
                    caught_up: over,
                    resume: batch.resume.map(wire::position),
                    ..LogProgress::default()
                }))?;
            }
            if over || spent.is_some() {
                break spent;
            }
            if self.events.is_closed() || self.services.stop.is_cancelled() {
                return Err(End::Cancelled);
            }
        };
        if roots.refused() > 0 {
            self.gap(wire::planted(wanted.index, &wanted.reference))?;
        }
        let stats = reader.stats();
        self.summary.segments_read += u32::try_from(stats.segments_opened).unwrap_or(u32::MAX);
        self.summary.lines += stats.lines;
        self.summary.unknown_levels += stats.unknown_levels;
        self.proven &= reader.seek() == Seek::Proven;
        Ok(stopped)
    }

    /// The budget that is used up.
    fn spent(&self) -> Option<&'static str> {
        if self.plan.budget_bytes.is_some_and(|budget| self.summary.scanned_bytes >= budget) {
            return Some("bytes");
        }
        self.plan.deadline.is_some_and(|d| self.began.elapsed() >= d).then_some("time")
    }

    /// Takes note of what lies on disk.
    fn known(&mut self, dir: &ph_taillog::SourceDir) -> u64 {
        let segments = || dir.runs.iter().flat_map(|r| &r.segments);
        let bytes = segments().map(|s| s.size_bytes).sum();
        self.summary.segments_known += u32::try_from(segments().count()).unwrap_or(u32::MAX);
        self.summary.known_bytes += bytes;
        if let Some(oldest) = segments().filter_map(|s| s.first_ns).min() {
            let held = self.summary.oldest_ns;
            self.summary.oldest_ns = if held == 0 { oldest } else { held.min(oldest) };
        }
        bytes
    }

    fn add(&mut self, source: u32, batch: &Batch) {
        self.summary.scanned_bytes += batch.scanned_bytes;
        self.summary.matches += batch.records.len() as u64;
        batch.records.iter().for_each(|r| self.redactions.add(r.masked));
        self.summary.cut_lines += batch.records.iter().filter(|r| r.full_bytes > 0).count() as u64;
        self.count.add_from(source, batch);
    }

    fn finish(mut self, stopped: &str) -> Result<(), End> {
        let Told { cells, other, error } = self.count.told();
        let buckets = cells.into_iter().map(wire::bucket).collect();
        self.summary.seek = if self.proven { "proven" } else { "assumed_ordered" }.to_owned();
        self.summary.completeness = match (self.summary.gaps, self.proven) {
            (0, true) => "proven",
            (0, false) => "unproven",
            _ => "incomplete",
        }
        .to_owned();
        self.summary.redactions = self.redactions.wire();
        self.summary.stopped = stopped.to_owned();
        let summary = Some(std::mem::take(&mut self.summary));
        self.send(M::Result(CountResult { buckets, other, exact: error == 0, error, summary }))
    }

    fn gap(&mut self, event: ph_link::v1::ReadEvent) -> Result<(), End> {
        self.summary.gaps += 1;
        match event.m {
            Some(read_event::M::Gap(gap)) => self.send(M::Gap(gap)),
            _ => Ok(()),
        }
    }

    fn send(&self, m: M) -> Result<(), End> {
        self.events.blocking_send(Ok(CountEvent { m: Some(m) })).map_err(|_| End::Cancelled)
    }
}
