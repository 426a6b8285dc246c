//! From lines to what is asked for: behind the resume point, masked, in range, matching, with context; positions on the way.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ph_access::redact::{Counts, Masker};
use ph_filter::{Compiled, Scratch};
use ph_model::{Level, LogFlags};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::ask::{Context, LogAsk};
use super::event::{Position, Record, StreamName};
use super::line::Line;
use super::mask::Mask;
use super::place::{Place, Start, check};

/// Reading stops when lines are so much later than the range's end: two streams of a container may cross a little.
const PAST: i64 = 5_000_000_000;

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Next,
    /// The range is over.
    Past,
}

/// Sifts the lines of one container.
pub struct Sift {
    filter: Arc<Compiled>,
    needs_level: bool,
    scratch: Scratch,
    from_ns: i64,
    to_ns: i64,
    context: Context,
    source: usize,
    pub run: u32,
    pub stream: StreamName,
    /// The last line that was seen, whether it matched or not.
    last: Option<Position>,
    /// Only this line passes.
    at: Option<Position>,
    /// Skips what was seen before a cut.
    seek: Seek,
    /// Skips what stands before the place where the reading begins.
    start: Option<Start>,
    /// What stands there or behind is not asked for.
    before: Option<(u32, Place)>,
    mask: Option<Arc<Mask>>,
    masker: Masker,
    /// Time of the first line since the reading of this run began.
    first_ns: Option<i64>,
    /// No line was taken yet: lines that are skipped still say whether a private key goes on.
    fresh: bool,
    /// The line sought was not there.
    pub lost: bool,
    /// A line was so long that it was made of pieces.
    pub joined: bool,
    beside: VecDeque<Record>,
    after: u32,
    pub lines: u64,
    pub unknown_levels: u64,
}

#[derive(Clone, Copy, Debug)]
enum Seek {
    Off,
    /// Up to and with this line; `seen` lines of its time have passed.
    For {
        at: Position,
        seen: u32,
    },
}

struct Seen<'a> {
    ts_ns: i64,
    message: &'a [u8],
}

impl ph_filter::Record for Seen<'_> {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }

    fn level(&self) -> Level {
        ph_filter::level_of(self.message).0
    }

    fn message(&self) -> &[u8] {
        self.message
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        ph_filter::field(self.message, name)
    }
}

impl Sift {
    pub fn new(ask: &LogAsk, source: usize, run: u32) -> Self {
        Self {
            filter: ask.filter.clone(),
            needs_level: ask.filter.needs().level,
            scratch: Scratch::default(),
            from_ns: ask.from_ns.unwrap_or(i64::MIN),
            to_ns: ask.to_ns.unwrap_or(i64::MAX),
            context: ask.context,
            source,
            run,
            stream: StreamName::Unknown,
            last: None,
            at: ask.at,
            seek: Seek::Off,
            start: ask.start,
            before: ask.before,
            mask: ask.mask.clone(),
            masker: Masker::default(),
            first_ns: None,
            fresh: true,
            joined: false,
            lost: false,
            beside: VecDeque::new(),
            after: 0,
            lines: 0,
            unknown_levels: 0,
        }
    }

    /// Goes on behind the last line seen. What is asked of the server from then on.
    pub fn resume(&mut self) -> Option<i64> {
        let at = self.last?;
        self.resume_at(at);
        Some(at.ts_ns)
    }

    pub fn resume_at(&mut self, at: Position) {
        self.last = Some(at);
        self.seek = Seek::For { at, seen: 0 };
    }

    pub fn last(&self) -> Option<Position> {
        self.last
    }

    /// The stream begins anew without a cut: another run.
    pub fn next_run(&mut self, run: u32) {
        (self.run, self.last, self.seek, self.after) = (run, None, Seek::Off, 0);
        self.beside.clear();
        (self.masker, self.fresh, self.first_ns) = (Masker::default(), true, None);
    }

    /// Reads the run from an earlier line on, as if nothing had been read of it; what was counted before it stands.
    pub fn anew(&mut self, counted: (u64, u64)) {
        self.next_run(self.run);
        (self.lines, self.unknown_levels) = counted;
    }

    /// Time of the first line of what was read of this run.
    pub fn first_ns(&self) -> Option<i64> {
        self.first_ns
    }

    /// Whether the line to go on from cannot come any more once this line is there.
    pub fn misses(&self, line: &Line) -> bool {
        matches!(self.seek, Seek::For { at, .. } if line.ts_ns.is_some_and(|ts_ns| ts_ns > at.ts_ns))
    }

    /// Takes one line; what is to go out is appended.
    pub fn line(&mut self, mut line: Line, out: &mut Vec<Record>) -> Verdict {
        // A line without a time stands where the one before it stood.
        let ts_ns = line.ts_ns.or(self.last.map(|p| p.ts_ns)).unwrap_or(0);
        let hash = xxh3_64_with_seed(&line.content, self.mask.as_ref().map_or(0, |m| m.seed));
        if self.skips(ts_ns, hash) {
            self.pass(line);
            return Verdict::Next;
        }
        let ordinal = match self.last {
            Some(last) if last.ts_ns == ts_ns => last.ordinal.saturating_add(1),
            _ => 0,
        };
        let position = Position { ts_ns, ordinal, hash };
        let before = self.last.replace(position);
        self.joined |= line.flags.has(LogFlags::ASSEMBLED);
        self.first_ns.get_or_insert(ts_ns);
        if self.is_before_start(position, before) {
            self.pass(line);
            return Verdict::Next;
        }
        if ts_ns < self.from_ns {
            self.pass(line);
            self.lines += 1;
            return Verdict::Next;
        }
        self.fresh = false;
        self.lines += 1;
        let end_ns = match self.before {
            Some((run, place)) if run == self.run => self.to_ns.min(place.not_after_ns(0)),
            _ => self.to_ns,
        };
        if ts_ns >= end_ns.saturating_add(PAST) {
            return Verdict::Past;
        }
        if ts_ns >= self.to_ns || self.is_beyond(position) {
            return Verdict::Next;
        }
        let masked = self.masked(&mut line.content);
        let passes = match self.at {
            Some(at) => at == position,
            None => self.passes(ts_ns, &line.content),
        };
        if !passes && self.context == Context::default() {
            return Verdict::Next;
        }
        let record = Record {
            source: self.source,
            ts_ns,
            stream: self.stream,
            message: Bytes::from(line.content),
            full_bytes: line.full_bytes,
            flags: line.flags,
            run: self.run,
            position,
            masked,
        };
        self.place(record, passes, out);
        Verdict::Next
    }

    fn masked(&mut self, content: &mut Vec<u8>) -> Option<Box<Counts>> {
        self.mask.as_ref()?.line(&mut self.masker, content).map(Box::new)
    }

    /// A line that is not taken. Before the first that is, it may be the begin of a private key.
    fn pass(&mut self, mut line: Line) {
        if self.fresh {
            self.masked(&mut line.content);
        }
    }

    /// Whether the reading begins behind this line. `before` is the line in front of it.
    fn is_before_start(&mut self, position: Position, before: Option<Position>) -> bool {
        let Some(start) = self.start.filter(|s| s.run == self.run) else { return false };
        if position.place() < start.place {
            return true;
        }
        self.start = None;
        let is_it = |last: Position, wanted| (last.place().next(), check(last.hash)) == (start.place, wanted);
        self.lost |= start.behind.is_some_and(|wanted| !before.is_some_and(|last| is_it(last, wanted)));
        false
    }

    fn is_beyond(&self, position: Position) -> bool {
        self.before.is_some_and(|(run, place)| run == self.run && position.place() >= place)
    }

    fn passes(&mut self, ts_ns: i64, message: &[u8]) -> bool {
        let seen = Seen { ts_ns, message };
        let passes = self.filter.matches_with(&seen, &mut self.scratch);
        if !passes && self.needs_level && ph_filter::level_of(message).0 == Level::Unknown {
            self.unknown_levels += 1;
        }
        passes
    }

    fn place(&mut self, record: Record, passes: bool, out: &mut Vec<Record>) {
        if passes {
            out.extend(self.beside.drain(..));
            out.push(record);
            self.after = self.context.after;
            return;
        }
        let beside = Record { flags: record.flags.with(LogFlags::CONTEXT), ..record };
        if self.after > 0 {
            self.after -= 1;
            out.push(beside);
        } else if self.context.before > 0 {
            if self.beside.len() >= self.context.before as usize {
                self.beside.pop_front();
            }
            self.beside.push_back(beside);
        }
    }

    /// Whether the line was seen before the cut.
    fn skips(&mut self, ts_ns: i64, hash: u64) -> bool {
        let Seek::For { at, seen } = &mut self.seek else { return false };
        if ts_ns < at.ts_ns {
            return true;
        }
        if ts_ns == at.ts_ns {
            let ordinal = *seen;
            *seen += 1;
            if ordinal < at.ordinal || hash != at.hash {
                return true;
            }
            // A tail may have begun amid lines of one time: what counts from here is the place in the whole log.
            self.last = Some(Position { ordinal, ..*at });
            self.seek = Seek::Off;
            return true;
        }
        self.seek = Seek::Off;
        self.lost = true;
        false
    }
}
