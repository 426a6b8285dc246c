//! Many logs as one: the smallest time first, each log in its own order.
//!
//! Never:  takes more of a log than it can place: a log that is ahead waits in its own channel.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use ph_model::LogFlags;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::ask::Order;
use super::event::{Gap, Marker, Record};
use super::lane::{LaneEvent, Stats};

/// Records given at once.
const BATCH: usize = 256;
/// A strict order waits so long for a log that says nothing; then it is a gap.
const STALLED: Duration = Duration::from_secs(30);
/// Lines of a log that is followed and silent may come so much later.
const IDLE: Duration = Duration::from_millis(200);

/// What comes next.
#[derive(Debug)]
pub enum Step {
    Records(Vec<Record>),
    Gap(Gap),
    Marker(Marker),
    Ended(Stats),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    History,
    Live,
    Done,
}

struct Log {
    queue: VecDeque<(Instant, Record)>,
    phase: Phase,
    /// Lines up to this time were looked at.
    at_ns: i64,
    /// Waited for since then, while the queue is empty.
    since: Instant,
    stalled: bool,
    receiver: Option<Receiver<LaneEvent>>,
}

type Next = BoxFuture<'static, (usize, Receiver<LaneEvent>, Option<LaneEvent>)>;

/// The logs, and what was taken of them and not given yet.
pub struct Merge {
    order: Order,
    logs: Vec<Log>,
    waiting: FuturesUnordered<Next>,
    /// First records of all queues, by time and log.
    heads: BTreeSet<(i64, usize)>,
    pending: VecDeque<Step>,
    /// The last so many of all history, before anything is given.
    tail: Option<u64>,
    gathered: VecDeque<Record>,
    /// Matches among them.
    matches: u64,
    given_ns: i64,
}

impl Merge {
    /// `tail`: only so many records of the merged history are given.
    pub fn new(order: Order, tail: Option<u64>) -> Self {
        Self {
            order,
            logs: Vec::new(),
            waiting: FuturesUnordered::new(),
            heads: BTreeSet::new(),
            pending: VecDeque::new(),
            tail,
            gathered: VecDeque::new(),
            matches: 0,
            given_ns: i64::MIN,
        }
    }

    pub fn add(&mut self, receiver: Receiver<LaneEvent>) {
        let index = self.logs.len();
        self.logs.push(Log {
            queue: VecDeque::new(),
            phase: Phase::History,
            at_ns: i64::MIN,
            since: Instant::now(),
            stalled: false,
            receiver: None,
        });
        self.waiting.push(next(index, receiver));
    }

    /// Whether no log has anything more.
    pub fn is_over(&self) -> bool {
        self.pending.is_empty()
            && self.heads.is_empty()
            && self.gathered.is_empty()
            && self.logs.iter().all(|l| l.phase == Phase::Done)
    }

    /// The next step; never returns while nothing comes. Dropping it loses nothing.
    pub async fn next(&mut self) -> Step {
        loop {
            if let Some(step) = self.pending.pop_front() {
                return step;
            }
            let wake = match self.give(Instant::now()) {
                Given::Records(records) => return Step::Records(records),
                Given::Wait(wake) => wake,
            };
            self.listen();
            let timer = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((index, receiver, event)) = self.waiting.next(), if !self.waiting.is_empty() => {
                    self.take(index, receiver, event);
                }
                () = timer => self.stall(Instant::now()),
                else => std::future::pending().await,
            }
        }
    }

    /// Asks every log of which nothing is at hand.
    fn listen(&mut self) {
        let gathering = self.tail.is_some();
        for (index, log) in self.logs.iter_mut().enumerate() {
            let wanted = if gathering {
                log.phase == Phase::History && log.queue.is_empty()
            } else {
                log.queue.is_empty()
            };
            if wanted && let Some(receiver) = log.receiver.take() {
                self.waiting.push(next(index, receiver));
            }
        }
    }

    fn take(&mut self, index: usize, receiver: Receiver<LaneEvent>, event: Option<LaneEvent>) {
        let now = Instant::now();
        let Some(log) = self.logs.get_mut(index) else { return };
        log.receiver = Some(receiver);
        log.since = now;
        log.stalled = false;
        match event {
            Some(LaneEvent::Records(records)) => {
                log.queue.extend(records.into_iter().map(|r| (now, r)));
                if let Some((_, first)) = log.queue.front() {
                    self.heads.insert((first.ts_ns, index));
                }
            }
            Some(LaneEvent::At(_, at)) => log.at_ns = log.at_ns.max(at.ts_ns),
            Some(LaneEvent::CaughtUp) => log.phase = Phase::Live,
            Some(LaneEvent::Gap(gap)) => self.pending.push_back(Step::Gap(gap)),
            Some(LaneEvent::Marker(marker)) => self.pending.push_back(Step::Marker(marker)),
            Some(LaneEvent::Done(stats)) => {
                (log.phase, log.receiver) = (Phase::Done, None);
                self.pending.push_back(Step::Ended(stats));
            }
            None => {
                let was_done = log.phase == Phase::Done;
                (log.phase, log.receiver) = (Phase::Done, None);
                if !was_done {
                    self.pending.push_back(Step::Ended(Stats::default()));
                }
            }
        }
    }

    /// What may be given now, or when to look again.
    fn give(&mut self, now: Instant) -> Given {
        let mut out = Vec::new();
        let mut held = self.held();
        while out.len() < BATCH {
            let Some((ts_ns, index)) = self.heads.first().copied() else { break };
            if !held.lets(ts_ns, self.arrived(index), now) {
                break;
            }
            self.heads.pop_first();
            let Some(log) = self.logs.get_mut(index) else { break };
            let Some((_, mut record)) = log.queue.pop_front() else { break };
            if record.ts_ns < self.given_ns && matches!(self.order, Order::Merge(_)) && self.tail.is_none() {
                record.flags = record.flags.with(LogFlags::LATE);
            }
            self.given_ns = self.given_ns.max(record.ts_ns);
            log.at_ns = log.at_ns.max(record.ts_ns);
            match log.queue.front() {
                Some((_, next)) => {
                    // A clock that was set back never holds a line behind its predecessor.
                    let key = next.ts_ns.max(ts_ns);
                    self.heads.insert((key, index));
                }
                None => {
                    log.since = now;
                    held.empty(log);
                }
            }
            match self.tail {
                Some(n) => self.gather(record, n),
                None => out.push(record),
            }
        }
        if let Some(records) = self.end_of_gathering(&mut out) {
            return Given::Records(records);
        }
        if out.is_empty() { Given::Wait(self.wake(&held)) } else { Given::Records(out) }
    }

    /// Keeps the last matches, with the lines around them.
    fn gather(&mut self, record: Record, n: u64) {
        self.matches += u64::from(is_match(&record));
        self.gathered.push_back(record);
        while self.matches > n {
            let Some(first) = self.gathered.pop_front() else { return };
            self.matches -= u64::from(is_match(&first));
        }
    }

    /// The tail, once every log has given its history.
    fn end_of_gathering(&mut self, out: &mut Vec<Record>) -> Option<Vec<Record>> {
        let over = self.heads.is_empty() && self.logs.iter().all(|l| l.phase != Phase::History || l.stalled);
        if self.tail.is_none() || !over || self.logs.is_empty() {
            return None;
        }
        self.tail = None;
        out.extend(std::mem::take(&mut self.gathered));
        (!out.is_empty()).then(|| std::mem::take(out))
    }

    fn arrived(&self, index: usize) -> Option<Instant> {
        self.logs.get(index)?.queue.front().map(|(at, _)| *at)
    }

    /// What the logs without a record at hand still hold back.
    fn held(&self) -> Held {
        let gathering = self.tail.is_some();
        let mut held = Held { history_ns: i64::MAX, live: false, window: None, free: false, gathering };
        if self.order == Order::Arrival && self.tail.is_none() {
            held.free = true;
            return held;
        }
        if self.tail.is_none()
            && let Order::Merge(window) = self.order
        {
            held.window = Some(window);
        }
        for log in self.logs.iter().filter(|l| l.queue.is_empty()) {
            held.empty(log);
        }
        held
    }

    fn wake(&self, held: &Held) -> Option<Instant> {
        let first = self.heads.first().and_then(|(_, index)| self.arrived(*index));
        let release = first.map(|at| {
            let patience = match (held.history_ns < i64::MAX, held.window) {
                (true, Some(window)) => window,
                (true, None) => STALLED,
                (false, _) => IDLE,
            };
            at + patience
        });
        let waited = |l: &&Log| l.phase == Phase::History && l.queue.is_empty() && !l.stalled;
        let stall = self.logs.iter().filter(waited).map(|l| l.since + STALLED).min();
        match (release, stall) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// A log that says nothing for too long holds the others no more.
    fn stall(&mut self, now: Instant) {
        if self.heads.is_empty() && self.tail.is_none() {
            return;
        }
        for (index, log) in self.logs.iter_mut().enumerate() {
            let silent = log.phase == Phase::History && log.queue.is_empty() && now >= log.since + STALLED;
            if silent && !log.stalled && !self.heads.is_empty() {
                log.stalled = true;
                self.pending.push_back(Step::Gap(Gap {
                    kind: "stalled",
                    source: Some(index),
                    from_ns: (log.at_ns > i64::MIN).then_some(log.at_ns),
                    to_ns: None,
                    text: "nothing came for 30 s; the others are not held up, and what comes late is out of order".into(),
                }));
            }
        }
    }
}

fn is_match(record: &Record) -> bool {
    !record.flags.has(LogFlags::CONTEXT)
}

enum Given {
    Records(Vec<Record>),
    Wait(Option<Instant>),
}

/// Until when records are held back.
struct Held {
    /// Some log is in its history, and looked at up to here.
    history_ns: i64,
    /// Some log is followed, and silent.
    live: bool,
    window: Option<Duration>,
    free: bool,
    gathering: bool,
}

impl Held {
    fn empty(&mut self, log: &Log) {
        match log.phase {
            Phase::History if !log.stalled => self.history_ns = self.history_ns.min(log.at_ns),
            // Of a log that has given its history a tail wants nothing more.
            Phase::Live => self.live = !self.gathering,
            Phase::History | Phase::Done => {}
        }
    }

    fn lets(&self, ts_ns: i64, arrived: Option<Instant>, now: Instant) -> bool {
        if self.free {
            return true;
        }
        let waited = arrived.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        if ts_ns > self.history_ns {
            return self.window.is_some_and(|window| waited >= window);
        }
        !self.live || waited >= IDLE
    }
}

fn next(index: usize, mut receiver: Receiver<LaneEvent>) -> Next {
    async move {
        let event = receiver.recv().await;
        (index, receiver, event)
    }
    .boxed()
}
