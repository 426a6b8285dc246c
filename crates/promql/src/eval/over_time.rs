//! `…_over_time`, and smoothing: what the samples of a range come to.

use ph_model::Sample;

use super::range::{View, WindowFn};
use super::rows::{ABSENT, is_absent};
use super::run::Run;
use crate::ast::Call;
use crate::error::{Error, fail};
use crate::float::{Mean, Sum, quantile};

pub fn function(name: &str) -> WindowFn {
    match name {
        "absent_over_time" | "present_over_time" => |_| 1.0,
        "avg_over_time" => avg,
        "count_over_time" => |view| view.samples.len() as f64,
        "first_over_time" => |view| view.samples.first().map_or(ABSENT, |s| s.value),
        "last_over_time" => |view| view.samples.last().map_or(ABSENT, |s| s.value),
        "mad_over_time" => mad,
        "max_over_time" => |view| extreme(view.samples, |new, old| new > old).map_or(ABSENT, |s| s.value),
        "min_over_time" => |view| extreme(view.samples, |new, old| new < old).map_or(ABSENT, |s| s.value),
        "quantile_over_time" => quantile_over_time,
        "stddev_over_time" => |view| variance(view.samples).sqrt(),
        "stdvar_over_time" => |view| variance(view.samples),
        "sum_over_time" => sum,
        "ts_of_first_over_time" => |view| view.samples.first().map_or(ABSENT, seconds),
        "ts_of_last_over_time" => |view| view.samples.last().map_or(ABSENT, seconds),
        "ts_of_max_over_time" => |view| extreme(view.samples, |new, old| new >= old).map_or(ABSENT, seconds),
        "ts_of_min_over_time" => |view| extreme(view.samples, |new, old| new <= old).map_or(ABSENT, seconds),
        _ => |_| ABSENT,
    }
}

/// Refuses smoothing factors outside (0, 1), and says when a quantile is outside [0, 1], at the steps where there are
/// samples to look at.
pub fn check_arguments(
    run: &Run<'_>,
    call: &Call,
    (scalars, present): (&[Vec<f64>], &[f64]),
) -> Result<(), Error> {
    let is_there = |step: &usize| present.get(*step).is_some_and(|v| !is_absent(*v));
    match call.function.name {
        "double_exponential_smoothing" => {
            for (column, what) in scalars.iter().zip([("smoothing", "sf"), ("trend", "tf")]) {
                let bad =
                    column.iter().enumerate().find(|(step, v)| is_there(step) && (**v <= 0.0 || **v >= 1.0));
                if let Some((_, bad)) = bad {
                    let (factor, short) = what;
                    let bad = crate::number::fixed(*bad);
                    return fail(format!("invalid {factor} factor. Expected: 0 < {short} < 1, got: {bad}"));
                }
            }
            Ok(())
        }
        "quantile_over_time" => {
            if let (Some(column), Some(arg), Some(last)) =
                (scalars.first(), call.args.first(), call.args.last())
            {
                let whole = arg.span.to(last.span);
                for (_, phi) in column.iter().enumerate().filter(|(step, _)| is_there(step)) {
                    run.check_quantile(*phi, (arg.bare().span, whole));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn seconds(sample: &Sample) -> f64 {
    sample.at_ms as f64 / 1000.0
}

fn avg(view: &View<'_>) -> f64 {
    let Some((first, rest)) = view.samples.split_first() else { return ABSENT };
    let mut mean = Mean::of(first.value);
    for sample in rest {
        mean.add(sample.value);
    }
    mean.value()
}

fn sum(view: &View<'_>) -> f64 {
    let mut sum = Sum::default();
    for sample in view.samples {
        sum.add(sample.value);
    }
    sum.total()
}

/// The sample that no other one is better than; NaN only when all are.
fn extreme(samples: &[Sample], better: impl Fn(f64, f64) -> bool) -> Option<&Sample> {
    samples.iter().reduce(
        |best, new| {
            if better(new.value, best.value) || best.value.is_nan() { new } else { best }
        },
    )
}

fn quantile_over_time(view: &View<'_>) -> f64 {
    let mut values: Vec<f64> = view.samples.iter().map(|s| s.value).collect();
    quantile(view.scalars.first().copied().unwrap_or(f64::NAN), &mut values)
}

fn mad(view: &View<'_>) -> f64 {
    let mut values: Vec<f64> = view.samples.iter().map(|s| s.value).collect();
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let median = quantile(0.5, &mut values);
    let mut distances: Vec<f64> = view.samples.iter().map(|s| (s.value - median).abs()).collect();
    quantile(0.5, &mut distances)
}

/// The population variance, by Welford's method with compensated sums.
fn variance(samples: &[Sample]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for sample in samples {
        count += 1.0;
        let delta = sample.value - (mean.sum + mean.compensation);
        mean.add(delta / count);
        squares.add(delta * (sample.value - (mean.sum + mean.compensation)));
    }
    (squares.sum + squares.compensation) / count
}

/// Holt's linear method.
pub fn double_exponential_smoothing(view: &View<'_>) -> f64 {
    // Wrong factors are refused as soon as there is a sample, though it takes two for a value.
    if view.scalars.iter().any(|factor| *factor <= 0.0 || *factor >= 1.0) {
        return f64::NAN;
    }
    let [first, second, ..] = view.samples else { return ABSENT };
    let (level_weight, trend_weight) = match view.scalars {
        [level, trend, ..] => (*level, *trend),
        _ => return ABSENT,
    };
    let (mut before, mut level) = (0.0, first.value);
    let mut trend = second.value - first.value;
    for (i, sample) in view.samples.iter().skip(1).enumerate() {
        let scaled = level_weight * sample.value;
        if i > 0 {
            trend = trend_weight * (level - before) + (1.0 - trend_weight) * trend;
        }
        let carried = (1.0 - level_weight) * (level + trend);
        before = level;
        level = scaled + carried;
    }
    level
}
