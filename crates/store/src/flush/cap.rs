//! The cap on the disk: above it the oldest days go, from organisations that hold more than their share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ph_model::{EventRow, OrgId, Signal};

use super::Flusher;
use crate::block::BlockPart;
use crate::contract::{Error, Rows};
use crate::part::{Part, day_text};
use crate::rows;
use crate::shard::{Append, Body, Lane, Order, shard_of};

/// All parts of one organisation and day.
#[derive(Default)]
struct Day {
    bytes: u64,
    parts: Vec<Arc<Part>>,
    blocks: Vec<Arc<BlockPart>>,
}

impl Flusher {
    /// Drops days while the parts together are larger than the cap, and says so in an event of the organisation.
    pub(super) fn cap_disk(&self) -> Result<(), Error> {
        let Some(cap) = self.shared.config.disk_cap_bytes else { return Ok(()) };
        let mut orgs = self.holdings();
        let mut total: u64 = orgs.values().flat_map(BTreeMap::values).map(|d| d.bytes).sum();
        while total > cap {
            let share = cap / orgs.len().max(1) as u64;
            // The one that is furthest above its share; while the sum is above the cap, somebody is.
            let held = |days: &BTreeMap<i64, Day>| days.values().map(|d| d.bytes).sum::<u64>();
            let most = orgs
                .iter()
                .max_by_key(|(org, days)| (held(days), **org))
                .map(|(org, days)| (*org, held(days)));
            let Some((org, held)) = most else { return Ok(()) };
            let Some((number, day)) = orgs.get_mut(&org).and_then(BTreeMap::pop_first) else { return Ok(()) };
            total = total.saturating_sub(day.bytes);
            self.drop_parts(day.parts, day.blocks)?;
            self.tell(
                (org, "DiskCapReached"),
                format!(
                    "{} was dropped before its retention ended: the store holds more than disk_cap_bytes = {cap}, this organisation {held} of its share of {share} bytes",
                    day_text(number)
                ),
            );
        }
        Ok(())
    }

    fn holdings(&self) -> HashMap<OrgId, BTreeMap<i64, Day>> {
        let snapshot = self.shared.snapshots.load();
        let mut out: HashMap<OrgId, BTreeMap<i64, Day>> = HashMap::new();
        for part in snapshot.tables.values().flat_map(|t| &t.parts) {
            let day = out.entry(part.row.org).or_default().entry(part.row.day).or_default();
            day.bytes += part.row.bytes + part.row.tix + part.row.tid;
            day.parts.push(Arc::clone(part));
        }
        for block in snapshot.all_blocks() {
            let day = out.entry(block.row.org).or_default().entry(block.row.day).or_default();
            day.bytes += block.row.bytes;
            day.blocks.push(Arc::clone(block));
        }
        out
    }

    /// Writes an event of the store itself.
    pub(super) fn tell(&self, (org, reason): (OrgId, &str), message: String) {
        tracing::warn!(%org, reason, message, "the store dropped data");
        let now_ns = (self.shared.clock)().saturating_mul(1_000_000);
        let event = EventRow {
            ts: now_ns,
            first_ts: now_ns,
            count: 1,
            r#type: "Warning".into(),
            reason: reason.to_owned(),
            reporter: "pilothouse-store".into(),
            message,
            ..EventRow::default()
        };
        let batch = rows::batch_of(&Rows::Events(vec![event]));
        let Some((batch, raw)) = batch.and_then(|b| rows::encode(&b).map(|raw| (b, raw))) else { return };
        let body = Body::Rows { signal: Signal::Events, batch, raw };
        let number = shard_of(org, self.shared.config.shards.unwrap_or(1));
        let shard = self.shards.iter().find(|s| s.lane == Lane::Rows && s.number == number);
        let (reply, _unread) = tokio::sync::oneshot::channel();
        let append = Append { org, id: None, hash: 0, body, rejected: Vec::new(), reply };
        if let Some(shard) = shard {
            // A shard that is gone takes nothing more; the log line above says it too.
            let _ = shard.orders.blocking_send(Order::Append(Box::new(append)));
        }
    }
}
