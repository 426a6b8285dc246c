//! One log on its way to the server.

use std::path::PathBuf;

use ph_model::{Attributes, Position};
use ph_taillog::{Batch, Change, Error, Follower, Mode, ReadAsk, Reader, Roots, SourceId, State, WatchId};

use crate::time::now_ms;

/// A lane whose log could not be read looks again after this long, ns.
const RETRY_NS: i64 = 5_000_000_000;

/// Where a lane begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    After(Position),
    Oldest,
    End,
}

pub struct Lane {
    source: SourceId,
    dir: PathBuf,
    reader: Reader,
    watches: Vec<WatchId>,
    pub state: State,
    /// After everything read.
    pub position: Option<Position>,
    pub resource: Attributes,
}

impl Lane {
    /// Opens a log at its place. Blocks while that is sought.
    pub fn open(
        roots: &Roots,
        source: &SourceId,
        (begin, max_line): (Begin, usize),
        watcher: Option<&Follower>,
    ) -> Result<Self, Error> {
        let mut ask = ReadAsk { follow: true, all_runs: true, max_line, ..ReadAsk::default() };
        match begin {
            Begin::After(position) => ask.after = Some(position),
            Begin::Oldest => {}
            Begin::End => (ask.mode, ask.all_runs) = (Mode::Tail(0), false),
        }
        let mut lane = Self {
            source: source.clone(),
            dir: source.path(roots)?,
            reader: Reader::open(roots, source, ask)?,
            watches: Vec::new(),
            state: State::More,
            position: match begin {
                Begin::After(position) => Some(position),
                Begin::Oldest | Begin::End => None,
            },
            resource: Attributes::new(),
        };
        lane.watch(watcher);
        if begin == Begin::End {
            // Finds the end; what is written from now on comes with the next turn.
            let batch = lane.reader.next_batch(0, now_ns())?;
            lane.position = batch.resume;
        }
        Ok(lane)
    }

    /// Takes up what is known of the pod now.
    pub fn renew(&mut self, resource: Attributes) {
        self.resource = resource;
    }

    fn watch(&mut self, watcher: Option<&Follower>) {
        let Some(watcher) = watcher else { return };
        let fresh: Vec<WatchId> =
            self.reader.dirs().iter().filter_map(|dir| watcher.watch(dir).ok()).collect();
        for old in std::mem::replace(&mut self.watches, fresh) {
            watcher.unwatch(old);
        }
    }

    pub fn close(self, watcher: Option<&Follower>) {
        for id in self.watches {
            if let Some(watcher) = watcher {
                watcher.unwatch(id);
            }
        }
    }

    /// The next lines; `None` when the log cannot be read now.
    pub fn next(&mut self, max_bytes: usize) -> Option<Batch> {
        match self.reader.next_batch(max_bytes, now_ns()) {
            Ok(batch) => {
                self.state = batch.state;
                self.position = batch.resume.or(self.position);
                Some(batch)
            }
            Err(Error::NotFound { .. }) => {
                self.state = State::Ended;
                None
            }
            Err(error) => {
                tracing::warn!(%error, "log cannot be read now");
                self.state = State::CaughtUp { wake_at_ns: now_ns() + RETRY_NS };
                None
            }
        }
    }

    /// Takes notice of changes.
    pub fn wake(&mut self, change: &Change, watcher: Option<&Follower>) {
        let State::CaughtUp { wake_at_ns } = self.state else { return };
        for (id, name) in &change.closed {
            if self.watches.contains(id) {
                self.reader.note_closed(name);
            }
        }
        let touched = change.overflow || self.watches.iter().any(|id| change.touches(*id));
        if touched {
            self.watch(watcher);
        }
        if touched || wake_at_ns <= now_ns() {
            self.state = State::More;
        }
    }

    /// Bytes of the live file that are not read; 0 when that is not known.
    pub fn lag_bytes(&self) -> u64 {
        let Some(position) = self.position else { return 0 };
        let name = match &self.source {
            SourceId::Pod { .. } => format!("{}.log", position.run),
            SourceId::Docker { container_id } => format!("{container_id}-json.log"),
            SourceId::File { .. } => return 0,
        };
        std::fs::metadata(self.dir.join(name)).map_or(0, |m| m.len().saturating_sub(position.offset))
    }
}

fn now_ns() -> i64 {
    now_ms().saturating_mul(1_000_000)
}
