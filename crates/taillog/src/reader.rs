//! Reads one source: forwards or backwards, from a position, a time or the end, and on across rotation and restarts.
//!
//! In:     a `ReadAsk`; the caller's clock. Out: batches, pulled one by one.
//! Never:  waits. A follower that has caught up says so; the caller waits on a `Watcher` and asks again.

mod chain;
mod fetch;
mod skip;
mod start;
mod tail;
mod turned;

use std::path::PathBuf;
use std::sync::Arc;

use ph_filter::Compiled;
use ph_model::Position;

use crate::Error;
use crate::ahead::Ahead;
use crate::assemble::{Assembler, Choice};
use crate::back::Back;
use crate::batch::{Batch, Gap, GapKind, Note, Record, State, Stream};
use crate::context::Context;
use crate::cursor::Cursor;
use crate::layout::Probes;
use crate::mask::Mask;
use crate::roots::{Place, Roots};
use crate::sieve::Sieve;
use crate::source::SourceId;
use chain::{Chain, Step};
use fetch::Fetch;
use tail::Looking;
use turned::Turned;

/// Records in one batch at most, so that small lines do not make a large batch.
const MAX_RECORDS: usize = 8 << 10;
/// A batch ends after this many scanned bytes even without a match, so that the caller can report progress.
const MAX_SCAN: u64 = 4 << 20;
/// How often a follower that waits should look by itself, whatever its watch says; ns.
pub(crate) const RECHECK_NS: i64 = 5_000_000_000;
/// The same without a watch; ns.
const UNWATCHED_NS: i64 = 1_000_000_000;

/// Where to begin and which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Oldest first, everything in range.
    #[default]
    All,
    /// The last so many matches, oldest first; with `follow` goes on from there. 0 begins at the end. They are looked for in
    /// the batches, from `before` or the end backwards: until they are found batches are empty and their state is `More`.
    Tail(u64),
    /// Newest first, from `before` or the end.
    Backward,
}

/// Which outputs are wanted. Lines of unknown stream come with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Streams {
    #[default]
    Both,
    Stdout,
    Stderr,
}

impl Streams {
    pub(crate) fn has(self, stream: Stream) -> bool {
        match self {
            Streams::Both => true,
            Streams::Stdout => stream == Stream::Stdout,
            Streams::Stderr => stream == Stream::Stderr,
        }
    }
}

/// A question to one source. `Default` reads everything of the current run.
#[derive(Clone, Debug)]
pub struct ReadAsk {
    pub mode: Mode,
    /// Go on after this resume point; wins over `mode` and `from_ns` as the place to begin (not for `Backward`).
    pub after: Option<Position>,
    /// Time of the record before `after`, ns UTC. When the segment of `after` is gone, older segments are not read again.
    pub after_ns: Option<i64>,
    /// `Backward`, and `Tail` that does not follow: records before this resume point.
    pub before: Option<Position>,
    /// ns UTC, inclusive.
    pub from_ns: Option<i64>,
    /// ns UTC, exclusive.
    pub to_ns: Option<i64>,
    pub filter: Arc<Compiled>,
    /// Matching records in all, not with `Tail`; `None` is no limit.
    pub limit: Option<u64>,
    /// `Tail`: bytes of what was found from which on it is given as it is, at once, though more may be wanted
    /// (see [`Reader::is_cut_short`]). `None`: any number is found, and much is read a second time rather than kept.
    pub tail_bytes: Option<usize>,
    /// Longer messages are cut and marked. Clamped to 64 KiB – 16 MiB.
    pub max_line: usize,
    pub follow: bool,
    pub streams: Streams,
    /// Records around each match.
    pub context: Context,
    /// `Backward` and `Tail`: what stands around the oldest match ends at the next older one, with which another page begins. Else that
    /// match is a record like any other.
    pub paged: bool,
    /// All restarts; else the current run only (`follow` goes on into new ones), or the one that `previous` names.
    pub all_runs: bool,
    /// The Nth run before the current one, alone; 0 is the current one. Not with `follow`.
    pub previous: u32,
    /// Shows messages masked, to the filter and to the caller.
    pub mask: Option<Arc<dyn Mask>>,
    /// Threads that read ahead of the caller's, for history without context, or inflate for a reader that goes backwards;
    /// below 2 none. Output is the same.
    pub threads: usize,
}

impl Default for ReadAsk {
    fn default() -> Self {
        Self {
            mode: Mode::All,
            after: None,
            after_ns: None,
            before: None,
            from_ns: None,
            to_ns: None,
            filter: Arc::new(Compiled::all()),
            limit: None,
            tail_bytes: None,
            max_line: 1 << 20,
            follow: false,
            streams: Streams::Both,
            context: Context::default(),
            paged: false,
            all_runs: false,
            previous: 0,
            mask: None,
            threads: 0,
        }
    }
}

/// What a reader did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub segments_opened: u64,
    pub scanned_bytes: u64,
    pub lines: u64,
    pub matches: u64,
    pub cut_lines: u64,
    pub gaps: u64,
    /// Lines that a condition on the level left out because theirs is unknown.
    pub unknown_levels: u64,
}

impl Stats {
    #[must_use]
    pub(crate) fn minus(self, other: Stats) -> Stats {
        Stats {
            segments_opened: self.segments_opened - other.segments_opened,
            scanned_bytes: self.scanned_bytes - other.scanned_bytes,
            lines: self.lines - other.lines,
            matches: self.matches - other.matches,
            cut_lines: self.cut_lines - other.cut_lines,
            gaps: self.gaps - other.gaps,
            unknown_levels: self.unknown_levels - other.unknown_levels,
        }
    }

    #[must_use]
    pub(crate) fn plus(self, other: Stats) -> Stats {
        Stats {
            segments_opened: self.segments_opened + other.segments_opened,
            scanned_bytes: self.scanned_bytes + other.scanned_bytes,
            lines: self.lines + other.lines,
            matches: self.matches + other.matches,
            cut_lines: self.cut_lines + other.cut_lines,
            gaps: self.gaps + other.gaps,
            unknown_levels: self.unknown_levels + other.unknown_levels,
        }
    }
}

/// How a place in time was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Seek {
    /// Nothing was sought, or everything was read.
    #[default]
    Proven,
    /// Bisected; probes showed no disorder.
    AssumedOrdered,
}

/// One source being read.
#[derive(Debug)]
pub struct Reader {
    roots: Roots,
    source: SourceId,
    /// Where the source lies, and its path.
    own: (Place, PathBuf),
    ask: ReadAsk,
    asm: Assembler,
    probes: Probes,
    cur: Option<Cursor>,
    chain: Chain,
    back: Option<Back>,
    /// Until the tail that is asked for was found and given.
    looking: Option<Box<Looking>>,
    /// Where looking for a tail ended, and whether more may lie before it.
    looked: Option<(Position, bool)>,
    looked_ns: Option<i64>,
    /// Chooses among what `back` reads, when lines around matches are wanted.
    turned: Option<Turned>,
    /// Backwards, for a reader that turns round what it gives: resume points stay those of a forward reader.
    keeps_resume: bool,
    /// Notes for the next batch.
    pending: Vec<Note>,
    seek: Seek,
    /// The position that reading began at.
    start_at: Option<Position>,
    ended: bool,
    caught_up: bool,
    recheck_ns: i64,
    ahead: Option<Ahead>,
    /// Where to go on after the last batch that a worker gave, while its range is being taken over.
    fetched: Option<Position>,
}

impl Reader {
    /// Finds where to begin. Blocks for as long as seeking a time or a position takes; a tail is looked for in the batches.
    ///
    /// # Errors
    /// `not_found` when the source has no directory, `denied`, `unavailable`.
    pub fn open(roots: &Roots, source: &SourceId, ask: ReadAsk) -> Result<Self, Error> {
        let mut reader = Self::unbegun(roots, source, ask)?;
        reader.begin()?;
        Ok(reader)
    }

    fn unbegun(roots: &Roots, source: &SourceId, ask: ReadAsk) -> Result<Self, Error> {
        let max_line = ask.max_line.clamp(64 << 10, 16 << 20);
        let choice = Choice {
            filter: ask.filter.clone(),
            streams: ask.streams,
            from_ns: ask.from_ns.unwrap_or(i64::MIN),
            to_ns: ask.to_ns.unwrap_or(i64::MAX),
            sieve: sieve(&ask),
            context: if ask.mode == Mode::Backward { Context::default() } else { ask.context },
            limit: ask.limit.filter(|_| ask.mode != Mode::Backward),
            mask: ask.mask.clone(),
        };
        let place = source.place()?;
        let around = ask.mode == Mode::Backward && !ask.context.is_none();
        let turned = around.then(|| Turned::new(ask.filter.clone(), ask.context, (ask.limit, ask.paged)));
        // What stands around a match is told by nothing but its place: each line has to be seen.
        let choice = match around {
            true => Choice { filter: Arc::new(Compiled::all()), sieve: None, ..choice },
            false => choice,
        };
        Ok(Self {
            own: (place.clone(), roots.full(&place)),
            roots: roots.clone(),
            source: source.clone(),
            asm: Assembler::new(choice, max_line),
            ask: ReadAsk { max_line, all_runs: ask.all_runs && ask.previous == 0, ..ask },
            probes: Probes::default(),
            cur: None,
            chain: Chain::default(),
            back: None,
            looking: None,
            looked: None,
            looked_ns: None,
            turned,
            keeps_resume: false,
            pending: Vec::new(),
            seek: Seek::Proven,
            start_at: None,
            ended: false,
            caught_up: false,
            recheck_ns: RECHECK_NS,
            ahead: None,
            fetched: None,
        })
    }

    /// The directories that change when this source does: to be watched, before the first batch is asked for.
    pub fn dirs(&self) -> Vec<PathBuf> {
        let mut dirs: Vec<PathBuf> = self.source.path(&self.roots).into_iter().collect();
        if let Some(cur) = &self.cur
            && let Some(dir) = self.roots.full(&cur.segment.place).parent()
            && !dirs.iter().any(|d| d == dir)
        {
            dirs.push(dir.to_owned());
        }
        dirs
    }

    /// Tells that a writer closed this file (see `Change::closed`), so that its last line is known to be written.
    pub fn note_closed(&mut self, name: &str) {
        self.chain.note_closed(name);
    }

    pub fn stats(&self) -> Stats {
        self.looking.as_ref().map_or(self.asm.stats, |looking| self.asm.stats.plus(looking.stats()))
    }

    /// Tells that nobody watches this source's directories (no watch was left): it asks to be looked at every second.
    pub fn note_unwatched(&mut self) {
        self.recheck_ns = UNWATCHED_NS;
    }

    /// Whether lines after the last match, asked for as context, are still to come.
    pub fn is_in_context(&self) -> bool {
        self.asm.is_in_context()
    }

    /// Backwards: the newest time that what was not read yet is taken to have; ns UTC. `None` before anything was read.
    pub(crate) fn reached_ns(&self) -> Option<i64> {
        self.back.as_ref().and_then(|back| back.reached_ns)
    }

    /// Backwards: whether a gzip file is held inflated of which a part is still to be read.
    pub(crate) fn holds_inflated(&self) -> bool {
        self.back.as_ref().is_some_and(Back::holds_inflated)
    }

    /// Backwards: gives back what is held of gzip files, while other readers are asked. It is inflated again when this one is.
    pub(crate) fn park(&mut self) {
        if let Some(back) = &mut self.back {
            back.park();
        }
    }

    pub fn seek(&self) -> Seek {
        self.seek
    }

    /// The next batch: ends at about `max_bytes` of messages, at 4 MiB scanned, or when nothing more is there now.
    /// A batch without a record whose state is `More` is progress, not an end. `now_ns` is the caller's clock.
    ///
    /// # Errors
    /// `denied` or `unavailable` when the directory can no longer be read. Damage in files is a gap, no error.
    pub fn next_batch(&mut self, max_bytes: usize, now_ns: i64) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        for note in self.pending.drain(..) {
            batch.note(note);
        }
        if self.ended {
            batch.state = State::Ended;
            return Ok(batch);
        }
        if self.looking.is_some() {
            self.look(now_ns, &mut batch)?;
            self.ended = batch.state == State::Ended;
            return Ok(batch);
        }
        if self.back.is_some() {
            self.backward(max_bytes, &mut batch)?;
            if !self.keeps_resume {
                batch.records.iter_mut().for_each(|r| r.resume = r.before());
            }
        } else {
            self.forward(max_bytes, now_ns, &mut batch)?;
            batch.resume = self.resume_point();
        }
        batch.at_ns = self.asm.last_ns;
        self.asm.stats.gaps += batch.gaps().count() as u64;
        self.ended = batch.state == State::Ended;
        Ok(batch)
    }

    /// Where a later reader goes on; not before the place where this one began to give out records.
    fn resume_point(&self) -> Option<Position> {
        if self.fetched.is_some() {
            return self.fetched;
        }
        if let Some(from) = self.asm.kept_from() {
            return Some(from);
        }
        match &self.cur {
            Some(cur) if cur.abs() >= self.asm.emit_after || self.start_at.is_none() => {
                Some(cur.resume(&self.asm))
            }
            Some(_) => self.start_at,
            None => self.ask.after,
        }
    }

    fn backward(&mut self, max_bytes: usize, batch: &mut Batch) -> Result<(), Error> {
        let Some(back) = &mut self.back else { return Ok(()) };
        let most = if self.keeps_resume { tail::LOOK } else { MAX_SCAN };
        if let Some(turned) = &mut self.turned {
            batch.state = State::More;
            while batch.state == State::More && batch.arena.len() < max_bytes && batch.scanned_bytes < most {
                let mut read = Batch::default();
                let more = back.next(&self.roots, &mut self.asm, &mut read)?;
                turned.take(&read, batch, &mut self.asm.stats);
                if turned.is_enough() || !more {
                    batch.state = State::Ended;
                }
            }
            batch.resume = turned.resume().or_else(|| back.resume());
            return Ok(());
        }
        let left = self.ask.limit.map(|l| l.saturating_sub(back.given()));
        batch.state = State::More;
        while batch.state == State::More && batch.arena.len() < max_bytes && batch.scanned_bytes < most {
            let more = back.next(&self.roots, &mut self.asm, batch)?;
            let enough = left.is_some_and(|l| batch.records.len() as u64 >= l);
            if let (true, Some(left)) = (enough, left) {
                batch.records.truncate(left as usize);
            }
            if enough || !more {
                batch.state = State::Ended;
            }
        }
        back.gave(batch.records.len() as u64);
        batch.resume = batch.records.last().map(Record::before).or_else(|| back.resume());
        Ok(())
    }

    fn forward(&mut self, max_bytes: usize, now_ns: i64, batch: &mut Batch) -> Result<(), Error> {
        if std::mem::take(&mut self.caught_up) {
            self.check_rewritten(batch);
        }
        loop {
            if self.asm.is_enough() {
                batch.state = State::Ended;
                return Ok(());
            }
            if batch.arena.len() >= max_bytes
                || batch.records.len() >= MAX_RECORDS
                || batch.scanned_bytes >= MAX_SCAN
            {
                batch.state = State::More;
                return Ok(());
            }
            let stepped = match (self.fetch(batch), &mut self.cur) {
                (Fetch::Batch, _) => continue,
                (Fetch::End(stepped), _) => stepped,
                (Fetch::Until(until), Some(cur)) if !self.chain.failed() => {
                    cur.step(until, &mut self.asm, batch)
                }
                (Fetch::Until(_), _) => Ok(false),
            };
            let step = match stepped {
                Ok(true) if self.asm.past_end => self.past_end()?,
                Ok(true) => Step::Go,
                Ok(false) => self.at_end(now_ns, batch)?,
                Err(cause) => self.damaged(&cause, batch),
            };
            match step {
                Step::Go => {}
                Step::Wait(wake_at_ns) if self.ask.follow => {
                    if let Some(cur) = &mut self.cur {
                        cur.shrink();
                    }
                    self.caught_up = true;
                    batch.state = State::CaughtUp { wake_at_ns };
                    return Ok(());
                }
                Step::Wait(_) | Step::End => {
                    let copy = matches!(self.source, SourceId::File { .. });
                    if let (true, Some(cur)) = (copy || self.ask.previous > 0, &mut self.cur) {
                        // Nobody writes to a copy, or to an earlier run's file.
                        cur.finish(&mut self.asm, batch);
                        self.asm.flush(cur.here(), batch);
                    }
                    batch.state = State::Ended;
                    return Ok(());
                }
            }
        }
    }

    /// Notes a damaged segment; reading goes on with the next one.
    fn damaged(&mut self, cause: &std::io::Error, batch: &mut Batch) -> Step {
        let Some(cur) = &mut self.cur else { return Step::End };
        let kind = if cur.segment.gz { GapKind::Corrupt } else { GapKind::ReadError };
        let (bytes, exact) = cur.content.behind(cur.read_to());
        let gap = Gap {
            kind,
            from: Some(cur.resume(&self.asm)),
            to: None,
            from_ns: self.asm.last_ns,
            bytes,
            lines: None,
            exact: exact && bytes.is_some(),
            text: format!("read {} after byte {}: {cause}", cur.segment.name, cur.read_to()),
        };
        cur.finish(&mut self.asm, batch);
        self.asm.flush(cur.here(), batch);
        batch.note(Note::Gap(gap));
        self.chain.give_up();
        Step::Go
    }
}

/// Context of one stream alone is counted in that stream's lines, so each must be looked at.
pub(crate) fn sieve(ask: &ReadAsk) -> Option<Arc<Sieve>> {
    let any = ask.context.is_none() || ask.streams == Streams::Both;
    any.then(|| Sieve::new(&ask.filter, ask.mask.clone())).flatten().map(Arc::new)
}
