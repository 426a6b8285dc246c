//! Quantiles of durations within 2 %, in bounded memory.

use std::collections::BTreeMap;

/// Two neighbouring buckets differ by this factor; a value is off by half of that at most.
const GROWTH: f64 = 1.02;

/// Counts by the logarithm of the value.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    buckets: BTreeMap<i32, u64>,
    count: u64,
}

impl Sketch {
    pub fn add(&mut self, value: u64) {
        let bucket = if value == 0 { i32::MIN } else { ((value as f64).ln() / GROWTH.ln()).round() as i32 };
        *self.buckets.entry(bucket).or_default() += 1;
        self.count += 1;
    }

    /// The value below which the share `q` of all values lies; 0 when empty.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.count as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += count;
            if below >= rank {
                return if *bucket == i32::MIN { 0 } else { GROWTH.powi(*bucket).round() as u64 };
            }
        }
        0
    }
}
