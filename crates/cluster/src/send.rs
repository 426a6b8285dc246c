//! Telemetry to the server: one request at a time and signal, in order, until it is acknowledged.
//!
//! Never: grows without bound. While the server is away the oldest metrics are dropped and counted; events wait, up to a cap.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ph_link::{Origin, TokenSource};
use ph_model::{BatchId, Signal};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

/// Bytes that wait, by signal. An outage of an hour of a middling cluster fits.
const CAP_BYTES: usize = 8 << 20;
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);

/// What happened so far, for status and own metrics.
#[derive(Debug, Default)]
pub struct SendCounts {
    pub sent: AtomicU64,
    pub dropped: AtomicU64,
    pub refused: AtomicU64,
}

struct Waiting {
    id: BatchId,
    body: Bytes,
}

/// A queue of requests of one signal.
pub struct Sender {
    signal: Signal,
    source: u64,
    next_seq: AtomicU64,
    queue: Mutex<VecDeque<Waiting>>,
    more: Notify,
    pub counts: Arc<SendCounts>,
}

impl Sender {
    /// `source` is random: this queue does not outlive the process, so nobody else may use its numbers.
    pub fn new(signal: Signal, source: u64) -> Self {
        Self {
            signal,
            source,
            next_seq: AtomicU64::new(1),
            queue: Mutex::default(),
            more: Notify::new(),
            counts: Arc::default(),
        }
    }

    /// Queues an OTLP request (protobuf); it is compressed here.
    pub async fn push(&self, request: Vec<u8>) {
        let Ok(body) = zstd::bulk::compress(&request, 1) else { return };
        let id = BatchId { source: self.source, seq: self.next_seq.fetch_add(1, Ordering::Relaxed) };
        let mut queue = self.queue.lock().await;
        queue.push_back(Waiting { id, body: Bytes::from(body) });
        let mut bytes: usize = queue.iter().map(|w| w.body.len()).sum();
        while bytes > CAP_BYTES && queue.len() > 1 {
            if let Some(old) = queue.pop_front() {
                bytes -= old.body.len();
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(signal = self.signal.as_str(), "send queue full, oldest batch dropped");
            }
        }
        drop(queue);
        self.more.notify_one();
    }

    pub async fn waiting_bytes(&self) -> u64 {
        self.queue.lock().await.iter().map(|w| w.body.len() as u64).sum()
    }

    /// Sends until `stop`. A batch leaves the queue only when the server has it, or refuses it for good.
    pub async fn run(
        &self,
        http: reqwest::Client,
        (origin, tokens): (Origin, TokenSource),
        stop: CancellationToken,
    ) {
        let Ok(url) = origin.url().join(&format!("/v1/{}", path(self.signal))) else { return };
        let mut wait = RETRY_FIRST;
        loop {
            let first = self.queue.lock().await.front().map(|w| (w.id, w.body.clone()));
            let Some((id, body)) = first else {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.more.notified() => continue,
                }
            };
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.post(&http, &url, (&tokens, id, body)) => outcome,
            };
            match outcome {
                Outcome::Stored => self.counts.sent.fetch_add(1, Ordering::Relaxed),
                Outcome::Refused(why) => {
                    tracing::warn!(signal = self.signal.as_str(), why, "batch refused for good");
                    self.counts.refused.fetch_add(1, Ordering::Relaxed)
                }
                Outcome::Later => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(wait.mul_f64(jitter())) => {}
                    }
                    wait = (wait * 2).min(RETRY_MAX);
                    continue;
                }
            };
            wait = RETRY_FIRST;
            let mut queue = self.queue.lock().await;
            if queue.front().is_some_and(|w| w.id == id) {
                queue.pop_front();
            }
        }
    }

    async fn post(
        &self,
        http: &reqwest::Client,
        url: &url::Url,
        (tokens, id, body): (&TokenSource, BatchId, Bytes),
    ) -> Outcome {
        let Ok(token) = tokens.token().await else { return Outcome::Later };
        let answer = http
            .post(url.clone())
            .timeout(TIMEOUT)
            .bearer_auth(token.expose())
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "zstd")
            .header("pilothouse-batch", format!("{}/{}", id.source, id.seq))
            .body(body)
            .send()
            .await;
        match answer {
            Ok(a) if a.status().is_success() => Outcome::Stored,
            Ok(a) if a.status().as_u16() == 401 => {
                tokens.reject(&token);
                Outcome::Later
            }
            Ok(a) if matches!(a.status().as_u16(), 408 | 425 | 429) || a.status().is_server_error() => {
                Outcome::Later
            }
            Ok(a) => Outcome::Refused(a.status().to_string()),
            Err(_) => Outcome::Later,
        }
    }
}

enum Outcome {
    Stored,
    Refused(String),
    Later,
}

fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Metrics | Signal::Exemplars => "metrics",
        Signal::Spans => "traces",
        Signal::Logs | Signal::Events => "logs",
    }
}

/// Between 0.5 and 1.5.
fn jitter() -> f64 {
    0.5 + f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0
}
