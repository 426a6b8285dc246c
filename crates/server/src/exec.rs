//! Commands in containers: opened once by a recorded grant, carried by a WebSocket, resumable for a minute.
//!
//! In:     an ask that policy allows; frames of the client.
//! Out:    frames of the command's output; one closing row in the audit chain for each command.
//! Never:  starts anything before the row that allows it is durable, or keeps output: the agent's ring does.

mod frame;
mod open;
mod place;
mod room;
mod serve;
mod tally;
mod tty;

pub use room::ExecRoom;

use axum::routing::any;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// WebSocket subprotocol of a terminal.
pub const SUBPROTOCOL: &str = "pilothouse.tty.v1";

/// Routes of this room.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(open::open)).route("/api/v1/debug/tty/{id}", any(tty::tty))
}

#[cfg(test)]
mod tests;
