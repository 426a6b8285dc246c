//! One series in memory: an open chunk, closed chunks, late samples, and what a cut holds for a block.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ph_model::{RangeMs, Sample, Series, SeriesKind};

use crate::Error;
use crate::chunk::{Chunk, OpenChunk, seal_all};
use crate::merge::merge_samples;
use crate::series::StartRun;

/// Late samples that are kept plain before they become a chunk.
const LATE_BUFFER: usize = 32;

#[derive(Debug)]
pub(crate) struct MemSeries {
    pub(super) series_ref: u64,
    state: Mutex<State>,
}

/// Why a sample was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    DuplicateTimestamp,
    TooOld,
    TooFarInFuture,
}

impl Refusal {
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::DuplicateTimestamp => "duplicate_timestamp",
            Refusal::TooOld => "too_old",
            Refusal::TooFarInFuture => "too_far_in_future",
        }
    }
}

/// Samples of one series. In time order: `cut`, then `full`, then `open`; `late` lies anywhere before the newest.
#[derive(Debug, Default)]
pub(super) struct State {
    pub kind: SeriesKind,
    pub unit: Option<Arc<str>>,
    pub starts: Vec<StartRun>,
    pub(super) newest: Option<Sample>,
    pub(super) open: Option<OpenChunk>,
    pub(super) full: Vec<Chunk>,
    pub(super) late: Option<Box<Late>>,
    pub(super) cut: Option<Arc<[Chunk]>>,
    /// The series left the head; whoever still holds it must look it up anew.
    pub gone: bool,
}

#[derive(Debug, Default)]
pub(super) struct Late {
    /// Ascending.
    pub buffer: Vec<Sample>,
    /// Each ascending; they may overlap but share no time. Always in memory.
    pub chunks: Vec<Chunk>,
}

impl MemSeries {
    pub(super) fn new(series_ref: u64) -> Self {
        Self::with(series_ref, State::default())
    }

    pub(super) fn with(series_ref: u64, state: State) -> Self {
        Self { series_ref, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes kind and unit from a batch where they are not known yet; whether samples were there that had none.
    pub fn describe(&mut self, series: &Series) -> bool {
        let kind = self.kind == SeriesKind::Unknown && series.kind != SeriesKind::Unknown;
        let unit = self.unit.is_none() && !series.unit.is_empty();
        if kind {
            self.kind = series.kind;
        }
        if unit {
            self.unit = Some(Arc::from(series.unit.as_str()));
        }
        (kind || unit) && self.newest.is_some()
    }

    pub fn append(&mut self, sample: Sample, window_ms: i64, start_ms: Option<i64>) -> Result<(), Refusal> {
        let Some(newest) = self.newest else {
            self.push(sample, start_ms);
            return Ok(());
        };
        if sample.at_ms > newest.at_ms {
            self.push(sample, start_ms);
            return Ok(());
        }
        if sample.at_ms == newest.at_ms {
            return same_bits(newest, sample);
        }
        if sample.at_ms < newest.at_ms.saturating_sub(window_ms) {
            return Err(Refusal::TooOld);
        }
        match self.sample_at(sample.at_ms) {
            Some(known) => same_bits(known, sample),
            None => {
                self.late.get_or_insert_default().insert(sample);
                Ok(())
            }
        }
    }

    fn push(&mut self, sample: Sample, start_ms: Option<i64>) {
        if let Some(start_ms) = start_ms
            && self.starts.last().is_none_or(|run| run.start_ms != start_ms)
        {
            self.starts.push(StartRun { from_ms: sample.at_ms, start_ms });
        }
        self.newest = Some(sample);
        match &mut self.open {
            Some(chunk) if !chunk.is_full() => chunk.push(sample),
            _ => {
                let closed = self.open.replace(OpenChunk::new(sample));
                self.full.extend(closed.map(OpenChunk::seal));
            }
        }
    }

    fn sample_at(&self, at_ms: i64) -> Option<Sample> {
        let late = self.late.as_deref();
        if let Some(known) = late.and_then(|l| l.buffer.iter().find(|s| s.at_ms == at_ms)) {
            return Some(*known);
        }
        let chunks = self.cut.iter().flat_map(|c| c.iter()).chain(&self.full);
        let in_chunks = chunks
            .chain(late.iter().flat_map(|l| &l.chunks))
            .filter(|c| c.first_ms <= at_ms && at_ms <= c.last_ms)
            // A chunk that cannot be read says so when it is asked for; the first of two samples wins then, too.
            .find_map(|c| c.samples().ok()?.into_iter().find(|s| s.at_ms == at_ms));
        in_chunks.or_else(|| {
            let open = self.open.as_ref().filter(|c| c.first_ms <= at_ms)?;
            open.samples().find(|s| s.at_ms == at_ms)
        })
    }

    /// Samples in the range, ascending, without duplicates. Errors: those of files that hold chunks.
    pub fn samples(&self, range: RangeMs) -> Result<Vec<Sample>, Error> {
        let mut out = Vec::new();
        for chunk in self.cut.iter().flat_map(|c| c.iter()).chain(&self.full) {
            if range.touches(chunk.first_ms, chunk.last_ms) {
                chunk.read_into(range, &mut out)?;
            }
        }
        if let Some(open) = self.open.as_ref().filter(|c| range.touches(c.first_ms, c.last_ms)) {
            out.extend(open.samples().filter(|s| range.contains(s.at_ms)));
        }
        Ok(match &self.late {
            Some(late) => merge_samples(out, late.samples(range)),
            None => out,
        })
    }

    /// Times of the first and the last sample.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let mut chunks = self.cut.iter().flat_map(|c| c.iter()).chain(&self.full);
        let first = chunks.next().map(|c| (c.first_ms, c.last_ms));
        let last = self.full.last().or_else(|| self.cut.as_ref()?.last()).map(|c| (c.first_ms, c.last_ms));
        let open = self.open.as_ref().map(|c| (c.first_ms, c.last_ms));
        let late = self.late.as_ref().and_then(|l| l.bounds());
        let parts = [first, last, open, late];
        parts.into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    pub fn count(&self) -> u64 {
        let chunks = self.cut.iter().flat_map(|c| c.iter()).chain(&self.full);
        let closed: u64 = chunks.map(|c| u64::from(c.count)).sum();
        closed
            + self.open.as_ref().map_or(0, |c| u64::from(c.count))
            + self.late.as_ref().map_or(0, |l| l.count())
    }

    pub fn size_bytes(&self) -> u64 {
        let chunks = self.cut.iter().flat_map(|c| c.iter()).chain(&self.full);
        let closed: usize = chunks.map(|c| c.size_bytes() + size_of::<Chunk>()).sum();
        let late = self.late.as_ref().map_or(0, |l| l.count() as usize * size_of::<Sample>());
        let starts = self.starts.capacity() * size_of::<StartRun>();
        (closed
            + late
            + starts
            + self.open.as_ref().map_or(0, OpenChunk::size_bytes)
            + size_of::<MemSeries>()) as u64
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_none() && self.full.is_empty() && self.late.is_none() && self.cut.is_none()
    }

    /// Marks a series that holds nothing as gone; says whether it is.
    pub fn leave_if_empty(&mut self) -> bool {
        self.gone |= self.is_empty();
        self.gone
    }

    /// Sets everything before `border_ms` apart for a block; it stays readable. `None` when there is nothing.
    pub fn cut(&mut self, border_ms: i64) -> Option<Arc<[Chunk]>> {
        let late = self.take_late_before(border_ms);
        let mut older: Vec<Chunk> = self.cut.as_deref().map(<[Chunk]>::to_vec).unwrap_or_default();
        let split = self.full.partition_point(|c| c.last_ms < border_ms);
        older.extend(self.full.drain(..split));
        if self.full.first().is_some_and(|c| c.first_ms < border_ms) {
            let chunk = self.full.remove(0);
            match chunk.samples() {
                Ok(samples) => {
                    let (before, after): (Vec<_>, Vec<_>) =
                        samples.into_iter().partition(|s| s.at_ms < border_ms);
                    older.extend(seal_all(before));
                    self.full.splice(0..0, seal_all(after));
                }
                // Whoever writes the cut meets the same fault, and says it.
                Err(_) => older.push(chunk),
            }
        }
        if let Some(open) = self.open.take_if(|c| c.first_ms < border_ms) {
            let (before, after): (Vec<_>, Vec<_>) = open.samples().partition(|s| s.at_ms < border_ms);
            older.extend(seal_all(before));
            for sample in after {
                match &mut self.open {
                    Some(chunk) => chunk.push(sample),
                    None => self.open = Some(OpenChunk::new(sample)),
                }
            }
        }
        if !late.is_empty() {
            let mut in_order = Vec::new();
            let unread: Vec<Chunk> =
                older.into_iter().filter(|c| c.read_all_into(&mut in_order).is_err()).collect();
            older = seal_all(merge_samples(in_order, late));
            older.extend(unread);
            older.sort_by_key(|c| c.first_ms);
        }
        self.cut = (!older.is_empty()).then(|| Arc::from(older));
        self.cut.clone()
    }

    /// Forgets what a cut set apart, unless a newer cut took it over.
    pub fn forget(&mut self, cut: &Arc<[Chunk]>) {
        if self.cut.as_ref().is_some_and(|held| Arc::ptr_eq(held, cut)) {
            self.cut = None;
            let last_ms = cut.last().map_or(i64::MIN, |c| c.last_ms);
            let holding = self.starts.partition_point(|r| r.from_ms <= last_ms).saturating_sub(1);
            self.starts.drain(..holding);
        }
    }

    fn take_late_before(&mut self, border_ms: i64) -> Vec<Sample> {
        let Some(late) = self.late.take() else { return Vec::new() };
        let (before, after): (Vec<_>, Vec<_>) =
            late.samples(RangeMs::ALL).into_iter().partition(|s| s.at_ms < border_ms);
        for sample in after {
            self.late.get_or_insert_default().insert(sample);
        }
        before
    }
}

fn same_bits(known: Sample, given: Sample) -> Result<(), Refusal> {
    if known == given { Ok(()) } else { Err(Refusal::DuplicateTimestamp) }
}

impl Late {
    fn insert(&mut self, sample: Sample) {
        if self.buffer.len() >= LATE_BUFFER {
            self.chunks.extend(seal_all(self.buffer.drain(..)));
        }
        let at = self.buffer.partition_point(|s| s.at_ms < sample.at_ms);
        self.buffer.insert(at, sample);
    }

    fn samples(&self, range: RangeMs) -> Vec<Sample> {
        let chunks = self.chunks.iter().filter(|c| range.touches(c.first_ms, c.last_ms));
        let mut out: Vec<Sample> = self.buffer.iter().filter(|s| range.contains(s.at_ms)).copied().collect();
        for chunk in chunks {
            // Late chunks never leave the memory, from which nothing is lost.
            let _ = chunk.read_into(range, &mut out);
        }
        out.sort_unstable_by_key(|s| s.at_ms);
        out
    }

    fn bounds(&self) -> Option<(i64, i64)> {
        let chunks = self.chunks.iter().map(|c| (c.first_ms, c.last_ms));
        let plain = self.buffer.iter().map(|s| (s.at_ms, s.at_ms));
        chunks.chain(plain).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    fn count(&self) -> u64 {
        self.chunks.iter().map(|c| u64::from(c.count)).sum::<u64>() + self.buffer.len() as u64
    }
}
