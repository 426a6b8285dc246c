//! Fetches what a query's selectors need, before it is evaluated: storage is asynchronous, evaluation is not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_model::{ErrorKind, Labels, MatchOp, Matcher, RangeMs, Rolled, Sample, SeriesKind};
use ph_promql::{Selection, SeriesIter, SeriesSource, SourceError, SourceSeries};
use ph_store::{MetricsKept, SeriesAsk, SeriesSamples, Store};
use ph_tsdb::{LabelTest, Pick};

use super::names::{Selector, Spelling, is_only_itself};
use super::{rolled, views};
use crate::aliases;

/// Series of one query, more are refused.
pub const MOST_SERIES: usize = 200_000;
/// Samples that one query may hold.
pub const MOST_SAMPLES: usize = 20_000_000;
/// Names of metrics that are looked through for one query.
const MOST_NAMES: usize = 200_000;
/// Samples that a window counts for, by its size.
const ROLLED_WEIGHT: usize = 7;

/// Series of one selection.
enum Fetched {
    Samples(Vec<(Labels, Vec<Sample>)>),
    Rolled(Vec<(Labels, Vec<Rolled>)>),
}

/// What the selectors of a query need, fetched.
pub struct Gathered {
    /// With the width of the windows, where it is answered by roll-ups.
    found: Vec<(Selection, Option<i64>, Fetched)>,
    kept: MetricsKept,
    /// What a reader of the answer should know.
    pub warnings: BTreeSet<String>,
    pub shown: Shown,
}

/// How stored series are shown to a query, as far as the range that was looked at decides about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Unit and kind by stored name, where the name that is shown is made of them.
    metrics: BTreeMap<String, (String, SeriesKind)>,
    /// Of a shorter range something may be shown otherwise.
    varies: bool,
}

impl Shown {
    fn note(&mut self, one: &SeriesSamples) {
        let name = one.labels.metric();
        if !name.contains('.') {
            return;
        }
        self.varies |= one.disputed;
        match self.metrics.get(name) {
            Some((unit, kind)) => self.varies |= *unit != one.unit || *kind != one.kind,
            None => {
                self.metrics.insert(name.to_owned(), (one.unit.clone(), one.kind));
            }
        }
    }

    /// Every part of the range shows it alike.
    pub fn is_steady(&self) -> bool {
        !self.varies
    }

    /// What two ranges show is what they show together.
    pub fn agrees(&self, other: &Self) -> bool {
        let same =
            |(name, of): (&String, &(String, SeriesKind))| other.metrics.get(name).is_none_or(|o| o == of);
        self.is_steady() && other.is_steady() && self.metrics.iter().all(same)
    }

    /// Of two ranges that agree.
    pub fn with(mut self, other: Self) -> Self {
        self.varies |= other.varies;
        self.metrics.extend(other.metrics);
        self
    }

    /// Bytes that it takes, estimated.
    pub fn size_bytes(&self) -> usize {
        self.metrics.iter().map(|(name, (unit, _))| name.len() + unit.len() + 96).sum()
    }
}

impl SeriesSource for Gathered {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let wanted = rolled::resolution(&self.kept, selection);
        let same = |(s, resolution_ms, _): &&(Selection, Option<i64>, Fetched)| {
            s.matchers == selection.matchers
                && s.from_ms <= selection.from_ms
                && s.to_ms >= selection.to_ms
                && *resolution_ms == wanted
        };
        let Some((_, _, rows)) = self.found.iter().find(same) else {
            let text = "a selector was not fetched before its evaluation".to_owned();
            return Err(SourceError { kind: ErrorKind::Internal, text });
        };
        let series: SeriesIter<'a> = match rows {
            Fetched::Samples(rows) => Box::new(rows.iter().map(|(l, samples)| Ok(given(l, samples, None)))),
            Fetched::Rolled(rows) => {
                Box::new(rows.iter().map(|(l, windows)| Ok(given(l, &[], Some(windows.as_slice())))))
            }
        };
        Ok(series)
    }
}

fn given<'a>(labels: &'a Labels, samples: &'a [Sample], rolled: Option<&'a [Rolled]>) -> SourceSeries<'a> {
    SourceSeries {
        labels: Cow::Borrowed(labels),
        samples: Cow::Borrowed(samples),
        rolled: rolled.map(Cow::Borrowed),
        native_histograms: false,
    }
}

/// What is kept of the samples of a series.
pub trait Kept: Default + Send {
    /// How much one request may hold, and of what.
    const MOST: (usize, &'static str);

    /// Keeps ascending samples.
    fn of(samples: Vec<Sample>) -> Self;

    /// Adds what another series holds that is the same one to the reader; of two samples at one time the first stays.
    fn join(&mut self, later: Self);

    /// What is held, in the unit of the limit.
    fn size(&self) -> usize;
}

impl Kept for Vec<Sample> {
    const MOST: (usize, &'static str) = (MOST_SAMPLES, "samples");

    fn of(samples: Vec<Sample>) -> Self {
        samples
    }

    fn join(&mut self, later: Self) {
        self.extend(later);
        self.sort_by_key(|s| s.at_ms);
        self.dedup_by_key(|s| s.at_ms);
    }

    fn size(&self) -> usize {
        self.len()
    }
}

/// Series as a query sees them. They mostly come in the order of their labels, so that they are put in order once at the end.
#[derive(Default)]
pub struct Rows<K> {
    series: Vec<(Labels, K)>,
    /// One came before or beside its like.
    is_mixed: bool,
    size: usize,
}

impl<K: Kept> Rows<K> {
    /// After so much of the limit was taken.
    fn after(size: usize) -> Self {
        Self { series: Vec::new(), is_mixed: false, size }
    }

    /// Errors: `Exhausted` above the limit.
    pub fn add(&mut self, labels: Labels, samples: Vec<Sample>) -> Result<(), ph_store::Error> {
        let row = K::of(samples);
        self.size += row.size();
        self.is_mixed |= self.series.last().is_some_and(|(last, _)| *last >= labels);
        self.series.push((labels, row));
        within(self.size, K::MOST)
    }

    /// Puts series in the order of their labels, and makes those of equal labels one.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.is_mixed) {
            return;
        }
        // Of equal ones the first stays in front.
        self.series.sort_by(|a, b| a.0.cmp(&b.0));
        let size = &mut self.size;
        self.series.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                *size -= first.1.size() + later.1.size();
                first.1.join(std::mem::take(&mut later.1));
                *size += first.1.size();
            }
            same
        });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.series.len()
    }

    /// Ascending by labels.
    pub fn into_series(mut self) -> Vec<(Labels, K)> {
        self.settle();
        self.series
    }

    /// What is held, with what was before.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Errors: `Exhausted` above the limit.
fn within(size: usize, (most, what): (usize, &str)) -> Result<(), ph_store::Error> {
    if size <= most {
        return Ok(());
    }
    let text = format!("the query reads more than {most} {what}; select fewer series or a shorter range");
    Err(ph_store::Error::new(ErrorKind::Exhausted, text))
}

/// Takes one stored series under the labels that a query sees.
type Take<'t> = dyn FnMut(Labels, Vec<Sample>) -> Result<(), ph_store::Error> + Send + 't;

/// Fetches series for queries of one tenant.
pub struct Gather<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) ctx: &'a TenantCtx,
    shown: Mutex<Shown>,
}

impl<'a> Gather<'a> {
    pub fn new(store: &'a Arc<dyn Store>, ctx: &'a TenantCtx) -> Self {
        Self { store, ctx, shown: Mutex::default() }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that `selections` name: samples, or roll-ups where samples are gone and these give the same. Errors:
    /// `Exhausted` above a limit, those of the store.
    pub async fn all(
        &self,
        selections: Vec<Selection>,
        spelling: &Spelling,
    ) -> Result<Gathered, ph_store::Error> {
        let kept = self.store.metrics_kept(self.ctx).await?;
        let warnings = selections.iter().filter_map(|one| rolled::warning(&kept, one)).collect();
        let mut found = Vec::new();
        let (mut series, mut size) = (0, 0);
        for Need { selection, resolution_ms, pick } in merged(selections, &kept) {
            let seen = (spelling, MOST_SERIES - series);
            let fetched = match resolution_ms {
                None => {
                    let rows: Rows<Vec<Sample>> = self.rows((&selection, pick), seen, size).await?;
                    (series, size) = (series + rows.count(), rows.size());
                    Fetched::Samples(rows.into_series())
                }
                Some(ms) => {
                    let windows = MOST_SAMPLES.saturating_sub(size) / ROLLED_WEIGHT;
                    let most = rolled::Most { series: seen.1, windows };
                    let rows = self.rolled((&selection, ms), (spelling, most)).await?;
                    series += rows.len();
                    size += rows.iter().map(|(_, windows)| windows.len() * ROLLED_WEIGHT).sum::<usize>();
                    within(size, <Vec<Sample> as Kept>::MOST)?;
                    Fetched::Rolled(rows)
                }
            };
            found.push((selection, resolution_ms, fetched));
        }
        Ok(Gathered { found, kept, warnings, shown: self.shown().clone() })
    }

    /// Series of one selection, after so much of the limit was taken; of names that are views, what they show where no
    /// series has the name itself.
    pub async fn rows<K: Kept>(
        &self,
        (selection, pick): (&Selection, Pick),
        seen: (&Spelling, usize),
        size: usize,
    ) -> Result<Rows<K>, ph_store::Error> {
        let matchers = &selection.matchers;
        let range = RangeMs::new(selection.from_ms, selection.to_ms.saturating_add(1));
        let mut rows = Rows::<K>::after(size);
        let mut add = |labels, samples| rows.add(labels, samples);
        self.stored(matchers, (range, pick), seen, &mut add).await?;
        let views = views::meant(matchers);
        if views.is_empty() {
            rows.settle();
            return Ok(rows);
        }
        let tests: Result<Vec<LabelTest>, _> = matchers.iter().map(LabelTest::new).collect();
        let tests = tests.map_err(|e| ph_store::Error::new(ErrorKind::Invalid, e.to_string()))?;
        let shown = |labels: &Labels| tests.iter().all(|t| t.accepts(labels.value(t.name()).unwrap_or("")));
        let of = |labels: &Labels| labels.value("cluster").unwrap_or_default().to_owned();
        // Not only of those that the other matchers let through.
        let name: Vec<Matcher> = matchers.iter().filter(|m| m.name == "__name__").cloned().collect();
        let mut own = BTreeSet::new();
        let mut note = |labels: Labels, _| {
            own.insert(of(&labels));
            Ok(())
        };
        self.stored(&name, (range, Pick::Newest), seen, &mut note).await?;
        // Whether a cluster has series of that name is a matter of the range.
        self.shown().varies |= !own.is_empty();
        for view in views {
            let mut show = |labels: Labels, samples| {
                if own.contains(&of(&labels)) {
                    return Ok(());
                }
                let mut each = view.apply(&labels, samples).into_iter().filter(|(l, _)| shown(l));
                each.try_for_each(|(labels, samples)| rows.add(labels, samples))
            };
            self.stored(&view.matchers(matchers), (range, Pick::All), seen, &mut show).await?;
        }
        rows.settle();
        Ok(rows)
    }

    /// Series that are stored, under the labels that the query sees, in no order of these.
    async fn stored(
        &self,
        matchers: &[Matcher],
        (range, pick): (RangeMs, Pick),
        (spelling, most): (&Spelling, usize),
        take: &mut Take<'_>,
    ) -> Result<(), ph_store::Error> {
        let selector = Selector::new(matchers).map_err(|e| ph_store::Error::new(ErrorKind::Invalid, e))?;
        let Some(pushed) = self.pushed(matchers, range, &selector).await? else { return Ok(()) };
        let ask = SeriesAsk { matchers: pushed, range, max_series: most };
        let mut stream = match pick {
            Pick::All => self.store.select_series(self.ctx, ask).await?,
            Pick::Newest => self.store.select_newest(self.ctx, ask).await?,
        };
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            {
                let mut shown = self.shown();
                batch.iter().for_each(|one| shown.note(one));
            }
            for one in batch {
                if selector.accepts(&one.labels, (&one.unit, one.kind)) {
                    let labels = spelling.labels(&one.labels, (&one.unit, one.kind), selector.as_stored);
                    take(labels, one.samples)?;
                }
            }
        }
        Ok(())
    }

    /// Matchers for the store, which may accept more than is meant; `None` when nothing can be.
    pub async fn pushed(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        selector: &Selector,
    ) -> Result<Option<Vec<Matcher>>, ph_store::Error> {
        let known = self.store.known_names(self.ctx, range, MOST_NAMES).await?;
        let labels = known.labels;
        let mut pushed: Vec<Matcher> = matchers
            .iter()
            .filter(|m| m.name != "__name__" && !labels.truncated && is_only_itself(&m.name, &labels.values))
            .cloned()
            .collect();
        // A name that can be written in one way alone needs no look at the names there are.
        let plainly = matchers.iter().find(|m| {
            m.name == "__name__"
                && m.op == MatchOp::Equal
                && (m.value.contains('.') || !m.value.contains('_'))
        });
        if let Some(name) = plainly {
            pushed.push(match aliases::metric(&name.value) {
                same if same == name.value => name.clone(),
                // Also what was stored before its other name was known.
                stored => Matcher::regex("__name__", format!("{}|{}", escape(stored), escape(&name.value))),
            });
            return Ok(Some(pushed));
        }
        let names = known.metrics;
        if names.truncated {
            return Ok(Some(pushed));
        }
        let total = names.values.len();
        let mut meant: Vec<String> = names.values.into_iter().filter(|n| selector.may_mean(n)).collect();
        match meant.len() {
            0 if !matchers.iter().any(|m| m.name == "__name__") => {}
            0 => return Ok(None),
            1 => pushed.push(Matcher::equal("__name__", meant.pop().unwrap_or_default())),
            n if n < total && n <= 500 => {
                let all: Vec<String> = meant.iter().map(|n| escape(n)).collect();
                pushed.push(Matcher::regex("__name__", all.join("|")));
            }
            // So many that the store is asked for all; what is not meant is left out afterwards.
            _ => {}
        }
        Ok(Some(pushed))
    }

    /// Units and kinds of metrics, by their stored name; one series of each tells.
    pub async fn kinds(
        &self,
        range: RangeMs,
        limit: usize,
    ) -> Result<BTreeMap<String, (String, SeriesKind)>, ph_store::Error> {
        let ask = SeriesAsk { matchers: Vec::new(), range, max_series: MOST_SERIES };
        let mut stream = self.store.select_newest(self.ctx, ask).await?;
        let mut found = BTreeMap::new();
        while let Some(batch) = stream.next().await {
            for one in batch? {
                if found.len() < limit || found.contains_key(one.labels.metric()) {
                    found.insert(one.labels.metric().to_owned(), (one.unit, one.kind));
                }
            }
        }
        Ok(found)
    }
}

/// A selection, and how it is fetched.
struct Need {
    selection: Selection,
    /// The width of the windows that answer it, where samples are gone.
    resolution_ms: Option<i64>,
    pick: Pick,
}

/// What is looked at of a selection: of a plain selector at one moment the newest sample.
fn pick_of(selection: &Selection) -> Pick {
    let hint = &selection.hint;
    let is_moment = hint.function.is_none() && hint.range_ms == 0 && hint.step_ms == 0;
    if is_moment && hint.end_ms == Some(selection.to_ms) { Pick::Newest } else { Pick::All }
}

/// Selections of equal matchers as one, over the range of all, so that nothing is fetched twice.
fn merged(selections: Vec<Selection>, kept: &MetricsKept) -> Vec<Need> {
    let mut out: Vec<Need> = Vec::new();
    for one in selections {
        let resolution_ms = rolled::resolution(kept, &one);
        let same = |n: &&mut Need| n.selection.matchers == one.matchers && n.resolution_ms == resolution_ms;
        match out.iter_mut().find(same) {
            Some(Need { selection: known, pick, .. }) => {
                if (known.from_ms, known.to_ms, *pick) != (one.from_ms, one.to_ms, pick_of(&one)) {
                    *pick = Pick::All;
                }
                known.from_ms = known.from_ms.min(one.from_ms);
                known.to_ms = known.to_ms.max(one.to_ms);
            }
            None => {
                let pick = pick_of(&one);
                out.push(Need { selection: one, resolution_ms, pick });
            }
        }
    }
    out
}

/// A name as a pattern that means it alone.
fn escape(name: &str) -> String {
    let special = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    //! Series are in order and each is there once, however they came.

    use super::*;

    fn row(text: &str, times: &[i64]) -> (Labels, Vec<Sample>) {
        let samples = times.iter().map(|at_ms| Sample { at_ms: *at_ms, value: text.len() as f64 });
        (Labels::of([("__name__", text)]), samples.collect())
    }

    #[test]
    fn rows_are_ascending_and_those_of_one_name_are_one() {
        for given in [vec!["a", "b", "c"], vec!["c", "a", "b"], vec!["b", "a", "b", "c", "b"]] {
            let mut rows = Rows::<Vec<Sample>>::after(5);
            for (at, name) in (0..).zip(&given) {
                let (labels, samples) = row(name, &[10 * at, 10 * at + 1, 100]);
                rows.add(labels, samples).unwrap();
            }
            rows.settle();
            let repeats = given.len() - 3;
            assert_eq!((rows.count(), rows.size()), (3, 5 + 3 * given.len() - repeats));
            let found = rows.into_series();
            assert_eq!(found.iter().map(|(l, _)| l.metric()).collect::<Vec<_>>(), ["a", "b", "c"]);
            for (_, samples) in found {
                assert!(samples.is_sorted_by(|a, b| a.at_ms < b.at_ms));
            }
        }
    }

    #[test]
    fn of_two_samples_at_one_time_the_first_stays_and_the_limit_is_named() {
        let mut rows = Rows::<Vec<Sample>>::default();
        for (name, value) in [("b", 1.0), ("a", 2.0), ("b", 3.0)] {
            rows.add(Labels::of([("__name__", name)]), vec![Sample { at_ms: 7, value }]).unwrap();
        }
        let found: Vec<f64> = rows.into_series().into_iter().map(|(_, samples)| samples[0].value).collect();
        assert_eq!(found, [2.0, 1.0]);
        let mut full = Rows::<Vec<Sample>>::after(MOST_SAMPLES - 1);
        let (labels, samples) = row("a", &[1, 2]);
        let refused = full.add(labels, samples).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Exhausted);
    }
}
