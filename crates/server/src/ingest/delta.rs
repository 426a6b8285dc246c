//! Sums and histograms that tell what happened since they last told, made into counters that only rise.
//!
//! In:     points with their time, in the order of time for each stream.
//! Out:    the sum so far. A point that comes again gives the same again.
//! Never:  more than [`MOST`] streams; one that was silent for five minutes starts anew from zero.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ph_model::{Labels, OrgId};

/// Streams of all organisations.
const MOST: usize = 100_000;
const IDLE_MS: i64 = 300_000;

#[derive(Clone, Copy, Debug)]
struct Stream {
    value: f64,
    start_ms: i64,
    last_ms: i64,
    /// When it was last heard of, by our clock.
    heard_ms: i64,
}

/// The sum so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Total {
    pub value: f64,
    /// Since when it is summed up, ms UTC.
    pub start_ms: i64,
    /// This point is its stream's first.
    pub is_first: bool,
}

/// One point: from when, to when, how much.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub start_ms: Option<i64>,
    pub at_ms: i64,
    pub value: f64,
}

/// Streams that are summed up.
#[derive(Debug, Default)]
pub struct Deltas(Mutex<HashMap<(OrgId, u128), Stream>>);

impl Deltas {
    /// Adds a point to its stream. Errors: why it cannot be, as a reason that senders are told.
    pub fn add(
        &self,
        (org, labels): (OrgId, &Labels),
        step: Step,
        now_ms: i64,
    ) -> Result<Total, &'static str> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (org, labels.hash128());
        if !all.contains_key(&key) && all.len() >= MOST {
            all.retain(|_, s| now_ms - s.heard_ms < IDLE_MS);
            if all.len() >= MOST {
                return Err("delta_streams_limit");
            }
        }
        let start_ms = step.start_ms.unwrap_or(step.at_ms);
        let fresh = Stream { value: 0.0, start_ms, last_ms: i64::MIN, heard_ms: now_ms };
        let stream = all.entry(key).or_insert(fresh);
        if now_ms - stream.heard_ms >= IDLE_MS {
            *stream = fresh;
        }
        if step.at_ms < stream.last_ms {
            return Err("delta_out_of_order");
        }
        let is_first = stream.last_ms == i64::MIN;
        if step.at_ms > stream.last_ms {
            stream.value += step.value;
            stream.last_ms = step.at_ms;
        }
        stream.heard_ms = now_ms;
        Ok(Total { value: stream.value, start_ms: stream.start_ms, is_first })
    }
}

#[cfg(test)]
mod tests {
    //! Sums, repeats, order, silence.

    use super::*;

    fn labels(pod: &str) -> Labels {
        Labels::new(vec![("__name__".into(), "m".into()), ("pod".into(), pod.into())])
    }

    #[test]
    fn points_add_up_and_repeats_do_not() {
        let (deltas, org) = (Deltas::default(), OrgId::from_bytes([1; 16]));
        let at = |at_ms, value| Step { start_ms: Some(at_ms - 10), at_ms, value };
        let add = |pod: &str, step| deltas.add((org, &labels(pod)), step, 1_000);
        let first = add("a", at(100, 2.0)).unwrap();
        assert_eq!(first, Total { value: 2.0, start_ms: 90, is_first: true });
        assert_eq!(add("a", at(110, 3.0)).unwrap(), Total { value: 5.0, start_ms: 90, is_first: false });
        assert_eq!(add("a", at(110, 3.0)).unwrap().value, 5.0, "the same point again");
        assert_eq!(add("a", at(105, 3.0)), Err("delta_out_of_order"));
        assert_eq!(add("b", at(105, 7.0)).unwrap().value, 7.0);
        let other = deltas.add((OrgId::from_bytes([2; 16]), &labels("a")), at(120, 1.0), 1_000).unwrap();
        assert_eq!(other.value, 1.0, "another organisation's stream");
        let late = deltas.add((org, &labels("a")), at(400_000, 1.0), 1_000 + IDLE_MS).unwrap();
        assert_eq!(late, Total { value: 1.0, start_ms: 399_990, is_first: true });
    }

    #[test]
    fn streams_are_bounded() {
        let (deltas, org) = (Deltas::default(), OrgId::from_bytes([1; 16]));
        let step = Step { start_ms: None, at_ms: 1, value: 1.0 };
        for i in 0..MOST {
            assert!(deltas.add((org, &labels(&i.to_string())), step, 0).is_ok());
        }
        assert_eq!(deltas.add((org, &labels("more")), step, 1), Err("delta_streams_limit"));
        assert!(deltas.add((org, &labels("more")), step, IDLE_MS).is_ok());
    }
}
