//! From lines to what is asked for: behind the resume point, in range, matching, with context; positions on the way.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ph_filter::{Compiled, Scratch};
use ph_model::{Level, LogFlags};
use xxhash_rust::xxh3::xxh3_64;

use super::ask::{Context, LogAsk};
use super::event::{Position, Record, StreamName};
use super::line::Line;

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
    /// Skips what was seen before a cut.
    seek: Seek,
    /// The line sought was not there.
    pub lost: bool,
    before: VecDeque<Record>,
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
            seek: Seek::Off,
            lost: false,
            before: VecDeque::new(),
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
        self.before.clear();
    }

    /// Takes one line; what is to go out is appended.
    pub fn line(&mut self, line: Line, out: &mut Vec<Record>) -> Verdict {
        // A line without a time stands where the one before it stood.
        let ts_ns = line.ts_ns.or(self.last.map(|p| p.ts_ns)).unwrap_or(0);
        let hash = xxh3_64(&line.content);
        if self.skips(ts_ns, hash) {
            return Verdict::Next;
        }
        let ordinal = match self.last {
            Some(last) if last.ts_ns == ts_ns => last.ordinal.saturating_add(1),
            _ => 0,
        };
        let position = Position { ts_ns, ordinal, hash };
        self.last = Some(position);
        self.lines += 1;
        if ts_ns >= self.to_ns.saturating_add(PAST) {
            return Verdict::Past;
        }
        if ts_ns < self.from_ns || ts_ns >= self.to_ns {
            return Verdict::Next;
        }
        let passes = self.passes(ts_ns, &line.content);
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
        };
        self.place(record, passes, out);
        Verdict::Next
    }

    fn passes(&mut self, ts_ns: i64, message: &[u8]) -> bool {
        let seen = Seen { ts_ns, message };
        let passes = self.filter.matches_with(&seen, &mut self.scratch);
        if !passes && self.needs_level && ph_filter::level_of(message).0 == Level::Unknown {
            self.unknown_levels += 1;
        }
        passes
    }

    #[expect(clippy::needless_pass_by_value, reason = "it goes out or into the context")]
    fn place(&mut self, record: Record, passes: bool, out: &mut Vec<Record>) {
        if passes {
            out.extend(self.before.drain(..));
            out.push(record);
            self.after = self.context.after;
            return;
        }
        let beside = Record { flags: record.flags.with(LogFlags::CONTEXT), ..record };
        if self.after > 0 {
            self.after -= 1;
            out.push(beside);
        } else if self.context.before > 0 {
            if self.before.len() >= self.context.before as usize {
                self.before.pop_front();
            }
            self.before.push_back(beside);
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
