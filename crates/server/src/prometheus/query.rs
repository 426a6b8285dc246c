//! `query`, `query_range`, `format_query`, `parse_query`, `query_exemplars`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, header};
use ph_access::{Permission, TenantCtx};
use ph_model::OrgId;
use ph_promql::{Answer, Expr, Params};
use tokio::sync::Semaphore;

use super::envelope::{Fault, Shape, answer, success};
use super::gather::{Gather, Shown};
use super::kept::Kept;
use super::leave::unless_left;
use super::names::Spelling;
use super::params::Form;
use super::ranges;
use super::read::READS;
use super::runs::Runs;
use crate::app::AppState;

/// Longest evaluation of one query; `timeout` can shorten it for the one who asks.
const MOST_TIME: Duration = Duration::from_secs(120);
const MOST_POINTS: i64 = 11_000;
/// Queries that are fetched and evaluated at one time, each within its own limits; others wait, as long as their time lasts.
pub const SLOTS: usize = 6;

/// Queries that wait and run.
pub struct PrometheusRoom {
    pub(super) slots: Arc<Semaphore>,
    /// Remote reads that are put together or sent.
    pub(super) reads: Arc<Semaphore>,
    pub(super) runs: Runs<Question, Result<Arc<Answer>, Fault>>,
    /// Steps of range queries that were worked out.
    pub(super) kept: Kept,
}

impl PrometheusRoom {
    /// `kept_bytes`: how much of range queries may be kept; 0: nothing.
    pub fn new(kept_bytes: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(SLOTS)),
            reads: Arc::new(Semaphore::new(READS)),
            runs: Runs::default(),
            kept: Kept::new(kept_bytes),
        }
    }
}

/// What makes two queries one. Whoever asks may read metrics, and every reader of an organisation sees the same ones.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Question {
    org: OrgId,
    text: String,
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
    lookback_ms: i64,
    work: Work,
}

/// Which steps of a range query are worked out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    All,
    /// Those that are not kept.
    Missing,
}

/// An expression with the text that it was read from.
pub struct Parsed {
    pub text: String,
    pub expr: Expr,
}

/// `/query`: the value at one time.
pub async fn instant(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let at_ms = form.time("time")?.unwrap_or_else(|| app.clock.now_ms());
    let found = evaluate(&app, &ctx, &form, (Params::instant(at_ms), Work::All)).await?;
    Ok(answer(&found, shape(&form, at_ms)?))
}

/// `/query_range`: values on a grid.
pub async fn range(
    State(app): State<AppState>,
    ctx: TenantCtx,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Fault> {
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
    let whole = app.prometheus.kept.is_off() || wants_all(&form, &headers);
    let work = if whole { Work::All } else { Work::Missing };
    let found = evaluate(&app, &ctx, &form, (params, work)).await?;
    Ok(answer(&found, shape(&form, end)?))
}

/// Whether all steps are to be worked out: with `nocache=1`, as VictoriaMetrics has it, and with `Cache-Control: no-store`, as
/// Thanos and Mimir do.
fn wants_all(form: &Form, headers: &HeaderMap) -> bool {
    let told = form.one("nocache").is_some_and(|v| !matches!(v, "0" | "f" | "false" | "no"));
    let mut control = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|v| v.to_str().ok());
    told || control.any(|v| v.split(',').any(|word| word.trim().eq_ignore_ascii_case("no-store")))
}

fn shape(form: &Form, at_ms: i64) -> Result<Shape, Fault> {
    Ok(Shape { at_ms, limit: form.limit()?, with_stats: form.one("stats").is_some() })
}

/// Shares the run of an equal query that is under way. A failure is that of all who share it.
async fn evaluate(
    app: &AppState,
    ctx: &TenantCtx,
    form: &Form,
    (mut params, work): (Params, Work),
) -> Result<Arc<Answer>, Fault> {
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
    let question = Question {
        org: ctx.org(),
        text: text.clone(),
        start_ms: params.start_ms,
        end_ms: params.end_ms,
        step_ms: params.step_ms,
        lookback_ms: params.lookback_ms,
        work,
    };
    let (to, tenant) = (app.clone(), ctx.clone());
    let share = app.prometheus.runs.join(question, || {
        Box::pin(async move {
            let run = answered(&to, &tenant, (text, params), work);
            tokio::time::timeout(MOST_TIME, run).await.unwrap_or_else(|_| Err(timed_out())).map(Arc::new)
        })
    });
    if share.joined {
        let help = "Queries that shared the run of an equal one that was under way.";
        app.watch.counter("pilothouse_prometheus_joined_queries_total", help, "").add(1);
    }
    tokio::time::timeout(most, share.run).await.unwrap_or_else(|_| Err(timed_out()))
}

fn timed_out() -> Fault {
    Fault::timeout("query timed out in expression evaluation")
}

/// Dropped, it ends the fetching and the evaluation.
async fn answered(
    app: &AppState,
    ctx: &TenantCtx,
    (text, params): (String, Params),
    work: Work,
) -> Result<Answer, Fault> {
    let expr = ph_promql::parse(&text).map_err(ph_promql::Error::from)?;
    let query = Arc::new(Parsed { text, expr });
    if work == Work::Missing {
        return ranges::answer(app, ctx, &query, params).await;
    }
    Ok(fresh(app, ctx, &query, params).await?.0)
}

/// Fetches and evaluates, with how what was fetched is shown. Dropped, it ends both.
pub async fn fresh(
    app: &AppState,
    ctx: &TenantCtx,
    query: &Arc<Parsed>,
    params: Params,
) -> Result<(Answer, Shown), Fault> {
    let selections = ph_promql::selections(&query.expr, &params)?;
    // Never closed: this cannot fail.
    let _slot = app.prometheus.slots.acquire().await;
    let spelling = Spelling::of(&query.expr);
    let mut source = Gather::new(&app.telemetry, ctx).all(selections, &spelling).await?;
    let (shown, warnings) = (source.shown.clone(), std::mem::take(&mut source.warnings));
    let query = Arc::clone(query);
    let evaluated =
        unless_left(move |stop| ph_promql::eval(&query.text, &query.expr, &params, (&source, stop))).await;
    let mut answer =
        evaluated.ok_or_else(|| Fault::internal("the server failed; its log has the cause"))??;
    answer.warnings.extend(warnings);
    Ok((answer, shown))
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
