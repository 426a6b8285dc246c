//! Rate, errors and durations of spans as series, counted as they come in, before anything could leave some of them out.
//!
//! In:     spans that were stored.
//! Out:    every 15 s `pilothouse.span.calls` and the classic histogram `pilothouse_span_duration_seconds` by cluster,
//!         namespace, service, name, kind and status.
//! Never:  more than [`MOST`] series of calls in one organisation: spans of further names count as name `other`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ph_access::TenantCtx;
use ph_model::{OrgId, Sample, Series, SeriesKind, SpanKind, SpanRow, SpanStatus};
use ph_store::{Batch, Rows};

use super::classic;
use crate::app::AppState;

/// Label sets of one organisation; each is 15 series.
const MOST: usize = 2_000;
const EVERY: Duration = Duration::from_secs(15);
/// Upper bounds of buckets, in ms.
const BOUNDS_MS: [u64; 12] = [2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    cluster: String,
    namespace: String,
    service: String,
    name: String,
    kind: SpanKind,
    status: SpanStatus,
}

#[derive(Clone, Debug)]
struct Calls {
    /// Since when they are counted, ms UTC.
    since_ms: i64,
    count: u64,
    seconds: f64,
    /// At most each of the bounds, each bucket alone.
    buckets: [u64; BOUNDS_MS.len()],
    told: bool,
}

/// Counts of all organisations. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Red(Arc<Mutex<HashMap<OrgId, HashMap<Key, Calls>>>>);

/// Spans of one request, summed up.
pub struct Sum(Vec<(Key, u64)>);

impl Sum {
    pub fn of(rows: &[SpanRow]) -> Self {
        let one = |row: &SpanRow| {
            let key = Key {
                cluster: row.cluster.clone(),
                namespace: row.namespace.clone(),
                service: row.service.clone(),
                name: row.name.clone(),
                kind: row.kind,
                status: row.status,
            };
            (key, row.duration_ns)
        };
        Self(rows.iter().map(one).collect())
    }
}

impl Red {
    pub fn add(&self, org: OrgId, sum: Sum, now_ms: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(org).or_default();
        for (mut key, duration_ns) in sum.0 {
            if known.len() >= MOST && !known.contains_key(&key) {
                // Whatever the names are: a service has few kinds and states.
                key.name = "other".to_owned();
                if known.len() >= 2 * MOST && !known.contains_key(&key) {
                    key = Key { service: "other".to_owned(), namespace: String::new(), ..key };
                }
            }
            let calls = known.entry(key).or_insert_with(|| Calls {
                since_ms: now_ms,
                count: 0,
                seconds: 0.0,
                buckets: [0; BOUNDS_MS.len()],
                told: false,
            });
            calls.count += 1;
            calls.seconds += duration_ns as f64 / 1e9;
            let at = BOUNDS_MS.iter().position(|ms| duration_ns <= ms * 1_000_000);
            if let Some(bucket) = at.and_then(|at| calls.buckets.get_mut(at)) {
                *bucket += 1;
            }
        }
    }

    /// Series of an organisation as of now. What is told first is told as 0 before, so that its first calls count.
    fn series(&self, org: OrgId, now_ms: i64) -> Vec<Series> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        for (key, calls) in all.get_mut(&org).into_iter().flatten() {
            // A series that stands still is told too: it is there, and its rate is 0.
            let first = !std::mem::replace(&mut calls.told, true);
            let zero_ms = (first && calls.since_ms < now_ms).then_some(calls.since_ms - 1);
            series_of(key, calls, (zero_ms, now_ms), &mut out);
        }
        out
    }

    fn orgs(&self) -> Vec<OrgId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Writes what was counted, until the server stops; then once more.
    pub async fn run(self, app: AppState) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            let last = tokio::select! {
                () = app.stop.cancelled() => true,
                _ = tick.tick() => false,
            };
            self.write(&app).await;
            if last {
                return;
            }
        }
    }

    pub(super) async fn write(&self, app: &AppState) {
        let now_ms = app.clock.now_ms();
        for org in self.orgs() {
            let ctx = TenantCtx::system(org, "span-series");
            let rows = Rows::Metrics(self.series(org, now_ms));
            if let Err(e) = app.telemetry.append(&ctx, Batch { id: None, rows }).await {
                // Counters go on: the next sample holds what this one would have.
                tracing::warn!(%org, error = %e, "write series of spans");
            }
        }
    }
}

fn series_of(key: &Key, calls: &Calls, (zero_ms, now_ms): (Option<i64>, i64), out: &mut Vec<Series>) {
    let mut push = |name: &str, le: Option<String>, value: f64| {
        let pairs = [
            ("__name__", name),
            ("k8s.cluster.name", &key.cluster),
            ("k8s.namespace.name", &key.namespace),
            ("service.name", &key.service),
            ("name", &key.name),
            ("kind", key.kind.as_str()),
            ("status", key.status.as_str()),
        ];
        let pairs =
            pairs.into_iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n.to_owned(), v.to_owned()));
        let zero = zero_ms.map(|at_ms| Sample { at_ms, value: 0.0 });
        out.push(Series {
            labels: pairs.chain(le.map(|le| ("le".to_owned(), le))).collect(),
            kind: SeriesKind::Counter,
            unit: String::new(),
            start_ms: Some(calls.since_ms),
            samples: zero.into_iter().chain([Sample { at_ms: now_ms, value }]).collect(),
        });
    };
    push("pilothouse.span.calls", None, calls.count as f64);
    push("pilothouse_span_duration_seconds_count", None, calls.count as f64);
    push("pilothouse_span_duration_seconds_sum", None, calls.seconds);
    let mut below = 0;
    for (ms, count) in BOUNDS_MS.iter().zip(calls.buckets) {
        below += count;
        let le = classic::bound(*ms as f64 / 1e3);
        push("pilothouse_span_duration_seconds_bucket", Some(le), below as f64);
    }
    let all = classic::bound(f64::INFINITY);
    push("pilothouse_span_duration_seconds_bucket", Some(all), calls.count as f64);
}

#[cfg(test)]
mod tests {
    //! Buckets, sums, the bound on names.

    use super::*;

    fn span(name: &str, ms: u64, status: SpanStatus) -> SpanRow {
        SpanRow {
            service: "shop".into(),
            name: name.into(),
            kind: SpanKind::Server,
            status,
            duration_ns: ms * 1_000_000,
            ..SpanRow::default()
        }
    }

    #[test]
    fn spans_are_counted_in_their_buckets() {
        let (red, org) = (Red::default(), OrgId::from_bytes([1; 16]));
        let rows = [
            span("GET /", 2, SpanStatus::Unset),
            span("GET /", 3, SpanStatus::Unset),
            span("GET /", 60_000, SpanStatus::Error),
        ];
        red.add(org, Sum::of(&rows), 1_000);
        red.add(OrgId::from_bytes([2; 16]), Sum::of(&rows), 1_000);
        let series = red.series(org, 16_000);
        assert_eq!(series.len(), 2 * 16);
        let of = |name: &str, status: &str, le: Option<&str>| {
            let one = series.iter().find(|s| {
                s.labels.metric() == name
                    && s.labels.value("status") == Some(status)
                    && s.labels.value("le") == le
            });
            one.unwrap().samples.iter().map(|s| (s.at_ms, s.value)).collect::<Vec<_>>()
        };
        assert_eq!(of("pilothouse.span.calls", "unset", None), [(999, 0.0), (16_000, 2.0)]);
        assert_eq!(of("pilothouse.span.calls", "error", None), [(999, 0.0), (16_000, 1.0)]);
        let bucket = "pilothouse_span_duration_seconds_bucket";
        assert_eq!(of(bucket, "unset", Some("0.002"))[1].1, 1.0);
        assert_eq!(of(bucket, "unset", Some("0.005"))[1].1, 2.0);
        assert_eq!(of(bucket, "error", Some("10.0"))[1].1, 0.0);
        assert_eq!(of(bucket, "error", Some("+Inf"))[1].1, 1.0);
        assert_eq!(of("pilothouse_span_duration_seconds_sum", "error", None)[1].1, 60.0);
        let again = red.series(org, 31_000);
        assert!(again.iter().all(|s| s.samples.len() == 1));
    }

    #[test]
    fn names_beyond_the_bound_are_one() {
        let (red, org) = (Red::default(), OrgId::from_bytes([1; 16]));
        let rows: Vec<SpanRow> = (0..5_000).map(|i| span(&format!("id {i}"), 1, SpanStatus::Ok)).collect();
        red.add(org, Sum::of(&rows), 0);
        let series = red.series(org, 15_000);
        let calls: Vec<&Series> =
            series.iter().filter(|s| s.labels.metric() == "pilothouse.span.calls").collect();
        assert_eq!(calls.len(), MOST + 1);
        let other = calls.iter().find(|s| s.labels.value("name") == Some("other")).unwrap();
        assert_eq!(other.samples[1].value, 3_000.0);
        let total: f64 = calls.iter().map(|s| s.samples[1].value).sum();
        assert_eq!(total, 5_000.0);
    }
}
