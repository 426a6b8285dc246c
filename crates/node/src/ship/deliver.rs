//! Delivers one batch of logs: again and again until the server has it, or will never take it.

use std::time::Duration;

use bytes::Bytes;
use ph_model::{BatchId, Signal};
use tokio_util::sync::CancellationToken;

use crate::collect::Feed;
use crate::own::{Outcome, Own};
use crate::queue::Stored;
use crate::sender::{Answer, Backoff, DeadLetters, PARTS, Poster, halves};
use crate::time::now_ms;

pub struct Deliverer {
    poster: Poster,
    own: Own,
    dead: DeadLetters,
    source: u64,
    backoff: Backoff,
}

impl Deliverer {
    pub fn new(poster: Poster, feed: &Feed, source: u64) -> Self {
        Self {
            poster,
            own: feed.own.clone(),
            dead: DeadLetters::new(feed.config.state.join("queue/dead-logs")),
            source,
            backoff: Backoff::new(Duration::from_millis(250), Duration::from_secs(30)),
        }
    }

    /// False when stopped before the batch was settled. A batch that is too large goes in parts, whose numbers lie
    /// between its own and the next one's.
    pub async fn deliver(
        &mut self,
        seq: u64,
        body: Bytes,
        (records, stop): (u64, &CancellationToken),
    ) -> bool {
        let mut todo = vec![body];
        let mut part = seq;
        let mut failed = 0;
        while let Some(body) = todo.pop() {
            let id = BatchId { source: self.source, seq: part };
            let answer = tokio::select! {
                answer = self.poster.post(Signal::Logs, id, body.clone()) => answer,
                () = stop.cancelled() => return false,
            };
            match answer {
                Answer::Stored { rejected, reason } => {
                    if rejected > 0 {
                        tracing::warn!(rejected, reason, "server rejected part of a batch of logs");
                    }
                    failed += rejected;
                    self.backoff.reset();
                    self.own.well("log shipping", &[], now_ms());
                    part += 1;
                }
                Answer::Refused { status, reason } => {
                    failed += if part == seq && todo.is_empty() { records } else { 1 };
                    self.bury(part, body, (status, &reason));
                    part += 1;
                }
                Answer::TooLarge => match halves(Signal::Logs, &body) {
                    Some([first, second]) if part - seq + 2 < PARTS => todo.extend([second, first]),
                    _ => {
                        failed += 1;
                        self.bury(part, body, (413, "too large and cannot be split further"));
                        part += 1;
                    }
                },
                Answer::Later { reason, wait } => {
                    self.own.failed(
                        "log shipping",
                        &reason,
                        "check the server's address and state; lines wait in their files",
                    );
                    todo.push(body);
                    let wait = wait.unwrap_or_else(|| self.backoff.step());
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.cancelled() => return false,
                    }
                }
            }
        }
        self.own.count(Signal::Logs, Outcome::Sent, "", records.saturating_sub(failed));
        self.own.count(Signal::Logs, Outcome::Failed, "refused", failed);
        true
    }

    fn bury(&self, seq: u64, body: Bytes, (status, reason): (u16, &str)) {
        tracing::error!(status, reason, seq, "server refused a batch of logs; kept as a dead letter");
        let batch = Stored { seq, at_ms: now_ms(), items: 0, body };
        if let Err(error) = self.dead.keep(Signal::Logs, &batch, (status, reason)) {
            tracing::error!(error = error.chain(), "dead letter cannot be kept");
        }
    }
}
