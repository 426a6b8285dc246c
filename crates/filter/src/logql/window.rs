//! Samples of lines in windows `(t − range, t]`, one value a step.

use super::ast::RangeOp;

/// One line's sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// ns UTC.
    pub at_ns: i64,
    pub value: f64,
}

/// What an operation gives at each of the times; `None` where no line lies in the window. `points` ascend by time.
/// Counters' rates and absence are not made here.
pub fn windows(
    (op, param): (RangeOp, Option<f64>),
    points: &[Point],
    (range_ns, times): (i64, &[i64]),
) -> Vec<Option<f64>> {
    let at = |time: &i64| {
        let from = points.partition_point(|p| p.at_ns <= time.saturating_sub(range_ns));
        let to = points.partition_point(|p| p.at_ns <= *time);
        let inside = points.get(from..to).unwrap_or_default();
        (!inside.is_empty()).then(|| value((op, param), inside, range_ns))
    };
    times.iter().map(at).collect()
}

fn value((op, param): (RangeOp, Option<f64>), points: &[Point], range_ns: i64) -> f64 {
    let values = || points.iter().map(|p| p.value);
    let sum = || values().sum::<f64>();
    let count = points.len() as f64;
    let seconds = range_ns as f64 / 1e9;
    match op {
        RangeOp::Rate | RangeOp::BytesRate => sum() / seconds,
        RangeOp::Count | RangeOp::Absent | RangeOp::RateCounter => count,
        RangeOp::Bytes | RangeOp::Sum => sum(),
        RangeOp::Avg => sum() / count,
        RangeOp::Min => values().fold(f64::NAN, f64::min),
        RangeOp::Max => values().fold(f64::NAN, f64::max),
        RangeOp::Stdvar => variance(points),
        RangeOp::Stddev => variance(points).sqrt(),
        RangeOp::Quantile => quantile(param.unwrap_or(f64::NAN), values().collect()),
        RangeOp::First => points.first().map_or(f64::NAN, |p| p.value),
        RangeOp::Last => points.last().map_or(f64::NAN, |p| p.value),
    }
}

fn variance(points: &[Point]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for point in points {
        count += 1.0;
        let off = point.value - mean;
        mean += off / count;
        squares += off * (point.value - mean);
    }
    squares / count
}

/// Between the two nearest ranks, as PromQL has it.
fn quantile(phi: f64, mut values: Vec<f64>) -> f64 {
    if phi.is_nan() || values.is_empty() {
        return f64::NAN;
    }
    if !(0.0..=1.0).contains(&phi) {
        return if phi < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    values.sort_by(f64::total_cmp);
    let rank = phi * (values.len() - 1) as f64;
    let (low, high) = (rank.floor() as usize, (rank.floor() as usize + 1).min(values.len() - 1));
    let part = rank - rank.floor();
    match (values.get(low), values.get(high)) {
        (Some(a), Some(b)) => a * (1.0 - part) + b * part,
        _ => f64::NAN,
    }
}
