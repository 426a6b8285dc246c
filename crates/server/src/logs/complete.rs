//! `POST complete`: what fits at a place in a filter: names and values of the newest lines, with how many of them have each.

use std::collections::HashMap;

use axum::extract::State;
use ph_access::{LogsQuery as LogsOp, Permission, TenantCtx};
use ph_api::{LogCompleteAsk, LogCompletion, LogFilterError, LogQuery, LogSuggestion};
use ph_filter::complete::{COLUMNS, OPERATORS, Wanted, place, written};
use ph_filter::query;
use ph_model::{ErrorKind, Level};
use serde_json::json;

use super::ask::Shape;
use super::history::{self, Asked};
use super::record::Record;
use super::resolve::{Resolved, resolve};
use super::{columns, page, routes};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

/// Newest lines that are looked at.
const SAMPLE: u32 = 200;
/// Suggestions of one answer.
const MOST: usize = 50;
/// Longer values are no help in a menu.
const MAX_VALUE: usize = 200;

/// What fits at a place in a filter.
#[utoipa::path(post, path = "/api/v1/logs/complete", tag = "logs", request_body = LogCompleteAsk,
    responses((status = 200, body = LogCompletion), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn complete(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(asked): Json<LogCompleteAsk>,
) -> Result<Json<LogCompletion>, Problem> {
    ctx.require(Permission::LogsRead)?;
    if asked.text.len() > query::MAX_TEXT {
        return Err(Problem::new(ErrorKind::Invalid, "the filter is too long")
            .fault("text", format!("at most {} bytes", query::MAX_TEXT)));
    }
    let spot = place(&asked.text, asked.at as usize);
    let found = routes::numbered(resolve(&app, &ctx, &asked.sources)?)?;
    let sampled = match &spot.wanted {
        Wanted::Term | Wanted::Field => sample(&app, &ctx, &found, &asked).await?,
        Wanted::Value { field } if known(field, &found).is_none() => {
            sample(&app, &ctx, &found, &asked).await?
        }
        _ => Vec::new(),
    };
    let mut all = match &spot.wanted {
        Wanted::Term | Wanted::Field => names(&sampled),
        Wanted::Value { field } => known(field, &found).unwrap_or_else(|| values(field, &sampled)),
        Wanted::Stage => words(&query::STAGES, "stage"),
        Wanted::Function | Wanted::Nothing => Vec::new(),
    };
    if spot.wanted == Wanted::Term && COLUMNS.contains(&spot.typed.as_str()) {
        all.extend(words(&OPERATORS.map(|o| format!("{}{o}", spot.typed)), "operator"));
    }
    let typed = spot.typed.to_lowercase();
    all.retain(|s| s.text.to_lowercase().trim_start_matches('"').starts_with(&typed));
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
    all.truncate(MOST);
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Ok(Json(LogCompletion {
        from: byte(spot.from),
        to: byte(spot.to),
        suggestions: all,
        error: query::parse(&asked.text).err().map(|e| LogFilterError {
            from: byte(e.span.start),
            to: byte(e.span.end),
            text: e.cause,
            suggestion: e.suggestion,
        }),
    }))
}

/// The newest lines of the sources, recorded like any other reading.
async fn sample(
    app: &AppState,
    ctx: &TenantCtx,
    found: &[(u32, Resolved)],
    asked: &LogCompleteAsk,
) -> Result<Vec<Record>, Problem> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let query = LogQuery { sources: asked.sources.clone(), limit: Some(SAMPLE), ..LogQuery::default() };
    let ask = routes::ready(ctx, (&query, Shape::Page))?;
    let _slot = app.logs.slots.take(ctx)?;
    let grant = app.auditor.decide::<LogsOp>(ctx, routes::target(&query, found)).await?;
    let page = history::page(&Asked { app, ctx, sources: found }, &ask).await?;
    let detail = json!({
        "rows": page.records.len(),
        "bytes": page.summary.scanned_bytes,
        "digest": page::digest(page.records.iter()),
    });
    let outcome = Outcome { action: "logs.query", failed: None, detail };
    app.auditor.outcome(ctx, grant.row(), outcome).await?;
    Ok(page.records)
}

fn words<S: AsRef<str>>(list: &[S], kind: &str) -> Vec<LogSuggestion> {
    let one = |w: &S| LogSuggestion { text: w.as_ref().to_owned(), kind: kind.to_owned(), count: None };
    list.iter().map(one).collect()
}

fn counted(counts: HashMap<String, u64>, kind: &str) -> Vec<LogSuggestion> {
    let one = |(text, n)| LogSuggestion { text: written(text), kind: kind.to_owned(), count: Some(n) };
    counts.iter().map(|(text, n)| one((text.as_str(), *n))).collect()
}

/// Columns, and the keys of the sampled messages.
fn names(sampled: &[Record]) -> Vec<LogSuggestion> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for r in sampled {
        for (name, _) in ph_filter::fields(&r.message) {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.retain(|name, _| !COLUMNS.contains(&name.as_str()));
    let mut all = counted(counts, "field");
    all.extend(words(&COLUMNS, "field"));
    all
}

/// Values that the sources themselves tell.
fn known(field: &str, found: &[(u32, Resolved)]) -> Option<Vec<LogSuggestion>> {
    match field {
        "level" => {
            let all = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
            return Some(words(&all.map(|l| l.as_str()), "value"));
        }
        "stream" => return Some(words(&["stdout", "stderr"], "value")),
        _ if columns::NAMES.contains(&field) => {}
        _ => return None,
    }
    let names: std::collections::BTreeSet<&str> =
        found.iter().filter_map(|(_, r)| columns::text(&r.json, field)).filter(|v| !v.is_empty()).collect();
    Some(
        names.iter().map(|v| LogSuggestion { text: written(v), kind: "value".into(), count: None }).collect(),
    )
}

fn values(field: &str, sampled: &[Record]) -> Vec<LogSuggestion> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for value in sampled.iter().filter_map(|r| ph_filter::field(&r.message, field)) {
        if value.len() <= MAX_VALUE {
            *counts.entry(value.into_owned()).or_default() += 1;
        }
    }
    counted(counts, "value")
}
