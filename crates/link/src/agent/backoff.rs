//! How long to wait before the next try: doubling, with jitter, up to a cap.

use std::time::Duration;

pub(super) struct Backoff {
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

    /// Between half and all of the current step, so that a fleet does not dial in one instant.
    pub fn next(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.cap);
        jittered(step)
    }

    pub fn longest(&self) -> Duration {
        jittered(self.cap)
    }
}

fn jittered(step: Duration) -> Duration {
    let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    step.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let steps = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map(Duration::from_millis);
        for step in steps {
            let wait = backoff.next();
            assert!(step / 2 <= wait && wait <= step, "{wait:?} for a step of {step:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
    }
}
