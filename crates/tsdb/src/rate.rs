//! Range functions on a grid of steps: what every chart draws.
//!
//! In:     samples of one series, strictly ascending.
//! Out:    one optional value a step.
//! Source: the extrapolation rule of Prometheus' `rate`, `increase` and `delta`.

use std::borrow::Cow;

use ph_model::{Sample, is_stale_marker};

/// Threshold for extrapolating to a range's edge, in mean intervals.
const NEAR_EDGE: f64 = 1.1;

/// What is computed at each step from the samples in `(t - range, t]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeFn {
    /// Per-second increase of a counter.
    Rate,
    /// Increase of a counter over the range.
    Increase,
    /// Difference of a gauge over the range.
    Delta,
    /// The newest value, unless a stale marker is newer. The range is the lookback, customarily 5 min.
    Last,
}

/// Steps `start, start + step, …` up to and including `end`. All ms UTC; `step_ms` is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub start_ms: i64,
    pub end_ms: i64,
    pub step_ms: i64,
}

impl Grid {
    /// How many steps there are; 0 when the grid is empty or its step is not above 0.
    pub fn steps(&self) -> usize {
        if self.step_ms <= 0 || self.end_ms < self.start_ms {
            return 0;
        }
        let span = i128::from(self.end_ms) - i128::from(self.start_ms);
        usize::try_from(span / i128::from(self.step_ms) + 1).unwrap_or(usize::MAX)
    }

    /// Times of all steps, ascending.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        let grid = *self;
        (0..self.steps()).map(move |i| {
            let at = i128::from(grid.start_ms) + i as i128 * i128::from(grid.step_ms);
            i64::try_from(at).unwrap_or(i64::MAX)
        })
    }
}

/// Evaluates `function` over `(t - range_ms, t]` at each step `t`; `None` where it has no value.
///
/// `Rate`, `Increase` and `Delta` skip stale markers and need two samples. A fall of a counter is a reset: the value
/// before it is added. The result is extended to an edge of the range when the edge is nearer than 1.1 mean
/// intervals, else by half an interval, and a counter never to before its extrapolated zero.
///
/// Cost: O(samples + steps), and one addition for each reset in each range that holds it.
/// The caller bounds `grid.steps()`: that many entries are allocated.
pub fn rate_at(samples: &[Sample], function: RangeFn, range_ms: i64, grid: Grid) -> Vec<Option<f64>> {
    match function {
        RangeFn::Last => last_at(samples, range_ms, grid),
        _ => extrapolated(samples, function, range_ms, grid),
    }
}

fn last_at(samples: &[Sample], lookback_ms: i64, grid: Grid) -> Vec<Option<f64>> {
    let mut next = 0;
    let value_at = |at_ms: i64| {
        while samples.get(next).is_some_and(|s| s.at_ms <= at_ms) {
            next += 1;
        }
        let newest = samples.get(next.checked_sub(1)?)?;
        let fresh = newest.at_ms > at_ms.saturating_sub(lookback_ms);
        (fresh && !is_stale_marker(newest.value)).then_some(newest.value)
    };
    grid.times().map(value_at).collect()
}

fn extrapolated(samples: &[Sample], function: RangeFn, range_ms: i64, grid: Grid) -> Vec<Option<f64>> {
    let live: Cow<'_, [Sample]> = if samples.iter().any(|s| is_stale_marker(s.value)) {
        samples.iter().filter(|s| !is_stale_marker(s.value)).copied().collect()
    } else {
        samples.into()
    };
    // Index of the sample after each reset.
    let resets: Vec<usize> = match function {
        RangeFn::Delta => Vec::new(),
        _ => live.windows(2).zip(1..).filter(|(w, _)| w[1].value < w[0].value).map(|(_, i)| i).collect(),
    };
    let (mut from, mut to, mut first_reset) = (0, 0, 0);
    let value_at = |at_ms: i64| {
        let start_ms = at_ms.saturating_sub(range_ms);
        while live.get(to).is_some_and(|s| s.at_ms <= at_ms) {
            to += 1;
        }
        while from < to && live[from].at_ms <= start_ms {
            from += 1;
        }
        while resets.get(first_reset).is_some_and(|i| *i <= from) {
            first_reset += 1;
        }
        let window = live.get(from..to).filter(|w| w.len() >= 2)?;
        let mut change = window[window.len() - 1].value - window[0].value;
        for after in resets[first_reset..].iter().take_while(|i| **i < to) {
            change += live[after - 1].value;
        }
        extend(window, change, Edges { function, start_ms, end_ms: at_ms, range_ms })
    };
    grid.times().map(value_at).collect()
}

struct Edges {
    function: RangeFn,
    start_ms: i64,
    end_ms: i64,
    range_ms: i64,
}

fn seconds(from_ms: i64, to_ms: i64) -> f64 {
    (i128::from(to_ms) - i128::from(from_ms)) as f64 / 1000.0
}

/// Extends the change seen between the first and the last sample to the range.
fn extend(window: &[Sample], change: f64, edges: Edges) -> Option<f64> {
    let (first, last) = (window.first()?, window.last()?);
    let sampled = seconds(first.at_ms, last.at_ms);
    let interval = sampled / (window.len() - 1) as f64;
    let reach = |gap: f64| if gap >= interval * NEAR_EDGE { interval / 2.0 } else { gap };
    let mut before = reach(seconds(edges.start_ms, first.at_ms));
    let after = reach(seconds(last.at_ms, edges.end_ms));
    if edges.function != RangeFn::Delta && change > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / change);
        if to_zero < before {
            before = to_zero;
        }
    }
    let mut factor = (sampled + before + after) / sampled;
    if edges.function == RangeFn::Rate {
        factor /= edges.range_ms as f64 / 1000.0;
    }
    Some(change * factor)
}

#[cfg(test)]
mod tests;
