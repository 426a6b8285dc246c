//! The HTTP API of Prometheus under `/prometheus/api/v1`, answered from the store.
//!
//! In:     queries of people, of Grafana and of other programs that speak to a Prometheus; a tenant from the credential.
//! Out:    Prometheus' own envelope, types and forms of numbers and times.
//! Never:  another organisation's series: every selection goes to the store under the caller's tenant.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

mod envelope;
mod exemplars;
mod gather;
mod kept;
mod leave;
mod listing;
mod names;
mod params;
mod query;
mod ranges;
mod read;
mod rolled;
mod runs;
mod status;
mod views;

use axum::Router;
use axum::routing::{get, post};

use crate::app::AppState;

pub(crate) use envelope::Fault;
pub(crate) use leave::{Stop, unless_left};
pub(crate) use params::Form;
pub(crate) use query::PrometheusRoom;

/// Where the API stands; what follows is as in Prometheus.
pub const BASE: &str = "/prometheus";

/// Routes of the room, by GET and by form POST where Prometheus takes both.
pub fn routes() -> Router<AppState> {
    let api = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(query::parse).post(query::parse))
        .route("/query_exemplars", get(exemplars::query).post(exemplars::query))
        .route("/read", post(read::read))
        .route("/series", get(listing::series).post(listing::series))
        .route("/labels", get(listing::labels).post(listing::labels))
        .route("/label/{name}/values", get(listing::values))
        .route("/metadata", get(listing::metadata))
        .route("/rules", get(status::rules))
        .route("/alerts", get(status::alerts))
        .route("/targets", get(status::targets))
        .route("/alertmanagers", get(status::alertmanagers))
        .route("/status/buildinfo", get(status::build))
        .route("/status/runtimeinfo", get(status::runtime))
        .route("/status/flags", get(status::flags))
        .route("/status/config", get(status::config))
        .route("/status/tsdb", get(status::tsdb));
    Router::new().nest(&format!("{BASE}/api/v1"), api)
}

#[cfg(test)]
mod scripts;
#[cfg(test)]
mod tests;
