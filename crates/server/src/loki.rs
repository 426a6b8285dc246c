//! Loki's read API under `/loki/api/v1`, answered from the stored lines.
//!
//! In:     queries of Grafana and of `logcli`; a tenant from the credential.
//! Out:    Loki's envelopes; errors as a line of text with the place in the query, as Loki gives them.
//! Never:  another organisation's lines: every question goes to the store under the caller's tenant; a query without its
//!         audit row.
//! Source: <https://grafana.com/docs/loki/latest/reference/loki-http-api/>.

mod ask;
mod detect;
mod envelope;
mod lines;
mod listing;
mod numbers;
mod read;
mod tail;
mod volume;

use axum::Router;
use axum::routing::get;

use crate::app::AppState;

/// Routes of the room, by GET and by form POST where Loki takes both.
pub fn routes() -> Router<AppState> {
    let api = Router::new()
        .route("/query", get(lines::instant).post(lines::instant))
        .route("/query_range", get(lines::range).post(lines::range))
        .route("/format_query", get(lines::format).post(lines::format))
        .route("/labels", get(listing::labels).post(listing::labels))
        .route("/label", get(listing::labels))
        .route("/label/{name}/values", get(listing::values).post(listing::values))
        .route("/series", get(listing::series).post(listing::series))
        .route("/index/stats", get(volume::stats).post(volume::stats))
        .route("/index/volume", get(volume::volume).post(volume::volume))
        .route("/index/volume_range", get(volume::volume_range).post(volume::volume_range))
        .route("/patterns", get(detect::patterns).post(detect::patterns))
        .route("/detected_labels", get(detect::labels).post(detect::labels))
        .route("/detected_fields", get(detect::fields).post(detect::fields))
        .route("/detected_field/{name}/values", get(detect::field_values).post(detect::field_values))
        .route("/tail", get(tail::open))
        .route("/status/buildinfo", get(listing::build));
    Router::new().nest("/loki/api/v1", api).route("/loki/ready", get(async || "ready\n"))
}

#[cfg(test)]
mod tests;
