//! `query_exemplars`: exemplars of the series that an expression selects.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use ph_access::{Permission, TenantCtx};
use ph_model::{Labels, RangeMs, SeriesKind};
use ph_promql::Params;
use ph_store::{Exemplar, ExemplarsAsk};
use serde_json::{Map, Value, json};

use super::envelope::{Fault, success};
use super::gather::Gather;
use super::names::{Selector, Spelling};
use super::params::Form;
use crate::app::AppState;

/// Exemplars of one answer; of more the newest are given.
const MOST: usize = 10_000;
/// What is looked for when no time is given.
const DEFAULT_RANGE_MS: i64 = 3_600_000;

/// `/query_exemplars`.
pub async fn query(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let end = form.time("end")?.unwrap_or_else(|| app.clock.now_ms());
    let start = form.time("start")?.unwrap_or_else(|| end.saturating_sub(DEFAULT_RANGE_MS));
    if end < start {
        return Err(Fault::parameter("end", "end timestamp must not be before start time"));
    }
    let range = RangeMs::new(start, end.saturating_add(1));
    let text = form.one("query").unwrap_or_default();
    let expr = ph_promql::parse(text).map_err(ph_promql::Error::from)?;
    let gather = Gather::new(&app.telemetry, &ctx);
    let (mut selectors, mut asked) = (Vec::new(), Vec::new());
    for selection in ph_promql::selections(&expr, &Params::instant(end))? {
        let selector = Selector::new(&selection.matchers).map_err(|e| Fault::parameter("query", e))?;
        if let Some(pushed) = gather.pushed(&selection.matchers, range, &selector).await? {
            selectors.push(selector);
            asked.push(pushed);
        }
    }
    if asked.is_empty() {
        return Ok(success("[]", &[]));
    }
    let page = app.telemetry.exemplars(&ctx, ExemplarsAsk { selectors: asked, range, limit: MOST }).await?;
    let mut kinds: BTreeMap<String, (String, SeriesKind)> = BTreeMap::new();
    let mut out = Vec::new();
    for one in page.series {
        let name = one.series.metric().to_owned();
        if !kinds.contains_key(&name) {
            let facts =
                app.telemetry.metadata(&ctx, Some(&name)).await?.into_iter().next().unwrap_or_default();
            kinds.insert(name.clone(), (facts.unit, facts.kind));
        }
        let Some((unit, kind)) = kinds.get(&name) else { continue };
        let Some(selector) = selectors.iter().find(|s| s.accepts(&one.series, (unit, *kind))) else {
            continue;
        };
        let shown = Spelling::default().labels(&one.series, (unit, *kind), selector.as_stored);
        let exemplars: Vec<Value> = one.exemplars.into_iter().map(exemplar).collect();
        out.push(json!({"seriesLabels": object(&shown), "exemplars": exemplars}));
    }
    let mut notes = page.incomplete;
    if page.truncated {
        notes.push(format!("there are more than {MOST} exemplars; the newest are given"));
    }
    Ok(success(&Value::Array(out).to_string(), &notes))
}

fn object(labels: &Labels) -> Map<String, Value> {
    labels.iter().map(|(n, v)| (n.to_owned(), v.into())).collect()
}

fn exemplar(of: Exemplar) -> Value {
    let mut labels = object(&of.labels);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    labels.extend(of.trace_id.map(|id| ("trace_id".to_owned(), hex(&id).into())));
    labels.extend(of.span_id.map(|id| ("span_id".to_owned(), hex(&id).into())));
    let at = of.ts.div_euclid(1_000_000) as f64 / 1000.0;
    json!({"labels": labels, "value": ph_promql::sample_text(of.value), "timestamp": at})
}
