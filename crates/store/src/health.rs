//! What the store says about itself: counters, and which part is not ready and why.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::refusing::Refusing;

/// Counts since the start. All only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub samples: u64,
    pub rows: u64,
    /// Batches that had been stored before.
    pub repeats: u64,
    /// Rows and samples refused.
    pub rejected: u64,
    pub wal_bytes: u64,
    pub fsyncs: u64,
    pub flushes: u64,
    pub flushed_bytes: u64,
    /// Merges of parts, and bytes that they wrote.
    pub compactions: u64,
    pub compacted_bytes: u64,
    /// Parts set aside because their bytes are not what was written.
    pub quarantined: u64,
    /// Times that the store began to refuse what it is sent, for want of disk or memory.
    pub refusals: u64,
    /// Parts that questions looked into, and that their catalogue row let them pass over.
    pub parts_read: u64,
    pub parts_passed_over: u64,
    /// Footers and index directories that were found in memory, that were not, and bytes of those that are kept.
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub cache_bytes: u64,
    /// The last thing that failed, in words; empty when nothing did.
    pub last_error: String,
}

/// Which parts are not ready; empty when all are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// `(part, why)`, for example `("wal r-0", "sync failed: …; restart the server once the disk is well")`.
    pub not_ready: Vec<(String, String)>,
    /// Things an operator should know that do not stop anything, for example a weaker durability.
    pub warnings: Vec<String>,
}

/// Shared by all threads of one store.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub samples: AtomicU64,
    pub rows: AtomicU64,
    pub repeats: AtomicU64,
    pub rejected: AtomicU64,
    pub wal_bytes: AtomicU64,
    pub fsyncs: AtomicU64,
    pub flushes: AtomicU64,
    pub flushed_bytes: AtomicU64,
    pub compactions: AtomicU64,
    pub compacted_bytes: AtomicU64,
    pub quarantined: AtomicU64,
    pub refusing: Refusing,
    pub parts_read: AtomicU64,
    pub parts_passed_over: AtomicU64,
    last_error: Mutex<String>,
    troubles: Mutex<BTreeMap<String, String>>,
}

impl Meter {
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Remembers a failure, and that a part is not ready until [`Meter::cleared`].
    pub fn trouble(&self, part: &str, why: String) {
        self.failed(why.clone());
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), why);
    }

    pub fn cleared(&self, part: &str) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    pub fn failed(&self, why: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub fn not_ready(&self) -> Vec<(String, String)> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.iter().map(|(part, why)| (part.clone(), why.clone())).collect()
    }

    pub fn counters(&self) -> Counters {
        let of = |c: &AtomicU64| c.load(Ordering::Relaxed);
        Counters {
            samples: of(&self.samples),
            rows: of(&self.rows),
            repeats: of(&self.repeats),
            rejected: of(&self.rejected),
            wal_bytes: of(&self.wal_bytes),
            fsyncs: of(&self.fsyncs),
            flushes: of(&self.flushes),
            flushed_bytes: of(&self.flushed_bytes),
            compactions: of(&self.compactions),
            compacted_bytes: of(&self.compacted_bytes),
            quarantined: of(&self.quarantined),
            refusals: self.refusing.begun(),
            parts_read: of(&self.parts_read),
            parts_passed_over: of(&self.parts_passed_over),
            cache_hits: 0,
            cache_misses: 0,
            cache_bytes: 0,
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
