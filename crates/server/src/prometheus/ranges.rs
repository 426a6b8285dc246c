//! Range queries of which closed steps were worked out before: only the others are worked out.
//!
//! Steps are closed when all samples that they look at are settled; they are kept when nothing was to be noted about
//! them, and used until a late sample, a deletion or the retention touches what they looked at.
//! Never:  an answer that differs from that of working out all steps; in doubt all are.

use std::sync::Arc;

use ph_access::TenantCtx;
use ph_model::RangeMs;
use ph_promql::{Answer, Expr, Params, Stats, Value};
use ph_store::Standing;

use super::envelope::Fault;
use super::gather::Shown;
use super::kept::{Extent, Key, Known, Steps, joined};
use super::query::{Parsed, fresh};
use crate::app::AppState;

/// Steps of one question that are kept.
const MOST_STEPS: i64 = 11_001;

/// What the kept steps were good for.
#[derive(Clone, Copy)]
enum Use {
    All,
    Some,
    None,
    /// They could not be asked: the query's steps depend on each other, or it looks behind the retention.
    Passed,
}

/// A range query whose steps can be worked out apart.
struct Apart<'a> {
    app: &'a AppState,
    ctx: &'a TenantCtx,
    query: &'a Arc<Parsed>,
    params: &'a Params,
    steps: Steps,
    key: Key,
    apart: ph_promql::Apart,
}

/// Answers a range query as [`fresh`] does.
pub async fn answer(
    app: &AppState,
    ctx: &TenantCtx,
    query: &Arc<Parsed>,
    params: Params,
) -> Result<Answer, Fault> {
    let (answer, used) = match Apart::of((app, ctx), query, &params)? {
        Some(apart) => apart.answer().await?,
        None => (fresh(app, ctx, query, params).await?.0, Use::Passed),
    };
    let result = match used {
        Use::All => "result=\"hit\"",
        Use::Some => "result=\"part\"",
        Use::None => "result=\"miss\"",
        Use::Passed => "result=\"passed\"",
    };
    let help = "Range queries, by what was kept of their steps: all, some, none; or passed, which are worked out whole.";
    app.watch.counter("pilothouse_prometheus_range_cache_queries_total", help, result).add(1);
    let help = "Steps of range queries that are kept, in bytes.";
    let bytes = app.prometheus.kept.bytes() as u64;
    app.watch.gauge("pilothouse_prometheus_range_cache_bytes", help, "").set(bytes);
    Ok(answer)
}

impl<'a> Apart<'a> {
    /// `None` when steps cannot be worked out apart, or when there is nothing to look at. Errors: as the query's own.
    fn of(
        (app, ctx): (&'a AppState, &'a TenantCtx),
        query: &'a Arc<Parsed>,
        params: &'a Params,
    ) -> Result<Option<Self>, Fault> {
        let (first_ms, step_ms) = (params.start_ms, params.step_ms);
        let apart = ph_promql::steps_apart(&query.expr);
        if step_ms <= 0 || params.end_ms < first_ms || apart == ph_promql::Apart::Never {
            return Ok(None);
        }
        let last_ms = first_ms + (params.end_ms - first_ms) / step_ms * step_ms;
        let steps = Steps { first_ms, last_ms, step_ms };
        let key = Key {
            expression: query.expr.to_string(),
            step_ms,
            phase_ms: first_ms.rem_euclid(step_ms),
            lookback_ms: params.lookback_ms,
        };
        let apart = Self { app, ctx, query, params, steps, key, apart };
        Ok(apart.looks_at(steps)?.is_some().then_some(apart))
    }

    /// Times of all samples that some steps look at; `None` without a selector.
    fn looks_at(&self, steps: Steps) -> Result<Option<RangeMs>, Fault> {
        looks_at(&self.query.expr, &self.of_steps(steps))
    }

    fn of_steps(&self, steps: Steps) -> Params {
        Params { start_ms: steps.first_ms, end_ms: steps.last_ms, ..self.params.clone() }
    }

    async fn fresh(&self, steps: Steps) -> Result<(Answer, Shown), Fault> {
        fresh(self.app, self.ctx, self.query, self.of_steps(steps)).await
    }

    async fn answer(&self) -> Result<(Answer, Use), Fault> {
        let org = self.ctx.org();
        let known = self.app.prometheus.kept.find(org, &self.key);
        let Some(whole) = self.looks_at(self.steps)? else {
            return Ok((self.fresh(self.steps).await?.0, Use::Passed));
        };
        let (range, since) = match &known {
            Some(known) => (self.looks_at(known.extent.steps)?.unwrap_or(whole), known.changes),
            None => (whole, u64::MAX),
        };
        // Before any sample is read: what changes from now on is told the next time.
        let standing = self.app.telemetry.standing(self.ctx, range, since).await?;
        if whole.from < standing.settled.from {
            return Ok((self.fresh(self.steps).await?.0, Use::Passed));
        }
        let known = known.and_then(|known| self.untouched(&known.extent, standing.touched));
        let usable = known.as_deref().and_then(|known| known.within(self.steps));
        let completed = match usable {
            Some(usable) => self.completed(usable).await,
            None => {
                let (answer, shown) = self.fresh(self.steps).await?;
                self.keep((&answer, shown), known, &standing);
                return Ok((answer, Use::None));
            }
        };
        let Some((answer, shown, used)) = completed else {
            let (answer, shown) = self.fresh(self.steps).await?;
            self.keep((&answer, shown), None, &standing);
            return Ok((answer, Use::None));
        };
        match (used, known) {
            (Use::All, Some(known)) => self.put(Some(known), &standing),
            (_, known) => self.keep((&answer, shown), known, &standing),
        }
        Ok((answer, used))
    }

    /// What is left of an extent when samples in a range are not what they were: the steps before, or those behind.
    fn untouched(&self, extent: &Arc<Extent>, touched: Option<RangeMs>) -> Option<Arc<Extent>> {
        let Some(touched) = touched else { return Some(Arc::clone(extent)) };
        let steps = extent.steps;
        let reaches = |n: i64| self.ends(steps.first(n)).is_none_or(|last_ms| last_ms >= touched.from);
        let before = first_where(steps.count(), |n| reaches(n + 1));
        let begins = |n: i64| self.begins(steps.without_first(n));
        let behind = first_where(steps.count(), |n| begins(n).is_some_and(|first_ms| first_ms >= touched.to));
        let left =
            if before >= steps.count() - behind { steps.first(before) } else { steps.without_first(behind) };
        extent.within(left?).map(Arc::new)
    }

    /// The last time that some steps look at; `None` without any, or when it cannot be said.
    fn ends(&self, steps: Option<Steps>) -> Option<i64> {
        self.looks_at(steps?).ok().flatten().map(|range| range.to.saturating_sub(1))
    }

    fn begins(&self, steps: Option<Steps>) -> Option<i64> {
        self.looks_at(steps?).ok().flatten().map(|range| range.from)
    }

    /// The answer from kept steps and those around them. `None` when only all steps together give the right one.
    async fn completed(&self, usable: Extent) -> Option<(Answer, Shown, Use)> {
        let (before, behind) = (self.steps.before(usable.steps), self.steps.behind(usable.steps));
        let used = if before.is_none() && behind.is_none() { Use::All } else { Use::Some };
        let kept_steps = usize::try_from(usable.steps.count()).unwrap_or(0);
        let mut whole = Answer {
            value: Value::Matrix(Vec::new()),
            warnings: Vec::new(),
            infos: Vec::new(),
            by_order: false,
            stats: Stats { kept_steps, ..Stats::default() },
        };
        let Extent { mut lines, mut shown, .. } = usable;
        for (steps, earlier) in [(before, true), (behind, false)] {
            let Some(steps) = steps else { continue };
            // Of a fault the whole tells.
            let (part, of_part) = self.fresh(steps).await.ok()?;
            let depends = self.depends_on_order(&part);
            let Value::Matrix(more) = part.value else { return None };
            let noted = |warnings: &[String], infos: &[String]| !warnings.is_empty() || !infos.is_empty();
            if depends || !shown.agrees(&of_part) {
                return None;
            }
            if noted(&part.warnings, &part.infos) {
                // Notes of two parts may be one note of the whole.
                if noted(&whole.warnings, &whole.infos) {
                    return None;
                }
                (whole.warnings, whole.infos) = (part.warnings, part.infos);
            }
            lines = if earlier { joined(more, lines) } else { joined(lines, more) };
            shown = shown.with(of_part);
            whole.stats.samples += part.stats.samples;
            whole.stats.series = whole.stats.series.max(part.stats.series);
            whole.stats.peak_bytes = whole.stats.peak_bytes.max(part.stats.peak_bytes);
        }
        whole.value = Value::Matrix(lines);
        Some((whole, shown, used))
    }

    /// Whether other steps beside them could have changed these.
    fn depends_on_order(&self, answer: &Answer) -> bool {
        self.apart != ph_promql::Apart::Always && answer.by_order
    }

    /// Keeps the closed steps of an answer, with those of `known` on both sides of them.
    fn keep(&self, (answer, shown): (&Answer, Shown), known: Option<Arc<Extent>>, standing: &Standing) {
        let open =
            |n: i64| self.ends(self.steps.first(n + 1)).is_none_or(|last_ms| last_ms >= standing.settled.to);
        let closed = self.steps.first(first_where(self.steps.count(), open));
        let quiet = answer.warnings.is_empty() && answer.infos.is_empty();
        let new = match closed {
            Some(closed) if quiet && shown.is_steady() && !self.depends_on_order(answer) => {
                Extent::of(&answer.value, closed, shown)
            }
            _ => None,
        };
        let extent = match (new, known) {
            (Some(new), Some(known)) => Some(Arc::new(surrounded(new, &known))),
            (Some(new), None) => Some(Arc::new(new)),
            (None, known) => known,
        };
        self.put(extent, standing);
    }

    fn put(&self, extent: Option<Arc<Extent>>, standing: &Standing) {
        let (kept, org, key) = (&self.app.prometheus.kept, self.ctx.org(), self.key.clone());
        match extent {
            Some(extent) => kept.put(org, key, Known { extent, changes: standing.changes }),
            None => kept.forget(org, &key),
        }
    }
}

/// With what another extent holds on both sides, each at most as long as itself: windows that move need no more.
fn surrounded(new: Extent, known: &Extent) -> Extent {
    let room = |all: &Extent| all.steps.count().min(MOST_STEPS - all.steps.count());
    let mut all = new;
    let earlier = known.steps.before(all.steps).and_then(|steps| steps.last(room(&all)));
    if let Some(earlier) = earlier.and_then(|steps| known.within(steps))
        && let Some(both) = earlier.followed_by(all.clone())
    {
        all = both;
    }
    let later = known.steps.behind(all.steps).and_then(|steps| steps.first(room(&all)));
    if let Some(later) = later.and_then(|steps| known.within(steps))
        && let Some(both) = all.clone().followed_by(later)
    {
        all = both;
    }
    all
}

fn looks_at(expr: &Expr, params: &Params) -> Result<Option<RangeMs>, Fault> {
    let selections = ph_promql::selections(expr, params)?;
    let ranges = selections.iter().map(|s| RangeMs::new(s.from_ms, s.to_ms.saturating_add(1)));
    Ok(ranges.reduce(|a, b| RangeMs::new(a.from.min(b.from), a.to.max(b.to))))
}

/// The first of `n` for which it holds, when it holds for all behind that; `n` when for none.
fn first_where(n: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
