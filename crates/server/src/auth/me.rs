//! Who the caller is, and the caller's own password.

use axum::extract::State;
use http::StatusCode;
use ph_access::{Entry, PasswordHash, StoredMember, TenantCtx, check_password};
use ph_api::{Me, Organisation, PasswordChange};
use ph_model::{ErrorKind, Secret};
use ph_store::state::OrganisationRecord;

use super::liveness::Credential;
use super::sessions::session;
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

pub(super) fn organisation(o: OrganisationRecord) -> Organisation {
    Organisation { id: o.id, slug: o.slug, name: o.name, status: o.status }
}

/// The caller as the web UI and `pilothouse` show it.
pub(super) async fn describe(app: &AppState, ctx: &TenantCtx) -> Result<Me, Problem> {
    let org = organisation(app.state.organisation(ctx).await?);
    let mut permissions: Vec<String> = ctx.permissions().iter().map(|p| p.as_str().to_owned()).collect();
    permissions.sort_unstable();
    let now = app.clock.now_ms();
    let mut me = Me {
        user_id: ctx.user(),
        email: String::new(),
        name: ctx.actor().label(),
        org,
        role: ctx.role().map(|r| r.as_str().to_owned()).unwrap_or_default(),
        permissions,
        log_page_rows: u32::try_from(crate::logs::budget_of(ctx).page_rows).unwrap_or(u32::MAX),
        has_password: false,
        session: None,
        server_time_ms: now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    if let Some(user) = ctx.user() {
        let member = app.state.member(ctx, user).await?;
        me.email = member.email;
        me.name = member.name;
        me.has_password = member.has_password;
        let sessions = app.state.sessions(ctx, now).await?;
        me.session = sessions.into_iter().find(|s| Some(s.id) == ctx.session()).map(|s| session(s, ctx));
    }
    Ok(me)
}

/// Who the caller is and what the caller may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "auth",
    extensions(("x-permission" = json!("session"))),
    responses((status = 200, body = Me), (status = 401, body = ph_api::Problem)))]
pub async fn me(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Me>, Problem> {
    describe(&app, &ctx).await.map(Json)
}

/// Sets the caller's password and ends the caller's other sessions.
#[utoipa::path(put, path = "/api/v1/me/password", tag = "auth", request_body = PasswordChange,
    extensions(("x-permission" = json!("session"))),
    responses((status = 204), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn set_password(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let user = ctx.user().ok_or_else(|| Problem::new(ErrorKind::Invalid, "only a person has a password"))?;
    let now = app.clock.now_ms();
    let sessions = app.state.sessions(&ctx, now).await?;
    let from_link = sessions.iter().any(|s| Some(s.id) == ctx.session() && s.via == "link");
    let member = app.state.member(&ctx, user).await?;
    if member.has_password && !from_link {
        let current = ask.current.unwrap_or_default();
        let keys = [format!("account:{}", member.email)];
        app.auth.throttle.check(&keys, now).map_err(|wait| {
            Problem::new(ErrorKind::Exhausted, "too many wrong passwords; try again later")
                .retry_after_ms(wait)
        })?;
        let stored = app.state.member_by_email(&member.email).await?;
        if !right(&app, stored, current, &ctx).await? {
            app.auth.throttle.failed(&keys, now);
            return Err(Problem::new(ErrorKind::Denied, "the current password is not right")
                .fault("/current", "is not right"));
        }
    }
    check_password(&ask.new, &member.email).map_err(|fault| {
        Problem::new(ErrorKind::Invalid, fault.to_string()).fault("/new", fault.to_string())
    })?;
    let hash: PasswordHash = app.auth.passwords.hash(Secret::new(ask.new)).await?;
    let entry = Entry::change("password.set", format!("user {}", member.email));
    app.state.set_password(&ctx, hash, entry, now).await?;
    for other in sessions.iter().filter(|s| Some(s.id) != ctx.session()) {
        app.auth.cut(Credential::Session(ctx.org(), other.id));
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn right(
    app: &AppState,
    stored: Option<StoredMember>,
    current: String,
    ctx: &TenantCtx,
) -> Result<bool, Problem> {
    match app.auth.passwords.admit(stored, Secret::new(current), ctx.origin().clone()).await {
        Ok(_) => Ok(true),
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => Ok(false),
        Err(problem) => Err(problem),
    }
}
