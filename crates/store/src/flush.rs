//! The flusher: a named thread that turns sealed generations and cuts into parts, publishes them, and removes what is
//! older than its retention.
//!
//! Order of a publication: files in `tmp`, synced, moved, directory synced; one catalogue transaction; one swap of the
//! snapshot; then the log may forget. A failed attempt leaves rows in memory and log, and is repeated.

mod cap;
mod image;
pub(crate) mod keep;
mod publish;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ph_model::OrgId;
use ph_tsdb::{Cut, Head};
use tokio::sync::oneshot;

use crate::catalogue::Catalogue;
use crate::config::Durability;
use crate::contract::Error;
use crate::memtable::Generation;
use crate::refusing::Obstacle;
use crate::shard::{Lane, Order, ShardHandle, Shared, Which};

/// How often the flusher looks around.
const TICK: Duration = Duration::from_millis(250);
/// The cap on the disk is looked at every so many ticks.
const CAP_TICKS: u64 = 40;
/// Samples may arrive this long after a block's border before the block is written.
const GRACE_MS: i64 = 300_000;
/// Small generations wait this many times the flush age, so that slow tables do not end in thousands of tiny parts …
const SMALL_WAITS: i64 = 12;
/// … unless a shard's log has more segments than this.
const LONG_SEGMENTS: u64 = 4;
/// Images of heads that are written early, to shorten the log, are at least this far apart.
const EARLY_MS: i64 = 60_000;

pub(crate) enum FlushOrder {
    /// Seals and publishes everything.
    Flush(oneshot::Sender<Result<(), Error>>),
    /// Writes images of all heads, so that the metrics log is short.
    Image(oneshot::Sender<Result<(), Error>>),
    /// Removes what is older than its retention, now.
    Retain(oneshot::Sender<Result<(), Error>>),
    Stop,
}

/// What the flusher measures for everyone.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Set while the disk has less free space than its floor.
    pub disk_low: AtomicBool,
    pub free_bytes: AtomicU64,
    /// Bytes of rows in memory.
    pub memory_bytes: AtomicU64,
}

/// One shard's cuts that wait for their blocks.
struct Waiting {
    shard: usize,
    cuts: Vec<(OrgId, Arc<Head>, Cut)>,
    lsn: u64,
    border_ms: i64,
}

pub(crate) struct Flusher {
    pub shared: Arc<Shared>,
    pub gauges: Arc<Gauges>,
    pub shards: Vec<ShardHandle>,
    pub catalogue: Catalogue,
    pub runtime: tokio::runtime::Handle,
    pub orders: Receiver<FlushOrder>,
    /// Parts that were set aside since the start.
    aside: std::collections::HashSet<uuid::Uuid>,
    state: State,
}

struct State {
    generations: Vec<Arc<Generation>>,
    cuts: Vec<Waiting>,
    /// By shard.
    images: Vec<image::LastImage>,
    /// Border of the last cut of each metrics shard, ms UTC.
    borders: Vec<i64>,
    /// Time of the newest sample when a shard was last cut by the time of its samples.
    filled: Vec<i64>,
    retained_day: i64,
    last_sync_ms: i64,
    ticks: u64,
}

/// What a flusher works with.
pub(crate) struct Tools {
    pub shared: Arc<Shared>,
    pub gauges: Arc<Gauges>,
    pub shards: Vec<ShardHandle>,
    pub catalogue: Catalogue,
    pub runtime: tokio::runtime::Handle,
}

impl Flusher {
    pub fn new(tools: Tools, orders: Receiver<FlushOrder>) -> Self {
        let Tools { shared, gauges, shards, catalogue, runtime } = tools;
        let now_ms = (shared.clock)();
        let start = border(&shared, now_ms);
        let begun = image::LastImage { at_ms: now_ms, ..image::LastImage::default() };
        let state = State {
            generations: Vec::new(),
            cuts: Vec::new(),
            images: vec![begun; shards.len()],
            borders: vec![start; shards.len()],
            filled: vec![i64::MIN; shards.len()],
            retained_day: i64::MIN,
            last_sync_ms: 0,
            ticks: 0,
        };
        Self {
            shared,
            gauges,
            shards,
            catalogue,
            runtime,
            orders,
            aside: std::collections::HashSet::new(),
            state,
        }
    }

    /// Runs until it is stopped or its store is gone.
    pub fn run(mut self) {
        loop {
            match self.orders.recv_timeout(TICK) {
                Ok(FlushOrder::Flush(reply)) => {
                    let done = self.flush_all();
                    let _ = reply.send(done);
                }
                Ok(FlushOrder::Image(reply)) => {
                    let done = self.write_waiting().and_then(|()| self.write_images());
                    let _ = reply.send(done);
                }
                Ok(FlushOrder::Retain(reply)) => {
                    self.set_aside();
                    let done = self.retain().and_then(|()| self.cap_disk());
                    let _ = reply.send(done);
                }
                Err(RecvTimeoutError::Timeout) => self.tick(),
                Ok(FlushOrder::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tick(&mut self) {
        let now_ms = (self.shared.clock)();
        self.state.ticks += 1;
        self.measure();
        self.sync_late(now_ms);
        let config = &self.shared.config;
        let age_ms = config.flush_age.as_millis() as i64;
        let full = config.flush_bytes;
        self.seal(Which::AtLeast(full));
        if self.state.ticks.is_multiple_of(4) {
            self.seal(self.aged(now_ms, age_ms));
            if !self.log_is_long() {
                self.seal(Which::OlderThan(now_ms.saturating_sub(age_ms.saturating_mul(SMALL_WAITS))));
            }
            self.set_aside();
        }
        if self.gauges.memory_bytes.load(Ordering::Relaxed) > self.shared.config.memory_bytes / 2 {
            self.seal(Which::Largest);
        }
        self.cut_due(now_ms);
        // A failure is remembered where it happened and tried again at the next tick.
        let _ = self.write_waiting();
        self.images_due(now_ms);
        if self.state.ticks.is_multiple_of(CAP_TICKS)
            && let Err(error) = self.cap_disk()
        {
            self.shared.meter.failed(error.text);
        }
        let day = now_ms.div_euclid(86_400_000);
        if day != self.state.retained_day && self.retain().is_ok() {
            self.state.retained_day = day;
        }
    }

    /// Everything that is old enough; while the log is short, only what makes a good part.
    fn aged(&self, now_ms: i64, age_ms: i64) -> Which {
        let border = now_ms.saturating_sub(age_ms);
        if self.log_is_long() { Which::OlderThan(border) } else { Which::WorthwhileOlderThan(border) }
    }

    /// Whether unpublished rows keep many segments of the log on disk.
    fn log_is_long(&self) -> bool {
        let rows = self.shards.iter().filter(|s| s.lane == Lane::Rows);
        let longest = rows.map(|s| s.log_bytes.load(Ordering::Relaxed)).max().unwrap_or(0);
        longest > LONG_SEGMENTS * self.shared.config.segment_bytes
    }

    /// Seals generations and takes them over.
    fn seal(&mut self, which: Which) {
        for shard in self.shards.iter().filter(|s| s.lane == Lane::Rows) {
            let (reply, answer) = oneshot::channel();
            if shard.orders.blocking_send(Order::Seal(which, reply)).is_ok()
                && let Ok(sealed) = answer.blocking_recv()
            {
                self.state.generations.extend(sealed);
            }
        }
    }

    /// From where on the time of samples is followed.
    fn set_filled(&mut self, at: usize, newest_ms: i64) {
        if let Some(since) = self.state.filled.get_mut(at) {
            *since = newest_ms;
        }
    }

    fn cut_due(&mut self, now_ms: i64) {
        for at in 0..self.shards.len() {
            let Some(shard) = self.shards.get(at).filter(|s| s.lane == Lane::Metrics) else { continue };
            let last = self.state.borders.get(at).copied().unwrap_or(i64::MIN);
            let regular = border(&self.shared, now_ms - GRACE_MS);
            // Samples of the past that come quickly, as when a queue is emptied, do not wait for the clock.
            let newest_ms = shard.newest_ms.load(Ordering::Relaxed);
            let filled = newest_ms.min(now_ms).saturating_sub(GRACE_MS);
            let since = self.state.filled.get(at).copied().unwrap_or(i64::MIN);
            if regular > last {
                self.cut(at, regular);
                self.set_filled(at, newest_ms);
            } else if since == i64::MIN || newest_ms < since {
                self.set_filled(at, newest_ms);
            } else if border(&self.shared, filled) > border(&self.shared, since) {
                self.cut(at, border(&self.shared, filled));
                if let Some(last) = self.state.borders.get_mut(at) {
                    *last = (*last).max(regular);
                }
                self.set_filled(at, newest_ms);
            }
        }
    }

    /// Cuts the heads of a shard, unless an earlier cut still waits for its blocks.
    fn cut(&mut self, at: usize, border_ms: i64) {
        let Some(shard) = self.shards.get(at) else { return };
        if self.state.cuts.iter().any(|w| w.shard == shard.number) {
            return;
        }
        let (reply, answer) = oneshot::channel();
        if shard.orders.blocking_send(Order::Cut(border_ms, reply)).is_err() {
            return;
        }
        let Ok((cuts, lsn)) = answer.blocking_recv() else { return };
        if let Some(last) = self.state.borders.get_mut(at) {
            *last = border_ms;
        }
        self.state.cuts.push(Waiting { shard: shard.number, cuts, lsn, border_ms });
    }

    fn flush_all(&mut self) -> Result<(), Error> {
        self.seal(Which::All);
        // A cut that waits would keep the next one from being made.
        self.write_waiting()?;
        for at in 0..self.shards.len() {
            if self.shards.get(at).is_some_and(|s| s.lane == Lane::Metrics) {
                self.cut(at, i64::MAX);
                if let Some(last) = self.state.borders.get_mut(at) {
                    *last = border(&self.shared, (self.shared.clock)());
                }
            }
        }
        self.write_waiting()?;
        self.measure();
        Ok(())
    }

    fn sync_late(&mut self, now_ms: i64) {
        let Durability::Interval(every) = self.shared.config.durability else { return };
        if now_ms - self.state.last_sync_ms >= every.as_millis() as i64 {
            self.state.last_sync_ms = now_ms;
            for shard in &self.shards {
                // A shard that is gone has synced at its end.
                let _ = shard.orders.blocking_send(Order::Sync);
            }
        }
    }

    /// Free disk space and rows in memory.
    pub(crate) fn measure(&self) {
        measure(&self.shared, &self.gauges);
    }
}

/// Looks at the disk and at memory; the store does it once before it takes its first batch.
pub(crate) fn measure(shared: &Shared, gauges: &Gauges) {
    match shared.fs.space(&shared.config.dir) {
        Ok(space) => {
            let low = space.free < shared.config.disk.bytes(space.total);
            gauges.free_bytes.store(space.free, Ordering::Relaxed);
            gauges.disk_low.store(low, Ordering::Relaxed);
            if low {
                let floor = shared.config.disk.bytes(space.total);
                let why = format!("{} bytes free, at least {floor} are needed", space.free);
                let next_step = "free space on that disk, or shorten the retention; intake goes on by itself";
                meets(shared, ("disk", &why, next_step), space.free);
                shared.meter.trouble("disk", why);
            } else {
                shared.meter.refusing.passes("disk", &shared.config.dir, space.free);
                shared.meter.cleared("disk");
            }
        }
        Err(e) => shared.meter.failed(format!("ask for free disk space: {e}")),
    }
    let snapshot = shared.snapshots.load();
    let rows: u64 = snapshot.tables.values().flat_map(|t| &t.generations).map(|g| g.bytes()).sum();
    gauges.memory_bytes.store(rows, Ordering::Relaxed);
    let (most, free) = (shared.config.memory_bytes, gauges.free_bytes.load(Ordering::Relaxed));
    if rows > most {
        let why = format!("{rows} bytes of rows wait for the disk, more than {most}");
        meets(shared, ("memory", &why, "see why they are not flushed in the store's health"), free);
    } else {
        shared.meter.refusing.passes("memory", &shared.config.dir, free);
    }
}

fn meets(shared: &Shared, (part, why, next_step): (&str, &str, &str), free_bytes: u64) {
    let path = &shared.config.dir;
    shared.meter.refusing.meets(&Obstacle { part, path, free_bytes, why, next_step });
}

/// The latest block border at or before a moment.
fn border(shared: &Shared, now_ms: i64) -> i64 {
    let span = (shared.config.block_span.as_millis() as i64).max(1);
    now_ms.div_euclid(span) * span
}
