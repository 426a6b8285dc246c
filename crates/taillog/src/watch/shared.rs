//! Many followers on one inotify instance.
//!
//! In:     directories of each follower. Out: to each what changed in its own.
//! Never:  a thread of its own: one of those who wait reads the instance for all, and hands over when it leaves.
//! Bound:  the instance ends with its last follower, a watch with the last who wanted it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::{Change, WatchId, Watcher};
use crate::Error;

/// Names of closed files that wait for one follower; of more the oldest are forgotten, and found by looking.
const MAX_CLOSED: usize = 64;

/// Gives followers their place on the process's instance. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Watching(Arc<Mutex<Weak<Shared>>>);

/// One who waits for changes. What it watches is let go when it is dropped.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    id: u64,
}

#[derive(Debug)]
struct Shared {
    watcher: Watcher,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    /// Whether somebody reads the instance.
    read: bool,
    places: HashMap<u64, Place>,
}

#[derive(Debug, Default)]
struct Place {
    /// Watches with how often they were asked for.
    watches: HashMap<WatchId, u32>,
    change: Change,
    waits: bool,
    wake: Arc<Condvar>,
}

impl Watching {
    /// # Errors
    /// `exhausted` when the kernel has no instance left for this user.
    pub fn follower(&self) -> Result<Follower, Error> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = match held.upgrade() {
            Some(shared) => shared,
            None => {
                let shared = Arc::new(Shared { watcher: Watcher::new()?, state: Mutex::default() });
                *held = Arc::downgrade(&shared);
                shared
            }
        };
        let mut state = shared.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.places.insert(id, Place::default());
        drop(state);
        Ok(Follower { shared, id })
    }

    /// How many directories are watched for all followers.
    pub fn watched(&self) -> usize {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.upgrade().map_or(0, |shared| shared.watcher.watched())
    }

    /// How many followers there are.
    pub fn followers(&self) -> usize {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.upgrade().map_or(0, |shared| shared.lock().places.len())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn share_out(&mut self, change: &Change) {
        for place in self.places.values_mut() {
            let mine = |id: &&WatchId| place.watches.contains_key(id);
            let changed: Vec<WatchId> = change.changed.iter().filter(mine).copied().collect();
            if changed.is_empty() && !change.overflow {
                continue;
            }
            place.change.closed.extend(change.closed.iter().filter(|(id, _)| changed.contains(id)).cloned());
            let beyond = place.change.closed.len().saturating_sub(MAX_CLOSED);
            place.change.closed.drain(..beyond);
            place.change.changed.extend(changed);
            place.change.overflow |= change.overflow;
            place.wake.notify_one();
        }
    }

    /// Somebody else who waits takes over.
    fn hand_over(&mut self) {
        self.read = false;
        if let Some(place) = self.places.values().find(|p| p.waits) {
            place.wake.notify_one();
        }
    }
}

impl Follower {
    /// As [`Watcher::watch`].
    ///
    /// # Errors
    /// As [`Watcher::watch`].
    pub fn watch(&self, dir: &Path) -> Result<WatchId, Error> {
        // Held over both, so that no change comes in between and finds nobody.
        let mut state = self.shared.lock();
        let id = self.shared.watcher.watch(dir)?;
        if let Some(place) = state.places.get_mut(&self.id) {
            *place.watches.entry(id).or_default() += 1;
        }
        Ok(id)
    }

    pub fn unwatch(&self, id: WatchId) {
        let mut state = self.shared.lock();
        let Some(place) = state.places.get_mut(&self.id) else { return };
        let Some(count) = place.watches.get_mut(&id) else { return };
        *count -= 1;
        if *count == 0 {
            place.watches.remove(&id);
        }
        self.shared.watcher.unwatch(id);
    }

    /// Waits until something of its own changes, about so long at most; may return earlier with nothing. Blocks.
    ///
    /// # Errors
    /// `unavailable` when the descriptor fails.
    pub fn wait(&self, timeout: Duration) -> Result<Change, Error> {
        let mut state = self.shared.lock();
        if state.read {
            let Some(place) = state.places.get_mut(&self.id) else { return Ok(Change::default()) };
            place.waits = true;
            let wake = place.wake.clone();
            let quiet = |s: &mut State| s.read && s.places.get(&self.id).is_some_and(|p| p.change.is_empty());
            let waited = wake.wait_timeout_while(state, timeout, quiet);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let Some(place) = state.places.get_mut(&self.id) else { return Ok(Change::default()) };
        place.waits = false;
        if !place.change.is_empty() {
            let change = std::mem::take(&mut place.change);
            if !state.read {
                state.hand_over();
            }
            return Ok(change);
        }
        if state.read {
            return Ok(Change::default());
        }
        state.read = true;
        drop(state);
        let seen = self.shared.watcher.wait(timeout);
        let mut state = self.shared.lock();
        if let Ok(change) = &seen {
            state.share_out(change);
        }
        state.hand_over();
        let own = state.places.get_mut(&self.id).map(|place| std::mem::take(&mut place.change));
        seen.map(|_| own.unwrap_or_default())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(place) = state.places.remove(&self.id) else { return };
        for (id, count) in place.watches {
            (0..count).for_each(|_| self.shared.watcher.unwatch(id));
        }
    }
}
