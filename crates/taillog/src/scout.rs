//! Workers that inflate the gzip files of a log, newest first, before a reader that goes backwards comes to them.
//!
//! In:     segments, newest first. Out: each one's content, inflated whole.
//! Never:  holds more than one file a worker; takes room that a newer segment waits for; waits for room that the reader itself, or another one, does not give back: what
//!         the reader comes to before is left to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::content::Content;
use crate::idle::stand_back;
use crate::layout::{Run, Segment};
use crate::roots::Roots;

/// Less than this is inflated sooner than workers begin; bytes as they lie on the disk.
const WORTHWHILE: u64 = if cfg!(test) { 1 } else { 1 << 20 };
/// How long a turn is waited for at once.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug)]
struct Job {
    /// Its place in the reader's order.
    number: usize,
    segment: Segment,
    wanted: Arc<AtomicBool>,
    tell: SyncSender<Content>,
}

#[derive(Debug)]
struct Ahead {
    identity: (u64, u64),
    wanted: Arc<AtomicBool>,
    told: Receiver<Content>,
}

/// Segments that workers open ahead of their reader, in its order.
#[derive(Debug)]
pub(crate) struct Scouts {
    ahead: VecDeque<Ahead>,
    jobs: Arc<Mutex<VecDeque<Job>>>,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Scouts {
    /// Puts workers to the gzip files before a place (run and segment by index); `None` when that is not worthwhile.
    pub fn begin(
        roots: &Roots,
        threads: usize,
        runs: &[Run],
        (run, segment): (usize, usize),
    ) -> Option<Self> {
        let before = |r: usize| if r == run { segment } else { usize::MAX };
        let of = |(r, found): (usize, &Run)| {
            found.segments.iter().take(before(r)).filter(|s| s.gz).cloned().collect::<Vec<_>>()
        };
        let mut segments: Vec<Segment> = runs.iter().enumerate().take(run + 1).flat_map(of).collect();
        segments.reverse();
        if threads < 2
            || segments.len() < 2
            || segments.iter().map(|s| s.size_bytes).sum::<u64>() < WORTHWHILE
        {
            return None;
        }
        let (mut ahead, mut jobs) = (VecDeque::new(), VecDeque::new());
        for (number, segment) in segments.into_iter().enumerate() {
            // Each worker holds what it inflated until it is taken.
            let (tell, told) = sync_channel(0);
            let wanted = Arc::new(AtomicBool::new(false));
            ahead.push_back(Ahead { identity: segment.identity, wanted: wanted.clone(), told });
            jobs.push_back(Job { number, segment, wanted, tell });
        }
        let (jobs, stop) = (Arc::new(Mutex::new(jobs)), Arc::new(AtomicBool::new(false)));
        let turn = Arc::new(Turn::default());
        let worker = || {
            let (roots, jobs, stop, turn) = (roots.clone(), jobs.clone(), stop.clone(), turn.clone());
            let name = "log-scout".to_owned();
            std::thread::Builder::new().name(name).spawn(move || work(&roots, &jobs, (&stop, &turn)))
        };
        let workers: Vec<_> = (0..threads).map_while(|_| worker().ok()).collect();
        (!workers.is_empty()).then_some(Self { ahead, jobs, stop, workers })
    }

    /// The content of a segment, once it is inflated; `None` when it is to be opened anew.
    pub fn take(&mut self, segment: &Segment) -> Option<Content> {
        let at = self.ahead.iter().position(|a| a.identity == segment.identity)?;
        self.ahead.drain(..at);
        let ahead = self.ahead.pop_front()?;
        ahead.wanted.store(true, Ordering::Relaxed);
        ahead.told.recv().ok()
    }
}

impl Drop for Scouts {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.ahead.clear();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing more to give; its segment is opened anew.
            let _ = worker.join();
        }
    }
}

/// Who may take room: the first in the reader's order that has none. Where there is little room, what is read sooner has it.
#[derive(Debug, Default)]
struct Turn {
    next: Mutex<usize>,
    moved: Condvar,
}

impl Turn {
    /// Waits until all before it have room, or gave it up, or until `leave` says no more.
    fn wait(&self, number: usize, leave: &dyn Fn() -> bool) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while *next < number && !leave() {
            next = match self.moved.wait_timeout(next, LOOK_AGAIN) {
                Ok((next, _)) => next,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn pass(&self, number: usize) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(number + 1);
        self.moved.notify_all();
    }
}

fn work(roots: &Roots, jobs: &Mutex<VecDeque<Job>>, (stop, turn): (&AtomicBool, &Turn)) {
    stand_back();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(job) = job.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
        let leave = || stop.load(Ordering::Relaxed) || job.wanted.load(Ordering::Relaxed);
        // What cannot be opened is met again, and told, by the reader itself.
        let opened = Content::open(roots, &job.segment).ok();
        turn.wait(job.number, &leave);
        let inflated = opened.and_then(|content| content.inflated(&leave, &|| turn.pass(job.number)));
        turn.pass(job.number);
        if let Some(content) = inflated {
            // The reader may have gone, or passed it.
            let _ = job.tell.send(content);
        }
    }
}
