//! What the first bytes of a segment tell: its key, its first time, and a head to know it again by.

use std::io;

use xxhash_rust::xxh3::xxh3_128;

use crate::content::Content;
use crate::piece::{Format, Parsed};

/// How much of the first line goes into a key; bytes.
pub(crate) const KEY_BYTES: usize = 1024;

/// How much of a segment tells what it is; bytes.
pub(crate) const HEAD: usize = 2 << 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// `None` until the first line is complete.
    pub key: Option<u128>,
    /// The key if the file stays as it is, though its first line is not complete.
    pub closed_key: Option<u128>,
    pub first_ns: Option<i64>,
    /// What the first line with content within the first 2 KiB decides.
    pub format: Option<Format>,
}

/// The key of a first line, given without its LF.
pub(crate) fn key_of(line: &[u8]) -> u128 {
    xxh3_128(line.get(..KEY_BYTES).unwrap_or(line))
}

/// The key of a first line that begins with NUL bytes, which readers take off.
pub(crate) fn key_after_nuls(nuls: u64, line: &[u8]) -> u128 {
    let mut whole = vec![0; (nuls as usize).min(KEY_BYTES)];
    whole.extend_from_slice(line);
    key_of(&whole)
}

/// The key now of a plain file's first line: one read. `None` while the line is not complete.
pub(crate) fn key_now(content: &mut Content) -> io::Result<Option<u128>> {
    let mut head = [0; KEY_BYTES + 1];
    let n = content.read_at(&mut head, 0)?;
    let head = head.get(..n).unwrap_or_default();
    let line = memchr::memchr(b'\n', head).and_then(|end| head.get(..end));
    Ok(line.or((n >= KEY_BYTES).then_some(head)).map(key_of))
}

/// Reads the start of a segment.
pub(crate) fn probe(content: &mut Content) -> io::Result<Probe> {
    let mut page = [0; HEAD];
    let n = content.read_full(&mut page, 0)?;
    let head = page.get(..n).unwrap_or_default();
    let format = head.split(|b| *b == b'\n').find_map(Format::of);
    // A json-file line has its time at its end.
    let mut larger = Vec::new();
    let head = if format == Some(Format::Docker) && n == HEAD && memchr::memchr(b'\n', head).is_none() {
        larger.resize(128 << 10, 0);
        let n = content.read_full(&mut larger, 0)?;
        larger.get(..n).unwrap_or_default()
    } else {
        head
    };
    let line_end = memchr::memchr(b'\n', head);
    let key = match line_end {
        Some(end) => head.get(..end).map(key_of),
        None if n >= KEY_BYTES => Some(key_of(head)),
        None => None,
    };
    let closed_key = key.or((n > 0).then(|| key_of(head)));
    Ok(Probe { key, closed_key, first_ns: first_time(head), format })
}

fn first_time(head: &[u8]) -> Option<i64> {
    head.split(|b| *b == b'\n').find_map(|line| match Format::of(line)?.parse(line) {
        Parsed::Piece(piece) => Some(piece.ts_ns),
        Parsed::Malformed => None,
    })
}
