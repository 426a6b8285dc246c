//! The store's contract: a dozen operations that every backend answers alike.
//!
//! Times: metrics ms, rows ns, UTC; ranges half-open. Every call takes a [`TenantCtx`] and sees that organisation alone.

mod deletion;
mod exemplars;
mod facts;
mod kept;
mod rolled;
mod spanset;
mod standing;
mod traces;

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use ph_access::{Grant, TelemetryErase, TenantCtx};
use ph_filter::Filter;
use ph_model::{
    BatchId, ErrorKind, EventRow, ExemplarRow, Labels, LogRow, Matcher, RangeMs, RangeNs, Sample, Series,
    SeriesKind, Signal, SpanRow,
};

pub use deletion::{DeleteAsk, Deletion};
pub use exemplars::{Exemplar, ExemplarPage, ExemplarsAsk, SeriesExemplars};
pub use facts::{FieldCount, FieldsAsk, FieldsPage, MetricFacts};
pub use kept::{Keep, Kept};
pub use rolled::{MetricsKept, RolledAsk, RolledKept, RolledSeries};
pub use spanset::{Comparison, Measure, ROOT_NAME, ROOT_SERVICE, SpanSet, TRACE_DURATION};
pub use standing::Standing;
pub use traces::{
    Dependency, DependencyKind, DependencyPage, Operation, SelectedSpan, Service, ServicePage, ServiceSpans,
    Trace, TracePage, TraceSummary, TracesAsk,
};

/// Why an operation failed. The text names the thing, the cause and the next step.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    pub kind: ErrorKind,
    pub text: String,
    /// When trying again may help.
    pub retry_after_ms: Option<u64>,
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), retry_after_ms: None, cause: None }
    }

    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Rows of one signal.
#[derive(Clone, Debug)]
pub enum Rows {
    Metrics(Vec<Series>),
    Logs(Vec<LogRow>),
    Spans(Vec<SpanRow>),
    Events(Vec<EventRow>),
    Exemplars(Vec<ExemplarRow>),
}

impl Rows {
    pub fn signal(&self) -> Signal {
        match self {
            Rows::Metrics(_) => Signal::Metrics,
            Rows::Logs(_) => Signal::Logs,
            Rows::Spans(_) => Signal::Spans,
            Rows::Events(_) => Signal::Events,
            Rows::Exemplars(_) => Signal::Exemplars,
        }
    }
}

/// What is appended in one piece. With an `id`, a repeat is acknowledged and not stored again.
///
/// Metrics and rows count their batches apart: the exemplars of a batch of metrics may have its id.
#[derive(Clone, Debug)]
pub struct Batch {
    pub id: Option<BatchId>,
    pub rows: Rows,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Stable: `duplicate_timestamp`, `too_old`, `too_far_in_future`, `invalid_labels`, `series_limit` …
    pub reason: &'static str,
    pub count: u64,
    /// One refused label set or row, in words.
    pub example: String,
}

/// The answer to an append: durable when it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    pub accepted: u64,
    pub rejected: Vec<Rejection>,
    pub lsn: u64,
    /// The batch had been stored before; nothing was stored now.
    pub repeated: bool,
}

#[derive(Clone, Debug)]
pub struct SeriesAsk {
    pub matchers: Vec<Matcher>,
    pub range: RangeMs,
    /// `select_series`: `Exhausted` above this many series. Listings: cut after this many items, and say so.
    pub max_series: usize,
}

/// One series: strictly ascending time, merged over head and parts, no duplicates, clipped to the range.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSamples {
    pub labels: Labels,
    pub kind: SeriesKind,
    pub unit: String,
    /// Kind or unit were not the same throughout the range; those that were known first stand here.
    pub disputed: bool,
    pub samples: Vec<Sample>,
}

/// Sorted, unique; `truncated` instead of a silent cut.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelPage {
    pub values: Vec<String>,
    pub truncated: bool,
}

/// Names of labels and of metrics, see [`Store::known_names`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownNames {
    pub labels: LabelPage,
    pub metrics: LabelPage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

#[derive(Clone, Debug)]
pub struct SearchAsk {
    pub signal: Signal,
    /// Fields are columns (`namespace`, `pod`, `stream`, `object_uid`, `duration_ns` …), then attributes, resource
    /// attributes and fields of the message; `attr.`, `resource.` and `body.` choose one of these. An empty column
    /// counts as absent.
    pub filter: Filter,
    pub range: RangeNs,
    pub order: Order,
    /// 1 to 10,000.
    pub limit: usize,
    /// From an earlier [`SearchPage::next`] of the same ask.
    pub cursor: Option<String>,
    /// After so long a page ends with what it has, and says how far it came; a little is looked at in any case.
    pub within: Option<Duration>,
}

#[derive(Clone, Debug)]
pub enum SearchRows {
    Logs(Vec<LogRow>),
    Spans(Vec<SpanRow>),
    Events(Vec<EventRow>),
}

/// One page, ordered by `(ts, stream, lsn, row)`.
#[derive(Clone, Debug)]
pub struct SearchPage {
    pub rows: SearchRows,
    /// The next page's cursor; later pages show what had arrived at the first one. A follower may go on from it as well.
    pub next: Option<String>,
    /// From here a follower gives exactly what this search, read to its end, does not: what arrives after its first page.
    pub tail: String,
    /// It ended because its time was up. Descending: rows from this time on were all looked at; ascending: all before it; ns UTC.
    pub reached: Option<i64>,
    pub scanned_rows: u64,
    pub scanned_bytes: u64,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct CountAsk {
    pub signal: Signal,
    pub filter: Filter,
    pub range: RangeNs,
    /// Width of a bucket; buckets are aligned to multiples of it.
    pub step_ns: i64,
    /// Field to group by; `None`: one group `""`.
    pub by: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    pub start_ns: i64,
    pub group: String,
    pub count: u64,
}

/// What to follow.
#[derive(Clone, Debug)]
pub struct TailAsk {
    pub signal: Signal,
    pub filter: Filter,
    pub from: TailFrom,
}

/// Where a follower begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TailFrom {
    Now,
    /// From [`SearchPage::tail`], [`SearchPage::next`] or an earlier follower with the same signal and filter, also of
    /// the server before its restart. Nothing in between is lost, and nothing comes twice.
    Cursor(String),
}

/// Rows that arrive.
pub struct Tail {
    /// Where it begins.
    pub cursor: String,
    /// Ends with an error as its last item, or when the store shuts down.
    pub events: BoxStream<'static, Result<TailEvent, Error>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    pub dropped: u64,
    /// Behind what was dropped; a follower from the cursor before it gets what was dropped from the store.
    pub cursor: String,
}

#[derive(Clone, Debug)]
pub enum TailEvent {
    /// In the order of arrival.
    Rows {
        rows: SearchRows,
        /// To go on behind them.
        cursor: String,
        /// What could not be read, in words.
        incomplete: Vec<String>,
    },
    /// The reader was too slow: the oldest rows were dropped.
    Gap(Gap),
}

/// What an organisation holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    pub active_series: u64,
    pub parts: u64,
    /// Rows (samples for metrics) by signal, in the order of [`Signal::ALL`].
    pub rows: [u64; 5],
    pub bytes: [u64; 5],
    /// ms UTC of the oldest row by signal.
    pub oldest_ms: [Option<i64>; 5],
    /// What was refused since the start, by reason.
    pub refused: Vec<Rejection>,
}

/// Every backend's operations. Dropping a stream or future cancels its work.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Durable when it returns; all or nothing but for the listed rejections.
    async fn append(&self, ctx: &TenantCtx, batch: Batch) -> Result<Appended, Error>;

    /// Batches of series, ascending by label set. What is damaged is left out and told by an error as the last item.
    async fn select_series(
        &self,
        ctx: &TenantCtx,
        ask: SeriesAsk,
    ) -> Result<BoxStream<'static, Result<Vec<SeriesSamples>, Error>>, Error>;

    /// The same with the newest sample of each series in the range alone: what a question about one moment looks at.
    async fn select_newest(
        &self,
        ctx: &TenantCtx,
        ask: SeriesAsk,
    ) -> Result<BoxStream<'static, Result<Vec<SeriesSamples>, Error>>, Error> {
        let newest = |mut one: SeriesSamples| {
            one.samples = one.samples.last().copied().into_iter().collect();
            one
        };
        let all = self.select_series(ctx, ask).await?;
        Ok(all.map_ok(move |batch| batch.into_iter().map(newest).collect()).boxed())
    }

    /// Whether samples of a range are as they were when [`Standing::changes`] was `since`. What is worked out from
    /// settled samples after this was asked stays true until a later answer says that they were touched.
    async fn standing(&self, ctx: &TenantCtx, range: RangeMs, since: u64) -> Result<Standing, Error>;

    /// Series as windows of samples, ascending by label set: stored ones where samples are gone, the same of samples
    /// where they are not. Errors: `Invalid` for another resolution than those that are kept, `Exhausted` at a limit; what
    /// is damaged is an error, for windows are exact or absent.
    async fn select_rolled(&self, ctx: &TenantCtx, ask: RolledAsk) -> Result<Vec<RolledSeries>, Error>;

    /// How far back samples and roll-ups reach.
    async fn metrics_kept(&self, ctx: &TenantCtx) -> Result<MetricsKept, Error>;

    /// Label sets with a sample in the range, ascending; where samples are gone, those of the day's roll-ups.
    async fn series(&self, ctx: &TenantCtx, ask: SeriesAsk) -> Result<(Vec<Labels>, bool), Error>;

    async fn label_names(&self, ctx: &TenantCtx, ask: SeriesAsk) -> Result<LabelPage, Error>;

    async fn label_values(&self, ctx: &TenantCtx, name: &str, ask: SeriesAsk) -> Result<LabelPage, Error>;

    /// Names of all labels and metrics that have a sample in the range, and of some that were stored about that time;
    /// at most `most` of each. For what is worked out before a question, where a look at each series costs too much.
    async fn known_names(&self, ctx: &TenantCtx, range: RangeMs, most: usize) -> Result<KnownNames, Error>;

    /// Exemplars of the series that any of the selectors matches: series ascending by label set, exemplars by time;
    /// equal ones once. Errors: `Invalid` for a matcher that does not compile.
    async fn exemplars(&self, ctx: &TenantCtx, ask: ExemplarsAsk) -> Result<ExemplarPage, Error>;

    async fn search(&self, ctx: &TenantCtx, ask: SearchAsk) -> Result<SearchPage, Error>;

    async fn count(&self, ctx: &TenantCtx, ask: CountAsk) -> Result<Vec<Bucket>, Error>;

    /// Rows as they become durable, in the order of arrival, from now or from a cursor on. What had arrived since the
    /// cursor is read from the store at the reader's own pace; of what comes then a ring holds at most 8 MiB, and loses
    /// the oldest to a slow reader, with their number. Errors: `Invalid` for a cursor that nobody gave, `Gone` for one
    /// that lies ahead of what is stored.
    async fn tail(&self, ctx: &TenantCtx, ask: TailAsk) -> Result<Tail, Error>;

    /// All spans of a trace. With a hint only spans from 5 minutes before it to 5 minutes after it are looked for,
    /// without one all that are kept.
    async fn trace(&self, ctx: &TenantCtx, trace_id: [u8; 16], hint: Option<RangeNs>)
    -> Result<Trace, Error>;

    /// Summaries of traces that have a span which passes; that with the newest such span first.
    async fn search_traces(&self, ctx: &TenantCtx, ask: TracesAsk) -> Result<TracePage, Error>;

    /// Services and their operations, of spans that started in the range.
    async fn services(&self, ctx: &TenantCtx, range: RangeNs) -> Result<ServicePage, Error>;

    /// Which service called which, counted over child spans that started in the range.
    async fn dependencies(&self, ctx: &TenantCtx, range: RangeNs) -> Result<DependencyPage, Error>;

    /// Field names, or values of one field, with the number of rows.
    async fn fields(&self, ctx: &TenantCtx, ask: FieldsAsk) -> Result<FieldsPage, Error>;

    /// Metrics with kind, unit and description, ascending by name; of one metric when a name is given.
    async fn metadata(&self, ctx: &TenantCtx, name: Option<&str>) -> Result<Vec<MetricFacts>, Error>;

    /// Keeps help, OpenTelemetry name, kind and unit of metrics; what is empty or unknown leaves what was known.
    /// Durable when it returns. Errors: `Exhausted` above 100,000 described metrics of an organisation.
    async fn describe(&self, ctx: &TenantCtx, metrics: Vec<MetricFacts>) -> Result<(), Error>;

    /// Deletes rows or samples: gone from every answer when it returns, late ones in the range as well, and from the
    /// disk within a day. Errors: `Denied` for a right that is another's or has lapsed, `Exhausted` for too many.
    async fn delete(
        &self,
        ctx: &TenantCtx,
        grant: Grant<TelemetryErase>,
        ask: DeleteAsk,
    ) -> Result<Deletion, Error>;

    /// Deletions in force, oldest first. They end when nothing of what they cover can come any more.
    async fn deletions(&self, ctx: &TenantCtx) -> Result<Vec<Deletion>, Error>;

    /// How long telemetry is kept.
    async fn kept(&self, ctx: &TenantCtx) -> Result<Kept, Error>;

    /// Changes how long telemetry is kept: durable when it returns, and what is older is in no answer from then on; it
    /// leaves the disk within a day. A longer time does not bring back what left. Errors: `Invalid` for less than a
    /// day, for a rule about metrics, for one whose filter does not compile, and for more than 100 rules.
    async fn keep(&self, ctx: &TenantCtx, keep: Keep) -> Result<(), Error>;

    async fn stats(&self, ctx: &TenantCtx) -> Result<Stats, Error>;
}
