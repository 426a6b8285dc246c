//! Signing in by one-time link and by password, and signing out.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use ph_access::{Entry, Opaque, OpaqueKind, Refused, StoredSession, TenantCtx};
use ph_api::{AuthMethods, LinkSignIn, Me, PasswordSignIn};
use ph_model::{ErrorKind, Secret};
use ph_store::state::Spend;
use serde_json::json;

use super::cookie;
use super::credential::Caller;
use super::liveness::Credential;
use super::throttle::address_key;
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

/// What the sign-in page offers.
#[utoipa::path(get, path = "/api/v1/auth/methods", tag = "auth",
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = AuthMethods)))]
pub async fn methods(State(app): State<AppState>) -> Result<Json<AuthMethods>, Problem> {
    let any = app.state.any_password().await?;
    Ok(Json(AuthMethods { password: any, first_start: !any }))
}

/// Spends a one-time sign-in link and sets the session cookie.
#[utoipa::path(post, path = "/api/v1/auth/link", tag = "auth", request_body = LinkSignIn,
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = Me), (status = 401, body = ph_api::Problem), (status = 429, body = ph_api::Problem)))]
pub async fn by_link(
    State(app): State<AppState>,
    caller: Caller,
    Json(ask): Json<LinkSignIn>,
) -> Result<Response, Problem> {
    app.auth.unknown_caller(&caller)?;
    let address = [address_key(caller.peer.addr.map(|a| a.ip()))];
    slow_down(&app, &address)?;
    let result = spend_link(&app, &caller, &ask.token).await;
    if let Err(problem) = &result
        && problem.status() == StatusCode::UNAUTHORIZED
    {
        app.auth.throttle.failed(&address, app.clock.now_ms());
        count(&app, "method=\"link\",result=\"refused\"");
    }
    let (ctx, spend) = result?;
    let entry = Entry::change("sign_in.link", object(&ctx)).by_rule("one-time-link");
    // Whoever lost the race for the link is told the same as with any spent one.
    let signed_in = open(&app, &caller, (ctx, spend), entry).await;
    signed_in.map_err(|p| if p.status() == StatusCode::GONE { used_link() } else { p })
}

async fn spend_link(app: &AppState, caller: &Caller, text: &str) -> Result<(TenantCtx, Spend), Problem> {
    let token = Opaque::parse(OpaqueKind::SignInLink, text).map_err(|_| used_link())?;
    let link = app.state.link_by_token(token.hash()).await?.ok_or_else(used_link)?;
    let ctx = link.admit(&token, caller.origin.clone(), app.clock.now_ms()).map_err(|_| used_link())?;
    Ok((ctx, Spend::Link(link.id)))
}

fn used_link() -> Problem {
    Problem::with_status(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "this sign-in link is unknown, used or older than 30 minutes",
    )
    .next_step("make a new one on the server's machine: pilothouse sign-in-link USER")
}

/// Signs in by e-mail address and password and sets the session cookie.
#[utoipa::path(post, path = "/api/v1/auth/sign-in", tag = "auth", request_body = PasswordSignIn,
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = Me), (status = 401, body = ph_api::Problem), (status = 429, body = ph_api::Problem)))]
pub async fn by_password(
    State(app): State<AppState>,
    caller: Caller,
    Json(ask): Json<PasswordSignIn>,
) -> Result<Response, Problem> {
    app.auth.unknown_caller(&caller)?;
    let email = ask.email.trim().to_lowercase();
    let keys = [address_key(caller.peer.addr.map(|a| a.ip())), format!("account:{email}")];
    slow_down(&app, &keys)?;
    if ask.password.len() > 128 || email.len() > 254 {
        return Err(wrong_password());
    }
    let member = app.state.member_by_email(&email).await?;
    let org = member.as_ref().map(|m| m.org);
    match app.auth.passwords.admit(member, Secret::new(ask.password), caller.origin.clone()).await {
        Ok(ctx) => {
            app.auth.throttle.succeeded(&keys[1]);
            let entry = Entry::change("sign_in.password", object(&ctx)).by_rule("password");
            open(&app, &caller, (ctx, Spend::Password), entry).await
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            app.auth.throttle.failed(&keys, app.clock.now_ms());
            count(&app, "method=\"password\",result=\"refused\"");
            if let Some(org) = org {
                let ctx = TenantCtx::system(org, "sign-in").seen_from(caller.origin);
                let entry =
                    Entry::change("sign_in.password", format!("user {email}")).denied().by_rule("password");
                app.auditor.record(&ctx, entry).await?;
            }
            Err(wrong_password())
        }
        Err(problem) => Err(problem),
    }
}

fn wrong_password() -> Problem {
    Problem::with_status(StatusCode::UNAUTHORIZED, "unauthenticated", "address and password do not match")
        .next_step("try again, or make a one-time link on the server's machine: pilothouse sign-in-link USER")
}

fn slow_down(app: &AppState, keys: &[String]) -> Result<(), Problem> {
    app.auth.throttle.check(keys, app.clock.now_ms()).map_err(|wait_ms| {
        count(app, "method=\"any\",result=\"throttled\"");
        let text = format!("too many failed sign-ins; try again in {} s", wait_ms.div_ceil(1000));
        Problem::new(ErrorKind::Exhausted, text).retry_after_ms(wait_ms)
    })
}

fn count(app: &AppState, labels: &str) {
    app.watch.counter("pilothouse_auth_sign_ins_total", "Sign-ins, by method and result.", labels).add(1);
}

fn object(ctx: &TenantCtx) -> String {
    ctx.actor().label().replacen(':', " ", 1)
}

async fn open(
    app: &AppState,
    caller: &Caller,
    (ctx, spend): (TenantCtx, Spend),
    entry: Entry,
) -> Result<Response, Problem> {
    let (token, ctx, _) = app.auth.open_session(&ctx, spend, entry).await?;
    let method = if matches!(spend, Spend::Link(_)) {
        "method=\"link\",result=\"ok\""
    } else {
        "method=\"password\",result=\"ok\""
    };
    count(app, method);
    let me = super::me::describe(app, &ctx).await?;
    let mut response = Json(me).into_response();
    if let Some(cookie) = cookie::set(token.expose(), caller.wire(), StoredSession::ABSOLUTE_MS) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Ends the session that carries the request.
#[utoipa::path(post, path = "/api/v1/auth/sign-out", tag = "auth",
    extensions(("x-permission" = json!("session"))),
    responses((status = 204), (status = 401, body = ph_api::Problem)))]
pub async fn sign_out(
    State(app): State<AppState>,
    caller: Caller,
    ctx: TenantCtx,
) -> Result<Response, Problem> {
    let session = ctx.session().ok_or(Refused::Unknown)?;
    let entry = Entry::change("sign_out", object(&ctx)).with(json!({"session": session.to_string()}));
    app.state.end_session(&ctx, session, entry, app.clock.now_ms()).await?;
    app.auth.cut(Credential::Session(ctx.org(), session));
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie::clear(caller.wire()));
    Ok(response)
}
