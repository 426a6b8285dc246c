//! From one segment to the next: rotation, gzip, truncation, restarts, removal.
//!
//! The held descriptor is read to its end before the next segment is begun, so nothing is skipped; a segment is known
//! again by inode, or by key once it was gzipped, so nothing is read twice.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Reader;
use crate::Error;
use crate::batch::{Batch, Gap, GapKind, Marker, Note};
use crate::content::Content;
use crate::cursor::Cursor;
use crate::layout::{self, Run, Segment};
use crate::probe;
use crate::roots::Place;

/// How long a rotated file must not have grown before the new one is begun, unless its writer closed it; ns.
const DRAIN_NS: i64 = 1_000_000_000;
/// How many finished segments are remembered.
const PASSED: usize = 64;
/// How many names of closed files are remembered.
const CLOSED: usize = 8;

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    Go,
    /// Nothing now; look again at this time at the latest.
    Wait(i64),
    End,
}

/// What is known about the segments around the held one.
#[derive(Debug, Default)]
pub(super) struct Chain {
    passed: VecDeque<Passed>,
    /// The segment that followed the held one when the directory was last listed.
    successor: Option<Passed>,
    /// The plain segments behind the held one when the directory was last listed, with their sizes then.
    behind: Vec<((u64, u64), u64)>,
    next: Option<Next>,
    /// The held descriptor is to be read once more, then left.
    last_read: bool,
    gone: bool,
    failed: bool,
    closed: bool,
    /// Names under which files were closed lately.
    closed_names: VecDeque<String>,
    seen_to: u64,
    grown_ns: i64,
    looked: Option<[Option<(i64, u64)>; 2]>,
    misses: u32,
}

#[derive(Debug, Clone, PartialEq)]
struct Passed {
    identity: (u64, u64),
    key: Option<u128>,
}

#[derive(Debug)]
struct Next {
    run: u32,
    segment: Segment,
    /// Segments between the held one and this were removed unread.
    lost: bool,
    /// How much that is at least.
    lost_bytes: Option<u64>,
    /// Nothing more can be written to the held one.
    sure: bool,
}

impl Chain {
    pub fn note_closed(&mut self, name: &str) {
        if self.closed_names.len() == CLOSED {
            self.closed_names.pop_front();
        }
        self.closed_names.push_back(name.to_owned());
    }

    /// The held segment cannot be read any further.
    pub fn give_up(&mut self) {
        self.failed = true;
    }

    pub fn failed(&self) -> bool {
        self.failed
    }
}

impl Passed {
    fn of(cur: &Cursor) -> Self {
        Self { identity: cur.identity, key: cur.key }
    }

    fn is(&self, segment: &Segment) -> bool {
        let same_key = self.key.is_some() && self.key == segment.key;
        same_key && (segment.gz || self.identity == segment.identity)
    }
}

impl Reader {
    /// Decides what follows when the held descriptor has no more bytes.
    pub(super) fn at_end(&mut self, now_ns: i64, batch: &mut Batch) -> Result<Step, Error> {
        if self.cur.is_none() {
            return self.first_segment(now_ns);
        }
        if !self.chain.failed && self.cut_in_place(now_ns, batch)? {
            return Ok(Step::Go);
        }
        if self.chain.last_read {
            return self.advance(batch);
        }
        let stamps = self.dir_stamps();
        if self.chain.looked == Some(stamps) && settled(stamps, now_ns) {
            return Ok(Step::Wait(now_ns + self.recheck_ns));
        }
        let runs = match layout::list(&self.roots, &self.source, &mut self.probes) {
            Ok(runs) => runs,
            Err(Error::NotFound { .. }) => {
                (self.chain.gone, self.chain.last_read) = (true, true);
                return Ok(Step::Go);
            }
            Err(e) => return Err(e),
        };
        match self.find_next(&runs)? {
            Found::Retry if !self.ask.follow => Ok(Step::Go),
            Found::Retry => Ok(Step::Wait(now_ns + 20_000_000)),
            Found::Nothing => {
                self.chain.looked = Some(stamps);
                Ok(Step::Wait(now_ns + self.recheck_ns))
            }
            Found::Next(next) => {
                let quiet = next.segment.size_bytes > 0 && now_ns - self.chain.grown_ns >= DRAIN_NS;
                let done = next.sure || self.chain.closed || self.chain.failed || !self.ask.follow || quiet;
                if !done {
                    let wake = (self.chain.grown_ns + DRAIN_NS).max(now_ns + 1_000_000);
                    return Ok(Step::Wait(wake.min(now_ns + DRAIN_NS)));
                }
                self.chain.next = Some(*next);
                self.chain.last_read = true;
                Ok(Step::Go)
            }
        }
    }

    /// The source had no file yet.
    fn first_segment(&mut self, now_ns: i64) -> Result<Step, Error> {
        let runs = match layout::list(&self.roots, &self.source, &mut self.probes) {
            Ok(runs) => runs,
            Err(Error::NotFound { .. }) => {
                self.pending.push(Note::Marker(Marker::Ended));
                return Ok(Step::End);
            }
            Err(e) => return Err(e),
        };
        let Some((run, segment)) = runs.iter().find_map(|r| Some((r.number, r.segments.first()?))) else {
            return Ok(Step::Wait(now_ns + self.recheck_ns));
        };
        match self.cursor(run, segment) {
            Ok(cur) => self.hold(cur),
            Err(_) => return Ok(Step::Wait(now_ns + 20_000_000)),
        }
        Ok(Step::Go)
    }

    /// Opens a segment for reading and counts it.
    pub(super) fn cursor(&mut self, run: u32, segment: &Segment) -> std::io::Result<Cursor> {
        self.asm.stats.segments_opened += 1;
        Cursor::open(&self.roots, run, segment, self.ask.max_line + (64 << 10))
    }

    pub(super) fn hold(&mut self, cur: Cursor) {
        let chain = &mut self.chain;
        chain.closed_names.clear();
        chain.next = None;
        (chain.last_read, chain.closed, chain.failed) = (false, false, false);
        chain.seen_to = 0;
        chain.grown_ns = i64::MIN / 2;
        chain.looked = None;
        chain.successor = None;
        cur.announce();
        self.cur = Some(cur);
    }

    /// Keeps track of growth; true when the file was cut to zero in place and is begun anew.
    fn cut_in_place(&mut self, now_ns: i64, batch: &mut Batch) -> Result<bool, Error> {
        let Some(cur) = &mut self.cur else { return Ok(false) };
        if cur.read_to() != self.chain.seen_to {
            self.chain.seen_to = cur.read_to();
            self.chain.grown_ns = now_ns;
        }
        let size = cur.content.plain_size();
        let size = size.map_err(|e| Error::io(&self.roots.full(&cur.segment.place), e))?;
        let Some(size) = size else { return Ok(false) };
        if size < cur.read_to() {
            self.restart_held(batch);
            return Ok(true);
        }
        Ok(false)
    }

    /// A file cut and written anew between two looks may already be longer than what was read: its first line tells.
    pub(super) fn check_rewritten(&mut self, batch: &mut Batch) {
        let Some(cur) = &mut self.cur else { return };
        if cur.segment.gz || cur.key.is_none() {
            return;
        }
        if let Ok(now) = probe::key_now(&mut cur.content)
            && now.is_some()
            && now != cur.key
        {
            self.restart_held(batch);
        }
    }

    fn restart_held(&mut self, batch: &mut Batch) {
        let Some(cur) = &mut self.cur else { return };
        let from = cur.resume(&self.asm);
        cur.finish(&mut self.asm, batch);
        self.asm.flush(cur.here(), batch);
        batch.note(Note::Gap(Gap {
            kind: GapKind::Truncated,
            from: Some(from),
            to: None,
            from_ns: self.asm.last_ns,
            bytes: None,
            lines: None,
            exact: false,
            text: format!(
                "{} was cut to zero in place; lines written just before may be lost",
                cur.segment.name
            ),
        }));
        cur.entered_from = Some(cur.resume(&self.asm));
        cur.restart();
        self.chain.seen_to = 0;
    }

    fn dir_stamps(&self) -> [Option<(i64, u64)>; 2] {
        let (place, path) = &self.own;
        let own = stamp(path);
        let held = self.cur.as_ref().and_then(|c| {
            let rel = c.segment.place.rel.parent()?;
            if (place.base, place.rel.as_path()) == (c.segment.place.base, rel) {
                return own;
            }
            stamp(&self.roots.full(&Place { base: c.segment.place.base, rel: rel.to_owned() }))
        });
        [own, held]
    }

    fn find_next(&mut self, runs: &[Run]) -> Result<Found, Error> {
        let Some(cur) = &self.cur else { return Ok(Found::Nothing) };
        let newer = || {
            if !self.ask.follow && !self.ask.all_runs {
                return None;
            }
            let run = runs.iter().find(|r| r.number > cur.run && !r.segments.is_empty())?;
            let segment = run.segments.first()?.clone();
            Some(Next { run: run.number, segment, lost: false, lost_bytes: None, sure: true })
        };
        let segments = runs.iter().find(|r| r.number == cur.run).map_or(&[][..], |r| &r.segments);
        let passed = &self.chain.passed;
        let fresh = |s: &&Segment| !passed.iter().any(|p| p.is(s));
        let Some(index) = locate(cur, segments) else {
            // A listing can miss a file that is being renamed; one that still has a name will turn up.
            if self.chain.misses < 3 && has_name(&cur.content) && !segments.is_empty() {
                self.chain.misses += 1;
                return Ok(Found::Retry);
            }
            // It may have been renamed or gzipped between the names of two listings: look once more before giving it up.
            if self.chain.misses < 6 && !segments.is_empty() {
                self.chain.misses += 1;
                return Ok(Found::Retry);
            }
            let known = self.chain.successor.as_ref();
            let known = known.and_then(|p| segments.iter().find(|s| p.is(s) || p.identity == s.identity));
            let next = known.or_else(|| segments.iter().find(fresh));
            let there = |identity| segments.iter().any(|s| s.identity == identity);
            let gone = self.chain.behind.iter().filter(|(identity, _)| !there(*identity));
            let next = next.map(|segment| Next {
                run: cur.run,
                segment: segment.clone(),
                lost: known.is_none(),
                lost_bytes: Some(gone.map(|(_, bytes)| bytes).sum()).filter(|bytes| *bytes > 0),
                sure: true,
            });
            return Ok(next.or_else(newer).map_or(Found::Nothing, |n| Found::Next(Box::new(n))));
        };
        self.chain.misses = 0;
        let later = segments.get(index + 1..).unwrap_or_default();
        if let Some(held) = segments.get(index) {
            // Under its live name a file may be closed and opened again; once renamed it will not be.
            self.chain.closed |= !held.live && self.chain.closed_names.contains(&held.name);
        }
        let found = match later.iter().find(fresh) {
            Some(segment) => Some(Next {
                run: cur.run,
                segment: segment.clone(),
                lost: false,
                lost_bytes: None,
                sure: cur.segment.gz || later.len() > 1 || newer().is_some(),
            }),
            None => newer(),
        };
        let successor = found.as_ref().map(|n| Passed { identity: n.segment.identity, key: n.segment.key });
        self.chain.successor = successor;
        self.chain.behind = later.iter().filter(|s| !s.gz).map(|s| (s.identity, s.size_bytes)).collect();
        Ok(found.map_or(Found::Nothing, |n| Found::Next(Box::new(n))))
    }

    /// Leaves the held segment, which was read to its end, for the next one.
    fn advance(&mut self, batch: &mut Batch) -> Result<Step, Error> {
        if self.chain.gone {
            if let Some(cur) = &mut self.cur {
                cur.finish(&mut self.asm, batch);
                self.asm.flush(cur.here(), batch);
            }
            batch.note(Note::Marker(Marker::Ended));
            return Ok(Step::End);
        }
        let Some(next) = self.chain.next.take() else {
            self.chain.last_read = false;
            return Ok(Step::Go);
        };
        let mut fresh = match self.cursor(next.run, &next.segment) {
            Ok(fresh) => fresh,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && self.chain.misses < 8 => {
                // Gzipped or removed since the listing: look again.
                self.chain.misses += 1;
                self.chain.last_read = false;
                self.chain.looked = None;
                return Ok(Step::Go);
            }
            Err(e) => return Err(Error::io(&self.roots.full(&next.segment.place), e)),
        };
        if let Some(cur) = &mut self.cur {
            let from = cur.resume(&self.asm);
            cur.finish(&mut self.asm, batch);
            if next.run != cur.run || next.lost {
                self.asm.flush(cur.here(), batch);
            }
            fresh.abs_base = cur.abs();
            fresh.entered_from = (next.run == cur.run).then(|| cur.resume(&self.asm));
            if next.lost {
                let gap = rotated_away(from, &fresh, self.asm.last_ns);
                batch.note(Note::Gap(Gap { bytes: next.lost_bytes, ..gap }));
            }
            if next.run != cur.run {
                batch.note(Note::Marker(Marker::Restarted { run: next.run }));
            }
            cur.let_go();
            if self.chain.passed.len() == PASSED {
                self.chain.passed.pop_front();
            }
            self.chain.passed.push_back(Passed::of(cur));
        }
        self.chain.misses = 0;
        self.hold(fresh);
        Ok(Step::Go)
    }
}

enum Found {
    Nothing,
    Retry,
    Next(Box<Next>),
}

/// Where the held segment stands in a listing: by inode, or by key once it was gzipped.
fn locate(cur: &Cursor, segments: &[Segment]) -> Option<usize> {
    let same = |s: &Segment| s.identity == cur.identity && s.gz == cur.segment.gz;
    segments.iter().position(same).or_else(|| {
        // Without a key only an empty file can have been gzipped.
        let known = cur.key.is_some() || cur.content.plain_size().is_ok_and(|n| n == Some(0));
        segments.iter().position(|s| known && s.gz && s.key == cur.key)
    })
}

pub(super) fn rotated_away(from: ph_model::Position, to: &Cursor, from_ns: Option<i64>) -> Gap {
    Gap {
        kind: GapKind::RotatedAway,
        from: Some(from),
        to: Some(ph_model::Position { run: to.run, segment_key: to.key.unwrap_or(0), offset: 0, rewind: 0 }),
        from_ns,
        bytes: None,
        lines: None,
        exact: false,
        text: format!("segments before {} were removed before they were read", to.segment.name),
    }
}

fn has_name(content: &Content) -> bool {
    content.links().is_ok_and(|n| n > 0)
}

/// Modification time and inode of a directory: they only tell whether to list it again, which is done beneath its root.
fn stamp(path: &Path) -> Option<(i64, u64)> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
    Some((ns, meta.ino()))
}

/// Whether a change just after the listing would show: directory times are coarse on older kernels.
fn settled(stamps: [Option<(i64, u64)>; 2], now_ns: i64) -> bool {
    stamps.iter().all(|s| s.is_some_and(|(mtime, _)| now_ns - mtime > 100_000_000))
}
