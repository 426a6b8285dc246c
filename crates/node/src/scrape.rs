//! Scrapes pods of this node that ask for it by annotation.
//!
//! In:     `pilothouse.dev/*`, `prometheus.io/*` or `signoz.io/*` annotations of this node's pods; text 0.0.4 and OpenMetrics.
//! Out:    series as they are named there, with the pod as resource; `up` and its like for each target; a stale marker for each series
//!         that is gone.
//! Never:  contacts anything but the pod's own address, follows a redirect to elsewhere, or sends a credential.

mod fetch;
mod kept;
mod target;
mod text;

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::collect::{Feed, Rhythm};
use crate::time::now_ms;
use kept::{Kept, Reading};
use target::{Target, targets};

/// Between two scrapes of one target.
const INTERVAL: Duration = Duration::from_secs(60);

/// Scrapes all targets, one after the other, until `stop`.
pub async fn scrape(feed: Feed, stop: CancellationToken) {
    let client = match fetch::client() {
        Ok(client) => client,
        Err(error) => return feed.own.failed("scrape", &error.chain(), "restart the agent"),
    };
    let mut rhythm = Rhythm::new(INTERVAL, &("scrape", &feed.place.node));
    let mut synced = feed.pods.synced();
    tokio::select! {
        _ = synced.wait_for(|synced| *synced) => {}
        () = stop.cancelled() => return,
    }
    let mut kept: HashMap<String, Kept> = HashMap::new();
    while rhythm.turn(&stop).await {
        let (targets, faults) = targets(&feed.pods.living());
        let gone: Vec<String> =
            kept.keys().filter(|known| !targets.iter().any(|t| t.key() == **known)).cloned().collect();
        for key in gone {
            if let Some(mut last) = kept.remove(&key) {
                give(&feed, last.end(now_ms())).await;
            }
        }
        let mut failed = faults;
        for target in &targets {
            let one = tokio::select! {
                one = scrape_one(&feed, &client, (target, &mut kept)) => one,
                () = stop.cancelled() => return,
            };
            failed.extend(one.err().map(|why| format!("{}: {why}", target.key())));
        }
        if failed.is_empty() {
            feed.own.well("scrape", &[], now_ms());
        } else {
            failed.truncate(5);
            feed.own.failed(
                "scrape",
                &failed.join("; "),
                "correct the pods' annotations, or what they expose",
            );
        }
    }
}

async fn scrape_one(
    feed: &Feed,
    client: &reqwest::Client,
    (target, all): (&Target, &mut HashMap<String, Kept>),
) -> Result<(), String> {
    let kept = all.entry(target.key()).or_insert_with(|| Kept::new(target, &feed.place));
    let (began, at_ms) = (Instant::now(), now_ms());
    let fetched = fetch::fetch(client, target).await;
    let took = began.elapsed();
    let read = match &fetched {
        Ok(body) => text::parse(body).map_err(|e| e.to_string()).map(|samples| (samples, body.len())),
        Err(why) => Err(why.clone()),
    };
    let (reading, outcome) = match read {
        Ok((samples, bytes)) => (Reading { samples, bytes, up: true }, Ok(())),
        Err(why) => (Reading { samples: Vec::new(), bytes: 0, up: false }, Err(why)),
    };
    let request = kept.take(reading, at_ms, took);
    give(feed, request).await;
    outcome
}

async fn give(feed: &Feed, (body, items): (Vec<u8>, u32)) {
    if items > 0 {
        // The sender is gone only when the agent stops.
        let _ = feed.to_sender.send(crate::sender::Outgoing { body, items }).await;
    }
}

#[cfg(test)]
mod tests;
