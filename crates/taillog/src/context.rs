//! Lines around a match, within one source: those before it wait in a ring, those after it are counted off.
//!
//! Never: gives a line twice, however close matches stand.

use std::collections::VecDeque;

use ph_model::Position;

use crate::batch::{Batch, Record};

/// How many records before and after each match are wanted, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub before: u32,
    pub after: u32,
}

impl Context {
    pub(crate) fn is_none(self) -> bool {
        self.before == 0 && self.after == 0
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Match,
    After,
    Ring,
    Nowhere,
}

#[derive(Debug, Default)]
pub(crate) struct Around {
    /// Each with where reading goes on behind it.
    ring: VecDeque<(Record, Vec<u8>, Position)>,
    after: u32,
    /// Where reading goes on after the last record; `None` when lines were passed over behind it.
    last: Option<Position>,
    /// The same for the record before the ring's first one.
    behind: Option<Position>,
}

/// Message bytes that wait in the ring at most; what is more is cut from its far end.
const RING_BYTES: usize = 16 << 20;

impl Around {
    pub fn is_after(&self) -> bool {
        self.after > 0
    }

    /// So many records that come next stand after a match.
    pub fn owe(&mut self, records: u32) {
        self.after = records;
    }

    /// Records were passed over: what waits is not next to what follows.
    pub fn forget(&mut self) {
        self.ring.clear();
        self.last = None;
    }

    /// Takes note of a record that was given out or kept.
    pub fn saw(&mut self, resume: Position) {
        self.last = Some(resume);
    }

    /// Where a later reader must go on to have what waits in the ring.
    pub fn resume(&self) -> Option<Position> {
        self.behind.filter(|_| !self.ring.is_empty())
    }

    pub fn place(&mut self, matches: bool, context: Context) -> Place {
        if matches {
            self.after = context.after;
            return Place::Match;
        }
        if self.after > 0 {
            self.after -= 1;
            return Place::After;
        }
        if context.before > 0 { Place::Ring } else { Place::Nowhere }
    }

    pub fn keep(&mut self, (record, resume): (Record, Position), message: &[u8], context: Context) {
        if self.ring.is_empty() {
            self.behind = Some(self.last.unwrap_or(record.position));
        }
        self.ring.push_back((record, message.to_vec(), resume));
        let mut bytes: usize = self.ring.iter().map(|(_, m, _)| m.len()).sum();
        while self.ring.len() > context.before as usize || (bytes > RING_BYTES && self.ring.len() > 1) {
            let Some((_, message, resume)) = self.ring.pop_front() else { break };
            bytes -= message.len();
            self.behind = Some(resume);
        }
    }

    pub fn give_before(&mut self, batch: &mut Batch) {
        for (mut record, message, _) in self.ring.drain(..) {
            record.context = true;
            batch.push(record, &message);
        }
    }
}
