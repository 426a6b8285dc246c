//! Terminal escapes in messages: taken out for matching, with the way back to the raw bytes.
//!
//! Source: ECMA-48 (CSI), xterm (OSC, ended by BEL or ST).

use std::borrow::Cow;
use std::ops::Range;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// A message without CSI and OSC sequences.
#[derive(Clone, Debug)]
pub struct Plain<'a> {
    pub text: Cow<'a, [u8]>,
    /// (offset in the text, bytes taken out before it), ascending.
    cuts: Vec<(usize, usize)>,
}

impl Plain<'_> {
    /// Where a range of the text lies in the message it was made from. Escapes at its ends are left out.
    pub fn raw(&self, range: Range<usize>) -> Range<usize> {
        let shift = |at: usize, inside: bool| {
            let n = self.cuts.partition_point(|(cut, _)| if inside { *cut < at } else { *cut <= at });
            n.checked_sub(1).and_then(|i| self.cuts.get(i)).map_or(0, |(_, taken)| *taken)
        };
        let start = range.start + shift(range.start, false);
        let end = if range.is_empty() { start } else { range.end + shift(range.end, true) };
        start..end
    }
}

/// Takes CSI and OSC sequences out. A message without ESC is borrowed as it is.
pub fn plain(message: &[u8]) -> Plain<'_> {
    let Some(first) = memchr::memchr(ESC, message) else {
        return Plain { text: Cow::Borrowed(message), cuts: Vec::new() };
    };
    let mut text = Vec::with_capacity(message.len());
    let mut cuts = Vec::new();
    let mut taken = 0;
    let mut at = 0;
    let mut next = Some(first);
    while let Some(esc) = next {
        text.extend_from_slice(message.get(at..esc).unwrap_or_default());
        let length = sequence(message.get(esc..).unwrap_or_default());
        if length == 0 {
            text.push(ESC);
            at = esc + 1;
        } else {
            taken += length;
            cuts.push((text.len(), taken));
            at = esc + length;
        }
        next = message.get(at..).and_then(|rest| memchr::memchr(ESC, rest)).map(|i| at + i);
    }
    text.extend_from_slice(message.get(at..).unwrap_or_default());
    Plain { text: Cow::Owned(text), cuts }
}

/// Length of the sequence at the start; 0 when it is none, or has no end.
fn sequence(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'[') => {
            let body = text.iter().skip(2).take_while(|b| (0x20..=0x3f).contains(*b)).count();
            match text.get(2 + body) {
                Some(0x40..=0x7e) => body + 3,
                _ => 0,
            }
        }
        Some(b']') => {
            let rest = text.get(2..).unwrap_or_default();
            match memchr::memchr2(BEL, ESC, rest) {
                Some(i) if rest.get(i) == Some(&BEL) => i + 3,
                Some(i) if rest.get(i + 1) == Some(&b'\\') => i + 4,
                _ => 0,
            }
        }
        _ => 0,
    }
}
