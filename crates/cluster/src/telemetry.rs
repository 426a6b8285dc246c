//! What the leader sends: cluster metrics on a clock, events as they come.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::SelectAll;
use kube::api::{Api, DynamicObject};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::runtime::{WatchStreamExt, watcher};
use ph_model::ObjectKind;
use prost::Message;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::events::{BACKFILL_MS, EventPacer, EventRecord, last_ms};
use crate::inventory::{Inventory, Place};
use crate::retry::Patience;
use crate::send::Sender;
use crate::{error, metrics as rules, otlp};

/// Points in one request.
const BATCH_POINTS: usize = 5_000;
/// Events in one request.
const BATCH_EVENTS: usize = 500;

/// ms since 1970, UTC.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Sends points of all objects: at once when the inventory is there, then every `every`.
pub async fn metrics(
    inventory: Arc<Inventory>,
    sender: Arc<Sender>,
    every: Duration,
    stop: CancellationToken,
) {
    while !inventory.is_synced() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    let mut clock = tokio::time::interval(every);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let inventory = inventory.clone();
        let at_ms = now_ms();
        let Ok(batches) = tokio::task::spawn_blocking(move || encode(&inventory, at_ms)).await else {
            continue;
        };
        for batch in batches {
            sender.push(batch).await;
        }
    }
}

fn encode(inventory: &Inventory, at_ms: i64) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let (mut batch, mut points) = (Vec::new(), 0);
    for kind in ObjectKind::ALL {
        for (_, entry) in inventory.of_kind(kind.as_str()) {
            let Ok(object) = serde_json::from_slice::<Value>(&entry.json) else { continue };
            let owner = entry.owner.as_ref().map(|(kind, name, uid)| top(inventory, (kind, name, uid)));
            let owner = owner.as_ref().map(|(k, n)| (k.as_str(), n.as_str()));
            for rp in rules::points(kind.as_str(), &object, owner, at_ms) {
                points += rp.points.len();
                batch.push(rp);
            }
            if points >= BATCH_POINTS {
                out.push(otlp::metrics(std::mem::take(&mut batch)).encode_to_vec());
                points = 0;
            }
        }
    }
    if !batch.is_empty() {
        out.push(otlp::metrics(batch).encode_to_vec());
    }
    out
}

/// The workload above a direct owner: the Deployment of a ReplicaSet, the CronJob of a Job.
fn top(inventory: &Inventory, (kind, name, uid): (&str, &str, &str)) -> (String, String) {
    match inventory.owner_of(kind, uid) {
        Some((kind, name, _)) => (kind, name),
        None => (kind.to_owned(), name.to_owned()),
    }
}

/// Sends events of all places as they come, updates at most once a minute.
pub async fn events(
    (client, places): (kube::Client, Vec<Place>),
    sender: Arc<Sender>,
    stop: CancellationToken,
) {
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("events.k8s.io", "v1", "Event"), "events");
    let mut stream = SelectAll::new();
    for place in places {
        let api: Api<DynamicObject> = match place {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let config = watcher::Config::default().page_size(500);
        stream.push(watcher::watcher(api, config).backoff(Patience::default()).boxed());
    }
    let mut pacer = EventPacer::default();
    let mut ready: Vec<EventRecord> = Vec::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = clock.tick() => {
                ready.extend(pacer.due(now_ms()));
                flush(&sender, &mut ready).await;
            }
            event = stream.next() => match event {
                Some(Ok(watcher::Event::Apply(o) | watcher::Event::InitApply(o))) => {
                    let now = now_ms();
                    let fresh = |v: &Value| last_ms(v).is_none_or(|at| now - at < BACKFILL_MS);
                    if let Some(v) = serde_json::to_value(&o).ok().filter(fresh) {
                        ready.extend(pacer.take(v, now));
                    }
                    if ready.len() >= BATCH_EVENTS {
                        flush(&sender, &mut ready).await;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => tracing::warn!(error = %error::chain(&e), "watch of events failed"),
                None => break,
            },
        }
    }
    ready.extend(pacer.rest());
    flush(&sender, &mut ready).await;
}

async fn flush(sender: &Sender, ready: &mut Vec<EventRecord>) {
    for batch in ready.chunks(BATCH_EVENTS) {
        sender.push(otlp::logs(batch).encode_to_vec()).await;
    }
    ready.clear();
}
