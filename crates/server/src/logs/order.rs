//! In which order the lines of several sources go out while they come in.
//!
//! In:     records of each source in file order, watermarks, the time (an argument). Out: records to send now, flagged `late` when
//! others of a later time went out before; sources that hold up a strict order for too long.
//! Never:  two records of one source swapped, whatever their times are.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ph_model::LogFlags;
use tokio::time::Instant;

use super::ask::Order;
use super::read::DEADLINE;
use super::record::Record;

/// Nothing waits longer in `merge`, unless told.
const WINDOW: Duration = Duration::from_millis(500);
/// The same before anything went out.
const FIRST_WINDOW: Duration = Duration::from_millis(200);
/// A source that has read all there is stands this far behind its node's clock.
const IDLE_NS: i64 = 200_000_000;
/// Records that wait, in bytes of messages; above it nothing more is taken.
const MOST_BYTES: usize = 16 << 20;
/// What holds something back is looked at again after this.
const LOOK: Duration = Duration::from_millis(25);

#[derive(Default)]
struct Lane {
    queue: VecDeque<(Record, Instant)>,
    /// Time of the last line scanned; `None` before the first.
    mark_ns: Option<i64>,
    idle: bool,
    /// Nothing is waited for: it ended, is away, or stalled.
    free: bool,
    since: Option<Instant>,
    last_ns: i64,
}

/// Merges what comes in.
pub struct Sorter {
    order: Order,
    /// Nothing waits longer in `merge`.
    window: Duration,
    lanes: BTreeMap<u32, Lane>,
    last: Option<(i64, u32, u32, u64)>,
    bytes: usize,
}

impl Sorter {
    pub fn new(order: Order, window: Option<Duration>) -> Self {
        Self { order, window: window.unwrap_or(WINDOW), lanes: BTreeMap::new(), last: None, bytes: 0 }
    }

    /// A source whose lines are waited for from now on.
    pub fn join(&mut self, source: u32, now: Instant) {
        self.lanes.entry(source).or_default().since.get_or_insert(now);
    }

    pub fn push(&mut self, r: Record, now: Instant) {
        self.bytes += r.message.len();
        let lane = self.lanes.entry(r.source).or_default();
        (lane.free, lane.idle) = (false, false);
        lane.queue.push_back((r, now));
    }

    /// What a source has read so far.
    pub fn mark(&mut self, source: u32, at_ns: i64, caught_up: bool) {
        let lane = self.lanes.entry(source).or_default();
        (lane.idle, lane.free) = (caught_up, false);
        if at_ns != 0 || caught_up {
            lane.mark_ns = Some(lane.mark_ns.unwrap_or(i64::MIN).max(at_ns));
        }
    }

    /// Nothing is to be waited for from this source until it is heard again.
    pub fn free(&mut self, source: u32) {
        self.lanes.entry(source).or_default().free = true;
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.values().all(|l| l.queue.is_empty())
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }

    /// How many records of a source wait.
    pub fn held(&self, source: u32) -> usize {
        self.lanes.get(&source).map_or(0, |l| l.queue.len())
    }

    /// Records and bytes that wait.
    pub fn waiting(&self) -> (u64, u64) {
        (self.lanes.values().map(|l| l.queue.len() as u64).sum(), self.bytes as u64)
    }

    /// When to look again; `None` while nothing waits.
    pub fn look_at(&self, now: Instant) -> Option<Instant> {
        (!self.is_empty()).then(|| now + LOOK)
    }

    /// What may go out now, and sources that held up the rest until the deadline.
    pub fn release(&mut self, now: Instant, now_ns: i64) -> (Vec<Record>, Vec<u32>) {
        let (mut out, mut stalled) = (Vec::new(), Vec::new());
        while let Some((source, key, since)) = self.first() {
            let waits: Vec<u32> = self.waits_for(source, key.0, now_ns);
            let window = if self.last.is_none() { self.window.min(FIRST_WINDOW) } else { self.window };
            let over = now.saturating_duration_since(since);
            let go = match self.order {
                Order::Arrival => true,
                Order::Merge => {
                    waits.is_empty()
                        || over >= window
                        || self.is_full()
                        || self.last.is_some_and(|last| key < last)
                }
                Order::Strict if over >= DEADLINE => {
                    for source in &waits {
                        self.free(*source);
                    }
                    stalled.extend(waits);
                    true
                }
                Order::Strict => waits.is_empty(),
            };
            if !go {
                break;
            }
            self.pop(source, &mut out);
        }
        (out, stalled)
    }

    /// Everything, at the end.
    pub fn rest(&mut self) -> Vec<Record> {
        let mut out = Vec::new();
        while let Some((source, ..)) = self.first() {
            self.pop(source, &mut out);
        }
        out
    }

    /// The source whose record is next, its key, and how long it waits.
    fn first(&self) -> Option<(u32, (i64, u32, u32, u64), Instant)> {
        let heads = self.lanes.iter().filter_map(|(s, l)| l.queue.front().map(|(r, at)| (*s, r.key(), *at)));
        if self.order == Order::Arrival {
            return heads.min_by_key(|(_, _, at)| *at);
        }
        heads.min_by_key(|(_, key, _)| *key)
    }

    /// Sources that could still give something earlier.
    fn waits_for(&self, source: u32, ns: i64, now_ns: i64) -> Vec<u32> {
        let passed = |l: &Lane| {
            let idle = if l.idle { now_ns.saturating_sub(IDLE_NS) } else { i64::MIN };
            l.free || !l.queue.is_empty() || l.mark_ns.is_some_and(|mark| mark.max(idle) >= ns)
        };
        self.lanes.iter().filter(|(s, l)| **s != source && !passed(l)).map(|(s, _)| *s).collect()
    }

    /// Takes a source's next record, and those behind it whose clock stepped back.
    fn pop(&mut self, source: u32, out: &mut Vec<Record>) {
        let Some(lane) = self.lanes.get_mut(&source) else { return };
        let mut stepped = false;
        while let Some((r, _)) = lane.queue.front() {
            if stepped && r.ts_ns >= lane.last_ns {
                break;
            }
            let Some((mut r, _)) = lane.queue.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(r.message.len());
            let behind = self.last.is_some_and(|last| r.key() < last);
            let own_step = r.ts_ns < lane.last_ns;
            if self.order == Order::Merge && behind && !own_step {
                r.flags = r.flags.with(LogFlags::LATE);
            }
            if !own_step {
                lane.last_ns = r.ts_ns;
            }
            if self.last.is_none_or(|last| r.key() > last) {
                self.last = Some(r.key());
            }
            stepped = true;
            out.push(r);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Orders, windows, late lines, stalls; time is told.

    use ph_model::{Level, Position};

    use super::*;

    const MS: i64 = 1_000_000;

    fn r(source: u32, ms: i64, offset: u64) -> Record {
        let position = Position { offset, ..Position::default() };
        Record {
            source,
            ts_ns: ms * MS,
            position,
            resume: position,
            stream: 1,
            level: Level::Unknown,
            flags: LogFlags::default(),
            full_bytes: 0,
            message: bytes::Bytes::new(),
            stored: false,
        }
    }

    struct Bench {
        sorter: Sorter,
        start: Instant,
    }

    impl Bench {
        fn new(order: Order) -> Self {
            let start = Instant::now();
            let mut sorter = Sorter::new(order, None);
            sorter.join(0, start);
            sorter.join(1, start);
            Self { sorter, start }
        }

        fn push(&mut self, at_ms: u64, records: &[Record]) {
            for r in records {
                self.sorter.push(r.clone(), self.start + Duration::from_millis(at_ms));
            }
        }

        /// `source:ms`, `!` behind late ones.
        fn out(&mut self, at_ms: u64, now_ms: i64) -> String {
            let (records, stalled) =
                self.sorter.release(self.start + Duration::from_millis(at_ms), now_ms * MS);
            let mut text: Vec<String> = records
                .iter()
                .map(|r| {
                    let late = if r.flags.has(LogFlags::LATE) { "!" } else { "" };
                    format!("{}:{}{late}", r.source, r.ts_ns / MS)
                })
                .collect();
            text.extend(stalled.iter().map(|s| format!("stalled {s}")));
            text.join(" ")
        }
    }

    #[test]
    fn strict_waits_for_every_watermark() {
        let mut b = Bench::new(Order::Strict);
        b.push(0, &[r(0, 10, 0), r(0, 30, 1)]);
        assert_eq!(b.out(1_000, 0), "");
        b.sorter.mark(1, 20 * MS, false);
        assert_eq!(b.out(1_000, 0), "0:10");
        b.push(1_100, &[r(1, 25, 0)]);
        assert_eq!(b.out(1_100, 0), "1:25");
        b.sorter.mark(1, 0, true);
        assert_eq!(b.out(1_200, 229), "", "idle, 200 ms behind the clock");
        assert_eq!(b.out(1_200, 230), "0:30");
    }

    #[test]
    fn strict_gives_a_silent_source_up_at_the_deadline() {
        let mut b = Bench::new(Order::Strict);
        b.push(0, &[r(0, 10, 0)]);
        assert_eq!(b.out(29_999, 0), "");
        assert_eq!(b.out(30_000, 0), "0:10 stalled 1");
        b.push(30_001, &[r(0, 11, 1)]);
        assert_eq!(b.out(30_001, 0), "0:11", "it is not waited for again before it is heard");
    }

    #[test]
    fn merge_waits_its_window_and_flags_what_comes_late() {
        let mut b = Bench::new(Order::Merge);
        b.push(0, &[r(0, 10, 0)]);
        assert_eq!(b.out(199, 0), "");
        assert_eq!(b.out(200, 0), "0:10", "the first output");
        b.push(300, &[r(0, 50, 1)]);
        assert_eq!(b.out(799, 0), "");
        assert_eq!(b.out(800, 0), "0:50");
        b.push(900, &[r(1, 20, 0), r(1, 60, 1)]);
        assert_eq!(b.out(900, 0), "1:20!");
        b.sorter.mark(0, 70 * MS, false);
        assert_eq!(b.out(900, 0), "1:60");
    }

    #[test]
    fn a_clock_that_steps_back_neither_swaps_nor_is_late() {
        let mut b = Bench::new(Order::Merge);
        b.push(0, &[r(0, 10, 0), r(0, 30, 1), r(0, 20, 2), r(0, 40, 3)]);
        b.push(0, &[r(1, 15, 0), r(1, 25, 1), r(1, 35, 2)]);
        b.sorter.free(0);
        b.sorter.free(1);
        assert_eq!(b.out(0, 0), "0:10 1:15 1:25 0:30 0:20 1:35 0:40");
    }

    #[test]
    fn arrival_does_not_wait() {
        let mut b = Bench::new(Order::Arrival);
        b.push(0, &[r(0, 50, 0)]);
        b.push(1, &[r(1, 10, 0)]);
        assert_eq!(b.out(1, 0), "0:50 1:10");
    }
}
