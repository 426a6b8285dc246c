//! Health of the server itself: `/healthz`, `/readyz`, `/livez`, `/metrics`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use ph_store::state::State as StateStore;
use serde_json::json;

use super::AppState;
use crate::gateway::watch::{ReadyCheck, Watch};

/// On the main port: alive, and ready or which part is not.
pub(super) fn health() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async |State(app): State<AppState>| readiness(&app.watch).await))
}

/// On the port for probes.
pub(super) fn probes(watch: Watch) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async |State(watch): State<Watch>| readiness(&watch).await))
        .with_state(watch)
}

/// On the port for own metrics.
pub(super) fn metrics(watch: Watch) -> Router {
    Router::new().route("/metrics", get(exposition)).with_state(watch)
}

async fn exposition(State(watch): State<Watch>) -> impl IntoResponse {
    if let Some(bytes) = resident_bytes() {
        watch
            .gauge("pilothouse_process_resident_bytes", "Memory of this process that is in RAM.", "")
            .set(bytes);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], watch.exposition())
}

async fn readiness(watch: &Watch) -> Response {
    let missing = watch.not_ready().await;
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts: Vec<_> = missing.iter().map(|(part, why)| json!({"part": part, "why": why})).collect();
    (status, Json(json!({"ready": missing.is_empty(), "not_ready": parts}))).into_response()
}

/// `VmRSS` of Linux's `/proc/self/status`; nothing elsewhere.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The state store takes reads and writes.
pub(super) struct StateReady(pub StateStore);

#[async_trait::async_trait]
impl ReadyCheck for StateReady {
    fn part(&self) -> &'static str {
        "state"
    }

    async fn ready(&self) -> Result<(), String> {
        self.0.probe().await.map_err(|e| e.to_string())
    }
}
