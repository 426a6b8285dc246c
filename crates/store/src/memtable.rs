//! Rows that are durable in the log and not yet in a part.
//!
//! A generation holds the rows of one organisation and signal over a range of LSNs of one shard. While it is open it
//! grows; sealed, it waits for its part; then it leaves memory in the swap that makes the part visible.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use ph_model::{OrgId, Signal};

/// Batches smaller than this are joined, so that single rows do not each cost a batch.
const JOIN_ROWS: usize = 2048;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Generation {
    pub org: OrgId,
    pub signal: Signal,
    pub shard: usize,
    /// ms UTC, when its first row came.
    pub born_ms: i64,
    batches: RwLock<Vec<RecordBatch>>,
    bytes: AtomicU64,
    rows: AtomicU64,
    last_lsn: AtomicU64,
    first_ts: AtomicI64,
    last_ts: AtomicI64,
}

impl Generation {
    pub fn new(org: OrgId, signal: Signal, shard: usize, born_ms: i64) -> Self {
        Self {
            org,
            signal,
            shard,
            born_ms,
            batches: RwLock::default(),
            bytes: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            last_lsn: AtomicU64::new(0),
            first_ts: AtomicI64::new(i64::MAX),
            last_ts: AtomicI64::new(i64::MIN),
        }
    }

    /// Adds rows that already carry their LSN. Only the shard's writer calls this.
    pub fn push(&self, batch: RecordBatch, lsn: u64) {
        if let Some((first, last)) = bounds(&batch) {
            self.first_ts.fetch_min(first, Ordering::Relaxed);
            self.last_ts.fetch_max(last, Ordering::Relaxed);
        }
        self.bytes.fetch_add(batch.get_array_memory_size() as u64, Ordering::Relaxed);
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        self.last_lsn.fetch_max(lsn, Ordering::Relaxed);
        let mut batches = self.batches.write().unwrap_or_else(PoisonError::into_inner);
        batches.push(batch);
        join_small(&mut batches);
    }

    /// All batches at this moment, in the order of the log.
    pub fn batches(&self) -> Vec<RecordBatch> {
        self.batches.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub fn last_lsn(&self) -> u64 {
        self.last_lsn.load(Ordering::Relaxed)
    }

    /// First and last time, ns UTC; `None` while empty.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let (first, last) = (self.first_ts.load(Ordering::Relaxed), self.last_ts.load(Ordering::Relaxed));
        (first <= last).then_some((first, last))
    }
}

/// Joins the last two batches while they are small and of like size, so that each row is copied a few times at most.
fn join_small(batches: &mut Vec<RecordBatch>) {
    while let [.., a, b] = batches.as_slice() {
        let (rows, newer) = (a.num_rows(), b.num_rows());
        if rows + newer > JOIN_ROWS || rows > 2 * newer {
            return;
        }
        let Ok(joined) = concat_batches(&a.schema(), [a, b]) else { return };
        batches.truncate(batches.len() - 2);
        batches.push(joined);
    }
}

/// First and last time of a batch.
pub(crate) fn bounds(batch: &RecordBatch) -> Option<(i64, i64)> {
    let ts: &arrow::array::Int64Array = batch.column_by_name(crate::rows::TS)?.as_any().downcast_ref()?;
    Some((arrow::compute::min(ts)?, arrow::compute::max(ts)?))
}
