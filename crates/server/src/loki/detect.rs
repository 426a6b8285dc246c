//! `detected_labels`, `detected_fields`, `detected_field/…/values`, `patterns`: what lines are made of.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use ph_access::{Permission, TenantCtx};
use ph_filter::logql::{LABELS, LogExpr, Pipeline, Stage, filter_of};
use ph_model::{LogRow, RangeNs};
use ph_store::{MAX_PAGE, Order};
use serde_json::{Value, json};

use super::ask::{self, Grid};
use super::envelope::{Answer, Fault, success};
use super::lines::in_turn;
use super::listing::Scope;
use super::read::{Scan, begin, fields_of, finish};
use crate::app::AppState;
use crate::gateway::extract::Path;
use crate::prometheus::Form;

/// Lines that fields are looked for in.
const LINES: usize = 1_000;
const FIELDS: usize = 1_000;
const PATTERNS: usize = 300;
/// Patterns that are told apart; lines of others count under one of these no more.
const MOST_PATTERNS: usize = 20_000;

/// `/detected_labels`: labels with the number of their values.
pub async fn labels(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let scope = Scope::of(&app, &form)?;
    let mut found = Vec::new();
    for (label, field) in LABELS {
        let values = scope.fields(&app, &ctx, Some(field)).await?.items;
        let count = values.iter().filter(|v| !v.name.is_empty()).count();
        if count > 0 {
            found.push(json!({"label": label, "cardinality": count}));
        }
    }
    Ok(Json(json!({"detectedLabels": found})).into_response())
}

/// One field of lines.
#[derive(Default)]
struct Field {
    parsers: BTreeSet<&'static str>,
    values: BTreeMap<String, u64>,
}

impl Field {
    fn kind(&self) -> &'static str {
        let all = |test: fn(&str) -> bool| self.values.keys().all(|v| test(v));
        match () {
            () if all(|v| v.parse::<i64>().is_ok()) => "int",
            () if all(|v| v.parse::<f64>().is_ok()) => "float",
            () if all(|v| matches!(v, "true" | "false")) => "boolean",
            () if all(|v| ph_promql::parse_duration(v).is_some()) => "duration",
            () if all(is_size) => "bytes",
            () => "string",
        }
    }
}

fn is_size(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    unit.len() < text.len()
        && matches!(unit, "B" | "kB" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB")
}

/// Fields of the newest lines: structured metadata, and what JSON or logfmt gives.
async fn found(app: &AppState, ctx: &TenantCtx, form: &Form) -> Result<BTreeMap<String, Field>, Fault> {
    let range = ask::range(app, form)?;
    let logs = ask::logs(form)?;
    let grant = begin((app, ctx), form.one("query").unwrap_or_default(), range).await?;
    let lines = ask::number(form, ("line_limit", LINES, MAX_PAGE))?;
    let pipeline = Pipeline::new(&logs, None)?;
    let parser = |stage| Pipeline::new(&LogExpr { matchers: Vec::new(), stages: vec![stage] }, None);
    let json = parser(Stage::Json(Vec::new()))?;
    let logfmt = parser(Stage::Logfmt { keep_empty: false, fields: Vec::new() })?;
    let mut scan = Scan::new((app, ctx), filter_of(&logs)?, (range, Order::Descending));
    let mut out: BTreeMap<String, Field> = BTreeMap::new();
    for row in scan.page(lines).await?.unwrap_or_default() {
        let is_json = row.message.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
        let (name, parser) = if is_json { ("json", &json) } else { ("logfmt", &logfmt) };
        let mut fields = fields_of(&row);
        let Some(line) = pipeline.line(&mut fields, row.message) else { continue };
        for (label, value) in std::mem::take(&mut fields.metadata) {
            *out.entry(label).or_default().values.entry(value).or_default() += 1;
        }
        fields.parsed.clear();
        // What cannot be read gives no field; a parser has no condition that drops the line.
        let _ = parser.line(&mut fields, line);
        for (label, value) in fields.parsed.into_iter().filter(|(label, _)| !label.starts_with("__")) {
            let field = out.entry(label).or_default();
            field.parsers.insert(name);
            *field.values.entry(value).or_default() += 1;
        }
    }
    finish((app, ctx), &grant, &scan.seen).await?;
    Ok(out)
}

/// `/detected_fields`: fields of the newest lines with type and number of values.
pub async fn fields(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let limit = ask::number(&form, ("limit", FIELDS, FIELDS))?;
    let found = in_turn(found(&app, &ctx, &form)).await?;
    let mut all: Vec<(String, Field)> = found.into_iter().collect();
    all.sort_by_key(|(_, field)| std::cmp::Reverse(field.values.values().sum::<u64>()));
    all.truncate(limit);
    let one = |(label, field): &(String, Field)| {
        let parsers = if field.parsers.is_empty() { Value::Null } else { json!(field.parsers) };
        json!({"label": label, "type": field.kind(), "cardinality": field.values.len(), "parsers": parsers})
    };
    let fields: Vec<Value> = all.iter().map(one).collect();
    Ok(Json(json!({"fields": fields, "limit": limit})).into_response())
}

/// `/detected_field/{name}/values`: values of one field of the newest lines, the most frequent first.
pub async fn field_values(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let limit = ask::number(&form, ("limit", FIELDS, FIELDS))?;
    let found = in_turn(found(&app, &ctx, &form)).await?;
    let mut values: Vec<(String, u64)> =
        found.into_iter().filter(|(label, _)| *label == name).flat_map(|(_, field)| field.values).collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(limit);
    let values: Vec<String> = values.into_iter().map(|(v, _)| v).collect();
    Ok(Json(json!({"values": values, "limit": limit})).into_response())
}

/// `/patterns`: lines alike but for numbers and ids, counted on a grid, the most frequent first.
pub async fn patterns(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let range = ask::range(&app, &form)?;
    let grid = Grid::of(&form, range)?;
    let grant = begin((&app, &ctx), form.one("query").unwrap_or_default(), range).await?;
    let logs = ask::logs(&form)?;
    let counted = in_turn(counted((&app, &ctx), &logs, (range, grid)));
    let (found, seen, full) = counted.await?;
    finish((&app, &ctx), &grant, &seen).await?;
    let mut all: Vec<(String, BTreeMap<i64, u64>)> = found.into_iter().collect();
    all.sort_by_key(|(_, steps)| std::cmp::Reverse(steps.values().sum::<u64>()));
    let mut notes = seen.incomplete;
    if full || all.len() > PATTERNS {
        notes.push(format!("there are more patterns; the {PATTERNS} most frequent are given"));
    }
    all.truncate(PATTERNS);
    let one = |(pattern, steps): &(String, BTreeMap<i64, u64>)| {
        let samples: Vec<Value> = steps.iter().map(|(ms, n)| json!([ms / 1_000, n])).collect();
        json!({"pattern": pattern, "samples": samples})
    };
    Ok(success(all.iter().map(one).collect(), &notes))
}

type Counted = (BTreeMap<String, BTreeMap<i64, u64>>, super::read::Seen, bool);

async fn counted(
    (app, ctx): (&AppState, &TenantCtx),
    logs: &LogExpr,
    (range, grid): (RangeNs, Grid),
) -> Result<Counted, Fault> {
    let mut scan = Scan::new((app, ctx), filter_of(logs)?, (range, Order::Ascending));
    let (mut found, mut full): (BTreeMap<String, BTreeMap<i64, u64>>, bool) = (BTreeMap::new(), false);
    while let Some(rows) = scan.page(MAX_PAGE).await? {
        for row in &rows {
            let pattern = pattern_of(row);
            full |= found.len() >= MOST_PATTERNS && !found.contains_key(&pattern);
            if full && !found.contains_key(&pattern) {
                continue;
            }
            let step = (row.ts / 1_000_000 - grid.start_ms).div_euclid(grid.step_ms);
            *found.entry(pattern).or_default().entry(grid.start_ms + step * grid.step_ms).or_default() += 1;
        }
        scan.within()?;
    }
    Ok((found, scan.seen, full))
}

/// A line with `<_>` for every word that holds a digit, and for several of them in a row.
fn pattern_of(row: &LogRow) -> String {
    let text = String::from_utf8_lossy(&row.message);
    let mut out = String::new();
    for word in text
        .split_inclusive(|c: char| c.is_whitespace() || matches!(c, '=' | ',' | '"' | '[' | ']' | '(' | ')'))
    {
        let body = word.trim_end_matches(|c: char| {
            c.is_whitespace() || matches!(c, '=' | ',' | '"' | '[' | ']' | '(' | ')')
        });
        if body.chars().any(|c| c.is_ascii_digit()) {
            out.push_str("<_>");
            out.push_str(word.get(body.len()..).unwrap_or_default());
        } else {
            out.push_str(word);
        }
    }
    while out.contains("<_> <_>") {
        out = out.replace("<_> <_>", "<_>");
    }
    out
}
