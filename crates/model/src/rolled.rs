//! Windows of samples, summed up: what roll-ups keep of a series when its samples are gone.

use crate::{Sample, is_stale_marker};

/// What the samples of one series in one window come to. A window is open on the left and closed on the right, as wide
/// as its resolution, and ends at a multiple of it: the way ranges of Prometheus' query language lie.
///
/// Two neighbours, or the earlier and later part of one window, [fold](Rolled::fold) into what both hold together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rolled {
    /// ms UTC.
    pub end_ms: i64,
    /// Samples; stale markers are none. Without any, the values below say nothing.
    pub count: u64,
    pub sum: f64,
    /// NaN only when all are.
    pub min: f64,
    pub max: f64,
    pub first: Sample,
    pub last: Sample,
    /// The values before each fall, summed up: `last - first + lost` is the increase of a counter.
    pub lost: f64,
    /// When the series ended, if nothing came after that in the window; ms UTC.
    pub stale_ms: Option<i64>,
}

impl Rolled {
    fn of(sample: Sample, end_ms: i64) -> Self {
        let Sample { at_ms, value } = sample;
        let stale = is_stale_marker(value);
        Self {
            end_ms,
            count: u64::from(!stale),
            sum: value,
            min: value,
            max: value,
            first: sample,
            last: sample,
            lost: 0.0,
            stale_ms: stale.then_some(at_ms),
        }
    }

    /// Adds what came later.
    pub fn fold(&mut self, later: &Rolled) {
        self.stale_ms = later.stale_ms;
        self.end_ms = later.end_ms;
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *later;
            return;
        }
        self.lost += later.lost + if later.first.value < self.last.value { self.last.value } else { 0.0 };
        self.count += later.count;
        self.sum += later.sum;
        if later.min < self.min || self.min.is_nan() {
            self.min = later.min;
        }
        if later.max > self.max || self.max.is_nan() {
            self.max = later.max;
        }
        self.last = later.last;
    }

    /// Appends a window that begins where the last one's samples end, or goes on in it.
    pub fn push(list: &mut Vec<Rolled>, later: Rolled) {
        match list.last_mut().filter(|last| last.end_ms == later.end_ms) {
            Some(last) => last.fold(&later),
            None => list.push(later),
        }
    }

    /// The windows of samples with strictly ascending times; `resolution_ms` is above zero.
    pub fn roll(samples: &[Sample], resolution_ms: i64) -> Vec<Rolled> {
        let step = resolution_ms.max(1);
        let end_of = |at_ms: i64| at_ms.saturating_add(step - 1).div_euclid(step).saturating_mul(step);
        let mut out: Vec<Rolled> = Vec::new();
        for run in samples.chunk_by(|a, b| end_of(a.at_ms) == end_of(b.at_ms)) {
            let Some((first, rest)) = run.split_first() else { continue };
            let mut rolled = Rolled::of(*first, end_of(first.at_ms));
            rest.iter().for_each(|sample| rolled.fold(&Rolled::of(*sample, rolled.end_ms)));
            rolled.sum = total(run);
            out.push(rolled);
        }
        out
    }
}

/// A compensated sum, without stale markers.
fn total(samples: &[Sample]) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0_f64);
    for value in samples.iter().map(|s| s.value).filter(|v| !is_stale_marker(*v)) {
        let next = sum + value;
        if next.is_infinite() {
            rest = 0.0;
        } else if sum.abs() >= value.abs() {
            rest += (sum - next) + value;
        } else {
            rest += (value - next) + sum;
        }
        sum = next;
    }
    if sum.is_infinite() { sum } else { sum + rest }
}

#[cfg(test)]
mod tests {
    //! Windows hold what their samples come to, however they are cut.

    use super::*;
    use crate::stale_marker;

    fn samples(list: &[(i64, f64)]) -> Vec<Sample> {
        list.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect()
    }

    #[test]
    fn windows_are_open_on_the_left() {
        let rolled = Rolled::roll(&samples(&[(0, 1.0), (1, 2.0), (10, 3.0), (11, 4.0)]), 10);
        let ends: Vec<(i64, u64, f64)> = rolled.iter().map(|r| (r.end_ms, r.count, r.sum)).collect();
        assert_eq!(ends, [(0, 1, 1.0), (10, 2, 5.0), (20, 1, 4.0)]);
    }

    #[test]
    fn falls_ends_and_extremes() {
        let list = [(1, 5.0), (2, 7.0), (3, f64::NAN), (4, 2.0), (5, 1.0), (6, stale_marker())];
        let [one] = Rolled::roll(&samples(&list), 10)[..] else { panic!() };
        assert_eq!((one.count, one.min, one.max, one.stale_ms), (5, 1.0, 7.0, Some(6)));
        assert_eq!((one.first.at_ms, one.last.at_ms), (1, 5));
        assert!(one.sum.is_nan());
        let list = [(1, 5.0), (2, 7.0), (3, 2.0), (4, 1.0), (5, 3.0)];
        let [one] = Rolled::roll(&samples(&list), 10)[..] else { panic!() };
        assert_eq!((one.lost, one.last.value - one.first.value + one.lost), (9.0, 7.0));
        let [gone] = Rolled::roll(&samples(&[(3, stale_marker())]), 10)[..] else { panic!() };
        assert_eq!((gone.count, gone.stale_ms), (0, Some(3)));
    }

    /// Cut anywhere and folded, it is what it is whole; the sums of these numbers are exact in any order.
    #[test]
    fn folding_is_the_same_as_rolling_at_once() {
        let mut dice = 1_u64;
        let list: Vec<Sample> = (0..60)
            .map(|n| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let value = if dice >> 61 == 0 { stale_marker() } else { (dice >> 56) as f64 };
                Sample { at_ms: n * 7, value }
            })
            .collect();
        let whole = Rolled::roll(&list, 100);
        for cut in 0..list.len() {
            let mut parts = Rolled::roll(&list[..cut], 100);
            Rolled::roll(&list[cut..], 100).into_iter().for_each(|later| Rolled::push(&mut parts, later));
            assert_eq!(format!("{parts:?}"), format!("{whole:?}"), "{cut}");
        }
    }
}
