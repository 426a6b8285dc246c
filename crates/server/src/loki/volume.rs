//! `index/stats`, `index/volume`, `index/volume_range`: how much there is.

use std::collections::BTreeMap;

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_filter::logql::filter_of;
use ph_model::{LogRow, RangeNs, Signal};
use ph_store::{CountAsk, MAX_PAGE, Order};
use serde_json::{Value, json};

use super::ask::{self, Grid};
use super::envelope::{Answer, Fault, success};
use super::lines::in_turn;
use super::listing::Scope;
use super::read::{Scan, labels_of};
use crate::app::AppState;
use crate::prometheus::Form;

/// Lines that are measured for `index/stats`; of more, their bytes are scaled by the exact count.
const MEASURED: u64 = 100_000;
const LIMIT: usize = 100;

/// `/index/stats`: streams, lines and bytes. Lines are exact; bytes and streams are those of the newest 100,000 lines, bytes
/// scaled to all.
pub async fn stats(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let Scope { range, filter } = Scope::of(&app, &form)?;
    let count = CountAsk {
        signal: Signal::Logs,
        filter: filter.clone(),
        range,
        step_ns: (range.to.saturating_sub(range.from)).max(1),
        by: None,
    };
    let entries: u64 = app.telemetry.count(&ctx, count).await?.iter().map(|b| b.count).sum();
    let mut scan = Scan::new((&app, &ctx), filter, (range, Order::Descending));
    let (mut bytes, mut streams) = (0_u64, std::collections::BTreeSet::new());
    while scan.seen.rows < MEASURED {
        let Some(rows) = scan.page(MAX_PAGE).await? else { break };
        bytes += rows.iter().map(|r| r.message.len() as u64).sum::<u64>();
        streams.extend(rows.iter().map(LogRow::stream));
    }
    let measured = scan.seen.rows;
    if measured > 0 && scan.next().is_some() {
        bytes =
            (u128::from(bytes) * u128::from(entries) / u128::from(measured)).try_into().unwrap_or(u64::MAX);
    }
    let chunks = app.telemetry.stats(&ctx).await?.parts;
    let body = json!({"streams": streams.len(), "chunks": chunks, "bytes": bytes, "entries": entries});
    Ok(axum::response::IntoResponse::into_response(axum::Json(body)))
}

type Set = BTreeMap<String, String>;

/// Which labels a volume is told by.
struct By {
    labels: Vec<String>,
    /// Each label apart, instead of their sets.
    apart: bool,
}

impl By {
    fn sets(&self, row: &LogRow) -> Vec<Set> {
        let mut labels = labels_of(row);
        labels.retain(|name, _| self.labels.contains(name));
        if self.apart {
            labels.into_keys().map(|name| [(name, String::new())].into()).collect()
        } else {
            vec![labels]
        }
    }
}

/// Bytes by label set and step.
async fn measured(
    (app, ctx): (&AppState, &TenantCtx),
    form: &Form,
    (range, step_ns): (RangeNs, i64),
) -> Result<(Vec<(Set, BTreeMap<i64, u64>)>, Vec<String>), Fault> {
    let logs = ask::logs(form)?;
    let named = form.one("targetLabels").map(|t| t.split(',').map(str::to_owned).collect::<Vec<_>>());
    let apart = match form.one("aggregateBy") {
        None | Some("series") => false,
        Some("labels") => true,
        Some(other) => {
            return Err(Fault::bad(format!("parameter aggregateBy: {other:?} is neither series nor labels")));
        }
    };
    let labels = named.unwrap_or_else(|| logs.matchers.iter().map(|m| m.name.clone()).collect());
    let by = By { labels, apart };
    let mut scan = Scan::new((app, ctx), filter_of(&logs)?, (range, Order::Ascending));
    let mut found: BTreeMap<Set, BTreeMap<i64, u64>> = BTreeMap::new();
    while let Some(rows) = scan.page(MAX_PAGE).await? {
        for row in &rows {
            let step = (row.ts - range.from).div_euclid(step_ns);
            for set in by.sets(row) {
                *found.entry(set).or_default().entry(step).or_default() += row.message.len() as u64;
            }
        }
        scan.within()?;
    }
    let limit = ask::number(form, ("limit", LIMIT, 5_000))?;
    let mut out: Vec<_> = found.into_iter().collect();
    out.sort_by_key(|(_, steps)| std::cmp::Reverse(steps.values().sum::<u64>()));
    let mut notes = scan.seen.incomplete;
    if out.len() > limit {
        notes.push(format!("{} series, of which the {limit} largest are given", out.len()));
        out.truncate(limit);
    }
    Ok((out, notes))
}

/// `/index/volume`: bytes of lines by labels, largest first.
pub async fn volume(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let range = ask::range(&app, &form)?;
    let whole = range.to.saturating_sub(range.from).max(1);
    let (found, notes) = in_turn(measured((&app, &ctx), &form, (range, whole))).await?;
    let at = range.to / 1_000_000_000;
    let one = |(set, steps): &(Set, BTreeMap<i64, u64>)| json!({"metric": set, "value": [at, steps.values().sum::<u64>().to_string()]});
    let result: Vec<Value> = found.iter().map(one).collect();
    Ok(success(json!({"resultType": "vector", "result": result}), &notes))
}

/// `/index/volume_range`: the same on a grid; each value counts the step that begins at its time.
pub async fn volume_range(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let range = ask::range(&app, &form)?;
    let step_ns = Grid::of(&form, range)?.step_ms.saturating_mul(1_000_000);
    let (found, notes) = in_turn(measured((&app, &ctx), &form, (range, step_ns))).await?;
    let one = |(set, steps): &(Set, BTreeMap<i64, u64>)| {
        let at = |step: i64| (range.from + step * step_ns) as f64 / 1e9;
        let values: Vec<Value> =
            steps.iter().map(|(step, bytes)| json!([at(*step), bytes.to_string()])).collect();
        json!({"metric": set, "values": values})
    };
    let result: Vec<Value> = found.iter().map(one).collect();
    Ok(success(json!({"resultType": "matrix", "result": result}), &notes))
}
