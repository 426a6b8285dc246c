//! The head: recent samples of all active series of one organisation, in memory.
//!
//! In:     batches of series with the time now for the future limit; log payloads at a restart.
//! Out:    selections and label look-ups in label order; cuts that become blocks.
//! Never:  reads a clock or a file. All methods take `&self`; reads go on beside appends.

mod cut;
mod image;
mod index;
mod lookup;
mod memory;
mod table;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ph_model::{Labels, Series};

use crate::Error;
use crate::wal::{self, DefTable};
use index::Index;
use memory::{Refusal, Units};

pub(crate) use memory::MemSeries;

pub use cut::{Cut, CutSeries};
pub use image::Loader;
pub use lookup::Pick;

/// Limits of a head. Times in ms.
#[derive(Clone, Copy, Debug)]
pub struct HeadConfig {
    /// How much older than its series' newest a sample may be.
    pub out_of_order_ms: i64,
    /// How far ahead of `now_ms` a sample may be.
    pub future_ms: i64,
    /// How label sets are hashed. Only tests set this, to make different sets collide.
    pub hash: fn(&Labels) -> u128,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self { out_of_order_ms: 3_600_000, future_ms: 600_000, hash: Labels::hash128 }
    }
}

/// Samples refused for one reason: `duplicate_timestamp`, `too_old`, `too_far_in_future` or `invalid_labels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub reason: &'static str,
    /// Refused samples.
    pub count: u64,
    /// The first refused sample, with its series and time.
    pub example: String,
}

/// What became of a batch. `accepted` counts samples, also exact repeats, which are stored once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutcome {
    pub accepted: u64,
    /// At most one entry a reason, in order of first occurrence.
    pub rejected: Vec<Rejection>,
    /// Kind or unit became known of a series that had samples already.
    pub described: bool,
}

/// Sizes of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadStats {
    pub series: u64,
    pub samples: u64,
    /// Bytes of sample chunks and label index, estimated.
    pub bytes: u64,
    /// The same by what they are for.
    pub parts: HeadBytes,
    /// First and last sample time; `None` without samples.
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
}

/// Bytes of a head in memory, estimated from sizes; an allocator rounds them up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadBytes {
    /// Samples, open and closed.
    pub samples: u64,
    /// What each series has beside its samples and labels.
    pub series: u64,
    /// Texts of names and values.
    pub texts: u64,
    /// Label sets, with what they lead to.
    pub sets: u64,
    /// The way from a label set to its series.
    pub hashes: u64,
    /// The way from a label to its series.
    pub postings: u64,
}

impl HeadBytes {
    pub fn total(&self) -> u64 {
        self.samples + self.series + self.texts + self.sets + self.hashes + self.postings
    }
}

/// Where a series is in its head.
#[derive(Clone, Debug)]
pub struct Place(Arc<MemSeries>);

impl Place {
    /// See [`Head::series_ref`].
    pub fn series_ref(&self) -> u64 {
        self.0.series_ref
    }
}

/// Recent samples of one organisation. See the module's description.
#[derive(Debug)]
pub struct Head {
    config: HeadConfig,
    index: RwLock<Index>,
    units: Units,
    next_ref: AtomicU64,
    /// Border of the newest cut that was not dropped; `i64::MIN` without one.
    cut_border_ms: AtomicI64,
}

impl Head {
    pub fn new(config: HeadConfig) -> Self {
        Self {
            config,
            index: RwLock::new(Index::default()),
            units: Units::default(),
            next_ref: AtomicU64::new(1),
            cut_border_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Adds samples. Each sample is accepted or refused on its own; a series' samples may come in any order.
    ///
    /// `now_ms` bounds the future only; a replay passes `i64::MAX`.
    pub fn append(&self, batch: &[Series], now_ms: i64) -> AppendOutcome {
        let mut run = Run::new(self, now_ms);
        let mut unknown = Vec::new();
        // The lock is held while samples go in, so that a series cannot leave the head in between.
        let index = self.read();
        for series in batch {
            if !valid_labels(&series.labels) {
                run.refuse_all(series);
                continue;
            }
            let hash = (self.config.hash)(&series.labels);
            let added = index.find(hash, &series.labels).is_some_and(|memory| run.add(series, memory));
            if !added {
                unknown.push((hash, series));
            }
        }
        drop(index);
        self.append_new(unknown, &mut run);
        run.outcome
    }

    /// As [`Head::append`], for series whose places in this head are known, one for each.
    pub fn append_at(&self, batch: &[Series], places: &[Place], now_ms: i64) -> AppendOutcome {
        let mut run = Run::new(self, now_ms);
        let mut unknown = Vec::new();
        for (series, place) in batch.iter().zip(places) {
            // A series that left the head meanwhile says so.
            if !run.add(series, &place.0) {
                unknown.push(((self.config.hash)(&series.labels), series));
            }
        }
        self.append_new(unknown, &mut run);
        run.outcome
    }

    fn append_new(&self, unknown: Vec<(u128, &Series)>, run: &mut Run<'_>) {
        if unknown.is_empty() {
            return;
        }
        let mut index = self.write();
        for (hash, series) in unknown {
            if run.has_acceptable(series) {
                let memory = self.create(&mut index, hash, &series.labels);
                run.add(series, &memory);
            } else {
                run.refuse_future(series);
            }
        }
    }

    /// Adds the samples of one log payload that are not older than `from_ms`, as [`Head::append`] did at `now_ms`.
    ///
    /// `from_ms` is the border of the last published cut for payloads logged before that cut, else `i64::MIN`.
    /// The table belongs to this head and one segment. Gives the outcome and the time of the newest sample.
    /// Errors: [`crate::Error::Record`]; rows before the damage are in the head then.
    pub fn replay(
        &self,
        payload: &[u8],
        table: &mut DefTable,
        (from_ms, now_ms): (i64, i64),
    ) -> Result<(AppendOutcome, i64), Error> {
        let mut run = Run::new(self, now_ms);
        let mut newest_ms = i64::MIN;
        wal::visit(payload, table, &mut |def| {
            newest_ms = def.series.samples.iter().fold(newest_ms, |n, s| n.max(s.at_ms));
            def.series.samples.retain(|s| s.at_ms >= from_ms);
            if !run.has_acceptable(&def.series) {
                return run.refuse_future(&def.series);
            }
            while !def.memory.as_ref().is_some_and(|memory| run.add(&def.series, memory)) {
                if !valid_labels(&def.series.labels) {
                    return run.refuse_all(&def.series);
                }
                let hash = (self.config.hash)(&def.series.labels);
                def.memory = Some(self.create(&mut self.write(), hash, &def.series.labels));
            }
        })?;
        Ok((run.outcome, newest_ms))
    }

    /// The number of a series, which it keeps while it is in the head; the series enters the head if it is new.
    ///
    /// Numbers are never used twice by one head. `None` for labels that `append` refuses.
    pub fn series_ref(&self, labels: &Labels) -> Option<u64> {
        self.place(labels).map(|place| place.series_ref())
    }

    /// The place of a series, so that it is looked up once; the series enters the head if it is new. `None` as above.
    pub fn place(&self, labels: &Labels) -> Option<Place> {
        if !valid_labels(labels) {
            return None;
        }
        let hash = (self.config.hash)(labels);
        if let Some(memory) = self.read().find(hash, labels) {
            return Some(Place(memory.clone()));
        }
        let mut index = self.write();
        Some(Place(self.create(&mut index, hash, labels)))
    }

    /// Whether a series is in the head.
    pub fn knows(&self, labels: &Labels) -> bool {
        self.read().find((self.config.hash)(labels), labels).is_some()
    }

    /// Sizes; walks over all series.
    pub fn stats(&self) -> HeadStats {
        let index = self.read();
        let sizes = index.size_bytes();
        let mut parts = HeadBytes {
            texts: sizes.texts as u64,
            sets: sizes.slots as u64,
            hashes: sizes.hashes as u64,
            postings: sizes.holders as u64,
            ..HeadBytes::default()
        };
        let mut stats = HeadStats { series: index.len() as u64, ..HeadStats::default() };
        for memory in index.all_series() {
            let state = memory.state();
            stats.samples += state.count();
            let (samples, own) = state.size_bytes();
            parts.samples += samples;
            parts.series += own;
            if let Some((first, last)) = state.bounds() {
                stats.first_ms = Some(stats.first_ms.map_or(first, |f| f.min(first)));
                stats.last_ms = Some(stats.last_ms.map_or(last, |l| l.max(last)));
            }
        }
        HeadStats { bytes: parts.total(), parts, ..stats }
    }

    /// How many series are in the head.
    pub fn series_count(&self) -> usize {
        self.read().len()
    }

    fn create(&self, index: &mut Index, hash: u128, labels: &Labels) -> Arc<MemSeries> {
        if let Some(memory) = index.find(hash, labels) {
            return memory.clone();
        }
        let memory = Arc::new(MemSeries::new(self.next_ref.fetch_add(1, Ordering::Relaxed)));
        index.insert(hash, labels, memory.clone());
        memory
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn valid_labels(labels: &Labels) -> bool {
    !labels.is_empty() && labels.iter().all(|(name, _)| !name.is_empty())
}

/// One append under way.
struct Run<'a> {
    outcome: AppendOutcome,
    limit_ms: i64,
    window_ms: i64,
    units: &'a Units,
}

impl<'a> Run<'a> {
    fn new(head: &'a Head, now_ms: i64) -> Self {
        let HeadConfig { out_of_order_ms, future_ms, .. } = head.config;
        Self {
            outcome: AppendOutcome::default(),
            limit_ms: now_ms.saturating_add(future_ms),
            window_ms: out_of_order_ms,
            units: &head.units,
        }
    }

    /// Adds a batch's samples of one series; `false`, and nothing done, when the series left the head.
    fn add(&mut self, series: &Series, memory: &MemSeries) -> bool {
        let mut state = memory.state();
        if state.gone {
            return false;
        }
        self.outcome.described |= state.describe(series, self.units);
        for sample in &series.samples {
            let result = if sample.at_ms > self.limit_ms {
                Err(Refusal::TooFarInFuture)
            } else {
                state.append(*sample, self.window_ms, series.start_ms)
            };
            match result {
                Ok(()) => self.outcome.accepted += 1,
                Err(refusal) => self.refuse(refusal.reason(), series, sample.at_ms),
            }
        }
        true
    }

    fn has_acceptable(&self, series: &Series) -> bool {
        series.samples.iter().any(|s| s.at_ms <= self.limit_ms)
    }

    fn refuse_future(&mut self, series: &Series) {
        for sample in &series.samples {
            self.refuse(Refusal::TooFarInFuture.reason(), series, sample.at_ms);
        }
    }

    fn refuse_all(&mut self, series: &Series) {
        for sample in &series.samples {
            self.refuse("invalid_labels", series, sample.at_ms);
        }
    }

    fn refuse(&mut self, reason: &'static str, series: &Series, at_ms: i64) {
        match self.outcome.rejected.iter_mut().find(|r| r.reason == reason) {
            Some(known) => known.count += 1,
            None => self.outcome.rejected.push(Rejection {
                reason,
                count: 1,
                example: format!("{} at {at_ms} ms", series.labels),
            }),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
