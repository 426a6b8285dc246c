//! From matchers to series: set algebra over an inverted index, the same for head and blocks.

use roaring::RoaringBitmap;

use crate::Error;
use crate::matching::LabelTest;

/// Which values of a label are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Accepted,
    Refused,
}

/// An inverted index over series numbered from 0.
pub(crate) trait Postings {
    fn all(&self) -> RoaringBitmap;

    /// Series that have exactly this label value. Empty when none has.
    fn with_value(&self, name: &str, value: &str) -> Result<RoaringBitmap, Error>;

    /// Series that **have** the label with a value on the given side of the test.
    fn with_values(&self, test: &LabelTest, side: Side) -> Result<RoaringBitmap, Error>;
}

/// Series that every test accepts. Without tests: all.
pub(crate) fn find(index: &impl Postings, tests: &[LabelTest]) -> Result<RoaringBitmap, Error> {
    let mut kept: Vec<RoaringBitmap> = Vec::new();
    let mut dropped = RoaringBitmap::new();
    for test in tests {
        if test.accepts_absent() {
            dropped |= present(index, test, Side::Refused)?;
        } else {
            let found = present(index, test, Side::Accepted)?;
            if found.is_empty() {
                return Ok(found);
            }
            kept.push(found);
        }
    }
    kept.sort_by_key(RoaringBitmap::len);
    let mut kept = kept.into_iter();
    let mut found = kept.next().unwrap_or_else(|| index.all());
    for other in kept {
        found &= other;
    }
    found -= dropped;
    Ok(found)
}

fn present(index: &impl Postings, test: &LabelTest, side: Side) -> Result<RoaringBitmap, Error> {
    let positive = test.is_negated() == (side == Side::Refused);
    match test.literals() {
        Some(set) if positive => {
            let mut found = RoaringBitmap::new();
            for value in set.iter().filter(|v| !v.is_empty()) {
                found |= index.with_value(test.name(), value)?;
            }
            Ok(found)
        }
        _ => index.with_values(test, side),
    }
}
