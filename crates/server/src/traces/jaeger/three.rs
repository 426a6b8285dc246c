//! Jaeger's API of the third version over HTTP: traces as OTLP.
//!
//! Source: jaeger-idl `proto/api_v3/query_service.proto` with its HTTP mapping.

use axum::Json;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use ph_access::{Permission, TenantCtx};
use ph_filter::{Filter, Order};
use ph_model::{ErrorKind, RangeNs};
use ph_store::TracesAsk;
use serde::Deserialize;
use serde_json::{Value, json};

use super::search::{Params, tag};
use super::{bad_request, id_of, invalid, known, otlp, span_kind, told, whole};
use crate::app::AppState;
use crate::gateway::extract::Path;
use crate::gateway::problem::Problem;
use crate::traces::ask::{duration, nanos, range_ns};
use crate::traces::view;

const DEFAULT_DEPTH: i64 = 100;
const MAX_DEPTH: i64 = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/services", get(services))
        .route("/operations", get(operations))
        .route("/traces", get(by_query).post(by_body))
        .route("/traces/{id}", get(one))
        .route("/trace-summaries", get(summaries))
        .route("/dependencies", get(dependencies))
}

/// A problem as the third version tells it.
struct Failure(Problem);

impl<E: Into<Problem>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = bad_request(self.0.status());
        let code = match status {
            StatusCode::BAD_REQUEST => 3,
            StatusCode::NOT_FOUND => 5,
            StatusCode::FORBIDDEN => 7,
            StatusCode::TOO_MANY_REQUESTS => 8,
            StatusCode::SERVICE_UNAVAILABLE => 14,
            StatusCode::UNAUTHORIZED => 16,
            _ => 13,
        };
        let body = json!({"error": {"grpcCode": code, "httpCode": status.as_u16(), "message": told(&self.0),
            "httpStatus": status.canonical_reason().unwrap_or_default()}});
        (status, Json(body)).into_response()
    }
}

type Answer = Result<Json<Value>, Failure>;

/// An answer that says what is missing of it. Jaeger has no word for that: a field beside its own, only where something is.
fn told_of(mut answer: Value, missing: &[String]) -> Json<Value> {
    if let (Some(fields), false) = (answer.as_object_mut(), missing.is_empty()) {
        fields.insert("incomplete".to_owned(), json!(missing));
    }
    Json(answer)
}

/// The fields of a query, from the query string or a body. Texts, as the query string has them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Query {
    service_name: String,
    operation_name: String,
    attributes: serde_json::Map<String, Value>,
    start_time_min: String,
    start_time_max: String,
    duration_min: String,
    duration_max: String,
    search_depth: i64,
    num_traces: i64,
    raw_traces: bool,
    filter: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    query: Query,
}

impl Query {
    fn of(params: &Params<'_>) -> Result<Self, Problem> {
        let text = |name: &str| params.one(&format!("query.{name}")).unwrap_or_default().to_owned();
        let number = |name: &str| params.number(&format!("query.{name}")).map(Option::unwrap_or_default);
        let attributes = match params.one("query.attributes") {
            Some(text) => serde_json::from_str(text)
                .map_err(|_| invalid("query.attributes is no JSON object of strings"))?,
            None => serde_json::Map::new(),
        };
        Ok(Self {
            service_name: text("service_name"),
            operation_name: text("operation_name"),
            attributes,
            start_time_min: text("start_time_min"),
            start_time_max: text("start_time_max"),
            duration_min: text("duration_min"),
            duration_max: text("duration_max"),
            search_depth: number("search_depth")?,
            num_traces: number("num_traces")?,
            raw_traces: text("raw_traces") == "true",
            filter: text("filter"),
        })
    }

    fn ask(&self) -> Result<TracesAsk, Problem> {
        if !self.filter.is_empty() {
            return Err(invalid(
                "query.filter is not known here; use service_name, operation_name, attributes and durations",
            ));
        }
        let mut all = Vec::new();
        for (field, value) in [("service", &self.service_name), ("name", &self.operation_name)] {
            if !value.is_empty() {
                all.push(Filter::equal(field, value));
            }
        }
        for (key, value) in &self.attributes {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            all.push(tag(key, &text));
        }
        for (name, text, op) in [
            ("duration_min", &self.duration_min, Order::AtLeast),
            ("duration_max", &self.duration_max, Order::AtMost),
        ] {
            if !text.is_empty() {
                let ns =
                    nanos(text).ok_or_else(|| invalid(format!("query.{name} is no duration: {text}")))?;
                all.push(duration(op, ns));
            }
        }
        let time = |name: &str, text: &str| {
            let parsed =
                text.parse::<jiff::Timestamp>().ok().and_then(|t| i64::try_from(t.as_nanosecond()).ok());
            parsed.ok_or_else(|| invalid(format!("query.{name} is required, as RFC 3339; it is `{text}`")))
        };
        let from = time("start_time_min", &self.start_time_min)?;
        let to = time("start_time_max", &self.start_time_max)?;
        if from >= to {
            return Err(invalid("query.start_time_min is not before query.start_time_max"));
        }
        let limit = [self.search_depth, self.num_traces, DEFAULT_DEPTH]
            .into_iter()
            .find(|n| *n != 0)
            .unwrap_or(DEFAULT_DEPTH);
        if !(1..=MAX_DEPTH).contains(&limit) {
            return Err(invalid(format!("query.search_depth is {limit}, not between 1 and {MAX_DEPTH}")));
        }
        let limit = usize::try_from(limit).unwrap_or(1);
        Ok(TracesAsk {
            spans: Filter::every(all).into(),
            select: Vec::new(),
            range: RangeNs::new(from, to),
            limit,
            cursor: None,
        })
    }
}

async fn found(app: &AppState, ctx: TenantCtx, query: &Query) -> Answer {
    ctx.require(Permission::TracesRead)?;
    let ask = query.ask()?;
    let range = ask.range;
    let page = app.telemetry.search_traces(&ctx, ask).await?;
    let ids = page.traces.into_iter().map(|t| t.trace_id).collect();
    let (traces, left_out) = whole(app, &ctx, (ids, Some(range))).await?;
    let parts = traces.iter().flat_map(|(_, t)| t.incomplete.iter().cloned());
    let missing: Vec<String> = page.incomplete.into_iter().chain(left_out).chain(parts).collect();
    let spans = traces.iter().flat_map(|(_, t)| &t.spans);
    Ok(told_of(json!({"result": {"resourceSpans": otlp::resource_spans(spans)}}), &missing))
}

async fn by_query(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let ctx = ctx?;
    found(&app, ctx, &Query::of(&Params::of(query.as_deref()))?).await
}

async fn by_body(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    body: Result<crate::gateway::extract::Json<Body>, Problem>,
) -> Answer {
    let ctx = ctx?;
    found(&app, ctx, &body?.0.query).await
}

async fn one(State(app): State<AppState>, ctx: Result<TenantCtx, Problem>, Path(id): Path<String>) -> Answer {
    let ctx = ctx?;
    ctx.require(Permission::TracesRead)?;
    let trace = app.telemetry.trace(&ctx, id_of(&id)?, None).await?;
    if trace.spans.is_empty() {
        return Err(Failure(Problem::new(ErrorKind::NotFound, "trace not found")));
    }
    let found = json!({"result": {"resourceSpans": otlp::resource_spans(&trace.spans)}});
    Ok(told_of(found, &trace.incomplete))
}

async fn summaries(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let ctx = ctx?;
    ctx.require(Permission::TracesRead)?;
    let ask = Query::of(&Params::of(query.as_deref()))?.ask()?;
    let page = app.telemetry.search_traces(&ctx, ask).await?;
    let all: Vec<Value> = page
        .traces
        .into_iter()
        .map(view::summary)
        .map(|t| {
            let services: Vec<Value> = t
                .services
                .iter()
                .map(|s| json!({"name": s.service, "spanCount": s.spans, "errorSpanCount": s.errors}))
                .collect();
            json!({"traceId": t.trace_id, "rootServiceName": t.root_service, "rootOperationName": t.root_name,
                "minStartTimeUnixNano": t.start_ns, "durationNano": t.duration_ns.to_string(), "spanCount": t.spans,
                "errorSpanCount": t.errors, "orphanSpanCount": t.orphans, "services": services})
        })
        .collect();
    Ok(told_of(json!({"summaries": all}), &page.incomplete))
}

async fn services(State(app): State<AppState>, ctx: Result<TenantCtx, Problem>) -> Answer {
    let page = known(&app, &ctx?).await?;
    let names: Vec<String> = page.services.into_iter().map(|s| s.name).collect();
    Ok(told_of(json!({"services": names}), &page.incomplete))
}

async fn operations(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = Params::of(query.as_deref());
    let service = params.one("service").ok_or_else(|| invalid("parameter 'service' is required"))?;
    let kind = params.one("span_kind");
    let page = known(&app, &ctx?).await?;
    let found = page.services.into_iter().filter(|s| s.name == service).flat_map(|s| s.operations);
    let all: Vec<Value> = found
        .map(|o| (o.name, o.kind.as_str()))
        .filter(|(_, k)| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(k)))
        .map(|(name, kind)| json!({"name": name, "spanKind": span_kind(kind)}))
        .collect();
    Ok(told_of(json!({"operations": all}), &page.incomplete))
}

/// `GET dependencies?start_time&end_time`, RFC 3339; default: the last 24 h.
async fn dependencies(
    State(app): State<AppState>,
    ctx: Result<TenantCtx, Problem>,
    RawQuery(query): RawQuery,
) -> Answer {
    let ctx = ctx?;
    ctx.require(Permission::TracesRead)?;
    let params = Params::of(query.as_deref());
    let time = |name: &str, default: i64| match params.one(name) {
        Some(text) => text
            .parse::<jiff::Timestamp>()
            .map(|t| t.as_millisecond())
            .map_err(|_| invalid(format!("parameter '{name}' is no RFC 3339 time: {text}"))),
        None => Ok(default),
    };
    let end = time("end_time", app.clock.now_ms() + 1)?;
    let start = time("start_time", end.saturating_sub(24 * 3_600_000))?;
    if start >= end {
        return Err(Failure(invalid("parameter 'start_time' is not before 'end_time'")));
    }
    let page = app.telemetry.dependencies(&ctx, range_ns(start, end)).await?;
    let all: Vec<Value> = page
        .dependencies
        .into_iter()
        .map(|d| json!({"parent": d.parent, "child": d.child, "callCount": d.calls.to_string()}))
        .collect();
    Ok(told_of(json!({"dependencies": all}), &page.incomplete))
}
