//! Functions over windows of samples, where the samples themselves are gone.
//!
//! In:     windows that fill each range exactly; a source gives them only for selections that they serve.
//! Out:    what the samples would have given, but for the order in which floats are added.

use ph_model::Rolled;

use super::grid::{Grid, Resolved};
use super::range::Slide;
use super::rate::{Counter, extrapolated};
use super::rows::{ABSENT, clean};
use super::select::Give;
use crate::float::Sum;

/// A function at every step.
pub fn column(slide: &Slide, windows: &[Rolled], name: &str) -> Vec<f64> {
    let (mut low, mut high) = (0, 0);
    let values = slide.grid.times().map(|time| {
        let range = slide.window(time);
        while windows.get(high).is_some_and(|w| w.end_ms <= range.end) {
            high += 1;
        }
        while windows.get(low).is_some_and(|w| w.end_ms <= range.start) {
            low += 1;
        }
        let inside = windows.get(low.min(high)..high).unwrap_or_default();
        let Some(all) = folded(inside) else { return ABSENT };
        value(&all, inside, name, slide, time)
    });
    values.collect()
}

/// All windows as one; `None` without a sample.
fn folded(inside: &[Rolled]) -> Option<Rolled> {
    let (first, rest) = inside.split_first()?;
    let mut all = *first;
    rest.iter().for_each(|later| all.fold(later));
    (all.count > 0).then_some(all)
}

fn sum(inside: &[Rolled]) -> f64 {
    let mut sum = Sum::default();
    inside.iter().filter(|w| w.count > 0).for_each(|w| sum.add(w.sum));
    sum.total()
}

fn value(all: &Rolled, inside: &[Rolled], name: &str, slide: &Slide, time: i64) -> f64 {
    if let Some(counter) = Counter::of(name) {
        if all.count < 2 {
            return ABSENT;
        }
        let lost = if counter == Counter::Delta { 0.0 } else { all.lost };
        let change = all.last.value - all.first.value + lost;
        let count = usize::try_from(all.count).unwrap_or(usize::MAX);
        return clean(extrapolated(change, (all.first, all.last), (slide.window(time), count), counter));
    }
    // A mean of samples goes on where their sum is too large for a float, and only they tell how.
    if name == "avg_over_time" && all.min.is_finite() && all.max.is_finite() && sum(inside).is_infinite() {
        return ABSENT;
    }
    clean(match name {
        "absent_over_time" | "present_over_time" => 1.0,
        "avg_over_time" => sum(inside) / all.count as f64,
        "count_over_time" => all.count as f64,
        "first_over_time" => all.first.value,
        "last_over_time" => all.last.value,
        "max_over_time" => all.max,
        "min_over_time" => all.min,
        "sum_over_time" => sum(inside),
        "ts_of_last_over_time" => all.last.at_ms as f64 / 1000.0,
        _ => return ABSENT,
    })
}

/// For each step the newest sample not older than the lookback; none where the series ended after it.
pub fn newest(windows: &[Rolled], grid: Grid, (shift, lookback): (Resolved, i64), give: Give) -> Vec<f64> {
    let mut at = 0;
    let column = grid.times().map(|time| {
        let end = shift.end(time);
        while windows.get(at).is_some_and(|w| w.end_ms <= end) {
            at += 1;
        }
        let newest = at.checked_sub(1).and_then(|i| windows.get(i)).filter(|w| w.end_ms == end);
        let Some(window) = newest.filter(|w| w.stale_ms.is_none()) else { return ABSENT };
        if window.last.at_ms <= end - lookback {
            return ABSENT;
        }
        match give {
            Give::Value => clean(window.last.value),
            Give::Time => window.last.at_ms as f64 / 1000.0,
            Give::Start => 0.0,
        }
    });
    column.collect()
}

#[cfg(test)]
mod tests;
