//! Closed steps of range queries that were worked out, kept for the next one who asks.
//!
//! In:     extents by organisation and question.
//! Out:    the same, while there is room; which of their samples changed since is for the caller to ask.
//! Never:  more bytes than were given; one organisation's values under another's key; anything on the disk.

mod extent;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ph_model::OrgId;

pub use extent::{Extent, Steps, joined};

/// What makes two range queries ask for the same values wherever their steps meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// As it is printed, whatever it was written like.
    pub expression: String,
    pub step_ms: i64,
    /// Where steps lie between multiples of the step, ms.
    pub phase_ms: i64,
    pub lookback_ms: i64,
}

/// An extent, and how many changes of samples it knows of.
#[derive(Clone, Debug)]
pub struct Known {
    pub extent: Arc<Extent>,
    pub changes: u64,
}

/// The extents of all organisations.
pub struct Kept {
    most_bytes: usize,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    of: HashMap<OrgId, Shelf>,
    bytes: usize,
    /// Rises with each use.
    now: u64,
}

#[derive(Default)]
struct Shelf {
    entries: HashMap<Key, Entry>,
    bytes: usize,
}

struct Entry {
    known: Known,
    bytes: usize,
    used: u64,
}

/// An extent takes at most this share of the room, so that one question does not push all others out.
const SHARE: usize = 4;

impl Kept {
    /// With 0 nothing is kept.
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, shelves: Mutex::default() }
    }

    pub fn is_off(&self) -> bool {
        self.most_bytes == 0
    }

    pub fn find(&self, org: OrgId, key: &Key) -> Option<Known> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.now += 1;
        let now = shelves.now;
        let entry = shelves.of.get_mut(&org)?.entries.get_mut(key)?;
        entry.used = now;
        Some(entry.known.clone())
    }

    /// Keeps an extent in place of what was there; what is too large is not kept, and then nothing is.
    pub fn put(&self, org: OrgId, key: Key, known: Known) {
        let bytes = known.extent.size_bytes() + 2 * key.expression.len() + 256;
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.remove(org, &key);
        if bytes > self.most_bytes / SHARE {
            return;
        }
        shelves.now += 1;
        let used = shelves.now;
        shelves.bytes += bytes;
        let shelf = shelves.of.entry(org).or_default();
        shelf.bytes += bytes;
        shelf.entries.insert(key, Entry { known, bytes, used });
        while shelves.bytes > self.most_bytes && shelves.drop_one() {}
    }

    /// What was kept turned out to be of no use.
    pub fn forget(&self, org: OrgId, key: &Key) {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner).remove(org, key);
    }

    pub fn bytes(&self) -> usize {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

impl Shelves {
    fn remove(&mut self, org: OrgId, key: &Key) {
        let Some(shelf) = self.of.get_mut(&org) else { return };
        if let Some(entry) = shelf.entries.remove(key) {
            shelf.bytes -= entry.bytes;
            self.bytes -= entry.bytes;
        }
        if shelf.entries.is_empty() {
            self.of.remove(&org);
        }
    }

    /// What was used longest ago, of the organisation that holds most: none pushes out what a smaller one keeps.
    fn drop_one(&mut self) -> bool {
        let largest = self.of.iter().max_by_key(|(org, shelf)| (shelf.bytes, **org));
        let oldest = largest.and_then(|(org, shelf)| {
            let (key, _) = shelf.entries.iter().min_by_key(|(_, entry)| entry.used)?;
            Some((*org, key.clone()))
        });
        let Some((org, key)) = oldest else { return false };
        self.remove(org, &key);
        true
    }
}

#[cfg(test)]
mod tests;
