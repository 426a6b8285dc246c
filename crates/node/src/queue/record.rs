//! Segment files: a header, then records.
//!
//! Format: header `PHQ1` + version u32. Record: length u32 of what follows the checksum, CRC-32C u32 of it, version u8,
//! seq u64, at_ms i64, items u32, body. Little endian.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use bytes::Bytes;

use super::Stored;
use crate::error::{Error, Result};

const MAGIC: &[u8; 4] = b"PHQ1";
const VERSION: u32 = 1;
const RECORD_VERSION: u8 = 1;
/// Bytes between checksum and body.
const FIXED: usize = 1 + 8 + 8 + 4;
/// No batch is longer; a greater length is damage.
const MAX_RECORD: usize = 32 << 20;

pub fn header() -> [u8; 8] {
    let mut out = [0; 8];
    out[..4].copy_from_slice(MAGIC);
    out[4..].copy_from_slice(&VERSION.to_le_bytes());
    out
}

pub fn encode(batch: &Stored) -> Vec<u8> {
    let mut inner = Vec::with_capacity(FIXED + batch.body.len());
    inner.push(RECORD_VERSION);
    inner.extend_from_slice(&batch.seq.to_le_bytes());
    inner.extend_from_slice(&batch.at_ms.to_le_bytes());
    inner.extend_from_slice(&batch.items.to_le_bytes());
    inner.extend_from_slice(&batch.body);
    let mut out = Vec::with_capacity(8 + inner.len());
    out.extend_from_slice(&(inner.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&inner).to_le_bytes());
    out.extend_from_slice(&inner);
    out
}

/// What comes next in a segment.
#[derive(Debug)]
pub enum Next {
    Batch(Stored),
    End,
    /// Cut off, or not what was written.
    Damaged,
}

/// Reads a segment from its start.
#[derive(Debug)]
pub struct Reader {
    file: BufReader<File>,
    offset: u64,
}

impl Reader {
    /// Errors: `Newer`; `Parse` when it is no segment.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file =
            BufReader::with_capacity(64 * 1024, File::open(path).map_err(|e| Error::read(path, e))?);
        let mut head = [0; 8];
        file.read_exact(&mut head).map_err(|e| Error::read(path, e))?;
        let (magic, version) = head.split_at(4);
        if magic != MAGIC {
            return Err(Error::Parse {
                what: "queue segment",
                reason: format!("{} does not begin with PHQ1", path.display()),
            });
        }
        let version = version.try_into().map_or(0, u32::from_le_bytes);
        if version > VERSION {
            return Err(Error::Newer { path: path.to_owned(), found: version, known: VERSION });
        }
        Ok(Self { file, offset: 8 })
    }

    /// Bytes up to the end of the last whole record.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn next(&mut self) -> Next {
        let mut head = [0; 8];
        match read_full(&mut self.file, &mut head) {
            Ok(0) => return Next::End,
            Ok(8) => {}
            _ => return Next::Damaged,
        }
        let (length, sum) = head.split_at(4);
        let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
        let sum = sum.try_into().map_or(0, u32::from_le_bytes);
        if !(FIXED..=MAX_RECORD).contains(&length) {
            return Next::Damaged;
        }
        let mut inner = vec![0; length];
        if !matches!(read_full(&mut self.file, &mut inner), Ok(n) if n == length)
            || crc32c::crc32c(&inner) != sum
        {
            return Next::Damaged;
        }
        match decode(Bytes::from(inner)) {
            Some(batch) => {
                self.offset += 8 + length as u64;
                Next::Batch(batch)
            }
            None => Next::Damaged,
        }
    }
}

fn decode(inner: Bytes) -> Option<Stored> {
    if *inner.first()? != RECORD_VERSION {
        return None;
    }
    let word = |at: usize| inner.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    Some(Stored {
        seq: word(1)?,
        at_ms: word(9)?.cast_signed(),
        items: inner.get(17..21)?.try_into().ok().map(u32::from_le_bytes)?,
        body: inner.slice(FIXED..),
    })
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|r| !r.is_empty()) {
        match file.read(rest)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}
