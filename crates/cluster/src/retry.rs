//! How a watch that fails is tried again.

use std::time::{Duration, Instant};

use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;

/// After so long without a failure the next one is a first one.
const HEALTHY: Duration = Duration::from_secs(120);

/// 0.8 s to 30 s with jitter. A watch says that it begins before it asks, so only time tells that it went well.
#[derive(Default)]
pub struct Patience {
    inner: DefaultBackoff,
    failed: Option<Instant>,
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.failed.replace(now).is_some_and(|before| now.duration_since(before) > HEALTHY) {
            self.inner.reset();
        }
        self.inner.next()
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_though_each_try_begins_well() {
        let mut patience = Patience::default();
        let waits: Vec<Duration> = (0..8)
            .filter_map(|_| {
                patience.reset();
                patience.next()
            })
            .collect();
        assert_eq!(waits.len(), 8);
        assert!(waits[7] >= Duration::from_secs(15), "{waits:?}");
    }
}
