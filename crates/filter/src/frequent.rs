//! The commonest of many keys, in a bounded number of places.
//!
//! In:     keys, one by one. Out: how often each came; of those that had to share a place, how far their count may be too high.
//! Source: space-saving (Metwally, Agrawal, El Abbadi, 2005).

use std::collections::HashMap;

/// One line of a count.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bucket {
    /// Begin of a step in ns UTC, a level's word, a value, or a pattern.
    pub key: String,
    pub count: u64,
    /// The true count may be lower by so many; 0 is exact.
    pub over: u64,
    /// ns UTC of the first and last record counted here.
    pub first_ns: i64,
    pub last_ns: i64,
}

/// Space-saving: when there is no room, one of the rarest keys gives its place and its count to the new one.
#[derive(Clone, Debug, Default)]
pub struct Frequent {
    slots: Vec<Bucket>,
    /// Key → its slot.
    index: HashMap<String, usize>,
    room: usize,
    /// No slot counts less than this; the next one to give way is looked for from `hand` on.
    floor: u64,
    hand: usize,
}

impl Frequent {
    /// With so many places.
    pub fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    /// All that is counted now, in no order.
    pub fn buckets(&self) -> &[Bucket] {
        &self.slots
    }

    /// The place of a key.
    pub fn slot(&self, key: &str) -> Option<usize> {
        self.index.get(key).copied()
    }

    /// Counts a key once, at a time. Its place, when it is new there.
    pub fn add(&mut self, key: String, ts: i64) -> Option<usize> {
        if let Some(slot) = self.index.get(&key).and_then(|i| self.slots.get_mut(*i)) {
            slot.count += 1;
            slot.first_ns = slot.first_ns.min(ts);
            slot.last_ns = slot.last_ns.max(ts);
            return None;
        }
        let mut fresh = Bucket { key: key.clone(), count: 1, over: 0, first_ns: ts, last_ns: ts };
        if self.slots.len() < self.room {
            self.index.insert(key, self.slots.len());
            self.slots.push(fresh);
            return Some(self.slots.len() - 1);
        }
        let rarest = self.rarest();
        let slot = self.slots.get_mut(rarest)?;
        (fresh.over, fresh.count) = (slot.count, slot.count + 1);
        self.index.remove(&slot.key);
        self.index.insert(key, rarest);
        *slot = fresh;
        Some(rarest)
    }

    fn rarest(&mut self) -> usize {
        loop {
            for _ in 0..self.slots.len() {
                self.hand = (self.hand + 1) % self.slots.len();
                if self.slots.get(self.hand).is_some_and(|b| b.count <= self.floor) {
                    return self.hand;
                }
            }
            self.floor = self.slots.iter().map(|b| b.count).min().unwrap_or(0);
            if self.slots.is_empty() {
                return 0;
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<&Bucket> {
        self.index.get(key).and_then(|i| self.slots.get(*i))
    }
}
