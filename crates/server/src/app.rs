//! Wiring: builds the router from the rooms, starts them, stops them in reverse.

mod chores;
mod own;
mod quotas;
mod rooms;
mod start;

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use ph_store::Store;
use ph_store::state::State;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, Predicate};
use url::Url;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::audit::Auditor;
use crate::auth::AuthRoom;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::exec::ExecRoom;
use crate::gateway::problem::Problem;
use crate::gateway::watch::Watch;
use crate::ingest::{IngestRoom, Intake};
use crate::link::LinkRoom;
use crate::live::LiveRoom;
use crate::logs::LogsRoom;
use crate::objects::{Inventories, LastWords};
use crate::prometheus::PrometheusRoom;
use crate::{
    audit, auth, boards, events, exec, gateway, ingest, link, live, logs, loki, metrics, objects, prometheus,
    telemetry, traces, ui,
};

pub use start::{Running, Server};

/// What every handler can reach: the rooms and what they share. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<App>);

/// The rooms, made once at start.
pub struct App {
    pub config: ServerConfig,
    /// What agents dial and links name; ends with `/`.
    pub public_url: Url,
    pub clock: Clock,
    pub state: State,
    pub auth: AuthRoom,
    pub auditor: Auditor,
    /// Metrics, logs, spans, events.
    pub telemetry: Arc<dyn Store>,
    pub link: LinkRoom,
    pub inventories: Arc<Inventories>,
    pub last_words: LastWords,
    pub intake: Arc<Intake>,
    pub ingest: IngestRoom,
    pub logs: LogsRoom,
    pub live: LiveRoom,
    pub exec: ExecRoom,
    pub prometheus: PrometheusRoom,
    /// Readiness and own metrics.
    pub watch: Watch,
    /// Every task of the server; awaited when it stops.
    pub tasks: TaskTracker,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl AppState {
    pub(crate) fn new(app: App) -> Self {
        Self(Arc::new(app))
    }
}

/// Frames of sockets stand among the schemas, although no route's body names them.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Pilothouse",
        description = "Kubernetes operations: what the web UI, the terminal client and agents call. `x-permission` of an operation is the \
right that it asks for; `session`: any signed-in caller; `public`: no person's credential.",
        license(name = "Apache-2.0")
    ),
    components(schemas(
        ph_api::LiveAsk,
        ph_api::LiveFrame,
        ph_api::LiveValue,
        ph_api::LogStreamAsk,
        ph_api::LogStreamFrame,
        ph_api::ExecStatus,
        ph_api::ExecNotice
    ))
)]
struct Description;

/// JSON bodies are small; a room that takes more says so on its own route.
const MAX_BODY: usize = 1 << 20;

/// The rooms' routes, in one list.
fn rooms() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(auth::routes())
        .merge(audit::routes())
        .merge(link::routes())
        .merge(objects::routes())
        .merge(metrics::routes())
        .merge(boards::routes())
        .merge(events::routes())
        .merge(logs::routes())
        .merge(traces::routes())
        .merge(telemetry::routes())
        .merge(live::routes())
        .merge(exec::routes())
}

/// The OpenAPI document of this build, as pretty JSON.
pub fn openapi() -> String {
    // Serialising our own document cannot fail.
    described().1.to_pretty_json().unwrap_or_default()
}

/// The rooms' routes and their description, in which every operation is named by method and address (`get_clusters_id_checks`):
/// names of functions repeat, and generated clients need one name each.
fn described() -> (Router<AppState>, utoipa::openapi::OpenApi) {
    let (router, mut document) = rooms().split_for_parts();
    for (path, item) in &mut document.paths.paths {
        let words = path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace(['/', '-'], "_");
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{words}"));
            }
        }
    }
    (router, document)
}

/// Everything that the main port answers.
pub(crate) fn router(app: &AppState) -> Router {
    let (router, description) = described();
    let description = Arc::new(description);
    router
        .route("/api/v1/openapi.json", get(move || async move { Json(description.as_ref().clone()) }))
        .merge(own::health())
        .merge(ingest::routes())
        .merge(traces::compatible())
        .merge(prometheus::routes())
        .merge(loki::routes())
        .fallback(ui::serve)
        .method_not_allowed_fallback(async || {
            Problem::with_status(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid",
                "this address does not take this method",
            )
            .into_response()
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(Whole))
        .layer(from_fn_with_state(app.clone(), gateway::request::guard))
        .with_state(app.clone())
}

/// What a port for telemetry alone answers.
pub(crate) fn intake_router(app: &AppState) -> Router {
    ingest::routes()
        .fallback(async || {
            Problem::new(ph_model::ErrorKind::NotFound, "this port takes telemetry, and not at this address")
                .into_response()
        })
        .layer(from_fn_with_state(app.clone(), gateway::request::guard))
        .with_state(app.clone())
}

/// What a port for Jaeger's API alone answers.
pub(crate) fn jaeger_router(app: &AppState) -> Router {
    traces::as_a_jaeger()
        .fallback(async || {
            let text = "this port answers Jaeger's API below /api, and nothing at this address";
            Problem::new(ph_model::ErrorKind::NotFound, text).into_response()
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(Whole))
        .layer(from_fn_with_state(app.clone(), gateway::request::guard))
        .with_state(app.clone())
}

/// Compresses whole documents; streams stay as they are, so that nothing waits in a compressor.
#[derive(Clone, Copy, Debug)]
struct Whole;

impl Predicate for Whole {
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        compressible(response.headers()) && response.body().size_hint().lower() > 860
    }
}

fn compressible(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    matches!(
        kind,
        "application/json" | "text/html" | "text/javascript" | "text/css" | "image/svg+xml" | "text/plain"
    )
}

#[cfg(test)]
pub(crate) mod tests;
