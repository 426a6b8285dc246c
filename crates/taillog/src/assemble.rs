//! Pieces become records: joined per stream, cut at the cap, chosen by the query, written into the batch.
//!
//! In:     pieces in file order. Out: records in the order of their last pieces.
//! Never:  joins across runs; holds more than the cap per stream.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use ph_filter::Compiled;
use ph_model::{Level, LogFlags, Position};

use crate::batch::{Batch, Record, Stream};
use crate::context::{Around, Context, Place};
use crate::escapes;
use crate::mask::{Mask, States, Tally};
use crate::piece::{Format, Parsed, Piece};
use crate::reader::{Stats, Streams};
use crate::sieve::Sieve;

/// Where a physical line lies. `abs` counts bytes of the whole run as this reader sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub run: u32,
    pub key: u128,
    pub start: u64,
    pub end: u64,
    pub abs_start: u64,
    pub abs_end: u64,
}

/// Which records a query wants.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub filter: Arc<Compiled>,
    pub streams: Streams,
    pub from_ns: i64,
    pub to_ns: i64,
    pub sieve: Option<Arc<Sieve>>,
    pub context: Context,
    /// Matches in all.
    pub limit: Option<u64>,
    pub mask: Option<Arc<dyn Mask>>,
}

/// A record that waits for its last piece.
#[derive(Debug)]
struct Open {
    first: Span,
    last: Span,
    ts_ns: i64,
    bytes: Vec<u8>,
    full: u64,
}

#[derive(Debug)]
pub(crate) struct Assembler {
    choice: Choice,
    max_line: usize,
    open: [Option<Open>; 2],
    /// Records whose last piece ends at or before this are not given out: they were before.
    pub emit_after: u64,
    pub last_ns: Option<i64>,
    /// Whether the last record seen lies at or after the end of the time range.
    pub past_end: bool,
    pub stats: Stats,
    seen: [bool; 2],
    block_max_ns: Option<i64>,
    /// Time of the line before, within the run: what a malformed line takes.
    before_ns: Option<i64>,
    /// Whether a malformed line had none before it.
    pub orphan: bool,
    /// Matches that end at or before this (`abs`) are given as context only: an earlier count left them out.
    pub match_after: u64,
    around: Around,
    /// For a reader of blocks: streams in lines that were passed over matter too.
    pub blockwise: bool,
    /// Of the next flush give only the last so many records: the ones before are not asked for.
    pub flush_keep: Option<usize>,
    /// Secrets that go on over lines, of this run.
    masking: (Option<u32>, States),
    /// A message as it is shown.
    shown: Vec<u8>,
    asks_level: bool,
}

/// What an assembler knows at the end of a range.
#[derive(Debug)]
pub(crate) struct Left {
    open: [Option<Open>; 2],
    last_ns: Option<i64>,
    before_ns: Option<i64>,
    past_end: bool,
    masking: (Option<u32>, States),
}

/// What later records depend on, at one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UnderWay {
    open: [Option<Position>; 2],
    masking: States,
}

struct Draft<'a> {
    first: Span,
    last: Span,
    ts_ns: i64,
    stream: Stream,
    flags: LogFlags,
    full: u64,
    bytes: &'a [u8],
}

impl Assembler {
    pub fn new(choice: Choice, max_line: usize) -> Self {
        Self {
            asks_level: choice.filter.needs().level,
            choice,
            max_line,
            open: [None, None],
            emit_after: 0,
            last_ns: None,
            past_end: false,
            stats: Stats::default(),
            seen: [false, false],
            block_max_ns: None,
            before_ns: None,
            orphan: false,
            match_after: 0,
            around: Around::default(),
            blockwise: false,
            flush_keep: None,
            masking: Default::default(),
            shown: Vec::new(),
        }
    }

    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Bytes that records take which wait for their last pieces.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.open.iter().flatten().map(|o| o.bytes.capacity()).sum::<usize>() + self.shown.capacity()
    }

    /// Whether no record waits for its last piece.
    pub fn is_idle(&self) -> bool {
        self.open.iter().all(Option::is_none)
    }

    /// Whether lines from `abs` on can be passed over: not while each counts, whatever it holds.
    pub fn may_pass(&self, abs: u64) -> bool {
        self.choice.sieve.is_some()
            && abs >= self.emit_after
            && !self.around.is_after()
            && !self.masking.1.is_open()
    }

    /// How many lines before a line of interest must be looked at, too.
    pub fn wants_before(&self) -> u32 {
        self.choice.context.before
    }

    /// Takes note of whole lines that cannot match and belong to no open record.
    pub fn passed(&mut self, format: Format, lines: &[u8]) {
        let mut end = lines.len();
        if end == 0 {
            return;
        }
        self.around.forget();
        self.stats.lines += memchr::memchr_iter(b'\n', lines).count() as u64;
        self.stats.scanned_bytes += lines.len() as u64;
        while let Some(body) = end.checked_sub(1) {
            let start = memchr::memrchr(b'\n', lines.get(..body).unwrap_or_default()).map_or(0, |lf| lf + 1);
            if let Parsed::Piece(piece) = format.parse(lines.get(start..body).unwrap_or_default()) {
                self.at_time(piece.ts_ns);
                self.past_end = piece.ts_ns >= self.choice.to_ns;
                break;
            }
            end = start;
        }
        if self.blockwise && self.seen != [true, true] {
            let [out, err] = format.streams(lines);
            self.seen = [self.seen[0] || out, self.seen[1] || err];
        }
    }

    /// The time of the line before the first one that is read.
    pub fn before(&mut self, ts_ns: Option<i64>) {
        self.before_ns = ts_ns;
    }

    fn at_time(&mut self, ts_ns: i64) {
        self.last_ns = Some(ts_ns);
        self.before_ns = self.last_ns;
        self.block_max_ns = self.block_max_ns.max(self.last_ns);
    }

    /// Forgets what is open, for a reader of blocks.
    pub fn begin_block(&mut self, emit_after: u64) {
        self.open = [None, None];
        self.emit_after = emit_after;
        self.seen = [false, false];
        self.block_max_ns = None;
        self.before_ns = None;
        self.orphan = false;
        self.masking = Default::default();
    }

    /// Which streams (stdout, stderr) the block holds.
    pub fn seen(&self) -> [bool; 2] {
        self.seen
    }

    /// The latest time in the block.
    pub fn block_max_ns(&self) -> Option<i64> {
        self.block_max_ns
    }

    /// Takes the next piece; `skipped` bytes of its content were cut off already.
    pub fn piece(&mut self, piece: &Piece<'_>, at: Span, cut: Cut, batch: &mut Batch) {
        self.at_time(piece.ts_ns);
        let full = piece.content.len() as u64 + cut.skipped;
        let slot = usize::from(piece.stream == Stream::Stderr);
        let (Some(place), Some(seen)) = (self.open.get_mut(slot), self.seen.get_mut(slot)) else { return };
        *seen = true;
        if piece.partial {
            let open = place.get_or_insert_with(|| Open {
                first: at,
                last: at,
                ts_ns: piece.ts_ns,
                bytes: Vec::new(),
                full: 0,
            });
            open.add(piece, at, full, self.max_line);
            return;
        }
        match place.take() {
            None => self.emit(
                &Draft {
                    first: at,
                    last: at,
                    ts_ns: piece.ts_ns,
                    stream: piece.stream,
                    flags: cut.flags,
                    full,
                    bytes: &piece.content,
                },
                batch,
            ),
            Some(mut open) => {
                open.add(piece, at, full, self.max_line);
                self.emit_open(&open, piece.stream, cut.flags, batch);
            }
        }
    }

    /// Takes a line that is not in the runtime's format.
    pub fn malformed(&mut self, line: &[u8], at: Span, cut: Cut, batch: &mut Batch) {
        self.orphan |= self.before_ns.is_none();
        let draft = Draft {
            first: at,
            last: at,
            ts_ns: self.before_ns.unwrap_or(cut.fallback_ns),
            stream: Stream::Unknown,
            flags: cut.flags.with(LogFlags::MALFORMED),
            full: line.len() as u64 + cut.skipped,
            bytes: line,
        };
        self.emit(&draft, batch);
    }

    /// Gives out, as if it ended at `end`, what waits for a last piece that will never come.
    pub fn flush(&mut self, end: Span, batch: &mut Batch) {
        let before = self.rewind(end.abs_end);
        let both = self.open.iter().all(Option::is_some);
        let mut waiting: Vec<(Stream, Open)> = Vec::new();
        for (slot, stream) in self.open.iter_mut().zip([Stream::Stdout, Stream::Stderr]) {
            waiting.extend(slot.take().map(|open| (stream, open)));
        }
        waiting.sort_by_key(|(_, open)| open.last.abs_end);
        // These were never given out, however far the reader before us came.
        let emit_after = std::mem::replace(&mut self.emit_after, 0);
        let first = batch.records.len();
        for (i, (stream, mut open)) in waiting.into_iter().enumerate() {
            open.last = end;
            let count = batch.records.len();
            self.emit_open(&open, stream, LogFlags::UNTERMINATED, batch);
            if both
                && i == 0
                && let Some(record) = batch.records.get_mut(count)
            {
                // Going on between the two gives the first again rather than losing the second.
                record.resume.rewind = before;
            }
        }
        if let Some(keep) = self.flush_keep.take() {
            batch.records.drain(first..batch.records.len().saturating_sub(keep).max(first));
        }
        self.emit_after = emit_after;
        self.before_ns = None;
    }

    /// How far back a reader that goes on at `abs` must begin.
    pub fn rewind(&self, abs: u64) -> u32 {
        let first = self.open.iter().flatten().map(|o| o.first.abs_start).min().unwrap_or(abs);
        u32::try_from(abs.saturating_sub(first)).unwrap_or(u32::MAX)
    }

    fn emit_open(&mut self, open: &Open, stream: Stream, flags: LogFlags, batch: &mut Batch) {
        let draft = Draft {
            first: open.first,
            last: open.last,
            ts_ns: open.ts_ns,
            stream,
            flags,
            full: open.full,
            bytes: &open.bytes,
        };
        self.emit(&draft, batch);
    }

    /// Shows every record to the mask, whether it is wanted or not: what comes after may depend on it.
    fn emit(&mut self, draft: &Draft<'_>, batch: &mut Batch) {
        let kept = draft.bytes.get(..self.max_line).unwrap_or(draft.bytes);
        let Some(mask) = &self.choice.mask else {
            return self.decide(draft, (kept, Tally::default()), batch);
        };
        if self.masking.0 != Some(draft.first.run) {
            self.masking = (Some(draft.first.run), States::default());
        }
        let mut shown = std::mem::take(&mut self.shown);
        shown.clear();
        match mask.message(self.masking.1.get(draft.stream), kept, &mut shown) {
            Some(tally) => self.decide(draft, (&shown, tally), batch),
            None => self.decide(draft, (kept, Tally::default()), batch),
        }
        self.shown = shown;
    }

    fn decide(&mut self, draft: &Draft<'_>, (kept, masked): (&[u8], Tally), batch: &mut Batch) {
        if draft.last.abs_end <= self.emit_after {
            return;
        }
        self.stats.lines += 1;
        self.past_end = draft.ts_ns >= self.choice.to_ns;
        if self.past_end || draft.ts_ns < self.choice.from_ns || !self.choice.streams.has(draft.stream) {
            return;
        }
        let seen = Seen::new((draft.ts_ns, draft.stream), kept);
        let last = draft.last;
        let enough = self.choice.limit.is_some_and(|limit| self.stats.matches >= limit);
        let asked = !enough && last.abs_end > self.match_after;
        let matches = asked && self.choice.filter.matches(&seen);
        if asked && !matches && self.asks_level && seen.lacks_level(&self.choice.filter) {
            self.stats.unknown_levels += 1;
        }
        if !matches && self.choice.context.is_none() {
            return;
        }
        let cut = draft.full > draft.bytes.len().min(self.max_line) as u64;
        let flags = if cut { draft.flags.with(LogFlags::TRUNCATED) } else { draft.flags };
        let mut record = Record {
            position: position(draft.first, draft.first.start, 0),
            resume: position(last, last.end, self.rewind(last.abs_end)),
            ts_ns: draft.ts_ns,
            stream: draft.stream,
            flags: if masked.is_empty() { flags } else { flags.with(LogFlags::MASKED) },
            level: Level::Unknown,
            full_bytes: if cut { draft.full } else { 0 },
            context: false,
            masked,
            last_start: last.start,
            flushed: 0,
            start: 0,
            len: kept.len() as u32,
        };
        let resume = record.resume;
        record.level = seen.level();
        match self.around.place(matches, self.choice.context) {
            Place::Nowhere => return,
            Place::Ring => {
                self.around.keep((record, resume), kept, self.choice.context);
                return self.around.saw(resume);
            }
            Place::After => record.context = true,
            Place::Match => {
                self.around.give_before(batch);
                self.stats.matches += 1;
                self.stats.cut_lines += u64::from(cut);
            }
        }
        batch.push(record, kept);
        self.around.saw(resume);
    }

    /// So many records that come next stand after a match that was given before, and are given as context.
    pub fn owe(&mut self, records: u32) {
        self.around.owe(records);
    }

    /// Whether lines after the last match are still to be given.
    pub fn is_in_context(&self) -> bool {
        self.around.is_after()
    }

    /// Where a later reader goes on instead, so that lines before a match to come are not lost.
    pub fn kept_from(&self) -> Option<Position> {
        self.around.resume()
    }

    /// What is under way: where the records begin that wait for their last pieces, and secrets that go on.
    pub fn under_way(&self) -> UnderWay {
        let open = [&self.open[0], &self.open[1]];
        UnderWay {
            open: open.map(|o| o.as_ref().map(|o| position(o.first, o.first.start, 0))),
            masking: self.masking.1,
        }
    }

    pub fn leave(self) -> Left {
        let Self { open, last_ns, before_ns, past_end, masking, .. } = self;
        Left { open, last_ns, before_ns, past_end, masking }
    }

    /// Goes on where another assembler ended, whose segment begins at `abs_base` here.
    pub fn take_over(&mut self, left: Left, abs_base: u64) {
        self.open = left.open.map(|open| {
            open.map(|mut o| {
                for span in [&mut o.first, &mut o.last] {
                    span.abs_start += abs_base;
                    span.abs_end += abs_base;
                }
                o
            })
        });
        self.last_ns = left.last_ns.or(self.last_ns);
        self.before_ns = left.before_ns.or(self.before_ns);
        self.past_end = left.past_end;
        self.masking = left.masking;
    }

    /// Whether everything asked for was given.
    pub fn is_enough(&self) -> bool {
        self.choice.limit.is_some_and(|limit| self.stats.matches >= limit) && !self.around.is_after()
    }
}

/// What is known of a line before it is parsed: bytes skipped, flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub skipped: u64,
    pub flags: LogFlags,
    /// The time of a malformed line that has none before it.
    pub fallback_ns: i64,
}

impl Open {
    fn add(&mut self, piece: &Piece<'_>, at: Span, full: u64, max: usize) {
        let room = max.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(piece.content.get(..room).unwrap_or(&piece.content));
        self.full += full;
        self.last = at;
    }
}

fn position(span: Span, offset: u64, rewind: u32) -> Position {
    Position { run: span.run, segment_key: span.key, offset, rewind }
}

/// A record as its filter sees it: without terminal escapes, its level read when asked for.
pub(crate) struct Seen<'a> {
    ts_ns: i64,
    level: OnceCell<Level>,
    stream: Stream,
    message: Cow<'a, [u8]>,
}

impl<'a> Seen<'a> {
    pub fn new((ts_ns, stream): (i64, Stream), kept: &'a [u8]) -> Self {
        Seen { ts_ns, level: OnceCell::new(), stream, message: escapes::plain(kept).text }
    }

    /// Whether a filter left it out only because its level is unknown.
    pub fn lacks_level(&self, filter: &Compiled) -> bool {
        self.level() == Level::Unknown && self.would_pass(filter)
    }

    /// Whether the filter would pass it at some level.
    fn would_pass(&self, filter: &Compiled) -> bool {
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
        levels.into_iter().any(|level| filter.matches(&AtLevel { seen: self, level }))
    }

    fn level(&self) -> Level {
        *self.level.get_or_init(|| ph_filter::level_of(&self.message).0)
    }
}

impl ph_filter::Record for Seen<'_> {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
    fn level(&self) -> Level {
        Seen::level(self)
    }
    fn message(&self) -> &[u8] {
        &self.message
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "stream" => Some(Cow::Borrowed(self.stream.as_str())).filter(|s| !s.is_empty()),
            _ => ph_filter::field(&self.message, name),
        }
    }
}

/// A record as if its level were known.
struct AtLevel<'a> {
    seen: &'a Seen<'a>,
    level: Level,
}

impl ph_filter::Record for AtLevel<'_> {
    fn ts_ns(&self) -> i64 {
        self.seen.ts_ns
    }
    fn level(&self) -> Level {
        self.level
    }
    fn message(&self) -> &[u8] {
        &self.seen.message
    }
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.seen.field(name)
    }
}
