//! The loops that read sources and hand their points to the sender.
//!
//! In:     one loop a source, each with its own rhythm: at once, then each interval, shifted by the source's own hash.
//! Out:    encoded requests to the sender; the state of each source to the status page.
//! Never:  lets one source wait for another; sends a value twice.

mod containers;
mod engine;
mod network;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ph_taillog::Watching;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::config::NodeConfig;
use crate::docker::Container;
use crate::enrich::{self, Place};
use crate::error::{Error, Result};
use crate::group::Group;
use crate::host::{HostReader, Roots};
use crate::kubelet::fetch::{Fetcher, Kubelet, Trust};
use crate::kubelet::summary::{self, Extras};
use crate::otlp;
use crate::own::Own;
use crate::pods::Pods;
use crate::sender::Outgoing;
use crate::time::now_ms;
use crate::track::Tracker;

pub use containers::containers;
pub use engine::engine;

/// Decompressed bytes of one request.
const REQUEST_BYTES: usize = 1 << 20;
/// How long the first reading of pods waits for the list of pods.
const SYNC_PATIENCE: Duration = Duration::from_secs(10);

/// What all loops share.
#[derive(Clone, Debug)]
pub struct Feed {
    pub config: Arc<NodeConfig>,
    pub pods: Pods,
    pub place: Arc<Place>,
    /// Containers of a Docker host; empty elsewhere.
    pub docker: watch::Sender<Arc<Vec<Container>>>,
    pub own: Own,
    pub to_sender: mpsc::Sender<Outgoing>,
    /// The inotify instance of this process.
    pub watching: Watching,
    /// When the agent started, ms UTC.
    pub started_ms: i64,
}

impl Feed {
    /// Follows a reading, joins it with its resources and gives it to the sender. Waits while the sender is full.
    async fn give(&self, mut groups: Vec<Group>, tracker: &mut Tracker, now_ms: i64) {
        enrich::identify(&mut groups, &self.pods);
        let mut groups = tracker.pass(groups, now_ms);
        enrich::utilization(&mut groups, &self.pods);
        let docker = self.docker.borrow().clone();
        let (joined, missed) = enrich::join(groups, &self.pods, &docker, &self.place);
        self.own.missed(missed);
        let points: usize = joined.iter().map(|r| r.points.len()).sum();
        let requests = otlp::metrics(joined, REQUEST_BYTES);
        let share = points.div_ceil(requests.len().max(1));
        let mut left = points;
        for body in requests {
            let items = u32::try_from(share.min(left)).unwrap_or(u32::MAX);
            left = left.saturating_sub(share);
            // The sender is gone only when the agent stops.
            let _ = self.to_sender.send(Outgoing { body, items }).await;
        }
    }

    fn rhythm(&self, source: &str) -> Rhythm {
        Rhythm::new(self.config.interval(), &(source, &self.place.node, &self.place.facts.name))
    }
}

/// When a source is read: at once, then each interval from a shift of its own on, so that a fleet is never in step.
#[derive(Debug)]
pub struct Rhythm {
    interval: tokio::time::Interval,
    first: bool,
}

impl Rhythm {
    pub fn new(period: Duration, who: &impl Hash) -> Self {
        let mut interval = tokio::time::interval_at(Instant::now() + shift(period, who), period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, first: true }
    }

    /// Waits for the next turn; false when `stop` came first.
    pub async fn turn(&mut self, stop: &CancellationToken) -> bool {
        if std::mem::take(&mut self.first) {
            return !stop.is_cancelled();
        }
        tokio::select! {
            _ = self.interval.tick() => true,
            () = stop.cancelled() => false,
        }
    }
}

/// Of the second reading behind the first: between a fifth of the interval, so that it has something to compare with, and
/// the whole of it.
fn shift(period: Duration, who: &impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    who.hash(&mut hasher);
    let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis((hasher.finish() % millis).max(millis / 5))
}

/// Runs a blocking reader on a thread that may block, and gives it back.
async fn on_thread<R: Send + 'static, T: Send + 'static>(
    mut reader: R,
    read: impl FnOnce(&mut R) -> T + Send + 'static,
) -> Result<(R, T)> {
    let done = tokio::task::spawn_blocking(move || {
        let result = read(&mut reader);
        (reader, result)
    });
    done.await.map_err(|_| Error::Stopped("the reading thread ended early"))
}

/// Where the configuration says that the host is seen.
pub fn roots(config: &NodeConfig) -> Roots {
    Roots { proc: config.roots.proc.clone(), sys: config.roots.sys.clone(), root: config.roots.root.clone() }
}

/// Reads the host.
pub async fn host(feed: Feed, stop: CancellationToken) {
    let mut reader = HostReader::new(roots(&feed.config));
    let mut tracker = Tracker::default();
    let mut rhythm = feed.rhythm("host");
    while rhythm.turn(&stop).await {
        let now = now_ms();
        let reading = match on_thread(reader, move |reader| reader.read(now)).await {
            Ok((given_back, reading)) => {
                reader = given_back;
                reading
            }
            Err(error) => {
                feed.own.failed("host", &error.chain(), "");
                reader = HostReader::new(roots(&feed.config));
                continue;
            }
        };
        feed.own.well("host", &reading.problems, now);
        feed.give(reading.groups, &mut tracker, now).await;
    }
}

/// Reads the agent itself.
pub async fn own(feed: Feed, stop: CancellationToken) {
    let mut tracker = Tracker::default();
    let mut rhythm = feed.rhythm("own");
    while rhythm.turn(&stop).await {
        let now = now_ms();
        let group = feed.own.points(feed.started_ms, now);
        feed.give(vec![group], &mut tracker, now).await;
    }
}

/// Asks the kubelet.
pub async fn kubelet(feed: Feed, stop: CancellationToken) {
    let wanted = &feed.config.kubelet;
    let fetcher = Fetcher::new(Kubelet {
        host: wanted.host.clone(),
        port: wanted.port,
        tls: wanted.tls,
        token_file: wanted.token_file.clone(),
        ca_file: wanted.ca_file.clone(),
        pin_file: feed.config.state.join("kubelet.pin"),
    });
    let fetcher = match fetcher {
        Ok(fetcher) => fetcher,
        Err(error) => return feed.own.failed("kubelet", &error.chain(), ""),
    };
    synced(&feed, &stop).await;
    let extras = Extras { system_containers: wanted.system_containers, volume_usage: wanted.volume_usage };
    let mut tracker = Tracker::default();
    let mut rhythm = feed.rhythm("kubelet");
    while rhythm.turn(&stop).await {
        let asked = tokio::select! {
            asked = fetcher.summary() => asked,
            () = stop.cancelled() => return,
        };
        let now = now_ms();
        note_trust(&feed, &fetcher);
        match asked.and_then(|json| summary::read(&json, extras)) {
            Ok(groups) => {
                feed.own.well("kubelet", &[], now);
                feed.give(groups, &mut tracker, now).await;
            }
            // The series stay open: one failed call is a gap, not their end.
            Err(error) => feed.own.failed("kubelet", &error.chain(), &fetcher.fix(&error)),
        }
    }
}

fn note_trust(feed: &Feed, fetcher: &Fetcher) {
    let Some(trust) = fetcher.trust() else { return };
    let word = match trust {
        Trust::ClusterCa => "verified by the cluster's CA",
        Trust::Pinned { .. } => "pinned: not signed by the cluster's CA",
        Trust::Skipped => "not checked",
        Trust::Changed { .. } => "changed",
    };
    feed.own.fact("kubelet", "certificate", word);
    match trust {
        Trust::Pinned { first: true } => feed.own.warn(
            "the kubelet's certificate is not signed by the cluster's CA; it was pinned on first use (set serverTLSBootstrap: true in the kubelet's configuration to have it signed)",
        ),
        Trust::Skipped => feed.own.warn("the kubelet's certificate is not checked (--kubelet-tls skip)"),
        _ => {}
    }
}

/// Waits until the pods of this node are known, but not for long.
async fn synced(feed: &Feed, stop: &CancellationToken) {
    let mut synced = feed.pods.synced();
    tokio::select! {
        _ = synced.wait_for(|done| *done) => {}
        () = tokio::time::sleep(SYNC_PATIENCE) => {}
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests;
