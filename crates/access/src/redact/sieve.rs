//! A first look at text for anything that may have to be masked: many bytes at a time, the letters of both cases as one.
//!
//! In:     text as it is. Out: where the first candidate stands, or certainty that there is none.
//! Never:  passes over a needle; what it points at is looked at anew, so that it may be wrong the other way.

use aho_corasick::packed::{Config, MatchKind, Searcher};

/// Lines are mostly shorter than the small window; chunks are looked at in large ones.
const SMALL: usize = 256;
const LARGE: usize = 4096;

/// Searches folded text for folded needles. Absent on machines without the vector instructions that it needs.
pub(super) struct Sieve {
    packed: Searcher,
    /// Shorter text is filled up with zeros, which are part of no needle.
    least: usize,
    /// Windows overlap by so much that no needle lies across two of them unseen.
    overlap: usize,
}

/// Capitals become small letters, and a few control characters become signs: what differs before may be equal after, never the
/// other way round.
fn fold(byte: u8) -> u8 {
    byte | 0x20
}

impl Sieve {
    pub fn new<'a>(needles: impl Iterator<Item = &'a str>) -> Option<Self> {
        let folded: Vec<Vec<u8>> = needles.map(|n| n.bytes().map(fold).collect()).collect();
        let overlap = folded.iter().map(Vec::len).max()?.checked_sub(1)?;
        let packed = Config::new().match_kind(MatchKind::LeftmostFirst).builder().extend(&folded).build()?;
        let least = packed.minimum_len();
        (least <= SMALL && overlap < SMALL).then_some(Self { packed, least, overlap })
    }

    /// Where a needle may stand first.
    pub fn first(&self, text: &[u8]) -> Option<usize> {
        if text.len() <= SMALL { self.windows::<SMALL>(text) } else { self.windows::<LARGE>(text) }
    }

    fn windows<const N: usize>(&self, text: &[u8]) -> Option<usize> {
        let mut window = [0_u8; N];
        let mut from = 0;
        loop {
            let rest = text.get(from..)?;
            let len = rest.len().min(N);
            for (to, byte) in window.iter_mut().zip(rest) {
                *to = fold(*byte);
            }
            let filled = len.max(self.least);
            if let Some(tail) = window.get_mut(len..filled) {
                tail.fill(0);
            }
            if let Some(found) = self.packed.find(window.get(..filled)?) {
                return Some(from + found.start());
            }
            if len == rest.len() {
                return None;
            }
            from += N - self.overlap;
        }
    }
}
