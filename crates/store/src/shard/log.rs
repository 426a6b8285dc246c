//! The shard's segments: the one that takes records, and those that wait for their parts.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use ph_model::{BatchId, OrgId, Signal};
use ph_tsdb::wal::Encoder;

use super::{Kept, Reach};
use crate::catalogue::Checkpoint;
use crate::fs::Fs;
use crate::health::Meter;
use crate::wal::{Header, MAX_PAYLOAD, MORE, Numbers, SegmentWriter, WITH_ID, pack};

/// The log of one shard.
pub(super) struct Log {
    /// `None` until the first group: a shard without data has no segment.
    pub writer: Option<SegmentWriter>,
    pub kept: VecDeque<Kept>,
    /// LSN of the next record.
    pub next_lsn: u64,
    /// LSN after the last record of the segment before.
    pub follows: u64,
    /// Definitions that the current segment holds, by organisation.
    pub encoders: HashMap<OrgId, Encoder>,
    /// What the current segment holds.
    pub reach: HashMap<(OrgId, Signal), Reach>,
}

impl Log {
    /// Ends the segment if it is full. An error means that it could not be synced.
    pub fn rotate(&mut self, segment_bytes: u64) -> io::Result<()> {
        if self.writer.as_ref().is_some_and(|w| w.size() >= segment_bytes) {
            self.end_segment()
        } else {
            Ok(())
        }
    }

    /// Ends the segment if it holds anything. An error means that it could not be synced.
    pub fn end_segment(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take_if(|w| w.holds_records()) else { return Ok(()) };
        // The mark of the last group must be durable before a later segment exists; otherwise a torn mark would look
        // like damage.
        let ended = writer.finish();
        let (path, bytes) = (writer.path.clone(), writer.size());
        self.kept.push_back(Kept { path, bytes, reach: std::mem::take(&mut self.reach) });
        self.follows = self.next_lsn;
        ended
    }

    /// Makes sure that a segment is open.
    pub fn room(&mut self, fs: &dyn Fs, dir: &Path, segment_bytes: u64) -> io::Result<()> {
        if self.writer.is_some() {
            return Ok(());
        }
        self.encoders.clear();
        let numbers = Numbers { first_lsn: self.next_lsn, follows: self.follows };
        self.writer = Some(SegmentWriter::create(fs, dir, numbers, segment_bytes)?);
        Ok(())
    }

    /// Adds a batch to the group as a run of records; gives the LSN of its last one.
    pub fn add(&mut self, org: OrgId, signal: Signal, id: Option<BatchId>, raw: &[u8]) -> Option<u64> {
        let writer = self.writer.as_mut()?;
        let pieces = raw.len().div_ceil(MAX_PAYLOAD).max(1);
        for n in 0..pieces {
            let end = raw.len().min((n + 1) * MAX_PAYLOAD);
            let piece = raw.get(n * MAX_PAYLOAD..end)?;
            let more = if n + 1 < pieces { MORE } else { 0 };
            let header = Header {
                lsn: self.next_lsn,
                org,
                kind: kind_of(signal),
                flags: more | if id.is_some() { WITH_ID } else { 0 },
                source: id.map_or(0, |i| i.source),
                seq: id.map_or(0, |i| i.seq),
                raw_len: piece.len() as u32,
            };
            writer.add(&header, &pack(piece));
            self.next_lsn += 1;
        }
        Some(self.next_lsn - 1)
    }

    pub fn sync(&self, meter: &Meter) -> io::Result<()> {
        match &self.writer {
            Some(writer) => {
                Meter::add(&meter.fsyncs, 1);
                writer.sync()
            }
            None => Ok(()),
        }
    }

    /// Notes how far the current segment reaches.
    pub fn note(&mut self, of: (OrgId, Signal), reach: Reach) {
        extend(&mut self.reach, of, reach);
    }

    /// Deletes segments from the front that the checkpoints cover, or the image of the heads.
    pub fn trim(&mut self, fs: &dyn Fs, (checkpoints, imaged): (&HashMap<(OrgId, Signal), Checkpoint>, u64)) {
        while let Some(first) = self.kept.front() {
            let is_covered = |of: &(OrgId, Signal), reach: &Reach| {
                let in_image = of.1 == Signal::Metrics && reach.lsn <= imaged;
                in_image || checkpoints.get(of).is_some_and(|c| c.covers(reach))
            };
            let covered = first.reach.iter().all(|(of, reach)| is_covered(of, reach));
            if !covered {
                return;
            }
            match fs.unlink(&first.path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return,
                _ => {}
            }
            // Durably one after the other: after a power cut no segment may be missing in front of an older one.
            let synced = first.path.parent().map_or(Ok(()), |dir| fs.sync_dir(dir));
            self.kept.pop_front();
            if synced.is_err() {
                return;
            }
        }
    }

    pub fn bytes(&self) -> u64 {
        self.kept.iter().map(|k| k.bytes).sum::<u64>() + self.writer.as_ref().map_or(0, SegmentWriter::size)
    }

    pub fn publish_size(&self, to: &std::sync::atomic::AtomicU64) {
        to.store(self.bytes(), Ordering::Relaxed);
    }
}

pub(super) fn extend(map: &mut HashMap<(OrgId, Signal), Reach>, of: (OrgId, Signal), reach: Reach) {
    let known = map.entry(of).or_insert(reach);
    known.lsn = known.lsn.max(reach.lsn);
    known.at_ms = known.at_ms.max(reach.at_ms);
}

pub(super) fn kind_of(signal: Signal) -> u8 {
    match signal {
        Signal::Metrics => 1,
        Signal::Logs => 2,
        Signal::Spans => 3,
        Signal::Events => 4,
        Signal::Exemplars => 5,
    }
}

pub(super) fn signal_of(kind: u8) -> Option<Signal> {
    Some(match kind {
        1 => Signal::Metrics,
        2 => Signal::Logs,
        3 => Signal::Spans,
        4 => Signal::Events,
        5 => Signal::Exemplars,
        _ => return None,
    })
}
