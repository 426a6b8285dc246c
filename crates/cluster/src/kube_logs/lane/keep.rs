//! What of one container's matches is wanted: all, the first, the last. Context lines go with their match.

use std::collections::VecDeque;

use ph_model::LogFlags;

use super::super::ask::Extent;
use super::super::event::Record;

pub struct Keep {
    extent: Extent,
    before: usize,
    ring: VecDeque<Record>,
    matches: u64,
}

fn is_match(record: &Record) -> bool {
    !record.flags.has(LogFlags::CONTEXT)
}

impl Keep {
    pub fn new(extent: Extent, context_before: u32) -> Self {
        Self { extent, before: context_before as usize, ring: VecDeque::new(), matches: 0 }
    }

    /// What goes on at once. Heads and tails stay until the end: while they wait for their reader, no stream is held.
    pub fn push(&mut self, records: Vec<Record>) -> Vec<Record> {
        let limit = match self.extent {
            Extent::All => return records,
            Extent::Head(n) => {
                for record in records {
                    if self.matches < n || !is_match(&record) && self.matches == n {
                        self.matches += u64::from(is_match(&record));
                        self.ring.push_back(record);
                    }
                }
                return Vec::new();
            }
            Extent::Tail(n) => n,
        };
        for record in records {
            self.matches += u64::from(is_match(&record));
            self.ring.push_back(record);
            while self.matches > limit {
                self.drop_first(limit);
            }
        }
        Vec::new()
    }

    /// Drops the oldest match, with what stands before it, and what stood behind it alone.
    fn drop_first(&mut self, limit: u64) {
        while let Some(record) = self.ring.pop_front() {
            if is_match(&record) {
                self.matches -= 1;
                break;
            }
        }
        if limit == 0 {
            self.ring.clear();
        }
        while self.ring.iter().position(is_match).unwrap_or(0) > self.before {
            self.ring.pop_front();
        }
    }

    /// The first of what is kept back of a run.
    pub fn first_of(&self, run: u32) -> Option<&Record> {
        self.ring.iter().find(|r| r.run == run)
    }

    /// Keeps nothing of what it was given of a run.
    pub fn drop_run(&mut self, run: u32) {
        self.ring.retain(|r| r.run != run);
        self.matches = self.ring.iter().filter(|r| is_match(r)).count() as u64;
    }

    pub fn is_full(&self) -> bool {
        matches!(self.extent, Extent::Head(n) if self.matches >= n)
    }

    pub fn end(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.ring).into()
    }
}
