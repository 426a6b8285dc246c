//! How long to wait before the next try: doubling up to a cap, with jitter.

use std::time::Duration;

#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    step: Duration,
}

impl Backoff {
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, step: first }
    }

    pub fn reset(&mut self) {
        self.step = self.first;
    }

    /// Between half and all of the present step.
    pub fn next(&mut self) -> Duration {
        let step = self.step;
        self.step = (step * 2).min(self.cap);
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        step.mul_f64(0.5 + share / 2.0)
    }
}
