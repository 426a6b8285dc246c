//! Masking of a byte stream that is cut anywhere: terminals, files, pipes.
//!
//! Lines are masked whole. A line that grows beyond [`MAX_HELD`] is masked in pieces that end where no secret can be
//! cut; where they end depends on the bytes alone, never on how they arrived.

use std::sync::Arc;

use super::{Counts, Masker, Redactor};

/// Most bytes held back for one unfinished line.
pub const MAX_HELD: usize = 64 << 10;

/// How far before the end of a full buffer a piece may end: names and schemes are shorter.
const MARGIN: usize = 512;

/// One stream. What is held back comes out with the line's end, or at [`MaskedStream::finish`].
pub struct MaskedStream {
    redactor: Arc<Redactor>,
    state: Masker,
    held: Vec<u8>,
}

impl MaskedStream {
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, state: Masker::default(), held: Vec::new() }
    }

    /// Takes bytes; appends what can be shown. Holds at most [`MAX_HELD`] back.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let room = MAX_HELD - self.held.len();
            let piece = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
            match memchr::memchr(b'\n', piece) {
                Some(end) => {
                    self.held.extend_from_slice(piece.get(..end).unwrap_or_default());
                    let line = std::mem::take(&mut self.held);
                    self.show(&line, out);
                    out.push(b'\n');
                    bytes = bytes.get(end + 1..).unwrap_or_default();
                    self.held = line;
                    self.held.clear();
                }
                None => {
                    self.held.extend_from_slice(piece);
                    bytes = bytes.get(piece.len()..).unwrap_or_default();
                    if self.held.len() == MAX_HELD {
                        self.overflow(out);
                    }
                }
            }
        }
    }

    /// Shows what is held back; the stream ends.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let rest = std::mem::take(&mut self.held);
        if !rest.is_empty() {
            self.show(&rest, out);
        }
        self.state.restart();
    }

    pub fn counts(&self) -> &Counts {
        self.state.counts()
    }

    fn show(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if !self.redactor.line(&mut self.state, line, out) {
            out.extend_from_slice(line);
        }
    }

    /// Shows the first part of a line that fills the buffer.
    fn overflow(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let cut = self.cut(&held);
        self.show(held.get(..cut).unwrap_or(&held), out);
        self.held = held.get(cut..).unwrap_or_default().to_vec();
    }

    /// The last blank that lies in no secret and before one that may go on; all of it where there is none.
    fn cut(&self, held: &[u8]) -> usize {
        if self.state.inside_key() {
            return held.len() - 1;
        }
        let mut spans = Vec::new();
        self.redactor.finder.spans(held, 0, &mut spans);
        let mut end = held.len() - MARGIN;
        while let Some(blank) = held.get(..end).and_then(|h| h.iter().rposition(u8::is_ascii_whitespace)) {
            match spans.iter().find(|s| s.start <= blank && blank < s.end) {
                Some(span) if span.start > 0 => end = span.start,
                Some(_) => break,
                None if blank > 0 => return blank,
                None => break,
            }
        }
        // One word fills the buffer: its end may stand in the margin, where another begins.
        let tail = held.len() - MARGIN;
        let first =
            held.get(tail..).and_then(|t| t.iter().position(u8::is_ascii_whitespace)).map(|n| tail + n);
        let free = |at: &usize| !spans.iter().any(|s| s.start <= *at && *at < s.end);
        first.filter(free).unwrap_or(held.len())
    }
}
