//! What must not be seen any more although it may still be on the disk: deleted rows, and rows past a rule's days.
//!
//! Readers leave such rows out; flush and compaction do not write them again.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use ph_filter::{Compiled, Filter};
use ph_model::{ErrorKind, Labels, Matcher, RangeMs, RangeNs, Sample, Signal};
use ph_tsdb::LabelTest;

use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::exemplars::accepts;
use crate::rows::{Columns, Keys, RowView, SERIES, columns_for, labels_at};
use crate::shard::Clock;

const DAY_MS: i64 = 86_400_000;

/// Until when rows are hidden.
#[derive(Clone)]
enum Reach {
    Range(RangeNs),
    /// Everything before the UTC day that lies so many days back.
    Kept(u32, Clock),
}

/// Which rows are hidden.
enum Test {
    Filter(Box<Compiled>),
    /// Exemplars of series that all of these accept.
    Series(Vec<LabelTest>),
}

/// Rows of one organisation and signal that nobody sees.
pub(crate) struct Hidden {
    /// Number of the deletion; 0 for a rule.
    pub seq: i64,
    signal: Signal,
    test: Test,
    pub columns: Columns,
    reach: Reach,
    /// Tells rules apart.
    mark: i64,
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hidden").field("seq", &self.seq).field("range", &self.range()).finish_non_exhaustive()
    }
}

impl Hidden {
    /// Rows that were deleted. Errors: `Invalid` for a filter that does not compile.
    pub fn deleted(seq: i64, signal: Signal, filter: &Filter, range: RangeNs) -> Result<Self, Error> {
        Self::new(seq, (signal, filter), Reach::Range(range))
    }

    /// Rows that a rule keeps for so many days. Errors: as above.
    pub fn kept(days: u32, signal: Signal, filter: &Filter, clock: Clock) -> Result<Self, Error> {
        Self::new(0, (signal, filter), Reach::Kept(days, clock))
    }

    fn new(seq: i64, (signal, filter): (Signal, &Filter), reach: Reach) -> Result<Self, Error> {
        let compiled =
            Compiled::new(filter).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()).caused_by(e))?;
        let mut columns = Columns::default();
        columns_for(signal, filter, &mut columns);
        let mark = xxhash_rust::xxh3::xxh3_64(format!("{filter:?}").as_bytes()) as i64;
        let mark = match &reach {
            Reach::Range(_) => mark,
            Reach::Kept(days, _) => mark ^ (i64::from(*days) << 32),
        };
        Ok(Self { seq, signal, test: Test::Filter(Box::new(compiled)), columns, reach, mark })
    }

    /// Exemplars of series whose samples were deleted. Errors: `Invalid` as those of [`HiddenSeries::new`].
    pub fn exemplars(seq: i64, matchers: &[Matcher], range: RangeMs) -> Result<Self, Error> {
        let tests = LabelTest::all(matchers).map_err(|e| Error::new(e.kind(), e.to_string()).caused_by(e))?;
        let ns = |ms: i64| ms.saturating_mul(1_000_000);
        Ok(Self {
            seq,
            signal: Signal::Exemplars,
            test: Test::Series(tests),
            columns: Columns::from([SERIES]),
            reach: Reach::Range(RangeNs::new(ns(range.from), ns(range.to))),
            mark: 0,
        })
    }

    /// Times in which rows are hidden now, ns UTC.
    pub fn range(&self) -> RangeNs {
        match &self.reach {
            Reach::Range(range) => *range,
            Reach::Kept(days, clock) => {
                let first_day = clock().div_euclid(DAY_MS) - i64::from(*days);
                RangeNs::new(i64::MIN, first_day.saturating_mul(DAY_MS).saturating_mul(1_000_000))
            }
        }
    }

    /// Whether it can hide something between two times, both included.
    pub fn touches(&self, first: i64, last: i64) -> bool {
        self.range().touches(first, last)
    }

    fn passes(&self, view: &RowView<'_>) -> bool {
        match &self.test {
            Test::Filter(filter) => filter.is_all() || filter.matches(view),
            Test::Series(tests) => accepts(tests, &labels_at(view.batch, SERIES, view.row)),
        }
    }
}

/// What a part that is written now is free of: every deletion up to a number, and the rules that are due for its day.
pub(crate) fn marks(hidden: &[Arc<Hidden>], first: i64, last: i64) -> (i64, i64) {
    let cleaned = hidden.iter().map(|h| h.seq).max().unwrap_or(0);
    let due = hidden.iter().filter(|h| h.seq == 0 && h.touches(first, last));
    (cleaned, due.fold(0, |marks, h| marks ^ h.mark))
}

/// Whether a part holds rows, or may hold some, that must not be seen any more.
pub(crate) fn is_stale(hidden: &[Arc<Hidden>], row: &PartRow) -> bool {
    let (_, ruled) = marks(hidden, row.first, row.last);
    let deleted = |h: &Arc<Hidden>| h.seq > row.cleaned && h.touches(row.first, row.last);
    (ruled != 0 && ruled != row.ruled) || hidden.iter().any(deleted)
}

/// Some hidden rows with their ranges as they were when a question began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Veil(Vec<(RangeNs, Arc<Hidden>)>);

impl Veil {
    /// Those that can hide something in a range.
    pub fn over(all: &[Arc<Hidden>], range: RangeNs) -> Self {
        let ranges = all.iter().map(|h| (h.range(), Arc::clone(h)));
        Self(ranges.filter(|(r, _)| r.from < range.to && range.from < r.to).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Columns that must be read to decide.
    pub fn columns(&self, into: &mut Columns) {
        self.0.iter().for_each(|(_, h)| into.add_all(&h.columns));
    }

    pub fn hides(&self, ts: i64, batch: &RecordBatch, row: usize) -> bool {
        self.0.iter().any(|(range, hidden)| {
            range.contains(ts) && hidden.passes(&RowView { signal: hidden.signal, batch, row })
        })
    }

    /// The rows of a batch that are seen.
    pub fn seen(&self, batch: RecordBatch) -> RecordBatch {
        let Some(keys) = Keys::of(&batch).filter(|_| !self.is_empty()) else { return batch };
        let mask: BooleanArray =
            (0..batch.num_rows()).map(|row| Some(!self.hides(keys.ts.value(row), &batch, row))).collect();
        if mask.true_count() == batch.num_rows() {
            return batch;
        }
        filter_record_batch(&batch, &mask).unwrap_or_else(|_| batch.slice(0, 0))
    }
}

/// Samples of one organisation that were deleted.
#[derive(Debug)]
pub(crate) struct HiddenSeries {
    pub seq: i64,
    tests: Vec<LabelTest>,
    pub range: RangeMs,
}

impl HiddenSeries {
    /// Errors: `Invalid` for a regular expression that does not compile.
    pub fn new(seq: i64, matchers: &[Matcher], range: RangeMs) -> Result<Self, Error> {
        let tests = LabelTest::all(matchers).map_err(|e| Error::new(e.kind(), e.to_string()).caused_by(e))?;
        Ok(Self { seq, tests, range })
    }

    pub fn selects(&self, labels: &Labels) -> bool {
        accepts(&self.tests, labels)
    }
}

/// Takes deleted samples out of a series.
pub(crate) fn strip(hidden: &[Arc<HiddenSeries>], labels: &Labels, samples: &mut Vec<Sample>) {
    for one in hidden {
        let touched = samples.first().zip(samples.last());
        if touched.is_some_and(|(f, l)| one.range.touches(f.at_ms, l.at_ms)) && one.selects(labels) {
            samples.retain(|s| !one.range.contains(s.at_ms));
        }
    }
}
