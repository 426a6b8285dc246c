//! Where samples come from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ph_model::{ErrorKind, Labels, Matcher, Rolled, Sample};

use crate::regexp::Test;

/// What one selector of an expression needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    pub matchers: Vec<Matcher>,
    /// First and last ms whose samples can matter, both inclusive.
    pub from_ms: i64,
    pub to_ms: i64,
    pub hint: Hint,
}

/// What becomes of the samples; a source may use it to read less.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hint {
    /// The function around a range selector.
    pub function: Option<&'static str>,
    /// 0 for instant selectors.
    pub range_ms: i64,
    /// Between two evaluations; 0 when there is one alone.
    pub step_ms: i64,
    /// Where the first window ends; `None` when samples beside the windows matter as well.
    pub end_ms: Option<i64>,
}

/// Functions over ranges whose result windows of samples give exactly, if they fill the range.
const ROLLED: [&str; 13] = [
    "absent_over_time",
    "avg_over_time",
    "count_over_time",
    "delta",
    "first_over_time",
    "increase",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "sum_over_time",
    "ts_of_last_over_time",
];

impl Selection {
    /// Whether windows of this resolution give what its samples give: every range is made of whole windows, and its
    /// function asks for nothing that they do not hold; every instant is a window's end, and its lookback no wider.
    pub fn rolls_exactly(&self, resolution_ms: i64) -> bool {
        let Some(end_ms) = self.hint.end_ms.filter(|_| resolution_ms > 0) else { return false };
        let whole = |ms: i64| ms % resolution_ms == 0;
        let lookback_ms = end_ms.saturating_sub(self.from_ms).saturating_add(1);
        whole(end_ms)
            && whole(self.hint.step_ms)
            && match self.hint.function {
                Some(name) => self.hint.range_ms > 0 && whole(self.hint.range_ms) && ROLLED.contains(&name),
                None => self.hint.range_ms == 0 && lookback_ms <= resolution_ms,
            }
    }
}

/// One series: strictly ascending time. Samples outside the selection may be there and are not looked at.
#[derive(Clone, Debug)]
pub struct SourceSeries<'a> {
    pub labels: Cow<'a, Labels>,
    pub samples: Cow<'a, [Sample]>,
    /// Instead of samples: windows of them, ascending. Only for a selection that they [serve](Selection::rolls_exactly).
    pub rolled: Option<Cow<'a, [Rolled]>>,
    /// It holds native histograms, which expressions cannot work on.
    pub native_histograms: bool,
}

/// Why a source gave no series.
#[derive(Debug)]
pub struct SourceError {
    pub kind: ErrorKind,
    pub text: String,
}

/// One batch of answers: ascending by label set.
pub type SeriesIter<'a> = Box<dyn Iterator<Item = Result<SourceSeries<'a>, SourceError>> + 'a>;

/// Anything that has series. Synchronous: a caller with asynchronous storage gathers the
/// [`selections`](crate::selections) of an expression first.
pub trait SeriesSource {
    /// Series that match all matchers and have a sample in the range; ascending by label set.
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError>;

    /// When what a series' samples count began, by the samples' times, in ms; `None` where that is not known.
    fn starts(&self, _labels: &Labels) -> Option<&BTreeMap<i64, i64>> {
        None
    }
}

/// Series in memory, for tests and scripts.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    samples: Vec<Sample>,
    /// When it has native histograms.
    native_ms: BTreeSet<i64>,
    starts: BTreeMap<i64, i64>,
}

impl Kept {
    /// Whether a native histogram is among what a selection looks at.
    fn is_native(&self, selection: &Selection) -> bool {
        let (from, to) = (selection.from_ms, selection.to_ms);
        let Some(native) = self.native_ms.range(from..=to).next_back() else { return false };
        let hint = &selection.hint;
        let at_once = hint.function.is_none() && hint.range_ms == 0 && hint.step_ms == 0;
        // One instant looks at the newest sample alone.
        let newest = self.samples.iter().rev().map(|s| s.at_ms).find(|at| *at <= to);
        !(at_once && hint.end_ms.is_some() && newest.is_some_and(|at| at > *native))
    }
}

impl MemorySource {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds samples; of two with one time the later given stays.
    pub fn add(&mut self, labels: Labels, samples: &[Sample]) {
        let into = &mut self.series.entry(labels).or_default().samples;
        into.extend_from_slice(samples);
        into.sort_by_key(|s| s.at_ms);
        into.reverse();
        into.dedup_by_key(|s| s.at_ms);
        into.reverse();
    }

    /// Says when a series holds native histograms.
    pub fn mark_native(&mut self, labels: Labels, at_ms: &[i64]) {
        self.series.entry(labels).or_default().native_ms.extend(at_ms);
    }

    /// Says when what some samples of a series count began: pairs of the sample's time and that one.
    pub fn start(&mut self, labels: Labels, starts: &[(i64, i64)]) {
        self.series.entry(labels).or_default().starts.extend(starts.iter().copied());
    }

    pub fn clear(&mut self) {
        self.series.clear();
    }
}

impl SeriesSource for MemorySource {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let tests: Result<Vec<Test>, String> = selection.matchers.iter().map(Test::new).collect();
        let tests = tests.map_err(|text| SourceError { kind: ErrorKind::Invalid, text })?;
        let selection = selection.clone();
        let found = self.series.iter().filter_map(move |(labels, kept)| {
            if !tests.iter().all(|t| t.accepts(labels.value(&t.name).unwrap_or(""))) {
                return None;
            }
            let range = selection.from_ms..=selection.to_ms;
            let native_histograms = kept.is_native(&selection);
            let is_there = native_histograms || kept.samples.iter().any(|s| range.contains(&s.at_ms));
            is_there.then_some(SourceSeries {
                labels: Cow::Borrowed(labels),
                samples: Cow::Borrowed(kept.samples.as_slice()),
                rolled: None,
                native_histograms,
            })
        });
        Ok(Box::new(found.map(Ok)))
    }

    fn starts(&self, labels: &Labels) -> Option<&BTreeMap<i64, i64>> {
        self.series.get(labels).map(|kept| &kept.starts).filter(|starts| !starts.is_empty())
    }
}
