//! Saved views: named queries, private or shared with the organisation.

use axum::extract::State;
use http::StatusCode;
use ph_access::{Entry, LogBudget, Permission, TenantCtx};
use ph_api::{LogQuery, LogView, LogViewAsk};
use ph_model::ErrorKind;
use ph_store::state::LogViewRecord;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ask::{Ask, Shape};
use super::routes;
use crate::app::AppState;
use crate::gateway::extract::{Json, Path, not_found};
use crate::gateway::problem::Problem;

const MAX_NAME: usize = 100;

#[derive(Serialize, Deserialize)]
struct Body {
    query: LogQuery,
    columns: Vec<String>,
}

fn view(r: LogViewRecord) -> Result<LogView, Problem> {
    let body: Body = serde_json::from_str(&r.body).map_err(|e| {
        Problem::new(ErrorKind::Internal, format!("the view {} cannot be read: {e}", r.name))
            .next_step("save it anew under the same name")
    })?;
    Ok(LogView {
        id: r.id.to_string(),
        name: r.name,
        query: body.query,
        columns: body.columns,
        shared: r.shared,
        owner: r.owner,
        updated_ms: r.updated_ms,
    })
}

/// The caller's own views and those that are shared, by name.
#[utoipa::path(get, path = "/api/v1/logs/views", tag = "logs", responses((status = 200, body = Vec<LogView>)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<LogView>>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let views = app.state.log_views(&ctx).await?;
    Ok(Json(views.into_iter().map(view).collect::<Result<_, _>>()?))
}

/// Saves a view under its name; the caller's own one of that name is replaced.
#[utoipa::path(post, path = "/api/v1/logs/views", tag = "logs", request_body = LogViewAsk,
    responses((status = 200, body = LogView), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn save(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(asked): Json<LogViewAsk>,
) -> Result<Json<LogView>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let name = asked.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(Problem::new(ErrorKind::Invalid, "a view needs a name")
            .fault("name", format!("1 to {MAX_NAME} characters")));
    }
    let shape = if asked.query.follow { Shape::Stream } else { Shape::Page };
    Ask::new(&asked.query, (shape, LogBudget::PERSON)).map_err(routes::faults)?;
    if asked.query.after.is_some() || asked.query.before.is_some() {
        return Err(Problem::new(ErrorKind::Invalid, "a view has no page")
            .fault("query.after", "leave page tokens out of a saved view"));
    }
    let body = Body { query: asked.query, columns: asked.columns };
    let record = LogViewRecord {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        owner: ctx.actor().label(),
        shared: asked.shared,
        body: serde_json::to_string(&body).map_err(|e| Problem::new(ErrorKind::Internal, e.to_string()))?,
        updated_ms: app.clock.now_ms(),
    };
    let entry = Entry::change("log_view.save", format!("log view {name}"));
    Ok(Json(view(app.state.save_log_view(&ctx, record, entry).await?)?))
}

/// Removes one of the caller's own views.
#[utoipa::path(delete, path = "/api/v1/logs/views/{id}", tag = "logs", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn remove(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    ctx.require(Permission::LogsRead)?;
    let entry = Entry::change("log_view.remove", format!("log view {id}"));
    let removed = app.state.remove_log_view(&ctx, id, (entry, app.clock.now_ms())).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}
