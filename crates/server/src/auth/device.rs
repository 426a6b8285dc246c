//! Signs a terminal in: it shows a code, a signed-in person confirms the code in the browser, the terminal gets a session.
//!
//! Source: the flow of RFC 8628.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ph_access::{Entry, Opaque, OpaqueKind, StoredDevice, TenantCtx, device_code};
use ph_api::{DeviceConfirm, DeviceGranted, DevicePoll, DeviceStarted};
use ph_model::ErrorKind;
use ph_store::state::{DeviceStatus, Spend};
use serde_json::json;

use super::credential::Caller;
use super::me::organisation;
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

const POLL_MS: u64 = 2000;

/// A terminal asks to be signed in.
#[utoipa::path(post, path = "/api/v1/auth/device", tag = "auth",
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = DeviceStarted), (status = 429, body = ph_api::Problem)))]
pub async fn start(State(app): State<AppState>, caller: Caller) -> Result<Json<DeviceStarted>, Problem> {
    app.auth.unknown_caller(&caller)?;
    let now = app.clock.now_ms();
    let secret = Opaque::generate(OpaqueKind::Device)?;
    let code = device_code()?;
    app.state.start_device(secret.hash(), &code, (&caller.origin.ip, &caller.origin.user_agent), now).await?;
    Ok(Json(DeviceStarted {
        device_secret: secret.text().expose().clone(),
        verify_url: format!("{}device#code={code}", app.public_url),
        code,
        expires_ms: now + StoredDevice::LIFE_MS,
        poll_ms: POLL_MS,
    }))
}

/// The terminal asks whether it was confirmed: 200 with the session, 202 while waiting, 410 when denied or expired.
#[utoipa::path(post, path = "/api/v1/auth/device/poll", tag = "auth", request_body = DevicePoll,
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = DeviceGranted), (status = 202), (status = 410, body = ph_api::Problem)))]
pub async fn poll(
    State(app): State<AppState>,
    caller: Caller,
    Json(ask): Json<DevicePoll>,
) -> Result<Response, Problem> {
    app.auth.unknown_caller(&caller)?;
    let secret = Opaque::parse(OpaqueKind::Device, &ask.device_secret).map_err(|_| over())?;
    let now = app.clock.now_ms();
    let device = match app.state.device_status(secret.hash(), now).await? {
        DeviceStatus::Waiting => return Ok(StatusCode::ACCEPTED.into_response()),
        DeviceStatus::Over => return Err(over()),
        DeviceStatus::Approved(device) => device,
    };
    let ctx = device.admit(&secret, caller.origin.clone(), now).map_err(|_| over())?;
    let entry = Entry::change("sign_in.device", format!("user {}", device.email)).by_rule("device-code");
    let (token, ctx, expires_ms) = app.auth.open_session(&ctx, Spend::Device(secret.hash()), entry).await?;
    let org = organisation(app.state.organisation(&ctx).await?);
    Ok(Json(DeviceGranted { token: token.expose().clone(), email: device.email, org, expires_ms })
        .into_response())
}

fn over() -> Problem {
    Problem::new(ErrorKind::Gone, "this sign-in was denied, used or has expired")
        .next_step("run `pilothouse login` again")
}

/// A signed-in person confirms or denies the code that a terminal shows.
#[utoipa::path(post, path = "/api/v1/auth/device/confirm", tag = "auth", request_body = DeviceConfirm,
    extensions(("x-permission" = json!("session"))),
    responses((status = 204), (status = 404, body = ph_api::Problem), (status = 429, body = ph_api::Problem)))]
pub async fn confirm(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<DeviceConfirm>,
) -> Result<StatusCode, Problem> {
    let user =
        ctx.user().ok_or_else(|| Problem::new(ErrorKind::Denied, "only a person can sign a terminal in"))?;
    let now = app.clock.now_ms();
    let keys = [format!("device:{user}")];
    app.auth.throttle.check(&keys, now).map_err(|wait| {
        Problem::new(ErrorKind::Exhausted, "too many wrong codes; try again later").retry_after_ms(wait)
    })?;
    let code = ask.code.trim().to_uppercase();
    let device = match app.state.device_by_code(&code, now).await {
        Ok(device) => device,
        Err(e) => {
            app.auth.throttle.failed(&keys, now);
            return Err(e.into());
        }
    };
    let entry = Entry::change("device.confirm", format!("terminal at {}", device.ip))
        .with(json!({"user_agent": device.user_agent, "approved": ask.approve}));
    let entry = if ask.approve { entry } else { entry.denied() };
    app.state.decide_device(&ctx, &code, entry, now).await?;
    Ok(StatusCode::NO_CONTENT)
}
