//! Fills the inventories: one stream a connected cluster-agent or Docker host, a snapshot a minute into the state database.

use std::sync::Arc;
use std::time::Duration;

use ph_access::TenantCtx;
use ph_link::gateway::LiveAgent;
use ph_link::v1::objects_client::ObjectsClient;
use ph_link::v1::{AgentKind, ObjectsAsk};
use ph_model::OrgId;
use ph_store::state::State;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::inventories::{ClusterRoom, Inventories};
use super::inventory::ClusterObjects;
use crate::clock::Clock;

const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(2);
/// An object bigger than this breaks the stream; etcd allows 1.5 MiB.
const MAX_MESSAGE: usize = 8 << 20;

/// What the feed works with.
#[derive(Clone)]
pub struct Feed {
    pub inventories: Arc<Inventories>,
    pub state: State,
    pub clock: Clock,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// Loads snapshots, then watches every agent that connects, until the server stops.
pub async fn run(feed: Feed, mut connected: broadcast::Receiver<LiveAgent>, now: Vec<LiveAgent>) {
    if let Err(error) = load(&feed).await {
        tracing::warn!(%error, "inventory snapshots not loaded");
    }
    for agent in now {
        start(&feed, agent);
    }
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + SNAPSHOT_EVERY, SNAPSHOT_EVERY);
    loop {
        tokio::select! {
            () = feed.stop.cancelled() => break,
            _ = clock.tick() => save(&feed).await,
            agent = connected.recv() => match agent {
                Ok(agent) => start(&feed, agent),
                Err(broadcast::error::RecvError::Lagged(missed)) => tracing::warn!(missed, "connects missed; agents reconnect"),
                Err(broadcast::error::RecvError::Closed) => break,
            },
        }
    }
    save(&feed).await;
}

fn start(feed: &Feed, agent: LiveAgent) {
    if matches!(agent.kind(), AgentKind::Cluster | AgentKind::Host) {
        let feed = feed.clone();
        feed.tasks.clone().spawn(async move { follow(feed, agent).await });
    }
}

/// Follows one link's inventory until the link is gone.
async fn follow(feed: Feed, agent: LiveAgent) {
    let room = feed.inventories.room(agent.org(), agent.cluster(), agent.cluster_name());
    room.write().connected = true;
    loop {
        tokio::select! {
            () = feed.stop.cancelled() => break,
            () = agent.closed().cancelled() => break,
            result = stream(&feed, &agent, &room) => {
                if let Err(status) = result {
                    tracing::debug!(cluster = %room.name, error = %status, "inventory stream ended");
                    if status.code() == tonic::Code::Unimplemented {
                        break;
                    }
                }
            }
        }
        tokio::select! {
            () = feed.stop.cancelled() => break,
            () = agent.closed().cancelled() => break,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
    room.write().connected = false;
    room.tell();
}

async fn stream(feed: &Feed, agent: &LiveAgent, room: &ClusterRoom) -> Result<(), tonic::Status> {
    let mut client = ObjectsClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE);
    let mut events = client.watch(ObjectsAsk::default()).await?.into_inner();
    while let Some(event) = events.message().await? {
        let Some(m) = event.m else { continue };
        let changed = room.write().apply(m, feed.clock.now_ms());
        if !changed.is_empty() {
            room.tell();
        }
    }
    Ok(())
}

async fn orgs(feed: &Feed) -> Result<Vec<OrgId>, ph_store::Error> {
    feed.state.organisation_ids().await
}

/// Makes a room for every cluster that is registered, empty until its snapshot is loaded or its agent is heard. Called before the
/// first request is taken, so that nobody is told that a cluster does not exist.
pub async fn name_all(inventories: &Inventories, state: &State) -> Result<(), ph_store::Error> {
    for org in state.organisation_ids().await? {
        for cluster in state.clusters(&TenantCtx::system(org, "inventory")).await? {
            inventories.room(org, cluster.id, &cluster.name);
        }
    }
    Ok(())
}

async fn load(feed: &Feed) -> Result<(), ph_store::Error> {
    for org in orgs(feed).await? {
        let ctx = TenantCtx::system(org, "inventory");
        for room in feed.inventories.of(&ctx) {
            if let Some((taken_ms, bytes)) = feed.state.load_snapshot(&ctx, room.id).await? {
                let restored =
                    tokio::task::spawn_blocking(move || ClusterObjects::from_snapshot(&bytes, taken_ms))
                        .await;
                if let Ok(restored) = restored {
                    let connected = room.read().connected;
                    if !connected {
                        *room.write() = restored;
                        room.tell();
                    }
                }
            }
        }
    }
    Ok(())
}

async fn save(feed: &Feed) {
    let Ok(orgs) = orgs(feed).await else { return };
    for org in orgs {
        let ctx = TenantCtx::system(org, "inventory");
        for room in feed.inventories.of(&ctx) {
            let bytes = {
                let objects = room.read();
                objects.connected.then(|| objects.to_snapshot())
            };
            let Some(bytes) = bytes else { continue };
            if let Err(error) = feed.state.save_snapshot(&ctx, room.id, &bytes, feed.clock.now_ms()).await {
                tracing::warn!(cluster = %room.name, %error, "inventory snapshot not saved");
            }
        }
    }
}
