//! The last so many matches: looked for backwards, a little in each batch, and given oldest first.
//!
//! In:     a reader that goes backwards from the end, or from where the question says.
//! Out:    empty batches while it looks; then what it found, from memory; then, for followers, what was written since.
//! Never:  keeps more than a bound: what is beyond it is read a second time, or given as it is.

use ph_model::Position;

use super::start::find_segment;
use super::turned::Turned;
use super::{Mode, ReadAsk, Reader, SourceId, State, Stats};
use crate::Error;
use crate::batch::{Batch, Marker, Note, Record};
use crate::layout::{self, Run};
use crate::seek::Spot;

/// Kept of what was found, when no other bound was asked for; bytes.
const KEEP: usize = if cfg!(test) { 8 << 10 } else { 8 << 20 };
/// Message bytes of one batch of what is looked through, and of what is given.
const BATCH_BYTES: usize = 256 << 10;
/// One batch looks through so much at most; bytes.
pub(super) const LOOK: u64 = if cfg!(test) { 32 << 10 } else { 4 << 20 };

#[derive(Debug)]
pub(super) struct Looking {
    back: Reader,
    found: Found,
    runs: Passed,
    /// No more is looked for, though more may be wanted; but for what stands before the last match that was found.
    settled: bool,
    /// There is no more of that.
    ended: bool,
    giving: bool,
}

/// What was found until now.
#[derive(Debug, Default)]
struct Found {
    matches: u64,
    /// Newest first, as the records in them.
    kept: Vec<Batch>,
    bytes: usize,
    /// More than is kept: it is read a second time.
    over: bool,
    newest: Option<Position>,
    /// Lines of context behind the newest match.
    trailing: u32,
    /// Where the oldest record begins, and the oldest match.
    oldest: Option<Position>,
    oldest_match: Option<Position>,
    since: Option<Position>,
    /// All that is wanted, or the beginning was reached.
    done: bool,
}

/// The runs that are read, ascending, and which of them reading has come to: restarts are told where they lie.
#[derive(Debug)]
struct Passed {
    runs: Vec<u32>,
    at: Option<u32>,
}

impl Looking {
    pub fn stats(&self) -> Stats {
        if self.giving { Stats::default() } else { self.back.stats() }
    }

    fn is_over(&self) -> bool {
        let owes = self.back.turned.as_ref().is_some_and(Turned::owes);
        self.giving || self.found.done || (self.settled && (self.ended || !owes))
    }
}

impl Found {
    fn take(&mut self, read: Batch) {
        self.since = read.resume.or(self.since);
        for record in &read.records {
            self.newest = self.newest.or(Some(record.position));
            self.oldest = Some(record.before());
            if record.context {
                self.trailing += u32::from(self.matches == 0);
            } else {
                self.matches += 1;
                self.oldest_match = self.oldest;
            }
        }
        if read.is_empty() {
            return;
        }
        self.bytes += read.arena.len() + read.records.len() * size_of::<Record>();
        if !self.over {
            self.kept.push(read);
        }
    }
}

impl Passed {
    fn to(&mut self, run: u32, batch: &mut Batch) {
        let at = *self.at.get_or_insert(run);
        for next in self.runs.iter().filter(|n| **n > at && **n <= run) {
            batch.note(Note::Marker(Marker::Restarted { run: *next }));
        }
        self.at = Some(run.max(at));
    }
}

impl Reader {
    /// Whether the tail that was asked for is still looked for.
    pub fn is_looking(&self) -> bool {
        self.looking.as_ref().is_some_and(|l| !l.giving)
    }

    /// Ends the looking: what was found of the tail until now comes in the next batches, as if it were all.
    pub fn settle(&mut self) {
        if let Some(looking) = &mut self.looking {
            looking.settled = true;
        }
    }

    /// Where looking for a tail ended: a reader that goes backwards from there gives what is older. `None` before it ended.
    pub fn looked_to(&self) -> Option<Position> {
        self.looked.map(|(at, _)| at)
    }

    /// Time of lines near the oldest ones that were looked at for a tail, not older than any of them; ns UTC.
    pub fn looked_ns(&self) -> Option<i64> {
        self.looked_ns
    }

    /// Whether looking for a tail ended before everything wanted was found, or the beginning was reached.
    pub fn is_cut_short(&self) -> bool {
        self.looked.is_some_and(|(_, short)| short)
    }

    pub(super) fn begin_tail(&mut self, chosen: &[Run], wanted: u64) -> Result<(), Error> {
        // Nothing is added any more to what is over, nor to a copy.
        let copy = matches!(self.source, SourceId::File { .. });
        let grows = self.ask.previous == 0 && (self.ask.follow || !copy);
        let mut before = self.ask.before.filter(|_| !self.ask.follow);
        if before.is_none() && grows {
            // The end is fixed first: what is written from then on is the follower's.
            self.begin_at_end(chosen)?;
            before = self.end().map(|end| Position { rewind: 0, ..end });
        }
        let ask = ReadAsk {
            mode: Mode::Backward,
            before,
            after: None,
            limit: Some(wanted),
            follow: false,
            ..self.ask.clone()
        };
        let mut back = Reader::unbegun(&self.roots, &self.source, ask)?;
        back.keeps_resume = true;
        std::mem::swap(&mut back.probes, &mut self.probes);
        back.begin()?;
        let runs = chosen.iter().map(|r| r.number).collect();
        self.looking = Some(Box::new(Looking {
            back,
            found: Found::default(),
            runs: Passed { runs, at: None },
            settled: false,
            ended: false,
            giving: false,
        }));
        Ok(())
    }

    /// Where a follower begins, once the end was fixed.
    fn end(&self) -> Option<Position> {
        self.start_at.or_else(|| self.cur.as_ref().map(|cur| cur.resume(&self.asm)))
    }

    /// Looks on, or gives what was found.
    pub(super) fn look(&mut self, now_ns: i64, batch: &mut Batch) -> Result<(), Error> {
        let Some(looking) = &mut self.looking else { return Ok(()) };
        let mut scanned = 0;
        // What stands before the last match that was found comes with it, however much was looked at.
        while !looking.is_over() && (scanned < LOOK || looking.settled) {
            if let Some(turned) = looking.back.turned.as_mut().filter(|_| looking.settled) {
                turned.settle();
            }
            let read = looking.back.next_batch(BATCH_BYTES, now_ns)?;
            scanned += read.scanned_bytes;
            self.looked_ns = read.at_ns.or(self.looked_ns);
            let found = &mut looking.found;
            match (read.state, looking.settled) {
                (State::Ended, false) => found.done = true,
                (State::Ended, true) => looking.ended = true,
                _ => {}
            }
            found.take(read);
            match self.ask.tail_bytes {
                Some(most) => looking.settled |= found.bytes >= most,
                None if found.bytes > KEEP => {
                    found.over = true;
                    found.kept.clear();
                }
                None => {}
            }
        }
        batch.scanned_bytes += scanned;
        batch.state = State::More;
        if looking.is_over() { self.give_tail(batch) } else { Ok(()) }
    }

    /// Gives the oldest that is kept; in the end leaves off looking.
    fn give_tail(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let Some(mut looking) = self.looking.take() else { return Ok(()) };
        if !std::mem::replace(&mut looking.giving, true) {
            let Looking { back, found, runs, .. } = &mut *looking;
            self.looked = found.since.map(|since| (since, !found.done));
            if found.over {
                let Stats { scanned_bytes, .. } = back.stats();
                self.asm.stats = self.asm.stats.plus(Stats { scanned_bytes, ..Stats::default() });
                return self.read_again(&looking);
            }
            let stats = Stats { gaps: 0, matches: found.matches, ..back.stats() };
            self.asm.stats = self.asm.stats.plus(stats);
            let whole =
                found.done && self.ask.before.is_none() && found.matches < back.ask.limit.unwrap_or(0);
            runs.at = runs.runs.first().copied().filter(|_| whole);
        }
        let at_once = self.ask.tail_bytes.is_some();
        while let Some(kept) = looking.found.kept.pop() {
            self.give_kept(&kept, &mut looking.runs, batch);
            if batch.arena.len() >= BATCH_BYTES && !at_once && !looking.found.kept.is_empty() {
                batch.resume = batch.records.last().map(|r| r.resume);
                self.looking = Some(looking);
                return Ok(());
            }
        }
        let last = match self.ask.before {
            Some(before) if !self.ask.follow => before.run,
            _ => u32::MAX,
        };
        if looking.runs.at.is_some() {
            looking.runs.to(last, batch);
        }
        batch.resume = self.end().or_else(|| batch.records.last().map(|r| r.resume));
        batch.at_ns = batch.records.last().map(|r| r.ts_ns);
        self.asm.last_ns = batch.at_ns;
        if !self.ask.follow {
            batch.state = State::Ended;
            return Ok(());
        }
        self.go_on(&looking.found)
    }

    fn give_kept(&mut self, kept: &Batch, runs: &mut Passed, batch: &mut Batch) {
        let mut notes = kept.notes.iter().rev().peekable();
        for (i, record) in kept.records.iter().enumerate().rev() {
            // What comes before a record going backwards comes after it going forwards.
            while let Some((_, note)) = notes.next_if(|(at, _)| *at > i) {
                batch.note(note.clone());
            }
            runs.to(record.position.run, batch);
            batch.push(*record, kept.message(record));
        }
        notes.for_each(|(_, note)| batch.note(note.clone()));
        self.asm.stats.gaps += kept.gaps().count() as u64;
    }

    /// Follows on from the end that was fixed, with the lines around matches that are owed there.
    fn go_on(&mut self, found: &Found) -> Result<(), Error> {
        let context = self.asm.choice().context;
        if found.matches > 0 {
            self.asm.owe(context.after.saturating_sub(found.trailing));
        }
        let Some(end) = self.end().filter(|_| context.before > 0) else { return Ok(()) };
        let Some((run, spot)) = self.find(end)? else { return Ok(()) };
        self.start_before(&run, spot, (u64::from(context.before), found.newest))
    }

    /// Reads forwards what was found and not kept.
    fn read_again(&mut self, looking: &Looking) -> Result<(), Error> {
        let Some(oldest) = looking.found.oldest else { return Ok(()) };
        let Some((run, spot)) = self.find(oldest)? else {
            // Removed since it was found: what is left of it follows the gap.
            self.ask.after = Some(oldest);
            return self.begin();
        };
        self.asm.begin_block(0);
        self.asm.flush_keep = usize::try_from(oldest.rewind).ok().filter(|n| *n > 0);
        let seen = looking.back.back.as_ref().map_or([true, true], |back| back.seen);
        self.start_joined(&run, spot, seen)?;
        let first = looking.found.oldest_match.filter(|m| *m != oldest && m.run == oldest.run);
        if let Some((_, first)) = first.map(|m| self.find(m)).transpose()?.flatten() {
            self.asm.match_after = self.asm.emit_after + self.distance(&run, spot, first)?;
        }
        self.read_ahead(&[run]);
        Ok(())
    }

    /// Where a position lies now.
    fn find(&mut self, at: Position) -> Result<Option<(Run, Spot)>, Error> {
        let runs = layout::list(&self.roots, &self.source, &mut self.probes)?;
        let Some(run) = runs.into_iter().find(|r| r.number == at.run) else { return Ok(None) };
        let segment = find_segment(&run, at);
        Ok(segment.map(|segment| (run, Spot { segment, offset: at.offset })))
    }
}
