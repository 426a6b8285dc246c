//! Reading backwards: blocks from the end, each assembled forwards and turned round.
//!
//! Out: exactly the records of a forward reader, last first; `Record::before` is where to go on. A block begins at a line;
//!      what was open there is joined by going back to its first piece.

use std::io;

use ph_model::Position;

use crate::Error;
use crate::assemble::Assembler;
use crate::batch::{Batch, Gap, GapKind, Note};
use crate::cursor::Cursor;
use crate::layout::{self, Probes, Run, Segment};
use crate::mask;
use crate::roots::Roots;
use crate::scout::Scouts;
use crate::seek::{self, Reach, Spot};
use crate::source::SourceId;

/// The first block; bytes. Of many sources little is wanted of each.
const FIRST_BLOCK: u64 = 4 << 10;
/// A block grows to this; bytes.
const BLOCK: u64 = 64 << 10;
/// A block grows to this while nothing matches; bytes.
const MAX_BLOCK: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Back {
    source: SourceId,
    runs: Vec<Run>,
    tries: u32,
    run: usize,
    segment: usize,
    /// Where the unread part of the segment ends; `None` until it was opened.
    hi: Option<u64>,
    /// Flushed records that an earlier reader gave out already.
    skip_flushed: usize,
    block: u64,
    from_ns: i64,
    cap: usize,
    given: u64,
    done: bool,
    key: u128,
    /// What was removed before it was read, told where it would have come.
    lost: Option<Gap>,
    /// The segment (run and segment by index) that the last block was read from.
    held: Option<((usize, usize), Cursor)>,
    /// Threads that may inflate what is to come; below 2 none.
    pub threads: usize,
    scouts: Option<Scouts>,
    /// Which streams (stdout, stderr) were met so far.
    pub seen: [bool; 2],
    /// The newest time of the block that was read last: what lies before is taken as no newer.
    pub reached_ns: Option<i64>,
}

impl Back {
    /// Reads `runs` from their end.
    pub fn new(source: &SourceId, runs: Vec<Run>, from_ns: i64, cap: usize) -> Self {
        let run = runs.iter().rposition(|r| !r.segments.is_empty());
        let segment = run.and_then(|r| runs.get(r)).map_or(0, |r| r.segments.len().saturating_sub(1));
        Self {
            source: source.clone(),
            tries: 0,
            done: run.is_none(),
            run: run.unwrap_or(0),
            runs,
            segment,
            hi: None,
            skip_flushed: 0,
            block: FIRST_BLOCK,
            from_ns,
            cap,
            given: 0,
            key: 0,
            lost: None,
            held: None,
            threads: 0,
            scouts: None,
            seen: [false, false],
            reached_ns: None,
        }
    }

    /// Whether a gzip file is held inflated, of which a part is still to be read.
    pub fn holds_inflated(&self) -> bool {
        self.held.as_ref().is_some_and(|(_, cur)| cur.content.is_inflated())
            && !self.done
            && self.hi != Some(0)
    }

    /// Gives back what is held of gzip files; the next block opens its file anew.
    pub fn park(&mut self) {
        if self.held.take_if(|(_, cur)| cur.content.is_inflated()).is_some() {
            self.scouts = None;
        }
    }

    /// Goes to a backward resume point; false when its segment is not there any more.
    pub fn before(&mut self, at: Position) -> bool {
        for (r, run) in self.runs.iter().enumerate().filter(|(_, run)| run.number == at.run) {
            let Some(s) = run.segments.iter().rposition(|s| s.key.unwrap_or(0) == at.segment_key) else {
                continue;
            };
            (self.run, self.segment, self.hi) = (r, s, Some(at.offset));
            self.skip_flushed = at.rewind as usize;
            self.done = false;
            return true;
        }
        self.done = true;
        false
    }

    /// Goes to the end of the oldest run; the newer ones are there only to show that it is over.
    pub fn go_oldest(&mut self) {
        let Some(run) = self.runs.iter().position(|r| !r.segments.is_empty()) else { return };
        let segment = self.runs.get(run).map_or(0, |r| r.segments.len().saturating_sub(1));
        (self.run, self.segment, self.hi) = (run, segment, None);
    }

    /// Goes to a spot of one of the runs, by index.
    pub fn go(&mut self, run: usize, spot: Spot) {
        (self.run, self.segment, self.hi) = (run, spot.segment, Some(spot.offset));
    }

    pub fn given(&self) -> u64 {
        self.given
    }

    pub fn gave(&mut self, records: u64) {
        self.given += records;
    }

    /// Run and segment (indices) that the last block was read from, or the next one will be.
    pub fn at(&self) -> (usize, usize) {
        (self.run, self.segment)
    }

    pub fn resume(&self) -> Option<Position> {
        let number = self.runs.get(self.run)?.number;
        Some(Position { run: number, segment_key: self.key, offset: self.hi?, rewind: 0 })
    }

    /// Reads one block; its records follow those in the batch, last first. False when nothing lies before it.
    /// The block's segment stays [`Back::at`] until the next call.
    ///
    /// # Errors
    /// `denied`; damage is a gap.
    pub fn next(&mut self, roots: &Roots, asm: &mut Assembler, batch: &mut Batch) -> Result<bool, Error> {
        if self.hi == Some(0) && self.skip_flushed == 0 {
            self.step_segment();
            if self.scouts.is_none() && self.threads > 1 && !self.done {
                // The segment that comes next may be held already.
                self.scouts = Scouts::begin(roots, self.threads, &self.runs, (self.run, self.segment));
                self.threads = 0;
            }
        }
        while !self.done && self.is_newer_than(asm.choice().to_ns) {
            self.step_segment();
        }
        if self.done {
            return Ok(false);
        }
        let before = (batch.records.len(), batch.arena.len());
        match self.block(roots, asm, batch) {
            Ok(()) => self.tries = 0,
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.tries < 8 => {
                // Renamed or gzipped since it was listed.
                self.tries += 1;
                batch.records.truncate(before.0);
                batch.arena.truncate(before.1);
                self.relist(roots, batch)?;
                return Ok(!self.done);
            }
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                let path = self.runs.get(self.run).and_then(|r| r.segments.get(self.segment));
                return Err(Error::io(&path.map(|s| roots.full(&s.place)).unwrap_or_default(), e));
            }
            Err(e) => {
                batch.note(Note::Gap(self.damage(&e)));
                self.hi = Some(0);
            }
        }
        let at_start = self.hi == Some(0) && self.run == 0 && self.segment == 0;
        if let Some(lost) = self.lost.take_if(|_| at_start) {
            batch.note(Note::Gap(lost));
        }
        Ok(!self.done && !at_start)
    }

    /// Whether all of the next segment lies behind the range: gzip is taken as ordered. What was open at the end of a run may
    /// have begun before.
    fn is_newer_than(&self, to_ns: i64) -> bool {
        let Some(run) = self.runs.get(self.run) else { return false };
        let inner = self.hi.is_none() && self.skip_flushed == 0 && self.segment + 1 < run.segments.len();
        let newer = |s: &Segment| s.gz && s.first_ns.is_some_and(|first| first >= to_ns);
        inner && run.segments.get(self.segment).is_some_and(newer)
    }

    /// Lists the source again and finds the segment that is being read.
    fn relist(&mut self, roots: &Roots, batch: &mut Batch) -> Result<(), Error> {
        let Some((number, held)) =
            self.runs.get(self.run).and_then(|r| Some((r.number, r.segments.get(self.segment)?.clone())))
        else {
            return Ok(());
        };
        let first = self.runs.first().map_or(0, |r| r.number);
        self.held = None;
        let mut runs = layout::list(roots, &self.source, &mut Probes::default())?;
        runs.retain(|r| r.number >= first && !r.segments.is_empty());
        let same = |s: &layout::Segment| {
            (s.identity == held.identity && s.gz == held.gz) || (s.key.is_some() && s.key == held.key && s.gz)
        };
        let run = runs.iter().position(|r| r.number == number);
        let found = run.and_then(|r| Some((r, runs.get(r)?.segments.iter().position(same)?)));
        let Some((run, segment)) = found else {
            let held_bytes = self.hi.or((!held.gz).then_some(held.size_bytes));
            let bytes = self.older().map(plain_bytes).sum::<Option<u64>>().zip(held_bytes);
            let bytes = bytes.map(|(older, held)| older + held);
            batch.note(Note::Gap(self.removed(&held.name, bytes)));
            self.done = true;
            return Ok(());
        };
        let is_there = |s: &layout::Segment| {
            let same = |n: &layout::Segment| n.identity == s.identity || (n.key.is_some() && n.key == s.key);
            runs.iter().flat_map(|r| &r.segments).any(same)
        };
        let missing: Vec<_> = self.older().filter(|s| !is_there(s)).collect();
        if let Some(newest) = missing.last() {
            let bytes = missing.iter().copied().map(plain_bytes).sum();
            self.lost = Some(self.removed(&newest.name, bytes));
        }
        // What was appended to a file that is no longer live belongs to a later time than this reader began at.
        (self.runs, self.run, self.segment) = (runs, run, segment);
        Ok(())
    }

    /// The segments before the one that is being read.
    fn older(&self) -> impl Iterator<Item = &layout::Segment> {
        let of_run = self.runs.get(self.run).into_iter().flat_map(|r| r.segments.iter().take(self.segment));
        self.runs.iter().take(self.run).flat_map(|r| &r.segments).chain(of_run)
    }

    fn removed(&self, name: &str, bytes: Option<u64>) -> Gap {
        Gap {
            kind: GapKind::RotatedAway,
            text: format!("{name} and what is older was removed before it was read"),
            bytes,
            exact: bytes.is_some(),
            ..self.damage(&io::ErrorKind::NotFound.into())
        }
    }

    fn step_segment(&mut self) {
        self.hi = None;
        if self.segment > 0 {
            self.segment -= 1;
            return;
        }
        match self.runs.iter().take(self.run).rposition(|r| !r.segments.is_empty()) {
            Some(run) => {
                self.run = run;
                self.segment = self.runs.get(run).map_or(0, |r| r.segments.len() - 1);
            }
            None => self.done = true,
        }
    }

    fn block(&mut self, roots: &Roots, asm: &mut Assembler, batch: &mut Batch) -> io::Result<()> {
        let Some(run) = self.runs.get(self.run) else { return Ok(()) };
        let Some(segment) = run.segments.get(self.segment) else { return Ok(()) };
        let here = (self.run, self.segment);
        let mut cur = match self.held.take().filter(|(at, _)| *at == here) {
            Some((_, cur)) => cur,
            None => open(&mut self.scouts, roots, (run, segment), self.cap)?,
        };
        cur.abs_base = 0;
        asm.stats.segments_opened += u64::from(self.hi.is_none());
        self.key = cur.key.unwrap_or(0);
        let newest = self.run + 1 == self.runs.len();
        let last = self.segment + 1 == run.segments.len();
        let closed = matches!(self.source, SourceId::File { .. });
        let (size, end) = extent(&mut cur, segment.live && newest && !closed)?;
        let hi = self.hi.unwrap_or(end).min(end);
        let lo = block_start(&mut cur, hi, self.block)?;
        let ends_run = last && (!newest || closed) && hi == end;
        asm.blockwise = true;
        let (first, arena, lines) = (batch.records.len(), batch.arena.len(), asm.stats);
        let spot = Spot { segment: self.segment, offset: lo };
        asm.begin_block(0);
        cur.seek(lo);
        read_to(&mut cur, hi, asm, batch)?;
        if hi == size {
            cur.finish(asm, batch);
        }
        let seen = asm.seen();
        self.seen = [self.seen[0] || seen[0], self.seen[1] || seen[1]];
        let reach = Reach { exact: seen.map(|s| s || ends_run), bound: 0 };
        let mut at_end = cur.here();
        let shares = lo == 0 && self.is_between_gz(run);
        let (at, mut cur) = match shares {
            true => {
                // There is room for few inflated files.
                drop(cur);
                before_gz(&mut self.scouts, (roots, run), (self.segment, self.cap))?
            }
            false => (spot, cur),
        };
        let mut held = if shares { (self.run, self.segment - 1) } else { here };
        let mut from = seek::look_back(roots, &run.segments, (at, reach), Some(&mut cur.content))?;
        if asm.orphan {
            from = from.min(seek::timed_before(roots, &run.segments, (at, Some(&mut cur.content)))?);
        }
        if let Some(mask) = asm.choice().mask.clone() {
            let open = (at, Some(&mut cur.content));
            from = from.min(mask::behind(roots, &run.segments, open, &*mask)?.unwrap_or(from));
        }
        if from != at {
            // Something was open where the block begins: again, from its first piece on.
            batch.records.truncate(first);
            batch.arena.truncate(arena);
            asm.stats = lines;
            let own = (!shares).then_some(cur);
            cur =
                Scene { roots, run, cap: self.cap }.again((from, spot, own), (hi, hi == size), asm, batch)?;
            (held, at_end) = (here, cur.here());
        }
        let flushed = batch.records.len();
        if ends_run {
            asm.flush(at_end, batch);
        }
        turn(batch, first, flushed, &mut self.skip_flushed);
        let is_old = asm.block_max_ns().is_some_and(|ts| ts < self.from_ns);
        // Gzip is taken as ordered.
        let too_old = is_old && (shares || seek::ordered(&mut cur.content)?);
        let most = if batch.records.len() == first { MAX_BLOCK } else { BLOCK };
        self.block = (self.block * 2).min(most).max(self.block);
        self.reached_ns = asm.block_max_ns().or(self.reached_ns);
        asm.begin_block(0);
        self.hi = Some(lo);
        self.held = Some((held, cur));
        self.done |= too_old;
        Ok(())
    }

    /// Whether this segment and the one before it are gzipped.
    fn is_between_gz(&self, run: &Run) -> bool {
        let gz = |i: usize| run.segments.get(i).is_some_and(|s| s.gz);
        gz(self.segment) && self.segment.checked_sub(1).is_some_and(gz)
    }

    fn damage(&self, cause: &io::Error) -> Gap {
        let segment = self.runs.get(self.run).and_then(|r| r.segments.get(self.segment));
        let kind = if segment.is_some_and(|s| s.gz) { GapKind::Corrupt } else { GapKind::ReadError };
        let name = segment.map_or("", |s| s.name.as_str());
        Gap {
            kind,
            from: None,
            to: self.resume(),
            from_ns: None,
            bytes: None,
            lines: None,
            exact: false,
            text: format!("read {name} backwards: {cause}"),
        }
    }
}

/// The segment before, opened once for what is open at its end and for the next block; where it ends.
fn before_gz(
    scouts: &mut Option<Scouts>,
    (roots, run): (&Roots, &Run),
    (here, cap): (usize, usize),
) -> io::Result<(Spot, Cursor)> {
    let before = here.checked_sub(1).ok_or(io::ErrorKind::NotFound)?;
    let segment = run.segments.get(before).ok_or(io::ErrorKind::NotFound)?;
    let mut cur = open(scouts, roots, (run, segment), cap)?;
    let end = seek::unless_damaged(cur.content.size())?;
    let spot = Spot { segment: here, offset: 0 };
    Ok((end.map_or(spot, |offset| Spot { segment: before, offset }), cur))
}

fn open(
    scouts: &mut Option<Scouts>,
    roots: &Roots,
    (run, segment): (&Run, &Segment),
    cap: usize,
) -> io::Result<Cursor> {
    match scouts.as_mut().and_then(|scouts| scouts.take(segment)) {
        Some(content) => Ok(Cursor::opened(content, run.number, segment, cap)),
        None => Cursor::open_listed(roots, run.number, segment, cap),
    }
}

/// Size of a plain file; what a gzipped one holds is not known.
fn plain_bytes(segment: &layout::Segment) -> Option<u64> {
    (!segment.gz).then_some(segment.size_bytes)
}

/// Size of a segment, and the end of its last whole line where it is still written to.
fn extent(cur: &mut Cursor, grows: bool) -> io::Result<(u64, u64)> {
    let size = cur.content.size()?;
    let end = if grows { cur.content.last_lf(0, size)?.map_or(0, |lf| lf + 1) } else { size };
    Ok((size, end))
}

fn block_start(cur: &mut Cursor, hi: u64, block: u64) -> io::Result<u64> {
    let plain = cur.content.is_plain();
    // What is inflated from its start for each block is read in few of them while nothing matches.
    let far = cur.content.back_step() * (block / BLOCK).max(1);
    let step = if plain { block } else { far };
    let guess = hi.saturating_sub(step);
    // Where little is left, the last line of each stream may lie in the segment before, which would be opened for it.
    if guess < step {
        return Ok(0);
    }
    match cur.content.after_next_lf(guess - 1, hi)? {
        Some(start) if start < hi => Ok(start),
        _ => Ok(cur.content.last_lf(0, guess)?.map_or(0, |lf| lf + 1)),
    }
}

fn read_to(cur: &mut Cursor, hi: u64, asm: &mut Assembler, batch: &mut Batch) -> io::Result<()> {
    while cur.step(hi, asm, batch)? {}
    Ok(())
}

/// A run and how to open its segments.
struct Scene<'a> {
    roots: &'a Roots,
    run: &'a Run,
    cap: usize,
}

impl Scene<'_> {
    /// Reads up to `hi` of the segment of `to` with what is open at `to`; `last`: nothing follows in its segment.
    fn again(
        &self,
        places: (Spot, Spot, Option<Cursor>),
        (hi, last): (u64, bool),
        asm: &mut Assembler,
        batch: &mut Batch,
    ) -> io::Result<Cursor> {
        let mut cur = self.approach(places, asm, batch)?;
        read_to(&mut cur, hi, asm, batch)?;
        if last {
            cur.finish(asm, batch);
        }
        Ok(cur)
    }

    /// Reads from `from` up to `to`, giving out nothing, so that what is open there is known. `held`: of the segment of `to`.
    fn approach(
        &self,
        (from, to, mut held): (Spot, Spot, Option<Cursor>),
        asm: &mut Assembler,
        batch: &mut Batch,
    ) -> io::Result<Cursor> {
        asm.begin_block(u64::MAX);
        let mut abs = 0;
        for index in from.segment..=to.segment {
            let Some(segment) = self.run.segments.get(index) else { continue };
            let mut cur = match held.take_if(|_| index == to.segment) {
                Some(held) => held,
                None => Cursor::open(self.roots, self.run.number, segment, self.cap)?,
            };
            cur.abs_base = abs;
            cur.seek(if index == from.segment { from.offset } else { 0 });
            if index == to.segment {
                while cur.step(to.offset, asm, batch)? {}
                asm.emit_after = abs + to.offset;
                return Ok(cur);
            }
            read_to(&mut cur, u64::MAX, asm, batch)?;
            cur.finish(asm, batch);
            abs = cur.abs();
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Turns the block's records round.
fn turn(batch: &mut Batch, first: usize, flushed: usize, skip_flushed: &mut usize) {
    let keep = batch.records.len().saturating_sub(std::mem::take(skip_flushed)).max(flushed);
    batch.records.truncate(keep);
    let total = batch.records.len();
    for (i, record) in batch.records.iter_mut().enumerate().skip(first) {
        record.flushed = if i >= flushed { (total - i) as u32 } else { 0 };
    }
    if let Some(block) = batch.records.get_mut(first..) {
        block.reverse();
    }
}
