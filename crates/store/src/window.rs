//! Which batches of which sender have been stored: the newest 1,024 numbers per source, with content hashes.
//!
//! In:     batches as they become durable, in the order of the log.
//! Out:    whether a batch is new, a repeat, or another content under a known number.

use std::collections::{BTreeMap, HashMap};

use ph_model::BatchId;

/// How many numbers are kept per source; older ones count as seen.
pub(crate) const WIDTH: u64 = 1024;

/// What is known of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    New,
    /// Stored before, or too old to be told from that.
    Repeat,
    /// The number was used for other content.
    OtherContent,
}

/// Windows of one organisation in one shard, by source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows {
    sources: HashMap<u64, Window>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Window {
    seen: BTreeMap<u64, u64>,
    changed: bool,
}

impl Windows {
    pub fn known(&self, id: BatchId, hash: u64) -> Known {
        let Some(window) = self.sources.get(&id.source) else { return Known::New };
        match window.seen.get(&id.seq) {
            Some(stored) if *stored == hash => Known::Repeat,
            Some(_) => Known::OtherContent,
            None => {
                let newest = window.seen.last_key_value().map_or(0, |(seq, _)| *seq);
                if newest >= WIDTH && id.seq <= newest - WIDTH { Known::Repeat } else { Known::New }
            }
        }
    }

    pub fn insert(&mut self, id: BatchId, hash: u64) {
        let window = self.sources.entry(id.source).or_default();
        window.seen.insert(id.seq, hash);
        window.changed = true;
        let newest = window.seen.last_key_value().map_or(0, |(seq, _)| *seq);
        if newest >= WIDTH {
            window.seen = window.seen.split_off(&(newest - WIDTH + 1));
        }
    }

    /// Windows that changed since the last call, as bytes for the catalogue.
    pub fn take_changed(&mut self) -> Vec<(u64, Vec<u8>)> {
        let changed = self.sources.iter_mut().filter(|(_, w)| w.changed);
        changed
            .map(|(source, window)| {
                window.changed = false;
                (*source, pack(window))
            })
            .collect()
    }

    /// A window could not be stored: the next `take_changed` gives it again.
    pub fn mark_changed(&mut self, source: u64) {
        if let Some(window) = self.sources.get_mut(&source) {
            window.changed = true;
        }
    }

    /// Reads a window back. Bytes that are not whole pairs are cut.
    pub fn load(&mut self, source: u64, bytes: &[u8]) {
        let window = self.sources.entry(source).or_default();
        let (pairs, _) = bytes.as_chunks::<16>();
        for pair in pairs {
            let (seq, hash) = pair.split_at(8);
            if let (Some(seq), Some(hash)) = (seq.first_chunk(), hash.first_chunk()) {
                window.seen.insert(u64::from_le_bytes(*seq), u64::from_le_bytes(*hash));
            }
        }
    }
}

fn pack(window: &Window) -> Vec<u8> {
    window.seen.iter().flat_map(|(seq, hash)| [seq.to_le_bytes(), hash.to_le_bytes()].concat()).collect()
}

#[cfg(test)]
mod tests;
