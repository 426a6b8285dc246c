//! What was read last of parts: footers and directories of indexes, bounded in bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use uuid::Uuid;

use crate::index::{Index, Kind};

/// What of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Footer,
    Index(u8),
}

#[derive(Clone, Debug)]
enum Kept {
    Footer(ArrowReaderMetadata),
    Index(Arc<Index>),
}

type Key = (Uuid, What);

/// Least recently used goes first.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    state: Mutex<State>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<Key, (Kept, u64, u64)>,
    by_use: BTreeMap<u64, Key>,
    tick: u64,
    bytes: u64,
    most: u64,
}

impl Cache {
    /// Keeps about so many bytes.
    pub fn new(most: u64) -> Self {
        let cache = Self::default();
        cache.state.lock().unwrap_or_else(PoisonError::into_inner).most = most;
        cache
    }

    fn find(&self, key: Key) -> Option<Kept> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tick += 1;
        let tick = state.tick;
        let found =
            state.kept.get_mut(&key).map(|(kept, _, used)| (kept.clone(), std::mem::replace(used, tick)));
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        let (kept, before) = found?;
        state.by_use.remove(&before);
        state.by_use.insert(tick, key);
        Some(kept)
    }

    fn keep(&self, key: Key, kept: Kept, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(key);
        state.tick += 1;
        let tick = state.tick;
        state.kept.insert(key, (kept, bytes, tick));
        state.by_use.insert(tick, key);
        state.bytes += bytes;
        while state.bytes > state.most && state.kept.len() > 1 {
            let Some((_, oldest)) = state.by_use.pop_first() else { break };
            state.forget(oldest);
        }
    }

    pub fn footer(&self, id: Uuid) -> Option<ArrowReaderMetadata> {
        match self.find((id, What::Footer))? {
            Kept::Footer(footer) => Some(footer),
            Kept::Index(_) => None,
        }
    }

    pub fn keep_footer(&self, id: Uuid, footer: ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size() as u64;
        self.keep((id, What::Footer), Kept::Footer(footer), bytes);
    }

    pub fn index(&self, id: Uuid, kind: Kind) -> Option<Arc<Index>> {
        match self.find((id, What::Index(kind as u8)))? {
            Kept::Index(index) => Some(index),
            Kept::Footer(_) => None,
        }
    }

    pub fn keep_index(&self, id: Uuid, kind: Kind, index: Arc<Index>) {
        let bytes = index.memory_bytes() as u64;
        self.keep((id, What::Index(kind as u8)), Kept::Index(index), bytes);
    }

    /// Drops what is kept of a part that is gone.
    pub fn forget(&self, id: Uuid) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let all = [What::Footer, What::Index(Kind::Tokens as u8), What::Index(Kind::Traces as u8)];
        all.into_iter().for_each(|what| state.forget((id, what)));
    }

    /// Found and not found since the start, and bytes that are kept.
    pub fn figures(&self) -> (u64, u64, u64) {
        let bytes = self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes;
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed), bytes)
    }
}

impl State {
    fn forget(&mut self, key: Key) {
        if let Some((_, bytes, used)) = self.kept.remove(&key) {
            self.bytes -= bytes;
            self.by_use.remove(&used);
        }
    }
}
