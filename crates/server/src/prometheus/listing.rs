//! `series`, `labels`, `label/…/values`, `metadata`: what there is to query.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::response::Response;
use ph_access::{Permission, TenantCtx};
use ph_model::{Labels, Matcher, RangeMs, SeriesKind};
use ph_store::SeriesAsk;

use super::envelope::{Fault, metric, success};
use super::gather::{Gather, MOST_SERIES};
use super::names::{Selector, Spelling, metric_name, shown_label};
use super::params::Form;
use crate::app::AppState;

/// What is listed when no time is given.
const DEFAULT_RANGE_MS: i64 = 12 * 3_600_000;
/// How far back metadata are looked for.
const METADATA_RANGE_MS: i64 = 3_600_000;
const TRUNCATED: &str = "results truncated due to limit";

struct Asked {
    range: RangeMs,
    selectors: Vec<Vec<Matcher>>,
    limit: usize,
}

impl Asked {
    fn new(app: &AppState, form: &Form) -> Result<Self, Fault> {
        let end = form.time("end")?.unwrap_or_else(|| app.clock.now_ms());
        let start = form.time("start")?.unwrap_or_else(|| end.saturating_sub(DEFAULT_RANGE_MS));
        if end < start {
            return Err(Fault::parameter("end", "end timestamp must not be before start time"));
        }
        let selectors: Result<Vec<_>, Fault> = form
            .all("match[]")
            .map(|text| ph_promql::parse_selector(text).map_err(|e| Fault::parameter("match[]", e)))
            .collect();
        let limit = form.limit()?;
        Ok(Self { range: RangeMs::new(start, end.saturating_add(1)), selectors: selectors?, limit })
    }

    /// Label sets that any of the selectors means, as they are shown.
    async fn series(&self, app: &AppState, ctx: &TenantCtx) -> Result<BTreeSet<Labels>, Fault> {
        let gather = Gather::new(&app.telemetry, ctx);
        let spelling = Spelling::default();
        let mut found = BTreeSet::new();
        for matchers in &self.selectors {
            let selector = Selector::new(matchers).map_err(|e| Fault::parameter("match[]", e))?;
            let Some(pushed) = gather.pushed(matchers, self.range, &selector).await? else { continue };
            let ask = SeriesAsk { matchers: pushed, range: self.range, max_series: MOST_SERIES };
            let mut stream = app.telemetry.select_series(ctx, ask).await?;
            while let Some(batch) = futures::StreamExt::next(&mut stream).await {
                for one in batch? {
                    if selector.accepts(&one.labels, (&one.unit, one.kind)) {
                        found.insert(spelling.labels(&one.labels, (&one.unit, one.kind), selector.as_stored));
                    }
                }
            }
        }
        Ok(found)
    }

    fn cut<T>(&self, mut items: Vec<T>) -> (Vec<T>, Vec<String>) {
        let cut = self.limit > 0 && items.len() > self.limit;
        if cut {
            items.truncate(self.limit);
        }
        (items, cut.then(|| TRUNCATED.to_owned()).into_iter().collect())
    }

    fn texts(&self, items: BTreeSet<String>) -> Response {
        let (items, warnings) = self.cut(items.into_iter().collect());
        success(&serde_json::to_string(&items).unwrap_or_default(), &warnings)
    }
}

/// `/series`: label sets that a selector means.
pub async fn series(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let asked = Asked::new(&app, &form)?;
    if asked.selectors.is_empty() {
        return Err(Fault::bad_data("no match[] parameter provided"));
    }
    let (found, warnings) = asked.cut(asked.series(&app, &ctx).await?.into_iter().collect::<Vec<_>>());
    let mut data = String::from("[");
    for (i, labels) in found.iter().enumerate() {
        if i > 0 {
            data.push(',');
        }
        metric(labels, &mut data);
    }
    data.push(']');
    Ok(success(&data, &warnings))
}

/// `/labels`: names of labels.
pub async fn labels(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let asked = Asked::new(&app, &form)?;
    let names: BTreeSet<String> = if asked.selectors.is_empty() {
        let ask = SeriesAsk { matchers: Vec::new(), range: asked.range, max_series: MOST_SERIES };
        let page = app.telemetry.label_names(&ctx, ask).await?;
        page.values.iter().map(|name| shown_label(name)).collect()
    } else {
        let found = asked.series(&app, &ctx).await?;
        found.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned())).collect()
    };
    Ok(asked.texts(names))
}

/// `/label/{name}/values`; `U__` escapes in the name are read.
pub async fn values(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let name = unescape(&name).ok_or_else(|| Fault::bad_data(format!("invalid label name: {name:?}")))?;
    let asked = Asked::new(&app, &form)?;
    let values: BTreeSet<String> = if !asked.selectors.is_empty() {
        let found = asked.series(&app, &ctx).await?;
        found.iter().filter_map(|labels| labels.value(&name).map(str::to_owned)).collect()
    } else if name == "__name__" {
        let gather = Gather::new(&app.telemetry, &ctx);
        let ask = SeriesAsk { matchers: Vec::new(), range: asked.range, max_series: MOST_SERIES };
        let stored = app.telemetry.label_values(&ctx, "__name__", ask).await?.values;
        shown_names(&gather, stored, asked.range).await?
    } else {
        stored_values(&app, &ctx, (&name, asked.range)).await?
    };
    Ok(asked.texts(values))
}

/// Names as they are shown: those with dots need their unit and kind, which their series tell.
async fn shown_names(
    gather: &Gather<'_>,
    stored: Vec<String>,
    range: RangeMs,
) -> Result<BTreeSet<String>, Fault> {
    if !stored.iter().any(|name| name.contains('.')) {
        return Ok(stored.into_iter().collect());
    }
    let end = range.to;
    let recent = RangeMs::new(range.from.max(end.saturating_sub(METADATA_RANGE_MS)), end);
    let kinds = gather.kinds(recent, MOST_SERIES).await?;
    let shown = |name: String| match kinds.get(&name) {
        Some((unit, kind)) => metric_name(&name, unit, *kind),
        None => super::names::plain(&name),
    };
    Ok(stored.into_iter().map(shown).collect())
}

/// Values of a label under every stored name that is shown so.
async fn stored_values(
    app: &AppState,
    ctx: &TenantCtx,
    (name, range): (&str, RangeMs),
) -> Result<BTreeSet<String>, Fault> {
    let ask = || SeriesAsk { matchers: Vec::new(), range, max_series: MOST_SERIES };
    let names = app.telemetry.label_names(ctx, ask()).await?.values;
    let mut out = BTreeSet::new();
    for stored in names {
        let meant = stored == name || shown_label(&stored) == name || super::names::plain(&stored) == name;
        if meant {
            out.extend(app.telemetry.label_values(ctx, &stored, ask()).await?.values);
        }
    }
    Ok(out)
}

/// `U__k8s_2e_pod` is `k8s.pod`: `_` and hexadecimal digits and `_` stand for a character, `__` for `_`.
fn unescape(name: &str) -> Option<String> {
    let Some(escaped) = name.strip_prefix("U__") else { return (!name.is_empty()).then(|| name.to_owned()) };
    let mut out = String::new();
    let mut rest = escaped;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        if c != '_' {
            out.push(c);
            continue;
        }
        let (code, more) = rest.split_once('_')?;
        rest = more;
        out.push(if code.is_empty() { '_' } else { char::from_u32(u32::from_str_radix(code, 16).ok()?)? });
    }
    (!out.is_empty()).then_some(out)
}

/// `/metadata`: kind and unit by metric, of the last hour.
pub async fn metadata(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Result<Response, Fault> {
    ctx.require(Permission::MetricsRead)?;
    let limit = match form.limit()? {
        0 => usize::MAX,
        limit => limit,
    };
    let now = app.clock.now_ms();
    let kinds = Gather::new(&app.telemetry, &ctx)
        .kinds(RangeMs::new(now - METADATA_RANGE_MS, now + 1), MOST_SERIES)
        .await?;
    let mut out: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    for (stored, (unit, kind)) in kinds {
        let name = metric_name(&stored, &unit, kind);
        if form.one("metric").is_some_and(|wanted| wanted != name && wanted != stored) || out.len() >= limit {
            continue;
        }
        let word = match kind {
            SeriesKind::Counter => "counter",
            SeriesKind::Gauge | SeriesKind::UpDown => "gauge",
            _ => "unknown",
        };
        let help = if stored == name { String::new() } else { format!("OpenTelemetry metric {stored}") };
        out.insert(name, serde_json::json!([{"type": word, "help": help, "unit": unit}]));
    }
    Ok(success(&serde_json::to_string(&out).unwrap_or_default(), &[]))
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escaped_names_are_read() {
        assert_eq!(unescape("job").as_deref(), Some("job"));
        assert_eq!(unescape("U__k8s_2e_pod_2e_name").as_deref(), Some("k8s.pod.name"));
        assert_eq!(unescape("U__a__b").as_deref(), Some("a_b"));
        assert_eq!(unescape("U__a_zz_"), None);
        assert_eq!(unescape("U__"), None);
    }
}
