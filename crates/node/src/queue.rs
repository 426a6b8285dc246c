//! The disk queue: batches that the server has not taken yet, in the order of their numbers.
//!
//! In:     encoded batches, each with a number greater than all before.
//! Out:    the oldest batch, again and again until it is acknowledged.
//! Never:  stops the start because a file is damaged: a torn tail is cut, a damaged segment is set aside and counted.
//! Never:  grows beyond its cap: the oldest segment goes, and is counted.
//! Cost:   a push writes and syncs; the heap holds one batch at a time.

mod record;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::{Error, Result};
use record::Reader;
pub(crate) use record::{Next, Reader as RecordReader, encode as encode_record, header as segment_header};

/// Numbers that are reserved on disk at once: a crash skips what is left of them, so no number is used twice.
const RESERVE: u64 = 1024;
/// Damaged segments kept for a look; older ones are removed.
const KEPT_BAD: usize = 4;

/// Sizes of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after which a segment is closed.
    pub segment_bytes: u64,
    /// Bytes of all segments.
    pub cap_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, cap_bytes: 512 << 20 }
    }
}

/// One batch as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub seq: u64,
    /// When it was made, ms UTC.
    pub at_ms: i64,
    /// How many items it holds, for counting.
    pub items: u32,
    pub body: Bytes,
}

/// What became of batches that will never be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Items dropped because the queue was full.
    pub full_items: u64,
    /// Segments set aside because they were damaged.
    pub bad_segments: u64,
}

/// A queue in a directory of its own. One process uses it at a time.
#[derive(Debug)]
pub struct Queue {
    dir: PathBuf,
    limits: Limits,
    source: u64,
    next_seq: u64,
    reserved: u64,
    /// Highest acknowledged number.
    acked: Option<u64>,
    segments: VecDeque<Segment>,
    writer: Option<File>,
    reader: Option<Reader>,
    /// Batch at the head, when it was read already.
    head: Option<Stored>,
    lost: Lost,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    first_seq: u64,
    bytes: u64,
    items: u64,
    oldest_ms: i64,
}

impl Queue {
    /// Opens or makes the queue in `dir`. Blocks while it checks the segments.
    ///
    /// Errors: `Newer` when a later release wrote it, `Write` when the directory cannot be used.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| Error::write(dir, e))?;
        let mut queue = Self {
            dir: dir.to_owned(),
            limits,
            source: 0,
            next_seq: 0,
            reserved: 0,
            acked: None,
            segments: VecDeque::new(),
            writer: None,
            reader: None,
            head: None,
            lost: Lost::default(),
        };
        queue.load_source()?;
        queue.acked = queue.number("acked")?;
        queue.load_segments()?;
        queue.next_seq = queue.number("reserved")?.unwrap_or(1).max(1);
        queue.reserved = queue.next_seq;
        Ok(queue)
    }

    /// Names this queue among all of all agents: random, made with the directory.
    pub fn source(&self) -> u64 {
        self.source
    }

    /// A number for the next batch, never given before. Syncs once in [`RESERVE`] calls.
    pub fn allocate(&mut self) -> Result<u64> {
        if self.next_seq >= self.reserved {
            let reserved = self.next_seq + RESERVE;
            self.write_number("reserved", reserved, Sync::Yes)?;
            self.reserved = reserved;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        Ok(seq)
    }

    /// Appends a batch and syncs it. Its number must be above all pushed before. Makes room by dropping the oldest.
    pub fn push(&mut self, batch: &Stored) -> Result<()> {
        let frame = record::encode(batch);
        while self.bytes() + frame.len() as u64 > self.limits.cap_bytes && self.segments.len() > 1 {
            self.drop_oldest();
        }
        if self.bytes() + frame.len() as u64 > self.limits.cap_bytes {
            return Err(Error::QueueFull { path: self.dir.clone(), cap_bytes: self.limits.cap_bytes });
        }
        if self.segments.back().is_none_or(|s| s.bytes >= self.limits.segment_bytes) || self.writer.is_none()
        {
            self.begin_segment(batch)?;
        }
        let (Some(segment), Some(writer)) = (self.segments.back_mut(), &mut self.writer) else {
            return Err(Error::Stopped("the queue has no segment to write to"));
        };
        let written = writer
            .seek(SeekFrom::Start(segment.bytes))
            .and_then(|_| writer.write_all(&frame))
            .and_then(|()| writer.sync_data());
        if let Err(cause) = written {
            // What was written of it is cut, so that the next push does not follow a torn record.
            let _ = writer.set_len(segment.bytes);
            return Err(Error::write(&segment.path, cause));
        }
        segment.bytes += frame.len() as u64;
        segment.items += u64::from(batch.items);
        Ok(())
    }

    /// The oldest batch that is not acknowledged; `None` when all are.
    pub fn head(&mut self) -> Option<Stored> {
        while self.head.is_none() {
            let segment = self.segments.front()?;
            let reader = match &mut self.reader {
                Some(reader) => reader,
                slot => match Reader::open(&segment.path) {
                    Ok(reader) => slot.insert(reader),
                    Err(error) => {
                        tracing::error!(error = error.chain(), "queue segment cannot be read, set aside");
                        self.set_aside();
                        continue;
                    }
                },
            };
            match reader.next() {
                Next::Batch(batch) if self.acked.is_some_and(|acked| batch.seq <= acked) => {}
                Next::Batch(batch) => self.head = Some(batch),
                Next::End => {
                    if self.segments.len() == 1 && self.writer.is_some() {
                        // More may be appended here: go on from this place then.
                        return None;
                    }
                    self.remove_front();
                }
                Next::Damaged => {
                    tracing::error!(segment = %segment.path.display(), "queue segment is damaged, set aside");
                    self.set_aside();
                }
            }
        }
        self.head.clone()
    }

    /// The head, and all before it, was taken by the server, or will never be sent.
    pub fn acknowledge(&mut self, seq: u64) -> Result<()> {
        if self.head.as_ref().is_some_and(|h| h.seq <= seq) {
            self.head = None;
        }
        if self.acked.is_none_or(|acked| acked < seq) {
            self.acked = Some(seq);
            // Not synced: a repeat after a power loss is recognised by its number.
            self.write_number("acked", seq, Sync::No)?;
        }
        Ok(())
    }

    pub fn is_empty(&mut self) -> bool {
        self.head().is_none()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// When the oldest batch was made, ms UTC.
    pub fn oldest_ms(&mut self) -> Option<i64> {
        self.head().map(|h| h.at_ms)
    }

    /// What was lost since the last call.
    pub fn take_lost(&mut self) -> Lost {
        std::mem::take(&mut self.lost)
    }

    fn begin_segment(&mut self, batch: &Stored) -> Result<()> {
        let path = self.dir.join(format!("{:020}.seg", batch.seq));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| Error::write(&path, e))?;
        let begun = file.write_all(&record::header()).and_then(|()| file.sync_data());
        begun.and_then(|()| File::open(&self.dir)?.sync_all()).map_err(|e| Error::write(&path, e))?;
        self.writer = Some(file);
        self.segments.push_back(Segment {
            path,
            first_seq: batch.seq,
            bytes: record::header().len() as u64,
            items: 0,
            oldest_ms: batch.at_ms,
        });
        Ok(())
    }

    fn drop_oldest(&mut self) {
        if let Some(segment) = self.segments.front() {
            tracing::warn!(
                first_seq = segment.first_seq,
                items = segment.items,
                since_ms = segment.oldest_ms,
                "queue is full, oldest segment dropped"
            );
            self.lost.full_items += segment.items;
        }
        self.head = None;
        self.remove_front();
    }

    fn remove_front(&mut self) {
        self.reader = None;
        if let Some(segment) = self.segments.pop_front() {
            let _ = fs::remove_file(&segment.path);
        }
        if self.segments.is_empty() {
            self.writer = None;
        }
    }

    fn set_aside(&mut self) {
        self.reader = None;
        self.head = None;
        self.lost.bad_segments += 1;
        if let Some(segment) = self.segments.pop_front() {
            let _ = fs::rename(&segment.path, segment.path.with_extension("bad"));
        }
        if self.segments.is_empty() {
            self.writer = None;
        }
        let mut bad = files(&self.dir, "bad").unwrap_or_default();
        while bad.len() > KEPT_BAD {
            let _ = fs::remove_file(bad.remove(0));
        }
    }

    fn load_source(&mut self) -> Result<()> {
        if let Some(source) = self.number("source")? {
            self.source = source;
            return Ok(());
        }
        // Without its name nothing that lies here can be sent as what it was: it keeps its numbers under a new one.
        let mut random = [0u8; 8];
        getrandom::fill(&mut random)
            .map_err(|e| Error::write(&self.dir, std::io::Error::other(e.to_string())))?;
        self.source = u64::from_le_bytes(random);
        self.write_number("source", self.source, Sync::Yes)
    }

    fn load_segments(&mut self) -> Result<()> {
        let mut paths = files(&self.dir, "seg").map_err(|e| Error::read(&self.dir, e))?;
        paths.sort();
        let last = paths.len().saturating_sub(1);
        for (i, path) in paths.into_iter().enumerate() {
            let mut reader = match Reader::open(&path) {
                Ok(reader) => reader,
                Err(error @ Error::Newer { .. }) => return Err(error),
                Err(_) => {
                    self.lost.bad_segments += 1;
                    let _ = fs::rename(&path, path.with_extension("bad"));
                    continue;
                }
            };
            let mut segment = Segment { path, first_seq: 0, bytes: 0, items: 0, oldest_ms: 0 };
            let damaged = loop {
                match reader.next() {
                    Next::Batch(batch) => {
                        if segment.items == 0 && segment.first_seq == 0 {
                            (segment.first_seq, segment.oldest_ms) = (batch.seq, batch.at_ms);
                        }
                        segment.items += u64::from(batch.items);
                    }
                    Next::End => break false,
                    Next::Damaged => break true,
                }
            };
            segment.bytes = reader.offset();
            if damaged && i == last {
                // The last write did not end: cut it.
                let cut =
                    OpenOptions::new().write(true).open(&segment.path).and_then(|f| f.set_len(segment.bytes));
                cut.map_err(|e| Error::write(&segment.path, e))?;
            } else if damaged {
                segment.bytes = fs::metadata(&segment.path).map_or(segment.bytes, |m| m.len());
            }
            self.segments.push_back(segment);
        }
        Ok(())
    }

    fn number(&self, name: &str) -> Result<Option<u64>> {
        let path = self.dir.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::read(path, e)),
        }
    }

    fn write_number(&self, name: &str, value: u64, sync: Sync) -> Result<()> {
        let path = self.dir.join(name);
        let next = self.dir.join(format!("{name}.new"));
        let write = || {
            let mut file = File::create(&next)?;
            // A fixed width, so that a file is whole or recognisably not.
            file.write_all(format!("{value:020}\n").as_bytes())?;
            if sync == Sync::Yes {
                file.sync_data()?;
            }
            fs::rename(&next, &path)?;
            if sync == Sync::Yes { File::open(&self.dir)?.sync_all() } else { Ok(()) }
        };
        write().map_err(|e| Error::write(&path, e))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    Yes,
    No,
}

/// Files with an extension, in the order of their names.
fn files(dir: &Path, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
