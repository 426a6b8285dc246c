//! Several sources as one time line: file order within a source, smallest time first between sources.
//!
//! In:     readers, the caller's clock. Out: runs of records of one source after the other, and notes at their places.
//! Never:  reorders a source (a record whose clock stepped back follows its predecessor at once); reads more than one
//!         batch of a source ahead; waits: a turn reads what is there and says when to come again.

mod lane;

use std::ops::Range;
use std::sync::Arc;

use crate::Error;
use crate::batch::{Batch, Note, Record, State};
use crate::reader::{Mode, ReadAsk, Reader, Seek, Stats};
use crate::roots::Roots;
use crate::source::SourceId;
use lane::Lane;

/// What a record waits for before it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// Until every source was read past it.
    #[default]
    Strict,
    /// The same, but never longer than the window; what is found later is marked late.
    Merge { window_ns: i64, first_ns: i64 },
    /// For nothing.
    Arrival,
}

impl Order {
    /// The window of views and follows: 500 ms, 200 ms for the first output.
    pub const VIEW: Order = Order::Merge { window_ns: 500_000_000, first_ns: 200_000_000 };
}

/// Which part of the merged result is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Extent {
    /// What each source's `mode` says.
    #[default]
    Each,
    /// The first so many matches.
    Head(u64),
    /// The last so many matches, oldest first; with `follow` goes on from there.
    Tail(u64),
}

/// Something of the merged result, in its order.
#[derive(Clone, Debug)]
pub enum Event {
    Records(RecordRun),
    /// A gap or a marker of a source (by its index).
    Note(usize, Note),
    /// A source (by its index) that could not be opened, or not be read any further; the others go on.
    Failed(usize, Arc<Error>),
}

/// Consecutive records of one source.
#[derive(Clone, Debug)]
pub struct RecordRun {
    /// Index of the source.
    pub source: usize,
    pub batch: Arc<Batch>,
    /// Of `batch.records`.
    pub range: Range<usize>,
    /// Found after newer records went out.
    pub late: bool,
}

impl RecordRun {
    /// The records with their messages.
    pub fn iter(&self) -> impl Iterator<Item = (&Record, &[u8])> {
        let records = self.batch.records.get(self.range.clone()).unwrap_or_default();
        records.iter().map(|r| (r, self.batch.message(r)))
    }
}

/// What a turn gave.
#[derive(Debug, Default)]
pub struct Turn {
    pub events: Vec<Event>,
    pub state: State,
}

/// Sources being read into one time line.
#[derive(Debug)]
pub struct Together {
    roots: Roots,
    lanes: Vec<Lane>,
    order: Order,
    left: u64,
    /// The tail that is still to be found, newest first.
    tail: Option<u64>,
    ask: ReadAsk,
    /// Key of the newest record that went out.
    passed: Option<i64>,
    started: bool,
    failed: Vec<Event>,
    /// Of the tail, newest first.
    found: Vec<Event>,
    found_records: u64,
    /// Index of the source that was read last on the way back.
    pulled: Option<usize>,
}

/// While following, an idle source counts as read up to this long ago; ns.
const IDLE_NS: i64 = 200_000_000;
/// Message bytes of one source read ahead.
const BATCH_BYTES: usize = 256 << 10;
/// The same of a tail, which needs little of most sources: a block of the file.
const TAIL_BYTES: usize = 1;
/// So much is looked through in one turn for a tail, or a little more; bytes.
const TAIL_SCAN: u64 = 4 << 20;

impl Together {
    /// Opens every source. One that fails is an event of the first turn; it hinders no other.
    pub fn open(roots: &Roots, sources: &[SourceId], ask: ReadAsk, (extent, order): (Extent, Order)) -> Self {
        let mut together = Self {
            roots: roots.clone(),
            lanes: Vec::with_capacity(sources.len()),
            order,
            left: match extent {
                Extent::Head(n) => n,
                Extent::Each | Extent::Tail(_) => u64::MAX,
            },
            tail: match extent {
                Extent::Tail(n) => Some(n),
                Extent::Each | Extent::Head(_) => None,
            },
            passed: None,
            started: false,
            failed: Vec::new(),
            found: Vec::new(),
            found_records: 0,
            pulled: None,
            ask,
        };
        for (index, source) in sources.iter().enumerate() {
            match together.lane(index, source) {
                Ok(lane) => together.lanes.push(lane),
                Err(error) => together.failed.push(Event::Failed(index, Arc::new(error))),
            }
        }
        together
    }

    fn lane(&self, index: usize, source: &SourceId) -> Result<Lane, Error> {
        match self.tail {
            None => {
                // The first so many of all are among the first so many of each.
                let limit =
                    self.ask.limit.into_iter().chain((self.left < u64::MAX).then_some(self.left)).min();
                let ask = ReadAsk { limit, ..self.ask.clone() };
                Ok(Lane::new(index, Reader::open(&self.roots, source, ask)?))
            }
            Some(0) => {
                let ask = ReadAsk { mode: Mode::Tail(0), ..self.ask.clone() };
                Ok(Lane::new(index, Reader::open(&self.roots, source, ask)?))
            }
            Some(_) => {
                // The end is fixed first: what is written from then on is the follower's.
                let (mut after, mut forward) = (None, None);
                if self.ask.follow {
                    let ask = ReadAsk { mode: Mode::Tail(0), ..self.ask.clone() };
                    let mut reader = Reader::open(&self.roots, source, ask)?;
                    after = reader.next_batch(0, 0)?.resume;
                    forward = Some(reader);
                }
                let ask = ReadAsk {
                    mode: Mode::Backward,
                    before: after.map(|p| ph_model::Position { rewind: 0, ..p }),
                    follow: false,
                    limit: None,
                    ..self.ask.clone()
                };
                let mut lane = Lane::new(index, Reader::open(&self.roots, source, ask)?);
                lane.forward = forward;
                Ok(lane)
            }
        }
    }

    /// The readers with the index of their source: for their directories and statistics.
    pub fn readers(&self) -> impl Iterator<Item = (usize, &Reader)> {
        self.lanes.iter().map(|l| (l.index, &l.reader))
    }

    /// As [`Together::readers`], to tell them what was seen.
    pub fn readers_mut(&mut self) -> impl Iterator<Item = (usize, &mut Reader)> {
        self.lanes.iter_mut().map(|l| (l.index, &mut l.reader))
    }

    /// Of all sources together.
    pub fn stats(&self) -> Stats {
        self.lanes.iter().fold(Stats::default(), |sum, lane| sum.plus(lane.stats()))
    }

    /// The weaker quality of all seeks.
    pub fn seek(&self) -> Seek {
        let assumed = self.lanes.iter().any(|l| l.reader.seek() == Seek::AssumedOrdered);
        if assumed { Seek::AssumedOrdered } else { Seek::Proven }
    }

    /// Reads a little of each source that others wait for, and gives what can go out. Blocks for that reading only.
    /// `CaughtUp` tells when to come again at the latest, if no directory changes before. Any source may have changed.
    pub fn turn(&mut self, now_ns: i64) -> Turn {
        self.lanes.iter_mut().for_each(Lane::touch);
        self.turn_after(now_ns, &[])
    }

    /// As [`Together::turn`], where only these sources (by index) changed since the last turn: of those that had caught up
    /// no other is looked at before its time.
    pub fn turn_after(&mut self, now_ns: i64, changed: &[usize]) -> Turn {
        for lane in self.lanes.iter_mut().filter(|l| changed.contains(&l.index)) {
            lane.touch();
        }
        let mut turn = Turn { events: std::mem::take(&mut self.failed), state: State::More };
        if let Some(wanted) = self.tail.filter(|n| *n > 0) {
            if !self.take_tail(wanted, now_ns) {
                return turn;
            }
            self.give_tail(&mut turn.events);
        }
        if self.left == 0 {
            turn.state = State::Ended;
            return turn;
        }
        for lane in &mut self.lanes {
            lane.wake(now_ns);
            if lane.wants() {
                lane.pull(BATCH_BYTES, now_ns, &mut turn.events);
            }
            if self.order == Order::Arrival {
                self.started |= lane.give_all(&mut self.left, &mut turn.events);
            }
        }
        self.give(now_ns, &mut turn.events);
        turn.state = self.state(now_ns);
        turn
    }

    fn state(&self, now_ns: i64) -> State {
        if self.left == 0 || self.lanes.iter().all(Lane::is_done) {
            return State::Ended;
        }
        if self.lanes.iter().any(Lane::wants) {
            return State::More;
        }
        let wake = self.lanes.iter().filter_map(Lane::wakes).min().unwrap_or(now_ns + IDLE_NS);
        let held = self.lanes.iter().any(|l| l.head().is_some());
        State::CaughtUp { wake_at_ns: if held { wake.min(now_ns + IDLE_NS) } else { wake } }
    }

    /// Gives what no source can precede any more.
    fn give(&mut self, now_ns: i64, events: &mut Vec<Event>) {
        while self.left > 0 {
            let mut heads: Vec<((i64, usize), usize)> =
                self.lanes.iter().enumerate().filter_map(|(i, l)| Some((l.head()?, i))).collect();
            heads.sort_unstable();
            let Some(((key, _), first)) = heads.first().copied() else { return };
            // Records up to here may go: up to the next source's head, and not past what was read of the others.
            let mut bound = heads.get(1).map_or((i64::MAX, usize::MAX), |(key, _)| *key);
            for lane in self.lanes.iter().filter(|l| l.head().is_none() && !l.is_done()) {
                bound = bound.min((lane.watermark(now_ns), lane.index));
            }
            let Some(lane) = self.lanes.get_mut(first) else { return };
            let waited = match self.order {
                Order::Strict => false,
                Order::Merge { window_ns, first_ns } => {
                    now_ns - lane.arrived_ns >= if self.started { window_ns } else { first_ns }
                }
                Order::Arrival => true,
            };
            if waited {
                bound = bound.max((key, usize::MAX));
            }
            let late = self.passed.is_some_and(|passed| key < passed);
            if !lane.give_below(bound, late, &mut self.left, events) {
                return;
            }
            self.started = true;
            self.passed = self.passed.max(Some(lane.key_ns));
        }
    }

    /// The last matches of all sources, found backwards and given forwards. True when all were found.
    fn take_tail(&mut self, wanted: u64, now_ns: i64) -> bool {
        self.look_back(wanted, now_ns);
        while self.found_records < wanted {
            let newest = self.newest();
            if self.lanes.iter().any(|l| l.may_hold_newer(newest)) {
                return false;
            }
            let Some(lane) = newest.and_then(|(_, i)| self.lanes.iter_mut().find(|l| l.index == i)) else {
                break;
            };
            if lane.give_newest(&mut self.found, self.ask.context.before) {
                self.found_records += 1;
            }
        }
        // What stands before the last matches, too.
        loop {
            let owing = |l: &&Lane| l.owes_context();
            if self.lanes.iter().any(|l| l.owed > 0 && l.wants()) {
                return false;
            }
            let heads = self.lanes.iter().enumerate().filter(|(_, l)| owing(l));
            let newest = heads.filter_map(|(i, l)| Some((l.back_head()?, i))).max();
            let Some(lane) = newest.and_then(|(_, i)| self.lanes.get_mut(i)) else { break };
            lane.give_owed(&mut self.found);
        }
        self.drop_strays();
        true
    }

    /// What goes out next of all that was found: time and source.
    fn newest(&self) -> Option<(i64, usize)> {
        self.lanes.iter().filter_map(Lane::back_head).max()
    }

    /// Reads a little of the sources that what was found waits for, those first that may hold the newest.
    fn look_back(&mut self, wanted: u64, now_ns: i64) {
        let newest = self.newest();
        let searched = self.found_records >= wanted;
        let mut scanned = 0;
        while scanned < TAIL_SCAN {
            let asked = |l: &&Lane| if searched { l.owed > 0 && l.wants() } else { l.may_hold_newer(newest) };
            let last = self.lanes.iter().position(|l| self.pulled == Some(l.index));
            // What was inflated is read to its start before anything else is inflated.
            let amid = last.and_then(|i| self.lanes.get(i)).filter(|l| l.reader.holds_inflated());
            let next = amid
                .filter(asked)
                .or_else(|| self.lanes.iter().filter(asked).max_by_key(|l| (l.reached_ns, l.index)));
            let Some(next) = next.map(|l| l.index) else { return };
            if self.pulled != Some(next)
                && self.roots.inflated().is_tight()
                && let Some(lane) = last.and_then(|i| self.lanes.get_mut(i))
            {
                lane.reader.park();
            }
            let Some(lane) = self.lanes.iter_mut().find(|l| l.index == next) else { return };
            self.pulled = Some(next);
            scanned += lane.pull_back(TAIL_BYTES, now_ns, &mut self.found);
            if lane.reader.holds_inflated() {
                return;
            }
        }
    }

    /// Of each source, what stands around a match that was not reached.
    fn drop_strays(&mut self) {
        let before = self.ask.context.before;
        let mut since: Vec<Option<u32>> =
            vec![None; self.lanes.iter().map(|l| l.index + 1).max().unwrap_or(0)];
        let place = |event: &Event| match event {
            Event::Records(run) => Some((run.source, run.iter().all(|(r, _)| r.context))),
            Event::Note(..) | Event::Failed(..) => None,
        };
        let mut last_match: Vec<Option<usize>> = since.iter().map(|_| None).collect();
        for (i, event) in self.found.iter().enumerate() {
            if let Some((source, false)) = place(event)
                && let Some(last) = last_match.get_mut(source)
            {
                *last = Some(i);
            }
        }
        let mut i = 0;
        self.found.retain(|event| {
            let here = i;
            i += 1;
            let Some((source, context)) = place(event) else { return true };
            let last = last_match.get(source).copied().flatten();
            let Some(since) = since.get_mut(source) else { return true };
            if !context || last.is_some_and(|last| here < last) {
                *since = if context { *since } else { Some(0) };
                return true;
            }
            let count = since.map_or(u32::MAX, |n| n);
            *since = since.map(|n| n + 1);
            count < before
        });
    }

    fn give_tail(&mut self, events: &mut Vec<Event>) {
        self.found.reverse();
        self.passed = self.found.iter().filter_map(Event::newest).max();
        events.append(&mut self.found);
        for lane in &mut self.lanes {
            lane.turn_round();
        }
        self.tail = Some(0);
    }
}

impl Event {
    fn newest(&self) -> Option<i64> {
        match self {
            Event::Records(run) => run.iter().map(|(r, _)| r.ts_ns).max(),
            Event::Note(..) | Event::Failed(..) => None,
        }
    }
}
