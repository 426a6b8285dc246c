//! What is known of each cluster, counted every few seconds for those who list clusters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ph_access::TenantCtx;
use ph_model::{ClusterId, OrgId};
use ph_store::state::AgentRecord;

use super::inventories::ClusterRoom;
use super::silence;
use super::summary::{cluster_usage, readiness};
use super::view::Home;
use crate::app::AppState;
use crate::link::{ClusterFacts, Facts};

const EVERY: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_secs(1);

/// The newest facts of all clusters.
#[derive(Default)]
pub struct FactsBoard(Mutex<HashMap<(OrgId, ClusterId), Facts>>);

impl ClusterFacts for FactsBoard {
    fn facts(&self, org: OrgId, cluster: ClusterId) -> Facts {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(org, cluster))
            .cloned()
            .unwrap_or_default()
    }
}

/// Keeps the board current until the server stops.
pub async fn keep(app: AppState, board: Arc<FactsBoard>) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let Ok(orgs) = app.state.organisation_ids().await else { continue };
        let mut any = false;
        for org in orgs {
            let ctx = TenantCtx::system(org, "facts");
            let lost = silence::lost_agents(&app, &ctx).await.unwrap_or_default();
            for room in app.inventories.of(&ctx) {
                any = true;
                let facts = of_room(&app, &ctx, (&room, &lost)).await;
                board.0.lock().unwrap_or_else(PoisonError::into_inner).insert((org, room.id), facts);
            }
        }
        wait = if any { EVERY } else { FIRST };
    }
}

/// Whether the agent is there and the cluster itself is not.
fn is_away(home: Home<'_>) -> bool {
    home.objects.failures().any(|(kind, ..)| kind == ph_link::WHOLE_CLUSTER)
}

async fn of_room(app: &AppState, ctx: &TenantCtx, (room, lost): (&ClusterRoom, &[AgentRecord])) -> Facts {
    let now_ms = app.clock.now_ms();
    let (cpu, memory, newest) = cluster_usage(&app.telemetry, ctx, room, now_ms).await;
    let intake = app.intake.now((room.org, room.id), now_ms);
    let ([nodes_ready, nodes, pods_ready, pods], state, warnings, synced) = room.with(|home| {
        let problems = super::problems::problems(home, now_ms);
        let silent = silence::silent_nodes(home, lost, now_ms);
        // Worst first; a problem that is only unknown is less than a node that is silent.
        let known = problems.first().filter(|p| p.state != "unknown" || silent.is_empty());
        let state = match known.or(silent.first()).map(|p| p.state.as_str()) {
            _ if !home.objects.connected || is_away(home) => "unknown",
            Some(worst) => worst,
            None => "ok",
        };
        let warnings = home
            .objects
            .failures()
            .map(|(kind, error, fix)| format!("{kind}: {error} {fix}").trim().to_owned())
            .collect();
        let synced = home.objects.is_synced("Pod") || home.objects.is_synced("Container");
        (readiness(home), state.to_owned(), warnings, synced.then_some(home.objects.updated_ms))
    });
    Facts {
        nodes_ready,
        nodes,
        pods_ready,
        pods,
        cpu,
        memory,
        log_lines_per_s: intake.log_rows_per_s,
        newest_sample_ms: newest.max(intake.newest_sample_ms),
        newest_line_ms: intake.newest_line_ms,
        inventory_synced_ms: synced,
        state,
        warnings,
    }
}
