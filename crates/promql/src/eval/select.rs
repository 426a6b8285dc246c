//! Selectors: the newest sample of each series at each step, and the raw samples of a range.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ph_model::{Labels, Rolled, Sample, is_stale_marker};

use super::grid::{Grid, Resolved, instant_selection, range_selection, resolve};
use super::rolled;
use super::rows::{ABSENT, Row, Rows, clean, is_absent};
use super::run::Run;
use crate::ast::{Edges, Expr, ExprKind, Selector};
use crate::error::Error;
use crate::source::{Selection, SourceError, SourceSeries};

/// What stands in a column of an instant selector.
#[derive(Clone, Copy, PartialEq)]
pub enum Give {
    Value,
    /// The sample's own time, in seconds.
    Time,
    /// When what the sample counts began, in seconds; 0 where that is not known.
    Start,
}

/// What a source gave of a series.
pub enum Found<'r> {
    Samples(Cow<'r, [Sample]>),
    Rolled(Cow<'r, [Rolled]>),
}

impl Run<'_> {
    /// The series of a selection, counted; those with native histograms are an error.
    pub fn select<'r>(
        &'r self,
        selection: &Selection,
    ) -> Result<impl Iterator<Item = Result<(Labels, Cow<'r, [Sample]>), Error>> + 'r, Error> {
        Ok(self.select_any(selection)?.map(|one| match one? {
            (labels, Found::Samples(samples)) => Ok((labels, samples)),
            (labels, Found::Rolled(_)) => {
                Err(Error::Execution(format!("{labels} came as roll-ups, which cannot give this")))
            }
        }))
    }

    /// The series of a selection, as samples or as windows of them.
    pub fn select_any<'r>(
        &'r self,
        selection: &Selection,
    ) -> Result<impl Iterator<Item = Result<(Labels, Found<'r>), Error>> + 'r, Error> {
        let series = self.source.select(selection).map_err(source_error)?;
        let (from, to) = (selection.from_ms, selection.to_ms);
        Ok(series.map(move |one| {
            let SourceSeries { labels, samples, rolled, native_histograms } = one.map_err(source_error)?;
            if native_histograms {
                return Err(Error::NativeHistograms(format!("the series {labels} holds them")));
            }
            if let Some(rolled) = rolled {
                self.read(rolled.len())?;
                return Ok((labels.into_owned(), Found::Rolled(rolled)));
            }
            let samples = clip(samples, from, to);
            self.read(samples.len())?;
            Ok((labels.into_owned(), Found::Samples(samples)))
        }))
    }

    pub fn instant_selector<'r>(&'r self, selector: &'r Selector, grid: Grid) -> Result<Rows<'r>, Error> {
        self.selector_giving(selector, grid, Give::Value)
    }

    pub fn selector_giving<'r>(
        &'r self,
        selector: &'r Selector,
        grid: Grid,
        give: Give,
    ) -> Result<Rows<'r>, Error> {
        let selection = instant_selection(selector, grid, self.params)?;
        let shift = resolve(&selector.shift, self.params)?;
        let lookback = self.params.lookback_ms;
        let smoothed = selector.edges == Edges::Smoothed && give == Give::Value;
        let rows = self.select_any(&selection)?.map(move |series| {
            let (labels, found) = series?;
            let samples = match found {
                Found::Samples(samples) => samples,
                Found::Rolled(windows) => {
                    let column = rolled::newest(&windows, grid, (shift, lookback), give);
                    return Ok(Row::new(labels, column));
                }
            };
            let mut column = if smoothed {
                smooth(&without_markers(samples), grid, shift, lookback)
            } else {
                newest(&samples, grid, (shift, lookback), give)
            };
            if give == Give::Start {
                started_at(&mut column, self.source.starts(&labels));
            }
            Ok(Row::new(labels, column))
        });
        Ok(Box::new(rows.filter(|row: &Result<Row, Error>| !row.as_ref().is_ok_and(Row::is_empty))))
    }

    /// The samples of a range selector at one time, as an instant query for one gives them.
    pub fn raw_matrix(&self, expr: &Expr, grid: Grid) -> Result<Vec<(Labels, Vec<(i64, f64)>)>, Error> {
        let mut out = Vec::new();
        match &expr.bare().kind {
            ExprKind::Matrix(matrix) => {
                let selection = range_selection(matrix, None, grid, self.params)?;
                let end = resolve(&matrix.selector.shift, self.params)?.end(grid.start);
                let window = super::range::Window { start: end - selection.hint.range_ms, end };
                for series in self.select(&selection)? {
                    let (labels, samples) = series?;
                    let samples = without_markers(samples);
                    let points = match matrix.selector.edges {
                        Edges::Plain => samples.iter().map(|s| (s.at_ms, s.value)).collect(),
                        edges => super::rate::extended(&samples, window, edges),
                    };
                    out.push((labels, points));
                }
            }
            ExprKind::Subquery(subquery) => {
                let inner = super::grid::inner(subquery, grid, self.params)?;
                for row in super::rows::distinct(self.settled(self.vector(&subquery.of, inner)?)?)? {
                    let row = row?;
                    let points =
                        super::range::present(&row.column, inner).map(|s| (s.at_ms, s.value)).collect();
                    out.push((row.labels, points));
                }
            }
            _ => return Err(Error::Execution(format!("{expr} is no range vector"))),
        }
        out.retain(|(_, points): &(Labels, Vec<_>)| !points.is_empty());
        out.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(out)
    }
}

pub fn source_error(fault: SourceError) -> Error {
    Error::Source { kind: fault.kind, text: fault.text }
}

fn clip(samples: Cow<'_, [Sample]>, from: i64, to: i64) -> Cow<'_, [Sample]> {
    let first = samples.partition_point(|s| s.at_ms < from);
    let last = samples.partition_point(|s| s.at_ms <= to);
    if first == 0 && last == samples.len() {
        return samples;
    }
    match samples {
        Cow::Borrowed(all) => Cow::Borrowed(all.get(first..last).unwrap_or_default()),
        Cow::Owned(mut all) => {
            all.truncate(last);
            all.drain(..first.min(last));
            Cow::Owned(all)
        }
    }
}

/// Without stale markers, which range selectors do not see.
pub fn without_markers(samples: Cow<'_, [Sample]>) -> Cow<'_, [Sample]> {
    if samples.iter().any(|s| is_stale_marker(s.value)) {
        Cow::Owned(samples.iter().filter(|s| !is_stale_marker(s.value)).copied().collect())
    } else {
        samples
    }
}

/// For each step the newest sample not older than the lookback; none where that is a stale marker.
fn newest(samples: &[Sample], grid: Grid, (shift, lookback): (Resolved, i64), give: Give) -> Vec<f64> {
    let mut at = 0;
    let column = grid.times().map(|time| {
        let end = shift.end(time);
        while samples.get(at).is_some_and(|s| s.at_ms <= end) {
            at += 1;
        }
        let Some(sample) = at.checked_sub(1).and_then(|i| samples.get(i)) else { return ABSENT };
        if sample.at_ms <= end - lookback || is_stale_marker(sample.value) {
            return ABSENT;
        }
        match give {
            Give::Value => clean(sample.value),
            Give::Time | Give::Start => sample.at_ms as f64 / 1000.0,
        }
    });
    column.collect()
}

/// Puts start times in the place of samples' times, in seconds.
fn started_at(column: &mut [f64], starts: Option<&BTreeMap<i64, i64>>) {
    for seconds in column.iter_mut().filter(|v| !is_absent(**v)) {
        let start = starts.and_then(|s| s.get(&((*seconds * 1000.0).round() as i64)));
        *seconds = start.map_or(0.0, |ms| *ms as f64 / 1000.0);
    }
}

/// For each step the value on the line between the samples around it; the last one where none follows.
fn smooth(samples: &[Sample], grid: Grid, shift: Resolved, lookback: i64) -> Vec<f64> {
    let column = grid.times().map(|time| {
        let at = shift.end(time);
        let from = samples.partition_point(|s| s.at_ms <= at - lookback);
        let to = samples.partition_point(|s| s.at_ms <= at + lookback);
        let window = samples.get(from..to).unwrap_or_default();
        let next = window.partition_point(|s| s.at_ms < at);
        let before = next.checked_sub(1).and_then(|i| window.get(i));
        match (before, window.get(next)) {
            (_, Some(exact)) if exact.at_ms == at => clean(exact.value),
            (Some(a), Some(b)) => clean(super::rate::between(*a, *b, at, super::rate::Nature::Gauge)),
            (Some(a), None) => clean(a.value),
            (None, _) => ABSENT,
        }
    });
    column.collect()
}
