//! Counters whose samples say when their counting began: `rate`, `increase`, `irate` and `resets` see by that what fell
//! between two samples, and where the line before the first one begins.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/feature_flags/>, `use-start-timestamps`; answers of Prometheus 3.15.

use std::collections::BTreeMap;

use ph_model::Sample;

use super::range::{Slide, Window};
use super::rate::{Counter, extrapolated};
use super::rows::{ABSENT, clean, is_absent};
use crate::ast::Edges;

/// A sample with the time at which its counting began.
#[derive(Clone, Copy)]
struct Point {
    sample: Sample,
    start_ms: Option<i64>,
}

/// What lies between two samples.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    /// Counting began anew.
    Reset,
    /// The second began otherwise than the first, but before that was taken.
    Overlap,
}

/// Whether a function looks at start times of a selector with such edges.
pub fn concerns(name: &str, edges: Edges) -> bool {
    match edges {
        Edges::Plain => matches!(name, "rate" | "increase" | "irate" | "resets"),
        Edges::Anchored => name == "resets",
        Edges::Smoothed => false,
    }
}

/// The function's value at every step, and at how many `rate` and `increase` met an overlap; `starts` by the samples'
/// times.
pub fn column(
    slide: &Slide,
    samples: &[Sample],
    (starts, name): (&BTreeMap<i64, i64>, &str),
) -> (Vec<f64>, u64) {
    let points: Vec<Point> = samples
        .iter()
        .map(|sample| Point { sample: *sample, start_ms: starts.get(&sample.at_ms).copied() })
        .collect();
    let mut overlaps = 0;
    let values = slide.windows(samples).map(|(_, window, range)| {
        let inside = points.get(range).unwrap_or_default();
        let value = match name {
            "irate" => irate(inside),
            "resets" => resets(anchored(inside, window, slide.edges)),
            _ => {
                overlaps += u64::from(pairs(inside).any(|(_, between)| between == Between::Overlap));
                change(inside, window, if name == "rate" { Counter::Rate } else { Counter::Increase })
            }
        };
        if is_absent(value) { value } else { clean(value) }
    });
    (values.collect(), overlaps)
}

/// With an anchor the newest sample at or before the window's start is the first; nothing without one inside.
fn anchored(points: &[Point], window: Window, edges: Edges) -> &[Point] {
    if edges != Edges::Anchored {
        return points;
    }
    let inside = points.partition_point(|p| p.sample.at_ms <= window.start);
    if inside == points.len() {
        return &[];
    }
    points.get(inside.saturating_sub(1)..).unwrap_or_default()
}

fn between(before: Point, now: Point) -> Between {
    if now.sample.value < before.sample.value {
        return Between::Reset;
    }
    let Some(start) = now.start_ms.filter(|_| now.start_ms != before.start_ms) else {
        return Between::Nothing;
    };
    let taken = before.sample.at_ms;
    if start < taken {
        Between::Overlap
    } else if start < now.sample.at_ms && (start > taken || before.start_ms.is_some()) {
        Between::Reset
    } else {
        Between::Nothing
    }
}

/// The first value of each two samples that follow each other, and what lies between them.
fn pairs(points: &[Point]) -> impl Iterator<Item = (f64, Between)> + '_ {
    points.windows(2).filter_map(|pair| match pair {
        [a, b] => Some((a.sample.value, between(*a, *b))),
        _ => None,
    })
}

/// The values before each reset.
fn lost(points: &[Point]) -> impl Iterator<Item = f64> + '_ {
    pairs(points).filter(|(_, between)| *between == Between::Reset).map(|(before, _)| before)
}

fn resets(points: &[Point]) -> f64 {
    if points.is_empty() { ABSENT } else { lost(points).count() as f64 }
}

fn irate(points: &[Point]) -> f64 {
    let [.., a, b] = points else { return ABSENT };
    let began = between(*a, *b) == Between::Reset;
    let change = if began { b.sample.value } else { b.sample.value - a.sample.value };
    let ms = b.sample.at_ms - a.sample.at_ms;
    if ms == 0 { ABSENT } else { change / (ms as f64 / 1000.0) }
}

fn change(points: &[Point], window: Window, counter: Counter) -> f64 {
    let ([first, ..], [.., last]) = (points, points) else { return ABSENT };
    let change = lost(points).fold(last.sample.value - first.sample.value, |sum, before| sum + before);
    let inside = |start: &i64| *start > window.start && *start < first.sample.at_ms;
    let Some(start_ms) = first.start_ms.filter(inside) else {
        if points.len() < 2 {
            return ABSENT;
        }
        return extrapolated(change, (first.sample, last.sample), (window, points.len()), counter);
    };
    // Where counting began the value was zero, and nothing is stretched beyond.
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let counted = seconds(last.sample.at_ms - start_ms);
    let gaps = points.len().saturating_sub(1).max(1) as f64;
    let interval = seconds(last.sample.at_ms - first.sample.at_ms) / gaps;
    let to_end = seconds(window.end - last.sample.at_ms);
    let to_end = if to_end >= interval * 1.1 { interval / 2.0 } else { to_end };
    let mut factor = (counted + to_end) / counted;
    if counter == Counter::Rate {
        factor /= window.seconds();
    }
    (change + first.sample.value) * factor
}
