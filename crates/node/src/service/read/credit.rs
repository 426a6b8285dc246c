//! How many bytes the reader can take.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Bytes granted and not used. Clones share it.
#[derive(Clone, Debug)]
pub struct Credit(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug)]
struct State {
    bytes: u64,
    /// The most that was ever free: what a too large record waits for.
    window: u64,
    closed: bool,
}

impl Credit {
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new((Mutex::new(State { bytes, window: bytes, closed: false }), Condvar::new())))
    }

    pub fn grant(&self, bytes: u64) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_add(bytes);
        state.window = state.window.max(state.bytes);
        drop(state);
        self.0.1.notify_all();
    }

    /// The call is over.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.1.notify_all();
    }

    pub fn closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for `bytes`, or for the whole window when they are more than that, and takes them. False when the call ended
    /// or `patience` is over.
    pub fn take(&self, bytes: u64, patience: Duration) -> bool {
        let short = |s: &mut State| !s.closed && s.bytes < bytes.min(s.window.max(1));
        let waited = self.0.1.wait_timeout_while(self.lock(), patience, short);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.closed || short(&mut state) {
            return false;
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
