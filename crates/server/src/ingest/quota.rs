//! How much telemetry an organisation's keys may bring: samples, log bytes and spans a second, with a burst.
//!
//! A request is let in while anything is left, and what it takes beyond that is paid back before the next one: so a large
//! request is late, never impossible.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ph_model::OrgId;

/// What one request takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taking {
    pub samples: u64,
    pub log_bytes: u64,
    pub spans: u64,
}

/// What an organisation may bring a second, and at once after a pause.
#[derive(Clone, Copy, Debug)]
struct Rate {
    what: &'static str,
    per_s: f64,
    burst: f64,
}

const RATES: [Rate; 3] = [
    Rate { what: "200,000 samples a second", per_s: 200_000.0, burst: 4_000_000.0 },
    Rate { what: "20 MB of logs a second", per_s: 20_000_000.0, burst: 30_000_000.0 },
    Rate { what: "50,000 spans a second", per_s: 50_000.0, burst: 500_000.0 },
];

/// What is left, and when that was reckoned.
#[derive(Clone, Copy, Debug)]
struct Left {
    amount: [f64; 3],
    at_ms: i64,
}

/// What is left to each organisation.
#[derive(Debug, Default)]
pub struct Quota(Mutex<HashMap<OrgId, Left>>);

impl Quota {
    /// Takes what a request needs; `Err` names the limit and the wait.
    pub fn take(&self, org: OrgId, taking: Taking, now_ms: i64) -> Result<(), (&'static str, Duration)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.entry(org).or_insert(Left { amount: RATES.map(|r| r.burst), at_ms: now_ms });
        let passed_s = (now_ms - left.at_ms).max(0) as f64 / 1000.0;
        left.at_ms = left.at_ms.max(now_ms);
        for (amount, rate) in left.amount.iter_mut().zip(RATES) {
            *amount = (*amount + passed_s * rate.per_s).min(rate.burst);
        }
        let asked = [taking.samples, taking.log_bytes, taking.spans];
        for ((amount, rate), n) in left.amount.iter().zip(RATES).zip(asked) {
            if n > 0 && *amount <= 0.0 {
                return Err((rate.what, Duration::from_secs_f64((1.0 - amount) / rate.per_s)));
            }
        }
        for (amount, n) in left.amount.iter_mut().zip(asked) {
            *amount -= n as f64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! Bursts, debts, and that one organisation's is its own.

    use super::*;

    #[test]
    fn a_debt_is_paid_back_before_the_next_request() {
        let (quota, one, two) = (Quota::default(), OrgId::from_bytes([1; 16]), OrgId::from_bytes([2; 16]));
        let of = |samples| Taking { samples, ..Taking::default() };
        assert!(quota.take(one, of(4_200_000), 0).is_ok());
        let (what, wait) = quota.take(one, of(1), 0).unwrap_err();
        assert_eq!((what, wait.as_millis()), ("200,000 samples a second", 1000));
        assert!(quota.take(one, Taking { spans: 1, ..Taking::default() }, 0).is_ok());
        assert!(quota.take(two, of(1), 0).is_ok());
        assert!(quota.take(one, of(1), 999).is_err());
        assert!(quota.take(one, of(1), 1_001).is_ok());
    }
}
