//! Change over a range: `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`, `resets`, `deriv`, `predict_linear`.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#rate>; extended range selectors as described in
//! Prometheus' proposal 2025-04-04, "extended range selectors semantics".

use ph_model::Sample;

use super::range::{Slide, View, Window};
use super::rows::{ABSENT, clean, is_absent};
use crate::ast::Edges;
use crate::error::{Error, fail};
use crate::float::Sum;

/// Whether a fall of the value means that it began anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    Counter,
    Gauge,
}

/// Which of the extrapolating functions it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    Rate,
    Increase,
    Delta,
}

impl Counter {
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "rate" => Some(Self::Rate),
            "increase" => Some(Self::Increase),
            "delta" => Some(Self::Delta),
            _ => None,
        }
    }

    fn nature(self) -> Nature {
        if self == Self::Delta { Nature::Gauge } else { Nature::Counter }
    }
}

/// Which functions can work with samples beside the range.
pub fn check_edges(edges: Edges, name: &str) -> Result<(), Error> {
    let (word, good): (_, &[&str]) = match edges {
        Edges::Plain => return Ok(()),
        Edges::Anchored => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        Edges::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
    };
    if good.contains(&name) {
        return Ok(());
    }
    fail(format!("{word} modifier can only be used with: {} - not with {name}", good.join(", ")))
}

/// The extrapolated change at every step. Falls are found once, so that a step costs what enters and leaves its window.
pub fn column(slide: &Slide, samples: &[Sample], counter: Counter) -> Vec<f64> {
    // Where the value fell, and what it was before.
    let falls: Vec<(usize, f64)> = match counter.nature() {
        Nature::Gauge => Vec::new(),
        Nature::Counter => samples
            .windows(2)
            .zip(1..)
            .filter_map(|(pair, at)| match pair {
                [a, b] if b.value < a.value => Some((at, a.value)),
                _ => None,
            })
            .collect(),
    };
    let mut fall = 0;
    let values = slide.windows(samples).map(|(_, window, range)| {
        let inside = samples.get(range.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (inside.first(), inside.last()) else { return ABSENT };
        if inside.len() < 2 {
            return ABSENT;
        }
        while falls.get(fall).is_some_and(|(at, _)| *at <= range.start) {
            fall += 1;
        }
        let lost = falls.iter().skip(fall).take_while(|(at, _)| *at < range.end).map(|(_, before)| before);
        let change = lost.fold(last.value - first.value, |sum, before| sum + before);
        clean(extrapolated(change, (*first, *last), (window, inside.len()), counter))
    });
    values.collect()
}

/// Stretches the change between two samples to the whole window.
pub fn extrapolated(
    change: f64,
    (first, last): (Sample, Sample),
    (window, count): (Window, usize),
    counter: Counter,
) -> f64 {
    let mut to_start = (first.at_ms - window.start) as f64 / 1000.0;
    let mut to_end = (window.end - last.at_ms) as f64 / 1000.0;
    let sampled = (last.at_ms - first.at_ms) as f64 / 1000.0;
    let interval = sampled / (count - 1) as f64;
    let near = interval * 1.1;
    if to_start >= near {
        to_start = interval / 2.0;
    }
    if counter.nature() == Nature::Counter && change > 0.0 && first.value >= 0.0 {
        // A counter was never below zero: do not stretch it beyond that point.
        let to_zero = sampled * (first.value / change);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= near {
        to_end = interval / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if counter == Counter::Rate {
        factor /= window.seconds();
    }
    change * factor
}

/// The value at `at` on the line between two samples; a counter that fell between them began at zero.
pub fn between(a: Sample, b: Sample, at: i64, nature: Nature) -> f64 {
    let low = if nature == Nature::Counter && b.value < a.value { 0.0 } else { a.value };
    low + (b.value - low) * (at - a.at_ms) as f64 / (b.at_ms - a.at_ms) as f64
}

/// First and last sample that count for extended edges, with the values there; `None` when nothing is in the window.
fn extents(
    samples: &[Sample],
    window: Window,
    edges: Edges,
    nature: Nature,
) -> Option<(usize, usize, f64, f64)> {
    let mut last = samples.len().checked_sub(1)?;
    let all_but_last = samples.get(..last)?;
    let first = all_but_last.partition_point(|s| s.at_ms <= window.start).saturating_sub(1);
    let smoothed = edges == Edges::Smoothed;
    if smoothed {
        last = all_but_last.partition_point(|s| s.at_ms < window.end);
    }
    let (a, z) = (*samples.get(first)?, *samples.get(last)?);
    if z.at_ms <= window.start || (smoothed && a.at_ms > window.end) {
        return None;
    }
    let left = match samples.get(first + 1) {
        Some(next) if smoothed && a.at_ms < window.start => between(a, *next, window.start, nature),
        _ => a.value,
    };
    let right = match last.checked_sub(1).and_then(|i| samples.get(i)) {
        Some(before) if smoothed && z.at_ms > window.end => between(*before, z, window.end, nature),
        _ => z.value,
    };
    Some((first, last, left, right))
}

fn extended_change(view: &View<'_>, nature: Nature) -> f64 {
    let window = view.window;
    let Some((first, last, left, right)) = extents(view.samples, window, view.edges, nature) else {
        return ABSENT;
    };
    let mut change = right - left;
    if nature == Nature::Counter {
        let at = |i: usize| view.samples.get(i).map_or(0, |s| s.at_ms);
        let from = first + usize::from(at(first) <= window.start);
        let to = if at(last) >= window.end { last } else { last + 1 };
        let (mut before, mut lost) = (left, 0.0);
        for sample in view.samples.get(from..to.max(from)).unwrap_or_default() {
            if sample.value < before {
                lost += before;
            }
            before = sample.value;
        }
        if right < before {
            lost += before;
        }
        change += lost;
    }
    change
}

pub fn extended_rate(view: &View<'_>) -> f64 {
    let change = extended_change(view, Nature::Counter);
    if is_absent(change) { change } else { change / view.window.seconds() }
}

pub fn extended_increase(view: &View<'_>) -> f64 {
    extended_change(view, Nature::Counter)
}

pub fn extended_delta(view: &View<'_>) -> f64 {
    extended_change(view, Nature::Gauge)
}

/// The samples of a range with values at its edges, as a query for the range itself shows them.
pub fn extended(samples: &[Sample], window: Window, edges: Edges) -> Vec<(i64, f64)> {
    let Some((first, last, left, right)) = extents(samples, window, edges, Nature::Gauge) else {
        return Vec::new();
    };
    let at = |i: usize| samples.get(i).map_or(0, |s| s.at_ms);
    let from = first + usize::from(at(first) <= window.start);
    let to = if at(last) >= window.end { last } else { last + 1 };
    let inside = samples.get(from..to.max(from)).unwrap_or_default();
    let mut out = vec![(window.start, left)];
    out.extend(inside.iter().map(|s| (s.at_ms, s.value)));
    out.push((window.end, right));
    out
}

fn last_two(view: &View<'_>) -> Option<(Sample, Sample)> {
    match view.samples {
        [.., a, b] => Some((*a, *b)),
        _ => None,
    }
}

pub fn irate(view: &View<'_>) -> f64 {
    let Some((a, b)) = last_two(view) else { return ABSENT };
    let change = if b.value < a.value { b.value } else { b.value - a.value };
    if b.at_ms == a.at_ms { ABSENT } else { change / ((b.at_ms - a.at_ms) as f64 / 1000.0) }
}

pub fn idelta(view: &View<'_>) -> f64 {
    last_two(view).map_or(ABSENT, |(a, b)| b.value - a.value)
}

/// The samples that count for `changes` and `resets`: with an anchor, the newest at or before the start is the first.
fn counted<'s>(view: &View<'s>) -> &'s [Sample] {
    if view.edges != Edges::Anchored {
        return view.samples;
    }
    let inside = view.samples.partition_point(|s| s.at_ms <= view.window.start);
    if inside == view.samples.len() {
        return &[];
    }
    view.samples.get(inside.saturating_sub(1)..).unwrap_or_default()
}

fn count_pairs(view: &View<'_>, counts: impl Fn(f64, f64) -> bool) -> f64 {
    let samples = counted(view);
    if samples.is_empty() {
        return ABSENT;
    }
    let pairs = samples.windows(2).filter(|pair| match pair {
        [a, b] => counts(a.value, b.value),
        _ => false,
    });
    pairs.count() as f64
}

pub fn changes(view: &View<'_>) -> f64 {
    count_pairs(view, |a, b| a != b && !(a.is_nan() && b.is_nan()))
}

pub fn resets(view: &View<'_>) -> f64 {
    count_pairs(view, |a, b| b < a)
}

/// Slope a second and value at `origin_ms` of the line through the samples, by least squares.
fn regression(samples: &[Sample], origin_ms: i64) -> Option<(f64, f64)> {
    let first = samples.first().filter(|_| samples.len() > 1)?.value;
    if samples.iter().all(|s| s.value == first) {
        return Some(if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) });
    }
    let (mut xs, mut ys, mut xys, mut xxs) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for sample in samples {
        let x = (sample.at_ms - origin_ms) as f64 / 1000.0;
        xs.add(x);
        ys.add(sample.value);
        xys.add(x * sample.value);
        xxs.add(x * x);
    }
    let n = samples.len() as f64;
    let plain = |sum: Sum| sum.sum + sum.compensation;
    let (x, y, xy, xx) = (plain(xs), plain(ys), plain(xys), plain(xxs));
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}

pub fn deriv(view: &View<'_>) -> f64 {
    let origin = view.samples.first().map_or(0, |s| s.at_ms);
    regression(view.samples, origin).map_or(ABSENT, |(slope, _)| slope)
}

pub fn predict_linear(view: &View<'_>) -> f64 {
    let ahead = view.scalars.first().copied().unwrap_or(f64::NAN);
    regression(view.samples, view.time_ms).map_or(ABSENT, |(slope, now)| slope * ahead + now)
}
