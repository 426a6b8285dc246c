//! Arithmetic as the language defines it, where it differs from what the machine or Rust gives.

/// The smaller; NaN when one is, but negative infinity wins over NaN.
pub fn least(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else if a < b {
        a
    } else {
        b
    }
}

/// The larger; NaN when one is, but infinity wins over NaN.
pub fn most(a: f64, b: f64) -> f64 {
    -least(-a, -b)
}

pub fn power(a: f64, b: f64) -> f64 {
    a.powf(b)
}

/// Adds `value` to a Kahan–Neumaier sum with its compensation.
pub fn add(value: f64, sum: &mut f64, compensation: &mut f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *compensation = 0.0;
    } else if sum.abs() >= value.abs() {
        *compensation += (*sum - total) + value;
    } else {
        *compensation += (value - total) + *sum;
    }
    *sum = total;
}

/// A compensated sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub sum: f64,
    pub compensation: f64,
}

impl Sum {
    pub fn add(&mut self, value: f64) {
        add(value, &mut self.sum, &mut self.compensation);
    }

    pub fn total(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.compensation }
    }
}

/// A compensated mean: a sum over a count, until the sum would overflow; then it is kept as a mean.
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    sum: f64,
    compensation: f64,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub fn of(first: f64) -> Self {
        Self { sum: first, compensation: 0.0, count: 1.0, incremental: false }
    }

    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let (mut sum, mut compensation) = (self.sum, self.compensation);
            add(value, &mut sum, &mut compensation);
            if !sum.is_infinite() {
                self.sum = sum;
                self.compensation = compensation;
                return;
            }
            self.incremental = true;
            self.sum /= self.count - 1.0;
            self.compensation /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        self.sum *= weight;
        self.compensation *= weight;
        add(value / self.count, &mut self.sum, &mut self.compensation);
    }

    pub fn value(&self) -> f64 {
        if self.incremental {
            self.sum + self.compensation
        } else {
            self.sum / self.count + self.compensation / self.count
        }
    }
}

/// The φ-quantile of `values`, which it sorts, NaN first; NaN without values, ∓Inf for φ below 0 and above 1.
pub fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| {
        b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    let last = values.len() - 1;
    let rank = phi * last as f64;
    let lower = (rank.floor().max(0.0) as usize).min(last);
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

/// Whether two numbers differ by no more than `tolerance` of their sum.
pub fn nearly_equal(a: f64, b: f64, tolerance: f64) -> bool {
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_what_small_terms_add() {
        let mut sum = Sum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.total(), 2.0);
        let mut mean = Mean::of(f64::MAX);
        mean.add(f64::MAX);
        assert_eq!(mean.value(), f64::MAX);
    }

    #[test]
    fn extremes_treat_nan_as_the_language_does() {
        assert!(least(1.0, f64::NAN).is_nan());
        assert_eq!(least(f64::NAN, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!(most(f64::INFINITY, f64::NAN), f64::INFINITY);
        assert_eq!(most(1.0, 2.0), 2.0);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(0.5, &mut [3.0, 1.0, 2.0, 4.0]), 2.5);
        assert_eq!(quantile(1.5, &mut [1.0]), f64::INFINITY);
        assert!(quantile(0.0, &mut [1.0, f64::NAN]).is_nan());
    }
}
