//! Agents: the `/link` door, who is connected, enrolment, agent tokens, clusters and what connects them.
//!
//! In:     sockets of agents; join tokens; ServiceAccount tokens that a cluster's own agent vouches for.
//! Out:    live links by cluster and node, for every room that asks agents for something.
//! Never:  takes a cluster's or node's name from an agent: the server's own record stamps them.

mod agents;
mod checks;
mod clusters;
mod door;
mod enrol;
mod facts;
mod manifests;
mod refusals;
mod registry;
mod room;
mod socket;
mod tokens;

pub use agents::agents;
pub(crate) use agents::tier;
pub use clusters::clusters;
pub use facts::{ClusterFacts, Facts};
pub use registry::Registry;
pub use room::{LinkRoom, Timing};

use axum::routing::any;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// Routes of this room.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .route("/link", any(door::link))
        .routes(routes!(enrol::enrol))
        .routes(routes!(tokens::renew))
        .routes(routes!(agents::list))
        .routes(routes!(agents::revoke))
        .routes(routes!(clusters::list, clusters::join))
        .routes(routes!(clusters::one, clusters::remove))
        .routes(routes!(checks::checks))
}

#[cfg(test)]
pub(crate) mod tests;
