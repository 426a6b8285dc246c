//! Workers that inflate the gzip files of a log, newest first, before a reader that goes backwards comes to them.
//!
//! In:     segments, newest first. Out: each one's content, inflated whole.
//! Never:  holds more than one file a worker; waits for room that the reader itself, or another one, does not give back: what
//!         the reader comes to before is left to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::content::Content;
use crate::idle::stand_back;
use crate::layout::{Run, Segment};
use crate::roots::Roots;

/// Less than this is inflated sooner than workers begin; bytes as they lie on the disk.
const WORTHWHILE: u64 = if cfg!(test) { 1 } else { 1 << 20 };

#[derive(Debug)]
struct Job {
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
        for segment in segments {
            // Each worker holds what it inflated until it is taken.
            let (tell, told) = sync_channel(0);
            let wanted = Arc::new(AtomicBool::new(false));
            ahead.push_back(Ahead { identity: segment.identity, wanted: wanted.clone(), told });
            jobs.push_back(Job { segment, wanted, tell });
        }
        let (jobs, stop) = (Arc::new(Mutex::new(jobs)), Arc::new(AtomicBool::new(false)));
        let worker = || {
            let (roots, jobs, stop) = (roots.clone(), jobs.clone(), stop.clone());
            let name = "log-scout".to_owned();
            std::thread::Builder::new().name(name).spawn(move || work(&roots, &jobs, &stop))
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

fn work(roots: &Roots, jobs: &Mutex<VecDeque<Job>>, stop: &AtomicBool) {
    stand_back();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(job) = job.filter(|_| !stop.load(Ordering::Relaxed)) else { return };
        let leave = || stop.load(Ordering::Relaxed) || job.wanted.load(Ordering::Relaxed);
        // What cannot be opened is met again, and told, by the reader itself.
        let opened = Content::open(roots, &job.segment).ok();
        if let Some(content) = opened.and_then(|content| content.inflated(&leave)) {
            // The reader may have gone, or passed it.
            let _ = job.tell.send(content);
        }
    }
}
