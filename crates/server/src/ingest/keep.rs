//! The way of decoded telemetry into the store.
//!
//! Out:    what was not stored, by reason. All else is durable.

use ph_model::{BatchId, ErrorKind, ExemplarRow, LogRow, Series, Signal, SpanRow};
use ph_receive::{Export, Refusal, Sink, Taken};
use ph_store::{Appended, Batch, Rows};

use super::intake::Counted;
use super::metrics::Decoded;
use super::quota::Taking;
use super::sender::{Sender, refusal};
use super::{Refused, logs, metrics, red, traces};
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Events among logs have numbers of their own.
const EVENTS_OF_LOGS: u64 = 0x6576_656e_7473_0000;

/// Stores what one sender brings.
pub struct Keep<'a> {
    pub app: &'a AppState,
    pub sender: Sender,
    pub now_ms: i64,
}

impl Sink for Keep<'_> {
    async fn take(&self, export: Export) -> Result<Taken, Refusal> {
        let now_ns = self.now_ms.saturating_mul(1_000_000);
        let stamp = &self.sender.stamp;
        match export {
            Export::Metrics(request) => {
                let (org, deltas) = (self.sender.ctx.org(), &*self.app.ingest.deltas);
                let summing = metrics::Summing { deltas, org, now_ms: self.now_ms };
                let Decoded { series, exemplars, refused } = metrics::decode(request, stamp, summing);
                match self.series(series, refused).await {
                    Ok(taken) => self.exemplars(exemplars).await.map(|_| taken),
                    Err(problem) => Err(problem),
                }
            }
            Export::Logs(request) => self.logs(logs::decode(request, stamp, now_ns)).await,
            Export::Traces(request) => {
                let (rows, refused) = traces::decode(request, stamp, now_ns);
                self.spans(rows, refused).await
            }
        }
        .map_err(refusal)
    }
}

impl Keep<'_> {
    /// Stores series; also of protocols that are not OTLP.
    pub async fn series(&self, series: Vec<Series>, refused: Vec<Refused>) -> Result<Taken, Problem> {
        let done = self.series_done(series, &refused).await?;
        Ok(told(&done, &refused))
    }

    /// The same with the store's own answer.
    pub async fn series_done(&self, series: Vec<Series>, refused: &[Refused]) -> Result<Appended, Problem> {
        let counted = Counted {
            samples: series.iter().map(|s| s.samples.len() as u64).sum(),
            newest_sample_ms: series.iter().filter_map(|s| s.samples.last()).map(|s| s.at_ms).max(),
            ..Counted::default()
        };
        self.within_quota(Taking { samples: counted.samples, ..Taking::default() })?;
        let done = self.append(self.sender.id, Rows::Metrics(series)).await?;
        self.counted(&done, counted);
        self.count(Signal::Metrics, &done, refused);
        Ok(done)
    }

    /// Stores exemplars of series; how many.
    pub async fn exemplars(&self, rows: Vec<ExemplarRow>) -> Result<u64, Problem> {
        if rows.is_empty() {
            return Ok(0);
        }
        let done = self.append(self.sender.id, Rows::Exemplars(rows)).await?;
        self.count(Signal::Exemplars, &done, &[]);
        Ok(done.accepted)
    }

    async fn logs(
        &self,
        (rows, events, refused): (Vec<LogRow>, Vec<ph_model::EventRow>, Vec<Refused>),
    ) -> Result<Taken, Problem> {
        let counted = Counted {
            log_rows: rows.len() as u64,
            newest_line_ms: rows.iter().map(|r| r.ts / 1_000_000).max(),
            ..Counted::default()
        };
        let log_bytes = rows.iter().map(|r| r.message.len() as u64).sum();
        self.within_quota(Taking { log_bytes, ..Taking::default() })?;
        let mut done = Appended::default();
        if !events.is_empty() {
            let id = self.sender.id.map(|id| BatchId { source: id.source ^ EVENTS_OF_LOGS, ..id });
            if let (Some(cluster), true) = (self.sender.cluster, self.sender.is_agent()) {
                self.app.inventories.explain(cluster, &events);
            }
            done = self.append(id, Rows::Events(events)).await?;
        }
        if !rows.is_empty() {
            let stored = self.append(self.sender.id, Rows::Logs(rows)).await?;
            self.counted(&stored, counted);
            done.accepted += stored.accepted;
            done.rejected.extend(stored.rejected);
        }
        self.count(Signal::Logs, &done, &refused);
        Ok(told(&done, &refused))
    }

    /// Stores spans; also of protocols that are not OTLP.
    pub async fn spans(&self, rows: Vec<SpanRow>, refused: Vec<Refused>) -> Result<Taken, Problem> {
        self.within_quota(Taking { spans: rows.len() as u64, ..Taking::default() })?;
        let sum = red::Sum::of(&rows);
        let done = self.append(self.sender.id, Rows::Spans(rows)).await?;
        if !done.repeated {
            self.app.ingest.red.add(self.sender.ctx.org(), sum, self.now_ms);
        }
        self.count(Signal::Spans, &done, &refused);
        Ok(told(&done, &refused))
    }

    /// Agents are bounded by what their machines do; what keys bring is anybody's.
    fn within_quota(&self, taking: Taking) -> Result<(), Problem> {
        if self.sender.is_agent() {
            return Ok(());
        }
        self.app.ingest.quota.take(self.sender.ctx.org(), taking, self.now_ms).map_err(|(what, wait)| {
            Problem::new(
                ErrorKind::Exhausted,
                format!("the organisation's keys bring more than {what}; send later, or less"),
            )
            .retry_after_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        })
    }

    async fn append(&self, id: Option<BatchId>, rows: Rows) -> Result<Appended, Problem> {
        Ok(self.app.telemetry.append(&self.sender.ctx, Batch { id, rows }).await?)
    }

    fn counted(&self, done: &Appended, counted: Counted) {
        if let (Some(cluster), false) = (self.sender.cluster, done.repeated) {
            self.app.intake.add((self.sender.ctx.org(), cluster), self.now_ms, counted);
        }
    }

    fn count(&self, signal: Signal, done: &Appended, refused: &[Refused]) {
        let by = if self.sender.is_agent() { "agent" } else { "key" };
        let rejected: u64 =
            done.rejected.iter().map(|r| r.count).chain(refused.iter().map(|r| r.count)).sum();
        for (outcome, n) in [("accepted", done.accepted), ("rejected", rejected)] {
            let labels = format!("signal=\"{}\",by=\"{by}\",outcome=\"{outcome}\"", signal.as_str());
            let help =
                "Samples, log records, events and spans that came, by who sent them and what became of them.";
            self.app.watch.counter("pilothouse_ingest_items_total", help, &labels).add(n);
        }
        let stored = done.rejected.iter().map(|r| (r.reason, r.count));
        for (reason, n) in stored.chain(refused.iter().map(|r| (r.reason, r.count))) {
            let labels = format!("signal=\"{}\",reason=\"{reason}\"", signal.as_str());
            let help = "Samples, log records, events and spans that were not stored, by the reason that senders are told.";
            self.app.watch.counter("pilothouse_ingest_refused_total", help, &labels).add(n);
        }
    }
}

/// How many were not stored, and why, in one line.
pub fn told(done: &Appended, refused: &[Refused]) -> Taken {
    let all = done
        .rejected
        .iter()
        .map(|r| (r.reason, r.count, &r.example))
        .chain(refused.iter().map(|r| (r.reason, r.count, &r.example)));
    let mut taken = Taken::default();
    let mut parts = Vec::new();
    for (reason, count, example) in all {
        taken.rejected += count;
        parts.push(format!("{reason}: {count} (for example {example})"));
    }
    taken.reason = parts.join("; ");
    taken
}
