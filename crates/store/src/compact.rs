//! The compactor: a named thread that merges small parts into large ones, rolls closed days of metrics up, and rewrites
//! parts that hold deleted rows.
//!
//! In:     parts of one organisation, signal and UTC day, from one snapshot.
//! Out:    fewer parts, each row once. One catalogue transaction and one swap of the snapshot replace the old ones,
//!         whose files go when no reader holds them.
//! Never:  merges across a day; loses a race with retention: parts that are gone meanwhile end the merge.

mod blocks;
mod choose;
mod rolled;
mod rows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ph_model::{ErrorKind, OrgId, Signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::block::BlockPart;
use crate::catalogue::{Catalogue, PartRow};
use crate::contract::Error;
use crate::health::Meter;
use crate::hidden::{HiddenSeries, is_stale};
use crate::part::{Part, discard_part};
use crate::shard::Shared;
use choose::Job;
pub(crate) use rolled::RollJob;

/// How often the compactor looks for work.
const TICK: Duration = Duration::from_secs(5);
/// Niceness of its thread.
const PATIENCE: i32 = 10;

pub(crate) enum CompactOrder {
    /// Merges all that can be merged, whatever its size, and answers when it is done.
    All(oneshot::Sender<Result<(), Error>>),
    Stop,
}

/// How eagerly parts are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeal {
    /// As sizes and times ask for.
    Tiered,
    /// Whatever can be merged.
    All,
}

pub(crate) struct Compactor {
    pub shared: Arc<Shared>,
    pub catalogue: Catalogue,
    pub runtime: tokio::runtime::Handle,
    pub orders: Receiver<CompactOrder>,
    pub stop: CancellationToken,
    /// Roll-ups that would hold nothing.
    pub rolled_nothing: HashSet<RollJob>,
}

impl Compactor {
    /// Runs until it is stopped or its store is gone.
    pub fn run(mut self) {
        // Merges can wait while somebody else has work. Threads that it starts are as patient; where this is not allowed,
        // it works as the others do.
        if let Err(cause) = rustix::process::setpriority_process(None, PATIENCE) {
            tracing::debug!(%cause, "the compactor has the priority of the process");
        }
        loop {
            match self.orders.recv_timeout(TICK) {
                Ok(CompactOrder::All(reply)) => {
                    let done = self.work(Zeal::All);
                    let _ = reply.send(done);
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A failure is remembered where it happened and tried again at the next tick.
                    let _ = self.work(Zeal::Tiered);
                }
                Ok(CompactOrder::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Does all jobs that are due; gives the first error.
    fn work(&mut self, zeal: Zeal) -> Result<(), Error> {
        let mut first = Ok(());
        for job in self.jobs(zeal) {
            if self.stop.is_cancelled() {
                return first;
            }
            match self.run_job(&job) {
                Ok(()) => self.shared.meter.cleared("compaction"),
                // Somebody was faster: retention, or a part that was set aside.
                Err(error) if error.kind == ErrorKind::Gone => {}
                Err(error) => {
                    tracing::warn!(%error, "compaction failed, it will be tried again");
                    self.shared.meter.trouble("compaction", error.text.clone());
                    first = first.and(Err(error));
                }
            }
        }
        first.and(self.roll_up())
    }

    fn jobs(&self, zeal: Zeal) -> Vec<Job> {
        let now_ms = (self.shared.clock)();
        let snapshot = self.shared.snapshots.load();
        let mut out = Vec::new();
        for ((org, signal), table) in &snapshot.tables {
            let mut days: HashMap<i64, Vec<&PartRow>> = HashMap::new();
            for part in table.parts.iter().filter(|p| p.damage().is_none()) {
                if is_stale(&table.hidden, &part.row) {
                    out.push(choose::rewrite(&part.row));
                    continue;
                }
                days.entry(part.row.day).or_default().push(&part.row);
            }
            for rows in days.into_values() {
                out.extend(choose::rows((*org, *signal), rows, (zeal, now_ms)));
            }
        }
        for (org, blocks) in &snapshot.blocks {
            let mut days: HashMap<i64, Vec<&PartRow>> = HashMap::new();
            for block in blocks.iter() {
                days.entry(block.row.day).or_default().push(&block.row);
            }
            let damaged = |day: i64| blocks.iter().any(|b| b.row.day == day && b.damage().is_some());
            let hidden = snapshot.hidden_series(*org);
            for (day, rows) in days {
                let stale = |row: &&&PartRow| {
                    let deleted =
                        |h: &Arc<HiddenSeries>| h.seq > row.cleaned && h.range.touches(row.first, row.last);
                    hidden.iter().any(deleted)
                };
                if !damaged(day) && rows.iter().any(|row| stale(&row)) {
                    out.extend(rows.iter().filter(stale).map(|row| choose::rewrite(row)));
                    continue;
                }
                // What a damaged block held is not known, so the day stays as it is.
                if !damaged(day) {
                    out.extend(choose::blocks(*org, rows, (zeal, now_ms)));
                }
            }
        }
        out
    }

    fn run_job(&self, job: &Job) -> Result<(), Error> {
        let written = match job.signal {
            Signal::Metrics => blocks::merge(&self.shared, job, &self.stop)?,
            _ => rows::merge(&self.shared, job, &self.stop)?,
        };
        if let Err(error) = self.runtime.block_on(self.catalogue.swap(&job.parts, &written)) {
            self.forget(&written);
            return Err(error);
        }
        self.show(job, &written);
        Meter::add(&self.shared.meter.compactions, 1);
        Meter::add(&self.shared.meter.compacted_bytes, written.iter().map(|p| p.bytes).sum());
        Ok(())
    }

    /// Swaps old parts for new ones in the snapshot; old files go with their last reader.
    fn show(&self, job: &Job, written: &[PartRow]) {
        let gone = |id: Uuid| job.parts.contains(&id);
        let shared = &self.shared;
        if job.signal == Signal::Metrics {
            let new: Vec<_> = written.iter().map(|r| Arc::new(BlockPart::new(r.clone(), shared))).collect();
            let mut old = Vec::new();
            shared.snapshots.change(|s| {
                let list = s.blocks.entry(job.org).or_default();
                old = list.extract_if(.., |b| gone(b.row.id)).collect();
                list.extend(new);
                list.sort_by_key(|b| (b.row.lsn, b.row.id));
                shared.without_gone(s);
            });
            old.iter().for_each(|b| b.doomed.store(true, Ordering::Relaxed));
            return;
        }
        let new: Vec<_> = written.iter().map(|r| Arc::new(Part::new(r.clone(), shared))).collect();
        let mut old = Vec::new();
        shared.snapshots.change(|s| {
            let table = s.edit(job.org, job.signal);
            old = table.parts.extract_if(.., |p| gone(p.row.id)).collect();
            table.parts.extend(new);
            shared.without_gone(s);
        });
        old.iter().for_each(|p| p.doomed.store(true, Ordering::Relaxed));
    }

    /// Files of a merge that was not published.
    fn forget(&self, written: &[PartRow]) {
        for part in written {
            if part.signal == Signal::Metrics {
                let block = BlockPart::new(part.clone(), &self.shared);
                block.doomed.store(true, Ordering::Relaxed);
            } else {
                discard_part(self.shared.fs.as_ref(), &self.shared.config.dir, part);
            }
        }
    }
}

/// The error of a merge that shutdown ended.
fn stopping() -> Error {
    Error::new(ErrorKind::Gone, "the store is shutting down; parts stay as they are")
}

/// A part that a job names is gone.
fn gone(org: OrgId) -> Error {
    Error::new(ErrorKind::Gone, format!("parts of organisation {org} changed while they were merged"))
}

#[cfg(test)]
mod tests;
