//! Retention: read, change. Deletions: list, make.

use axum::extract::State;
use http::StatusCode;
use ph_access::{
    Operation, Permission, Target, TelemetryErase as Erase, TelemetryRetain as Retain, TenantCtx,
};
use ph_api::{TelemetryDeletion, TelemetryErase, TelemetryRetain, TelemetryRetention};
use ph_model::ErrorKind;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::read;
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(kept, keep)).routes(routes!(deletions, erase))
}

/// How long telemetry is kept.
#[utoipa::path(get, path = "/api/v1/telemetry/retention", tag = "telemetry",
    extensions(("x-permission" = json!("quotas.read"))),
    responses((status = 200, body = TelemetryRetention), (status = 403, body = ph_api::Problem)))]
pub async fn kept(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<TelemetryRetention>, Problem> {
    ctx.require(Permission::QuotasRead)?;
    Ok(Json(read::kept(app.telemetry.kept(&ctx).await?)))
}

/// Changes how long telemetry is kept, whole: what the body does not say is not in force any more. What is older is in no answer
/// from then on and leaves the disk within a day.
#[utoipa::path(put, path = "/api/v1/telemetry/retention", tag = "telemetry", request_body = TelemetryRetain,
    extensions(("x-permission" = json!("org.manage"))),
    responses((status = 200, body = TelemetryRetention), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn keep(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<TelemetryRetain>,
) -> Result<Json<TelemetryRetention>, Problem> {
    let target = Target {
        object: "retention of telemetry".to_owned(),
        detail: json!({"before": read::kept(app.telemetry.kept(&ctx).await?), "after": ask}),
        ..Target::default()
    };
    let grant = app.auditor.decide::<Retain>(&ctx, target).await?;
    let done = match read::keep(&ask) {
        Ok(keep) => app.telemetry.keep(&ctx, keep).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    ended::<Retain>(&app, &ctx, (grant.row(), &done)).await?;
    done?;
    Ok(Json(read::kept(app.telemetry.kept(&ctx).await?)))
}

/// Deletions in force, oldest first. They end when nothing of what they cover is kept any more.
#[utoipa::path(get, path = "/api/v1/telemetry/deletions", tag = "telemetry",
    extensions(("x-permission" = json!("erase.run"))),
    responses((status = 200, body = Vec<TelemetryDeletion>), (status = 403, body = ph_api::Problem)))]
pub async fn deletions(
    State(app): State<AppState>,
    ctx: TenantCtx,
) -> Result<Json<Vec<TelemetryDeletion>>, Problem> {
    ctx.require(Permission::EraseRun)?;
    Ok(Json(app.telemetry.deletions(&ctx).await?.into_iter().filter_map(read::deletion).collect()))
}

/// Deletes rows or samples: when it answers they are in no answer any more, nor are late ones of the range; they leave the disk
/// within a day.
#[utoipa::path(post, path = "/api/v1/telemetry/deletions", tag = "telemetry", request_body = TelemetryErase,
    extensions(("x-permission" = json!("erase.run"))),
    responses((status = 201, body = TelemetryDeletion), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn erase(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<TelemetryErase>,
) -> Result<(StatusCode, Json<TelemetryDeletion>), Problem> {
    let target = Target { object: "telemetry".to_owned(), detail: json!({"what": ask}), ..Target::default() };
    let grant = app.auditor.decide::<Erase>(&ctx, target).await?;
    let row = grant.row().clone();
    let done = match read::erase(&ask) {
        Ok(what) => app.telemetry.delete(&ctx, grant, what).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    ended::<Erase>(&app, &ctx, (&row, &done)).await?;
    let made = read::deletion(done?).ok_or_else(|| {
        Problem::new(ErrorKind::Internal, "the store deleted something else than was asked")
    })?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Records how the act ended.
async fn ended<Op: Operation>(
    app: &AppState,
    ctx: &TenantCtx,
    (decision, done): (&ph_access::AuditRow, &Result<impl Sized, Problem>),
) -> Result<(), Problem> {
    let failed = done.as_ref().err().map(|problem| problem.detail().to_owned());
    let outcome = Outcome { action: Op::ACTION, failed, detail: json!({}) };
    app.auditor.outcome(ctx, decision, outcome).await?;
    Ok(())
}
