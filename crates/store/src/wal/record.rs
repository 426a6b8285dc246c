//! One record of the log, as bytes.

use ph_model::{BatchId, OrgId};

/// Bytes in front of a record: `len` and `crc`.
pub(super) const FRAME: usize = 8;
/// Bytes of a record's fields, between `crc` and the payload.
pub(super) const FIELDS: usize = 8 + 16 + 1 + 1 + 8 + 8 + 4;
/// Largest payload before compression; a larger batch is a run of records.
pub(crate) const MAX_PAYLOAD: usize = 15 << 20;
/// Largest record on disk.
pub(super) const MAX_RECORD: usize = 16 << 20;

/// `kind` of a commit record; kinds of others are those of their signals.
pub(crate) const COMMIT: u8 = 0xC0;
/// `flags`: the batch goes on in the next record.
pub(crate) const MORE: u8 = 1;
/// `flags`: `source` and `seq` name a batch.
pub(crate) const WITH_ID: u8 = 2;

/// A record's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub lsn: u64,
    pub org: OrgId,
    pub kind: u8,
    pub flags: u8,
    pub source: u64,
    pub seq: u64,
    /// Bytes of the payload before compression.
    pub raw_len: u32,
}

/// A record read from a segment; the payload is still packed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub header: Header,
    pub packed: &'a [u8],
    pub crc: u32,
    /// Bytes that the record takes in its segment.
    pub size: usize,
}

impl Header {
    pub fn id(&self) -> Option<BatchId> {
        (self.flags & WITH_ID != 0).then_some(BatchId { source: self.source, seq: self.seq })
    }
}

/// Compresses a payload.
pub(crate) fn pack(raw: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(raw)
}

/// Decompresses a record's payload; `None` when it is not what `pack` wrote.
pub(crate) fn unpack(header: &Header, packed: &[u8]) -> Option<Vec<u8>> {
    let raw_len = header.raw_len as usize;
    if raw_len > MAX_RECORD {
        return None;
    }
    lz4_flex::block::decompress(packed, raw_len).ok().filter(|raw| raw.len() == raw_len)
}

/// Appends a record to `out` and gives its checksum.
pub(crate) fn put(out: &mut Vec<u8>, header: &Header, packed: &[u8]) -> u32 {
    let start = out.len();
    out.extend_from_slice(&((FIELDS + packed.len()) as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&header.lsn.to_le_bytes());
    out.extend_from_slice(&header.org.as_u128().to_le_bytes());
    out.extend_from_slice(&[header.kind, header.flags]);
    out.extend_from_slice(&header.source.to_le_bytes());
    out.extend_from_slice(&header.seq.to_le_bytes());
    out.extend_from_slice(&header.raw_len.to_le_bytes());
    out.extend_from_slice(packed);
    let crc = crc32c::crc32c(out.get(start + FRAME..).unwrap_or_default());
    if let Some(room) = out.get_mut(start + 4..start + FRAME) {
        room.copy_from_slice(&crc.to_le_bytes());
    }
    crc
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}

/// The record at the start of `bytes`; `None` when no whole, undamaged record stands there.
pub(crate) fn read(bytes: &[u8]) -> Option<Record<'_>> {
    let mut frame = Fields(bytes);
    let len = u32::from_le_bytes(frame.take()?) as usize;
    let crc = u32::from_le_bytes(frame.take()?);
    if !(FIELDS..=MAX_RECORD).contains(&len) {
        return None;
    }
    let covered = frame.0.get(..len)?;
    if crc32c::crc32c(covered) != crc {
        return None;
    }
    let mut fields = Fields(covered);
    let header = Header {
        lsn: u64::from_le_bytes(fields.take()?),
        org: OrgId::from_bytes(u128::from_le_bytes(fields.take()?).to_be_bytes()),
        kind: u8::from_le_bytes(fields.take()?),
        flags: u8::from_le_bytes(fields.take()?),
        source: u64::from_le_bytes(fields.take()?),
        seq: u64::from_le_bytes(fields.take()?),
        raw_len: u32::from_le_bytes(fields.take()?),
    };
    Some(Record { header, packed: fields.0, crc, size: FRAME + len })
}
