//! Downloads: estimated first, then streamed without a limit of time, resumable at any byte, closed by a summary.
//!
//! Never:  an end without its summary, except by a lost connection; then the reader says how many bytes it holds and goes on.

mod format;
mod out;
pub(super) mod walk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use ph_access::{LogsQuery as LogsOp, Permission, TenantCtx};
use ph_api::{LogDownload, LogDownloadAsk};
use ph_model::{ErrorKind, OrgId};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::ask::{Ask, Fault, Shape};
use super::history::Asked;
use super::resolve::{Resolved, by_reader, resolve};
use super::token::PageToken;
use super::{columns, routes, sources};
use crate::app::AppState;
use crate::gateway::extract::{Json, Path, Query, not_found};
use crate::gateway::problem::Problem;
use format::{COLUMNS, Format, Style};
use out::{Checkpoint, Job};
use walk::Walk;

/// A download is kept for this long after it was made or fetched.
const KEPT_MS: i64 = 3_600_000;
/// Downloads of one organisation that are kept.
const MOST: usize = 1_000;
/// Pieces on their way to a reader.
const IN_FLIGHT: usize = 4;

/// A download between its `POST` and the end.
struct Download {
    org: OrgId,
    actor: String,
    asked: LogDownloadAsk,
    ask: Ask,
    style: Style,
    sources: Vec<(u32, Resolved)>,
    file_name: String,
    /// Places from which the output can be made again.
    checkpoints: Arc<Mutex<Vec<Checkpoint>>>,
}

/// Downloads that can be fetched. Clones share them.
#[derive(Clone, Default)]
pub struct Downloads(Arc<Mutex<HashMap<String, (i64, Arc<Download>)>>>);

impl Downloads {
    fn keep(&self, download: Download, now_ms: i64) -> Result<(String, i64), Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (expires, _)| now_ms < *expires);
        if all.values().filter(|(_, d)| d.org == download.org).count() >= MOST {
            return Err(Problem::new(ErrorKind::Exhausted, format!("{MOST} downloads are kept for an hour"))
                .retry_after_ms(60_000));
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        let expires = now_ms + KEPT_MS;
        all.insert(id.clone(), (expires, Arc::new(download)));
        Ok((id, expires))
    }

    fn find(&self, id: &str, ctx: &TenantCtx, now_ms: i64) -> Option<Arc<Download>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires, download) = all.get_mut(id)?;
        if now_ms >= *expires || download.org != ctx.org() || download.actor != ctx.actor().label() {
            return None;
        }
        *expires = now_ms + KEPT_MS;
        Some(download.clone())
    }
}

/// Makes a download and says what it will cost.
#[utoipa::path(post, path = "/api/v1/logs/downloads", tag = "logs", request_body = LogDownloadAsk,
    responses((status = 201, body = LogDownload), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn open(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(mut asked): Json<LogDownloadAsk>,
) -> Result<Response, Problem> {
    ctx.require(Permission::LogsRead)?;
    let now_ms = app.clock.now_ms();
    if asked.query.to.is_none() {
        // What is written while it is fetched is not part of it: the same bytes can be made again.
        asked.query.to = Some(now_ms.saturating_add(1).to_string());
    }
    let style = style(&asked).map_err(routes::faults)?;
    let mut ask = routes::ready(&ctx, (&asked.query, Shape::Whole))?;
    ask.budget.returned_bytes = ask.budget.download_bytes;
    let found = routes::numbered(columns::meant(resolve(&app, &ctx, &asked.query.sources)?, &ask.filter))?;
    let nodes = by_reader(&app, &ctx, &found);
    let answers = futures::future::join_all(nodes.iter().map(|(_, n)| sources::files(n))).await;
    let segments = answers.into_iter().flatten().flat_map(|r| r.sources).flat_map(|s| s.runs);
    let scan_bytes = segments.flat_map(|r| r.segments).map(|s| s.bytes).sum();
    let file_name = file_name(&asked, (&style, &found), now_ms);
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let download = Download {
        org: ctx.org(),
        actor: ctx.actor().label(),
        ask,
        style: Style { named: found.len() > 1, ..style },
        asked,
        sources: found,
        file_name: file_name.clone(),
        checkpoints: Arc::default(),
    };
    let (id, expires_ms) = app.logs.downloads.keep(download, now_ms)?;
    let answer = LogDownload { id, file_name, scan_bytes, sources: count, expires_ms };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn style(asked: &LogDownloadAsk) -> Result<Style, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut fault =
        |path: &str, message: String| faults.push(Fault { path: path.into(), message, ..Fault::default() });
    let format = Format::parse(&asked.format);
    if format.is_none() {
        fault("format", format!("`{}` is not one of text, json, csv, tsv", asked.format));
    }
    match (asked.range.as_str(), asked.lines) {
        ("head" | "tail", None | Some(0)) => fault("lines", "say how many lines".into()),
        ("all" | "between", Some(_)) => fault("lines", "a number of lines goes with `head` or `tail`".into()),
        ("between", None) if asked.query.from.is_none() => {
            fault("query.from", "`between` needs a time to begin at".into());
        }
        ("all" | "between" | "head" | "tail", _) => {}
        (other, _) => fault("range", format!("`{other}` is not one of all, head, tail, between")),
    }
    let table = matches!(format, Some(Format::Csv | Format::Tsv));
    if !table && !asked.columns.is_empty() {
        fault("columns", "columns go with csv and tsv".into());
    }
    for c in asked.columns.iter().filter(|c| !COLUMNS.contains(&c.as_str()) && !c.starts_with("field:")) {
        fault("columns", format!("`{c}` is not one of {} or field:KEY", COLUMNS.join(", ")));
    }
    if asked.query.per_source {
        fault("query.per_source", "a download has one limit for all sources".into());
    }
    if asked.query.limit.is_some() {
        fault("query.limit", "use `lines` with range `head` or `tail`".into());
    }
    match format.filter(|_| faults.is_empty()) {
        Some(format) => Ok(Style {
            format,
            ansi: asked.ansi,
            columns: Style::columns(&asked.columns),
            fields: asked.query.fields.clone(),
            named: false,
        }),
        None => Err(faults),
    }
}

fn file_name(asked: &LogDownloadAsk, (style, found): (&Style, &[(u32, Resolved)]), now_ms: i64) -> String {
    let what = match found {
        [(_, one)] if !one.json.pod.is_empty() => format!("{}-{}", one.json.pod, one.json.container),
        [(_, one)] => one.json.container.clone(),
        many => format!("{}-containers", many.len()),
    };
    let safe: String =
        what.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let at = jiff::Timestamp::from_millisecond(now_ms).map(|t| t.strftime("%Y%m%dT%H%M%SZ").to_string());
    let gz = if asked.compress { ".gz" } else { "" };
    format!("{safe}-{}.{}{gz}", at.unwrap_or_default(), style.format.extension())
}

/// Where a fetch goes on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// Token of an earlier summary: the lines behind it.
    after: Option<String>,
    /// Bytes that the reader holds already: the rest of the same output.
    offset: Option<u64>,
}

/// The lines themselves. The last line is the summary with the token that goes on behind it; `offset` continues a broken fetch.
#[utoipa::path(get, path = "/api/v1/logs/downloads/{id}", tag = "logs",
    params(("id" = String, Path), ("after" = Option<String>, Query), ("offset" = Option<u64>, Query)),
    responses((status = 200, description = "the lines, streamed"), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn fetch(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    ctx.require(Permission::LogsRead)?;
    let download = app.logs.downloads.find(&id, &ctx, app.clock.now_ms()).ok_or_else(not_found)?;
    let slot = app.logs.slots.take(&ctx)?;
    let held = from.offset.unwrap_or(0);
    let start = match &from.after {
        Some(_) if held > 0 => {
            return Err(Problem::new(ErrorKind::Invalid, "`after` and `offset` exclude each other")
                .fault("offset", "give one of both"));
        }
        Some(text) => PageToken::parse(text, download.ask.digest).map(Some).map_err(|e| {
            routes::faults(vec![Fault { path: "after".into(), message: e.to_string(), ..Fault::default() }])
        })?,
        None => None,
    };
    let grant =
        app.auditor.decide::<LogsOp>(&ctx, routes::target(&download.asked.query, &download.sources)).await?;
    let asked = Asked { app: &app, ctx: &ctx, sources: &download.sources };
    let checkpoint = if start.is_some() { None } else { Checkpoint::before(&download.checkpoints, held) };
    let begin = match (start, &checkpoint) {
        (Some(token), _) => Some(token),
        (None, Some(c)) => c.token.clone(),
        (None, None) if download.asked.range == "tail" => {
            walk::tail(&asked, &download.ask, download.asked.lines.unwrap_or(0)).await?
        }
        (None, None) => None,
    };
    let ask = Ask { token: begin, ..download.ask.clone() };
    let resumed = from.after.is_some();
    let job = Job {
        decision: grant.row().clone(),
        walk: Walk::new((&app, &ctx), download.sources.clone(), &ask),
        app: app.clone(),
        ctx: ctx.clone(),
        style: download.style.clone(),
        compress: download.asked.compress,
        lines: download.asked.lines,
        most_bytes: download.ask.budget.download_bytes,
        checkpoints: (!resumed).then(|| download.checkpoints.clone()),
        start: checkpoint.unwrap_or_default(),
        held,
        stop: app.auth.liveness(&ctx),
    };
    let (pieces, body) = mpsc::channel(IN_FLIGHT);
    app.tasks.spawn(async move {
        job.run(pieces).await;
        drop(slot);
    });
    let mut response = Body::from_stream(ReceiverStream::new(body)).into_response();
    let headers = response.headers_mut();
    let kind =
        if download.asked.compress { "application/gzip" } else { download.style.format.content_type() };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", download.file_name)) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
