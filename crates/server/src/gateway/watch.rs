//! Readiness and own metrics: a registry that every room adds to.
//!
//! In:     checks and counters of the rooms.
//! Out:    which part is not ready and why; the Prometheus text format.
//! Never:  labels without a bound.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;

/// A part of the server that may not be ready.
#[async_trait::async_trait]
pub trait ReadyCheck: Send + Sync + 'static {
    /// One word: `state`, `store`, `link`.
    fn part(&self) -> &'static str;

    /// `Err` says why not, for people. Asked often: it has to be cheap, and is given two seconds.
    async fn ready(&self) -> Result<(), String>;
}

/// A number that only grows, or a gauge that is set. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a metric behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
}

#[derive(Debug)]
struct Family {
    kind: MetricKind,
    help: &'static str,
    series: BTreeMap<String, Counter>,
}

/// The registry. Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch(Arc<Registry>);

#[derive(Default)]
struct Registry {
    checks: Mutex<Vec<Arc<dyn ReadyCheck>>>,
    families: Mutex<BTreeMap<&'static str, Family>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

const PATIENCE: Duration = Duration::from_secs(2);

impl Watch {
    /// From now on the server is ready only when this part is.
    pub fn add_check(&self, check: Arc<dyn ReadyCheck>) {
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    /// The counter `pilothouse_<room>_<what>_total`, made on first use. `labels` is empty or `name="value",…` from a closed set.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &str) -> Counter {
        self.metric((name, MetricKind::Counter, help), labels)
    }

    /// The gauge `pilothouse_<room>_<what>_<unit>`, made on first use.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &str) -> Counter {
        self.metric((name, MetricKind::Gauge, help), labels)
    }

    fn metric(&self, (name, kind, help): (&'static str, MetricKind, &'static str), labels: &str) -> Counter {
        let mut families = self.0.families.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family { kind, help, series: BTreeMap::new() });
        family.series.entry(labels.to_owned()).or_default().clone()
    }

    pub(crate) fn count_request(&self, status: StatusCode) {
        let class = match status.as_u16() / 100 {
            1 => "code=\"1xx\"",
            2 => "code=\"2xx\"",
            3 => "code=\"3xx\"",
            4 => "code=\"4xx\"",
            _ => "code=\"5xx\"",
        };
        self.counter("pilothouse_gateway_requests_total", "Requests answered, by class of status.", class)
            .add(1);
    }

    /// Parts that are not ready, with why. Empty: ready.
    pub async fn not_ready(&self) -> Vec<(&'static str, String)> {
        let checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = checks.iter().map(|check| async move {
            match tokio::time::timeout(PATIENCE, check.ready()).await {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some((check.part(), why)),
                Err(_) => Some((check.part(), format!("no answer within {} s", PATIENCE.as_secs()))),
            }
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// All metrics in the Prometheus text format.
    pub fn exposition(&self) -> String {
        let families = self.0.families.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter() {
            let kind = match family.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            for (labels, value) in &family.series {
                let _ = match labels.is_empty() {
                    true => writeln!(out, "{name} {}", value.read()),
                    false => writeln!(out, "{name}{{{labels}}} {}", value.read()),
                };
            }
        }
        out
    }
}
