//! What was shipped: a checkpoint a log, and the batch that is on its way.
//!
//! Out:    after a restart the same checkpoints, and the batch that was sent without an answer, to be sent again as it was.
//! Never:  moves a checkpoint before the server has the lines; loses a batch that may have been sent.
//! Files:  one journal of framed records (those of the disk queue), written anew as a snapshot when it has grown.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ph_model::{Attributes, Position};
use ph_taillog::{Gap, SourceId};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::queue::{Next, RecordReader, Stored, encode_record, segment_header};

/// Bytes after which the journal is written anew.
const COMPACT_BYTES: u64 = 1 << 20;

/// Records of one log in a batch: so many, beginning after `from`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    pub source: SourceId,
    /// `None`: from the log's beginning.
    pub from: Option<Position>,
    /// Where the next batch goes on.
    pub to: Option<Position>,
    pub records: u64,
    /// Gaps with the number of records before each.
    pub gaps: Vec<(u64, Gap)>,
    /// As they were when the batch was first sent: a repeat must have the same body.
    pub resource: Attributes,
}

/// A batch of log lines, named by where they lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub seq: u64,
    /// When the lines were read, ms UTC.
    pub at_ms: i64,
    pub ranges: Vec<Range>,
}

#[derive(Serialize, Deserialize)]
enum Line {
    /// Replaces everything before.
    Snapshot(Vec<(SourceId, Option<Position>)>),
    /// Logs that are shipped from here on.
    Start(Vec<(SourceId, Option<Position>)>),
    Sent(Batch),
    Acked(u64),
    /// Logs that are gone and wholly shipped.
    Forget(Vec<SourceId>),
}

/// The journal of one agent.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    checkpoints: BTreeMap<SourceId, Option<Position>>,
    pending: Option<Batch>,
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
            while let Next::Batch(record) = reader.next() {
                let line = serde_json::from_slice(&record.body)
                    .map_err(|e| Error::Parse { what: "journal of shipped logs", reason: e.to_string() })?;
                apply(line, &mut checkpoints, &mut pending);
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
    pub fn pending(&self) -> Option<&Batch> {
        self.pending.as_ref()
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

    /// Notes a batch that is about to be sent; durable on return.
    pub fn sent(&mut self, batch: Batch) -> Result<()> {
        self.write(Line::Sent(batch), Durable::Yes)
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
        use std::io::{Seek, SeekFrom};
        let frame = frame(&line)?;
        let written = self
            .file
            .seek(SeekFrom::Start(self.bytes))
            .and_then(|_| self.file.write_all(&frame))
            .and_then(|()| if durable == Durable::Yes { self.file.sync_data() } else { Ok(()) });
        written.map_err(|e| Error::write(&self.path, e))?;
        self.bytes += frame.len() as u64;
        apply(line, &mut self.checkpoints, &mut self.pending);
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        let next = self.path.with_extension("new");
        let all = self.checkpoints.iter().map(|(s, p)| (s.clone(), *p)).collect();
        let mut bytes = segment_header().to_vec();
        bytes.extend(frame(&Line::Snapshot(all))?);
        if let Some(pending) = &self.pending {
            bytes.extend(frame(&Line::Sent(pending.clone()))?);
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
    Ok(encode_record(&Stored { seq: 0, at_ms: 0, items: 0, body: body.into() }))
}

fn apply(line: Line, checkpoints: &mut BTreeMap<SourceId, Option<Position>>, pending: &mut Option<Batch>) {
    match line {
        Line::Snapshot(all) => {
            *checkpoints = all.into_iter().collect();
            *pending = None;
        }
        Line::Start(some) => checkpoints.extend(some),
        Line::Sent(batch) => *pending = Some(batch),
        Line::Acked(seq) => {
            if let Some(batch) = pending.take_if(|batch| batch.seq == seq) {
                checkpoints.extend(batch.ranges.into_iter().map(|r| (r.source, r.to)));
            }
        }
        Line::Forget(sources) => checkpoints.retain(|source, _| !sources.contains(source)),
    }
}

#[cfg(test)]
mod tests;
