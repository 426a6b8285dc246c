//! How long to wait before the next try: doubling up to a cap, with jitter.

use std::time::Duration;

#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, next: first }
    }

    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Between half and all of the present step.
    pub fn step(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.cap);
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        step.mul_f64(0.5 + share / 2.0)
    }
}
