//! Scrapes pods of this node that ask for it by annotation, or whose Service does.
//!
//! In:     `pilothouse.dev/*`, `prometheus.io/*`, `signoz.io/*` or `k8s.grafana.com/*` annotations of this node's pods and of Services
//!         that select them; text 0.0.4 and OpenMetrics.
//! Out:    series as they are named there, with the pod as resource; `up` and its like for each target; a stale marker for each series
//!         that is gone.
//! Never:  contacts anything but the pod's own address, follows a redirect to elsewhere, or sends a credential.

mod fetch;
mod kept;
mod target;
mod text;

use std::collections::HashMap;

use futures::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::collect::{Feed, Rhythm};
use crate::time::now_ms;
use kept::{Kept, Reading};
use target::{LEAST_INTERVAL, Target, targets};

/// Targets that are scraped at one time.
const AT_ONCE: usize = 4;

/// Scrapes each target when it is due, until `stop`.
pub async fn scrape(feed: Feed, stop: CancellationToken) {
    let clients = match fetch::Clients::new(feed.config.scrape_ca.clone()) {
        Ok(clients) => clients,
        Err(error) => return feed.own.failed("scrape", &error.chain(), "restart the agent"),
    };
    let mut rhythm = Rhythm::new(LEAST_INTERVAL, &("scrape", &feed.place.node));
    let mut synced = feed.pods.synced();
    tokio::select! {
        _ = synced.wait_for(|synced| *synced) => {}
        () = stop.cancelled() => return,
    }
    let mut known: HashMap<String, Known> = HashMap::new();
    while rhythm.turn(&stop).await {
        let (targets, faults) = targets(&feed.pods.living(), &feed.pods.services());
        let asked: HashMap<String, &Target> = targets.iter().map(|t| (t.key(), t)).collect();
        let same = |key: &str, state: &Known| asked.get(key).is_some_and(|t| state.kept.is_of(t));
        let gone: Vec<String> =
            known.iter().filter(|(key, state)| !same(key, state)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            if let Some(mut last) = known.remove(&key) {
                give(&feed, last.kept.end(now_ms())).await;
            }
        }
        let now = Instant::now();
        let mut due: Vec<(Target, Known)> = Vec::new();
        for target in targets {
            let state = known.remove(&target.key()).unwrap_or_else(|| Known {
                kept: Kept::new(&target, &feed.place),
                due: now,
                failed: None,
            });
            if state.due <= now {
                due.push((target, state));
            } else {
                known.insert(target.key(), state);
            }
        }
        let scraped = futures::stream::iter(due)
            .map(|(target, state)| scrape_one(&feed, &clients, target, state))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>();
        let scraped = tokio::select! {
            scraped = scraped => scraped,
            () = stop.cancelled() => return,
        };
        known.extend(scraped.into_iter().map(|(target, state)| (target.key(), state)));
        tell(&feed, faults, &known);
    }
}

/// What is known of a target between its scrapes.
struct Known {
    kept: Kept,
    due: Instant,
    /// Why the last one failed.
    failed: Option<String>,
}

fn tell(feed: &Feed, mut failed: Vec<String>, known: &HashMap<String, Known>) {
    failed.extend(known.iter().filter_map(|(key, k)| Some(format!("{key}: {}", k.failed.as_ref()?))));
    if failed.is_empty() {
        return feed.own.well("scrape", &[], now_ms());
    }
    failed.sort();
    let more = failed.len().saturating_sub(5);
    failed.truncate(5);
    if more > 0 {
        failed.push(format!("and {more} more"));
    }
    feed.own.failed("scrape", &failed.join("; "), "correct the pods' annotations, or what they expose");
}

async fn scrape_one(
    feed: &Feed,
    clients: &fetch::Clients,
    target: Target,
    mut state: Known,
) -> (Target, Known) {
    let (began, at_ms) = (Instant::now(), now_ms());
    state.due = (state.due + target.interval).max(began);
    let fetched = clients.fetch(&target).await;
    let took = began.elapsed();
    let read = match &fetched {
        Ok(body) => text::parse(body).map_err(|e| e.to_string()).map(|samples| (samples, body.len())),
        Err(why) => Err(why.clone()),
    };
    let reading = match read {
        Ok((samples, bytes)) => {
            state.failed = None;
            Reading { samples, bytes, up: true }
        }
        Err(why) => {
            state.failed = Some(why);
            Reading { samples: Vec::new(), bytes: 0, up: false }
        }
    };
    let request = state.kept.take(reading, at_ms, took);
    give(feed, request).await;
    (target, state)
}

async fn give(feed: &Feed, (body, items): (Vec<u8>, u32)) {
    if items > 0 {
        // The sender is gone only when the agent stops.
        let _ = feed.to_sender.send(crate::sender::Outgoing { body, items }).await;
    }
}

#[cfg(test)]
mod tests;
