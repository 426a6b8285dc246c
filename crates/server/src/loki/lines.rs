//! `query`, `query_range`, `format_query`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use ph_access::{Permission, TenantCtx};
use ph_filter::logql::{Fields, LogExpr, Pipeline, Query, filter_of};
use ph_model::RangeNs;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::ask::{self, Grid};
use super::envelope::{Answer, Fault, success};
use super::numbers;
use super::read::{Scan, Seen, begin, fields_of, finish};
use crate::app::AppState;
use crate::prometheus::Form;

/// Longest time of one query.
const MOST_TIME: Duration = Duration::from_secs(120);
/// Queries at one time; others wait, as long as their time lasts.
static SLOTS: Semaphore = Semaphore::const_new(4);
/// Carries the place behind the last line; give it back as parameter `cursor`.
const NEXT: &str = "x-pilothouse-next";
const FLAGS: &str = "x-loki-response-encoding-flags";
const CATEGORIZE: &str = "categorize-labels";

/// Runs within the time of one query, when it is its turn.
pub async fn in_turn<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let turn = async {
        // Never closed: this cannot fail.
        let _slot = SLOTS.acquire().await;
        work.await
    };
    tokio::time::timeout(MOST_TIME, turn).await.unwrap_or_else(|_| Err(Fault::timeout()))
}

/// `/query`: numbers at one time.
pub async fn instant(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let Query::Metric(metric) = ask::query(&form)? else {
        return Err(Fault::bad(
            "log queries are not supported as an instant query type, please change your query to a range query type",
        ));
    };
    let now = app.clock.now_ms();
    let at_ms = ask::time(&form, "time")?.map_or(now, |ns| ns.div_euclid(1_000_000));
    let grid = Grid { start_ms: at_ms, end_ms: at_ms, step_ms: 0 };
    numbers(&app, &ctx, (&form, &metric, grid)).await
}

/// `/query_range`: lines, or numbers on a grid.
pub async fn range(State(app): State<AppState>, ctx: TenantCtx, headers: HeaderMap, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    if form.one("interval").is_some() {
        return Err(Fault::bad("parameter interval is not known here; leave it out"));
    }
    let range = ask::range(&app, &form)?;
    match ask::query(&form)? {
        Query::Metric(metric) => {
            let grid = Grid::of(&form, range)?;
            numbers(&app, &ctx, (&form, &metric, grid)).await
        }
        Query::Logs(logs) => {
            let flags = headers.get(FLAGS).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let categorize = flags.split(',').any(|flag| flag.trim() == CATEGORIZE);
            let grant = begin((&app, &ctx), form.one("query").unwrap_or_default(), range).await?;
            let started = Instant::now();
            let found = in_turn(read(&app, &ctx, (&form, &logs, range))).await?;
            finish((&app, &ctx), &grant, &found.seen).await?;
            Ok(streams(found, started.elapsed(), categorize))
        }
    }
}

async fn numbers(
    app: &AppState,
    ctx: &TenantCtx,
    (form, metric, grid): (&Form, &ph_filter::logql::Metric, Grid),
) -> Answer {
    let span = RangeNs::new(grid.start_ms.saturating_mul(1_000_000), grid.end_ms.saturating_mul(1_000_000));
    let grant = begin((app, ctx), form.one("query").unwrap_or_default(), span).await?;
    let started = Instant::now();
    let (mut data, seen, mut warnings) = in_turn(numbers::run((app, ctx), metric, grid)).await?;
    finish((app, ctx), &grant, &seen).await?;
    let entries = data["result"].as_array().map_or(0, Vec::len);
    data["stats"] = stats(&seen, started.elapsed(), entries);
    warnings.extend(seen.incomplete);
    Ok(success(data, &warnings))
}

/// Lines of an answer, in its order.
struct Found {
    lines: Vec<(i64, Fields, Vec<u8>)>,
    seen: Seen,
    next: Option<String>,
}

async fn read(
    app: &AppState,
    ctx: &TenantCtx,
    (form, logs, range): (&Form, &LogExpr, RangeNs),
) -> Result<Found, Fault> {
    let (order, limit) = (ask::order(form)?, ask::limit(form)?);
    let pipeline = Pipeline::new(logs, None)?;
    let cursor = form.one("cursor").map(str::to_owned);
    let mut scan = Scan::new((app, ctx), filter_of(logs)?, (range, order)).after(cursor.clone());
    let mut before = cursor;
    let mut lines: Vec<(i64, Fields, Vec<u8>)> = Vec::new();
    while lines.len() < limit {
        let missing = limit - lines.len();
        let Some(rows) = scan.page(if pipeline.may_drop() { missing.max(1_000) } else { missing }).await?
        else {
            break;
        };
        for (i, row) in rows.iter().enumerate() {
            let mut fields = fields_of(row);
            if let Some(line) = pipeline.line(&mut fields, row.message.clone()) {
                lines.push((row.ts, fields, line));
            }
            if lines.len() == limit && i + 1 < rows.len() {
                // The answer ends within the page: its cursor is that of a page which ends there.
                let mut again = Scan::new((app, ctx), filter_of(logs)?, (range, order)).after(before);
                again.page(i + 1).await?;
                let next = again.next().map(str::to_owned);
                return Ok(Found { lines, seen: scan.seen, next });
            }
        }
        scan.within()?;
        before = scan.next().map(str::to_owned);
    }
    let next = scan.next().map(str::to_owned);
    Ok(Found { lines, seen: scan.seen, next })
}

type Key = BTreeMap<String, String>;

fn streams(found: Found, took: Duration, categorize: bool) -> Response {
    let mut order: Vec<(Key, Vec<Value>)> = Vec::new();
    let mut known: BTreeMap<Key, usize> = BTreeMap::new();
    let entries = found.lines.len();
    for (ts, fields, line) in found.lines {
        let line = String::from_utf8_lossy(&line).into_owned();
        let Fields { mut stream, metadata, parsed } = fields;
        let value = if categorize {
            json!([ts.to_string(), line, {"structuredMetadata": metadata, "parsed": parsed}])
        } else {
            stream.extend(metadata);
            stream.extend(parsed);
            json!([ts.to_string(), line])
        };
        let at = *known.entry(stream).or_insert_with_key(|key| {
            order.push((key.clone(), Vec::new()));
            order.len() - 1
        });
        if let Some((_, values)) = order.get_mut(at) {
            values.push(value);
        }
    }
    let result: Vec<Value> =
        order.into_iter().map(|(stream, values)| json!({"stream": stream, "values": values})).collect();
    let mut data =
        json!({"resultType": "streams", "result": result, "stats": stats(&found.seen, took, entries)});
    if categorize {
        data["encodingFlags"] = json!([CATEGORIZE]);
    }
    let mut response = success(data, &found.seen.incomplete);
    if let Some(next) = found.next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(NEXT, next);
    }
    response
}

fn stats(seen: &Seen, took: Duration, entries: usize) -> Value {
    let seconds = took.as_secs_f64().max(1e-9);
    json!({"summary": {
        "bytesProcessedPerSecond": (seen.scanned_bytes as f64 / seconds) as u64,
        "linesProcessedPerSecond": (seen.scanned_rows as f64 / seconds) as u64,
        "totalBytesProcessed": seen.scanned_bytes,
        "totalLinesProcessed": seen.scanned_rows,
        "totalPostFilterLines": seen.rows,
        "totalEntriesReturned": entries,
        "execTime": seconds,
        "queueTime": 0,
        "subqueries": 0,
    }})
}

/// `/format_query`: the query as it is printed.
pub async fn format(ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    Ok(success(ask::query(&form)?.to_string().into(), &[]))
}
