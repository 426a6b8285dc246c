//! A group on its way: into the log, onto the disk, into memory, and then its answers.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use ph_model::{ErrorKind, OrgId, RangeMs, Series, Signal};
use ph_tsdb::{Cut, Head};

use super::{Append, Body, Clock, Reach, Shard, Shared, WORTHWHILE_BYTES, Which, refuse};
use crate::catalogue::Checkpoint;
use crate::config::Durability;
use crate::contract::{Appended, Error, Rejection};
use crate::head::Mark;
use crate::health::Meter;
use crate::limits::refuse_series;
use crate::memtable::Generation;
use crate::refusing::Obstacle;
use crate::rows;
use crate::tail::Arrived;

impl Shard {
    /// Logs, syncs and applies new batches, and answers them. On an error all of them are refused and none is stored.
    #[expect(clippy::vec_box, reason = "batches come boxed through the channel and stay where they are")]
    pub(super) fn store(&mut self, mut fresh: Vec<Box<Append>>) -> Result<(), Error> {
        if fresh.is_empty() {
            return Ok(());
        }
        let before = self.log.next_lsn;
        let written = self.write(&mut fresh);
        let lsns = match written {
            Ok(lsns) => lsns,
            Err(cause) => {
                if let Some(writer) = &mut self.log.writer {
                    writer.forget();
                }
                self.log.next_lsn = before;
                // Definitions of a lost payload must be given again.
                self.log.encoders.values_mut().for_each(ph_tsdb::wal::Encoder::reset);
                let error = self.write_failed(&cause);
                fresh.into_iter().for_each(|a| refuse(a, &error));
                return Err(error);
            }
        };
        if let Err(cause) = self.harden() {
            self.die(&cause);
            let why = self.dead.clone().unwrap_or_default();
            let error = Error::new(ErrorKind::Unavailable, why);
            fresh.into_iter().for_each(|a| refuse(a, &error));
            return Err(error);
        }
        self.written_again();
        for (append, lsn) in fresh.into_iter().zip(lsns) {
            self.remember(&append);
            self.accept(append, lsn);
        }
        self.log.publish_size(&self.handle.log_bytes);
        Ok(())
    }

    fn write(&mut self, fresh: &mut [Box<Append>]) -> io::Result<Vec<u64>> {
        let shared = Arc::clone(&self.shared);
        if let Err(cause) = self.log.rotate(shared.config.segment_bytes) {
            self.die(&cause);
            return Err(cause);
        }
        self.log.room(shared.fs.as_ref(), &self.dir, shared.config.segment_bytes)?;
        let mut lsns = Vec::with_capacity(fresh.len());
        for append in fresh {
            let raw = self.payload(append);
            let lsn = self.log.add(append.org, append.body.signal(), append.id, &raw);
            lsns.push(lsn.ok_or_else(|| io::Error::other("no segment is open"))?);
        }
        let Some(writer) = &mut self.log.writer else { return Ok(lsns) };
        Meter::add(&shared.meter.wal_bytes, writer.group_bytes() as u64);
        writer.write()?;
        Ok(lsns)
    }

    /// The record's payload: hash, and the batch. Series that a head cannot hold leave the batch.
    fn payload(&mut self, append: &mut Append) -> Vec<u8> {
        let mut out = append.hash.to_le_bytes().to_vec();
        match &mut append.body {
            Body::Rows { raw, .. } => out.append(raw),
            Body::Series { series, places, now_ms } => {
                let head = self.shared.head_or_new(append.org);
                let limit = self.shared.settings(append.org).limits.active_series;
                *places = screen((&head, limit), series, &mut append.rejected);
                let refs = places.iter().map(ph_tsdb::Place::series_ref);
                let encoder = self.log.encoders.entry(append.org).or_default();
                out.extend_from_slice(&now_ms.to_le_bytes());
                out.extend_from_slice(&encoder.encode(refs.zip(series.iter())));
            }
        }
        out
    }

    fn harden(&mut self) -> io::Result<()> {
        match self.shared.config.durability {
            Durability::Sync => self.log.sync(&self.shared.meter)?,
            Durability::Interval(_) | Durability::Os => self.unsynced = true,
        }
        if let Some(writer) = &mut self.log.writer
            && let Err(cause) = writer.commit()
        {
            // The records are durable; only their mark is missing, and the next group brings one.
            self.shared.meter.failed(format!("wal {}: write commit record: {cause}", self.handle.name()));
        }
        Ok(())
    }

    fn write_failed(&self, cause: &io::Error) -> Error {
        let name = self.handle.name();
        let (kind, next) = match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (ErrorKind::Exhausted, "free space on the store's disk; intake goes on by itself")
            }
            _ => (ErrorKind::Unavailable, "look at the store's disk; nothing of this batch was stored"),
        };
        let text = format!("wal {name}: write failed: {cause}; {next}");
        let (part, dir) = (format!("wal {name}"), &self.shared.config.dir);
        let free_bytes = self.shared.fs.space(dir).map_or(0, |s| s.free);
        let why = cause.to_string();
        let obstacle = Obstacle { part: &part, path: dir, free_bytes, why: &why, next_step: next };
        self.shared.meter.refusing.meets(&obstacle);
        self.shared.meter.failed(text.clone());
        let mut error = Error::new(kind, text);
        error.retry_after_ms = Some(5_000);
        error
    }

    /// A write that failed is over when one succeeded and the next segment has room: near the brim small batches still fit.
    fn written_again(&self) {
        if !self.shared.meter.refusing.is_any() {
            return;
        }
        let dir = &self.shared.config.dir;
        if let Ok(space) = self.shared.fs.space(dir)
            && space.free >= self.shared.config.segment_bytes
        {
            self.shared.meter.refusing.passes(&format!("wal {}", self.handle.name()), dir, space.free);
        }
    }

    /// Makes a durable batch visible and answers it.
    #[expect(clippy::boxed_local, reason = "batches come boxed through the channel and stay where they are")]
    fn accept(&mut self, append: Box<Append>, lsn: u64) {
        let Append { org, body, rejected, reply, .. } = *append;
        self.applied = lsn;
        let mut answer = Appended { accepted: 0, rejected, lsn, repeated: false };
        match body {
            Body::Series { series, places, now_ms } => {
                let reach = Reach { lsn, at_ms: newest_ms(&series) };
                self.handle.newest_ms.fetch_max(reach.at_ms, std::sync::atomic::Ordering::Relaxed);
                self.log.note((org, Signal::Metrics), reach);
                let outcome = self.shared.head_or_new(org).append_at(&series, &places, now_ms);
                self.shared.changes.note_late(org, &series);
                if outcome.described {
                    self.shared.changes.note(org, RangeMs::ALL);
                }
                answer.accepted = outcome.accepted;
                for r in outcome.rejected {
                    add_rejection(&mut answer.rejected, r.reason, r.count, r.example);
                }
                Meter::add(&self.shared.meter.samples, outcome.accepted);
            }
            Body::Rows { signal, batch, .. } => {
                self.log.note((org, signal), Reach { lsn, at_ms: i64::MIN });
                answer.accepted = batch.num_rows() as u64;
                Meter::add(&self.shared.meter.rows, answer.accepted);
                let at = Arrived { org, signal, shard: self.handle.number, lsn };
                if let Some(placed) = insert_rows(&self.shared, &mut self.open, at, &batch) {
                    // After they are visible: a follower that comes now finds them stored.
                    self.shared.tails.offer(at, &|| self.shared.seen(at, &placed));
                }
            }
        }
        Meter::add(&self.shared.meter.rejected, answer.rejected.iter().map(|r| r.count).sum());
        self.shared.usage(org).note(&answer.rejected);
        // The caller may be gone; the batch is stored all the same.
        let _ = reply.send(Ok(answer));
    }

    pub(super) fn seal(&mut self, which: Which) -> Vec<Arc<Generation>> {
        let chosen: Vec<(OrgId, Signal)> = match which {
            Which::All => self.open.keys().copied().collect(),
            Which::OlderThan(ms) => {
                self.open.iter().filter(|(_, g)| g.born_ms < ms).map(|(of, _)| *of).collect()
            }
            Which::WorthwhileOlderThan(ms) => {
                let due = |g: &Generation| g.born_ms < ms && g.bytes() >= WORTHWHILE_BYTES;
                self.open.iter().filter(|(_, g)| due(g)).map(|(of, _)| *of).collect()
            }
            Which::AtLeast(bytes) => {
                self.open.iter().filter(|(_, g)| g.bytes() >= bytes).map(|(of, _)| *of).collect()
            }
            Which::Largest => {
                self.open.iter().max_by_key(|(_, g)| g.bytes()).map(|(of, _)| *of).into_iter().collect()
            }
        };
        chosen.iter().filter_map(|of| self.open.remove(of)).collect()
    }

    pub(super) fn cut(&mut self, border_ms: i64) -> (Vec<(OrgId, Arc<Head>, Cut)>, u64) {
        let cuts = self
            .heads()
            .into_iter()
            .map(|(org, head)| {
                let cut = head.cut(border_ms);
                (org, head, cut)
            })
            .collect();
        // Not the last LSN given out: a record whose sync failed may still be on the disk at the next start.
        (cuts, self.applied)
    }

    pub(super) fn mark(&mut self) -> Option<Mark> {
        if self.dead.is_some() {
            return None;
        }
        // Records before the mark and after it never share a segment, whose records need each other.
        if let Err(cause) = self.log.end_segment() {
            self.die(&cause);
            return None;
        }
        let checkpoint = |org| self.checkpoints.get(&(org, Signal::Metrics)).copied().unwrap_or_default();
        let heads = self.heads().into_iter().map(|(org, head)| (org, head, checkpoint(org))).collect();
        Some(Mark { lsn: self.applied, heads })
    }

    /// Heads of the shard's organisations.
    fn heads(&self) -> Vec<(OrgId, Arc<Head>)> {
        let shards = self.shared.config.shards.unwrap_or(1);
        let all = self.shared.heads.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mine = all.iter().filter(|(org, _)| shard_of(**org, shards) == self.handle.number);
        mine.map(|(org, head)| (*org, head.clone())).collect()
    }

    pub(super) fn forget(&mut self, org: OrgId) {
        self.open.retain(|(of, _), _| *of != org);
        self.handle.windows.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&org);
        let all = Checkpoint { lsn: u64::MAX, border_ms: i64::MAX };
        self.trim(Signal::ALL.into_iter().map(|signal| ((org, signal), all)).collect());
    }

    pub(super) fn trim(&mut self, checkpoints: Vec<((OrgId, Signal), Checkpoint)>) {
        self.checkpoints.extend(checkpoints);
        self.log.trim(self.shared.fs.as_ref(), (&self.checkpoints, self.imaged));
        self.log.publish_size(&self.handle.log_bytes);
    }
}

/// The shard of an organisation.
pub(crate) fn shard_of(org: OrgId, shards: usize) -> usize {
    (xxhash_rust::xxh3::xxh3_64(org.as_bytes()) % shards.max(1) as u64) as usize
}

/// Adds rows to the open generation of their table, which is in the snapshot before its first row is visible; gives
/// them with their place in the log.
pub(super) fn insert_rows(
    shared: &Shared,
    open: &mut std::collections::HashMap<(OrgId, Signal), Arc<Generation>>,
    at: Arrived,
    batch: &RecordBatch,
) -> Option<RecordBatch> {
    let placed = rows::placed(at.signal, batch, at.lsn)?;
    let generation = open.entry((at.org, at.signal)).or_insert_with(|| {
        let born_ms = now(&shared.clock);
        let generation = Arc::new(Generation::new(at.org, at.signal, at.shard, born_ms));
        shared.snapshots.change(|s| s.edit(at.org, at.signal).generations.push(Arc::clone(&generation)));
        generation
    });
    generation.push(placed.clone(), at.lsn);
    Some(placed)
}

fn now(clock: &Clock) -> i64 {
    clock()
}

/// The place of each series; removes those whose labels no head takes.
fn screen(
    (head, limit): (&Head, Option<u64>),
    series: &mut Vec<Series>,
    rejected: &mut Vec<Rejection>,
) -> Vec<ph_tsdb::Place> {
    let mut places = Vec::with_capacity(series.len());
    // Only a batch that could pass the limit is looked at series by series.
    let near = |limit: &u64| head.series_count() as u64 + series.len() as u64 > *limit;
    if let Some(limit) = limit.filter(near) {
        // Known series go on; only new ones are refused.
        series.retain(|one| {
            let full = head.series_count() as u64 >= limit;
            let takes = !full || head.knows(&one.labels);
            if takes {
                // Counted at once, so that one batch cannot pass the limit.
                head.series_ref(&one.labels);
            } else {
                refuse_series(rejected, &one.labels, (one.samples.len() as u64, limit));
            }
            takes
        });
    }
    series.retain(|one| match head.place(&one.labels) {
        Some(place) => {
            places.push(place);
            true
        }
        None => {
            add_rejection(rejected, "invalid_labels", one.samples.len() as u64, one.labels.to_string());
            false
        }
    });
    places
}

pub(crate) fn add_rejection(to: &mut Vec<Rejection>, reason: &'static str, count: u64, example: String) {
    match to.iter_mut().find(|r| r.reason == reason) {
        Some(known) => known.count += count,
        None => to.push(Rejection { reason, count, example }),
    }
}

pub(super) fn newest_ms(series: &[Series]) -> i64 {
    series.iter().flat_map(|s| &s.samples).map(|s| s.at_ms).max().unwrap_or(i64::MIN)
}
