//! Images of heads: they keep the metrics log short and a start quick.

use std::sync::PoisonError;

use tokio::sync::oneshot;

use super::{EARLY_MS, Flusher};
use crate::catalogue::Publication;
use crate::contract::Error;
use crate::head;
use crate::health::Meter;
use crate::shard::{Lane, Order, ShardHandle};

/// When a shard's heads were last written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastImage {
    pub at_ms: i64,
    /// Position of the image that this process wrote last.
    pub lsn: u64,
}

impl Flusher {
    /// Writes images of heads that are due: at their interval, and when the log is long.
    pub(super) fn images_due(&mut self, now_ms: i64) {
        for at in 0..self.shards.len() {
            let Some(shard) = self.shards.get(at).filter(|s| s.lane == Lane::Metrics) else { continue };
            let Some(last) = self.state.images.get_mut(at) else { continue };
            let config = &self.shared.config;
            let long = shard.log_bytes.load(std::sync::atomic::Ordering::Relaxed) > config.metrics_log_bytes;
            let every = if long { EARLY_MS } else { config.head_image_every.as_millis() as i64 };
            if now_ms < last.at_ms.saturating_add(every) {
                continue;
            }
            last.at_ms = now_ms;
            // A failure is remembered where it happened and tried again when the next one is due.
            let _ = self.write_image(at);
        }
    }

    /// Writes images of all heads now.
    pub(super) fn write_images(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        for at in 0..self.shards.len() {
            if self.shards.get(at).is_some_and(|s| s.lane == Lane::Metrics) {
                first = first.and(self.write_image(at));
            }
        }
        first
    }

    /// Does nothing while a cut waits for its blocks: an image holds what is in no block.
    fn write_image(&mut self, at: usize) -> Result<(), Error> {
        let Some(shard) = self.shards.get(at).cloned() else { return Ok(()) };
        if self.state.cuts.iter().any(|w| w.shard == shard.number) {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        if shard.orders.blocking_send(Order::Mark(reply)).is_err() {
            return Ok(());
        }
        let Ok(Some(mark)) = answer.blocking_recv() else { return Ok(()) };
        if self.state.images.get(at).is_some_and(|last| last.lsn == mark.lsn) {
            return Ok(());
        }
        let written = head::write(&self.shared, shard.number, &mark).and_then(|bytes| {
            self.keep_windows(&shard)?;
            Ok(bytes)
        });
        match written {
            Ok(bytes) => {
                Meter::add(&self.shared.meter.flushed_bytes, bytes);
                self.shared.meter.cleared("head image");
                if let Some(last) = self.state.images.get_mut(at) {
                    last.lsn = mark.lsn;
                }
                // A shard that is gone is not deleting segments any more; the next start does.
                let (reply, trimmed) = oneshot::channel();
                if shard.orders.blocking_send(Order::Imaged(mark.lsn, reply)).is_ok() {
                    let _ = trimmed.blocking_recv();
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "head image failed, it will be tried again");
                self.shared.meter.trouble("head image", error.text.clone());
                Err(error)
            }
        }
    }

    /// Batch windows into the catalogue, before the log that holds them goes.
    fn keep_windows(&self, shard: &ShardHandle) -> Result<(), Error> {
        let mut windows = Vec::new();
        {
            let mut all = shard.windows.lock().unwrap_or_else(PoisonError::into_inner);
            for (org, of_org) in all.iter_mut() {
                let changed = of_org.take_changed();
                windows.extend(changed.into_iter().map(|(source, seen)| (*org, shard.lane, source, seen)));
            }
        }
        let publication = Publication { windows, ..Publication::default() };
        let result = self.runtime.block_on(self.catalogue.publish(&publication));
        if result.is_err() {
            let mut all = shard.windows.lock().unwrap_or_else(PoisonError::into_inner);
            for (org, _, source, _) in &publication.windows {
                all.entry(*org).or_default().mark_changed(*source);
            }
        }
        result
    }
}
