//! `labels`, `label/…/values`, `series`, `status/buildinfo`: what there is to select.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ph_access::{Permission, TenantCtx};
use ph_filter::Filter;
use ph_filter::logql::{LABELS, filter_of, matcher_filter, parse_selector};
use ph_model::{RangeNs, Signal};
use ph_store::{FieldsAsk, FieldsPage, MAX_PAGE, Order};
use serde_json::json;

use super::ask;
use super::envelope::{Answer, Fault, success};
use super::read::{Scan, labels_of};
use crate::app::AppState;
use crate::gateway::extract::Path;
use crate::prometheus::Form;

/// Different values of one label that are listed.
const MOST: usize = 10_000;

/// The field that a label's values stand in.
pub fn field_of(label: &str) -> Option<&'static str> {
    LABELS.iter().find(|(name, _)| *name == label).map(|(_, field)| *field)
}

/// Lines that a listing is about.
pub struct Scope {
    pub range: RangeNs,
    pub filter: Filter,
}

impl Scope {
    pub fn of(app: &AppState, form: &Form) -> Result<Self, Fault> {
        let range = ask::range(app, form)?;
        Ok(Self { range, filter: filter_of(&ask::logs_or_all(form)?)? })
    }

    pub async fn fields(
        &self,
        app: &AppState,
        ctx: &TenantCtx,
        field: Option<&str>,
    ) -> Result<FieldsPage, Fault> {
        let ask = FieldsAsk {
            signal: Signal::Logs,
            filter: self.filter.clone(),
            range: self.range,
            field: field.map(str::to_owned),
            limit: MOST,
        };
        Ok(app.telemetry.fields(ctx, ask).await?)
    }
}

/// What a listing leaves out, in words.
pub fn notes(page: &FieldsPage) -> Vec<String> {
    let cut = page.truncated.then(|| format!("there are more than {MOST}; the most frequent are listed"));
    page.incomplete.iter().cloned().chain(cut).collect()
}

/// `/labels`: labels that lines of the range have.
pub async fn labels(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let page = Scope::of(&app, &form)?.fields(&app, &ctx, None).await?;
    let there: BTreeSet<&str> = page.items.iter().map(|i| i.name.as_str()).collect();
    let names: Vec<&str> = LABELS
        .iter()
        .filter(|(name, field)| page.rows > 0 && (*name == "level" || there.contains(field)))
        .map(|(name, _)| *name)
        .collect();
    Ok(success(json!(names), &page.incomplete))
}

/// `/label/{name}/values`.
pub async fn values(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let scope = Scope::of(&app, &form)?;
    let Some(field) = field_of(&name) else { return Ok(success(json!([]), &[])) };
    let page = scope.fields(&app, &ctx, Some(field)).await?;
    let warnings = notes(&page);
    let values: BTreeSet<String> = page.items.into_iter().map(|i| i.name).filter(|v| !v.is_empty()).collect();
    Ok(success(json!(values), &warnings))
}

/// `/series`: label sets of streams.
pub async fn series(State(app): State<AppState>, ctx: TenantCtx, form: Form) -> Answer {
    ctx.require(Permission::LogsRead)?;
    let range = ask::range(&app, &form)?;
    let mut any = Vec::new();
    for name in ["match[]", "match"] {
        for text in form.all(name) {
            let matchers = parse_selector(text).map_err(|e| Fault::syntax(text, &e))?;
            any.push(Filter::And(matchers.iter().map(matcher_filter).collect::<Result<_, _>>()?));
        }
    }
    let filter = if any.is_empty() { Filter::All } else { Filter::Or(any) };
    let mut scan = Scan::new((&app, &ctx), filter, (range, Order::Descending));
    let mut found: BTreeSet<BTreeMap<String, String>> = BTreeSet::new();
    while let Some(rows) = scan.page(MAX_PAGE).await? {
        found.extend(rows.iter().map(labels_of));
        scan.within()?;
    }
    Ok(success(json!(found), &scan.seen.incomplete))
}

/// `/status/buildinfo`: the version of Loki whose API this is, and ours.
pub async fn build(ctx: TenantCtx) -> Result<Response, Fault> {
    ctx.require(Permission::LogsRead)?;
    let own = env!("CARGO_PKG_VERSION");
    Ok(axum::Json(
        json!({"version": "3.5.0", "revision": format!("pilothouse {own}"), "branch": "", "buildUser": "",
        "buildDate": "", "goVersion": ""}),
    )
    .into_response())
}
