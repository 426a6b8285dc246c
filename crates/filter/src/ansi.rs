//! Terminal escapes: text without them, and the way back to the original offsets.
//!
//! Removed: CSI (`ESC [ … final`) and OSC (`ESC ] … BEL` or `ESC \`). A sequence without its end stays, so that it
//! hides nothing. Source: ECMA-48.

use std::borrow::Cow;
use std::ops::Range;

pub(crate) const ESC: u8 = 0x1b;

/// A text with its escapes removed; one without any as it is.
pub fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(ESC, text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Plain::default();
    plain.set(text);
    Cow::Owned(plain.text)
}

/// Text with its escapes removed. Buffers are kept between lines.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    text: Vec<u8>,
    /// `(at in text, at in original)` of each piece that was kept.
    pieces: Vec<(usize, usize)>,
}

impl Plain {
    /// Takes `original` over. Cost: one pass; allocates only when it is longer than any before.
    pub fn set(&mut self, original: &[u8]) {
        self.text.clear();
        self.pieces.clear();
        let mut at = 0;
        let mut piece = 0;
        while let Some(hit) = memchr::memchr(ESC, original.get(at..).unwrap_or_default()) {
            let esc = at + hit;
            match sequence(original.get(esc..).unwrap_or_default()) {
                Some(len) => {
                    self.keep(original, piece..esc);
                    at = esc + len;
                    piece = at;
                }
                None => at = esc + 1,
            }
        }
        self.keep(original, piece..original.len());
    }

    fn keep(&mut self, original: &[u8], range: Range<usize>) {
        if let Some(bytes) = original.get(range.clone()).filter(|b| !b.is_empty()) {
            self.pieces.push((self.text.len(), range.start));
            self.text.extend_from_slice(bytes);
        }
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a range of the text lies in the original; escapes inside it are part of it.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let of = |at: usize| {
            let i = self.pieces.partition_point(|(text, _)| *text <= at);
            let (text, original) =
                i.checked_sub(1).and_then(|i| self.pieces.get(i)).copied().unwrap_or_default();
            original + (at - text)
        };
        if range.is_empty() {
            let at = of(range.start);
            return at..at;
        }
        of(range.start)..of(range.end - 1) + 1
    }
}

/// Length of the CSI or OSC sequence at the start of `text`.
fn sequence(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'[' => {
            let body = text.get(2..)?;
            let params = body.iter().take_while(|b| (0x20..0x40).contains(*b)).count();
            body.get(params).filter(|b| (0x40..0x7f).contains(*b))?;
            Some(params + 3)
        }
        b']' => {
            let body = text.get(2..)?;
            let end = memchr::memchr2(0x07, ESC, body)?;
            match body.get(end)? {
                0x07 => Some(end + 3),
                _ => (body.get(end + 1) == Some(&b'\\')).then_some(end + 4),
            }
        }
        _ => None,
    }
}

/// Writes the beginning of the text, without escapes, as far as it fits; returns how many bytes were written.
pub(crate) fn strip_into(original: &[u8], into: &mut [u8]) -> usize {
    let mut len = 0;
    let mut at = 0;
    while let (Some(rest), true) = (original.get(at..).filter(|r| !r.is_empty()), len < into.len()) {
        let plain = memchr::memchr(ESC, rest).unwrap_or(rest.len());
        let (plain, skip) = match rest.get(plain..).and_then(sequence) {
            Some(escape) => (plain, escape),
            None => ((plain + 1).min(rest.len()), 0),
        };
        let fits = plain.min(into.len() - len);
        if let (Some(to), Some(from)) = (into.get_mut(len..len + fits), rest.get(..fits)) {
            to.copy_from_slice(from);
        }
        len += fits;
        at += plain + skip;
    }
    len
}
