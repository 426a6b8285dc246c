//! The segment that takes records.
//!
//! A group of records is buffered, written with one call, synced, and then marked with a commit record, which the next
//! sync makes durable. A group whose write fails is forgotten: the next one overwrites it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ph_model::OrgId;

use super::record::{self, COMMIT, FIELDS, FRAME, Header};
use crate::fs::{File, Fs};

pub(super) const MAGIC: [u8; 8] = *b"PHWALSEG";
pub(super) const VERSION: u16 = 1;
/// magic, version, two zero bytes, checksum of the numbers, first LSN, the LSN that the segment before ended with.
pub(super) const HEAD: usize = 32;
/// Bytes of a commit record: its payload is the running checksum.
pub(super) const COMMIT_SIZE: usize = FRAME + FIELDS + 4;

/// A segment's file: named after its first LSN, so that names sort as records do.
pub(crate) fn segment_path(dir: &Path, first_lsn: u64) -> PathBuf {
    dir.join(format!("{first_lsn:020}.wal"))
}

/// Where a segment stands in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub first_lsn: u64,
    /// The LSN that came next when the segment before ended. Smaller than `first_lsn` when the end of that segment
    /// was lost (weaker durability) while later rows had already reached a part.
    pub follows: u64,
}

/// Writes one segment.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    file: Arc<dyn File>,
    pub path: PathBuf,
    /// Where the next group goes.
    end: u64,
    /// Checksum over the checksums of all committed records of this segment.
    running: u32,
    group: Vec<u8>,
    group_running: u32,
    group_lsn: u64,
}

/// Mixes a record's checksum into a segment's.
pub(super) fn mix(running: u32, crc: u32) -> u32 {
    crc32c::crc32c_append(running, &crc.to_le_bytes())
}

impl SegmentWriter {
    /// Creates a segment durably, with `reserve` bytes of disk for it.
    pub fn create(fs: &dyn Fs, dir: &Path, numbers: Numbers, reserve: u64) -> io::Result<Self> {
        let path = segment_path(dir, numbers.first_lsn);
        let made = Self::fill(fs, &path, numbers, reserve).and_then(|file| {
            fs.sync_dir(dir)?;
            Ok(file)
        });
        if made.is_err() {
            // Half a segment must not be in the way of the next attempt.
            let _ = fs.unlink(&path);
        }
        Ok(Self {
            file: made?,
            path,
            end: HEAD as u64,
            running: 0,
            group: Vec::new(),
            group_running: 0,
            group_lsn: 0,
        })
    }

    fn fill(fs: &dyn Fs, path: &Path, numbers: Numbers, reserve: u64) -> io::Result<Arc<dyn File>> {
        let file = fs.create(path)?;
        file.allocate(reserve)?;
        let number = [numbers.first_lsn.to_le_bytes(), numbers.follows.to_le_bytes()].concat();
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&[0; 2]);
        head.extend_from_slice(&crc32c::crc32c(&number).to_le_bytes());
        head.extend_from_slice(&number);
        file.write_all(0, &head)?;
        file.sync()?;
        Ok(file)
    }

    /// Adds a record to the group.
    pub fn add(&mut self, header: &Header, packed: &[u8]) {
        let crc = record::put(&mut self.group, header, packed);
        self.group_running = mix(self.group_running, crc);
        self.group_lsn = header.lsn;
    }

    pub fn group_bytes(&self) -> usize {
        self.group.len()
    }

    /// Bytes of the segment that are in use, the group included.
    pub fn size(&self) -> u64 {
        self.end + self.group.len() as u64
    }

    /// Whether a record was written.
    pub fn holds_records(&self) -> bool {
        self.end > HEAD as u64
    }

    /// Hands the group to the operating system. After an error the group is forgotten and the segment is as before.
    pub fn write(&mut self) -> io::Result<()> {
        let result = self.file.write_all(self.end, &self.group);
        if result.is_err() {
            self.forget();
        }
        result
    }

    /// Forgets the group.
    pub fn forget(&mut self) {
        self.group.clear();
        self.group_running = self.running;
    }

    /// Makes everything written durable. After an error nothing may be acknowledged from this file any more.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Marks the group as committed. It is durable by now, so an error here costs nothing but the mark.
    pub fn commit(&mut self) -> io::Result<()> {
        self.end += self.group.len() as u64;
        self.running = self.group_running;
        self.group.clear();
        let header = Header {
            lsn: self.group_lsn,
            org: OrgId::from_bytes([0; 16]),
            kind: COMMIT,
            flags: 0,
            source: 0,
            seq: 0,
            raw_len: 4,
        };
        let mut bytes = Vec::with_capacity(COMMIT_SIZE);
        record::put(&mut bytes, &header, &self.running.to_le_bytes());
        self.file.write_all(self.end, &bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Ends the segment: cuts what was reserved and makes the last mark durable.
    pub fn finish(&self) -> io::Result<()> {
        self.file.truncate(self.end)?;
        self.file.sync()
    }
}
