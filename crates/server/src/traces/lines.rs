//! Stored log lines of one trace. Reading them is reading logs: the same right, the same audit row.

use axum::extract::State;
use ph_access::{LogsQuery, Permission, Target, TenantCtx};
use ph_api::{Page, TraceLine, TraceRange};
use ph_filter::Filter;
use ph_model::{Level, LogRow, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows};
use serde_json::json;

use super::{ask, routes, view};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::{Json, Path, Query};
use crate::gateway::problem::Problem;

/// Lines of one answer.
const MOST: usize = 1_000;

/// Stored lines that carry the trace's id, oldest first; at most 1,000, the rest behind `incomplete`.
#[utoipa::path(get, path = "/api/v1/logs/trace/{trace_id}", tag = "logs", params(("trace_id" = String, Path), TraceRange),
    extensions(("x-permission" = json!("logs.read"))),
    responses((status = 200, body = Page<TraceLine>), (status = 422, body = ph_api::Problem)))]
pub async fn of_trace(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
    Query(range): Query<TraceRange>,
) -> Result<Json<Page<TraceLine>>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let id = view::hex(&routes::id_of(&id)?);
    let ask = SearchAsk {
        signal: Signal::Logs,
        filter: Filter::equal("trace_id", &id),
        range: ask::hint(&range)?.unwrap_or_else(|| RangeNs::new(0, i64::MAX)),
        order: Order::Ascending,
        limit: MOST,
        cursor: None,
        within: None,
    };
    let target = Target {
        object: format!("logs of trace {id}"),
        detail: json!({"trace_id": id, "from": range.from, "to": range.to}),
        ..Target::default()
    };
    let grant = app.auditor.decide::<LogsQuery>(&ctx, target).await?;
    let page = app.telemetry.search(&ctx, ask).await?;
    let SearchRows::Logs(rows) = page.rows else {
        return Err(Problem::new(ph_model::ErrorKind::Internal, "the store gave rows of another signal"));
    };
    let detail = json!({"rows": rows.len(), "bytes": page.scanned_bytes});
    app.auditor.outcome(&ctx, grant.row(), Outcome { action: "logs.query", failed: None, detail }).await?;
    let mut incomplete = page.incomplete;
    if page.next.is_some() {
        incomplete.push(format!("the trace has more than {MOST} lines; give from and to"));
    }
    Ok(Json(Page { items: rows.into_iter().map(line).collect(), next: None, total: None, incomplete }))
}

fn line(row: LogRow) -> TraceLine {
    TraceLine {
        ts_ns: row.ts.to_string(),
        span_id: row.span_id.map(|s| view::hex(&s)),
        level: Level::from_number(row.level).as_str().to_owned(),
        message: String::from_utf8_lossy(&row.message).into_owned(),
        attributes: view::json(&row.attributes),
        service: row.service,
        cluster: row.cluster,
        namespace: row.namespace,
        pod: row.pod,
        container: row.container,
    }
}
