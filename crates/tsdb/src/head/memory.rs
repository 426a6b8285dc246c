//! One series in memory: an open chunk, closed chunks, late samples, and what a cut holds for a block.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ph_model::{RangeMs, Sample, Series, SeriesKind};

use super::lookup::Pick;
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
///
/// There are millions of these, most of which hold an open chunk and nothing else: what few have lies in `rest`.
#[derive(Debug, Default)]
pub(super) struct State {
    pub kind: SeriesKind,
    /// The series left the head; whoever still holds it must look it up anew.
    pub gone: bool,
    pub(super) open: Open,
    pub(super) full: Vec<Chunk>,
    rest: Option<Box<Rest>>,
}

/// Where the next sample goes.
#[derive(Debug, Default)]
pub(super) enum Open {
    /// Nothing came yet.
    #[default]
    Empty,
    /// All that came is closed; this was the newest.
    Closed(Sample),
    Chunk(OpenChunk),
}

impl Open {
    pub fn chunk(&self) -> Option<&OpenChunk> {
        match self {
            Open::Chunk(chunk) => Some(chunk),
            Open::Empty | Open::Closed(_) => None,
        }
    }

    /// Takes the chunk out if it holds samples before a border.
    pub fn take_before(&mut self, border_ms: i64) -> Option<OpenChunk> {
        let newest = match self {
            Open::Chunk(chunk) if chunk.first_ms() < border_ms => chunk.newest(),
            _ => return None,
        };
        match std::mem::replace(self, Open::Closed(newest)) {
            Open::Chunk(chunk) => Some(chunk),
            Open::Empty | Open::Closed(_) => None,
        }
    }

    /// Adds a sample to the chunk, or begins one.
    pub fn push(&mut self, sample: Sample) {
        match self {
            Open::Chunk(chunk) => chunk.push(sample),
            _ => *self = Open::Chunk(OpenChunk::new(sample)),
        }
    }
}

/// What not every series has.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pub unit: Option<Arc<str>>,
    pub starts: Box<[StartRun]>,
    pub late: Option<Box<Late>>,
    pub cut: Option<Arc<[Chunk]>>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.unit.is_none() && self.starts.is_empty() && self.late.is_none() && self.cut.is_none()
    }
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
    pub fn describe(&mut self, series: &Series, units: &Units) -> bool {
        let kind = self.kind == SeriesKind::Unknown && series.kind != SeriesKind::Unknown;
        let unit = !series.unit.is_empty() && self.unit().is_empty();
        if kind {
            self.kind = series.kind;
        }
        if unit {
            self.set_unit(units.share(&series.unit));
        }
        (kind || unit) && self.newest().is_some()
    }

    /// The UCUM unit; `""` while it is not known.
    pub fn unit(&self) -> &str {
        self.rest.as_ref().and_then(|rest| rest.unit.as_deref()).unwrap_or_default()
    }

    pub fn set_unit(&mut self, unit: Arc<str>) {
        self.rest.get_or_insert_default().unit = Some(unit);
    }

    pub fn starts(&self) -> &[StartRun] {
        self.rest.as_ref().map_or(&[], |rest| &rest.starts)
    }

    pub fn set_starts(&mut self, starts: Vec<StartRun>) {
        self.change(|rest| rest.starts = starts.into());
    }

    pub fn late(&self) -> Option<&Late> {
        self.rest.as_ref()?.late.as_deref()
    }

    pub fn set_late(&mut self, late: Option<Box<Late>>) {
        self.change(|rest| rest.late = late);
    }

    pub fn take_late(&mut self) -> Option<Box<Late>> {
        let late = self.rest.as_mut()?.late.take();
        self.change(|_| {});
        late
    }

    /// What was set apart for a block.
    fn set_apart(&self) -> Option<&Arc<[Chunk]>> {
        self.rest.as_ref()?.cut.as_ref()
    }

    fn change(&mut self, change: impl FnOnce(&mut Rest)) {
        let mut rest = self.rest.take().unwrap_or_default();
        change(&mut rest);
        self.rest = Some(rest).filter(|rest| !rest.is_empty());
    }

    /// The newest sample that was taken, also when it is in a block by now.
    pub fn newest(&self) -> Option<Sample> {
        match &self.open {
            Open::Empty => None,
            Open::Closed(newest) => Some(*newest),
            Open::Chunk(chunk) => Some(chunk.newest()),
        }
    }

    /// Closed chunks, ascending.
    pub fn closed(&self) -> impl Iterator<Item = &Chunk> {
        self.set_apart().into_iter().flat_map(|chunks| chunks.iter()).chain(&self.full)
    }

    pub fn append(&mut self, sample: Sample, window_ms: i64, start_ms: Option<i64>) -> Result<(), Refusal> {
        let Some(newest) = self.newest() else {
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
                self.rest.get_or_insert_default().late.get_or_insert_default().insert(sample);
                Ok(())
            }
        }
    }

    fn push(&mut self, sample: Sample, start_ms: Option<i64>) {
        if let Some(start_ms) = start_ms
            && self.starts().last().is_none_or(|run| run.start_ms != start_ms)
        {
            let run = StartRun { from_ms: sample.at_ms, start_ms };
            self.set_starts([self.starts(), &[run]].concat());
        }
        if self.open.chunk().is_some_and(OpenChunk::is_full)
            && let Open::Chunk(closed) = std::mem::take(&mut self.open)
        {
            // One comes every half an hour or so, and there are few.
            self.full.reserve_exact(1);
            self.full.push(closed.seal());
        }
        self.open.push(sample);
    }

    fn sample_at(&self, at_ms: i64) -> Option<Sample> {
        let late = self.late();
        if let Some(known) = late.and_then(|l| l.buffer.iter().find(|s| s.at_ms == at_ms)) {
            return Some(*known);
        }
        let in_chunks = self
            .closed()
            .chain(late.iter().flat_map(|l| &l.chunks))
            .filter(|c| c.first_ms <= at_ms && at_ms <= c.last_ms)
            // A chunk that cannot be read says so when it is asked for; the first of two samples wins then, too.
            .find_map(|c| c.samples().ok()?.into_iter().find(|s| s.at_ms == at_ms));
        in_chunks.or_else(|| {
            let open = self.open.chunk().filter(|c| c.first_ms() <= at_ms)?;
            open.samples().find(|s| s.at_ms == at_ms)
        })
    }

    /// Samples in the range, ascending, without duplicates. Errors: those of files that hold chunks.
    pub fn samples(&self, range: RangeMs) -> Result<Vec<Sample>, Error> {
        let open = self.open.chunk().filter(|c| range.touches(c.first_ms(), c.last_ms));
        let touched = || self.closed().filter(move |chunk| range.touches(chunk.first_ms, chunk.last_ms));
        let most = touched().map(|c| usize::from(c.count)).sum::<usize>();
        let mut out = Vec::with_capacity(most + open.map_or(0, |c| usize::from(c.count)));
        for chunk in touched() {
            chunk.read_into(range, &mut out)?;
        }
        if let Some(open) = open {
            out.extend(open.samples().filter(|s| range.contains(s.at_ms)));
        }
        if let Some(late) = self.late() {
            return Ok(merge_samples(out, late.samples(range)));
        }
        // A query holds those of many series: what it does not ask for goes at once.
        Ok(if out.len() * 4 < out.capacity() * 3 { out.as_slice().to_vec() } else { out })
    }

    /// As [`State::samples`], as far as they are asked for.
    pub fn picked(&self, range: RangeMs, pick: Pick) -> Result<Vec<Sample>, Error> {
        if pick == Pick::All {
            return self.samples(range);
        }
        let newest = match self.open.chunk().map(OpenChunk::newest) {
            // Late samples are older.
            Some(newest) if range.contains(newest.at_ms) => Some(newest),
            _ => self.samples(range)?.last().copied(),
        };
        Ok(newest.into_iter().collect())
    }

    /// Times of the first and the last sample.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let first = self.closed().next().map(|c| (c.first_ms, c.last_ms));
        let last = self.full.last().or_else(|| self.set_apart()?.last()).map(|c| (c.first_ms, c.last_ms));
        let open = self.open.chunk().map(|c| (c.first_ms(), c.last_ms));
        let late = self.late().and_then(Late::bounds);
        let parts = [first, last, open, late];
        parts.into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    pub fn count(&self) -> u64 {
        let closed: u64 = self.closed().map(|c| u64::from(c.count)).sum();
        closed + self.open.chunk().map_or(0, |c| u64::from(c.count)) + self.late().map_or(0, Late::count)
    }

    /// Bytes of what holds samples, and of all else of the series but its labels.
    pub fn size_bytes(&self) -> (u64, u64) {
        let closed: usize = self.closed().map(Chunk::size_bytes).sum();
        let chunks = self.set_apart().map_or(0, |chunks| chunks.len()) + self.full.capacity();
        let late = self.late().map_or(0, |l| l.count() as usize * size_of::<Sample>());
        let samples = closed + late + self.open.chunk().map_or(0, OpenChunk::size_bytes);
        let counts = 2 * size_of::<usize>();
        let rest = self.rest.as_ref().map_or(0, |rest| size_of::<Rest>() + size_of_val(&*rest.starts));
        let own = size_of::<MemSeries>() + counts + rest + chunks * size_of::<Chunk>();
        (samples as u64, own as u64)
    }

    pub fn is_empty(&self) -> bool {
        let holds_more = self.late().is_some() || self.set_apart().is_some();
        self.open.chunk().is_none() && self.full.is_empty() && !holds_more
    }

    /// Marks a series that holds nothing as gone; says whether it is.
    pub fn leave_if_empty(&mut self) -> bool {
        self.gone |= self.is_empty();
        self.gone
    }

    /// Sets everything before `border_ms` apart for a block; it stays readable. `None` when there is nothing.
    pub fn cut(&mut self, border_ms: i64) -> Option<Arc<[Chunk]>> {
        let late = self.take_late_before(border_ms);
        let mut older: Vec<Chunk> = self.set_apart().map(|chunks| chunks.to_vec()).unwrap_or_default();
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
        self.full.shrink_to_fit();
        if let Some(open) = self.open.take_before(border_ms) {
            let (before, after): (Vec<_>, Vec<_>) = open.samples().partition(|s| s.at_ms < border_ms);
            older.extend(seal_all(before));
            after.into_iter().for_each(|sample| self.open.push(sample));
        }
        if !late.is_empty() {
            let mut in_order = Vec::new();
            let unread: Vec<Chunk> =
                older.into_iter().filter(|c| c.read_all_into(&mut in_order).is_err()).collect();
            older = seal_all(merge_samples(in_order, late));
            older.extend(unread);
            older.sort_by_key(|c| c.first_ms);
        }
        let cut: Option<Arc<[Chunk]>> = (!older.is_empty()).then(|| Arc::from(older));
        self.change(|rest| rest.cut.clone_from(&cut));
        cut
    }

    /// Forgets what a cut set apart, unless a newer cut took it over.
    pub fn forget(&mut self, cut: &Arc<[Chunk]>) {
        if self.set_apart().is_some_and(|held| Arc::ptr_eq(held, cut)) {
            let last_ms = cut.last().map_or(i64::MIN, |c| c.last_ms);
            let holding = self.starts().partition_point(|r| r.from_ms <= last_ms).saturating_sub(1);
            self.change(|rest| {
                rest.cut = None;
                rest.starts = rest.starts.get(holding..).unwrap_or_default().into();
            });
        }
    }

    fn take_late_before(&mut self, border_ms: i64) -> Vec<Sample> {
        let Some(late) = self.take_late() else { return Vec::new() };
        let (before, after): (Vec<_>, Vec<_>) =
            late.samples(RangeMs::ALL).into_iter().partition(|s| s.at_ms < border_ms);
        let mut kept = Late::default();
        after.into_iter().for_each(|sample| kept.insert(sample));
        self.set_late((kept.count() > 0).then(|| Box::new(kept)));
        before
    }
}

/// Units of a head's series: a few texts, each there once.
#[derive(Debug, Default)]
pub(super) struct Units(Mutex<HashSet<Arc<str>>>);

impl Units {
    /// More than these are not remembered: somebody numbers them.
    const MOST: usize = 1_024;

    pub fn share(&self, unit: &str) -> Arc<str> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unit) = known.get(unit) {
            return Arc::clone(unit);
        }
        let unit: Arc<str> = Arc::from(unit);
        if known.len() < Self::MOST {
            known.insert(Arc::clone(&unit));
        }
        unit
    }
}

fn same_bits(known: Sample, given: Sample) -> Result<(), Refusal> {
    if known == given { Ok(()) } else { Err(Refusal::DuplicateTimestamp) }
}

impl Late {
    pub fn insert(&mut self, sample: Sample) {
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
