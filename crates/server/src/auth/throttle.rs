//! Slows guessing down: every failed sign-in of an account or address makes the next one wait longer.
//!
//! In:     keys (account, address), outcomes, the time.
//! Out:    how long to wait before the next try.
//! Never:  locks an account out for good, or grows without bound.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

const FREE: u32 = 5;
const FIRST_MS: i64 = 1_000;
const LONGEST_MS: i64 = 15 * 60_000;
/// Failures are forgotten after this long without one.
const FORGET_MS: i64 = 60 * 60_000;
const MAX_KEYS: usize = 20_000;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last_ms: i64,
}

impl Failures {
    fn open_at(self) -> i64 {
        let over = self.count.saturating_sub(FREE);
        if over == 0 {
            return self.last_ms;
        }
        let wait = FIRST_MS.checked_shl(over.min(20) - 1).unwrap_or(LONGEST_MS).min(LONGEST_MS);
        self.last_ms + wait
    }
}

/// Failed tries by key.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<String, Failures>>,
}

/// Calls without a credential: five a second an address, twenty at once. Source: the generic cell rate algorithm.
#[derive(Debug, Default)]
pub struct Rate {
    /// When the address has used up what it did, ms.
    free_at: Mutex<HashMap<String, i64>>,
}

const CALL_MS: i64 = 200;
const BURST: i64 = 20;

impl Rate {
    /// Counts one call; `Err` says in how many ms the next is allowed.
    pub fn take(&self, key: &str, now_ms: i64) -> Result<(), u64> {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        if free_at.len() >= MAX_KEYS {
            free_at.retain(|_, at| *at > now_ms);
        }
        if free_at.len() >= MAX_KEYS && !free_at.contains_key(key) {
            return Err(CALL_MS.unsigned_abs());
        }
        let at = free_at.entry(key.to_owned()).or_insert(now_ms);
        let next = (*at).max(now_ms) + CALL_MS;
        if next - now_ms > CALL_MS * BURST {
            return Err((next - now_ms - CALL_MS * BURST).unsigned_abs());
        }
        *at = next;
        Ok(())
    }
}

/// The key of an address: one for a whole IPv6 /64, which one machine can hop through.
pub fn address_key(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("ip:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(IpAddr::V4(ip)) => format!("ip:{ip}"),
        None => "ip:unknown".to_owned(),
    }
}

impl Throttle {
    /// Whether a try is allowed now; `Err` says in how many ms.
    pub fn check(&self, keys: &[String], now_ms: i64) -> Result<(), u64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let open_at =
            keys.iter().filter_map(|k| failures.get(k)).map(|f| f.open_at()).max().unwrap_or(now_ms);
        if open_at <= now_ms { Ok(()) } else { Err((open_at - now_ms).unsigned_abs()) }
    }

    /// Notes a failed try.
    pub fn failed(&self, keys: &[String], now_ms: i64) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() + keys.len() > MAX_KEYS {
            make_room(&mut failures, now_ms);
        }
        for key in keys {
            let f = failures.entry(key.clone()).or_insert(Failures { count: 0, last_ms: now_ms });
            if now_ms - f.last_ms > FORGET_MS {
                f.count = 0;
            }
            f.count = f.count.saturating_add(1);
            f.last_ms = now_ms;
        }
    }

    /// A good sign-in clears the account, not the address.
    pub fn succeeded(&self, key: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Drops what is forgotten anyway, then the oldest half.
fn make_room(failures: &mut HashMap<String, Failures>, now_ms: i64) {
    failures.retain(|_, f| now_ms - f.last_ms <= FORGET_MS);
    if failures.len() > MAX_KEYS / 2 {
        let mut ages: Vec<i64> = failures.values().map(|f| f.last_ms).collect();
        ages.sort_unstable();
        let middle = ages.get(ages.len() / 2).copied().unwrap_or(now_ms);
        failures.retain(|_, f| f.last_ms > middle);
    }
}

#[cfg(test)]
mod tests;
