//! `query`, `query_range`, `format_query`, `parse_query`, `query_exemplars`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use ph_access::{Permission, TenantCtx};
use ph_promql::{Answer, Cancel, Params};
use tokio::sync::Semaphore;

use super::envelope::{Fault, Shape, answer, success};
use super::gather::Gather;
use super::names::Spelling;
use super::params::Form;
use crate::app::AppState;

/// Longest evaluation of one query; `timeout` can shorten it.
const MOST_TIME: Duration = Duration::from_secs(120);
const MOST_POINTS: i64 = 11_000;

/// Queries that are fetched and evaluated at one time, each within its own limits; others wait, as long as their time lasts.
static SLOTS: Semaphore = Semaphore::const_new(6);

/// Set when nobody waits for the answer any more.
#[derive(Clone, Default)]
struct Stop(Arc<AtomicBool>);

impl Cancel for Stop {
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stops the evaluation when the request ends first.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// `/query`: the value at one time.
pub async fn instant(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let at_ms = form.time("time")?.unwrap_or_else(|| app.clock.now_ms());
    let found = evaluate(&app, &ctx, &form, Params::instant(at_ms)).await?;
    Ok(answer(found, shape(&form, at_ms)?))
}

/// `/query_range`: values on a grid.
pub async fn range(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let missing = |name: &str| Fault::parameter(name, "cannot parse \"\" to a valid timestamp");
    let start = form.time("start")?.ok_or_else(|| missing("start"))?;
    let end = form.time("end")?.ok_or_else(|| missing("end"))?;
    if end < start {
        return Err(Fault::parameter("end", "end timestamp must not be before start time"));
    }
    let step = form
        .duration("step")?
        .ok_or_else(|| Fault::parameter("step", "cannot parse \"\" to a valid duration"))?;
    if step <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Fault::parameter("step", why));
    }
    if (end - start) / step > MOST_POINTS {
        let fits = (end - start) / MOST_POINTS / 1000 + 1;
        return Err(Fault::bad_data(format!(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step={fits} fits)"
        )));
    }
    let mut params = Params::range(start, end, step);
    params.limits.steps = MOST_POINTS as usize + 1;
    let found = evaluate(&app, &ctx, &form, params).await?;
    Ok(answer(found, shape(&form, end)?))
}

fn shape(form: &Form, at_ms: i64) -> Result<Shape, Fault> {
    Ok(Shape { at_ms, limit: form.limit()?, with_stats: form.one("stats").is_some() })
}

async fn evaluate(app: &AppState, ctx: &TenantCtx, form: &Form, mut params: Params) -> Result<Answer, Fault> {
    if let Some(lookback) = form.duration("lookback_delta")? {
        if lookback <= 0 {
            return Err(Fault::parameter("lookback_delta", "it must be above zero"));
        }
        params.lookback_ms = lookback;
    }
    let most = match form.duration("timeout")? {
        Some(ms) if ms > 0 => MOST_TIME.min(Duration::from_millis(ms.unsigned_abs())),
        _ => MOST_TIME,
    };
    let text = form.one("query").unwrap_or_default().to_owned();
    let stop = Stop::default();
    let _guard = StopOnDrop(stop.clone());
    match tokio::time::timeout(most, answered(app, ctx, (text, params), stop)).await {
        Ok(result) => result,
        Err(_) => Err(Fault::timeout("query timed out in expression evaluation")),
    }
}

async fn answered(
    app: &AppState,
    ctx: &TenantCtx,
    (text, params): (String, Params),
    stop: Stop,
) -> Result<Answer, Fault> {
    let expr = ph_promql::parse(&text).map_err(ph_promql::Error::from)?;
    let selections = ph_promql::selections(&expr, &params)?;
    // Never closed: this cannot fail.
    let _slot = SLOTS.acquire().await;
    let spelling = Spelling::of(&expr);
    let source = Gather { store: &app.telemetry, ctx }.all(selections, &spelling).await?;
    let evaluated =
        tokio::task::spawn_blocking(move || ph_promql::eval(&text, &expr, &params, (&source, &stop)));
    let result = evaluated.await.map_err(|e| {
        tracing::error!(cause = %e, "an evaluation ended without an answer");
        Fault::internal("the server failed; its log has the cause")
    })?;
    Ok(result?)
}

/// `/format_query`: the expression as it is printed.
pub async fn format(ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let expr = ph_promql::parse(form.one("query").unwrap_or_default()).map_err(ph_promql::Error::from)?;
    Ok(success(&serde_json::Value::String(expr.to_string()).to_string(), &[]))
}

/// `/parse_query`: the expression as a tree.
pub async fn parse(ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let expr = ph_promql::parse(form.one("query").unwrap_or_default()).map_err(ph_promql::Error::from)?;
    Ok(success(&ph_promql::syntax_tree(&expr).to_string(), &[]))
}
