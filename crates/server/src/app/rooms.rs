//! The telemetry store and the tasks of the rooms that live on it.

use std::sync::Arc;

use ph_store::{Embedded, StoreConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::AppState;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::gateway::error::Error;
use crate::gateway::watch::ReadyCheck;
use crate::objects::{FactsBoard, Feed, keep_facts, run_feed};

/// Opens the telemetry store in the data directory, replaying what its log holds.
pub(super) async fn open_telemetry(
    config: &ServerConfig,
    clock: &Clock,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Result<Arc<Embedded>, Error> {
    let mut store = StoreConfig::new(&config.data);
    store.durability = config.durability;
    store.repair = config.repair;
    store.retention = config.retention;
    store.rollups = config.rollups;
    store.disk_cap_bytes = config.disk_cap_bytes;
    let clock = clock.clone();
    Ok(Embedded::open(store, stop.child_token(), tasks.clone(), Arc::new(move || clock.now_ms())).await?)
}

/// The telemetry store takes and gives rows.
pub(super) struct TelemetryReady(pub Arc<Embedded>);

#[async_trait::async_trait]
impl ReadyCheck for TelemetryReady {
    fn part(&self) -> &'static str {
        "telemetry"
    }

    async fn ready(&self) -> Result<(), String> {
        let health = self.0.health();
        if health.not_ready.is_empty() {
            return Ok(());
        }
        Err(health
            .not_ready
            .iter()
            .map(|(part, why)| format!("{part}: {why}"))
            .collect::<Vec<_>>()
            .join("; "))
    }
}

/// Starts what keeps inventories and facts current.
pub(super) fn start_rooms(app: &AppState) {
    let feed = Feed {
        inventories: app.inventories.clone(),
        state: app.state.clone(),
        clock: app.clock.clone(),
        tasks: app.tasks.clone(),
        stop: app.stop.clone(),
    };
    let registry = app.link.registry();
    let connected = registry.connected();
    app.tasks.spawn(run_feed(feed, connected, registry.all()));
    let board = Arc::new(FactsBoard::default());
    app.link.set_facts(board.clone());
    app.tasks.spawn(keep_facts(app.clone(), board));
    app.tasks.spawn(app.ingest.red.clone().run(app.clone()));
}
