//! One signal's queue on disk, and its way to the server: in order, one batch at a time, each until it is settled.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ph_model::{BatchId, ErrorKind, Signal};
use ph_receive::Refusal;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::own::{Outcome, Own};
use crate::queue::{Limits, Queue, Stored};
use crate::sender::{Answer, Backoff, DeadLetters, PARTS, Poster, compress, halves};
use crate::time::now_ms;

/// What a sender waits that finds the queue full or failing.
const LATER: Duration = Duration::from_secs(10);

/// Clones share the queue.
#[derive(Clone)]
pub struct Relay {
    signal: Signal,
    queue: Arc<Mutex<Queue>>,
    cap_bytes: u64,
    more: Arc<Notify>,
    own: Own,
}

impl Relay {
    /// Opens the queue in `state/queue/received-<signal>`.
    pub fn open(state: &Path, signal: Signal, limits: Limits, own: Own) -> Result<Self> {
        let dir = state.join(format!("queue/received-{}", signal.as_str()));
        let queue = Queue::open(&dir, limits)?;
        Ok(Self {
            signal,
            queue: Arc::new(Mutex::new(queue)),
            cap_bytes: limits.cap_bytes,
            more: Arc::default(),
            own,
        })
    }

    /// Puts a request into the queue; it is on the disk when this returns.
    pub async fn put(&self, body: Vec<u8>, items: usize) -> std::result::Result<(), Refusal> {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let cap = self.cap_bytes;
        let put = self
            .on_queue(move |queue| {
                let body = compress(&body)?;
                if queue.bytes() + body.len() as u64 > cap {
                    return Ok(false);
                }
                let seq = queue.allocate()?.saturating_mul(PARTS);
                queue.push(&Stored { seq, at_ms: now_ms(), items, body }).map(|()| true)
            })
            .await;
        let refused = match put {
            Ok(true) => {
                self.own.count(self.signal, Outcome::Accepted, "", items.into());
                self.more.notify_one();
                return Ok(());
            }
            Ok(false) => {
                let text = "the queue of this node's agent is full, since the server has not taken what waits; send again later";
                Refusal::new(ErrorKind::Exhausted, text)
            }
            Err(error) => {
                self.own.failed("receivers", &error.chain(), "free space below the agent's --data");
                Refusal::new(
                    ErrorKind::Unavailable,
                    format!("this node's agent cannot keep it: {}", error.chain()),
                )
            }
        };
        self.own.count(self.signal, Outcome::Failed, "not_queued", items.into());
        Err(refused.after(LATER))
    }

    /// Sends until `stop`. What was not sent lies in the queue for the next start.
    pub async fn run(self, poster: Poster, dead: DeadLetters, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
        loop {
            let head = self.on_queue(|queue| Ok(queue.head())).await.ok().flatten();
            let Some(batch) = head else {
                tokio::select! {
                    () = self.more.notified() => continue,
                    () = stop.cancelled() => return,
                }
            };
            let settled = tokio::select! {
                settled = self.deliver(&poster, &dead, &batch) => settled,
                () = stop.cancelled() => return,
            };
            match settled {
                Ok(()) => {
                    backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
                    let seq = batch.seq;
                    if let Err(error) = self.on_queue(move |queue| queue.acknowledge(seq)).await {
                        self.own.failed("receivers", &error.chain(), "free space below the agent's --data");
                    }
                }
                Err(wait) => tokio::select! {
                    () = tokio::time::sleep(wait.unwrap_or_else(|| backoff.step())) => {}
                    () = stop.cancelled() => return,
                },
            }
        }
    }

    /// Sends one batch, in parts where it is too large. `Err`: not now, with the server's wish.
    async fn deliver(
        &self,
        poster: &Poster,
        dead: &DeadLetters,
        batch: &Stored,
    ) -> std::result::Result<(), Option<Duration>> {
        let source = self.queue.lock().unwrap_or_else(PoisonError::into_inner).source();
        let mut parts: Vec<Bytes> = vec![batch.body.clone()];
        let mut seq = batch.seq;
        while let Some(body) = parts.pop() {
            if seq - batch.seq >= PARTS {
                self.bury(dead, batch, (413, "too large in 256 parts")).await;
                return Ok(());
            }
            match poster.post(self.signal, BatchId { source, seq }, body.clone()).await {
                Answer::Stored { rejected, reason } => {
                    if rejected > 0 {
                        self.own.count(self.signal, Outcome::Failed, "rejected", rejected);
                        tracing::warn!(
                            signal = self.signal.as_str(),
                            rejected,
                            reason,
                            "server rejected items"
                        );
                    }
                }
                Answer::TooLarge => match halves(self.signal, &body) {
                    Some([first, second]) => parts.extend([second, first]),
                    None => self.bury(dead, batch, (413, "too large and not to be cut")).await,
                },
                Answer::Refused { status, reason } => self.bury(dead, batch, (status, &reason)).await,
                Answer::Later { reason, wait } => {
                    self.own.failed(
                        "receivers",
                        &reason,
                        "check the server's address and state; what was received waits in the disk queue",
                    );
                    return Err(wait);
                }
            }
            seq += 1;
        }
        self.own.count(self.signal, Outcome::Sent, "", batch.items.into());
        self.own.well("receivers", &[], now_ms());
        Ok(())
    }

    async fn bury(&self, dead: &DeadLetters, batch: &Stored, (status, reason): (u16, &str)) {
        tracing::error!(
            status,
            reason,
            signal = self.signal.as_str(),
            "server refused a batch; kept as a dead letter"
        );
        self.own.count(self.signal, Outcome::Failed, "refused", batch.items.into());
        let (dead, batch, signal, reason) = (dead.clone(), batch.clone(), self.signal, reason.to_owned());
        let kept = tokio::task::spawn_blocking(move || dead.keep(signal, &batch, (status, &reason))).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(error = error.chain(), "dead letter cannot be kept");
        }
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).bytes()
    }

    async fn on_queue<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Queue) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let queue = self.queue.clone();
        let done = tokio::task::spawn_blocking(move || {
            act(&mut queue.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(|_| Error::Stopped("the thread for file work ended early"))?
    }
}
