//! Streams between `POST` and their WebSocket or event stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use ph_access::{Permission, TenantCtx};
use ph_api::{LogQuery, LogStreamOpened};
use ph_model::{ErrorKind, OrgId};

use super::ask::Shape;
use super::resolve::resolve;
use super::{routes, socket, sse};
use crate::app::AppState;
use crate::gateway::extract::{Json, Path, not_found};
use crate::gateway::problem::Problem;

/// A stream that was opened and not claimed is forgotten after this.
const CLAIM_MS: i64 = 60_000;
/// An event stream can be claimed again by its browser for this long after each claim.
const AGAIN_MS: i64 = 900_000;
/// Streams of one organisation that wait to be claimed.
const MAX_WAITING: usize = 1_000;

struct Opened {
    org: OrgId,
    actor: String,
    query: LogQuery,
    expires_ms: i64,
}

/// Streams that wait to be claimed. Clones share them.
#[derive(Clone, Default)]
pub struct Waiting(Arc<Mutex<HashMap<String, Opened>>>);

/// How a stream is claimed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Once,
    /// Its reader comes back by itself.
    Again,
}

impl Waiting {
    fn open(&self, ctx: &TenantCtx, query: LogQuery, now_ms: i64) -> Result<LogStreamOpened, Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, w| now_ms < w.expires_ms);
        if all.values().filter(|w| w.org == ctx.org()).count() >= MAX_WAITING {
            let text = format!("{MAX_WAITING} streams wait to be claimed");
            return Err(Problem::new(ErrorKind::Exhausted, text).retry_after_ms(10_000));
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        let expires_ms = now_ms + CLAIM_MS;
        let actor = ctx.actor().label();
        all.insert(id.clone(), Opened { org: ctx.org(), actor, query, expires_ms });
        Ok(LogStreamOpened { id, expires_ms })
    }

    /// The stream, for its creator, in time.
    fn claim(&self, id: &str, (ctx, now_ms): (&TenantCtx, i64), claim: Claim) -> Option<LogQuery> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = all
            .get_mut(id)
            .filter(|w| w.org == ctx.org() && w.actor == ctx.actor().label() && now_ms < w.expires_ms)?;
        if claim == Claim::Again {
            opened.expires_ms = now_ms + AGAIN_MS;
            return Some(opened.query.clone());
        }
        all.remove(id).map(|w| w.query)
    }
}

/// Opens a stream; claim it within 60 s at `/api/v1/logs/streams/{id}`.
#[utoipa::path(post, path = "/api/v1/logs/streams", tag = "logs", request_body = LogQuery,
    responses((status = 201, body = LogStreamOpened), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn open(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(query): Json<LogQuery>,
) -> Result<Response, Problem> {
    ctx.require(Permission::LogsRead)?;
    routes::ready(&ctx, (&query, Shape::Stream))?;
    routes::numbered(resolve(&app, &ctx, &query.sources)?)?;
    let opened = app.logs.waiting.open(&ctx, query, app.clock.now_ms())?;
    Ok((StatusCode::CREATED, Json(opened)).into_response())
}

/// The stream: a WebSocket (subprotocol `pilothouse.logs.v1`, JSON text frames) by upgrade, else server-sent events, which
/// `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/v1/logs/streams/{id}", tag = "logs", params(("id" = String, Path)),
    responses((status = 101, description = "WebSocket, subprotocol pilothouse.logs.v1"),
        (status = 200, description = "text/event-stream"), (status = 404, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn claim(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    ctx.require(Permission::LogsRead)?;
    let now_ms = app.clock.now_ms();
    let Ok(upgrade) = upgrade else {
        let mut query = app.logs.waiting.claim(&id, (&ctx, now_ms), Claim::Again).ok_or_else(not_found)?;
        if let Some(last) = headers.get("last-event-id").filter(|v| !v.is_empty()) {
            let token =
                last.to_str().map_err(|_| Problem::bad_request("Last-Event-ID is not a page token"))?;
            query.after = Some(token.to_owned());
        }
        return sse::serve(app, ctx, query).await;
    };
    let query = app.logs.waiting.claim(&id, (&ctx, now_ms), Claim::Once).ok_or_else(not_found)?;
    Ok(upgrade
        .protocols(["pilothouse.logs.v1"])
        .on_upgrade(move |ws| async move { socket::serve(app, ctx, query, ws).await }))
}
