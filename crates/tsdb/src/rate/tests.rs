//! Range functions against a plain reference and against worked examples.

use ph_model::stale_marker;
use proptest::prelude::*;

use super::*;

fn samples(rows: &[(i64, f64)]) -> Vec<Sample> {
    rows.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect()
}

fn at(rows: &[(i64, f64)], function: RangeFn, range_ms: i64, at_ms: i64) -> Option<f64> {
    rate_at(&samples(rows), function, range_ms, Grid { start_ms: at_ms, end_ms: at_ms, step_ms: 1 })[0]
}

/// One step by the book: scan everything, no state between steps.
fn reference(rows: &[Sample], function: RangeFn, range_ms: i64, at_ms: i64) -> Option<f64> {
    let mut inside = rows.iter().filter(|s| at_ms - range_ms < s.at_ms && s.at_ms <= at_ms);
    if function == RangeFn::Last {
        return inside.next_back().filter(|s| !is_stale_marker(s.value)).map(|s| s.value);
    }
    let window: Vec<Sample> = inside.filter(|s| !is_stale_marker(s.value)).copied().collect();
    if window.len() < 2 {
        return None;
    }
    let (first, last) = (window[0], window[window.len() - 1]);
    let counter = function != RangeFn::Delta;
    let mut change = last.value - first.value;
    for pair in window.windows(2) {
        if counter && pair[1].value < pair[0].value {
            change += pair[0].value;
        }
    }
    let sampled = (last.at_ms - first.at_ms) as f64 / 1000.0;
    let mean = sampled / (window.len() - 1) as f64;
    let mut to_start = (first.at_ms - (at_ms - range_ms)) as f64 / 1000.0;
    let mut to_end = (at_ms - last.at_ms) as f64 / 1000.0;
    if to_start >= mean * 1.1 {
        to_start = mean / 2.0;
    }
    if counter && change > 0.0 && first.value >= 0.0 {
        to_start = to_start.min(sampled * (first.value / change));
    }
    if to_end >= mean * 1.1 {
        to_end = mean / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if function == RangeFn::Rate {
        factor /= range_ms as f64 / 1000.0;
    }
    Some(change * factor)
}

#[test]
fn worked_examples() {
    let steady: Vec<(i64, f64)> = (0..=20).map(|i| (i * 15_000, 100.0 + 30.0 * i as f64)).collect();
    assert_eq!(at(&steady, RangeFn::Rate, 60_000, 300_000).map(|v| (v * 1e9).round()), Some(2e9));
    assert_eq!(at(&steady, RangeFn::Increase, 60_000, 300_000).map(|v| (v * 1e9).round()), Some(120e9));
    // The sample at the left border is outside.
    assert_eq!(at(&steady, RangeFn::Increase, 15_000, 15_000), None);
    assert_eq!(at(&steady, RangeFn::Increase, 15_001, 15_000).map(|v| v.round()), Some(30.0));
    // A reset: 10, 20, 5, 15 rises by 10, then 5 from zero, then 10.
    let reset = [(1, 10.0), (10_001, 20.0), (20_001, 5.0), (30_001, 15.0)];
    assert_eq!(at(&reset, RangeFn::Increase, 30_001, 30_001).map(|v| (v * 1000.0).round()), Some(25_001.0));
    assert_eq!(at(&reset, RangeFn::Delta, 30_001, 30_001).map(|v| v.round()), Some(5.0));
    // A counter that starts near zero is not extended to before its zero: 1 s of 10 s before, 5 s after.
    let young = [(50_000, 1.0), (60_000, 11.0)];
    assert_eq!(at(&young, RangeFn::Increase, 60_000, 100_000), Some(16.0));
    assert_eq!(at(&young, RangeFn::Delta, 60_000, 100_000), Some(25.0));
}

#[test]
fn stale_markers_end_instant_values_and_are_skipped_in_ranges() {
    let rows = [(0, 1.0), (10_000, 2.0), (20_000, stale_marker()), (400_000, 7.0)];
    let last = |at_ms| at(&rows, RangeFn::Last, 300_000, at_ms);
    assert_eq!(
        [last(-1), last(0), last(19_999), last(20_000), last(399_999), last(400_000)],
        [None, Some(1.0), Some(2.0), None, None, Some(7.0)]
    );
    assert_eq!([last(699_999), last(700_000)], [Some(7.0), None]);
    assert_eq!(at(&rows, RangeFn::Delta, 60_000, 20_000), Some(2.5));
    let nan = at(&[(0, f64::NAN)], RangeFn::Last, 300_000, 1);
    assert!(nan.is_some_and(f64::is_nan));
}

#[test]
fn grids_count_their_steps() {
    let steps = |start_ms, end_ms, step_ms| Grid { start_ms, end_ms, step_ms }.steps();
    assert_eq!(
        [steps(0, 0, 1), steps(0, 59, 15), steps(0, 60, 15), steps(1, 0, 1), steps(0, 1, 0)],
        [1, 4, 5, 0, 0]
    );
    let wide = Grid { start_ms: i64::MIN, end_ms: i64::MAX, step_ms: i64::MAX };
    assert_eq!(wide.times().collect::<Vec<_>>(), vec![i64::MIN, -1, i64::MAX - 1]);
    assert_eq!(
        rate_at(&samples(&[(i64::MIN, 1.0), (i64::MAX, 2.0)]), RangeFn::Rate, i64::MAX, wide).len(),
        3
    );
}

proptest! {
    #[test]
    fn equals_the_reference(
        rows in prop::collection::vec((1_i64..40_000, prop_oneof![8 => (0_u32..50).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(stale_marker()), 1 => Just(f64::INFINITY), 1 => -5.0..5.0_f64]), 0..80),
        function in prop::sample::select(vec![RangeFn::Rate, RangeFn::Increase, RangeFn::Delta, RangeFn::Last]),
        range_ms in 1_i64..400_000, start_ms in -100_000_i64..400_000, step_ms in 1_i64..100_000, steps in 1_i64..60)
    {
        let mut at_ms = 0;
        let rows: Vec<Sample> = rows.into_iter().map(|(gap, value)| { at_ms += gap; Sample { at_ms, value } }).collect();
        let grid = Grid { start_ms, end_ms: start_ms + step_ms * (steps - 1), step_ms };
        let got = rate_at(&rows, function, range_ms, grid);
        let expected: Vec<Option<f64>> = grid.times().map(|t| reference(&rows, function, range_ms, t)).collect();
        let same = |a: &Option<f64>, b: &Option<f64>| match (a, b) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (a, b) => a.is_none() && b.is_none(),
        };
        prop_assert!(got.len() == expected.len() && got.iter().zip(&expected).all(|(a, b)| same(a, b)), "{:?}\n{:?}", got, expected);
    }
}
