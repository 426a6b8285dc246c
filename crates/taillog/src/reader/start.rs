//! Where a reader begins: at a position, a time, the last so many matches, or the oldest byte.

use std::sync::Arc;

use ph_filter::Compiled;
use ph_model::Position;

use super::{Mode, Reader, Seek, Step, chain};
use crate::Error;
use crate::assemble::{Assembler, Choice};
use crate::back::Back;
use crate::batch::{Batch, Gap, GapKind, Marker, Note};
use crate::content::Content;
use crate::context::Context;
use crate::layout::{self, Run};
use crate::mask;
use crate::seek::{self, Reach, Spot};

/// How far to look for the first piece of a record that is open where reading begins; bytes.
const OPEN_REACH: u64 = 1 << 20;

impl Reader {
    /// Files may be renamed or gzipped between listing and opening: then the listing is made again.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let runs = layout::list(&self.roots, &self.source, &mut self.probes)?;
            let listed = if self.ask.threads > 1 { runs.clone() } else { Default::default() };
            match self.try_begin(runs) {
                Err(Error::NotFound { .. }) if tries < 8 => tries += 1,
                Ok(()) => {
                    self.read_ahead(&listed);
                    return Ok(());
                }
                other => return other,
            }
        }
    }

    fn try_begin(&mut self, runs: Vec<Run>) -> Result<(), Error> {
        let runs: Vec<Run> = runs.into_iter().filter(|r| !r.segments.is_empty()).collect();
        if let (Some(after), false) = (self.ask.after, self.ask.mode == Mode::Backward) {
            return self.begin_after(&runs, after);
        }
        let current = runs.len().saturating_sub(1);
        let first = match self.ask.previous as usize {
            0 if self.ask.all_runs => 0,
            back => current.checked_sub(back).ok_or_else(|| self.no_such_run(&runs))?,
        };
        let end = if self.ask.previous > 0 { first + 1 } else { runs.len() };
        let chosen = runs.get(first..end).unwrap_or_default();
        match self.ask.mode {
            Mode::Backward => {
                self.begin_backward(runs);
                Ok(())
            }
            Mode::Tail(0) => self.begin_at_end(chosen),
            Mode::Tail(n) => self.begin_tail(chosen, n),
            Mode::All => match self.ask.from_ns {
                Some(from) => self.begin_at_time(chosen, from),
                None => {
                    chosen.first().map_or(Ok(()), |run| self.start(run, Spot { segment: 0, offset: 0 }, 0))
                }
            },
        }
    }

    fn no_such_run(&self, runs: &[Run]) -> Error {
        let path = self.source.path(&self.roots).unwrap_or_default();
        Error::NoRun { directory: path.display().to_string(), previous: self.ask.previous, runs: runs.len() }
    }

    fn cap(&self) -> usize {
        self.ask.max_line + (64 << 10)
    }

    fn begin_backward(&mut self, mut runs: Vec<Run>) {
        if !self.ask.all_runs || self.ask.previous > 0 {
            let named = runs.len().checked_sub(1 + self.ask.previous as usize).and_then(|i| runs.get(i));
            let wanted = self.ask.before.map_or_else(|| named.map_or(0, |r| r.number), |b| b.run);
            // The newest run stays in the list: whether a run is over shows in what follows it.
            runs.retain(|r| r.number >= wanted);
        }
        let mut back = Back::new(&self.source, runs, self.ask.from_ns.unwrap_or(i64::MIN), self.cap());
        if self.ask.previous > 0 {
            back.go_oldest();
        }
        if let Some(before) = self.ask.before
            && !back.before(before)
        {
            self.pending.push(Note::Gap(gone(before)));
        }
        back.threads = self.ask.threads;
        self.back = Some(back);
    }

    /// Starts at the end of the newest segment.
    pub(super) fn begin_at_end(&mut self, runs: &[Run]) -> Result<(), Error> {
        let Some(run) = runs.last() else { return Ok(()) };
        let index = run.segments.len().saturating_sub(1);
        let Some(segment) = run.segments.get(index) else { return Ok(()) };
        let wrap = |e| Error::io(&self.roots.full(&segment.place), e);
        let mut content = Content::open(&self.roots, segment).map_err(wrap)?;
        let size = content.size().map_err(wrap)?;
        let offset = content.last_lf(0, size).map_err(wrap)?.map_or(0, |lf| lf + 1);
        self.start_joined(run, Spot { segment: index, offset }, [false, false])
    }

    fn begin_at_time(&mut self, runs: &[Run], from_ns: i64) -> Result<(), Error> {
        // A run is over before the next one begins: the last run that began before the time, or the first.
        let began = |r: &Run| r.segments.first().and_then(|s| s.first_ns).is_some_and(|ts| ts <= from_ns);
        let Some(run) = runs.iter().rev().find(|r| began(r)).or(runs.first()) else { return Ok(()) };
        let path = self.source.path(&self.roots)?;
        let (spot, assumed) =
            seek::by_time(&self.roots, &run.segments, from_ns).map_err(|e| Error::io(&path, e))?;
        self.seek = if assumed { Seek::AssumedOrdered } else { Seek::Proven };
        self.start_joined(run, spot, [false, false])
    }

    /// Starts up to so many records before a spot, in the same run, and behind the one that begins at `until`; they are
    /// context.
    pub(super) fn start_before(
        &mut self,
        run: &Run,
        spot: Spot,
        (records, until): (u64, Option<Position>),
    ) -> Result<(), Error> {
        let choice = Choice {
            filter: Arc::new(Compiled::all()),
            context: Context::default(),
            sieve: None,
            limit: None,
            ..self.asm.choice().clone()
        };
        let mut asm = Assembler::new(choice, self.ask.max_line);
        let mut back = Back::new(&self.source, vec![run.clone()], i64::MIN, self.cap());
        back.go(0, spot);
        let (mut near, mut found) = (spot, 0);
        let mut more = true;
        while more && found < records {
            let mut batch = Batch::default();
            more = back.next(&self.roots, &mut asm, &mut batch)?;
            let (_, segment) = back.at();
            for record in &batch.records {
                if found == records || Some(record.position) == until {
                    more = false;
                    break;
                }
                near = Spot { segment, offset: record.before().offset };
                found += 1;
            }
        }
        self.start_joined(run, near, back.seen)?;
        self.asm.match_after = self.asm.emit_after + self.distance(run, near, spot)?;
        Ok(())
    }

    fn begin_after(&mut self, runs: &[Run], after: Position) -> Result<(), Error> {
        let run = runs.iter().find(|r| r.number == after.run);
        let index = run.and_then(|r| find_segment(r, after));
        if let (Some(run), Some(segment)) = (run, index) {
            let held = run.segments.get(segment);
            if held.is_some_and(|s| !s.gz && s.size_bytes < after.offset) {
                self.pending.push(Note::Gap(shorter(after)));
                return self.start(run, Spot { segment, offset: 0 }, 0);
            }
            return self.start(run, Spot { segment, offset: after.offset }, after.rewind);
        }
        let next = run.or_else(|| runs.iter().find(|r| r.number > after.run));
        let Some(next) = next else {
            self.pending.push(Note::Gap(gone(after)));
            return Ok(());
        };
        let first = if run.is_some() { self.not_before(next) } else { 0 };
        self.start(next, Spot { segment: first, offset: 0 }, 0)?;
        if let Some(cur) = &mut self.cur {
            cur.entered_from = cur.entered_from.or(Some(after));
            self.pending.push(Note::Gap(chain::rotated_away(after, cur, None)));
        }
        if next.number != after.run {
            self.pending.push(Note::Marker(Marker::Restarted { run: next.number }));
        }
        Ok(())
    }

    /// The first segment that does not begin before the last record that was read; the first of all when none does.
    fn not_before(&self, run: &Run) -> usize {
        let Some(after_ns) = self.ask.after_ns else { return 0 };
        let newer = |s: &layout::Segment| s.first_ns.map_or(s.live, |first| first >= after_ns);
        run.segments.iter().position(newer).unwrap_or(0)
    }

    /// Starts at a spot whose open records are not known: looks back for their beginning.
    pub(super) fn start_joined(&mut self, run: &Run, spot: Spot, exact: [bool; 2]) -> Result<(), Error> {
        let path = self.source.path(&self.roots)?;
        let reach = Reach { exact, bound: OPEN_REACH };
        let from = seek::look_back(&self.roots, &run.segments, (spot, reach), None)
            .map_err(|e| Error::io(&path, e))?;
        let rewind = self.distance(run, from, spot)?;
        self.start(run, spot, u32::try_from(rewind).unwrap_or(u32::MAX))
    }

    /// The time before a spot, when what stands there may have none of its own.
    fn time_before(&self, run: &Run, spot: Spot) -> Result<Option<i64>, Error> {
        if spot == (Spot { segment: 0, offset: 0 }) {
            return Ok(None);
        }
        let Some(segment) = run.segments.get(spot.segment) else { return Ok(None) };
        let wrap = |e| Error::io(&self.roots.full(&segment.place), e);
        let mut content = Content::open(&self.roots, segment).map_err(wrap)?;
        let here =
            seek::unless_damaged(seek::time_at(&mut content, spot.offset, u64::MAX)).map_err(wrap)?.flatten();
        if here.is_some_and(|(at, _)| at == spot.offset) {
            return Ok(None);
        }
        seek::time_before(&self.roots, &run.segments, spot).map_err(wrap)
    }

    pub(super) fn distance(&self, run: &Run, from: Spot, to: Spot) -> Result<u64, Error> {
        let mut bytes = to.offset;
        for index in from.segment..to.segment {
            bytes += self.size(run, index)?;
        }
        Ok(bytes - from.offset)
    }

    fn size(&self, run: &Run, index: usize) -> Result<u64, Error> {
        let Some(segment) = run.segments.get(index) else { return Ok(0) };
        Content::open(&self.roots, segment)
            .and_then(|mut c| c.size())
            .map_err(|e| Error::io(&self.roots.full(&segment.place), e))
    }

    /// Holds the segment that lies `rewind` bytes before the spot; gives out only what ends after the spot.
    fn start(&mut self, run: &Run, spot: Spot, rewind: u32) -> Result<(), Error> {
        self.asm.before(if rewind == 0 { self.time_before(run, spot)? } else { None });
        let (mut index, mut offset) = (spot.segment, spot.offset);
        let mut back = u64::from(rewind);
        let mut emit_after = spot.offset;
        while back > offset && index > 0 {
            back -= offset;
            index -= 1;
            offset = self.size(run, index)?;
            emit_after += offset;
        }
        let mut offset = offset.saturating_sub(back);
        let begun = self.secret_before(run, spot)?;
        let earlier = begun.filter(|s| *s < Spot { segment: index, offset });
        if let Some(begun) = earlier {
            while index > begun.segment {
                index -= 1;
                emit_after += self.size(run, index)?;
            }
            offset = begun.offset;
        }
        let Some(segment) = run.segments.get(index) else { return Ok(()) };
        let mut cur =
            self.cursor(run.number, segment).map_err(|e| Error::io(&self.roots.full(&segment.place), e))?;
        cur.seek(offset);
        if cur.key.is_none()
            && let Some(before) = index.checked_sub(1)
            && let Some(segment_key) = run.segments.get(before).and_then(|s| s.key)
        {
            let offset = self.size(run, before)?;
            cur.entered_from = Some(Position { run: run.number, segment_key, offset, rewind: 0 });
        }
        self.asm.emit_after = emit_after;
        self.start_at = self.named(run, spot, (rewind, earlier.is_some()))?;
        self.hold(cur);
        Ok(())
    }

    /// The position of a spot, where it is not that of the first byte read.
    fn named(
        &self,
        run: &Run,
        spot: Spot,
        (rewind, earlier): (u32, bool),
    ) -> Result<Option<Position>, Error> {
        let key = |index: usize| run.segments.get(index).and_then(|s| s.key);
        let at = |segment_key, offset| Position { run: run.number, segment_key, offset, rewind };
        if let Some(key) = key(spot.segment) {
            return Ok((spot.offset > 0 || earlier).then(|| at(key, spot.offset)));
        }
        // Nothing stands there yet to know it by: it is the end of what was before.
        match spot.segment.checked_sub(1).filter(|_| spot.offset == 0 && (rewind > 0 || earlier)) {
            Some(before) => key(before).map(|key| Ok(at(key, self.size(run, before)?))).transpose(),
            None => Ok(None),
        }
    }

    /// Where a secret begins that may go on over lines up to the spot.
    fn secret_before(&self, run: &Run, spot: Spot) -> Result<Option<Spot>, Error> {
        let Some(mask) = &self.ask.mask else { return Ok(None) };
        match mask::behind(&self.roots, &run.segments, (spot, None), &**mask) {
            // Renamed or gzipped since it was listed: then the listing is made again.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::io(&self.source.path(&self.roots)?, e))
            }
            // Damage before the spot is met, and named, by who reads there.
            other => Ok(other.unwrap_or_default()),
        }
    }

    /// What to do at a record that lies after the time range: leave the segment when its times ascend.
    pub(super) fn past_end(&mut self) -> Result<Step, Error> {
        self.asm.past_end = false;
        if self.ask.follow {
            return Ok(Step::End);
        }
        if !self.asm.is_idle() {
            return Ok(Step::Go);
        }
        let Some(cur) = &mut self.cur else { return Ok(Step::End) };
        if cur.ordered.is_none() {
            cur.ordered = seek::ordered(&mut cur.content).ok();
        }
        if cur.ordered == Some(true) {
            self.chain.give_up();
        }
        Ok(Step::Go)
    }
}

/// The segment of a position; among equal keys the first that reaches so far. No key means the run's start.
pub(super) fn find_segment(run: &Run, at: Position) -> Option<usize> {
    if at.segment_key == 0 {
        return (at.offset == 0).then_some(0);
    }
    let named = |s: &layout::Segment| s.key == Some(at.segment_key);
    let reaches = |s: &layout::Segment| named(s) && (s.gz || s.size_bytes >= at.offset);
    run.segments.iter().position(reaches).or_else(|| run.segments.iter().position(named))
}

fn gone(from: Position) -> Gap {
    Gap {
        kind: GapKind::RotatedAway,
        from: Some(from),
        to: None,
        from_ns: None,
        bytes: None,
        lines: None,
        exact: false,
        text: "the segment of this position was removed".to_owned(),
    }
}

fn shorter(from: Position) -> Gap {
    Gap {
        kind: GapKind::Truncated,
        to: Some(Position { offset: 0, rewind: 0, ..from }),
        text: "the file is shorter than this position: it was cut in place".to_owned(),
        ..gone(from)
    }
}
