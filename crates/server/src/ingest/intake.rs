//! What comes in, by cluster: rates over the last minute and the newest times, for readouts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ph_model::{ClusterId, OrgId};

/// Seconds over which rates are taken.
const WINDOW_S: i64 = 60;

/// What one batch held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    pub samples: u64,
    pub log_rows: u64,
    pub newest_sample_ms: Option<i64>,
    pub newest_line_ms: Option<i64>,
}

/// The last minute of one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct IntakeNow {
    /// `None` before the first.
    pub samples_per_s: Option<f64>,
    pub log_rows_per_s: Option<f64>,
    pub newest_sample_ms: Option<i64>,
    pub newest_line_ms: Option<i64>,
}

/// One-second buckets, each with its second; and the newest times since the start.
#[derive(Default)]
struct Window {
    buckets: Vec<(i64, u64, u64)>,
    newest_sample_ms: Option<i64>,
    newest_line_ms: Option<i64>,
}

/// Counts of all clusters.
#[derive(Default)]
pub struct Intake(Mutex<HashMap<(OrgId, ClusterId), Window>>);

impl Intake {
    pub fn add(&self, of: (OrgId, ClusterId), now_ms: i64, counted: Counted) {
        let now_s = now_ms.div_euclid(1000);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let w = all.entry(of).or_default();
        w.buckets.retain(|(s, ..)| now_s - s <= WINDOW_S);
        match w.buckets.iter_mut().find(|(s, ..)| *s == now_s) {
            Some((_, samples, rows)) => {
                *samples += counted.samples;
                *rows += counted.log_rows;
            }
            None => w.buckets.push((now_s, counted.samples, counted.log_rows)),
        }
        w.newest_sample_ms = w.newest_sample_ms.max(counted.newest_sample_ms);
        w.newest_line_ms = w.newest_line_ms.max(counted.newest_line_ms);
    }

    /// Rates over the minute before the running second.
    pub fn now(&self, of: (OrgId, ClusterId), now_ms: i64) -> IntakeNow {
        let now_s = now_ms.div_euclid(1000);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(w) = all.get(&of) else { return IntakeNow::default() };
        let last = w.buckets.iter().filter(|(s, ..)| (now_s - WINDOW_S..now_s).contains(s));
        let (samples, rows) = last.fold((0, 0), |(a, b), (_, samples, rows)| (a + samples, b + rows));
        let rate = |n: u64, seen: Option<i64>| seen.map(|_| n as f64 / WINDOW_S as f64);
        IntakeNow {
            samples_per_s: rate(samples, w.newest_sample_ms),
            log_rows_per_s: rate(rows, w.newest_line_ms),
            newest_sample_ms: w.newest_sample_ms,
            newest_line_ms: w.newest_line_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    //! A minute of counts, and nothing before the first.

    use super::*;

    #[test]
    fn rates_cover_the_last_whole_minute() {
        let of = (OrgId::from_bytes([1; 16]), ClusterId::from_bytes([2; 16]));
        let intake = Intake::default();
        assert_eq!(intake.now(of, 0), IntakeNow::default());
        for s in 0..120 {
            intake.add(
                of,
                s * 1000,
                Counted { samples: 10, newest_sample_ms: Some(s), ..Counted::default() },
            );
        }
        let now = intake.now(of, 120_000);
        assert_eq!(
            (now.samples_per_s, now.log_rows_per_s, now.newest_sample_ms),
            (Some(10.0), None, Some(119))
        );
        assert_eq!(intake.now(of, 1_000_000).samples_per_s, Some(0.0));
    }
}
