//! The bytes of one download on their way: written, packed, sent; places noted from which they can be made again.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ph_access::{AuditRow, TenantCtx};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::page;
use super::super::routes::by_index;
use super::super::token::{Cursor, PageToken};
use super::format::Style;
use super::walk::Walk;
use crate::app::AppState;
use crate::audit::Outcome;

/// A reader that takes nothing for this long is let go.
const STALLED: Duration = Duration::from_secs(60);
/// Bytes of text between two places from which the output can be made again; with gzip each is a member of its own.
const BETWEEN: usize = 1 << 20;
/// Places that are kept; beyond it every second one is forgotten.
const MOST: usize = 256;

/// A place in the output.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Bytes of output before it.
    pub offset: u64,
    pub token: Option<PageToken>,
    rows: u64,
    /// Bytes of messages before it.
    given: u64,
}

impl Checkpoint {
    /// The last place at or before `held` bytes of output.
    pub fn before(all: &Mutex<Vec<Self>>, held: u64) -> Option<Self> {
        let all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|c| c.offset <= held).cloned()
    }
}

/// One fetch.
pub struct Job {
    pub app: AppState,
    pub ctx: TenantCtx,
    pub decision: AuditRow,
    pub walk: Walk,
    pub style: Style,
    pub compress: bool,
    /// Lines in all.
    pub lines: Option<u64>,
    pub most_bytes: u64,
    /// `None`: the output is another one than that of the first fetch.
    pub checkpoints: Option<Arc<Mutex<Vec<Checkpoint>>>>,
    pub start: Checkpoint,
    /// Bytes of output that the reader holds.
    pub held: u64,
    pub stop: CancellationToken,
}

type Pieces = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// Why a fetch ended early.
enum Broken {
    /// The reader left or took nothing.
    Reader,
    Failed(String),
}

struct Output {
    pieces: Pieces,
    compress: bool,
    /// Text that is not yet sent.
    text: Vec<u8>,
    /// Bytes of output so far, from the begin of the first fetch.
    offset: u64,
    held: u64,
    /// How long the reader may take nothing: [`STALLED`].
    patience: Duration,
}

impl Output {
    /// Sends what is there; with gzip as one member.
    async fn flush(&mut self) -> Result<(), Broken> {
        if self.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        let packed = if self.compress { pack(text).await? } else { text };
        let bytes = Bytes::from(packed);
        let skip = self.held.saturating_sub(self.offset).min(bytes.len() as u64);
        self.offset += bytes.len() as u64;
        let rest = bytes.slice(usize::try_from(skip).unwrap_or(usize::MAX)..);
        if rest.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(self.patience, self.pieces.send(Ok(rest))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Broken::Reader),
        }
    }
}

async fn pack(text: Vec<u8>) -> Result<Vec<u8>, Broken> {
    let packed = tokio::task::spawn_blocking(move || {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&text)?;
        gz.finish()
    });
    match packed.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(e)) => Err(Broken::Failed(e.to_string())),
        Err(e) => Err(Broken::Failed(e.to_string())),
    }
}

#[cfg(test)]
mod tests;

impl Job {
    /// Runs to the end, and records what was given.
    pub async fn run(mut self, pieces: Pieces) {
        let began = Instant::now();
        let mut digest = page::Digest::default();
        let mut rows = self.start.rows;
        let mut output = Output {
            pieces: pieces.clone(),
            compress: self.compress,
            text: Vec::new(),
            offset: self.start.offset,
            held: self.held,
            patience: STALLED,
        };
        let written = self.write((&mut output, &mut digest), (&mut rows, began)).await;
        let failed = match written {
            Ok(()) => None,
            Err(Broken::Reader) => Some("the reader left".to_owned()),
            Err(Broken::Failed(text)) => {
                // The body ends with an error, so that nobody takes the piece for the whole.
                let _ = pieces.send(Err(std::io::Error::other(text.clone()))).await;
                Some(text)
            }
        };
        let detail = json!({
            "download": true,
            "rows": rows,
            "bytes": self.walk.summary.scanned_bytes,
            "sent_bytes": output.offset.saturating_sub(self.held),
            "digest": digest.text(),
        });
        let outcome = Outcome { action: "logs.query", failed, detail };
        if let Err(e) = self.app.auditor.outcome(&self.ctx, &self.decision, outcome).await {
            tracing::warn!(error = %e, "audit row of a download's end not written");
        }
    }

    async fn write(
        &mut self,
        (output, digest): (&mut Output, &mut page::Digest),
        (rows, began): (&mut u64, Instant),
    ) -> Result<(), Broken> {
        let names = by_index(&self.walk.sources);
        let cursors: std::collections::BTreeMap<u32, Cursor> =
            self.walk.sources.iter().map(|(i, r)| (*i, r.cursor())).collect();
        if self.start.offset == 0 {
            self.style.header(&mut output.text);
        }
        let mut given = self.start.given;
        let mut since = 0;
        let mut stopped = "done";
        let stop = self.stop.clone();
        'all: loop {
            let piece = tokio::select! {
                () = stop.cancelled() => return Err(Broken::Failed("session ended or server stops".into())),
                () = output.pieces.closed() => return Err(Broken::Reader),
                piece = self.walk.next() => piece.map_err(|p| Broken::Failed(p.body.detail.clone()))?,
            };
            let Some(piece) = piece else { break };
            for (source, node, gap) in &piece.gaps {
                let gap = page::gap(*source, node, gap, &names);
                self.style.note(&json!({"type": "gap", "gap": gap}), &mut output.text);
            }
            for r in &piece.records {
                if self.lines.is_some_and(|most| *rows >= most) {
                    stopped = "rows";
                    break 'all;
                }
                if given >= self.most_bytes {
                    stopped = "bytes";
                    break 'all;
                }
                let (Some(name), Some(cursor)) = (names.get(&r.source), cursors.get(&r.source)) else {
                    continue;
                };
                let before = output.text.len();
                self.style.record(r, (name, cursor), &mut output.text);
                since += output.text.len() - before;
                digest.add(r);
                self.walk.note(r);
                (*rows, given) = (*rows + 1, given + r.message.len() as u64);
                if since >= BETWEEN {
                    output.flush().await?;
                    since = 0;
                    self.checkpoint(Checkpoint {
                        offset: output.offset,
                        token: Some(self.walk.token()),
                        rows: *rows,
                        given,
                    });
                }
            }
            if !self.compress {
                output.flush().await?;
            }
        }
        self.close(output, (stopped, began)).await
    }

    fn checkpoint(&self, at: Checkpoint) {
        let Some(all) = &self.checkpoints else { return };
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.last().is_none_or(|last| last.offset < at.offset) {
            if all.len() >= MOST {
                let mut n = 0_usize;
                all.retain(|_| {
                    n += 1;
                    n.is_multiple_of(2)
                });
            }
            all.push(at);
        }
    }

    /// The last line.
    async fn close(&mut self, output: &mut Output, (stopped, began): (&str, Instant)) -> Result<(), Broken> {
        let mut total = self.walk.summary.clone();
        total.stopped = stopped.to_owned();
        let known = u32::try_from(self.walk.sources.len()).unwrap_or(u32::MAX);
        let read = known.saturating_sub(u32::try_from(self.walk.unread.len()).unwrap_or(known));
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let summary = page::summary(&total, (read, known), took_ms);
        let next = self.walk.token().to_text();
        self.style.note(&json!({"type": "summary", "summary": summary, "next": next}), &mut output.text);
        output.flush().await
    }
}
