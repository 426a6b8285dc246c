//! One `Logs.Count` over the Kubernetes API: what a read would give, counted where its bytes arrive.
//!
//! In:     a read's question and what to count. Out: progress, gaps, at the end one result with the read's summary.
//! Never:  sends a line, but for one masked example of each pattern.

use std::sync::Arc;
use std::time::Duration;

use ph_access::redact::Counts;
use ph_link::API_SEGMENT;
use ph_link::v1::{
    CountAsk, CountBy as By, CountEvent, CountResult, LogProgress, LogSummary, ReadMode, ReadOpen,
    count_event::M,
};
use ph_model::Position;
use ph_taillog::{CountBy, Line, MAX_BUCKETS, MAX_PATTERNS, MAX_VALUES, Stream, Telling, Told};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;

use super::plan::Plan;
use super::read::{End, at, found, redactions};
use super::{AT_ONCE, Desk, wire};
use crate::kube_logs::{Alone, LaneEvent, Mask, Record, StreamName};
use crate::telemetry::now_ms;

/// A count that names no deadline ends after this.
const DEADLINE: Duration = Duration::from_secs(30);
/// What is asked for, checked.
pub struct Counting {
    plan: Plan,
    by: CountBy,
}

impl Counting {
    /// # Errors
    /// `invalid_argument` naming the field.
    pub fn new(ask: CountAsk, mask: Option<Arc<Mask>>, denied: Vec<(u32, String)>) -> Result<Self, Status> {
        let by = ask.by();
        let open = ask.open.unwrap_or_default();
        let to_ns = if open.to_ns == 0 { now_ms().saturating_mul(1_000_000) } else { open.to_ns };
        let range = (open.from_ns, to_ns);
        let open = ReadOpen {
            mode: ReadMode::All.into(),
            lines: 0,
            limit: 0,
            max_rows: 0,
            follow: false,
            context_before: 0,
            context_after: 0,
            ..open
        };
        let mut plan = Plan::new(&open, mask)?.without(denied);
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

type Events = mpsc::Sender<Result<CountEvent, Status>>;

/// Counts until everything is read, the call ends, or a limit is reached.
pub async fn run(desk: &Desk, counting: Counting, out: Events) {
    let Counting { plan, by } = counting;
    let counter = Counter {
        count: Telling::new(by),
        indexes: Vec::new(),
        summary: LogSummary::default(),
        redactions: Counts::default(),
    };
    if let Err(End::Failed(status)) = counter.run((desk, plan), &out).await {
        // Nobody may be listening any more.
        let _ = out.send(Err(status)).await;
    }
}

struct Counter {
    count: Telling,
    /// Into the ask's sources, by container that is read.
    indexes: Vec<u32>,
    summary: LogSummary,
    redactions: Counts,
}

impl Counter {
    async fn run(mut self, (desk, mut plan): (&Desk, Plan), out: &Events) -> Result<(), End> {
        let ends_at = plan.deadline.map(|d| Instant::now() + d);
        let budget = plan.budget_bytes;
        let mut missing = Vec::new();
        let found =
            found(desk, &mut plan, |index, kind, text| missing.push(wire::missing(index, kind, text)));
        let found = found.await.map_err(End::Failed)?;
        let known = found.len() + missing.len();
        self.summary.sources = u32::try_from(known).unwrap_or(u32::MAX);
        for gap in missing {
            self.summary.gaps += 1;
            send(out, M::Gap(gap)).await?;
        }
        self.indexes = found.iter().map(|(w, _)| w.index).collect();
        let wanted = found.into_iter().map(|(w, source)| (source, w.ask)).collect();
        let mut alone = Alone::open(&desk.client, wanted, AT_ONCE, &desk.tasks);
        let stopped = loop {
            if budget.is_some_and(|budget| alone.downloaded_bytes() >= budget) {
                break "bytes";
            }
            let event = tokio::select! {
                () = out.closed() => return Err(End::Left),
                () = desk.stop.cancelled() => return Err(End::Left),
                () = at(ends_at) => break "time",
                event = alone.next() => event,
            };
            let Some((i, event)) = event else { break "done" };
            self.take(self.indexes.get(i).copied().unwrap_or(0), event, out).await?;
        };
        self.finish((stopped, alone.downloaded_bytes()), out).await
    }

    async fn take(&mut self, index: u32, event: LaneEvent, out: &Events) -> Result<(), End> {
        match event {
            LaneEvent::Records(records) => records.iter().for_each(|r| self.add(index, r)),
            LaneEvent::Gap(gap) => {
                self.summary.gaps += u64::from(gap.kind != "reconnected");
                send(out, M::Gap(wire::gap(index, &gap))).await?;
            }
            LaneEvent::At(_, at) => {
                let progress = LogProgress { source: index, at_ns: at.ts_ns, ..LogProgress::default() };
                send(out, M::Progress(progress)).await?;
            }
            LaneEvent::Done(stats) => {
                self.summary.lines += stats.lines;
                self.summary.unknown_levels += stats.unknown_levels;
            }
            LaneEvent::Marker(_) | LaneEvent::CaughtUp => {}
        }
        Ok(())
    }

    fn add(&mut self, source: u32, record: &Record) {
        self.summary.matches += 1;
        self.summary.cut_lines += u64::from(record.full_bytes > 0);
        if let Some(masked) = &record.masked {
            self.redactions.add(masked);
        }
        let position = Position {
            run: record.run,
            segment_key: API_SEGMENT,
            offset: record.position.place().0,
            rewind: 0,
        };
        let line = Line {
            ts_ns: record.ts_ns,
            stream: match record.stream {
                StreamName::Stdout => Stream::Stdout,
                StreamName::Stderr => Stream::Stderr,
                StreamName::Unknown => Stream::Unknown,
            },
            level: ph_filter::level_of(&record.message).0,
            position,
            message: &record.message,
        };
        self.count.add_line(source, &line);
    }

    async fn finish(mut self, (stopped, scanned): (&str, u64), out: &Events) -> Result<(), End> {
        let Told { cells, other, error } = self.count.told();
        let buckets = cells.into_iter().map(wire::bucket).collect();
        let read = u32::try_from(self.indexes.len()).unwrap_or(u32::MAX);
        let mut summary = std::mem::take(&mut self.summary);
        (summary.segments_read, summary.segments_known) = (read, read);
        (summary.scanned_bytes, summary.known_bytes) = (scanned, scanned);
        "assumed_ordered".clone_into(&mut summary.seek);
        summary.completeness = if summary.gaps > 0 { "incomplete" } else { "unproven" }.to_owned();
        summary.redactions = redactions(&self.redactions);
        stopped.clone_into(&mut summary.stopped);
        let result = CountResult { buckets, other, exact: error == 0, error, summary: Some(summary) };
        send(out, M::Result(result)).await
    }
}

async fn send(out: &Events, m: M) -> Result<(), End> {
    out.send(Ok(CountEvent { m: Some(m) })).await.map_err(|_| End::Left)
}
