//! The caller's own sessions: list and end.

use axum::extract::State;
use http::StatusCode;
use ph_access::{Entry, TenantCtx};
use ph_api::Session;
use ph_model::SessionId;
use ph_store::state::SessionRecord;
use serde_json::json;

use super::liveness::Credential;
use crate::app::AppState;
use crate::gateway::extract::{Json, Path};
use crate::gateway::problem::Problem;

pub(super) fn session(s: SessionRecord, ctx: &TenantCtx) -> Session {
    Session {
        current: Some(s.id) == ctx.session(),
        id: s.id,
        created_ms: s.created_ms,
        last_used_ms: s.last_used_ms,
        expires_ms: s.expires_ms,
        ip: s.ip,
        user_agent: s.user_agent,
        client: s.client,
    }
}

/// The caller's sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "auth",
    extensions(("x-permission" = json!("session"))),
    responses((status = 200, body = Vec<Session>), (status = 401, body = ph_api::Problem)))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<Session>>, Problem> {
    let sessions = app.state.sessions(&ctx, app.clock.now_ms()).await?;
    Ok(Json(sessions.into_iter().map(|s| session(s, &ctx)).collect()))
}

/// Ends one of the caller's sessions and everything open in it.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "auth", params(("id" = String, Path)),
    extensions(("x-permission" = json!("session"))),
    responses((status = 204), (status = 404, body = ph_api::Problem)))]
pub async fn end(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    let entry = Entry::change("session.end", ctx.actor().label().replacen(':', " ", 1))
        .with(json!({"session": id.to_string()}));
    app.state
        .end_session(&ctx, id, entry, app.clock.now_ms())
        .await
        .map_err(crate::gateway::problem::hide)?;
    app.auth.cut(Credential::Session(ctx.org(), id));
    Ok(StatusCode::NO_CONTENT)
}
