//! `/api/v1/logs`: what its handlers share, and the page.

use std::collections::BTreeMap;

use axum::extract::State;
use ph_access::{Actor, LogsQuery as LogsOp, Permission, Target, TenantCtx};
use ph_api::{LogPage, LogQuery};
use ph_model::ErrorKind;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ask::{Ask, Fault, Shape};
use super::budget::{self, Slots};
use super::download::Downloads;
use super::history::{self, Asked};
use super::planted::Hours;
use super::resolve::{Resolved, resolve};
use super::streams::Waiting;
use super::{around, columns, complete, count, download, markers, page, sources, streams, table, views};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

/// Sources of one query.
const MAX_SOURCES: usize = 2_000;
/// Records of one answer that gives its limit for each source.
const MAX_PER_SOURCE: u64 = 20_000;

/// State of this room. Cheap to clone.
#[derive(Clone, Default)]
pub struct LogsRoom {
    pub slots: Slots,
    pub waiting: Waiting,
    pub downloads: Downloads,
    /// When links in place of logs were last recorded.
    pub(super) planted: Hours,
}

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sources::sources))
        .routes(routes!(query))
        .routes(routes!(count::count))
        .routes(routes!(around::line))
        .routes(routes!(complete::complete))
        .routes(routes!(streams::open))
        .routes(routes!(streams::claim))
        .routes(routes!(download::open))
        .routes(routes!(download::fetch))
        .routes(routes!(views::list, views::save))
        .routes(routes!(views::remove))
}

/// All faults of a query in one answer.
pub fn faults(list: Vec<Fault>) -> Problem {
    let first = list.first().map(|f| format!("{}: {}", f.path, f.message)).unwrap_or_default();
    let cursor = |f: &Fault| matches!(f.path.as_str(), "after" | "before" | "at");
    let kind = if list.iter().all(cursor) { "invalid_cursor" } else { ErrorKind::Invalid.as_str() };
    list.into_iter().fold(
        Problem::with_status(
            http::StatusCode::UNPROCESSABLE_ENTITY,
            kind,
            format!("the query does not fit: {first}"),
        ),
        Problem::fault_at,
    )
}

/// Numbers the sources; too many are refused, not cut.
pub fn numbered(sources: Vec<Resolved>) -> Result<Vec<(u32, Resolved)>, Problem> {
    if sources.len() > MAX_SOURCES {
        return Err(Problem::new(
            ErrorKind::Exhausted,
            format!("{} containers are more than {MAX_SOURCES} in one query", sources.len()),
        )
        .next_step("name a cluster, a namespace or a workload"));
    }
    Ok((0..).zip(sources).collect())
}

/// A query that is checked against its caller.
pub fn ready(ctx: &TenantCtx, (query, shape): (&LogQuery, Shape)) -> Result<Ask, Problem> {
    let ask = Ask::new(query, (shape, budget::of(ctx))).map_err(faults)?;
    if ask.unmasked && !matches!(ctx.actor(), Actor::User { .. }) {
        return Err(Problem::new(ErrorKind::Denied, "unmasked lines are for people alone")
            .fault("unmasked", "leave it out, or ask with a person's session"));
    }
    Ok(ask)
}

/// The act that the audit row names.
pub fn target(query: &LogQuery, sources: &[(u32, Resolved)]) -> Target {
    let names: Vec<String> = sources
        .iter()
        .take(20)
        .map(|(_, r)| format!("{}/{}/{}", r.json.namespace, r.json.pod, r.json.container))
        .collect();
    let clusters: std::collections::BTreeSet<&str> =
        sources.iter().map(|(_, r)| r.json.cluster.as_str()).collect();
    Target {
        cluster: clusters.into_iter().collect::<Vec<_>>().join(","),
        object: format!("logs of {} containers", sources.len()),
        detail: json!({
            "sources": names,
            "filter": query.filter,
            "from": query.from,
            "to": query.to,
            "at": query.at,
            "unmasked": query.unmasked,
            "follow": query.follow,
        }),
        ..Target::default()
    }
}

/// One page of lines.
#[utoipa::path(post, path = "/api/v1/logs/query", tag = "logs", request_body = LogQuery,
    responses((status = 200, body = LogPage), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn query(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(query): Json<LogQuery>,
) -> Result<Json<LogPage>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let started = std::time::Instant::now();
    let ask = ready(&ctx, (&query, Shape::Page))?;
    let _slot = app.logs.slots.take(&ctx)?;
    let sources = numbered(columns::meant(resolve(&app, &ctx, &query.sources)?, &ask.filter))?;
    if ask.per_source && u64::from(ask.limit) * sources.len() as u64 > MAX_PER_SOURCE {
        let text = format!(
            "{} lines of each of {} sources are more than {MAX_PER_SOURCE}",
            ask.limit,
            sources.len()
        );
        return Err(Problem::new(ErrorKind::Exhausted, text).next_step("lower `limit` or name fewer sources"));
    }
    let grant = app.auditor.decide::<LogsOp>(&ctx, target(&query, &sources)).await?;
    let decision = grant.row().clone();
    let asked = Asked { app: &app, ctx: &ctx, sources: &sources };
    if !ask.stages.is_empty() {
        let answer = table::page(&asked, &ask, started).await;
        return closed(&asked, &decision, answer).await;
    }
    let found = match &ask.at {
        Some(named) => around::page_around(&asked, &ask, named).await,
        None => history::page(&asked, &ask).await,
    };
    let found = match found {
        Ok(found) => found,
        Err(problem) => {
            let failed = Some(problem.body.detail.clone());
            let outcome = Outcome { action: "logs.query", failed, detail: json!({}) };
            app.auditor.outcome(&ctx, &decision, outcome).await?;
            return Err(problem);
        }
    };
    let events = match ask.with_events {
        true => markers::events(&asked, &ask, &found.records).await?,
        false => Default::default(),
    };
    let digest = page::digest(found.records.iter());
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut answer = page::page(found, (&sources, &ask), took_ms);
    answer.markers.extend(events.0);
    answer.gaps.extend(events.1);
    let detail = row(&answer, &digest);
    app.auditor.outcome(&ctx, &decision, Outcome { action: "logs.query", failed: None, detail }).await?;
    Ok(Json(answer))
}

/// The audit row of a table, and the table.
async fn closed(
    asked: &Asked<'_>,
    decision: &ph_access::AuditRow,
    answer: Result<LogPage, Problem>,
) -> Result<Json<LogPage>, Problem> {
    let (failed, detail) = match &answer {
        Ok(page) => (None, row(page, "")),
        Err(problem) => (Some(problem.body.detail.clone()), json!({})),
    };
    let outcome = Outcome { action: "logs.query", failed, detail };
    asked.app.auditor.outcome(asked.ctx, decision, outcome).await?;
    answer.map(Json)
}

/// What the audit row says of an answer: figures and a digest, never text.
fn row(answer: &LogPage, digest: &str) -> serde_json::Value {
    json!({
        "rows": answer.table.as_ref().map_or(answer.records.len(), |table| table.rows.len()),
        "bytes": answer.summary.scanned_bytes,
        "redactions": answer.summary.redactions,
        "gaps": answer.gaps.len(),
        "stopped": answer.summary.stopped,
        "denied": denied(&answer.gaps),
        "digest": digest,
    })
}

/// Refusals that a row tells at most.
const MAX_DENIED: usize = 20;

/// What was refused on the way, and why: names and reasons, never text of a log.
pub fn denied<'a>(gaps: impl IntoIterator<Item = &'a ph_api::LogGap>) -> Vec<String> {
    let denied = gaps.into_iter().filter(|g| g.kind == "denied");
    denied.map(|g| format!("{}: {}", g.source_name, g.text)).take(MAX_DENIED).collect()
}

/// Sources by their index.
pub fn by_index(sources: &[(u32, Resolved)]) -> BTreeMap<u32, ph_api::LogSource> {
    sources.iter().map(|(i, r)| (*i, r.json.clone())).collect()
}
