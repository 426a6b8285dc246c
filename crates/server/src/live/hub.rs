//! Channels that somebody watches: each is computed by one task, compared with what it was, and shared by all its watchers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use ph_access::TenantCtx;
use ph_model::OrgId;
use tokio::sync::{RwLock, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channel::{ChannelState, State};
use crate::clock::Clock;

/// How long a channel outlives its last watcher, so that a reload finds its history.
const LINGER: Duration = Duration::from_secs(60);
/// Least time between two computations of one channel.
const PACE: Duration = Duration::from_millis(400);

/// Computes a channel's whole state. `None`: no such channel, or the source is gone.
pub type Compute = Arc<dyn Fn() -> BoxFuture<'static, Option<State>> + Send + Sync>;

/// How a channel is kept current.
pub struct Source {
    pub compute: Compute,
    /// Changes when it is worth computing again.
    pub wake: Option<watch::Receiver<u64>>,
    /// Computed again at the latest after this.
    pub every: Duration,
}

/// One watched channel.
pub struct Channel {
    pub state: RwLock<ChannelState>,
    changed: watch::Sender<u64>,
}

impl Channel {
    /// Changes with every delta.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// All watched channels of the process, by organisation and name.
pub struct Hub {
    channels: Mutex<HashMap<(OrgId, String), Arc<Channel>>>,
    epochs: std::sync::atomic::AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
    clock: Clock,
}

impl Hub {
    pub fn new(tasks: TaskTracker, stop: CancellationToken, clock: Clock) -> Self {
        let first = u64::try_from(clock.now_ms()).unwrap_or(1);
        Self { channels: Mutex::default(), epochs: first.into(), tasks, stop, clock }
    }

    /// The channel, computed for the first time when nobody watched it. `None`: there is no such channel.
    pub async fn watch(
        self: &Arc<Self>,
        ctx: &TenantCtx,
        name: &str,
        source: impl FnOnce() -> Option<Source>,
    ) -> Option<Arc<Channel>> {
        let key = (ctx.org(), name.to_owned());
        if let Some(found) = self.known(&key) {
            return Some(found);
        }
        let source = source()?;
        let state = (source.compute)().await?;
        let epoch = self.epochs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let channel = Arc::new(Channel {
            state: RwLock::new(ChannelState::new(epoch, state, self.clock.now_ms())),
            changed: watch::channel(0).0,
        });
        {
            let mut all = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(other) = all.get(&key) {
                return Some(other.clone());
            }
            all.insert(key.clone(), channel.clone());
        }
        let (hub, watched) = (self.clone(), channel.clone());
        self.tasks.spawn(async move {
            hub.keep(&watched, source).await;
            hub.channels.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        });
        Some(channel)
    }

    fn known(&self, key: &(OrgId, String)) -> Option<Arc<Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Recomputes until nobody has watched for a while.
    async fn keep(&self, channel: &Channel, mut source: Source) {
        let mut unwatched_since: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(source.every) => {}
                () = woken(&mut source.wake) => {}
            }
            if channel.changed.receiver_count() == 0 {
                let since = *unwatched_since.get_or_insert_with(tokio::time::Instant::now);
                if since.elapsed() > LINGER {
                    return;
                }
            } else {
                unwatched_since = None;
            }
            let Some(state) = (source.compute)().await else { return };
            if channel.state.write().await.update(state, self.clock.now_ms()) {
                channel.changed.send_modify(|n| *n += 1);
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(PACE) => {}
            }
        }
    }
}

async fn woken(wake: &mut Option<watch::Receiver<u64>>) {
    match wake {
        Some(w) => {
            if w.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}
