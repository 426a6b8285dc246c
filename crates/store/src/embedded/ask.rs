//! Trait `Store` on the embedded store.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use ph_access::{Grant, TelemetryErase, TenantCtx};
use ph_model::{ErrorKind, Labels, RangeMs, RangeNs, Signal};
use ph_tsdb::Pick;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Embedded;
use super::start::run;
use crate::changes::SETTLES_MS;
use crate::contract::{
    Appended, Batch, Bucket, CountAsk, DeleteAsk, Deletion, DependencyPage, Error, ExemplarPage,
    ExemplarsAsk, FieldsAsk, FieldsPage, Keep, Kept, KnownNames, LabelPage, MetricFacts, MetricsKept,
    RolledAsk, RolledSeries, SearchAsk, SearchPage, SeriesAsk, SeriesSamples, ServicePage, Standing, Stats,
    Store, Tail, TailAsk, Trace, TracePage, TracesAsk,
};
use crate::flush::keep::cutoff_ms;
use crate::scan::{Budget, Leave};
use crate::series::Listed;
use crate::shard::shard_of;
use crate::snapshot::Table;
use crate::{count, exemplars, facts, fields, known, rolled, scan, search, series, tail, traces, turns};

/// Batches of series that may wait for the reader.
const AHEAD: usize = 2;

impl Embedded {
    fn visible_ms(&self, ctx: &TenantCtx, range: RangeMs) -> RangeMs {
        RangeMs::new(range.from.max(cutoff_ms(&self.shared, ctx.org(), Signal::Metrics)), range.to)
    }

    fn listed(&self, ctx: &TenantCtx, ask: SeriesAsk) -> Listed {
        Listed { ask, visible_from: cutoff_ms(&self.shared, ctx.org(), Signal::Metrics) }
    }

    fn visible_ns(&self, ctx: &TenantCtx, signal: Signal, range: RangeNs) -> RangeNs {
        let first = cutoff_ms(&self.shared, ctx.org(), signal).saturating_mul(1_000_000);
        RangeNs::new(range.from.max(first), range.to)
    }
}

impl Embedded {
    /// Series, in batches that the reader takes when it likes.
    async fn selected(
        &self,
        ctx: &TenantCtx,
        mut ask: SeriesAsk,
        pick: Pick,
    ) -> Result<BoxStream<'static, Result<Vec<SeriesSamples>, Error>>, Error> {
        ask.range = self.visible_ms(ctx, ask.range);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        let (sender, receiver) = mpsc::channel(AHEAD);
        // A reader that goes away ends the work at its next series.
        let leave = Leave::default();
        let waiting = leave.unless_waited_for();
        let turn = self.turns.wait().await;
        let work = tokio::task::spawn_blocking(move || {
            let _until_the_end = turn.begin();
            let asked = series::Asked { org, ask: &ask, pick, leave: &leave };
            let give = |item| match sender.try_send(item) {
                Err(TrySendError::Full(item)) => turns::aside(|| sender.blocking_send(item).is_ok()),
                given => given.is_ok(),
            };
            let result = series::select(&shared, asked, &mut |batch| give(Ok(batch)));
            if let Err(error) = result {
                give(Err(error));
            }
        });
        Ok(stream::unfold((receiver, work, waiting), |(mut receiver, work, waiting)| async move {
            receiver.recv().await.map(|item| (item, (receiver, work, waiting)))
        })
        .boxed())
    }

    /// Answers from the spans of one snapshot.
    async fn on_spans<T: Send + 'static>(
        &self,
        ctx: &TenantCtx,
        answer: impl FnOnce(Option<&Table>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        self.turns
            .run(move || {
                let snapshot = shared.snapshots.load();
                answer(snapshot.table(org, Signal::Spans).map(Arc::as_ref))
            })
            .await?
    }
}

fn rows_only(signal: Signal) -> Result<(), Error> {
    if matches!(signal, Signal::Metrics | Signal::Exemplars) {
        let what = "metrics are not searched as rows; ask for series, or for their exemplars, instead";
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    Ok(())
}

#[async_trait::async_trait]
impl Store for Embedded {
    async fn append(&self, ctx: &TenantCtx, batch: Batch) -> Result<Appended, Error> {
        self.take(ctx, batch).await
    }

    async fn select_series(
        &self,
        ctx: &TenantCtx,
        ask: SeriesAsk,
    ) -> Result<BoxStream<'static, Result<Vec<SeriesSamples>, Error>>, Error> {
        self.selected(ctx, ask, Pick::All).await
    }

    async fn select_newest(
        &self,
        ctx: &TenantCtx,
        ask: SeriesAsk,
    ) -> Result<BoxStream<'static, Result<Vec<SeriesSamples>, Error>>, Error> {
        self.selected(ctx, ask, Pick::Newest).await
    }

    async fn standing(&self, ctx: &TenantCtx, range: RangeMs, since: u64) -> Result<Standing, Error> {
        let org = ctx.org();
        let last_ms = (self.shared.clock)().saturating_sub(SETTLES_MS);
        // Where samples are gone roll-ups may answer, and then for all steps of a query.
        let kept = cutoff_ms(&self.shared, org, Signal::Metrics)
            .max(rolled::kept(&self.shared, org).samples_from_ms);
        let settled = RangeMs::new(kept, last_ms.saturating_add(1));
        Ok(self.shared.changes.standing(org, (range, since), settled))
    }

    async fn select_rolled(&self, ctx: &TenantCtx, ask: RolledAsk) -> Result<Vec<RolledSeries>, Error> {
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        let leave = Leave::default();
        let _waiting = leave.unless_waited_for();
        self.turns.run(move || rolled::select(&shared, (org, &leave), &ask)).await?
    }

    async fn metrics_kept(&self, ctx: &TenantCtx) -> Result<MetricsKept, Error> {
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        run(move || rolled::kept(&shared, org)).await
    }

    async fn series(&self, ctx: &TenantCtx, ask: SeriesAsk) -> Result<(Vec<Labels>, bool), Error> {
        let listed = self.listed(ctx, ask);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        self.turns.run(move || series::series(&shared, org, &listed)).await?
    }

    async fn label_names(&self, ctx: &TenantCtx, ask: SeriesAsk) -> Result<LabelPage, Error> {
        let listed = self.listed(ctx, ask);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        self.turns.run(move || series::label_names(&shared, org, &listed)).await?
    }

    async fn label_values(&self, ctx: &TenantCtx, name: &str, ask: SeriesAsk) -> Result<LabelPage, Error> {
        let listed = self.listed(ctx, ask);
        let (shared, org, name) = (Arc::clone(&self.shared), ctx.org(), name.to_owned());
        self.turns.run(move || series::label_values(&shared, org, &name, &listed)).await?
    }

    async fn known_names(&self, ctx: &TenantCtx, range: RangeMs, most: usize) -> Result<KnownNames, Error> {
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        run(move || known::names(&shared, org, range, most)).await?
    }

    async fn exemplars(&self, ctx: &TenantCtx, ask: ExemplarsAsk) -> Result<ExemplarPage, Error> {
        let ns = |ms: i64| ms.saturating_mul(1_000_000);
        let range = RangeNs::new(ns(ask.range.from), ns(ask.range.to));
        let range = self.visible_ns(ctx, Signal::Exemplars, range);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        self.turns
            .run(move || {
                let snapshot = shared.snapshots.load();
                exemplars::exemplars(snapshot.table(org, Signal::Exemplars).map(Arc::as_ref), &ask, range)
            })
            .await?
    }

    async fn search(&self, ctx: &TenantCtx, mut ask: SearchAsk) -> Result<SearchPage, Error> {
        rows_only(ask.signal)?;
        ask.range = self.visible_ns(ctx, ask.signal, ask.range);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        let leave = Leave::default();
        let _waiting = leave.unless_waited_for();
        self.turns
            .run(move || {
                // First how far rows are visible, then the rows: what comes in between is for a follower.
                let reached = shared.tails.reached(shard_of(org, shared.config.shards.unwrap_or(1)));
                let snapshot = shared.snapshots.load();
                let budget = Budget { leave, ..shared.settings(org).limits.budget() };
                let table = snapshot.table(org, ask.signal).map(Arc::as_ref);
                let page = search::search(table, &ask, (budget, reached))?;
                if let Some(first) = page.incomplete.first() {
                    shared.meter.failed(first.clone());
                }
                Ok(page)
            })
            .await?
    }

    async fn count(&self, ctx: &TenantCtx, mut ask: CountAsk) -> Result<Vec<Bucket>, Error> {
        rows_only(ask.signal)?;
        ask.range = self.visible_ns(ctx, ask.signal, ask.range);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        let leave = Leave::default();
        let _waiting = leave.unless_waited_for();
        self.turns
            .run(move || {
                let snapshot = shared.snapshots.load();
                let table = snapshot.table(org, ask.signal).map(Arc::as_ref);
                let budget = Budget { leave, ..shared.settings(org).limits.budget() };
                let (buckets, scanned) = count::count(table, &ask, budget)?;
                scan::complete(&shared.meter, &scanned)?;
                Ok(buckets)
            })
            .await?
    }

    async fn tail(&self, ctx: &TenantCtx, ask: TailAsk) -> Result<Tail, Error> {
        rows_only(ask.signal)?;
        tail::follow(&self.shared, ctx.org(), ask, self.stop.clone())
    }

    async fn trace(
        &self,
        ctx: &TenantCtx,
        trace_id: [u8; 16],
        hint: Option<RangeNs>,
    ) -> Result<Trace, Error> {
        let range = self.visible_ns(ctx, Signal::Spans, hint.map_or(RangeNs::ALL, traces::around));
        let now_ns = (self.shared.clock)().saturating_mul(1_000_000);
        self.on_spans(ctx, move |table| Ok(traces::trace(table, trace_id, range, now_ns))).await
    }

    async fn search_traces(&self, ctx: &TenantCtx, mut ask: TracesAsk) -> Result<TracePage, Error> {
        ask.range = self.visible_ns(ctx, Signal::Spans, ask.range);
        self.on_spans(ctx, move |table| traces::search(table, &ask)).await
    }

    async fn services(&self, ctx: &TenantCtx, range: RangeNs) -> Result<ServicePage, Error> {
        let range = self.visible_ns(ctx, Signal::Spans, range);
        self.on_spans(ctx, move |table| Ok(traces::services(table, range))).await
    }

    async fn dependencies(&self, ctx: &TenantCtx, range: RangeNs) -> Result<DependencyPage, Error> {
        let range = self.visible_ns(ctx, Signal::Spans, range);
        self.on_spans(ctx, move |table| Ok(traces::dependencies(table, range))).await
    }

    async fn fields(&self, ctx: &TenantCtx, mut ask: FieldsAsk) -> Result<FieldsPage, Error> {
        rows_only(ask.signal)?;
        ask.range = self.visible_ns(ctx, ask.signal, ask.range);
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        self.turns
            .run(move || {
                let snapshot = shared.snapshots.load();
                fields::fields(snapshot.table(org, ask.signal).map(Arc::as_ref), &ask)
            })
            .await?
    }

    async fn metadata(&self, ctx: &TenantCtx, name: Option<&str>) -> Result<Vec<MetricFacts>, Error> {
        let described = self.catalogue.described(ctx.org(), name).await?;
        let (shared, org, name) = (Arc::clone(&self.shared), ctx.org(), name.map(str::to_owned));
        let range = self.visible_ms(ctx, RangeMs::ALL);
        run(move || facts::metadata(&shared, org, described, (name.as_deref(), range))).await?
    }

    async fn describe(&self, ctx: &TenantCtx, metrics: Vec<MetricFacts>) -> Result<(), Error> {
        if metrics.is_empty() {
            return Ok(());
        }
        self.catalogue.describe(ctx.org(), &metrics).await
    }

    async fn delete(
        &self,
        ctx: &TenantCtx,
        grant: Grant<TelemetryErase>,
        ask: DeleteAsk,
    ) -> Result<Deletion, Error> {
        self.delete_with(ctx, grant, ask).await
    }

    async fn deletions(&self, ctx: &TenantCtx) -> Result<Vec<Deletion>, Error> {
        self.catalogue.deletions_of(ctx.org()).await
    }

    async fn kept(&self, ctx: &TenantCtx) -> Result<Kept, Error> {
        Ok(self.kept_of(ctx.org()))
    }

    async fn keep(&self, ctx: &TenantCtx, keep: Keep) -> Result<(), Error> {
        self.keep_of(ctx.org(), keep).await
    }

    async fn stats(&self, ctx: &TenantCtx) -> Result<Stats, Error> {
        let (shared, org) = (Arc::clone(&self.shared), ctx.org());
        run(move || crate::stats::stats(&shared, org)).await
    }
}
