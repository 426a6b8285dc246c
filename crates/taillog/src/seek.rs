//! Finding a place: by time, and back to where a joined record begins.
//!
//! Out:   places from which reading forwards is right; a place may lie a little early, since every record is checked
//!        against the range again.
//! Cost:  a time is bisected with a page read a step; 32 probes look for a clock that stepped back.

use std::io;

use crate::batch::Stream;
use crate::content::{self, Content};
use crate::layout::Segment;
use crate::piece::{Format, Parsed};
use crate::roots::Roots;

/// How far a probe moves on over lines that are not in the runtime's format; bytes.
const PROBE_BYTES: u64 = 64 << 10;
/// Bisecting stops at this distance; the rest is read; bytes.
const NEAR: u64 = 32 << 10;
const PROBES: u64 = 32;
/// A line longer than this is not looked into when going back; bytes.
const LONG_LINE: usize = 2 << 20;

/// A segment (by index) and an offset that is the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub segment: usize,
    pub offset: u64,
}

/// Whether the times of evenly spaced lines ascend. Gzip is taken as ordered without a look.
pub(crate) fn ordered(content: &mut Content) -> io::Result<bool> {
    let Some(size) = content.plain_size()? else { return Ok(true) };
    let mut before = i64::MIN;
    for i in 0..PROBES {
        if let Some((_, ts)) = time_at(content, size / PROBES * i, size)? {
            if ts < before {
                return Ok(false);
            }
            before = ts;
        }
    }
    Ok(true)
}

/// A spot at or shortly before the first record at or after `from_ns`, and whether it was found by assuming order.
pub(crate) fn by_time(roots: &Roots, segments: &[Segment], from_ns: i64) -> io::Result<(Spot, bool)> {
    let mut assumed = false;
    for (i, segment) in segments.iter().enumerate() {
        let last = i + 1 == segments.len();
        if segment.gz {
            // Written once, after its last line: older than the range means all of it is; so does a later file that begins before.
            let followed =
                segments.get(i + 1).and_then(|next| next.first_ns).is_some_and(|first| first < from_ns);
            if (segment.mtime_ns < from_ns || followed) && !last {
                assumed = true;
                continue;
            }
            return Ok((Spot { segment: i, offset: 0 }, assumed));
        }
        let mut content = Content::open(roots, segment)?;
        if !ordered(&mut content)? {
            return Ok((Spot { segment: i, offset: 0 }, assumed));
        }
        assumed = true;
        if !last && content::last_time(roots, segment).is_some_and(|ts| ts < from_ns) {
            continue;
        }
        let offset = bisect(&mut content, from_ns)?;
        return Ok((Spot { segment: i, offset }, assumed));
    }
    Ok((Spot { segment: segments.len().saturating_sub(1), offset: 0 }, assumed))
}

fn bisect(content: &mut Content, from_ns: i64) -> io::Result<u64> {
    let size = content.plain_size()?.unwrap_or(0);
    let (mut lo, mut hi) = (0, size);
    while hi - lo > NEAR {
        let mid = lo + (hi - lo) / 2;
        match time_at(content, mid, hi)? {
            Some((start, ts)) if ts < from_ns && start > lo => lo = start,
            _ => hi = mid,
        }
    }
    Ok(lo)
}

/// The first line at or after an offset that has a time: where it begins, and its time.
pub(crate) fn time_at(content: &mut Content, offset: u64, hi: u64) -> io::Result<Option<(u64, i64)>> {
    let until = hi.min(offset.saturating_add(PROBE_BYTES));
    let mut start = match offset {
        0 => Some(0),
        n => content.after_next_lf(n - 1, until)?,
    };
    let mut buf = vec![0; 4 << 10];
    while let Some(at) = start.filter(|at| *at < until) {
        let n = content.read_full(&mut buf, at)?;
        let mut window = buf.get(..n).unwrap_or_default();
        let mut long = Vec::new();
        if memchr::memchr(b'\n', window).is_none() && window.first() == Some(&b'{') {
            long.resize(PROBE_BYTES as usize, 0);
            let n = content.read_full(&mut long, at)?;
            window = long.get(..n).unwrap_or_default();
        }
        let line = memchr::memchr(b'\n', window).map_or(window, |i| window.get(..i).unwrap_or_default());
        if let Some(Parsed::Piece(piece)) = Format::of(line).map(|f| f.parse(line)) {
            return Ok(Some((at, piece.ts_ns)));
        }
        start = content.after_next_lf(at, until)?;
    }
    Ok(None)
}

/// How far to look for the beginning of records that are open at a spot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Streams (stdout, stderr) for which nothing stops the search but a whole record or the start of the run.
    pub exact: [bool; 2],
    /// Bytes after which the search for the others ends.
    pub bound: u64,
}

/// Where reading must begin so that every record that is open at `spot` is joined whole. `held`: the spot's segment, where
/// it is open already.
pub(crate) fn look_back(
    roots: &Roots,
    segments: &[Segment],
    (spot, reach): (Spot, Reach),
    mut held: Option<&mut Content>,
) -> io::Result<Spot> {
    let mut need = [reach.exact[0] || reach.bound > 0, reach.exact[1] || reach.bound > 0];
    let mut best = spot;
    let mut walked = 0;
    for index in (0..=spot.segment).rev() {
        let Some(segment) = segments.get(index) else { continue };
        let mut opened;
        let content = match held.take() {
            Some(held) => held,
            None => {
                opened = Content::open(roots, segment)?;
                &mut opened
            }
        };
        // What lies before damage is open no more: it ends there.
        let Some(end) = unless_damaged(end_of(content, (index, spot)))? else { return Ok(best) };
        let mut lines = BackLines::new(end);
        while let Some((start, line)) = unless_damaged(lines.before(content))?.flatten() {
            let Some(Parsed::Piece(piece)) = Format::of(line).map(|f| f.parse(line)) else { continue };
            let slot = usize::from(piece.stream == Stream::Stderr);
            let partial = piece.partial;
            if need[slot] {
                if partial {
                    best = Spot { segment: index, offset: start };
                } else {
                    need[slot] = false;
                }
            }
            if walked + (end - start) > reach.bound {
                need = [need[0] && reach.exact[0], need[1] && reach.exact[1]];
            }
            if need == [false, false] {
                return Ok(best);
            }
        }
        walked += end;
    }
    Ok(best)
}

/// Where the part of a segment ends that lies before a spot.
fn end_of(content: &mut Content, (index, spot): (usize, Spot)) -> io::Result<u64> {
    if index == spot.segment { Ok(spot.offset) } else { content.size() }
}

/// `None` where the file is damaged: who reads there meets it, and tells it. What is gone or forbidden stays an error.
pub(crate) fn unless_damaged<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Err(e),
        Err(_) => Ok(None),
    }
}

/// The last line before `spot` that has a time; `spot` itself when there is none. `held`: the spot's segment, where it is open
/// already.
pub(crate) fn timed_before(
    roots: &Roots,
    segments: &[Segment],
    (spot, held): (Spot, Option<&mut Content>),
) -> io::Result<Spot> {
    Ok(last_timed(roots, segments, (spot, held))?.map_or(spot, |(found, _)| found))
}

/// The time of the last line before `spot` that has one.
pub(crate) fn time_before(roots: &Roots, segments: &[Segment], spot: Spot) -> io::Result<Option<i64>> {
    Ok(last_timed(roots, segments, (spot, None))?.map(|(_, ts)| ts))
}

fn last_timed(
    roots: &Roots,
    segments: &[Segment],
    (spot, mut held): (Spot, Option<&mut Content>),
) -> io::Result<Option<(Spot, i64)>> {
    for index in (0..=spot.segment).rev() {
        let Some(segment) = segments.get(index) else { continue };
        let mut opened;
        let content = match held.take() {
            Some(held) => held,
            None => {
                opened = Content::open(roots, segment)?;
                &mut opened
            }
        };
        let Some(end) = unless_damaged(end_of(content, (index, spot)))? else { return Ok(None) };
        let mut lines = BackLines::new(end);
        while let Some((offset, line)) = unless_damaged(lines.before(content))?.flatten() {
            // Readers take NUL bytes off that a power loss left before a line.
            let nuls = line.iter().take_while(|b| **b == 0).count();
            let line = line.get(nuls..).unwrap_or_default();
            if let Some(Parsed::Piece(piece)) = Format::of(line).map(|f| f.parse(line)) {
                return Ok(Some((Spot { segment: index, offset }, piece.ts_ns)));
            }
        }
    }
    Ok(None)
}

/// Lines of one segment, last first, out of one buffer.
struct BackLines {
    /// How much the next read takes; bytes.
    step: u64,
    buf: Vec<u8>,
    /// Offset of `buf[0]`.
    base: u64,
    /// End of the part of `buf` that was not given out.
    end: usize,
}

impl BackLines {
    fn new(end: u64) -> Self {
        Self { step: 4 << 10, buf: Vec::new(), base: end, end: 0 }
    }

    /// The line before the last one given, without its LF; its offset.
    fn before(&mut self, content: &mut Content) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            // The LF at the very end belongs to the line that is looked for.
            let body = self.end.saturating_sub(1);
            let found = memchr::memrchr(b'\n', self.buf.get(..body).unwrap_or_default());
            let from = match found {
                Some(i) => i + 1,
                None if self.base == 0 && self.end > 0 => 0,
                None if self.base == 0 => return Ok(None),
                None => {
                    self.fill(content)?;
                    continue;
                }
            };
            let end = std::mem::replace(&mut self.end, from);
            let line = self.buf.get(from..end).unwrap_or_default();
            return Ok(Some((self.base + from as u64, line.strip_suffix(b"\n").unwrap_or(line))));
        }
    }

    fn fill(&mut self, content: &mut Content) -> io::Result<()> {
        // Gzip is inflated from its start for each step: large ones at once.
        let least = if content.is_plain() { self.step } else { content.back_step() };
        self.step = (self.step * 4).min(content.back_step());
        let step = least.min(self.base);
        let start = self.base - step;
        let mut buf = vec![0; step as usize];
        content.read_full(&mut buf, start)?;
        buf.extend_from_slice(self.buf.get(..self.end).unwrap_or_default());
        // Of a line that is far too long only the part nearest its beginning matters.
        buf.truncate(LONG_LINE.max(step as usize));
        self.end = buf.len();
        self.buf = buf;
        self.base = start;
        Ok(())
    }
}
