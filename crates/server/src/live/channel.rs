//! One channel's state, its history of deltas, and how a client catches up.
//!
//! Out: deltas by comparing states, so that snapshot plus deltas always equals a fresh snapshot.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ph_api::LiveSet;
use serde_json::Value;

/// Deltas kept for clients that come back.
pub const RING_DELTAS: usize = 1_024;
pub const RING_BYTES: usize = 1 << 20;

pub type State = BTreeMap<String, Value>;

/// What changed from one offset to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    pub offset: u64,
    pub at_ms: i64,
    pub set: Vec<LiveSet>,
    pub del: Vec<String>,
    bytes: usize,
}

#[derive(Debug)]
pub struct ChannelState {
    pub epoch: u64,
    pub offset: u64,
    pub at_ms: i64,
    state: State,
    ring: VecDeque<Arc<Delta>>,
    ring_bytes: usize,
}

impl ChannelState {
    /// `epoch` must differ from that of every earlier channel of this name.
    pub fn new(epoch: u64, state: State, at_ms: i64) -> Self {
        Self { epoch, offset: 0, at_ms, state, ring: VecDeque::new(), ring_bytes: 0 }
    }

    /// Takes a newly computed state. Returns whether anything changed.
    pub fn update(&mut self, new: State, at_ms: i64) -> bool {
        self.at_ms = at_ms;
        let set: Vec<LiveSet> = new
            .iter()
            .filter(|(k, v)| self.state.get(*k) != Some(v))
            .map(|(k, v)| LiveSet { key: k.clone(), value: v.clone() })
            .collect();
        let del: Vec<String> = self.state.keys().filter(|k| !new.contains_key(*k)).cloned().collect();
        if set.is_empty() && del.is_empty() {
            return false;
        }
        self.state = new;
        self.offset += 1;
        let bytes = set.iter().map(|s| s.key.len() + 16 + weight(&s.value)).sum::<usize>()
            + del.iter().map(String::len).sum::<usize>();
        self.ring_bytes += bytes;
        self.ring.push_back(Arc::new(Delta { offset: self.offset, at_ms, set, del, bytes }));
        while self.ring.len() > RING_DELTAS || self.ring_bytes > RING_BYTES {
            let Some(old) = self.ring.pop_front() else { break };
            self.ring_bytes -= old.bytes;
        }
        true
    }

    /// The deltas after `offset`; `None` when they are no longer all there and a snapshot is needed.
    pub fn since(&self, epoch: u64, offset: u64) -> Option<Vec<Arc<Delta>>> {
        if epoch != self.epoch || offset > self.offset {
            return None;
        }
        let missing = usize::try_from(self.offset - offset).ok()?;
        if missing > self.ring.len() {
            return None;
        }
        Some(self.ring.iter().skip(self.ring.len() - missing).cloned().collect())
    }

    pub fn snapshot(&self) -> Vec<LiveSet> {
        self.state.iter().map(|(k, v)| LiveSet { key: k.clone(), value: v.clone() }).collect()
    }
}

/// About how many bytes a value takes as JSON, without writing it.
fn weight(v: &Value) -> usize {
    match v {
        Value::String(s) => s.len() + 2,
        Value::Array(a) => a.iter().map(weight).sum::<usize>() + a.len() + 2,
        Value::Object(o) => o.iter().map(|(k, v)| k.len() + 4 + weight(v)).sum::<usize>() + 2,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    //! Deltas equal the difference of states; the ring forgets in order.

    use super::*;
    use serde_json::json;

    fn state(pairs: &[(&str, i64)]) -> State {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect()
    }

    #[test]
    fn a_client_that_applies_deltas_has_the_snapshot() {
        let mut c = ChannelState::new(1, state(&[("a", 1), ("b", 1)]), 0);
        let mut mirror: State = c.snapshot().into_iter().map(|s| (s.key, s.value)).collect();
        for (at, next) in
            [(1, state(&[("a", 2), ("b", 1)])), (2, state(&[("b", 1)])), (3, state(&[("b", 1), ("c", 9)]))]
        {
            assert!(c.update(next, at));
        }
        for d in c.since(1, 0).unwrap() {
            for s in &d.set {
                mirror.insert(s.key.clone(), s.value.clone());
            }
            for k in &d.del {
                mirror.remove(k);
            }
        }
        assert_eq!(mirror, state(&[("b", 1), ("c", 9)]));
        assert_eq!(c.since(1, 2).unwrap().len(), 1);
        assert!(c.since(1, 3).unwrap().is_empty());
    }

    #[test]
    fn the_same_state_is_no_delta() {
        let mut c = ChannelState::new(1, state(&[("a", 1)]), 0);
        assert!(!c.update(state(&[("a", 1)]), 5));
        assert_eq!((c.offset, c.at_ms), (0, 5));
    }

    #[test]
    fn another_epoch_a_future_offset_and_a_forgotten_one_need_a_snapshot() {
        let mut c = ChannelState::new(7, State::new(), 0);
        for n in 0..2_000 {
            c.update(state(&[("a", n)]), n);
        }
        assert!(c.since(6, 2_000).is_none());
        assert!(c.since(7, 2_001).is_none());
        assert!(c.since(7, 0).is_none());
        assert_eq!(c.since(7, 2_000 - 1_024).unwrap().len(), 1_024);
    }
}
