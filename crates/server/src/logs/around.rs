//! One line by its cursor: the line itself, its neighbours in the same source, the page around it.
//!
//! Never: another line. What does not begin exactly where the cursor says is not the line; what is gone is said to be gone.

use axum::extract::State;
use http::StatusCode;
use ph_access::{LogsQuery as LogsOp, Permission, TenantCtx};
use ph_api::{LogContext, LogLines, LogQuery};
use ph_filter::Filter;
use ph_model::{ErrorKind, LogFlags, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows};
use serde::Deserialize;
use serde_json::json;

use super::ask::{Ask, MAX_CONTEXT, Mode, Origin};
use super::history::{self, Asked, Page};
use super::record::{Record, json as record_json, time_text};
use super::resolve::{Resolved, of_named, of_row};
use super::token::{Cursor, Mark, Named, PageToken};
use super::{budget, page, read, routes, sources};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::{Json, Path, Query, not_found};
use crate::gateway::problem::Problem;

/// Lines around unless the caller says otherwise.
const AROUND: u32 = 5;
/// Records of another output that may stand between a record's first piece and its end.
const BETWEEN: u32 = 64;

/// How many neighbours.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    before: Option<u32>,
    after: Option<u32>,
}

/// A line and its neighbours in the same source: the permalink.
#[utoipa::path(get, path = "/api/v1/logs/lines/{cursor}", tag = "logs",
    params(("cursor" = String, Path), ("before" = Option<u32>, Query), ("after" = Option<u32>, Query)),
    responses((status = 200, body = LogLines), (status = 404, body = ph_api::Problem), (status = 410, body = ph_api::Problem),
        (status = 422, body = ph_api::Problem)), extensions(("x-permission" = json!("logs.read"))))]
pub async fn line(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(cursor): Path<String>,
    Query(n): Query<Neighbours>,
) -> Result<Json<LogLines>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let named = Cursor::parse(&cursor).map_err(|e| invalid(e.to_string()))?;
    let context = LogContext { before: n.before.unwrap_or(AROUND), after: n.after.unwrap_or(AROUND) };
    if context.before > MAX_CONTEXT || context.after > MAX_CONTEXT {
        return Err(Problem::new(ErrorKind::Invalid, "too many neighbours")
            .fault("before", format!("at most {MAX_CONTEXT} lines each way")));
    }
    let _slot = app.logs.slots.take(&ctx)?;
    let resolved = resolved(&app, &ctx, &named).await?;
    let sources = [(0, resolved)];
    let asked = Asked { app: &app, ctx: &ctx, sources: &sources };
    let query = LogQuery { at: Some(cursor.clone()), ..LogQuery::default() };
    let target = routes::target(&query, &sources);
    let grant = app.auditor.decide::<LogsOp>(&ctx, target).await?;
    let decision = grant.row().clone();
    let plain = plain(&ctx);
    let (line, _) = find(&asked, &plain, &named).await?;
    let found = around(&asked, &plain, (&named, line, context)).await?;
    let detail = json!({
        "rows": found.records.len(),
        "bytes": found.summary.scanned_bytes,
        "digest": page::digest(found.records.iter()),
    });
    app.auditor.outcome(&ctx, &decision, Outcome { action: "logs.query", failed: None, detail }).await?;
    let (_, resolved) = &sources[0];
    let cursor = resolved.cursor();
    let index = found.records.iter().position(|r| is(r, &named)).unwrap_or(0);
    let by_index = [(0, resolved.json.clone())].into();
    Ok(Json(LogLines {
        index: u32::try_from(index).unwrap_or(0),
        records: found.records.iter().map(|r| record_json(r, &cursor, &[])).collect(),
        gaps: found.gaps.iter().map(|(s, node, g)| page::gap(*s, node, g, &by_index)).collect(),
        source: resolved.json.clone(),
    }))
}

/// The container of a cursor; one that is no longer known is remembered by its shipped lines. Another organisation's is not
/// found.
async fn resolved(app: &AppState, ctx: &TenantCtx, named: &Named) -> Result<Resolved, Problem> {
    if let Some(found) = of_named(app, ctx, named) {
        return Ok(found);
    }
    let room = app.inventories.find(ctx, named.cluster).ok_or_else(not_found)?;
    let search = SearchAsk {
        signal: Signal::Logs,
        filter: Filter::And(vec![
            Filter::equal("pod_uid", named.pod_uid.clone()),
            Filter::equal("cluster", room.name.clone()),
            Filter::equal("segment_key", format!("{:032x}", named.position.segment_key)),
        ]),
        range: RangeNs::new(i64::MIN, i64::MAX),
        order: Order::Descending,
        limit: 10,
        cursor: None,
        within: None,
    };
    let rows = match app.telemetry.search(ctx, search).await?.rows {
        SearchRows::Logs(rows) => rows,
        _ => Vec::new(),
    };
    rows.iter().map(|row| of_row(room.id, row)).find(|r| named.is_of(&r.cursor())).ok_or_else(|| {
        Problem::with_status(
            StatusCode::GONE,
            "cursor_gone",
            "the container of this line is gone, and its lines were not shipped",
        )
        .next_step("look for the workload's present containers: POST /api/v1/logs/sources")
    })
}

/// What is asked for one line: everything of its source, any run.
fn plain(ctx: &TenantCtx) -> Ask {
    Ask { budget: budget::of(ctx), ..Ask::everything() }
}

fn invalid(text: String) -> Problem {
    Problem::with_status(StatusCode::UNPROCESSABLE_ENTITY, "invalid_cursor", text)
        .next_step("copy the cursor of a line anew; it cannot be edited")
}

fn is(r: &Record, named: &Named) -> bool {
    let (a, b) = (r.position, named.position);
    (a.run, a.segment_key, a.offset) == (b.run, b.segment_key, b.offset)
}

/// The line itself, without conditions, from its file or the store.
async fn find(asked: &Asked<'_>, ask: &Ask, named: &Named) -> Result<(Record, Page), Problem> {
    let Some((_, resolved)) = asked.sources.first() else { return Err(not_found()) };
    let here = |mark| PageToken {
        at: [(resolved.json.id.clone(), mark)].into(),
        ..PageToken::new(ask.digest, false)
    };
    let one = Ask { limit: 1 + BETWEEN, origin: Origin::Files, mode: Mode::Head, ..ask.clone() };
    let nodes = super::resolve::by_reader(asked.app, asked.ctx, asked.sources);
    let in_files = match read::is_of_api(&named.position) {
        // The API holds what it holds: the reading itself tells.
        true => nodes.iter().any(|(_, node)| node.doors.api.is_some()),
        false => {
            let held = sources::segments(&nodes).await.keys;
            held.get(&0).is_some_and(|keys| keys.contains(&named.position.segment_key))
        }
    };
    if in_files {
        let at = one.at_token(here(Mark::file(&named.position, 0)));
        let page = history::page(asked, &at).await?;
        if let Some(line) = page.records.iter().find(|r| is(r, named)).cloned()
            && (!line.flags.has(LogFlags::MALFORMED)
                || begins(asked, &one, (&resolved.json.id, named)).await?)
        {
            return Ok((line, page));
        }
        if page.unread.is_empty() {
            return Err(invalid("no line begins where this cursor points".to_owned()));
        }
    }
    match stored(asked, ask, named).await? {
        Some(line) => Ok((line, Page::default())),
        None => Err(gone(asked, &one, named).await),
    }
}

/// Whether a malformed line really begins there: a place in the middle of a line would read as one.
async fn begins(asked: &Asked<'_>, ask: &Ask, (id, named): (&str, &Named)) -> Result<bool, Problem> {
    let at =
        |back, mark| PageToken { at: [(id.to_owned(), mark)].into(), ..PageToken::new(ask.digest, back) };
    let one = Ask { limit: 1, ..ask.clone() };
    let before = history::page(asked, &one.at_token(at(true, Mark::file(&named.position, 0)))).await?;
    let Some(start) = before.records.first().map(|r| r.position) else {
        return Ok(named.position.offset == 0);
    };
    let again = history::page(asked, &ask.at_token(at(false, Mark::file(&start, 0)))).await?;
    Ok(again.records.iter().any(|r| is(r, named)))
}

/// The line among shipped ones.
async fn stored(asked: &Asked<'_>, ask: &Ask, named: &Named) -> Result<Option<Record>, Problem> {
    let exact = Filter::And(vec![
        Filter::equal("segment_key", format!("{:032x}", named.position.segment_key)),
        Filter::equal("offset", named.position.offset.to_string()),
    ]);
    let ask =
        Ask { filter: exact, origin: Origin::Store, mode: Mode::Head, limit: 2, token: None, ..ask.clone() };
    let page = history::page(asked, &ask).await?;
    Ok(page.records.into_iter().find(|r| is(r, named)))
}

/// 410 with what is nearest.
async fn gone(asked: &Asked<'_>, ask: &Ask, named: &Named) -> Problem {
    let mut problem = Problem::with_status(
        StatusCode::GONE,
        "cursor_gone",
        "the file of this line was rotated away, and the line was not shipped",
    )
    .next_step("go on with the nearest line that is left: see `errors`");
    let Some((_, resolved)) = asked.sources.first() else { return problem };
    let first = Ask { limit: 1, token: None, ..ask.clone() };
    if let Ok(page) = history::page(asked, &first).await {
        if let Some(r) = page.records.first() {
            let cursor = resolved.cursor().at(&r.position).to_text();
            problem = problem.fault("newer", cursor).fault("oldest", time_text(r.ts_ns));
        } else if !page.gaps.is_empty() {
            return Problem::new(ErrorKind::Unavailable, "the node of this line cannot be read now")
                .next_step("try again when its agent is connected");
        }
    }
    let segment = Filter::equal("segment_key", format!("{:032x}", named.position.segment_key));
    let before = Filter::Compare {
        field: "offset".into(),
        op: ph_filter::Order::Less,
        value: named.position.offset.to_string(),
    };
    let older =
        Ask { filter: Filter::And(vec![segment, before]), origin: Origin::Store, mode: Mode::Tail, ..first };
    if let Ok(page) = history::page(asked, &older).await
        && let Some(r) = page.records.last()
    {
        problem = problem.fault("older", resolved.cursor().at(&r.position).to_text());
    }
    problem
}

/// The page around a line: `context` lines each way over all sources of the query, which begin at the line's time.
async fn around(
    asked: &Asked<'_>,
    ask: &Ask,
    (named, line, context): (&Named, Record, LogContext),
) -> Result<Page, Problem> {
    let id = asked.sources.iter().find(|(i, _)| *i == line.source).map(|(_, r)| r.json.id.clone());
    let Some(id) = id else { return Err(not_found()) };
    let (at, ns, p) = (line.position, line.ts_ns, named.position);
    let whole = line.stored;
    let mark = |back: bool| match (whole, back) {
        (true, back) => Mark::Store { ns, key: p.segment_key, offset: p.offset, past: true, whole: !back },
        (false, true) => Mark::file(&at, ns),
        (false, false) => Mark::Behind { run: at.run, key: at.segment_key, offset: at.offset, ns },
    };
    let token = |back: bool| PageToken {
        at: [(id.clone(), mark(back))].into(),
        since: Some(ns),
        ..PageToken::new(ask.digest, back)
    };
    let half = |back: bool, limit: u32| Ask {
        limit: limit.max(1),
        context: LogContext::default(),
        ..ask.at_token(token(back))
    };
    let mut older = history::page(asked, &half(true, context.before)).await?;
    let mut newer = history::page(asked, &half(false, context.after)).await?;
    // Without lines on a side, that side begins right at the line.
    if context.before == 0 {
        older.records.clear();
        older.prev = Some(token(true));
    }
    if context.after == 0 {
        newer.records.clear();
        newer.next = Some(token(false));
    }
    newer.records.retain(|r| !(r.source == line.source && is(r, named)));
    let mut out = older;
    out.records.push(line);
    out.records.append(&mut newer.records);
    out.gaps.append(&mut newer.gaps);
    out.markers.append(&mut newer.markers);
    read::add(&mut out.summary, &newer.summary);
    out.next = newer.next;
    out.unread.extend(newer.unread);
    Ok(out)
}

/// The page of a query with `at`. The line is always in it, the others only where they match.
pub async fn page_around(asked: &Asked<'_>, ask: &Ask, named: &Named) -> Result<Page, Problem> {
    let source = asked.sources.iter().find(|(_, r)| named.is_of(&r.cursor()));
    let Some((index, resolved)) = source else {
        return Err(invalid("the line of `at` is of none of the query's sources".to_owned())
            .fault("at", "name its container among `sources`, or leave them out"));
    };
    let own: [(u32, Resolved); 1] = [(0, resolved.clone())];
    let alone = Asked { sources: &own, ..*asked };
    let all = Ask { unmasked: ask.unmasked, ..plain(asked.ctx) };
    let (mut line, _) = find(&alone, &all, named).await?;
    line.source = *index;
    let half = ask.limit / 2;
    let context = match ask.has_context() {
        true => ask.context,
        false => LogContext { before: half, after: half },
    };
    around(asked, ask, (named, line, context)).await
}
