//! `/api/v1/traces`, `/api/v1/services`, `/api/v1/dependencies`: spans as people and programs ask for them; and Jaeger's own API.
//!
//! In:     the filter language, or selectors in braces; ids.
//! Out:    summaries, whole traces with what is odd about them marked, services, who calls whom.
//! Never:  repairs a trace: missing parents and skewed clocks stay and are marked.

mod ask;
mod jaeger;
mod lines;
mod routes;
mod selector;
mod view;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// The routes of the JSON contract.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::list))
        .routes(routes!(routes::search))
        .routes(routes!(routes::one))
        .routes(routes!(routes::services))
        .routes(routes!(routes::service))
        .routes(routes!(routes::operations))
        .routes(routes!(routes::dependencies))
        .routes(routes!(lines::of_trace))
}

/// Jaeger's API, which has a contract of its own.
pub fn compatible() -> Router<AppState> {
    jaeger::routes("/jaeger/api")
}

/// The same where a Jaeger has it, for ports that answer nothing else.
pub fn as_a_jaeger() -> Router<AppState> {
    jaeger::routes("/api")
}

#[cfg(test)]
mod tests;
