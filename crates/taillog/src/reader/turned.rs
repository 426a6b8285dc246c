//! Lines around matches for a reader that goes backwards: what comes after a match is met before it.
//!
//! In:     all records of the range, newest first. Out: those that match and those around them, each once.

use std::sync::Arc;

use ph_filter::Compiled;
use ph_model::Position;

use crate::assemble::Seen;
use crate::batch::{Batch, Record};
use crate::context::{Around, Context, Place};
use crate::reader::Stats;

#[derive(Debug)]
pub(super) struct Turned {
    filter: Arc<Compiled>,
    asks_level: bool,
    /// Before and after changed places.
    context: Context,
    around: Around,
    matches: u64,
    limit: u64,
    /// What stands around the last match ends at a further one.
    ends_at_match: bool,
    /// It did.
    over: bool,
    last: Option<Position>,
}

impl Turned {
    pub fn new(filter: Arc<Compiled>, context: Context, (limit, ends_at_match): (Option<u64>, bool)) -> Self {
        Self {
            asks_level: filter.needs().level,
            filter,
            context: Context { before: context.after, after: context.before },
            around: Around::default(),
            matches: 0,
            limit: limit.unwrap_or(u64::MAX),
            ends_at_match,
            over: false,
            last: None,
        }
    }

    /// Whether the last match and what stands around it were given.
    pub fn is_enough(&self) -> bool {
        self.over || (self.matches >= self.limit && !self.around.is_after())
    }

    /// Whether lines before the oldest match that was given are still to come.
    pub fn owes(&self) -> bool {
        !self.over && self.around.is_after()
    }

    /// No further match is wanted.
    pub fn settle(&mut self) {
        self.limit = self.limit.min(self.matches);
    }

    /// Takes the records of a batch, with its notes at their places.
    pub fn take(&mut self, read: &Batch, out: &mut Batch, stats: &mut Stats) {
        let mut notes = read.notes.iter().peekable();
        for (i, record) in read.records.iter().enumerate() {
            while let Some((_, note)) = notes.next_if(|(at, _)| *at <= i) {
                out.note(note.clone());
            }
            if self.is_enough() {
                break;
            }
            self.record(*record, read.message(record), out, stats);
        }
        if !self.is_enough() {
            notes.for_each(|(_, note)| out.note(note.clone()));
        }
        stats.matches = self.matches;
        out.scanned_bytes += read.scanned_bytes;
    }

    fn record(&mut self, mut record: Record, message: &[u8], out: &mut Batch, stats: &mut Stats) {
        let seen = Seen::new((record.ts_ns, record.stream), message);
        let asked = self.matches < self.limit;
        let matches = (asked || self.ends_at_match) && self.filter.matches(&seen);
        if matches && !asked {
            self.over = true;
            return;
        }
        if asked && !matches && self.asks_level && seen.lacks_level(&self.filter) {
            stats.unknown_levels += 1;
        }
        let resume = record.before();
        self.last = Some(resume);
        match self.around.place(matches, self.context) {
            Place::Nowhere => {}
            Place::Ring => self.around.keep((record, resume), message, self.context),
            Place::After => {
                record.context = true;
                out.push(record, message);
            }
            Place::Match => {
                self.around.give_before(out);
                self.matches += 1;
                out.push(record, message);
            }
        }
        self.around.saw(resume);
    }

    /// Where a later reader goes on; `None` before the first record.
    pub fn resume(&self) -> Option<Position> {
        self.around.resume().or(self.last)
    }
}
