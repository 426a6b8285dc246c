//! Rows as they become durable, for readers that follow.
//!
//! Each reader has a ring of at most 8 MiB. A slow reader loses the oldest rows and is told how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::stream::{self, BoxStream};
use ph_filter::Compiled;
use ph_model::{OrgId, Signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::contract::{Error, Gap, TailEvent};
use crate::rows::{RowView, rows_of};

const RING_BYTES: usize = 8 << 20;

#[derive(Debug)]
struct Ring {
    org: OrgId,
    signal: Signal,
    filter: Compiled,
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(RecordBatch, usize)>,
    bytes: usize,
    dropped: u64,
    max_bytes: usize,
}

/// All followers.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    rings: Mutex<Vec<Weak<Ring>>>,
}

impl Ring {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, batch: &RecordBatch) {
        let Some(chosen) = choose(self.signal, batch, &self.filter) else { return };
        let bytes = chosen.get_array_memory_size();
        let mut state = self.state();
        state.bytes += bytes;
        state.waiting.push_back((chosen, bytes));
        while state.bytes > state.max_bytes {
            let Some((oldest, bytes)) = state.waiting.pop_front() else { break };
            state.bytes -= bytes;
            state.dropped += oldest.num_rows() as u64;
        }
        drop(state);
        self.more.notify_one();
    }

    fn take(&self) -> Option<TailEvent> {
        let mut state = self.state();
        if state.dropped > 0 {
            return Some(TailEvent::Gap(Gap { dropped: std::mem::take(&mut state.dropped) }));
        }
        let (batch, bytes) = state.waiting.pop_front()?;
        state.bytes -= bytes;
        drop(state);
        Some(TailEvent::Rows(rows_of(self.signal, &batch)))
    }
}

/// The rows that a filter lets through; `None` when there are none.
fn choose(signal: Signal, batch: &RecordBatch, filter: &Compiled) -> Option<RecordBatch> {
    if filter.is_all() {
        return Some(batch.clone());
    }
    let view = |row| RowView { signal, batch, row };
    let mask: BooleanArray = (0..batch.num_rows()).map(|i| Some(filter.matches(&view(i)))).collect();
    if mask.true_count() == 0 {
        return None;
    }
    filter_record_batch(batch, &mask).ok()
}

impl Tails {
    /// Gives rows to every follower of their organisation and signal.
    pub fn offer(&self, org: OrgId, signal: Signal, batch: &RecordBatch) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain(|ring| ring.strong_count() > 0);
        let followers: Vec<Arc<Ring>> = rings
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|ring| ring.org == org && ring.signal == signal)
            .collect();
        drop(rings);
        followers.iter().for_each(|ring| ring.offer(batch));
    }

    /// Follows from now on, until the stream is dropped or `stop` is cancelled.
    pub fn follow(
        &self,
        of: (OrgId, Signal),
        filter: Compiled,
        stop: CancellationToken,
    ) -> BoxStream<'static, Result<TailEvent, Error>> {
        let state = State { max_bytes: RING_BYTES, ..State::default() };
        let ring =
            Arc::new(Ring { org: of.0, signal: of.1, filter, state: Mutex::new(state), more: Notify::new() });
        self.rings.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&ring));
        Box::pin(stream::unfold((ring, stop), |(ring, stop)| async move {
            loop {
                if let Some(event) = ring.take() {
                    return Some((Ok(event), (ring, stop)));
                }
                tokio::select! {
                    () = ring.more.notified() => {}
                    () = stop.cancelled() => return None,
                }
            }
        }))
    }
}
