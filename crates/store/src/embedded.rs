//! The embedded store: one process, one directory.
//!
//! In:     batches and questions of any organisation, through trait `Store`.
//! Out:    answers from one snapshot each. Blocking work runs on named threads and on the runtime's blocking pool.
//! Never:  acknowledges before the batch is durable and visible.

mod ask;
mod backup;
mod intake;
mod manage;
mod start;

pub use backup::SnapshotReport;
pub use start::Surroundings;
pub(crate) use start::{lock, run};

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use ph_model::ErrorKind;
use tokio::sync::{OnceCell, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::compact::CompactOrder;
use crate::config::Durability;
use crate::contract::Error;
use crate::flush::{FlushOrder, Gauges};
use crate::health::{Counters, Health};
use crate::shard::{ShardHandle, Shared};
use crate::turns::Turns;

/// See the module's description. Opened by [`Embedded::open`].
pub struct Embedded {
    shared: Arc<Shared>,
    gauges: Arc<Gauges>,
    catalogue: Catalogue,
    /// Empty after shutdown.
    shards: RwLock<Vec<ShardHandle>>,
    flusher: Mutex<Option<SyncSender<FlushOrder>>>,
    compactor: Mutex<Option<SyncSender<CompactOrder>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// KiB of batches that may be under way.
    intake: Arc<Semaphore>,
    turns: Turns,
    /// One permit: settings are read, changed and kept by one at a time.
    settings_turn: Semaphore,
    stop: CancellationToken,
    /// What repair left out at the start.
    lost: Vec<String>,
    /// Held while the store is open.
    lock: Mutex<Option<std::fs::File>>,
    ended: OnceCell<()>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("dir", &self.shared.config.dir).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Publishes everything that is in memory as parts.
    ///
    /// Errors: those of the disk; what was not published stays in memory and log.
    pub async fn flush(&self) -> Result<(), Error> {
        self.order(FlushOrder::Flush).await
    }

    /// Writes images of all heads, after which the metrics log is short. It also happens by itself.
    ///
    /// Errors: those of the disk; the images before stay in force.
    pub async fn image_heads(&self) -> Result<(), Error> {
        self.order(FlushOrder::Image).await
    }

    /// Removes parts past their retention now. It also happens by itself, at the start and once a day.
    pub async fn retain(&self) -> Result<(), Error> {
        self.order(FlushOrder::Retain).await
    }

    /// Merges all parts of each organisation, signal and day that can be merged, whatever their sizes. Merges that
    /// are worth their cost happen by themselves.
    ///
    /// Errors: those of the disk; parts whose merge failed stay as they are.
    pub async fn compact(&self) -> Result<(), Error> {
        order(&self.compactor, CompactOrder::All).await
    }

    async fn order(
        &self,
        of: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> FlushOrder,
    ) -> Result<(), Error> {
        order(&self.flusher, of).await
    }

    /// Ends intake, lets what is under way become durable, and ends all threads. Rows in memory stay in the log.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.ended.get_or_init(|| self.end()).await;
    }

    async fn end(&self) {
        let flusher = self.flusher.lock().unwrap_or_else(PoisonError::into_inner).take();
        let compactor = self.compactor.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        self.shards.write().unwrap_or_else(PoisonError::into_inner).clear();
        let ended = tokio::task::spawn_blocking(move || {
            if let Some(compactor) = compactor {
                let _ = compactor.send(CompactOrder::Stop);
            }
            if let Some(flusher) = flusher {
                // It may have ended already.
                let _ = flusher.send(FlushOrder::Stop);
            }
            threads.into_iter().filter_map(|t| t.join().err()).count()
        });
        match ended.await {
            Ok(0) => {}
            Ok(panicked) => tracing::error!(panicked, "threads of the store ended by panic"),
            Err(error) => tracing::error!(%error, "wait for threads of the store"),
        }
        self.catalogue.close().await;
        if let Some(lock) = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // By name, not only by closing: a process forked at this moment holds a copy of the descriptor.
            let _ = rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock);
        }
    }

    /// Counts since the start.
    pub fn counters(&self) -> Counters {
        let (cache_hits, cache_misses, cache_bytes) = self.shared.cache.figures();
        Counters { cache_hits, cache_misses, cache_bytes, ..self.shared.meter.counters() }
    }

    /// Which parts are not ready, and what an operator should know.
    pub fn health(&self) -> Health {
        let mut warnings = self.lost.clone();
        match self.shared.config.durability {
            Durability::Sync => {}
            Durability::Interval(every) => warnings.push(format!(
                "durability is weakened: a power cut loses up to {} ms of acknowledged data",
                every.as_millis()
            )),
            Durability::Os => warnings.push(
                "durability is weakened: a power cut loses acknowledged data that was not synced yet"
                    .to_owned(),
            ),
        }
        let mut not_ready = self.shared.meter.not_ready();
        if self.stop.is_cancelled() {
            not_ready.push(("store".to_owned(), "it is shutting down".to_owned()));
        }
        Health { not_ready, warnings }
    }

    /// Free bytes of the disk at the last look.
    pub fn free_bytes(&self) -> u64 {
        self.gauges.free_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of rows in memory at the last look.
    pub fn memory_bytes(&self) -> u64 {
        self.gauges.memory_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of log segments on disk.
    pub fn log_bytes(&self) -> u64 {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|s| s.log_bytes.load(Ordering::Relaxed)).sum()
    }
}

/// Gives an order to a thread and waits for its answer.
async fn order<T: Send + 'static>(
    to: &Mutex<Option<SyncSender<T>>>,
    of: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> T,
) -> Result<(), Error> {
    let sender = to.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (reply, answer) = oneshot::channel();
    let order = of(reply);
    let closed = || Error::new(ErrorKind::Unavailable, "the store is shutting down");
    let sender = sender.ok_or_else(closed)?;
    tokio::task::spawn_blocking(move || sender.send(order))
        .await
        .map_err(|_| closed())?
        .map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}

#[cfg(test)]
mod tests;
