//! Sends metrics: each batch with a number, in order, until the server has it.
//!
//! In:     encoded requests on a bounded channel (a full one makes the reader wait).
//! Out:    `POST {server}/v1/metrics`; what cannot be sent now goes to the disk queue and from there later.
//! Never:  sends a batch before an older one is settled; repeats one under another number; retries what the server refused.

mod backoff;
mod dead_letter;
mod post;
mod split;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use ph_model::{BatchId, Signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::own::{Outcome, Own};
use crate::queue::{Limits, Queue, Stored};
use crate::time::now_ms;
pub use backoff::Backoff;
pub use dead_letter::DeadLetters;
pub use post::{Answer, Poster};
pub use split::halves;

/// Numbers below each batch's own that its parts can take when the server finds it too large.
pub const PARTS: u64 = 256;
/// How long a stop waits for the last batches.
const DRAIN: Duration = Duration::from_secs(5);
/// Requests that wait to be sent.
const CHANNEL: usize = 8;

/// An encoded request that is not compressed yet.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub body: Vec<u8>,
    /// Points in it.
    pub items: u32,
}

/// The metric sender.
pub struct MetricSender {
    poster: Poster,
    queue: Arc<Mutex<Queue>>,
    dead: DeadLetters,
    own: Own,
    incoming: mpsc::Receiver<Outgoing>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Whether the head of the queue may exist: saves a look at the disk each turn.
    queued: bool,
    reported: bool,
}

/// A batch on its way.
struct Flight {
    batch: Stored,
    /// Whether it lies in the queue, or only here.
    on_disk: bool,
    answer: BoxFuture<'static, Answer>,
}

impl MetricSender {
    /// Opens the queue in `state/queue/metrics`. Returns the sender and the end that feeds it.
    pub fn open(
        state: &Path,
        limits: Limits,
        poster: Poster,
        own: Own,
    ) -> Result<(Self, mpsc::Sender<Outgoing>)> {
        let queue = Queue::open(&state.join("queue/metrics"), limits)?;
        let dead = DeadLetters::new(state.join("queue/dead-letters"));
        let (tell, incoming) = mpsc::channel(CHANNEL);
        let sender = Self {
            poster,
            queue: Arc::new(Mutex::new(queue)),
            dead,
            own,
            incoming,
            backoff: Backoff::new(Duration::from_millis(250), Duration::from_secs(30)),
            retry_at: None,
            queued: true,
            reported: false,
        };
        Ok((sender, tell))
    }

    /// Runs until `stop`; then sends or stores what has come in.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut flight: Option<Flight> = None;
        loop {
            if flight.is_none() && self.queued && self.retry_at.is_none() {
                flight = self.resume_from_disk().await;
            }
            let retry_at = self.retry_at;
            tokio::select! {
                answer = landed(&mut flight) => {
                    if let Some(done) = flight.take() {
                        self.settle(done, answer).await;
                    }
                }
                outgoing = self.incoming.recv() => match outgoing {
                    Some(outgoing) => self.take(outgoing, &mut flight).await,
                    None => break,
                },
                () = until(retry_at) => self.retry_at = None,
                () = stop.cancelled() => break,
            }
        }
        self.drain(flight).await;
    }

    async fn take(&mut self, outgoing: Outgoing, flight: &mut Option<Flight>) {
        self.own.count(Signal::Metrics, Outcome::Accepted, "", outgoing.items.into());
        let batch = match self.on_queue(move |queue| batch(queue, &outgoing)).await {
            Ok(batch) => batch,
            Err(error) => return self.lose(0, &error),
        };
        if flight.is_none() && !self.queued && self.retry_at.is_none() {
            *flight = Some(self.launch(batch, false));
            return;
        }
        // What waits in memory is older than this: it goes to the disk first.
        if let Some(waiting) = flight.as_mut().filter(|f| !f.on_disk) {
            waiting.on_disk = true;
            self.store(waiting.batch.clone()).await;
        }
        self.store(batch).await;
    }

    async fn store(&mut self, batch: Stored) {
        let items = batch.items;
        match self.on_queue(move |queue| queue.push(&batch)).await {
            Ok(()) => self.queued = true,
            Err(error) => self.lose(items, &error),
        }
        self.report_queue().await;
    }

    fn lose(&mut self, items: u32, error: &Error) {
        self.own.count(Signal::Metrics, Outcome::Dropped, "queue_failed", items.into());
        self.own.failed(
            "queue",
            &error.chain(),
            "free space on the disk of the state directory, or give it another with --data",
        );
    }

    fn launch(&self, batch: Stored, on_disk: bool) -> Flight {
        let poster = self.poster.clone();
        let (id, body) = (self.id(batch.seq), batch.body.clone());
        let answer = Box::pin(async move { poster.post(Signal::Metrics, id, body).await });
        Flight { batch, on_disk, answer }
    }

    fn id(&self, seq: u64) -> BatchId {
        let source = self.queue.lock().unwrap_or_else(PoisonError::into_inner).source();
        BatchId { source, seq }
    }

    async fn resume_from_disk(&mut self) -> Option<Flight> {
        let head = self.on_queue(|queue| Ok(queue.head())).await.ok().flatten();
        self.queued = head.is_some();
        self.report_queue().await;
        head.map(|batch| self.launch(batch, true))
    }

    async fn settle(&mut self, flight: Flight, answer: Answer) {
        let Flight { batch, on_disk, .. } = flight;
        match answer {
            Answer::Stored { rejected, reason } => {
                self.own.count(
                    Signal::Metrics,
                    Outcome::Sent,
                    "",
                    u64::from(batch.items).saturating_sub(rejected),
                );
                self.own.count(Signal::Metrics, Outcome::Failed, "rejected", rejected);
                if rejected > 0 {
                    tracing::warn!(rejected, reason, "server rejected part of a batch of metrics");
                }
                self.backoff.reset();
                self.own.well("server", &[], now_ms());
                self.done(batch.seq, on_disk).await;
            }
            Answer::Refused { status, reason } => {
                self.own.count(Signal::Metrics, Outcome::Failed, "refused", batch.items.into());
                self.bury(&batch, status, &reason).await;
                self.done(batch.seq, on_disk).await;
            }
            Answer::TooLarge => {
                self.in_parts(&batch).await;
                if self.retry_at.is_none() {
                    self.done(batch.seq, on_disk).await;
                } else if !on_disk {
                    self.store(batch).await;
                }
            }
            Answer::Later { reason, wait } => {
                self.own.failed(
                    "server",
                    &reason,
                    "check the server's address and state; metrics wait in the disk queue",
                );
                self.retry_at = Some(Instant::now() + wait.unwrap_or_else(|| self.backoff.step()));
                if !on_disk {
                    self.store(batch).await;
                }
            }
        }
    }

    async fn done(&mut self, seq: u64, on_disk: bool) {
        if on_disk && let Err(error) = self.on_queue(move |queue| queue.acknowledge(seq)).await {
            tracing::warn!(
                error = error.chain(),
                "acknowledgement cannot be noted; the batch may go again and will be recognised"
            );
        }
    }

    /// Sends a batch in smaller ones, under numbers between its own and the next. Those of a repeat are the same.
    async fn in_parts(&mut self, batch: &Stored) {
        let mut todo = vec![batch.body.clone()];
        let mut seq = batch.seq;
        while let Some(body) = todo.pop() {
            match self.poster.post(Signal::Metrics, self.id(seq), body.clone()).await {
                Answer::Stored { rejected, .. } => {
                    self.own.count(Signal::Metrics, Outcome::Failed, "rejected", rejected);
                }
                Answer::TooLarge => match split::halves(Signal::Metrics, &body) {
                    Some([first, second]) => {
                        todo.extend([second, first]);
                        continue;
                    }
                    None => {
                        self.bury(&Stored { body, ..batch.clone() }, 413, "too large and cannot be split")
                            .await
                    }
                },
                Answer::Refused { status, reason } => {
                    self.bury(&Stored { body, ..batch.clone() }, status, &reason).await;
                }
                Answer::Later { reason, wait } => {
                    self.own.failed(
                        "server",
                        &reason,
                        "check the server's address and state; metrics wait in the disk queue",
                    );
                    self.retry_at = Some(Instant::now() + wait.unwrap_or_else(|| self.backoff.step()));
                    return;
                }
            }
            seq += 1;
            if seq - batch.seq >= PARTS {
                return self.bury(batch, 413, "too large in 256 parts").await;
            }
        }
        self.own.count(Signal::Metrics, Outcome::Sent, "", batch.items.into());
    }

    async fn bury(&self, batch: &Stored, status: u16, reason: &str) {
        tracing::error!(
            status,
            reason,
            seq = batch.seq,
            "server refused a batch of metrics; kept as a dead letter"
        );
        let (dead, batch, reason) = (self.dead.clone(), batch.clone(), reason.to_owned());
        let kept = blocking(move || dead.keep(Signal::Metrics, &batch, (status, &reason))).await;
        if let Err(error) = kept {
            tracing::error!(error = error.chain(), "dead letter cannot be kept");
        }
    }

    async fn drain(&mut self, mut flight: Option<Flight>) {
        self.incoming.close();
        if let Some(done) = &mut flight
            && let Ok(answer) = tokio::time::timeout(DRAIN, &mut done.answer).await
            && let Some(done) = flight.take()
        {
            self.settle(done, answer).await;
        }
        if let Some(unsent) = flight.filter(|f| !f.on_disk) {
            self.store(unsent.batch).await;
        }
        let mut none = None;
        self.queued = true;
        while let Some(outgoing) = self.incoming.recv().await {
            self.take(outgoing, &mut none).await;
        }
    }

    async fn report_queue(&mut self) {
        let seen = self.on_queue(|queue| Ok((queue.bytes(), queue.oldest_ms(), queue.take_lost()))).await;
        let Ok((bytes, oldest, lost)) = seen else { return };
        if oldest.is_some() || self.reported {
            self.own.queue(if oldest.is_some() { bytes } else { 0 }, oldest);
        }
        self.reported = oldest.is_some();
        self.own.count(Signal::Metrics, Outcome::Dropped, "queue_full", lost.full_items);
        if lost.bad_segments > 0 {
            self.own.warn(&format!(
                "{} damaged segments of the metric queue were set aside as *.bad",
                lost.bad_segments
            ));
        }
    }

    async fn on_queue<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Queue) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let queue = self.queue.clone();
        blocking(move || act(&mut queue.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(act).await {
        Ok(result) => result,
        Err(_) => Err(Error::Stopped("the thread for file work ended early")),
    }
}

fn batch(queue: &mut Queue, outgoing: &Outgoing) -> Result<Stored> {
    let seq = queue.allocate()?.saturating_mul(PARTS);
    let body = compress(&outgoing.body)?;
    Ok(Stored { seq, at_ms: now_ms(), items: outgoing.items, body })
}

/// zstd level 1, as all telemetry goes.
pub fn compress(body: &[u8]) -> Result<Bytes> {
    zstd::bulk::compress(body, 1)
        .map(Bytes::from)
        .map_err(|e| Error::Parse { what: "batch to compress", reason: e.to_string() })
}

async fn landed(flight: &mut Option<Flight>) -> Answer {
    match flight {
        Some(flight) => (&mut flight.answer).await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
