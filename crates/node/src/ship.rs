//! Ships container logs: every log of this machine, each line once.
//!
//! In:     files, through `taillog`; the files are the queue, so an outage costs no memory and no disk.
//! Out:    batches of at most about 1 MiB or 1 s, one at a time, in the order of their numbers.
//! Never:  sends a batch before it is durable in the journal; moves a checkpoint before the server has the lines;
//!         passes over missing bytes in silence: they become records `log.gap` and are counted.

mod choose;
mod deliver;
mod encode;
mod gather;
mod journal;
mod lane;
mod wire;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ph_model::Signal;
use ph_taillog::{Follower, Roots, SourceId, State, WatchId, discover};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::collect::Feed;
use crate::config::StartAt;
use crate::error::{Error, Result};
use crate::own::Outcome;
use crate::queue::{Limits, Queue, Stored};
use crate::rights::log_thread;
use crate::sender::{PARTS, Poster};
use crate::time::now_ms;
use choose::Verdict;
use deliver::Deliverer;
use journal::Journal;
use lane::{Begin, Lane};

/// Message bytes of a batch.
const BATCH_BYTES: usize = 1 << 20;
/// Message bytes taken from one log before the next has its turn.
const TURN_BYTES: usize = 128 << 10;
/// A batch waits this long for more lines.
const BATCH_AGE: Duration = Duration::from_secs(1);
/// How often new logs are looked for.
const SCAN_EVERY: Duration = Duration::from_secs(2);
/// The same while nothing said that there may be any: no pod changed and none came or went.
const SCAN_QUIET: Duration = Duration::from_secs(20);
/// How long a log waits for its pod to become known.
const KNOWN_PATIENCE: Duration = Duration::from_secs(5);
/// A wait for changes is looked up from at least this often.
const GLANCE: Duration = Duration::from_millis(250);
/// After a change a little is waited, so that lines that come together are read together.
const GATHER: Duration = Duration::from_millis(50);
/// How long a full or failing disk is left alone.
const DISK_PAUSE: Duration = Duration::from_secs(5);
/// Wait for the list of pods before the first log is opened.
const SYNC_PATIENCE: Duration = Duration::from_secs(10);

const SOURCE: &str = "logs";

/// Starts the shipping thread; `tasks` waits for its end.
///
/// Errors: the state directory cannot be used, or no thread can be started.
pub fn start(feed: &Feed, poster: Poster, (tasks, stop): (&TaskTracker, &CancellationToken)) -> Result<()> {
    let dir = feed.config.state.join("queue/logs");
    let journal = Journal::open(&dir)?;
    let numbers = Queue::open(&dir.join("numbers"), Limits::default())?;
    let shipper = Shipper {
        deliverer: Deliverer::new(poster, feed, numbers.source()),
        numbers: Mutex::new(numbers),
        journal,
        roots: Roots::new(&feed.config.logs.pods, &feed.config.logs.docker),
        watcher: feed
            .watching
            .follower()
            .map_err(|error| tracing::warn!(%error, "shipping without notices"))
            .ok(),
        lanes: HashMap::new(),
        unknown: HashMap::new(),
        chunks: Vec::new(),
        bytes: 0,
        since: None,
        scanned: None,
        root_watch: None,
        pods_seen: 0,
        stirred: false,
        encoder: encode::Encoder::default(),
        compressor: zstd::bulk::Compressor::new(1)
            .map_err(|e| Error::Logs(format!("prepare compression: {e}")))?,
        packed: Vec::new(),
        runtime: tokio::runtime::Handle::current(),
        stop: stop.clone(),
        feed: feed.clone(),
    };
    let (ended, over) = oneshot::channel::<()>();
    log_thread("log-ship", move || {
        shipper.run();
        drop(ended);
    })
    .map_err(|e| Error::Logs(format!("start a thread: {e}")))?;
    tasks.spawn(async move {
        // The sender's end is dropped when the thread ends.
        let _ = over.await;
    });
    Ok(())
}

/// Lines of one log, read and not shipped yet.
struct Chunk {
    source: SourceId,
    from: Option<ph_model::Position>,
    batch: ph_taillog::Batch,
}

struct Shipper {
    feed: Feed,
    deliverer: Deliverer,
    numbers: Mutex<Queue>,
    journal: Journal,
    roots: Roots,
    watcher: Option<Follower>,
    lanes: HashMap<SourceId, Lane>,
    /// Logs whose pod is not known yet, and since when.
    unknown: HashMap<SourceId, Instant>,
    chunks: Vec<Chunk>,
    bytes: usize,
    /// When the first of the chunks was read.
    since: Option<Instant>,
    scanned: Option<Instant>,
    /// Of the directory that holds the pods' logs.
    root_watch: Option<WatchId>,
    /// How many changes of pods there were at the last scan.
    pods_seen: u64,
    /// A pod's directory came or went since the last scan.
    stirred: bool,
    encoder: encode::Encoder,
    compressor: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    runtime: tokio::runtime::Handle,
    stop: CancellationToken,
}

impl Shipper {
    fn run(mut self) {
        self.wait_for_pods();
        if let Some(pending) = self.journal.pending().cloned()
            && !self.deliver(pending)
        {
            return;
        }
        while !self.stop.is_cancelled() {
            if self.scan_is_due() {
                self.scan();
            }
            let moved = self.read();
            let due = self.bytes >= BATCH_BYTES || self.since.is_some_and(|at| at.elapsed() >= BATCH_AGE);
            if due {
                match self.ship() {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => self.pause(&error),
                }
            } else if !moved {
                self.wait();
            }
        }
    }

    fn wait_for_pods(&self) {
        if self.feed.config.mode != crate::config::Mode::Kubernetes {
            return;
        }
        let (mut synced, stop) = (self.feed.pods.synced(), self.stop.clone());
        self.runtime.block_on(async move {
            tokio::select! {
                _ = synced.wait_for(|done| *done) => {}
                () = tokio::time::sleep(SYNC_PATIENCE) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Pods say when their containers start, the watch says when their directories come and go. Elsewhere than in a cluster,
    /// and where there is no watch, looking is all there is.
    fn scan_is_due(&self) -> bool {
        let quiet = self.feed.config.mode == crate::config::Mode::Kubernetes
            && self.root_watch.is_some()
            && !self.stirred
            && self.unknown.values().all(|since| since.elapsed() >= KNOWN_PATIENCE + SCAN_EVERY)
            && self.pods_seen == self.feed.pods.changes();
        let every = if quiet { SCAN_QUIET } else { SCAN_EVERY };
        self.scanned.is_none_or(|at| at.elapsed() >= every)
    }

    /// Looks for logs that came or went, and for news about their pods.
    fn scan(&mut self) {
        let first = self.scanned.is_none() && self.journal.fresh;
        self.scanned = Some(Instant::now());
        (self.pods_seen, self.stirred) = (self.feed.pods.changes(), false);
        if self.root_watch.is_none() {
            let root = &self.feed.config.logs.pods;
            self.root_watch = self.watcher.as_ref().and_then(|watcher| watcher.watch(root).ok());
        }
        let (sources, warnings) = match discover(&self.roots) {
            Ok(found) => found,
            Err(error) => {
                let text = Error::Logs(error.to_string()).chain();
                return self.feed.own.failed(
                    SOURCE,
                    &text,
                    "let the agent read the log directories (CAP_DAC_READ_SEARCH)",
                );
            }
        };
        let mut problems: Vec<crate::group::Problem> = warnings
            .into_iter()
            .map(|w| crate::group::Problem {
                part: w.path.display().to_string(),
                reason: w.text,
                fix: String::new(),
            })
            .collect();
        let mut starts = Vec::new();
        for source in &sources {
            if let Err(error) = self.consider(source, first, &mut starts) {
                problems.push(crate::group::Problem {
                    part: format!("{source:?}"),
                    reason: error.chain(),
                    fix: String::new(),
                });
            }
        }
        if let Err(error) = self.journal.start(starts) {
            return self.pause(&error);
        }
        let living: HashSet<&SourceId> = sources.iter().collect();
        self.unknown.retain(|source, _| living.contains(source));
        self.retire(&living);
        self.feed.own.well(SOURCE, &problems, now_ms());
        self.feed.own.lag(self.lanes.values().map(Lane::lag_bytes).sum());
    }

    /// Opens, renews or closes the lane of one log.
    fn consider(
        &mut self,
        source: &SourceId,
        first: bool,
        starts: &mut Vec<(SourceId, Option<ph_model::Position>)>,
    ) -> Result<()> {
        let resource = match choose::judge(&self.feed, source) {
            Verdict::Ship(resource) => {
                self.unknown.remove(source);
                resource
            }
            Verdict::Leave => {
                self.close(source);
                return Ok(());
            }
            Verdict::Unknown(resource) => {
                let since = *self.unknown.entry(source.clone()).or_insert_with(Instant::now);
                if since.elapsed() < KNOWN_PATIENCE && !self.lanes.contains_key(source) {
                    return Ok(());
                }
                resource
            }
        };
        if let Some(lane) = self.lanes.get_mut(source) {
            lane.renew(resource);
            return Ok(());
        }
        let begin = match self.journal.checkpoint(source) {
            Some(Some(position)) => Begin::After(position),
            Some(None) => Begin::Oldest,
            None if first && self.feed.config.logs.start_at == StartAt::End => Begin::End,
            None => Begin::Oldest,
        };
        let opened =
            Lane::open(&self.roots, source, (begin, self.feed.config.logs.max_line), self.watcher.as_ref());
        let mut lane = opened.map_err(|e| Error::Logs(e.to_string()))?;
        lane.renew(resource);
        if self.journal.checkpoint(source).is_none() {
            starts.push((source.clone(), lane.position));
        }
        self.lanes.insert(source.clone(), lane);
        Ok(())
    }

    fn close(&mut self, source: &SourceId) {
        if let Some(lane) = self.lanes.remove(source) {
            lane.close(self.watcher.as_ref());
        }
    }

    /// Forgets logs that are gone once their last lines are shipped.
    fn retire(&mut self, living: &HashSet<&SourceId>) {
        let waiting: HashSet<&SourceId> = self.chunks.iter().map(|c| &c.source).collect();
        let done = |source: &SourceId| !living.contains(source) && !waiting.contains(source);
        let mut gone: Vec<SourceId> = self
            .lanes
            .iter()
            .filter(|(s, lane)| lane.state == State::Ended && done(s))
            .map(|(s, _)| s.clone())
            .collect();
        gone.extend(self.journal.sources().filter(|s| done(s) && !self.lanes.contains_key(s)).cloned());
        for source in &gone {
            self.close(source);
        }
        if let Err(error) = self.journal.forget(gone) {
            self.pause(&error);
        }
    }

    /// One turn of every log that has something. Says whether any had.
    fn read(&mut self) -> bool {
        let mut moved = false;
        let sources: Vec<SourceId> =
            self.lanes.iter().filter(|(_, lane)| lane.state == State::More).map(|(s, _)| s.clone()).collect();
        for source in sources {
            if self.bytes >= BATCH_BYTES {
                return true;
            }
            let Some(lane) = self.lanes.get_mut(&source) else { continue };
            let from = lane.position;
            let Some(batch) = lane.next(TURN_BYTES) else { continue };
            moved = true;
            if batch.records.is_empty() && batch.gaps().next().is_none() {
                continue;
            }
            self.feed.own.count(Signal::Logs, Outcome::Accepted, "", batch.records.len() as u64);
            let lost: u64 = batch.gaps().map(|g| g.lines.unwrap_or(1)).sum();
            self.feed.own.count(Signal::Logs, Outcome::Dropped, "gap", lost);
            self.bytes += batch.message_bytes() + batch.records.len() * 64;
            self.since.get_or_insert_with(Instant::now);
            self.chunks.push(Chunk { source, from, batch });
        }
        moved
    }

    /// Makes the chunks a batch, durable in the journal, and delivers it. False when stopped before the answer.
    fn ship(&mut self) -> Result<bool> {
        let (seq, at_ms) = (self.number()?, now_ms());
        let gathered = gather::encode((&self.roots, &self.lanes), (&self.chunks, at_ms), &mut self.encoder);
        let items = u32::try_from(gathered.records).unwrap_or(u32::MAX);
        let batch = Stored { seq, at_ms, items, body: self.pack()? };
        self.journal.sending(batch.clone(), gathered.ends)?;
        // From here on the journal holds these lines.
        self.chunks = Vec::new();
        (self.bytes, self.since) = (0, None);
        Ok(self.deliver(batch))
    }

    fn number(&self) -> Result<u64> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.allocate().map(|n| n.saturating_mul(PARTS))
    }

    /// What the encoder holds, compressed. It has its exact size; the buffer is there once and for all batches.
    fn pack(&mut self) -> Result<bytes::Bytes> {
        let body = self.encoder.finish();
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(body.len()));
        self.compressor
            .compress_to_buffer(body, &mut self.packed)
            .map_err(|e| Error::Logs(format!("compress a batch: {e}")))?;
        Ok(bytes::Bytes::copy_from_slice(&self.packed))
    }

    /// Sends a batch that the journal holds until it is settled. False when stopped before.
    fn deliver(&mut self, batch: Stored) -> bool {
        let Stored { seq, items, body, .. } = batch;
        let (runtime, stop) = (self.runtime.clone(), self.stop.clone());
        if !runtime.block_on(self.deliverer.deliver(seq, body, (items.into(), &stop))) {
            return false;
        }
        while let Err(error) = self.journal.acked(seq) {
            self.pause(&error);
            if self.stop.is_cancelled() {
                return false;
            }
        }
        true
    }

    /// The disk refuses: reading rests, positions stay.
    fn pause(&self, error: &Error) {
        self.feed.own.failed(
            SOURCE,
            &error.chain(),
            "free space on the disk of the state directory; logs wait in their files",
        );
        let stop = self.stop.clone();
        self.runtime.block_on(async move {
            tokio::select! {
                () = tokio::time::sleep(DISK_PAUSE) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Waits for a log to change, for a batch to come of age, or for a lane's own wish to look again.
    fn wait(&mut self) {
        let due = self.since.map(|at| BATCH_AGE.saturating_sub(at.elapsed()));
        let patience = GLANCE.min(due.unwrap_or(GLANCE));
        let change = match &self.watcher {
            Some(watcher) => watcher.wait(patience).unwrap_or_else(|error| {
                tracing::warn!(%error, "notices of log changes failed; looking at all logs");
                ph_taillog::Change { overflow: true, ..Default::default() }
            }),
            None => {
                std::thread::sleep(patience);
                ph_taillog::Change { overflow: true, ..Default::default() }
            }
        };
        self.stirred |= change.overflow || self.root_watch.is_some_and(|root| change.touches(root));
        if !change.changed.is_empty() {
            std::thread::sleep(GATHER.min(patience));
        }
        for lane in self.lanes.values_mut() {
            lane.wake(&change, self.watcher.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
