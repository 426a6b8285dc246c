//! Physical lines, read forwards out of a bounded window.
//!
//! Never: grows beyond the cap it is given. A longer line keeps its first bytes; the rest is counted and skipped.

use std::io;

use crate::content::Content;

/// How much is read at once while every line is looked at; bytes.
const STEP: usize = 64 << 10;
/// The same of a follower that had caught up: most often a few lines were written; bytes.
const SMALL_STEP: usize = 4 << 10;
/// How much is read at once while most lines are passed over: what stays in a core's cache for several looks; bytes.
const CHUNK: usize = 256 << 10;

#[derive(Debug)]
pub(crate) struct Lines {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// How far from `start` no LF was found.
    clean: usize,
    /// Offset of `buf[start]`, or of the long line's first byte.
    offset: u64,
    /// Bytes of a long line that were dropped already.
    dropped: u64,
    /// NUL bytes passed over before the line that begins at `offset`.
    nuls: u64,
    cap: usize,
    step: usize,
    /// The last read gave less than was asked for, and nobody was told yet that this is the end for now.
    short: bool,
}

/// A line's place in the window and in the segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineAt {
    pub from: usize,
    pub to: usize,
    pub offset: u64,
    /// The byte after its LF.
    pub next: u64,
    /// Bytes that were skipped because the line is longer than the cap.
    pub skipped: u64,
    /// NUL bytes that stood before `offset` and are no part of the line.
    pub nuls: u64,
    pub has_lf: bool,
}

impl Lines {
    pub fn new(offset: u64, cap: usize) -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            end: 0,
            clean: 0,
            offset,
            dropped: 0,
            nuls: 0,
            cap,
            step: STEP,
            short: false,
        }
    }

    /// Goes on at another offset.
    pub fn seek(&mut self, offset: u64) {
        let buf = std::mem::take(&mut self.buf);
        *self = Self { buf, ..Self::new(offset, self.cap) };
    }

    /// Offset of the first byte that was not given out as a line.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset up to which bytes were read from the file.
    pub fn read_to(&self) -> u64 {
        self.offset + (self.end - self.start) as u64 + self.dropped
    }

    pub fn bytes(&self, line: LineAt) -> &[u8] {
        self.buf.get(line.from..line.to).unwrap_or_default()
    }

    /// Bytes that the window takes, full or not.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.buf.capacity()
    }

    /// Gives the window back while nothing is in it.
    pub fn shrink(&mut self) {
        if self.start == self.end {
            self.buf = Vec::new();
            (self.start, self.end, self.clean, self.step) = (0, 0, 0, SMALL_STEP);
        }
    }

    /// The next line that ends with LF; `None` when the content has no more now. Lines behind `until` are not asked for.
    pub fn next(&mut self, content: &mut Content, until: u64) -> io::Result<Option<LineAt>> {
        loop {
            let window = self.buf.get(self.start + self.clean..self.end).unwrap_or_default();
            if let Some(i) = memchr::memchr(b'\n', window) {
                return Ok(Some(self.take(self.clean + i)));
            }
            self.clean = self.end - self.start;
            self.pass_nuls();
            if self.clean > self.cap {
                self.dropped += (self.clean - self.cap) as u64;
                self.clean = self.cap;
                self.end = self.start + self.cap;
            }
            // A plain file gives less only at its end: asking again would give nothing.
            if std::mem::take(&mut self.short) && content.is_file() {
                return Ok(None);
            }
            if self.fill(content, until)? == 0 {
                return Ok(None);
            }
        }
    }

    /// The whole lines in the window that end at or before `until`; empty when there are none now, or the next one
    /// is a long line or follows NUL bytes.
    pub fn whole(&mut self, content: &mut Content, until: u64) -> io::Result<&[u8]> {
        if self.dropped > 0 || self.nuls > 0 {
            return Ok(&[]);
        }
        let mut to = self.last_lf(until);
        if to == 0 && self.end - self.start < self.cap && self.offset < until {
            // Larger steps only while there is enough to read: a follower stays small.
            if self.fill(content, until)? >= self.step {
                self.step = (self.step * 2).min(CHUNK);
            }
            to = self.last_lf(until);
        }
        Ok(self.buf.get(self.start..self.start + to).unwrap_or_default())
    }

    fn last_lf(&self, until: u64) -> usize {
        let length = usize::try_from(until.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let window = self.buf.get(self.start..self.end).unwrap_or_default();
        let window = window.get(..length).unwrap_or(window);
        memchr::memrchr(b'\n', window).map_or(0, |lf| lf + 1)
    }

    /// Passes over so many bytes of what [`Lines::whole`] gave.
    pub fn pass(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
        self.offset += bytes as u64;
        self.clean = 0;
    }

    /// What is left without LF, when the caller knows that nothing will follow.
    pub fn rest(&mut self) -> Option<LineAt> {
        if self.start == self.end {
            return None;
        }
        let mut line = self.take(self.end - self.start);
        line.has_lf = false;
        line.next -= 1;
        self.offset -= 1;
        self.start = self.start.min(self.end);
        Some(line)
    }

    /// Leading NUL bytes are what a power loss or a truncated file leaves; they may be longer than any window.
    fn pass_nuls(&mut self) {
        let window = self.buf.get(self.start..self.end).unwrap_or_default();
        let count = window.iter().take_while(|b| **b == 0).count();
        if self.dropped > 0 || count == 0 {
            return;
        }
        self.start += count;
        self.clean -= count;
        self.offset += count as u64;
        self.nuls += count as u64;
    }

    fn take(&mut self, length: usize) -> LineAt {
        let lead = match self.dropped {
            0 => self.buf.get(self.start..self.start + length).unwrap_or_default(),
            _ => &[],
        };
        let lead = lead.iter().take_while(|b| **b == 0).count();
        self.start += lead;
        self.offset += lead as u64;
        self.nuls += lead as u64;
        let length = length - lead;
        let kept = length.min(self.cap);
        let next = self.offset + length as u64 + self.dropped + 1;
        let line = LineAt {
            from: self.start,
            to: self.start + kept,
            offset: self.offset,
            next,
            skipped: self.dropped + (length - kept) as u64,
            nuls: std::mem::take(&mut self.nuls),
            has_lf: true,
        };
        self.start += length + 1;
        self.offset = next;
        self.clean = 0;
        self.dropped = 0;
        line
    }

    fn fill(&mut self, content: &mut Content, until: u64) -> io::Result<usize> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let at = self.read_to();
        let near = usize::try_from(until.saturating_sub(at)).ok().filter(|near| *near > 0);
        let want = near.map_or(self.step, |near| near.min(self.step));
        if self.buf.len() < self.end + want {
            self.buf.resize(self.end + want, 0);
        }
        let room = self.buf.get_mut(self.end..self.end + want).unwrap_or_default();
        let n = content.read_at(room, at)?;
        self.end += n;
        self.short = n > 0 && n < want;
        if n >= self.step && self.step < STEP {
            self.step = (self.step * 4).min(STEP);
        }
        Ok(n)
    }
}
