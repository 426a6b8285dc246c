//! Health of the server itself: `/healthz`, `/readyz`, `/livez`, `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use ph_store::state::State as StateStore;
use ph_store::{Counters, Embedded};
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
pub(super) fn metrics(watch: Watch, telemetry: Arc<Embedded>) -> Router {
    Router::new().route("/metrics", get(exposition)).with_state((watch, telemetry))
}

async fn exposition(State((watch, telemetry)): State<(Watch, Arc<Embedded>)>) -> impl IntoResponse {
    store_figures(&watch, &telemetry.counters());
    if let Some(bytes) = resident_bytes() {
        watch
            .gauge("pilothouse_process_resident_bytes", "Memory of this process that is in RAM.", "")
            .set(bytes);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], watch.exposition())
}

/// What the store counts since its start.
fn store_figures(watch: &Watch, now: &Counters) {
    for (name, help, value) in [
        ("pilothouse_store_samples_total", "Samples stored.", now.samples),
        ("pilothouse_store_rows_total", "Rows of logs, spans and events stored.", now.rows),
        ("pilothouse_store_repeats_total", "Batches that had been stored before.", now.repeats),
        ("pilothouse_store_rejected_total", "Samples and rows refused.", now.rejected),
        ("pilothouse_store_log_bytes_total", "Bytes written to the write-ahead log.", now.wal_bytes),
        ("pilothouse_store_syncs_total", "Times that a log was synced.", now.fsyncs),
        ("pilothouse_store_flushed_bytes_total", "Bytes of parts written from memory.", now.flushed_bytes),
        ("pilothouse_store_compactions_total", "Merges of parts.", now.compactions),
        ("pilothouse_store_compacted_bytes_total", "Bytes of parts that merges wrote.", now.compacted_bytes),
        ("pilothouse_store_quarantined_total", "Parts and indexes found damaged.", now.quarantined),
        ("pilothouse_store_parts_read_total", "Parts that questions looked into.", now.parts_read),
        (
            "pilothouse_store_parts_passed_over_total",
            "Parts that questions passed over unopened.",
            now.parts_passed_over,
        ),
        (
            "pilothouse_store_cache_hits_total",
            "Footers and index directories found in memory.",
            now.cache_hits,
        ),
        (
            "pilothouse_store_cache_misses_total",
            "Footers and index directories read from disk.",
            now.cache_misses,
        ),
    ] {
        watch.counter(name, help, "").set(value);
    }
    let help = "Footers and index directories in memory.";
    watch.gauge("pilothouse_store_cache_bytes", help, "").set(now.cache_bytes);
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
