//! Reading charts: select, evaluate on the grid, fold by the labels that a chart shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_api::{Chart, ChartSeries};
use ph_model::{Matcher, RangeMs, SeriesKind};
use ph_store::{SeriesAsk, SeriesSamples, Store};
use ph_tsdb::{Grid, RangeFn, rate_at};

use super::charts::{ChartSpec, Shown};

/// How far back a value counts as current.
pub const LOOKBACK_MS: i64 = 5 * 60_000;
/// Series of one object and chart; more are refused, not cut.
const MAX_SERIES: usize = 5_000;

/// One chart and the newest sample that went into it.
pub async fn chart(
    store: &Arc<dyn Store>,
    ctx: &TenantCtx,
    (spec, matchers): (ChartSpec, &[Matcher]),
    grid: Grid,
) -> Result<(Chart, Option<i64>), ph_store::Error> {
    let range_ms = range_of(grid);
    let series = select(
        store,
        ctx,
        (spec, matchers),
        RangeMs::new(grid.start_ms - range_ms.max(LOOKBACK_MS), grid.end_ms + 1),
    )
    .await?;
    let newest = series.iter().filter_map(|s| s.samples.last()).map(|s| s.at_ms).max();
    let lines =
        tokio::task::spawn_blocking(move || fold(&series, spec, range_ms, grid)).await.map_err(|e| {
            ph_store::Error::new(ph_model::ErrorKind::Internal, format!("evaluating {}: {e}", spec.metric))
        })?;
    let shown = match spec.shown {
        Shown::Value => "value",
        Shown::Rate => "rate",
    };
    let chart = Chart {
        metric: spec.metric.to_owned(),
        title: spec.title.to_owned(),
        unit: spec.unit.to_owned(),
        shown: shown.to_owned(),
        series: lines,
        lines: Vec::new(),
    };
    Ok((chart, newest))
}

async fn select(
    store: &Arc<dyn Store>,
    ctx: &TenantCtx,
    (spec, matchers): (ChartSpec, &[Matcher]),
    range: RangeMs,
) -> Result<Vec<SeriesSamples>, ph_store::Error> {
    let mut all = vec![Matcher::equal("__name__", spec.metric)];
    all.extend_from_slice(matchers);
    let mut stream =
        store.select_series(ctx, SeriesAsk { matchers: all, range, max_series: MAX_SERIES }).await?;
    let mut out = Vec::new();
    while let Some(batch) = stream.next().await {
        out.extend(batch?);
    }
    Ok(out)
}

/// A rate looks at four steps, at least a minute: a missed reading leaves no hole.
fn range_of(grid: Grid) -> i64 {
    (4 * grid.step_ms).clamp(60_000, 15 * 60_000)
}

fn fold(series: &[SeriesSamples], spec: ChartSpec, range_ms: i64, grid: Grid) -> Vec<ChartSeries> {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<Option<f64>>> = BTreeMap::new();
    for s in series {
        let points = match spec.shown {
            // A counter that an UpDown sum was declared as is still shown as it is.
            Shown::Rate if s.kind != SeriesKind::Gauge => rate_at(&s.samples, RangeFn::Rate, range_ms, grid),
            _ => rate_at(&s.samples, RangeFn::Last, LOOKBACK_MS.min(range_ms), grid),
        };
        let key =
            spec.by.iter().filter_map(|l| Some(((*l).to_owned(), s.labels.value(l)?.to_owned()))).collect();
        let sum = groups.entry(key).or_insert_with(|| vec![None; grid.steps()]);
        for (total, point) in sum.iter_mut().zip(points) {
            *total = match (*total, point) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
        }
    }
    groups.into_iter().map(|(labels, points)| ChartSeries { labels, points }).collect()
}
