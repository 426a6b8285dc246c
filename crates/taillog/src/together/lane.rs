//! One source among others: its reader, and the batch that waits to go out.

use std::sync::Arc;

use super::{Event, IDLE_NS, RecordRun};
use crate::batch::{Batch, Record, State};
use crate::reader::{Reader, Stats};

#[derive(Debug)]
pub(super) struct Lane {
    /// Of the source.
    pub index: usize,
    pub reader: Reader,
    /// Reads on from the end, once a tail was found.
    pub forward: Option<Reader>,
    /// Caller's clock when the waiting batch was read.
    pub arrived_ns: i64,
    /// Key of the last record that went out: never descends (backwards: ascends), whatever the clock of the source did.
    pub key_ns: i64,
    batch: Arc<Batch>,
    at: usize,
    note: usize,
    state: State,
    scanned_ns: i64,
    began: bool,
    before: Stats,
    /// Something changed since it was last read.
    touched: bool,
    /// So many records before the last match that went out are still to be given.
    pub owed: u32,
    /// The same before the last record went out.
    owed_before: u32,
    /// Backwards: what was not read yet is not newer; ns UTC.
    pub reached_ns: i64,
}

impl Lane {
    pub fn new(index: usize, reader: Reader) -> Self {
        Self {
            index,
            reader,
            forward: None,
            arrived_ns: 0,
            key_ns: i64::MIN,
            batch: Arc::default(),
            at: 0,
            note: 0,
            state: State::More,
            scanned_ns: i64::MIN,
            began: false,
            before: Stats::default(),
            touched: false,
            owed: 0,
            owed_before: 0,
            reached_ns: i64::MAX,
        }
    }

    pub fn stats(&self) -> Stats {
        self.before.plus(self.reader.stats())
    }

    /// Whether another batch can be asked for now.
    pub fn wants(&self) -> bool {
        self.is_empty() && self.state == State::More
    }

    pub fn is_done(&self) -> bool {
        self.is_empty() && self.state == State::Ended
    }

    fn is_empty(&self) -> bool {
        self.at >= self.batch.records.len() && self.note >= self.batch.notes.len()
    }

    pub fn wakes(&self) -> Option<i64> {
        match self.state {
            State::CaughtUp { wake_at_ns } => Some(wake_at_ns),
            State::More | State::Ended => None,
        }
    }

    /// Its directory may have changed.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// A caught-up reader is asked again when something changed, or when it is time.
    pub fn wake(&mut self, now_ns: i64) {
        if let State::CaughtUp { wake_at_ns } = self.state
            && self.is_empty()
            && (self.touched || now_ns >= wake_at_ns)
        {
            self.touched = false;
            self.state = State::More;
        }
    }

    pub fn pull(&mut self, max_bytes: usize, now_ns: i64, events: &mut Vec<Event>) {
        match self.reader.next_batch(max_bytes, now_ns) {
            Ok(batch) => {
                self.state = batch.state;
                self.scanned_ns = batch.at_ns.unwrap_or(self.scanned_ns);
                self.batch = Arc::new(batch);
            }
            Err(error) => {
                self.state = State::Ended;
                self.batch = Arc::default();
                events.push(Event::Failed(self.index, Arc::new(error)));
            }
        }
        (self.at, self.note) = (0, 0);
        self.arrived_ns = now_ns;
    }

    /// Reads on toward older lines; so many bytes were looked through. What is found goes out by [`Lane::give_newest`].
    pub fn pull_back(&mut self, max_bytes: usize, now_ns: i64, events: &mut Vec<Event>) -> u64 {
        self.pull(max_bytes, now_ns, events);
        self.reached_ns = self.reached_ns.min(self.reader.reached_ns().unwrap_or(i64::MAX));
        if self.batch.records.is_empty() {
            // Nothing will take them along.
            events.extend(self.batch.notes.iter().map(|(_, note)| Event::Note(self.index, note.clone())));
            self.note = self.batch.notes.len();
        }
        self.batch.scanned_bytes
    }

    /// Whether something may lie in what was not read yet that is to go out before this (backwards; any, if `None`).
    pub fn may_hold_newer(&self, than: Option<(i64, usize)>) -> bool {
        self.wants() && than.is_none_or(|than| (self.reached_ns, self.index) > than)
    }

    /// Up to where nothing older can come from this source any more.
    pub fn watermark(&self, now_ns: i64) -> i64 {
        match self.state {
            State::CaughtUp { .. } => (now_ns - IDLE_NS).max(self.scanned_ns),
            State::More | State::Ended => self.scanned_ns,
        }
    }

    fn ts(&self, at: usize) -> Option<i64> {
        self.batch.records.get(at).map(|r| r.ts_ns)
    }

    /// Key of what goes out next; notes go with what was before them.
    pub fn head(&self) -> Option<(i64, usize)> {
        if self.is_empty() {
            return None;
        }
        let noted = self.batch.notes.get(self.note).is_some_and(|(place, _)| *place <= self.at);
        let ts = if noted { self.key_ns } else { self.ts(self.at)? };
        Some((ts.max(self.key_ns), self.index))
    }

    /// As [`Lane::head`] for a backward reader: the newest goes first.
    pub fn back_head(&self) -> Option<(i64, usize)> {
        let ts = self.ts(self.at)?;
        Some((if self.began { ts.min(self.key_ns) } else { ts }, self.index))
    }

    /// Gives records and notes with keys up to the bound; false when there were none.
    pub fn give_below(
        &mut self,
        bound: (i64, usize),
        late: bool,
        left: &mut u64,
        events: &mut Vec<Event>,
    ) -> bool {
        let mut gave = false;
        while *left > 0 {
            while let Some((_, note)) = self.batch.notes.get(self.note).filter(|(place, _)| *place <= self.at)
            {
                events.push(Event::Note(self.index, note.clone()));
                self.note += 1;
                gave = true;
            }
            let to = self.batch.notes.get(self.note).map_or(usize::MAX, |(place, _)| *place);
            let from = self.at;
            while self.at < to && *left > 0 {
                let Some(record) = self.batch.records.get(self.at) else { break };
                let key = record.ts_ns.max(self.key_ns);
                if (key, self.index) > bound {
                    break;
                }
                self.key_ns = key;
                self.at += 1;
                *left -= u64::from(!record.context);
            }
            if self.at == from {
                return gave;
            }
            gave = true;
            let range = from..self.at;
            events.push(Event::Records(RecordRun {
                source: self.index,
                batch: self.batch.clone(),
                range,
                late,
            }));
        }
        gave
    }

    pub fn give_all(&mut self, left: &mut u64, events: &mut Vec<Event>) -> bool {
        self.give_below((i64::MAX, usize::MAX), false, left, events)
    }

    /// Whether what goes out next stands before a match that went out, as asked for.
    pub fn owes_context(&self) -> bool {
        self.owed > 0 && self.at < self.batch.records.len()
    }

    /// Gives a record that stands before a match that went out: one of its kind, whether it matches itself or not.
    pub fn give_owed(&mut self, events: &mut Vec<Event>) {
        let matches = self.give_newest(events, 0);
        self.owed = if matches { self.owed_before - 1 } else { self.owed };
        if let (true, Some(Event::Records(run))) = (matches, events.last_mut()) {
            let mut alone = Batch::default();
            if let Some(record) = self.batch.records.get(run.range.start) {
                alone.push(Record { context: true, ..*record }, self.batch.message(record));
            }
            (run.batch, run.range) = (Arc::new(alone), 0..1);
        }
    }

    /// Gives the newest record of a backward reader, and the notes before it; whether it was a match, before which so many
    /// records are wanted.
    pub fn give_newest(&mut self, events: &mut Vec<Event>, before: u32) -> bool {
        self.key_ns = self.back_head().map_or(self.key_ns, |(key, _)| key);
        self.began = true;
        while let Some((_, note)) = self.batch.notes.get(self.note).filter(|(place, _)| *place <= self.at) {
            events.push(Event::Note(self.index, note.clone()));
            self.note += 1;
        }
        events.push(Event::Records(RecordRun {
            source: self.index,
            batch: self.batch.clone(),
            range: self.at..self.at + 1,
            late: false,
        }));
        let matches = self.batch.records.get(self.at).is_some_and(|r| !r.context);
        self.owed_before = self.owed;
        self.owed = if matches { before } else { self.owed.saturating_sub(1) };
        self.at += 1;
        matches
    }

    /// Leaves the backward reader for the one that goes on from the end, if there is one.
    pub fn turn_round(&mut self) {
        self.batch = Arc::default();
        (self.at, self.note) = (0, 0);
        (self.key_ns, self.scanned_ns) = (i64::MIN, i64::MIN);
        self.state = match self.forward.take() {
            Some(reader) => {
                self.before = self.reader.stats();
                self.reader = reader;
                State::More
            }
            None => State::Ended,
        };
    }
}
