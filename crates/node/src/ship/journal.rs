//! What was shipped: a checkpoint a log, and the batch that is on its way.
//!
//! Out:    after a restart the same checkpoints, and the batch that was sent without an answer, to be sent again as it was:
//!         its body lies here too, because the files it was read from may be gone by then.
//! Never:  moves a checkpoint before the server has the lines; loses a batch that may have been sent.
//! Files:  one journal of framed records (those of the disk queue): lines in JSON, and before the line of a batch its body.
//!         It is written anew as a snapshot when it has grown.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ph_model::Position;
use ph_taillog::SourceId;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::queue::{Next, RecordReader, Stored, encode_record, segment_header};

/// The number of records that are lines of the journal; those of batches are greater.
const LINE: u64 = 0;
/// Bytes after which the journal is written anew.
const COMPACT_BYTES: u64 = 8 << 20;

#[derive(Serialize, Deserialize)]
enum Line {
    /// Replaces everything before.
    Snapshot(Vec<(SourceId, Option<Position>)>),
    /// Logs that are shipped from here on.
    Start(Vec<(SourceId, Option<Position>)>),
    /// A batch is about to be sent; its body is the record before. Where each log goes on once the server has it.
    Sending(u64, Vec<(SourceId, Option<Position>)>),
    /// What was sent before bodies were kept here. It is read, and never written.
    Sent(Sent),
    Acked(u64),
    /// Logs that are gone and wholly shipped.
    Forget(Vec<SourceId>),
}

#[derive(Serialize, Deserialize)]
struct Sent {
    seq: u64,
    ranges: Vec<SentRange>,
}

#[derive(Serialize, Deserialize)]
struct SentRange {
    source: SourceId,
    to: Option<Position>,
}

/// A batch without an answer, and where its logs go on after it.
#[derive(Debug)]
struct Pending {
    seq: u64,
    /// `None` when it was sent before bodies were kept: its lines are read again, under another number.
    batch: Option<Stored>,
    ends: Vec<(SourceId, Option<Position>)>,
}

/// The journal of one agent.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    checkpoints: Checkpoints,
    pending: Option<Pending>,
    /// Whether there was none before: this agent's first start.
    pub fresh: bool,
}

impl Journal {
    /// Opens or makes `dir/journal`. A torn end is cut.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| Error::write(dir, e))?;
        let path = dir.join("journal");
        let mut checkpoints = BTreeMap::new();
        let mut pending = None;
        let mut bytes = 0;
        let fresh = !path.exists();
        if !fresh {
            let mut reader = RecordReader::open(&path)?;
            let mut body = None;
            while let Next::Batch(record) = reader.next() {
                if record.seq != LINE {
                    body = Some(record);
                    continue;
                }
                let line = serde_json::from_slice(&record.body)
                    .map_err(|e| Error::Parse { what: "journal of shipped logs", reason: e.to_string() })?;
                apply(line, body.take(), (&mut checkpoints, &mut pending));
            }
            bytes = reader.offset();
        }
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = open.map_err(|e| Error::write(&path, e))?;
        file.set_len(bytes).map_err(|e| Error::write(&path, e))?;
        let mut journal = Self { path, file, bytes, checkpoints, pending, fresh };
        // Also drops what a torn end left, and begins a fresh file with its header.
        journal.compact()?;
        Ok(journal)
    }

    /// Where a log was shipped up to; the outer `None`: it never was.
    pub fn checkpoint(&self, source: &SourceId) -> Option<Option<Position>> {
        self.checkpoints.get(source).copied()
    }

    /// The batch that was sent without an answer.
    pub fn pending(&self) -> Option<&Stored> {
        self.pending.as_ref().and_then(|p| p.batch.as_ref())
    }

    /// All logs that have a checkpoint.
    pub fn sources(&self) -> impl Iterator<Item = &SourceId> {
        self.checkpoints.keys()
    }

    /// Notes where logs begin; durable on return.
    pub fn start(&mut self, sources: Vec<(SourceId, Option<Position>)>) -> Result<()> {
        if sources.is_empty() {
            return Ok(());
        }
        self.write(Line::Start(sources), Durable::Yes)
    }

    /// Keeps a batch that is about to be sent, and where each log goes on after it; durable on return.
    pub fn sending(&mut self, batch: Stored, ends: Vec<(SourceId, Option<Position>)>) -> Result<()> {
        let line = Line::Sending(batch.seq, ends);
        let mut bytes = encode_record(&batch);
        bytes.extend(frame(&line)?);
        self.append(&bytes, Durable::Yes)?;
        apply(line, Some(batch), (&mut self.checkpoints, &mut self.pending));
        Ok(())
    }

    /// The server has the pending batch. Durable with the next batch: until then a repeat is recognised by its number.
    pub fn acked(&mut self, seq: u64) -> Result<()> {
        self.write(Line::Acked(seq), Durable::Later)?;
        if self.bytes > COMPACT_BYTES { self.compact() } else { Ok(()) }
    }

    pub fn forget(&mut self, sources: Vec<SourceId>) -> Result<()> {
        if sources.is_empty() {
            return Ok(());
        }
        self.write(Line::Forget(sources), Durable::Later)
    }

    fn write(&mut self, line: Line, durable: Durable) -> Result<()> {
        self.append(&frame(&line)?, durable)?;
        apply(line, None, (&mut self.checkpoints, &mut self.pending));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], durable: Durable) -> Result<()> {
        use std::io::{Seek, SeekFrom};
        let written = self
            .file
            .seek(SeekFrom::Start(self.bytes))
            .and_then(|_| self.file.write_all(bytes))
            .and_then(|()| if durable == Durable::Yes { self.file.sync_data() } else { Ok(()) });
        if let Err(cause) = written {
            // What was written of it is cut, so that a shorter record does not stand before its rest.
            let _ = self.file.set_len(self.bytes);
            return Err(Error::write(&self.path, cause));
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        let next = self.path.with_extension("new");
        let all = self.checkpoints.iter().map(|(s, p)| (s.clone(), *p)).collect();
        let mut bytes = segment_header().to_vec();
        bytes.extend(frame(&Line::Snapshot(all))?);
        if let Some(Pending { seq, batch: Some(batch), ends }) = &self.pending {
            bytes.extend(encode_record(batch));
            bytes.extend(frame(&Line::Sending(*seq, ends.clone()))?);
        }
        let write = || {
            let mut file = File::create(&next)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&next, &self.path)?;
            if let Some(dir) = self.path.parent() {
                File::open(dir)?.sync_all()?;
            }
            Ok(file)
        };
        self.file = write().map_err(|e| Error::write(&self.path, e))?;
        self.bytes = bytes.len() as u64;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    Yes,
    Later,
}

fn frame(line: &Line) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(line)
        .map_err(|e| Error::Parse { what: "journal of shipped logs", reason: e.to_string() })?;
    Ok(encode_record(&Stored { seq: LINE, at_ms: 0, items: 0, body: body.into() }))
}

type Checkpoints = BTreeMap<SourceId, Option<Position>>;

fn apply(line: Line, body: Option<Stored>, (checkpoints, pending): (&mut Checkpoints, &mut Option<Pending>)) {
    match line {
        Line::Snapshot(all) => {
            *checkpoints = all.into_iter().collect();
            *pending = None;
        }
        Line::Start(some) => checkpoints.extend(some),
        Line::Sending(seq, ends) => {
            *pending = body.filter(|b| b.seq == seq).map(|batch| Pending { seq, batch: Some(batch), ends });
        }
        Line::Sent(Sent { seq, ranges }) => {
            let ends = ranges.into_iter().map(|r| (r.source, r.to)).collect();
            *pending = Some(Pending { seq, batch: None, ends });
        }
        Line::Acked(seq) => {
            if let Some(done) = pending.take_if(|p| p.seq == seq) {
                checkpoints.extend(done.ends);
            }
        }
        Line::Forget(sources) => checkpoints.retain(|source, _| !sources.contains(source)),
    }
}

#[cfg(test)]
mod tests;
