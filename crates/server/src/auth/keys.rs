//! API keys: list, make, revoke.

use axum::extract::State;
use http::StatusCode;
use ph_access::{ApiKeyText, Entry, KeyCreate, KeyRevoke, Operation, Permission, Role, TenantCtx};
use ph_api::{ApiKey, ApiKeyCreated, ApiKeyNew};
use ph_model::{ErrorKind, KeyId};
use ph_store::state::{KeyRecord, NewKey};
use serde_json::json;

use super::liveness::Credential;
use crate::app::AppState;
use crate::gateway::extract::{Json, Path};
use crate::gateway::problem::{Problem, hide};

const DAY_MS: i64 = 86_400_000;
const DEFAULT_DAYS: u32 = 90;
const MAX_DAYS: u32 = 365;
/// Stands in every key's text, so that scanners for leaked secrets can tell installations apart from test fixtures.
const ENVIRONMENT: &str = "live";

fn key(k: KeyRecord) -> ApiKey {
    ApiKey {
        id: k.id,
        name: k.name,
        prefix: k.prefix,
        role: k.role.as_str().to_owned(),
        bot: k.bot,
        cluster: k.cluster,
        created_ms: k.created_ms,
        expires_ms: k.expires_ms,
        last_used_ms: k.last_used_ms,
        created_by: k.created_by,
    }
}

/// The organisation's API keys, newest first; without their secrets.
#[utoipa::path(get, path = "/api/v1/keys", tag = "auth", extensions(("x-permission" = json!("keys.read"))),
    responses((status = 200, body = Vec<ApiKey>), (status = 403, body = ph_api::Problem)))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<ApiKey>>, Problem> {
    ctx.require(Permission::KeysRead)?;
    Ok(Json(app.state.keys(&ctx).await?.into_iter().map(key).collect()))
}

/// Makes an API key; the answer holds its secret, once.
#[utoipa::path(post, path = "/api/v1/keys", tag = "auth", request_body = ApiKeyNew,
    extensions(("x-permission" = json!("keys.manage"))),
    responses((status = 201, body = ApiKeyCreated), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn create(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<ApiKeyNew>,
) -> Result<(StatusCode, Json<ApiKeyCreated>), Problem> {
    let name = ask.name.trim();
    app.auditor.require::<KeyCreate>(&ctx, "a new key").await?;
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(Problem::new(ErrorKind::Invalid, "the key needs a name of 1 to 80 characters")
            .fault("/name", "1 to 80 characters"));
    }
    let role: Role =
        ask.role.parse().map_err(|e: ph_access::Error| Problem::from(e).fault("/role", "is not a role"))?;
    grantable(&ctx, role)?;
    let days = ask.expires_days.unwrap_or(DEFAULT_DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        let text = format!("a key lives 1 to {MAX_DAYS} days, not {days}");
        return Err(Problem::new(ErrorKind::Invalid, text.clone()).fault("/expires_days", text));
    }
    if let Some(cluster) = ask.cluster {
        app.state.cluster(&ctx, cluster).await.map_err(|e| match e.kind {
            ErrorKind::NotFound => {
                Problem::new(ErrorKind::Invalid, "the key names a cluster that is not registered")
                    .fault("/cluster", "is not the id of a registered cluster")
            }
            _ => e.into(),
        })?;
    }
    let now = app.clock.now_ms();
    let text = ApiKeyText::generate(ENVIRONMENT)?;
    let new = NewKey {
        name: name.to_owned(),
        role,
        bot: ask.bot,
        cluster: ask.cluster,
        public_id: text.public_id().to_owned(),
        prefix: text.prefix().to_owned(),
        mac: text.mac(app.auth.keyring().pepper()),
        expires_ms: Some(now + i64::from(days) * DAY_MS),
    };
    let entry = Entry::change(KeyCreate::ACTION, format!("key {name}"))
        .by_rule(rule(&ctx, KeyCreate::NEEDS))
        .with(json!({"role": role.as_str(), "bot": ask.bot, "cluster": ask.cluster, "expires_days": days, "prefix": text.prefix()}));
    let made = app.state.create_key(&ctx, new, entry, now).await?;
    Ok((StatusCode::CREATED, Json(ApiKeyCreated { key: key(made), secret: text.text().expose().clone() })))
}

/// Revokes an API key and everything open with it.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "auth", params(("id" = String, Path)),
    extensions(("x-permission" = json!("keys.manage"))),
    responses((status = 204), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem)))]
pub async fn revoke(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<KeyId>,
) -> Result<StatusCode, Problem> {
    app.auditor.require::<KeyRevoke>(&ctx, format!("key {id}")).await?;
    let known = app
        .state
        .keys(&ctx)
        .await?
        .into_iter()
        .find(|k| k.id == id)
        .ok_or_else(crate::gateway::extract::not_found)?;
    let entry =
        Entry::change(KeyRevoke::ACTION, format!("key {}", known.name)).by_rule(rule(&ctx, KeyRevoke::NEEDS));
    app.state
        .revoke_key(&ctx, id, Entry { target_uid: id.to_string(), ..entry }, app.clock.now_ms())
        .await
        .map_err(hide)?;
    app.auth.cut(Credential::Key(ctx.org(), id));
    Ok(StatusCode::NO_CONTENT)
}

/// A role is granted only by someone who holds all of it.
pub(super) fn grantable(ctx: &TenantCtx, role: Role) -> Result<(), Problem> {
    if ctx.permissions().covers(role.permissions()) {
        return Ok(());
    }
    let text =
        format!("the role {role} holds permissions that you do not hold; you can grant only what you hold");
    Err(Problem::new(ErrorKind::Denied, text))
}

pub(crate) fn rule(ctx: &TenantCtx, permission: Permission) -> String {
    format!("role:{}/{permission}", ctx.role().map_or("none", Role::as_str))
}
