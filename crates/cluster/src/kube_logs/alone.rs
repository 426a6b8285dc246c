//! Containers that are named exactly, each read by itself: nothing is looked for, nothing merged.
//!
//! In:     containers, each with its own question. Out: what each says, as it comes.
//! Never:  more streams at once than allowed; a container read ahead of a reader that takes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;

use super::ask::LogAsk;
use super::containers::Source;
use super::lane::{Lane, LaneEvent, Shared};

/// Events of a container that wait for their reader.
const LANE: usize = 2;

/// Containers being read. Dropping it ends the reading.
pub(crate) struct Alone {
    events: SelectAll<BoxStream<'static, (usize, LaneEvent)>>,
    shared: Arc<Shared>,
    states: Vec<watch::Sender<Option<Source>>>,
}

impl Alone {
    /// Begins to read; events name containers by their index. `at_once` streams at most.
    pub fn open(
        client: &kube::Client,
        wanted: Vec<(Source, LogAsk)>,
        at_once: usize,
        tasks: &TaskTracker,
    ) -> Self {
        let crowded = wanted.len() > at_once && wanted.iter().any(|(_, ask)| ask.follow);
        let shared = Arc::new(Shared {
            slots: Arc::new(Semaphore::new(at_once.max(1))),
            downloaded: AtomicU64::new(0),
            polled: watch::channel(crowded).0,
        });
        let mut alone = Self { events: SelectAll::new(), shared, states: Vec::new() };
        for (index, (source, ask)) in wanted.into_iter().enumerate() {
            let (tell, hear) = mpsc::channel(LANE);
            let (state, seen) = watch::channel(Some(source.clone()));
            let lane = Lane {
                client: client.clone(),
                index,
                source: Arc::new(source),
                ask: Arc::new(ask),
                shared: alone.shared.clone(),
                state: seen,
                tell,
                fresh: false,
                whole: false,
                streams: false,
                seen: None,
                doubts: false,
            };
            tasks.spawn(lane.run());
            alone.states.push(state);
            alone.events.push(ReceiverStream::new(hear).map(move |event| (index, event)).boxed());
        }
        alone
    }

    /// `None` when every container has said its last.
    pub async fn next(&mut self) -> Option<(usize, LaneEvent)> {
        self.events.next().await
    }

    pub fn downloaded_bytes(&self) -> u64 {
        self.shared.downloaded.load(Atomic::Relaxed)
    }

    /// What a watch says of a container; `None`: its pod is gone.
    pub fn tell(&self, index: usize, now: Option<Source>) {
        let Some(state) = self.states.get(index) else { return };
        state.send_if_modified(|held| {
            let changed = *held != now;
            *held = now;
            changed
        });
    }
}
