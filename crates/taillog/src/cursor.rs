//! One open segment, read forwards line by line into the assembler.

use std::io;
use std::sync::Arc;

use ph_model::{LogFlags, Position};
use rustix::fs::Advice;

use crate::assemble::{Assembler, Cut, Span};
use crate::batch::{Batch, Gap, GapKind, Note};
use crate::content::Content;
use crate::layout::Segment;
use crate::lines::{LineAt, Lines};
use crate::piece::{Format, Parsed};
use crate::probe::{self, Probe};
use crate::roots::{Base, Roots};
use crate::sieve::{Marks, Sieve};

/// NUL bytes from this many on are named as missing.
const NUL_GAP: u64 = 16;

/// After so many lines in a row that must be looked at, the next so many bytes are read line by line.
const DENSE_LINES: u32 = 32;
const DENSE_BYTES: u64 = 64 << 10;

#[derive(Debug)]
pub(crate) struct Cursor {
    pub run: u32,
    pub segment: Segment,
    pub content: Content,
    /// `None` until the first line is complete.
    pub key: Option<u128>,
    pub identity: (u64, u64),
    /// Offset 0 of this segment in bytes of the run as this reader sees it.
    pub abs_base: u64,
    /// Whether its times ascend, once that was asked.
    pub ordered: Option<bool>,
    /// Where to go on while nothing of this segment was read and it has no key yet.
    pub entered_from: Option<Position>,
    lines: Lines,
    format: Option<Format>,
    marks: Marks,
    /// `None` until it was asked for.
    sieve: Option<Option<Arc<Sieve>>>,
    /// So many lines in a row each held what the sieve looks for.
    streak: u32,
    /// Up to here each line is looked at without asking the sieve.
    dense_to: u64,
    cap: usize,
}

impl Cursor {
    /// Opens a segment to be read from its start on.
    pub fn open(roots: &Roots, run: u32, segment: &Segment, cap: usize) -> io::Result<Self> {
        let mut content = Content::open(roots, segment)?;
        // Damage is met, and told, by who reads there.
        let first = probe::probe(&mut content).unwrap_or_default();
        Ok(Self::of(content, run, (segment, &first), cap))
    }

    /// A file that nobody writes to is about to be read from one end to the other.
    pub fn announce(&self) {
        if self.is_passing() {
            self.content.advise(Advice::Sequential);
        }
    }

    /// It was read to its end: what the kernel holds of it is of no more use than of any other file.
    pub fn let_go(&self) {
        if self.is_passing() {
            self.content.advise(Advice::DontNeed);
        }
    }

    /// Rotated files of containers; not a person's own.
    fn is_passing(&self) -> bool {
        !self.segment.live && self.segment.place.base != Base::Anywhere
    }

    /// As [`Cursor::open`], for readers of what was there when it was listed: it is not looked into again.
    pub fn open_listed(roots: &Roots, run: u32, segment: &Segment, cap: usize) -> io::Result<Self> {
        Ok(Self::opened(Content::open(roots, segment)?, run, segment, cap))
    }

    /// The same of a segment that is open already.
    pub fn opened(mut content: Content, run: u32, segment: &Segment, cap: usize) -> Self {
        if segment.probe.key.is_none() || segment.probe.format.is_none() {
            let first = probe::probe(&mut content).unwrap_or_default();
            return Self::of(content, run, (segment, &first), cap);
        }
        Self::of(content, run, (segment, &segment.probe), cap)
    }

    fn of(content: Content, run: u32, (segment, first): (&Segment, &Probe), cap: usize) -> Self {
        Self {
            run,
            content,
            key: first.key,
            identity: segment.identity,
            abs_base: 0,
            ordered: None,
            entered_from: None,
            lines: Lines::new(0, cap),
            format: first.format,
            marks: Marks::default(),
            sieve: None,
            streak: 0,
            dense_to: 0,
            cap,
            segment: segment.clone(),
        }
    }

    /// A pipe, which has no place among a source's segments.
    pub fn of_stream(read: Box<dyn std::io::Read + Send>, cap: usize, now_ns: i64) -> Self {
        Self {
            run: 0,
            segment: Segment::unnamed(now_ns),
            content: Content::pipe(read),
            key: None,
            identity: (0, 0),
            abs_base: 0,
            ordered: None,
            entered_from: None,
            lines: Lines::new(0, cap),
            format: None,
            marks: Marks::default(),
            sieve: None,
            streak: 0,
            dense_to: 0,
            cap,
        }
    }

    /// Goes to an offset that is the start of a line.
    pub fn seek(&mut self, offset: u64) {
        #[cfg(test)]
        crate::content::counted::SOUGHT.with(|count| count.set(count.get() + 1));
        self.lines.seek(offset);
        self.marks = Marks::default();
        self.dense_to = 0;
    }

    /// Offset of the first byte that is not consumed.
    pub fn offset(&self) -> u64 {
        self.lines.offset()
    }

    pub fn read_to(&self) -> u64 {
        self.lines.read_to()
    }

    pub fn abs(&self) -> u64 {
        self.abs_base + self.offset()
    }

    /// Begins the file anew after it was cut to zero in place.
    pub fn restart(&mut self) {
        self.abs_base = self.abs_base + self.read_to() + 1;
        self.key = None;
        self.format = None;
        self.lines = Lines::new(0, self.cap);
        self.marks = Marks::default();
        self.dense_to = 0;
    }

    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.lines.held()
    }

    pub fn shrink(&mut self) {
        self.lines.shrink();
    }

    /// Where a later reader goes on.
    pub fn resume(&self, asm: &Assembler) -> Position {
        if let (None, 0, Some(from)) = (self.key, self.offset(), self.entered_from) {
            return from;
        }
        Position {
            run: self.run,
            segment_key: self.key.unwrap_or(0),
            offset: self.offset(),
            rewind: asm.rewind(self.abs()),
        }
    }

    /// A span of no length at the point reached.
    pub fn here(&self) -> Span {
        let here = self.span(self.offset(), self.offset());
        match (self.key, self.offset(), self.entered_from) {
            (None, 0, Some(from)) => {
                Span { key: from.segment_key, start: from.offset, end: from.offset, ..here }
            }
            _ => here,
        }
    }

    /// Takes one line that begins before `until`, or passes over many that cannot match; false when there is none now.
    pub fn step(&mut self, until: u64, asm: &mut Assembler, batch: &mut Batch) -> io::Result<bool> {
        if self.offset() >= until {
            return Ok(false);
        }
        if asm.is_idle() && self.pass(until, asm, batch)? {
            return Ok(true);
        }
        let Some(line) = self.lines.next(&mut self.content, until)? else { return Ok(false) };
        self.take(line, asm, batch);
        Ok(true)
    }

    /// Goes to the next line that must be looked at. True when there was none among those at hand.
    fn pass(&mut self, until: u64, asm: &mut Assembler, batch: &mut Batch) -> io::Result<bool> {
        if self.offset() < self.dense_to || !asm.may_pass(self.abs()) || self.key.is_none() {
            return Ok(false);
        }
        let sieve = self.sieve.get_or_insert_with(|| asm.choice().sieve.clone());
        let (Some(sieve), Some(format)) = (sieve.as_ref(), self.format) else { return Ok(false) };
        if !sieve.serves(format) {
            return Ok(false);
        }
        let base = self.lines.offset();
        let whole = self.lines.whole(&mut self.content, until)?;
        let found = sieve.next(format, &mut self.marks, (base, whole));
        let line =
            |i: usize| memchr::memrchr(b'\n', whole.get(..i).unwrap_or_default()).map_or(0, |lf| lf + 1);
        let mut stop = found.map_or(whole.len(), line);
        for _ in 0..asm.wants_before() {
            stop = stop.checked_sub(1).map_or(0, line);
        }
        if stop == 0 && found.is_some() {
            self.streak += 1;
            if self.streak >= DENSE_LINES {
                (self.streak, self.dense_to) = (0, base + DENSE_BYTES);
            }
            return Ok(false);
        }
        self.streak = 0;
        let passed = whole.get(..stop).unwrap_or_default();
        asm.passed(format, passed);
        batch.scanned_bytes += passed.len() as u64;
        self.lines.pass(stop);
        Ok(found.is_none() && stop > 0)
    }

    /// Takes what stands after the last LF, when nothing will follow.
    pub fn finish(&mut self, asm: &mut Assembler, batch: &mut Batch) {
        if let Some(line) = self.lines.rest() {
            self.take(line, asm, batch);
        }
    }

    fn span(&self, start: u64, end: u64) -> Span {
        Span {
            run: self.run,
            key: self.key.unwrap_or(0),
            start,
            end,
            abs_start: self.abs_base + start,
            abs_end: self.abs_base + end,
        }
    }

    fn take(&mut self, line: LineAt, asm: &mut Assembler, batch: &mut Batch) {
        let bytes = self.lines.bytes(line);
        if self.key.is_none() && line.offset == line.nuls && (line.has_lf || bytes.len() >= probe::KEY_BYTES)
        {
            self.key = Some(match line.nuls {
                0 => probe::key_of(bytes),
                n => probe::key_after_nuls(n, bytes),
            });
        }
        let at = self.span(line.offset, line.next);
        batch.scanned_bytes += line.next - line.offset + line.nuls;
        asm.stats.scanned_bytes += line.next - line.offset + line.nuls;
        if line.nuls >= NUL_GAP && at.abs_end > asm.emit_after {
            batch.note(Note::Gap(nul_gap(at, line.nuls, asm.last_ns)));
        }
        if bytes.is_empty() && line.nuls > 0 && !line.has_lf {
            return;
        }
        if self.format.is_none() {
            self.format = Format::of(bytes);
        }
        let flags = if line.has_lf { LogFlags::default() } else { LogFlags::UNTERMINATED };
        let cut = Cut { skipped: line.skipped, flags, fallback_ns: self.segment.mtime_ns };
        match self.format.map(|f| f.parse(bytes)) {
            Some(Parsed::Piece(piece)) => asm.piece(&piece, at, cut, batch),
            _ => asm.malformed(bytes, at, cut, batch),
        }
    }
}

fn nul_gap(at: Span, nuls: u64, last_ns: Option<i64>) -> Gap {
    let place = |offset| Position { run: at.run, segment_key: at.key, offset, rewind: 0 };
    Gap {
        kind: GapKind::NulRun,
        from: Some(place(at.start.saturating_sub(nuls))),
        to: Some(place(at.start)),
        from_ns: last_ns,
        bytes: Some(nuls),
        lines: None,
        exact: true,
        text: format!("{nuls} NUL bytes stand where lines should be, as a power loss leaves them"),
    }
}
