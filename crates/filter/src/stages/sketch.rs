//! Quantiles of many numbers: exact while they are few, else within one hundredth of the value.
//!
//! Source: DDSketch (Masson, Rim, Lee, 2019): counts by powers of a base a little above one.

use std::collections::BTreeMap;

/// Numbers of one group that are kept as they are.
const EXACT: usize = 1_000;
/// Steps that are kept of one group; beyond, the smallest become one.
const MOST_STEPS: usize = 1_024;
/// How far a value may be off, against the value.
const NEAR: f64 = 0.01;

/// Numbers of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    values: Vec<f64>,
    /// By step: the sign and the power. Ascending as the numbers do.
    steps: BTreeMap<(i8, i32), u64>,
    count: u64,
}

impl Sketch {
    /// Takes a number. `room` is how many may still be kept as they are over all groups.
    pub fn add(&mut self, value: f64, room: &mut usize) {
        self.count += 1;
        if self.steps.is_empty() && self.values.len() < EXACT && *room > 0 {
            *room -= 1;
            self.values.push(value);
            return;
        }
        *room += self.values.len();
        for value in std::mem::take(&mut self.values) {
            *self.steps.entry(step(value)).or_default() += 1;
        }
        *self.steps.entry(step(value)).or_default() += 1;
        while self.steps.len() > MOST_STEPS {
            let Some((_, n)) = self.steps.pop_first() else { break };
            if let Some(mut least) = self.steps.first_entry() {
                *least.get_mut() += n;
            }
        }
    }

    pub fn is_exact(&self) -> bool {
        self.steps.is_empty()
    }

    /// The smallest number that at least this part of all do not exceed; `None` of none.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let rank = ((part * self.count as f64).ceil() as u64).clamp(1, self.count);
        if self.is_exact() {
            let mut sorted = self.values.clone();
            sorted.sort_by(f64::total_cmp);
            return sorted.get(usize::try_from(rank - 1).ok()?).copied();
        }
        let mut below = 0;
        for (at, n) in &self.steps {
            below += n;
            if below >= rank {
                return Some(middle(*at));
            }
        }
        None
    }
}

fn base() -> f64 {
    (1.0 + NEAR) / (1.0 - NEAR)
}

fn step(value: f64) -> (i8, i32) {
    if value.abs() < f64::MIN_POSITIVE {
        return (0, 0);
    }
    let power = (value.abs().ln() / base().ln()).ceil() as i32;
    // Of negative numbers the greater power is the smaller number.
    if value < 0.0 { (-1, -power) } else { (1, power) }
}

fn middle((sign, power): (i8, i32)) -> f64 {
    let of = |power: i32| 2.0 * base().powi(power) / (base() + 1.0);
    match sign {
        0 => 0.0,
        1 => of(power),
        _ => -of(-power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn quantiles_are_near_what_they_are(values in proptest::collection::vec(-1e6f64..1e9, 1..3_000), part in 0.01f64..1.0) {
            let mut sketch = Sketch::default();
            let mut room = 1_500;
            for value in &values {
                sketch.add(*value, &mut room);
            }
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = ((part * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let (want, got) = (sorted[rank - 1], sketch.quantile(part).unwrap());
            let off = if sketch.is_exact() { 0.0 } else { want.abs() * NEAR * 1.001 };
            proptest::prop_assert!((got - want).abs() <= off, "{got} for {want}");
        }
    }

    #[test]
    fn many_magnitudes_keep_their_upper_end() {
        let mut sketch = Sketch::default();
        for i in -300..300 {
            for times in [1.0, 2.0, 4.0] {
                (0..10).for_each(|_| sketch.add(times * 10f64.powi(i), &mut 0));
            }
        }
        assert!(sketch.steps.len() <= MOST_STEPS);
        let p99 = sketch.quantile(0.99).unwrap();
        assert!((p99 / 4e293 - 1.0).abs() < 0.011, "{p99}");
    }
}
