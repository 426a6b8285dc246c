//! Rows as they become durable, for readers that follow.
//!
//! In:     every batch of rows once it is visible, from the shards' threads; what is stored, for readers that come back.
//! Out:    rows in the order of arrival, each event with the cursor behind it.
//! Never:  waits for a reader: each has a ring of at most 8 MiB; a slow one loses the oldest rows and is told how many.

mod arrived;
mod follow;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use ph_filter::Compiled;
use ph_model::{OrgId, Signal};
use tokio::sync::Notify;

use crate::contract::{Gap, TailEvent};
use crate::cursor::Stand;
use crate::rows::{RowView, rows_of};

pub(crate) use follow::follow;

const RING_BYTES: usize = 8 << 20;

/// What one reader has not taken yet.
#[derive(Debug)]
struct Ring {
    org: OrgId,
    signal: Signal,
    filter: Arc<Compiled>,
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug)]
struct Waiting {
    rows: RecordBatch,
    bytes: usize,
    lsn: u64,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    dropped: u64,
    /// Of the last batch that was dropped.
    dropped_lsn: u64,
    max_bytes: usize,
}

/// All followers, and how far each shard is visible.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    state: Mutex<Followers>,
}

#[derive(Debug, Default)]
struct Followers {
    rings: Vec<Weak<Ring>>,
    /// By shard: every row up to this LSN is visible, and no ring that comes later is offered any of them.
    reached: HashMap<usize, u64>,
}

/// Whose rows arrived, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub org: OrgId,
    pub signal: Signal,
    pub shard: usize,
    pub lsn: u64,
}

impl Ring {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, batch: &RecordBatch, lsn: u64) {
        let Some(rows) = choose(self.signal, batch, &self.filter) else { return };
        let bytes = rows.get_array_memory_size();
        let mut state = self.state();
        state.bytes += bytes;
        state.waiting.push_back(Waiting { rows, bytes, lsn });
        while state.bytes > state.max_bytes {
            let Some(oldest) = state.waiting.pop_front() else { break };
            state.bytes -= oldest.bytes;
            state.dropped += oldest.rows.num_rows() as u64;
            state.dropped_lsn = oldest.lsn;
        }
        drop(state);
        self.more.notify_one();
    }

    /// Whether something was lost that nobody was told of yet.
    fn is_torn(&self) -> bool {
        self.state().dropped > 0
    }

    fn take(&self) -> Option<TailEvent> {
        let mut state = self.state();
        if state.dropped > 0 {
            let cursor = Stand::behind_all(state.dropped_lsn).to_text();
            return Some(TailEvent::Gap(Gap { dropped: std::mem::take(&mut state.dropped), cursor }));
        }
        let next = state.waiting.pop_front()?;
        state.bytes -= next.bytes;
        drop(state);
        Some(TailEvent::Rows {
            rows: rows_of(self.signal, &next.rows),
            cursor: Stand::behind_all(next.lsn).to_text(),
            incomplete: Vec::new(),
        })
    }
}

/// The rows that a filter lets through; `None` when there are none.
fn choose(signal: Signal, batch: &RecordBatch, filter: &Compiled) -> Option<RecordBatch> {
    if filter.is_all() {
        return (batch.num_rows() > 0).then(|| batch.clone());
    }
    let view = |row| RowView { signal, batch, row };
    let mask: BooleanArray = (0..batch.num_rows()).map(|i| Some(filter.matches(&view(i)))).collect();
    if mask.true_count() == 0 {
        return None;
    }
    filter_record_batch(batch, &mask).ok()
}

impl Tails {
    fn state(&self) -> MutexGuard<'_, Followers> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard opened with everything up to an LSN visible.
    pub fn opened(&self, shard: usize, lsn: u64) {
        self.state().reached.insert(shard, lsn);
    }

    /// Every row of a shard up to this LSN is visible.
    pub fn reached(&self, shard: usize) -> u64 {
        self.state().reached.get(&shard).copied().unwrap_or(0)
    }

    /// Gives rows that are visible by now to every follower of their organisation and signal.
    pub fn offer(&self, of: Arrived, seen: &dyn Fn() -> RecordBatch) {
        let mut state = self.state();
        state.reached.insert(of.shard, of.lsn);
        state.rings.retain(|ring| ring.strong_count() > 0);
        let followers: Vec<Arc<Ring>> = state
            .rings
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|ring| ring.org == of.org && ring.signal == of.signal)
            .collect();
        drop(state);
        if followers.is_empty() {
            return;
        }
        let batch = seen();
        followers.iter().for_each(|ring| ring.offer(&batch, of.lsn));
    }

    /// A ring for what becomes visible after the LSN that comes with it.
    fn join(&self, shard: usize, of: (OrgId, Signal), filter: &Arc<Compiled>) -> (Arc<Ring>, u64) {
        let ring = Arc::new(Ring {
            org: of.0,
            signal: of.1,
            filter: Arc::clone(filter),
            state: Mutex::new(State { max_bytes: RING_BYTES, ..State::default() }),
            more: Notify::new(),
        });
        let mut state = self.state();
        state.rings.push(Arc::downgrade(&ring));
        (ring, state.reached.get(&shard).copied().unwrap_or(0))
    }
}
