//! Jaeger's query API below `/jaeger/api`, as its own pages and Grafana's data source ask it; on ports of its own below `/api`.
//!
//! Out:    `{data, total, limit, offset, errors}`; failures in the same form with their status.
//! Source: Jaeger's `cmd/query` HTTP handlers and `model/json`.

mod otlp;
mod search;
mod three;
mod view;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use ph_access::{Permission, TenantCtx};
use ph_model::{ErrorKind, RangeNs};
use serde_json::{Value, json};

use super::ask;
use crate::app::AppState;
use crate::gateway::extract::Path;
use crate::gateway::problem::Problem;
use search::Params;

/// How far services and operations are looked back for, ms: Jaeger's own default.
const SERVICES_MS: i64 = 72 * 3_600_000;
/// Spans of one answer, behind which no further trace is read.
const MOST_SPANS: usize = 200_000;
/// Whole traces that are read from the store at once.
const AT_ONCE: usize = 4;

/// Below an address, and the third version below `v3` of it.
pub fn routes(base: &str) -> Router<AppState> {
    let old = Router::new()
        .route("/services", get(services))
        .route("/services/{service}/operations", get(operations_of))
        .route("/operations", get(operations))
        .route("/traces", get(traces))
        .route("/traces/{id}", get(one))
        .route("/dependencies", get(dependencies));
    Router::new().nest(base, old).nest(&format!("{base}/v3"), three::routes())
}

/// A problem in Jaeger's form.
struct Failure(Problem);

impl<E: Into<Problem>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = bad_request(self.0.status());
        let body = json!({"data": null, "total": 0, "limit": 0, "offset": 0,
            "errors": [{"code": status.as_u16(), "msg": told(&self.0)}]});
        (status, axum::Json(body)).into_response()
    }
}

/// Jaeger knows 400 where the native routes say 422.
fn bad_request(status: StatusCode) -> StatusCode {
    if status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status }
}

fn told(problem: &Problem) -> String {
    if let Some(cause) = &problem.cause {
        tracing::error!(cause, "a question of Jaeger's API failed");
    }
    problem.body.detail.clone()
}

type Answer = Result<axum::Json<Value>, Failure>;

fn list(data: Vec<Value>, errors: &[String]) -> axum::Json<Value> {
    let errors: Vec<Value> = errors.iter().map(|e| json!({"code": 0, "msg": e})).collect();
    let errors = if errors.is_empty() { Value::Null } else { Value::Array(errors) };
    axum::Json(json!({"total": data.len(), "data": data, "limit": 0, "offset": 0, "errors": errors}))
}

fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(ErrorKind::Invalid, text)
}

async fn known(app: &AppState, ctx: &TenantCtx) -> Result<ph_store::ServicePage, Problem> {
    ctx.require(Permission::TracesRead)?;
    let now = app.clock.now_ms();
    Ok(app.telemetry.services(ctx, ask::range_ns(now - SERVICES_MS, now + 1)).await?)
}

async fn services(State(app): State<AppState>, ctx: Result<TenantCtx, Problem>) -> Answer {
    let page = known(&app, &ctx?).await?;
    Ok(list(page.services.into_iter().map(|s| s.name.into()).collect(), &page.incomplete))
}

async fn operations_of(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    Path(service): Path<String>,
) -> Answer {
    let page = known(&app, &ctx?).await?;
    let found = page.services.into_iter().filter(|s| s.name == service).flat_map(|s| s.operations);
    let mut names: Vec<String> = found.map(|o| o.name).collect();
    names.dedup();
    Ok(list(names.into_iter().map(Value::from).collect(), &page.incomplete))
}

/// `GET operations?service=…[&spanKind=…]`.
async fn operations(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = Params::of(query.as_deref());
    let service = params.one("service").ok_or_else(|| invalid("parameter 'service' is required"))?;
    let kind = params.one("spanKind");
    let page = known(&app, &ctx?).await?;
    let found = page.services.into_iter().filter(|s| s.name == service).flat_map(|s| s.operations);
    let found = found
        .map(|o| (o.name, o.kind.as_str()))
        .filter(|(_, k)| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(k)))
        .map(|(name, kind)| json!({"name": name, "spanKind": span_kind(kind)}))
        .collect();
    Ok(list(found, &page.incomplete))
}

/// Jaeger has no word for a kind that is not given.
fn span_kind(kind: &str) -> &str {
    if kind == "unspecified" { "" } else { kind }
}

/// `GET traces`: a search, or whole traces by repeated `traceID`.
async fn traces(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let ctx = ctx?;
    ctx.require(Permission::TracesRead)?;
    let params = Params::of(query.as_deref());
    let named = params.all("traceID");
    let now = app.clock.now_ms();
    let (ids, hint, mut errors) = if named.is_empty() {
        let asked = search::search(&params, now)?;
        let range = asked.range;
        let page = app.telemetry.search_traces(&ctx, asked).await?;
        (page.traces.into_iter().map(|t| t.trace_id).collect(), Some(range), page.incomplete)
    } else {
        let ids = named.iter().map(|id| id_of(id)).collect::<Result<Vec<_>, _>>()?;
        (ids, None, Vec::new())
    };
    let mut found = Vec::new();
    let (traces, left_out) = whole(&app, &ctx, (ids, hint)).await?;
    errors.extend(left_out);
    for (id, trace) in traces {
        errors.extend(trace.incomplete.iter().cloned());
        if !trace.spans.is_empty() {
            found.push(view::trace(id, &trace));
        }
    }
    errors.sort();
    errors.dedup();
    Ok(list(found, &errors))
}

fn id_of(text: &str) -> Result<[u8; 16], Problem> {
    let shown: String = text.chars().take(64).collect();
    ask::trace_id(text).ok_or_else(|| invalid(format!("cannot parse trace id `{shown}`: 1 to 32 hex digits")))
}

/// Whole traces with their ids.
type Whole = Vec<([u8; 16], ph_store::Trace)>;

/// Whole traces in the order of their ids, as many as one answer may hold; and what is left out, in words.
async fn whole(
    app: &AppState,
    ctx: &TenantCtx,
    (ids, hint): (Vec<[u8; 16]>, Option<RangeNs>),
) -> Result<(Whole, Option<String>), Problem> {
    let asked = ids.len();
    let read = ids.into_iter().map(|id| async move {
        app.telemetry.trace(ctx, id, hint).await.map(|trace| (id, trace)).map_err(Problem::from)
    });
    let mut read = std::pin::pin!(stream::iter(read).buffered(AT_ONCE));
    let mut found = Whole::new();
    let mut spans = 0;
    while spans < MOST_SPANS
        && let Some(one) = read.try_next().await?
    {
        spans += one.1.spans.len();
        found.push(one);
    }
    let left = asked - found.len();
    let told = || {
        format!(
            "{left} of {asked} traces are left out, for those before have {spans} spans; ask for fewer at once, or for each by its id"
        )
    };
    Ok((found, (left > 0).then(told)))
}

/// `GET traces/{id}[?start&end]`, times in µs.
async fn one(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let ctx = ctx?;
    ctx.require(Permission::TracesRead)?;
    let id = id_of(&id)?;
    let params = Params::of(query.as_deref());
    let hint = match (params.number("start")?, params.number("end")?) {
        (Some(start), Some(end)) if start < end => {
            Some(RangeNs::new(start.saturating_mul(1_000), end.saturating_mul(1_000)))
        }
        _ => None,
    };
    let trace = app.telemetry.trace(&ctx, id, hint).await?;
    if trace.spans.is_empty() {
        return Err(Failure(Problem::new(ErrorKind::NotFound, "trace not found")));
    }
    Ok(list(vec![view::trace(id, &trace)], &trace.incomplete))
}

/// `GET dependencies?endTs&lookback`, both in ms.
async fn dependencies(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let ctx = ctx?;
    ctx.require(Permission::TracesRead)?;
    let params = Params::of(query.as_deref());
    let end = params.number("endTs")?.unwrap_or_else(|| app.clock.now_ms());
    let lookback = params.number("lookback")?.unwrap_or(24 * 3_600_000);
    if lookback <= 0 {
        return Err(Failure(invalid("parameter 'lookback' is not above 0")));
    }
    let page = app
        .telemetry
        .dependencies(&ctx, ask::range_ns(end.saturating_sub(lookback), end.saturating_add(1)))
        .await?;
    let found = page
        .dependencies
        .into_iter()
        .map(|d| json!({"parent": d.parent, "child": d.child, "callCount": d.calls}))
        .collect();
    Ok(list(found, &page.incomplete))
}
