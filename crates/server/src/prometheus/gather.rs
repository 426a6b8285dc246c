//! Fetches what a query's selectors need, before it is evaluated: storage is asynchronous, evaluation is not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_model::{ErrorKind, Labels, MatchOp, Matcher, RangeMs, Sample, SeriesKind};
use ph_promql::{Selection, SeriesIter, SeriesSource, SourceError, SourceSeries};
use ph_store::{SeriesAsk, Store};
use ph_tsdb::LabelTest;

use super::names::{Selector, Spelling, is_only_itself};
use super::views;

/// Series of one query, more are refused.
pub const MOST_SERIES: usize = 200_000;
/// Samples that one query may hold.
pub const MOST_SAMPLES: usize = 20_000_000;
/// Names of metrics that are looked through for one query.
const MOST_NAMES: usize = 200_000;

/// What the selectors of a query need, fetched.
pub struct Gathered {
    found: Vec<(Selection, Vec<(Labels, Vec<Sample>)>)>,
}

impl Gathered {
    /// All series, selection by selection.
    pub fn series(&self) -> impl Iterator<Item = (&Labels, &[Sample])> {
        self.found.iter().flat_map(|(_, rows)| rows).map(|(labels, samples)| (labels, samples.as_slice()))
    }
}

impl SeriesSource for Gathered {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let same = |s: &Selection| {
            s.matchers == selection.matchers && s.from_ms <= selection.from_ms && s.to_ms >= selection.to_ms
        };
        let Some((_, series)) = self.found.iter().find(|(s, _)| same(s)) else {
            let text = "a selector was not fetched before its evaluation".to_owned();
            return Err(SourceError { kind: ErrorKind::Internal, text });
        };
        Ok(Box::new(series.iter().map(|(labels, samples)| {
            Ok(SourceSeries {
                labels: Cow::Borrowed(labels),
                samples: Cow::Borrowed(samples.as_slice()),
                native_histograms: false,
            })
        })))
    }
}

/// Fetches series for queries of one tenant.
pub struct Gather<'a> {
    pub store: &'a Arc<dyn Store>,
    pub ctx: &'a TenantCtx,
}

impl Gather<'_> {
    /// Everything that `selections` name. Errors: `Exhausted` above a limit, those of the store.
    pub async fn all(
        &self,
        selections: Vec<Selection>,
        spelling: &Spelling,
    ) -> Result<Gathered, ph_store::Error> {
        let mut found: Vec<(Selection, Vec<(Labels, Vec<Sample>)>)> = Vec::new();
        let (mut series, mut samples) = (0, 0);
        for selection in merged(selections) {
            let range = RangeMs::new(selection.from_ms, selection.to_ms.saturating_add(1));
            let rows = self.select(&selection.matchers, range, (spelling, MOST_SERIES - series)).await?;
            series += rows.len();
            samples += rows.iter().map(|(_, s)| s.len()).sum::<usize>();
            if samples > MOST_SAMPLES {
                return Err(ph_store::Error::new(
                    ErrorKind::Exhausted,
                    format!(
                        "the query reads more than {MOST_SAMPLES} samples; select fewer series or a shorter range"
                    ),
                ));
            }
            found.push((selection, rows));
        }
        Ok(Gathered { found })
    }

    /// Series as the query sees them, ascending by those labels; of names that are views, what they show where no series has
    /// the name itself.
    async fn select(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        (spelling, most): (&Spelling, usize),
    ) -> Result<Vec<(Labels, Vec<Sample>)>, ph_store::Error> {
        let real = self.stored(matchers, range, (spelling, most)).await?;
        let views = views::meant(matchers);
        if views.is_empty() {
            return Ok(real);
        }
        let tests: Result<Vec<LabelTest>, _> = matchers.iter().map(LabelTest::new).collect();
        let tests = tests.map_err(|e| ph_store::Error::new(ErrorKind::Invalid, e.to_string()))?;
        let shown = |labels: &Labels| tests.iter().all(|t| t.accepts(labels.value(t.name()).unwrap_or("")));
        let of = |labels: &Labels| labels.value("cluster").unwrap_or_default().to_owned();
        // Not only of those that the other matchers let through.
        let name: Vec<Matcher> = matchers.iter().filter(|m| m.name == "__name__").cloned().collect();
        let whole = self.stored(&name, range, (spelling, most)).await?;
        let own: BTreeSet<String> = whole.iter().map(|(labels, _)| of(labels)).collect();
        let mut rows: BTreeMap<Labels, Vec<Sample>> = real.into_iter().collect();
        for view in views {
            for (labels, samples) in self.stored(&view.matchers(matchers), range, (spelling, most)).await? {
                if own.contains(&of(&labels)) {
                    continue;
                }
                for (labels, samples) in view.apply(&labels, samples).into_iter().filter(|(l, _)| shown(l)) {
                    let row = rows.entry(labels).or_default();
                    if row.is_empty() {
                        *row = samples;
                    } else {
                        join(row, samples);
                    }
                }
            }
        }
        Ok(rows.into_iter().collect())
    }

    /// Series that are stored, as the query sees them.
    async fn stored(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        (spelling, most): (&Spelling, usize),
    ) -> Result<Vec<(Labels, Vec<Sample>)>, ph_store::Error> {
        let selector = Selector::new(matchers).map_err(|e| ph_store::Error::new(ErrorKind::Invalid, e))?;
        let Some(pushed) = self.pushed(matchers, range, &selector).await? else { return Ok(Vec::new()) };
        let ask = SeriesAsk { matchers: pushed, range, max_series: most };
        let mut stream = self.store.select_series(self.ctx, ask).await?;
        let mut rows: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
        let mut samples = 0;
        while let Some(batch) = stream.next().await {
            for one in batch? {
                if !selector.accepts(&one.labels, (&one.unit, one.kind)) {
                    continue;
                }
                samples += one.samples.len();
                if samples > MOST_SAMPLES {
                    return Err(ph_store::Error::new(
                        ErrorKind::Exhausted,
                        format!("a selector reads more than {MOST_SAMPLES} samples; add label matchers"),
                    ));
                }
                let labels = spelling.labels(&one.labels, (&one.unit, one.kind), selector.as_stored);
                let row = rows.entry(labels).or_default();
                if row.is_empty() {
                    *row = one.samples;
                } else {
                    join(row, one.samples);
                }
            }
        }
        Ok(rows.into_iter().collect())
    }

    /// Matchers for the store, which may accept more than is meant; `None` when nothing can be.
    pub async fn pushed(
        &self,
        matchers: &[Matcher],
        range: RangeMs,
        selector: &Selector,
    ) -> Result<Option<Vec<Matcher>>, ph_store::Error> {
        let ask = |most| SeriesAsk { matchers: Vec::new(), range, max_series: most };
        let labels = self.store.label_names(self.ctx, ask(MOST_NAMES)).await?;
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
            pushed.push(name.clone());
            return Ok(Some(pushed));
        }
        let names = self.store.label_values(self.ctx, "__name__", ask(MOST_NAMES)).await?;
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
        let mut stream = self.store.select_series(self.ctx, ask).await?;
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

/// Selections of equal matchers as one, over the range of all, so that nothing is fetched twice.
fn merged(selections: Vec<Selection>) -> Vec<Selection> {
    let mut out: Vec<Selection> = Vec::new();
    for one in selections {
        match out.iter_mut().find(|s| s.matchers == one.matchers) {
            Some(known) => {
                known.from_ms = known.from_ms.min(one.from_ms);
                known.to_ms = known.to_ms.max(one.to_ms);
            }
            None => out.push(one),
        }
    }
    out
}

/// Two stored series that are one to the query: of two samples at one time the first stays.
fn join(into: &mut Vec<Sample>, more: Vec<Sample>) {
    into.extend(more);
    into.sort_by_key(|s| s.at_ms);
    into.dedup_by_key(|s| s.at_ms);
}

/// A name as a pattern that means it alone.
fn escape(name: &str) -> String {
    let special = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
