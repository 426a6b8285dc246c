//! `GET /api/v1/debug/tty/{id}`: the WebSocket of one command.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use http::{HeaderMap, header};
use ph_access::{Permission, TenantCtx};
use serde::Deserialize;

use super::SUBPROTOCOL;
use super::frame::MAX_FRAME;
use super::serve::attach;
use crate::app::AppState;
use crate::gateway::extract::{Path, Query, not_found};
use crate::gateway::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resume {
    /// Sequence of the first byte that the client has not seen.
    #[serde(default)]
    from: u64,
}

/// Only whoever opened the command; anybody else learns nothing.
pub(super) async fn tty(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
    Query(resume): Query<Resume>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    ctx.require(Permission::ExecOpen)?;
    let tty = app.exec.find(&ctx, &id).ok_or_else(not_found)?;
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|v| v.to_str().ok());
    if !offered.flat_map(|v| v.split(',')).any(|p| p.trim() == SUBPROTOCOL) {
        return Err(Problem::bad_request(format!("connect with subprotocol {SUBPROTOCOL}")));
    }
    let tasks = app.tasks.clone();
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .write_buffer_size(0)
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .on_upgrade(move |socket| tasks.track_future(attach(app, (tty, ctx), (socket, resume.from)))))
}
