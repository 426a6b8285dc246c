//! A batch on its way in: limits, hash, columns, and then its shard.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use ph_access::TenantCtx;
use ph_model::{Attributes, ErrorKind, ExemplarRow, LogRow, OrgId, Series, Signal, SpanRow};
use tokio::sync::oneshot;
use xxhash_rust::xxh3::Xxh3;

use super::Embedded;
use super::start::run;
use crate::contract::{Appended, Batch, Error, Rejection, Rows};
use crate::flush::keep::cutoff_ms;
use crate::health::Meter;
use crate::limits::size_of_value;
use crate::rows;
use crate::shard::{Append, Body, Lane, Order, ShardHandle, add_rejection, shard_of};

/// Most bytes of one batch, about.
const MAX_BATCH_BYTES: usize = 64 << 20;
/// Rows that are turned into columns on the caller's thread; more go to the blocking pool.
const INLINE_ROWS: usize = 256;
/// Rows may be this far ahead of the clock.
const AHEAD_NS: i64 = 86_400_000_000_000;

impl Embedded {
    pub(super) async fn take(&self, ctx: &TenantCtx, batch: Batch) -> Result<Appended, Error> {
        let size = size_of(&batch.rows);
        if size > MAX_BATCH_BYTES {
            let what =
                format!("batch of {size} bytes is larger than {MAX_BATCH_BYTES}; send smaller batches");
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        self.shared.accepts(ctx.org())?;
        self.check_room()?;
        let limits = self.shared.settings(ctx.org());
        let usage = self.shared.usage(ctx.org());
        usage.admit(&limits.limits, load_of(&batch.rows, size), (self.shared.clock)())?;
        self.turns.note_batch(size as u64);
        let kib = (size >> 10).max(1) as u32;
        let _under_way = tokio::select! {
            permit = self.intake.acquire_many(kib) => permit.map_err(|_| closing())?,
            () = self.stop.cancelled() => return Err(closing()),
        };
        let (signal, org) = (batch.rows.signal(), ctx.org());
        let hash = hash_of(&batch.rows);
        let mut rejected = Vec::new();
        let mut rows = batch.rows;
        limits.limits.apply(&mut rows, &mut rejected);
        let body = self.body(org, rows, &mut rejected).await?;
        if let Body::Rows { batch: columns, .. } = &body
            && columns.num_rows() == 0
        {
            Meter::add(&self.shared.meter.rejected, rejected.iter().map(|r| r.count).sum());
            usage.note(&rejected);
            return Ok(Appended { rejected, ..Appended::default() });
        }
        let shard = self.shard(Lane::of(signal), shard_of(org, self.shared.config.shards.unwrap_or(1)))?;
        let (reply, answer) = oneshot::channel();
        let append = Append { org, id: batch.id, hash, body, rejected, reply };
        shard.orders.send(Order::Append(Box::new(append))).await.map_err(|_| closing())?;
        drop(shard);
        answer.await.map_err(|_| closing())?
    }

    /// Refuses while disk or memory are short, before anything is logged.
    fn check_room(&self) -> Result<(), Error> {
        let short = |what: String| {
            let mut error = Error::new(ErrorKind::Exhausted, what);
            error.retry_after_ms = Some(5_000);
            Err(error)
        };
        if self.stop.is_cancelled() {
            return Err(closing());
        }
        if self.gauges.disk_low.load(Ordering::Relaxed) {
            let free = self.free_bytes();
            let dir = self.shared.config.dir.display();
            return short(format!(
                "disk: {free} bytes are free under {dir}, fewer than intake needs; free space or shorten the retention"
            ));
        }
        let memory = self.gauges.memory_bytes.load(Ordering::Relaxed);
        if memory > self.shared.config.memory_bytes {
            return short(format!(
                "memory: {memory} bytes of rows wait for the disk, more than memory_bytes = {}; see the store's health",
                self.shared.config.memory_bytes
            ));
        }
        Ok(())
    }

    fn shard(&self, lane: Lane, number: usize) -> Result<ShardHandle, Error> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.iter().find(|s| s.lane == lane && s.number == number).cloned().ok_or_else(closing)
    }

    /// The batch as it goes to the log, without rows that are out of time.
    async fn body(&self, org: OrgId, rows: Rows, rejected: &mut Vec<Rejection>) -> Result<Body, Error> {
        let now_ms = (self.shared.clock)();
        let signal = rows.signal();
        let first_ns = cutoff_ms(&self.shared, org, signal).saturating_mul(1_000_000);
        let last_ns = now_ms.saturating_mul(1_000_000).saturating_add(AHEAD_NS);
        let rows = match rows {
            Rows::Metrics(mut series) => {
                too_old(&mut series, first_ns / 1_000_000, rejected);
                return Ok(Body::Series { series, places: Vec::new(), now_ms });
            }
            Rows::Logs(list) => Rows::Logs(in_time(list, |r| r.ts, (first_ns, last_ns), rejected)),
            Rows::Spans(list) => Rows::Spans(in_time(list, |r| r.start, (first_ns, last_ns), rejected)),
            Rows::Events(list) => Rows::Events(in_time(list, |r| r.ts, (first_ns, last_ns), rejected)),
            Rows::Exemplars(list) => Rows::Exemplars(in_time(list, |r| r.ts, (first_ns, last_ns), rejected)),
        };
        let count = count_of(&rows);
        let build = move || {
            let batch = rows::batch_of(&rows)?;
            let raw = rows::encode(&batch)?;
            Some(Body::Rows { signal, batch, raw })
        };
        let built = if count > INLINE_ROWS { run(build).await? } else { build() };
        built.ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "batch does not fit into columns; send smaller batches")
        })
    }
}

fn closing() -> Error {
    let mut error =
        Error::new(ErrorKind::Unavailable, "the store is shutting down; send the batch again later");
    error.retry_after_ms = Some(2_000);
    error
}

/// Samples before the retention would be invisible at once.
fn too_old(series: &mut Vec<Series>, first_ms: i64, rejected: &mut Vec<Rejection>) {
    for one in series.iter_mut() {
        let before = one.samples.len();
        one.samples.retain(|s| s.at_ms >= first_ms);
        let dropped = (before - one.samples.len()) as u64;
        if dropped > 0 {
            add_rejection(rejected, "too_old", dropped, one.labels.to_string());
        }
    }
    series.retain(|s| !s.samples.is_empty());
}

fn in_time<R>(
    mut rows: Vec<R>,
    ts: impl Fn(&R) -> i64,
    (first, last): (i64, i64),
    rejected: &mut Vec<Rejection>,
) -> Vec<R> {
    rows.retain(|row| {
        let at = ts(row);
        let reason = if at < first {
            "too_old"
        } else if at > last {
            "too_far_in_future"
        } else {
            return true;
        };
        add_rejection(rejected, reason, 1, format!("row at {at} ns"));
        false
    });
    rows
}

fn count_of(rows: &Rows) -> usize {
    match rows {
        Rows::Metrics(list) => list.len(),
        Rows::Logs(list) => list.len(),
        Rows::Spans(list) => list.len(),
        Rows::Events(list) => list.len(),
        Rows::Exemplars(list) => list.len(),
    }
}

/// About how many bytes a batch takes in memory.
fn size_of(rows: &Rows) -> usize {
    let of = |all: &Attributes| -> usize {
        all.iter().map(|(key, value)| (key.len() + size_of_value(value)).max(48)).sum()
    };
    let log = |r: &LogRow| 300 + r.message.len() + of(&r.attributes) + of(&r.resource);
    let span = |r: &SpanRow| 400 + r.events.len() + r.links.len() + of(&r.attributes) + of(&r.resource);
    let exemplar = |r: &ExemplarRow| 100 + 32 * (r.series.len() + r.labels.len());
    match rows {
        Rows::Metrics(list) => list.iter().map(|s| 64 + 32 * s.labels.len() + 16 * s.samples.len()).sum(),
        Rows::Logs(list) => list.iter().map(log).sum(),
        Rows::Spans(list) => list.iter().map(span).sum(),
        Rows::Events(list) => list.iter().map(|r| 300 + r.message.len()).sum(),
        Rows::Exemplars(list) => list.iter().map(exemplar).sum(),
    }
}

/// Samples of a batch, and bytes of its rows: what rates are about.
fn load_of(rows: &Rows, size: usize) -> (u64, u64) {
    match rows {
        Rows::Metrics(list) => (list.iter().map(|s| s.samples.len() as u64).sum(), 0),
        _ => (0, size as u64),
    }
}

/// Hash over positions and values: what stays the same when a sender repeats a batch, whatever was added on the way.
fn hash_of(rows: &Rows) -> u64 {
    let mut h = Xxh3::new();
    h.update(Signal::as_str(rows.signal()).as_bytes());
    match rows {
        Rows::Metrics(list) => {
            for series in list {
                h.update(series.labels.metric().as_bytes());
                for sample in &series.samples {
                    h.update(&sample.at_ms.to_le_bytes());
                    h.update(&sample.value.to_bits().to_le_bytes());
                }
            }
        }
        Rows::Logs(list) => {
            for row in list {
                h.update(&row.ts.to_le_bytes());
                h.update(&row.segment_key.to_le_bytes());
                h.update(&row.offset.to_le_bytes());
                h.update(&(row.message.len() as u64).to_le_bytes());
                h.update(&row.message);
            }
        }
        Rows::Spans(list) => {
            for row in list {
                h.update(&row.trace_id);
                h.update(&row.span_id);
                h.update(&row.start.to_le_bytes());
                h.update(&row.duration_ns.to_le_bytes());
            }
        }
        Rows::Events(list) => {
            for row in list {
                h.update(&row.ts.to_le_bytes());
                h.update(&row.count.to_le_bytes());
                h.update(row.uid.as_bytes());
                h.update(row.message.as_bytes());
            }
        }
        Rows::Exemplars(list) => {
            for row in list {
                h.update(row.series.metric().as_bytes());
                h.update(&row.ts.to_le_bytes());
                h.update(&row.value.to_bits().to_le_bytes());
            }
        }
    }
    h.digest()
}
