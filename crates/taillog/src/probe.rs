//! What the first bytes of a segment tell: its key, its first time, and a head to know it again by.

use std::io;

use xxhash_rust::xxh3::xxh3_128;

use crate::content::Content;
use crate::piece::{Format, Parsed};

/// How much of the first line goes into a key; bytes.
pub(crate) const KEY_BYTES: usize = 1024;

#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// `None` until the first line is complete.
    pub key: Option<u128>,
    /// The key if the file stays as it is, though its first line is not complete.
    pub closed_key: Option<u128>,
    pub first_ns: Option<i64>,
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

/// The format that the first line with content decides, looked for in the first 2 KiB.
pub(crate) fn format(content: &mut Content) -> io::Result<Option<Format>> {
    let mut head = vec![0; 2 << 10];
    let n = content.read_full(&mut head, 0)?;
    let head = head.get(..n).unwrap_or_default();
    Ok(head.split(|b| *b == b'\n').find_map(Format::of))
}

/// Reads the start of a segment.
pub(crate) fn probe(content: &mut Content) -> io::Result<Probe> {
    let mut head = vec![0; 2 << 10];
    let mut n = content.read_full(&mut head, 0)?;
    // A json-file line has its time at its end.
    if head.first() == Some(&b'{') && n == head.len() && memchr::memchr(b'\n', &head).is_none() {
        head.resize(128 << 10, 0);
        n = content.read_full(&mut head, 0)?;
    }
    let head = head.get(..n).unwrap_or_default();
    let line_end = memchr::memchr(b'\n', head);
    let key = match line_end {
        Some(end) => head.get(..end).map(key_of),
        None if n >= KEY_BYTES => Some(key_of(head)),
        None => None,
    };
    let closed_key = key.or((n > 0).then(|| key_of(head)));
    Ok(Probe { key, closed_key, first_ns: first_time(head) })
}

fn first_time(head: &[u8]) -> Option<i64> {
    head.split(|b| *b == b'\n').find_map(|line| match Format::of(line)?.parse(line) {
        Parsed::Piece(piece) => Some(piece.ts_ns),
        Parsed::Malformed => None,
    })
}
