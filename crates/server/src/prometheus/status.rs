//! What Prometheus tells about itself, told of this server: facts of our own, no secrets.

use axum::extract::State;
use axum::response::Response;
use ph_access::{Permission, TenantCtx};
use serde_json::{Value, json};

use super::envelope::{Fault, success};
use crate::app::AppState;

/// The version of Prometheus whose query language and API these are. Clients choose their features by it.
const LANGUAGE_VERSION: &str = "3.15.0";

fn told(ctx: &TenantCtx, data: &Value) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    Ok(success(&data.to_string(), &[]))
}

pub async fn build(ctx: TenantCtx) -> Result<Response, Fault> {
    let own = format!("pilothouse {}", env!("CARGO_PKG_VERSION"));
    let data = json!({
        "version": LANGUAGE_VERSION, "revision": own, "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
        "application": "Pilothouse",
    });
    told(&ctx, &data)
}

pub async fn runtime(State(app): State<AppState>, ctx: TenantCtx) -> Result<Response, Fault> {
    let stats = app.telemetry.stats(&ctx).await?;
    let data = json!({
        "serverTime": jiff::Timestamp::from_millisecond(app.clock.now_ms()).unwrap_or_default().to_string(),
        "storageRetention": "",
        "timeSeriesCount": stats.active_series,
        "reloadConfigSuccess": true,
    });
    told(&ctx, &data)
}

pub async fn flags(ctx: TenantCtx) -> Result<Response, Fault> {
    let data = json!({
        "query.lookback-delta": "5m",
        "query.timeout": "2m",
        "enable-feature": "promql-experimental-functions,promql-binop-fill-modifiers,promql-extended-range-selectors",
    });
    told(&ctx, &data)
}

pub async fn config(ctx: TenantCtx) -> Result<Response, Fault> {
    told(&ctx, &json!({"yaml": "global:\n  evaluation_interval: 1m\n"}))
}

pub async fn tsdb(State(app): State<AppState>, ctx: TenantCtx) -> Result<Response, Fault> {
    let stats = app.telemetry.stats(&ctx).await?;
    let data = json!({
        "headStats": {"numSeries": stats.active_series, "numLabelPairs": 0, "chunkCount": 0, "minTime": stats.oldest_ms[0], "maxTime": app.clock.now_ms()},
        "seriesCountByMetricName": [], "labelValueCountByLabelName": [], "memoryInBytesByLabelName": [],
        "seriesCountByLabelValuePair": [],
    });
    told(&ctx, &data)
}

pub async fn rules(ctx: TenantCtx) -> Result<Response, Fault> {
    told(&ctx, &json!({"groups": []}))
}

pub async fn alerts(ctx: TenantCtx) -> Result<Response, Fault> {
    told(&ctx, &json!({"alerts": []}))
}

pub async fn targets(ctx: TenantCtx) -> Result<Response, Fault> {
    told(&ctx, &json!({"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}}))
}

pub async fn alertmanagers(ctx: TenantCtx) -> Result<Response, Fault> {
    told(&ctx, &json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}))
}
