//! Batches that the server refused for good, kept for a look with the reason.
//!
//! Files:  `<name>.jsonl` and the older `<name>.1.jsonl`, one JSON object a line, both together at most 16 MiB.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use base64::Engine as _;
use ph_model::Signal;

use crate::error::{Error, Result};
use crate::queue::Stored;

/// Bytes of one of the two files.
const HALF: u64 = 8 << 20;

/// Where dead letters are kept.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    stem: PathBuf,
}

#[derive(serde::Serialize)]
struct Letter<'a> {
    at_ms: i64,
    signal: &'static str,
    seq: u64,
    items: u32,
    status: u16,
    reason: &'a str,
    /// The request, zstd, as it was sent.
    body: String,
}

impl DeadLetters {
    /// `stem` is the path of the files without their extension.
    pub fn new(stem: PathBuf) -> Self {
        Self { stem }
    }

    /// Appends a batch and why it was refused. One that does not fit is kept without its body.
    pub fn keep(&self, signal: Signal, batch: &Stored, (status, reason): (u16, &str)) -> Result<()> {
        let body = if (batch.body.len() as u64) < HALF / 2 {
            base64::engine::general_purpose::STANDARD.encode(&batch.body)
        } else {
            String::new()
        };
        let letter = Letter {
            at_ms: batch.at_ms,
            signal: signal.as_str(),
            seq: batch.seq,
            items: batch.items,
            status,
            reason,
            body,
        };
        let mut line = serde_json::to_vec(&letter)
            .map_err(|e| Error::Parse { what: "dead letter", reason: e.to_string() })?;
        line.push(b'\n');
        let path = self.stem.with_extension("jsonl");
        let size = fs::metadata(&path).map_or(0, |m| m.len());
        if size > 0 && size + line.len() as u64 > HALF {
            fs::rename(&path, self.stem.with_extension("1.jsonl")).map_err(|e| Error::write(&path, e))?;
        }
        let written =
            OpenOptions::new().create(true).append(true).open(&path).and_then(|mut f| f.write_all(&line));
        written.map_err(|e| Error::write(&path, e))
    }
}
