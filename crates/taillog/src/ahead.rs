//! Workers that read parts of a log before the reader comes to them. What they find is given in file order.
//!
//! In:     segments, cut into ranges (gzip: whole). Out: each range's batches, and the state at its end.
//! Never:  guesses: a range is taken over only when the reader comes to its first line with the same open records that the
//!         worker found; else the reader reads the range itself.
//! Bound:  a worker waits when a range's batches are not fetched; threads end with the reader.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::assemble::{Assembler, Choice, Left, UnderWay};
use crate::batch::Batch;
use crate::cursor::Cursor;
use crate::idle::stand_back;
use crate::layout::{Run, Segment};
use crate::mask;
use crate::reader::Stats;
use crate::roots::Roots;
use crate::seek::{self, Reach, Spot};

/// Less than this is read sooner than workers begin; bytes. Tests have it small, so that ranges are many.
const WORTHWHILE: u64 = if cfg!(test) { 256 } else { 8 << 20 };
/// What gzip is taken to inflate to, for planning.
const GZIP_FACTOR: u64 = 8;
const MIN_RANGE: u64 = if cfg!(test) { 128 } else { 2 << 20 };
const MAX_RANGE: u64 = 16 << 20;
/// How far back a worker looks for records that are open where its range begins; bytes.
const LOOK_BACK: u64 = 64 << 10;
const BATCH_BYTES: usize = 256 << 10;
const BATCH_RECORDS: usize = 8 << 10;
const BATCH_SCAN: u64 = 4 << 20;
/// Batches of one range that wait to be fetched.
const WAITING: usize = 8;

/// How workers read.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub roots: Roots,
    pub choice: Choice,
    pub max_line: usize,
    pub cap: usize,
    pub threads: usize,
}

/// What a worker tells of its range, in this order: begin, batches, end. A range without an end was given up.
#[derive(Debug)]
pub(crate) enum Told {
    /// The first line that begins in the range; `None` when none does. What is under way there.
    Begin(Option<u64>, UnderWay),
    Batch(Box<Batch>, Stats),
    End(Box<End>),
}

#[derive(Debug)]
pub(crate) struct End {
    pub cur: Cursor,
    pub left: Left,
    pub stats: Stats,
    /// The content could not be read any further.
    pub failed: Option<io::Error>,
}

#[derive(Debug)]
struct Job {
    run: u32,
    segment: Segment,
    lo: u64,
    hi: u64,
    tell: SyncSender<Told>,
}

/// A range that a worker reads or will read.
#[derive(Debug)]
pub(crate) struct Ranged {
    pub run: u32,
    pub identity: (u64, u64),
    pub told: Receiver<Told>,
    pub begin: Option<(Option<u64>, UnderWay)>,
}

#[derive(Debug)]
pub(crate) struct Ahead {
    pub ranges: VecDeque<Ranged>,
    jobs: Arc<Mutex<VecDeque<Job>>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Ahead {
    /// Puts workers to what lies behind this place; `None` when that is not worthwhile.
    pub fn begin(how: &How, runs: &[Run], (run, segment, offset): (u32, (u64, u64), u64)) -> Option<Self> {
        let behind = behind(runs, (run, segment, offset));
        let total: u64 = behind.iter().map(|(_, s, lo)| weight(s) - lo.min(&weight(s))).sum();
        if how.threads < 2 || total < WORTHWHILE {
            return None;
        }
        let range = (total / (how.threads as u64 * 4)).clamp(MIN_RANGE, MAX_RANGE);
        let (mut ranges, mut jobs) = (VecDeque::new(), VecDeque::new());
        for (run, segment, from) in behind {
            let mut lo = from;
            let to = if segment.gz { u64::MAX } else { segment.size_bytes };
            while lo < to {
                let hi = if segment.gz || to - lo < range * 2 { to } else { lo + range };
                let (tell, told) = sync_channel(WAITING);
                ranges.push_back(Ranged { run, identity: segment.identity, told, begin: None });
                jobs.push_back(Job { run, segment: segment.clone(), lo, hi, tell });
                lo = hi;
            }
        }
        let (jobs, stop) = (Arc::new(Mutex::new(jobs)), Arc::new(AtomicBool::new(false)));
        let worker = || {
            let (how, jobs, stop) = (how.clone(), jobs.clone(), stop.clone());
            std::thread::Builder::new().name("log-search".to_owned()).spawn(move || work(&how, &jobs, &stop))
        };
        // Without threads to be had the reader reads everything itself.
        let workers: Vec<_> = (0..how.threads).map_while(|_| worker().ok()).collect();
        (!workers.is_empty()).then_some(Self { ranges, jobs, stop, workers })
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.ranges.clear();
        for worker in self.workers.drain(..) {
            // A worker that panicked has told nothing more; its range was given up.
            let _ = worker.join();
        }
    }
}

fn weight(segment: &Segment) -> u64 {
    if segment.gz { segment.size_bytes * GZIP_FACTOR } else { segment.size_bytes }
}

/// Segments from this place on, in order, each with the offset to begin at.
fn behind(runs: &[Run], (run, identity, offset): (u32, (u64, u64), u64)) -> Vec<(u32, &Segment, u64)> {
    let all = runs.iter().flat_map(|r| r.segments.iter().map(move |s| (r.number, s)));
    let mut found = Vec::new();
    for (number, segment) in all.skip_while(|(n, s)| *n != run || s.identity != identity) {
        let first = found.is_empty();
        // A gzip file is inflated from its start by whoever reads it.
        if segment.key.is_some() && !(first && segment.gz) {
            found.push((number, segment, if first { offset } else { 0 }));
        } else if first {
            found.push((number, segment, u64::MAX));
        }
    }
    found.retain(|(_, _, lo)| *lo < u64::MAX);
    found
}

fn work(how: &How, jobs: &Mutex<VecDeque<Job>>, stop: &AtomicBool) {
    stand_back();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(job) = job.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
        // An error before the range began is met again, and told, by the reader itself.
        let _ = read(how, &job, stop);
    }
}

fn read(how: &How, job: &Job, stop: &AtomicBool) -> io::Result<()> {
    let mut cur = Cursor::open(&how.roots, job.run, &job.segment, how.cap)?;
    let mut asm = Assembler::new(how.choice.clone(), how.max_line);
    let begin = match job.lo {
        0 => Some(0),
        lo => cur.content.after_next_lf(lo - 1, job.hi)?.filter(|begin| *begin < job.hi),
    };
    if let Some(begin) = begin {
        approach(how, job, &mut cur, (&mut asm, begin))?;
    }
    let told = job.tell.send(Told::Begin(begin, asm.under_way()));
    if told.is_err() || begin.is_none() {
        return Ok(());
    }
    let mut batch = Batch::default();
    let mut before = Stats::default();
    let failed = loop {
        let stepped = cur.step(job.hi, &mut asm, &mut batch);
        if asm.orphan || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let full = batch.arena.len() >= BATCH_BYTES || batch.records.len() >= BATCH_RECORDS;
        let done = !matches!(stepped, Ok(true));
        if full || batch.scanned_bytes >= BATCH_SCAN || (done && !batch.is_empty()) {
            batch.resume = Some(cur.resume(&asm));
            batch.at_ns = asm.last_ns;
            let nothing = batch.is_empty();
            let told = Told::Batch(Box::new(std::mem::take(&mut batch)), asm.stats.minus(before));
            // Nobody has to wait for word that there is nothing.
            let sent =
                if nothing { job.tell.try_send(told) } else { job.tell.send(told).map_err(Into::into) };
            match sent {
                Ok(()) => before = asm.stats,
                Err(TrySendError::Full(Told::Batch(kept, _))) => batch = *kept,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Ok(()),
            }
        }
        match stepped {
            Ok(true) => {}
            Ok(false) => break None,
            Err(cause) => break Some(cause),
        }
    };
    let end = End { cur, stats: asm.stats.minus(before), left: asm.leave(), failed };
    // The reader may have gone.
    let _ = job.tell.send(Told::End(Box::new(end)));
    Ok(())
}

/// Reads up to the range's first line from a little before it, so that what is open there, and the time, are known.
fn approach(how: &How, job: &Job, cur: &mut Cursor, (asm, begin): (&mut Assembler, u64)) -> io::Result<()> {
    if begin == 0 {
        return Ok(());
    }
    let spot = Spot { segment: 0, offset: begin };
    let only = std::slice::from_ref(&job.segment);
    let reach = Reach { exact: [false, false], bound: LOOK_BACK };
    let mut from = seek::look_back(&how.roots, only, (spot, reach), Some(&mut cur.content))?
        .min(seek::timed_before(&how.roots, only, (spot, None))?);
    if let Some(mask) = &how.choice.mask {
        from = from.min(mask::behind(&how.roots, only, (spot, None), &**mask)?.unwrap_or(from));
    }
    asm.emit_after = begin;
    cur.seek(from.offset);
    let mut passed = Batch::default();
    while cur.step(begin, asm, &mut passed)? {}
    asm.stats = Stats::default();
    asm.orphan = false;
    Ok(())
}
