//! The handlers of the JSON contract.

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::{
    Dependency, Operation, Page, Service, ServiceQuery, Trace, TraceQuery, TraceRange, TraceSummary,
};
use ph_model::ErrorKind;

use super::{ask, view};
use crate::app::AppState;
use crate::gateway::extract::{Json, Path, Query, not_found};
use crate::gateway::problem::Problem;

/// Traces with a span that passes, that with the newest such span first.
#[utoipa::path(get, path = "/api/v1/traces", tag = "traces", params(TraceQuery),
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Page<TraceSummary>), (status = 422, body = ph_api::Problem)))]
pub async fn list(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(query): Query<TraceQuery>,
) -> Result<Json<Page<TraceSummary>>, Problem> {
    found(&app, &ctx, &query).await
}

/// The same, with the query as body.
#[utoipa::path(post, path = "/api/v1/traces/search", tag = "traces", request_body = TraceQuery,
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Page<TraceSummary>), (status = 422, body = ph_api::Problem)))]
pub async fn search(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(query): Json<TraceQuery>,
) -> Result<Json<Page<TraceSummary>>, Problem> {
    found(&app, &ctx, &query).await
}

async fn found(
    app: &AppState,
    ctx: &TenantCtx,
    query: &TraceQuery,
) -> Result<Json<Page<TraceSummary>>, Problem> {
    ctx.require(Permission::TracesRead)?;
    let page = app.telemetry.search_traces(ctx, ask::traces(query, app.clock.now_ms())?).await?;
    let items = page.traces.into_iter().map(view::summary).collect();
    Ok(Json(Page { items, next: page.next, total: None, incomplete: page.incomplete }))
}

/// One trace with all its spans by start. The id may leave out leading zeros.
#[utoipa::path(get, path = "/api/v1/traces/{id}", tag = "traces", params(("id" = String, Path), TraceRange),
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Trace), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn one(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
    Query(range): Query<TraceRange>,
) -> Result<Json<Trace>, Problem> {
    ctx.require(Permission::TracesRead)?;
    let id = id_of(&id)?;
    let trace = app.telemetry.trace(&ctx, id, ask::hint(&range)?).await?;
    if trace.spans.is_empty() && trace.incomplete.is_empty() {
        return Err(not_found());
    }
    Ok(Json(view::trace(id, &trace)))
}

pub fn id_of(text: &str) -> Result<[u8; 16], Problem> {
    ask::trace_id(text).ok_or_else(|| {
        Problem::new(
            ErrorKind::Invalid,
            format!("`{}` is no trace id", text.chars().take(64).collect::<String>()),
        )
        .fault("id", "1 to 32 hex digits, not all zero")
    })
}

/// Services that have spans in the range, with their operations.
#[utoipa::path(get, path = "/api/v1/services", tag = "traces", params(ServiceQuery),
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Page<Service>), (status = 422, body = ph_api::Problem)))]
pub async fn services(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Page<Service>>, Problem> {
    Ok(Json(all_services(&app, &ctx, &query).await?))
}

async fn all_services(
    app: &AppState,
    ctx: &TenantCtx,
    query: &ServiceQuery,
) -> Result<Page<Service>, Problem> {
    ctx.require(Permission::TracesRead)?;
    let page = app.telemetry.services(ctx, ask::services(query, app.clock.now_ms())?).await?;
    let mut incomplete = page.incomplete;
    if page.truncated {
        incomplete.push(
            "more than 10,000 pairs of service and operation exist; ask for a shorter range".to_owned(),
        );
    }
    let items = page.services.into_iter().map(view::service).collect();
    Ok(Page { items, next: None, total: None, incomplete })
}

/// One service with its operations.
#[utoipa::path(get, path = "/api/v1/services/{name}", tag = "traces", params(("name" = String, Path), ServiceQuery),
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Service), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn service(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(name): Path<String>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Service>, Problem> {
    let page = all_services(&app, &ctx, &query).await?;
    page.items.into_iter().find(|s| s.name == name).map(Json).ok_or_else(not_found)
}

/// Operations of one service.
#[utoipa::path(get, path = "/api/v1/services/{name}/operations", tag = "traces", params(("name" = String, Path), ServiceQuery),
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Page<Operation>), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn operations(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(name): Path<String>,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Page<Operation>>, Problem> {
    let page = all_services(&app, &ctx, &query).await?;
    let service = page.items.into_iter().find(|s| s.name == name).ok_or_else(not_found)?;
    Ok(Json(Page { items: service.operations, next: None, total: None, incomplete: page.incomplete }))
}

/// Which service called which in the range.
#[utoipa::path(get, path = "/api/v1/dependencies", tag = "traces", params(ServiceQuery),
    extensions(("x-permission" = json!("traces.read"))),
    responses((status = 200, body = Page<Dependency>), (status = 422, body = ph_api::Problem)))]
pub async fn dependencies(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(query): Query<ServiceQuery>,
) -> Result<Json<Page<Dependency>>, Problem> {
    ctx.require(Permission::TracesRead)?;
    let page = app.telemetry.dependencies(&ctx, ask::services(&query, app.clock.now_ms())?).await?;
    let items = page.dependencies.into_iter().map(view::dependency).collect();
    Ok(Json(Page { items, next: None, total: None, incomplete: page.incomplete }))
}
