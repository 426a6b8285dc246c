//! The loop of one read: sources in turn, waits for changes, limits, summary.

use std::time::{Duration, Instant};

use ph_link::v1::read_event::M;
use ph_link::v1::{LogProgress, LogSummary, ReadEvent};
use ph_model::Position;
use ph_taillog::{Batch, Follower, Marker, Note, Reader, Record, Roots, Seek, State, WatchId, inspect};
use tokio::sync::mpsc;
use tonic::Status;

use super::credit::Credit;
use super::plan::{Plan, Wanted};
use super::rows::Rows;
use super::{PROGRESS_BYTES, PROGRESS_EVERY};
use crate::service::masking::Redactions;
use crate::service::{Services, sources, wire};
use crate::time::now_ms;

/// Message bytes of a batch.
const BATCH_BYTES: usize = 64 << 10;
/// A wait for changes is looked up from at least this often, so that an ended call is noticed.
const GLANCE: Duration = Duration::from_millis(500);
/// After a change a little is waited, so that lines that come together travel together.
const GATHER: Duration = Duration::from_millis(10);
/// What was found by the deadline may take so long to be taken by the reader.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// A slow reader that is to skip is taken to the end when so many bytes wait for it.
const LAG_BYTES: u64 = 1 << 20;

/// Why a read ended without a summary.
#[derive(Debug)]
pub enum End {
    Cancelled,
    Failed(Status),
}

/// One source on its way.
struct Lane {
    wanted: Wanted,
    reader: Reader,
    watches: Vec<WatchId>,
    state: State,
    known_bytes: u64,
    /// It begins inside a file that is there, where an earlier read ended.
    resumed: bool,
    progress_at: Instant,
    progress_bytes: u64,
    at_ns: i64,
    /// Everything before it (backwards: behind it) is sent.
    resume: Option<Position>,
    /// Of a tail: everything behind it is sent.
    since: Option<Position>,
    told_caught_up: bool,
    /// Whether it was at the end once.
    was_current: bool,
    /// The reader's credit was used up.
    held_back: bool,
    /// It was told that a file of this source was refused.
    told_refused: bool,
}

impl Lane {
    fn progress(&self) -> LogProgress {
        LogProgress {
            source: self.wanted.index,
            at_ns: self.at_ns,
            scanned_bytes: self.reader.stats().scanned_bytes,
            total_bytes: self.known_bytes,
            caught_up: matches!(self.state, State::CaughtUp { .. }),
            resume: self.resume.map(wire::position),
            since: self.since.map(wire::position),
            looked_ns: self.reader.looked_ns().unwrap_or(0),
        }
    }
}

pub struct Flow<'a> {
    services: &'a Services,
    plan: Plan,
    credit: &'a Credit,
    events: &'a mpsc::Sender<Result<ReadEvent, Status>>,
    watcher: Option<Follower>,
    lanes: Vec<Lane>,
    summary: LogSummary,
    began: Instant,
    rows: Rows,
    /// The source that owes lines after the last match that was asked for.
    owing: Option<usize>,
    unreadable: u64,
    redactions: Redactions,
    /// Counts files that point outside of where logs lie.
    roots: Roots,
    refused: u64,
}

impl<'a> Flow<'a> {
    pub fn open(
        services: &'a Services,
        plan: Plan,
        credit: &'a Credit,
        events: &'a mpsc::Sender<Result<ReadEvent, Status>>,
    ) -> Result<Self, End> {
        let watcher = if plan.follow {
            // Without an instance of its own it looks by itself, as often as it glances.
            services
                .watching
                .follower()
                .map_err(|error| tracing::warn!(%error, "following without notices"))
                .ok()
        } else {
            None
        };
        let mut flow = Self {
            services,
            credit,
            events,
            watcher,
            lanes: Vec::new(),
            summary: LogSummary::default(),
            began: Instant::now(),
            rows: Rows::new(plan.limit, plan.context_after),
            owing: None,
            unreadable: 0,
            redactions: Redactions::default(),
            roots: services.roots(),
            refused: 0,
            plan,
        };
        for (index, why) in std::mem::take(&mut flow.plan.denied) {
            flow.summary.sources += 1;
            flow.summary.gaps += 1;
            flow.send(wire::denied(index, why))?;
        }
        let roots = flow.roots.clone();
        for wanted in std::mem::take(&mut flow.plan.wanted) {
            flow.open_lane(&roots, wanted)?;
        }
        Ok(flow)
    }

    fn open_lane(&mut self, roots: &Roots, wanted: Wanted) -> Result<(), End> {
        self.summary.sources += 1;
        let failed = |error: ph_taillog::Error| sources::status(&error);
        let opened = inspect(roots, &wanted.id)
            .map_err(failed)
            .and_then(|dir| Ok((dir, Reader::open(roots, &wanted.id, wanted.ask.clone()).map_err(failed)?)));
        let (dir, reader) = match opened {
            Ok(opened) => opened,
            Err(status) if self.lanes.is_empty() && self.unreadable == 0 && self.is_single() => {
                return Err(End::Failed(status));
            }
            Err(status) => {
                self.unreadable += 1;
                self.summary.gaps += 1;
                return self.send(wire::unreadable(wanted.index, status.message().to_owned()));
            }
        };
        let segments: Vec<_> = dir.runs.iter().flat_map(|r| &r.segments).collect();
        let known_bytes = segments.iter().map(|s| s.size_bytes).sum();
        let oldest = segments.iter().filter_map(|s| s.first_ns).min();
        self.summary.segments_known += u32::try_from(segments.len()).unwrap_or(u32::MAX);
        self.summary.known_bytes += known_bytes;
        if let Some(oldest) = oldest {
            let held = self.summary.oldest_ns;
            self.summary.oldest_ns = if held == 0 { oldest } else { held.min(oldest) };
        }
        let place = wanted.ask.before.or(wanted.ask.after);
        let resumed = place.is_some_and(|p| segments.iter().any(|s| s.key == Some(p.segment_key)));
        let mut lane = Lane {
            wanted,
            reader,
            resumed,
            watches: Vec::new(),
            state: State::More,
            known_bytes,
            progress_at: Instant::now(),
            progress_bytes: 0,
            at_ns: 0,
            resume: None,
            since: None,
            told_caught_up: false,
            was_current: false,
            held_back: false,
            told_refused: false,
        };
        self.watch(&mut lane);
        self.lanes.push(lane);
        self.tell_refused(self.lanes.len() - 1)
    }

    /// Says once that a file of this source was refused: a container may have planted a link.
    fn tell_refused(&mut self, i: usize) -> Result<(), End> {
        let now = self.roots.refused();
        if std::mem::replace(&mut self.refused, now) == now {
            return Ok(());
        }
        let Some(lane) = self.lanes.get_mut(i).filter(|l| !l.told_refused) else { return Ok(()) };
        lane.told_refused = true;
        let told = wire::planted(lane.wanted.index, &lane.wanted.reference);
        self.summary.gaps += 1;
        self.send(told)
    }

    fn is_single(&self) -> bool {
        self.summary.sources == 1 && self.plan.wanted.is_empty()
    }

    /// Watches what this source's reading depends on now.
    fn watch(&self, lane: &mut Lane) {
        let Some(watcher) = &self.watcher else { return };
        let dirs = lane.reader.dirs();
        let fresh: Vec<WatchId> = dirs.iter().filter_map(|dir| watcher.watch(dir).ok()).collect();
        if fresh.len() < dirs.len() {
            lane.reader.note_unwatched();
        }
        for old in std::mem::replace(&mut lane.watches, fresh) {
            watcher.unwatch(old);
        }
    }

    pub fn run(mut self) -> Result<(), End> {
        loop {
            let mut moved = false;
            for i in 0..self.lanes.len() {
                self.alive()?;
                let Some(lane) = self.lanes.get(i) else { break };
                if self.owing.is_some_and(|owing| owing != i) {
                    continue;
                }
                if lane.state != State::More {
                    continue;
                }
                moved = true;
                if let Some(stopped) = self.turn(i)? {
                    return self.finish(stopped);
                }
            }
            if moved {
                continue;
            }
            if self.lanes.iter().all(|l| l.state == State::Ended) {
                return self.finish("done");
            }
            if self.late() {
                return self.finish("time");
            }
            self.wait()?;
        }
    }

    /// One batch of one source. Says why the whole read is over.
    fn turn(&mut self, i: usize) -> Result<Option<&'static str>, End> {
        let Some(lane) = self.lanes.get_mut(i) else { return Ok(None) };
        let slow = std::mem::take(&mut lane.held_back) && lane.was_current;
        if self.plan.skip && slow && lane.reader.is_behind(LAG_BYTES).unwrap_or(false) {
            // When it cannot be done now, it is tried again as long as the reader is slow.
            let _ = lane.reader.skip_to_end();
        }
        let looked = lane.reader.is_looking();
        let batch = match lane.reader.next_batch(BATCH_BYTES, now_ns()) {
            Ok(batch) => batch,
            Err(error) => {
                lane.state = State::Ended;
                let status = sources::status(&error);
                self.unreadable += 1;
                self.summary.gaps += 1;
                let index = lane.wanted.index;
                self.send(wire::unreadable(index, status.message().to_owned()))?;
                return Ok(None);
            }
        };
        let found = looked && !lane.reader.is_looking() && !self.plan.follow;
        self.tell_refused(i)?;
        let Some(lane) = self.lanes.get_mut(i) else { return Ok(None) };
        lane.state = batch.state;
        lane.at_ns = batch.at_ns.unwrap_or(lane.at_ns);
        lane.progress_bytes += batch.scanned_bytes;
        self.summary.scanned_bytes += batch.scanned_bytes;
        let full = if found { self.deliver_tail(i, &batch)? } else { self.deliver(i, &batch)? };
        if full {
            return Ok(Some("rows"));
        }
        self.owing = self.rows.is_full().then_some(i);
        if let Some(lane) = self.lanes.get_mut(i).filter(|_| !self.plan.backward) {
            lane.resume = batch.resume.or(lane.resume);
        }
        self.progress(i)?;
        if self.lanes.get(i).is_some_and(|l| l.state == State::More && l.reader.is_in_context()) {
            return Ok(None);
        }
        if self.plan.budget_bytes.is_some_and(|budget| self.summary.scanned_bytes >= budget) {
            return Ok(Some("bytes"));
        }
        Ok(self.late().then_some("time"))
    }

    /// Sends records and notes in file order. True when the limit of records is reached.
    fn deliver(&mut self, i: usize, batch: &Batch) -> Result<bool, End> {
        let mut run: Vec<&Record> = Vec::new();
        let mut notes = batch.notes.iter().peekable();
        for at in 0..=batch.records.len() {
            while let Some((_, note)) = notes.next_if(|(place, _)| *place <= at) {
                self.flush(i, (batch, &mut run))?;
                self.note(i, note)?;
            }
            let Some(record) = batch.records.get(at) else { continue };
            if !self.rows.take(record.context) {
                self.flush(i, (batch, &mut run))?;
                return Ok(true);
            }
            self.add(i, (batch, &mut run), record)?;
        }
        self.flush(i, (batch, &mut run))?;
        Ok(self.rows.is_over() || (batch.state != State::More && self.rows.is_full()))
    }

    /// The same for a tail that was found: of what is beyond the limit the oldest is left out.
    fn deliver_tail(&mut self, i: usize, batch: &Batch) -> Result<bool, End> {
        let total = batch.records.iter().filter(|r| !r.context).count();
        let mut beyond = total - self.rows.take_many(total);
        let left_out = beyond > 0;
        let first = match left_out {
            false => 0,
            true => {
                let behind = batch.records.iter().position(|r| {
                    let wanted = beyond == 0 && !r.context;
                    beyond -= usize::from(!r.context && beyond > 0);
                    wanted
                });
                let oldest = behind.unwrap_or(batch.records.len());
                // What stands before it belongs to it, down to the match that is left out.
                let context = batch.records.iter().take(oldest).rev().take_while(|r| r.context).count();
                oldest - context
            }
        };
        if let Some(lane) = self.lanes.get_mut(i) {
            lane.since = match batch.records.get(first).filter(|_| left_out) {
                Some(oldest) => Some(oldest.before()),
                None if left_out => lane.wanted.ask.before,
                None => lane.reader.looked_to(),
            };
        }
        let mut run: Vec<&Record> = Vec::new();
        let mut notes = batch.notes.iter().peekable();
        for at in first..=batch.records.len() {
            while let Some((_, note)) = notes.next_if(|(place, _)| *place <= at) {
                self.flush(i, (batch, &mut run))?;
                self.note(i, note)?;
            }
            if let Some(record) = batch.records.get(at) {
                self.add(i, (batch, &mut run), record)?;
            }
        }
        self.flush(i, (batch, &mut run))?;
        if let Some(lane) = self.lanes.get_mut(i).filter(|_| self.plan.backward) {
            lane.resume = lane.since;
        }
        Ok(left_out)
    }

    /// Sends what the record cannot be in one message with, and adds it to what is to be sent.
    fn add<'b>(
        &mut self,
        i: usize,
        (batch, run): (&'b Batch, &mut Vec<&'b Record>),
        record: &'b Record,
    ) -> Result<(), End> {
        if splits(run, batch, record) {
            self.flush(i, (batch, run))?;
        }
        run.push(record);
        Ok(())
    }

    fn flush(&mut self, i: usize, (of, run): (&Batch, &mut Vec<&Record>)) -> Result<(), End> {
        let index = self.lanes.get(i).map_or(0, |l| l.wanted.index);
        let Some(batch) = wire::batch(index, (of, run)) else { return Ok(()) };
        let context = run.iter().filter(|r| r.context).count() as u64;
        let matches = run.len() as u64 - context;
        self.summary.matches += matches;
        self.summary.context_lines += context;
        run.iter().for_each(|r| self.redactions.add(r.masked));
        let resume = run.last().map(|r| r.resume);
        self.summary.cut_lines += run.iter().filter(|r| r.full_bytes > 0).count() as u64;
        run.clear();
        let mut patience = Duration::ZERO;
        while !self.credit.take(batch.raw_bytes, patience) {
            patience = GLANCE;
            if let Some(lane) = self.lanes.get_mut(i) {
                lane.held_back = true;
            }
            self.alive()?;
            if self.plan.deadline.is_some_and(|d| self.began.elapsed() >= d + LAST_WORDS) {
                return Err(End::Failed(Status::deadline_exceeded("no credit before the deadline")));
            }
        }
        self.send(wire::event(M::Batch(batch)))?;
        if let Some(lane) = self.lanes.get_mut(i).filter(|_| !self.plan.backward) {
            lane.resume = resume.or(lane.resume);
        }
        Ok(())
    }

    fn note(&mut self, i: usize, note: &Note) -> Result<(), End> {
        let Some(lane) = self.lanes.get(i) else { return Ok(()) };
        let index = lane.wanted.index;
        let event = match note {
            Note::Gap(gap) => {
                self.summary.gaps += 1;
                wire::gap(index, gap)
            }
            Note::Marker(Marker::Ended) => wire::event(M::Marker(wire::marker(index, "ended", 0))),
            Note::Marker(Marker::Restarted { run }) => {
                let mut marker = wire::marker(index, "restarted", *run);
                marker.at_ns = lane.at_ns;
                let pod = self.services.pods.pod(&lane.wanted.reference.pod_uid);
                if let Some(known) = pod
                    .iter()
                    .flat_map(|p| &p.containers)
                    .find(|c| c.name == lane.wanted.reference.container && c.restart_count == *run)
                {
                    marker.exit_code = known.last_exit_code.unwrap_or(0);
                    marker.reason = known.last_terminated_reason.clone().unwrap_or_default();
                }
                wire::event(M::Marker(marker))
            }
        };
        self.send(event)
    }

    fn progress(&mut self, i: usize) -> Result<(), End> {
        let Some(lane) = self.lanes.get_mut(i) else { return Ok(()) };
        let caught_up = matches!(lane.state, State::CaughtUp { .. });
        let news = caught_up && !lane.told_caught_up;
        let due = lane.progress_at.elapsed() >= PROGRESS_EVERY || lane.progress_bytes >= PROGRESS_BYTES;
        lane.told_caught_up = caught_up;
        lane.was_current |= caught_up;
        if !news && !due {
            return Ok(());
        }
        (lane.progress_at, lane.progress_bytes) = (Instant::now(), 0);
        let progress = lane.progress();
        self.send(wire::event(M::Progress(progress)))
    }

    /// Waits for something to change, or for a reader's own wish to look again.
    fn wait(&mut self) -> Result<(), End> {
        let now = now_ns();
        let wake = self.lanes.iter().filter_map(|l| match l.state {
            State::CaughtUp { wake_at_ns } => {
                Some(Duration::from_nanos((wake_at_ns - now).max(0).cast_unsigned()))
            }
            _ => None,
        });
        let patience = wake.min().unwrap_or(GLANCE).min(GLANCE);
        let change = match &self.watcher {
            Some(watcher) => watcher.wait(patience).map_err(|e| End::Failed(sources::status(&e)))?,
            None => {
                std::thread::sleep(patience);
                ph_taillog::Change { overflow: true, ..Default::default() }
            }
        };
        self.alive()?;
        let stirred = change.overflow || !change.changed.is_empty();
        if stirred && self.watcher.is_some() {
            std::thread::sleep(GATHER);
        }
        let now = now_ns();
        let mut lanes = std::mem::take(&mut self.lanes);
        for lane in &mut lanes {
            let State::CaughtUp { wake_at_ns } = lane.state else { continue };
            let touched = change.overflow || lane.watches.iter().any(|id| change.touches(*id));
            for (id, name) in &change.closed {
                if lane.watches.contains(id) {
                    lane.reader.note_closed(name);
                }
            }
            if touched || wake_at_ns <= now {
                if touched {
                    self.watch(lane);
                }
                lane.state = State::More;
            }
        }
        self.lanes = lanes;
        Ok(())
    }

    /// Gives what was found of the tails that are still looked for.
    fn settle(&mut self) -> Result<(), End> {
        for i in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(i).filter(|l| l.reader.is_looking()) else { continue };
            lane.reader.settle();
            self.turn(i)?;
        }
        Ok(())
    }

    fn finish(mut self, stopped: &str) -> Result<(), End> {
        self.settle()?;
        let short = self.lanes.iter().any(|l| l.reader.is_cut_short());
        let stopped = if stopped == "done" && short { "bytes" } else { stopped };
        let mut proven = true;
        for progress in self.lanes.iter().map(Lane::progress).collect::<Vec<_>>() {
            self.send(wire::event(M::Progress(progress)))?;
        }
        for lane in &self.lanes {
            let stats = lane.reader.stats();
            self.summary.segments_read += u32::try_from(stats.segments_opened).unwrap_or(u32::MAX);
            self.summary.segments_resumed += u32::from(lane.resumed && stats.segments_opened > 0);
            self.summary.lines += stats.lines;
            self.summary.unknown_levels += stats.unknown_levels;
            proven &= lane.reader.seek() == Seek::Proven;
        }
        self.summary.seek = if proven { "proven" } else { "assumed_ordered" }.to_owned();
        self.summary.completeness = match (self.summary.gaps, proven) {
            (0, true) => "proven",
            (0, false) => "unproven",
            _ => "incomplete",
        }
        .to_owned();
        self.summary.redactions = self.redactions.wire();
        self.summary.stopped = stopped.to_owned();
        let summary = std::mem::take(&mut self.summary);
        self.send(wire::event(M::Summary(summary)))
    }

    fn late(&self) -> bool {
        self.plan.deadline.is_some_and(|d| self.began.elapsed() >= d)
    }

    fn alive(&self) -> Result<(), End> {
        if self.events.is_closed() || self.credit.closed() { Err(End::Cancelled) } else { Ok(()) }
    }

    fn send(&self, event: ReadEvent) -> Result<(), End> {
        self.events.blocking_send(Ok(event)).map_err(|_| End::Cancelled)
    }
}

/// Whether the record cannot be in the same message as those before it.
fn splits(run: &[&Record], batch: &Batch, record: &Record) -> bool {
    let Some(first) = run.first() else { return false };
    let same = |a: Position, b: Position| (a.run, a.segment_key) == (b.run, b.segment_key);
    let bytes: usize = run.iter().map(|r| batch.message(r).len()).sum();
    !same(first.position, record.position) || bytes + batch.message(record).len() > BATCH_BYTES
}

fn now_ns() -> i64 {
    now_ms().saturating_mul(1_000_000)
}
