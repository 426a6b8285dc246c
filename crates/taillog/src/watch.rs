//! One inotify instance for all followers of a process.
//!
//! In:     directories to watch (never files). Out: which directories may have changed.
//! Never:  loses a change: when the kernel's queue overflows, everything may have changed, and it says so.
//! Source: inotify(7).

mod shared;

use std::collections::{HashMap, HashSet};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::Error;
pub use shared::{Follower, Watching};

/// Names one watched directory. The same directory watched twice has one id and is let go by the second `unwatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(i32);

/// What `wait` saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Directories in which something changed.
    pub changed: HashSet<WatchId>,
    /// Files that a writer closed: for `Reader::note_closed`.
    pub closed: Vec<(WatchId, String)>,
    /// Changes were lost: take every directory as changed.
    pub overflow: bool,
}

impl Change {
    /// Whether this directory may have changed.
    pub fn touches(&self, id: WatchId) -> bool {
        self.overflow || self.changed.contains(&id)
    }

    pub fn is_empty(&self) -> bool {
        !self.overflow && self.changed.is_empty()
    }
}

/// The inotify instance. All methods take `&self`: one thread waits while others watch and let go.
#[derive(Debug)]
pub struct Watcher {
    inotify: OwnedFd,
    users: Mutex<HashMap<i32, (u32, PathBuf)>>,
}

impl Watcher {
    /// # Errors
    /// `exhausted` when the kernel has no instance left for this user.
    pub fn new() -> Result<Self, Error> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|e| Error::Inotify { cause: e.into() })?;
        Ok(Self { inotify, users: Mutex::default() })
    }

    /// Watches a directory. Do this before reading to the end, so that nothing is missed in between.
    ///
    /// # Errors
    /// `exhausted` when no watch is left (then look by yourself every second), `not_found`, `denied`.
    pub fn watch(&self, dir: &Path) -> Result<WatchId, Error> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let id = inotify::add_watch(&self.inotify, dir, flags).map_err(|e| match e {
            Errno::NOSPC | Errno::MFILE | Errno::NOMEM => {
                Error::Watch { path: dir.to_owned(), cause: e.into() }
            }
            other => Error::io(dir, other.into()),
        })?;
        users.entry(id).or_insert_with(|| (0, dir.to_owned())).0 += 1;
        Ok(WatchId(id))
    }

    /// Lets a directory go; the kernel's watch ends with its last user.
    pub fn unwatch(&self, id: WatchId) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((count, _)) = users.get_mut(&id.0) else { return };
        *count -= 1;
        if *count == 0 {
            users.remove(&id.0);
            // The kernel drops the watch of a removed directory by itself.
            let _ = inotify::remove_watch(&self.inotify, id.0);
        }
    }

    /// How many directories are watched.
    pub fn watched(&self) -> usize {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until something changes, at most so long; an empty change means that nothing did. Blocks.
    ///
    /// # Errors
    /// `unavailable` when the descriptor fails.
    pub fn wait(&self, timeout: Duration) -> Result<Change, Error> {
        let limit = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        match poll(&mut fds, Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => Ok(Change::default()),
            Ok(_) => self.drain(),
            Err(e) => Err(failed(e)),
        }
    }

    fn drain(&self) -> Result<Change, Error> {
        let mut change = Change::default();
        let mut buf = [MaybeUninit::uninit(); 16 << 10];
        let mut events = inotify::Reader::new(&self.inotify, &mut buf);
        loop {
            match events.next() {
                Ok(event) => {
                    let id = WatchId(event.wd());
                    if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                        change.overflow = true;
                        continue;
                    }
                    change.changed.insert(id);
                    if event.events().contains(ReadFlags::CLOSE_WRITE)
                        && let Some(name) = event.file_name()
                    {
                        change.closed.push((id, name.to_string_lossy().into_owned()));
                    }
                }
                Err(Errno::AGAIN) => return Ok(change),
                Err(Errno::INTR) => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }
}

fn failed(e: Errno) -> Error {
    Error::Read { path: PathBuf::from("inotify"), cause: e.into() }
}
