//! Organisations of the caller, and members of the caller's organisation.

use axum::extract::State;
use http::StatusCode;
use ph_access::{Entry, MemberAdd, MemberRemove, Opaque, OpaqueKind, Operation, Permission, Role, TenantCtx};
use ph_api::{Member, MemberCreated, MemberNew, Organisation};
use ph_model::{ErrorKind, UserId};
use ph_store::state::{MemberRecord, NewLink, NewMember};
use serde_json::json;

use super::keys::{grantable, rule};
use super::me::organisation;
use crate::app::AppState;
use crate::gateway::extract::{Json, Path};
use crate::gateway::problem::{Problem, hide};

fn member(m: MemberRecord) -> Member {
    Member {
        user_id: m.user,
        email: m.email,
        name: m.name,
        role: m.role.as_str().to_owned(),
        status: m.status,
    }
}

/// Organisations that the caller belongs to, by slug.
#[utoipa::path(get, path = "/api/v1/orgs", tag = "auth",
    extensions(("x-permission" = json!("session"))),
    responses((status = 200, body = Vec<Organisation>), (status = 401, body = ph_api::Problem)))]
pub async fn organisations(
    State(app): State<AppState>,
    ctx: TenantCtx,
) -> Result<Json<Vec<Organisation>>, Problem> {
    Ok(Json(app.state.organisations(&ctx).await?.into_iter().map(organisation).collect()))
}

/// Members of the caller's organisation, by address.
#[utoipa::path(get, path = "/api/v1/members", tag = "auth", extensions(("x-permission" = json!("members.read"))),
    responses((status = 200, body = Vec<Member>), (status = 403, body = ph_api::Problem)))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<Member>>, Problem> {
    ctx.require(Permission::MembersRead)?;
    Ok(Json(app.state.members(&ctx).await?.into_iter().map(member).collect()))
}

/// Adds a member; the answer holds a one-time sign-in link.
#[utoipa::path(post, path = "/api/v1/members", tag = "auth", request_body = MemberNew,
    extensions(("x-permission" = json!("members.edit"))),
    responses((status = 201, body = MemberCreated), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn add(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<MemberNew>,
) -> Result<(StatusCode, Json<MemberCreated>), Problem> {
    app.auditor.require::<MemberAdd>(&ctx, "a new member").await?;
    let email = ask.email.trim().to_lowercase();
    if !plausible(&email) {
        return Err(Problem::new(ErrorKind::Invalid, "give an e-mail address")
            .fault("/email", "is not an e-mail address"));
    }
    let role: Role =
        ask.role.parse().map_err(|e: ph_access::Error| Problem::from(e).fault("/role", "is not a role"))?;
    if !role.is_for_members() {
        let text = format!(
            "the role {role} is for keys; a member needs one of owner, admin, operator, editor, viewer, auditor"
        );
        return Err(Problem::new(ErrorKind::Invalid, text).fault("/role", "is for keys alone"));
    }
    grantable(&ctx, role)?;
    let name: String = ask.name.trim().chars().filter(|c| !c.is_control()).take(80).collect();
    let now = app.clock.now_ms();
    let token = Opaque::generate(OpaqueKind::SignInLink)?;
    let new = NewMember {
        email: email.clone(),
        name,
        role,
        link: NewLink { token: token.hash(), created_ms: now },
    };
    let entry = Entry::change(MemberAdd::ACTION, format!("user {email}"))
        .by_rule(rule(&ctx, MemberAdd::NEEDS))
        .with(json!({"role": role.as_str()}));
    let made = app.state.add_member(&ctx, new, entry, now).await?;
    let sign_in_link = super::link_text(&app.public_url, token.text());
    Ok((StatusCode::CREATED, Json(MemberCreated { member: member(made), sign_in_link })))
}

/// Removes a member with all the member's sessions in this organisation.
#[utoipa::path(delete, path = "/api/v1/members/{id}", tag = "auth", params(("id" = String, Path)),
    extensions(("x-permission" = json!("members.edit"))),
    responses((status = 204), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem)))]
pub async fn remove(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    app.auditor.require::<MemberRemove>(&ctx, format!("user {id}")).await?;
    let gone = app.state.member(&ctx, id).await.map_err(hide)?;
    grantable(&ctx, gone.role)?;
    let entry = Entry::change(MemberRemove::ACTION, format!("user {}", gone.email))
        .by_rule(rule(&ctx, MemberRemove::NEEDS));
    app.state.remove_member(&ctx, id, entry, app.clock.now_ms()).await.map_err(hide)?;
    app.auth.watcher().look(&app.state, &app.clock).await;
    Ok(StatusCode::NO_CONTENT)
}

fn plausible(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else { return false };
    !local.is_empty()
        && !domain.is_empty()
        && email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
}
