//! Where among lines of the CRI format something stands that hides a text: an escape, a NUL, a piece of a record.
//!
//! In:     whole lines. Out: the first such place. Cost: one pass, with the widest registers that the machine has.
#![expect(
    unsafe_code,
    reason = "code for a processor's extension may only be called once the extension was found"
)]

use memchr::memmem::Finder;

/// Lines are looked at in stretches of this; bytes.
const BLOCK: usize = 4 << 10;
/// What comes before the tag's letter in a header: a stretch may begin in the middle of it.
const HEADER: usize = b"stdout ".len();

/// Finds places in lines.
#[derive(Debug)]
pub(crate) struct Strange {
    out_part: Finder<'static>,
    err_part: Finder<'static>,
}

impl Strange {
    pub fn new() -> Self {
        Self { out_part: Finder::new("stdout P"), err_part: Finder::new("stderr P") }
    }

    /// The first escape, NUL or piece of a record.
    pub fn find(&self, lines: &[u8]) -> Option<usize> {
        (0..lines.len()).step_by(BLOCK).find_map(|from| {
            let to = lines.len().min(from + BLOCK);
            // What begins in this stretch may end behind it.
            let stretch = lines.get(from..lines.len().min(to + 2)).unwrap_or_default();
            if may_hold(stretch) { self.find_in(lines, (from, to)) } else { None }
        })
    }

    fn find_in(&self, lines: &[u8], (from, to): (usize, usize)) -> Option<usize> {
        let odd = memchr::memchr2(0x1b, 0, lines.get(from..to).unwrap_or_default()).map(|i| from + i);
        let before = from.saturating_sub(HEADER);
        let around = lines.get(before..lines.len().min(to + 2)).unwrap_or_default();
        let out = self.out_part.find(around).map(|i| before + i);
        let err = self.err_part.find(around).map(|i| before + i);
        [odd, out, err].into_iter().flatten().min()
    }
}

/// Whether a stretch holds an escape, a NUL, or the end of a header with the tag of a piece; sometimes also when it does not.
fn may_hold(stretch: &[u8]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the extension that it is compiled for was just found to be there.
        return unsafe { may_hold_avx2(stretch) };
    }
    may_hold_anywhere(stretch)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn may_hold_avx2(stretch: &[u8]) -> bool {
    may_hold_anywhere(stretch)
}

/// Bytes that are looked at in one step of the loop.
const LANES: usize = 64;

/// Without a branch in the loop, so that the compiler makes it one of many bytes at a time.
#[inline(always)]
fn may_hold_anywhere(stretch: &[u8]) -> bool {
    let mut found = [0_u8; LANES];
    let second = stretch.get(1..).unwrap_or_default();
    let third = stretch.get(2..).unwrap_or_default();
    let steps = stretch.as_chunks::<LANES>().0.iter().zip(second.as_chunks::<LANES>().0);
    let mut done = 0;
    for ((a, b), c) in steps.zip(third.as_chunks::<LANES>().0) {
        for ((found, a), (b, c)) in found.iter_mut().zip(a).zip(b.iter().zip(c)) {
            *found |= is_strange(*a, *b, *c);
        }
        done += LANES;
    }
    let rest = stretch.get(done..).unwrap_or_default();
    let mut ending = rest.iter().zip(rest.iter().skip(1).chain(&[1])).zip(rest.iter().skip(2).chain(&[1, 1]));
    found.iter().any(|f| *f != 0) || ending.any(|((a, b), c)| is_strange(*a, *b, *c) != 0)
}

/// Of three bytes in a row: whether the first is odd, or all together are the end of a header with the tag of a piece.
#[inline(always)]
fn is_strange(a: u8, b: u8, c: u8) -> u8 {
    let part = u8::from((a == b't') | (a == b'r')) & u8::from(b == b' ') & u8::from(c == b'P');
    u8::from(a == 0x1b) | u8::from(a == 0) | part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, byte by byte.
    fn plainly(lines: &[u8]) -> Option<usize> {
        (0..lines.len()).find(|i| {
            let rest = &lines[*i..];
            matches!(rest[0], 0 | 0x1b) || rest.starts_with(b"stdout P") || rest.starts_with(b"stderr P")
        })
    }

    proptest! {
        #[test]
        fn the_first_place_is_found_wherever_it_lies(
            at in 0usize..10_000,
            what in prop_oneof![
                Just(&b"\x1b"[..]), Just(&b"\0"[..]), Just(&b"stdout P "[..]), Just(&b"stderr P:X "[..]),
                Just(&b"start Ptr P"[..])
            ],
            length in 0usize..10_000,
        ) {
            let mut lines: Vec<u8> = b"2026-01-01T00:00:00Z stdout F not Possible, without POST\n".repeat(200);
            let end = lines.len().min(at + what.len());
            lines[at..end].copy_from_slice(&what[..end - at]);
            lines.truncate(length);
            prop_assert_eq!(Strange::new().find(&lines), plainly(&lines));
            prop_assert_eq!(may_hold(&lines), may_hold_anywhere(&lines));
        }
    }
}
