//! Checksums of the catalogue's rows: SQLite keeps none of its pages, and a changed bit in a number would be a wrong answer.
//!
//! In:     the values of a row, in the order of its columns; not those that a later statement changes.
//! Out:    a number that stands beside them. Rows of earlier versions have none, and are taken as they are.

use xxhash_rust::xxh3::Xxh3;

use super::{PartRow, damaged};
use crate::contract::Error;

/// One value of a row.
pub(super) enum Field<'a> {
    Bytes(&'a [u8]),
    Number(i64),
}

pub(super) fn seal(fields: &[Field<'_>]) -> i64 {
    let mut h = Xxh3::new();
    for field in fields {
        match field {
            Field::Bytes(bytes) => {
                h.update(&(bytes.len() as u64).to_le_bytes());
                h.update(bytes);
            }
            Field::Number(n) => h.update(&n.to_le_bytes()),
        }
    }
    i64::from_le_bytes(h.digest().to_le_bytes())
}

/// Errors: `Internal` for a row that is not what was written.
pub(super) fn checked(kept: Option<i64>, fields: &[Field<'_>], what: &str) -> Result<(), Error> {
    match kept {
        Some(kept) if kept != seal(fields) => Err(damaged(&format!("{what} is not what was written"))),
        _ => Ok(()),
    }
}

/// All of a part's row but its path and why it was set aside, which change.
pub(super) fn of_part(part: &PartRow) -> i64 {
    let numbers = [
        part.day,
        part.first,
        part.last,
        part.rows as i64,
        part.bytes as i64,
        part.shard as i64,
        part.lsn as i64,
        part.series as i64,
        part.tix as i64,
        part.tid as i64,
        i64::from(part.level),
        part.at.map_or(-1, |at| at as i64),
        part.cleaned,
        part.ruled,
        part.step_ms,
    ];
    let hash = part.hash.to_be_bytes();
    let bytes: [&[u8]; 5] =
        [part.id.as_bytes(), part.org.as_bytes(), part.signal.as_str().as_bytes(), &hash, &part.summary];
    let fields = bytes.map(Field::Bytes).into_iter().chain(numbers.map(Field::Number));
    seal(&fields.collect::<Vec<_>>())
}
