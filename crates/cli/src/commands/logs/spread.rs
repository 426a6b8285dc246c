//! Lines by time and level when the range is not known before: steps grow as the range does, and stay exact.

use std::collections::BTreeMap;

use ph_api::LogBucket;
use ph_model::Level;

use crate::commands::logs::output::utc;

/// Steps that are kept; beyond, two become one.
const MOST: usize = 4_096;
/// The first width: a millisecond, ns.
const WIDTH: i64 = 1_000_000;

/// Counts by step and level.
#[derive(Debug)]
pub struct Spread {
    width: i64,
    steps: BTreeMap<i64, BTreeMap<Level, u64>>,
}

impl Default for Spread {
    fn default() -> Self {
        Self { width: WIDTH, steps: BTreeMap::new() }
    }
}

impl Spread {
    pub fn add(&mut self, ts_ns: i64, level: Level) {
        *self.steps.entry(ts_ns.div_euclid(self.width)).or_default().entry(level).or_default() += 1;
        while self.steps.len() > MOST {
            self.widen(2);
        }
    }

    fn widen(&mut self, times: i64) {
        self.width = self.width.saturating_mul(times);
        for (step, levels) in std::mem::take(&mut self.steps) {
            let wide = self.steps.entry(step.div_euclid(times)).or_default();
            for (level, n) in levels {
                *wide.entry(level).or_default() += n;
            }
        }
    }

    /// At most `most` steps between the first and the last line, one bucket a level that occurs in it; an empty step has one of
    /// none.
    pub fn buckets(&self, most: u32) -> Vec<LogBucket> {
        let (Some(first), Some(last)) = (self.steps.keys().next(), self.steps.keys().next_back()) else {
            return Vec::new();
        };
        let times = ((last - first + 1) as u64).div_ceil(u64::from(most.max(1))) as i64;
        let step_of = |key: i64| (key - first).div_euclid(times);
        let mut rows: BTreeMap<i64, BTreeMap<Level, u64>> = BTreeMap::new();
        for (key, levels) in &self.steps {
            let row = rows.entry(step_of(*key)).or_default();
            for (level, n) in levels {
                *row.entry(*level).or_default() += n;
            }
        }
        let stamp = |step: i64| {
            let mut text = Vec::new();
            utc((first + step * times).saturating_mul(self.width), &mut text);
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        let mut out = Vec::new();
        for step in 0..=step_of(*last) {
            let empty = BTreeMap::from([(Level::Unknown, 0)]);
            for (level, count) in rows.get(&step).unwrap_or(&empty) {
                out.push(LogBucket {
                    from: stamp(step),
                    to: stamp(step + 1),
                    key: level.as_str().to_owned(),
                    count: *count,
                    ..LogBucket::default()
                });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_line_is_counted_once_in_its_step(
            times in proptest::collection::vec(0i64..10_000_000_000_000, 1..300), most in 1u32..60,
        ) {
            let mut spread = Spread::default();
            for ts in &times {
                spread.add(*ts, Level::Info);
            }
            let buckets = spread.buckets(most);
            proptest::prop_assert!(buckets.len() <= most as usize);
            proptest::prop_assert_eq!(buckets.iter().map(|b| b.count).sum::<u64>(), times.len() as u64);
            let ns = |t: &Option<String>| crate::commands::logs::agent::ns(t.as_ref().unwrap()).unwrap();
            for b in &buckets {
                let inside = times.iter().filter(|t| **t >= ns(&b.from) && **t < ns(&b.to)).count() as u64;
                proptest::prop_assert_eq!(inside, b.count);
            }
        }
    }

    #[test]
    fn many_steps_become_few_and_none_is_lost() {
        let mut spread = Spread::default();
        for i in 0..20_000 {
            spread.add(i * WIDTH * 7, if i % 2 == 0 { Level::Warn } else { Level::Error });
        }
        assert!(spread.steps.len() <= MOST);
        assert_eq!(spread.buckets(10).iter().map(|b| b.count).sum::<u64>(), 20_000);
    }
}
