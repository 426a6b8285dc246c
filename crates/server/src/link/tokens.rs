//! Agent tokens between links: the agent proves its key once more.

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ph_api::{AgentToken, AgentTokenAsk};
use ph_link::verify_token;
use ph_model::ErrorKind;

use super::room::issue;
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

/// How far the two clocks may differ.
const SKEW_MS: i64 = 120_000;

/// A token for an enrolled agent that signs for it.
#[utoipa::path(post, path = "/api/v1/agents/token", tag = "agents", request_body = AgentTokenAsk,
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = AgentToken), (status = 401, body = ph_api::Problem), (status = 403, body = ph_api::Problem)))]
pub async fn renew(
    State(app): State<AppState>,
    Json(ask): Json<AgentTokenAsk>,
) -> Result<Json<AgentToken>, Problem> {
    let now = app.clock.now_ms();
    let signature = STANDARD.decode(&ask.signature).unwrap_or_default();
    let record = app.state.agent_by_id(ask.agent_id).await?;
    let record = record.filter(|r| {
        app.link
            .all_names()
            .any(|host| verify_token(&r.public_key, &signature, ask.agent_id, ask.at_ms, host))
    });
    let record = record.ok_or_else(|| {
        Problem::with_status(http::StatusCode::UNAUTHORIZED, "unauthenticated", "this agent's signature is not known here")
            .next_step("check the server address; otherwise delete the agent's identity and enrol it with a new join token")
    })?;
    // Only the key's owner learns more.
    if (now - ask.at_ms).abs() > SKEW_MS {
        let text = format!("the agent's clock differs from the server's by {} s", (ask.at_ms - now) / 1000);
        return Err(
            Problem::new(ErrorKind::Denied, text).next_step("set the clock of the node, with NTP say")
        );
    }
    if record.revoked {
        return Err(Problem::new(ErrorKind::Denied, "this agent was revoked")
            .next_step("enrol it again with a new join token"));
    }
    let who = (record.org, record.cluster, record.id);
    let (token, expires_ms) = issue(&app.auth, who, (now, app.link.timing().token))?;
    Ok(Json(AgentToken { token: token.expose().clone(), expires_ms }))
}
