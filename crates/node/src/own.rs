//! What the agent knows about itself: counters for its own metrics, and the state of each source for its page.
//!
//! Bound:  counters have the labels written here and no other; a source has one entry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ph_link::v1::{SourceStatus, StatusReport};
use ph_model::Signal;
use tokio::sync::watch;

use crate::group::{Group, Problem, Subject};
use crate::names as n;

/// What became of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Taken up by this agent.
    Accepted,
    /// Acknowledged by the server as durable.
    Sent,
    /// Refused by the server for good.
    Failed,
    /// Given up here.
    Dropped,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Sent => "sent",
            Outcome::Failed => "failed",
            Outcome::Dropped => "dropped",
        }
    }
}

/// State that all parts of the agent write and the status page reads. Clones share it.
#[derive(Clone, Debug)]
pub struct Own(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    items: Mutex<BTreeMap<(&'static str, Outcome, &'static str), u64>>,
    gauges: Mutex<Gauges>,
    report: watch::Sender<StatusReport>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    queue_bytes: u64,
    queue_oldest_ms: Option<i64>,
    lag_bytes: u64,
    latency_s: Option<f64>,
    enrich_misses: u64,
}

impl Default for Own {
    fn default() -> Self {
        let (report, _) = watch::channel(StatusReport::default());
        Self(Arc::new(Inner { items: Mutex::default(), gauges: Mutex::default(), report }))
    }
}

impl Own {
    /// Counts items of a signal; `reason` is one of a few constant words, or empty.
    pub fn count(&self, signal: Signal, outcome: Outcome, reason: &'static str, items: u64) {
        if items > 0 {
            let mut all = self.0.items.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry((signal.as_str(), outcome, reason)).or_default() += items;
        }
    }

    /// How many items so far.
    pub fn counted(&self, signal: Signal, outcome: Outcome) -> u64 {
        let all = self.0.items.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|((s, o, _), _)| *s == signal.as_str() && *o == outcome)
            .map(|(_, count)| count)
            .sum()
    }

    pub fn missed(&self, groups: u64) {
        self.gauges(|g| g.enrich_misses += groups);
    }

    pub fn sent_in(&self, seconds: f64) {
        self.gauges(|g| g.latency_s = Some(seconds));
    }

    pub fn lag(&self, bytes: u64) {
        self.gauges(|g| g.lag_bytes = bytes);
    }

    pub fn queue(&self, bytes: u64, oldest_ms: Option<i64>) {
        self.gauges(|g| (g.queue_bytes, g.queue_oldest_ms) = (bytes, oldest_ms));
        self.0.report.send_if_modified(|report| {
            let oldest = oldest_ms.unwrap_or(0);
            let changed = (report.queue_bytes, report.queue_oldest_ms) != (bytes, oldest);
            (report.queue_bytes, report.queue_oldest_ms) = (bytes, oldest);
            changed
        });
    }

    fn gauges(&self, change: impl FnOnce(&mut Gauges)) {
        change(&mut self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A source was read; `problems` are its parts that were not.
    pub fn well(&self, source: &str, problems: &[Problem], now_ms: i64) {
        let text = |pick: fn(&Problem) -> String| {
            let mut all: Vec<String> = problems.iter().map(pick).filter(|t| !t.is_empty()).collect();
            all.dedup();
            all.join("; ")
        };
        let (error, fix) = (text(|p| format!("{}: {}", p.part, p.reason)), text(|p| p.fix.clone()));
        self.source(source, |s| {
            if error.is_empty() && !s.last_error.is_empty() {
                tracing::info!(source, was = s.last_error, "source is well again");
            }
            s.last_success_ms = now_ms;
            s.last_error = error;
            s.fix = fix;
        });
    }

    /// A source could not be read at all.
    pub fn failed(&self, source: &str, error: &str, fix: &str) {
        self.source(source, |s| {
            if s.last_error != error {
                tracing::warn!(source, error, fix, "source cannot be read");
            }
            s.last_error = error.to_owned();
            s.fix = fix.to_owned();
        });
    }

    /// Notes a fact of a source, for example `tls = pinned`.
    pub fn fact(&self, source: &str, key: &str, value: &str) {
        self.source(source, |s| {
            s.facts.insert(key.to_owned(), value.to_owned());
        });
    }

    /// Notes a warning that concerns the whole agent; each text once.
    pub fn warn(&self, text: &str) {
        self.0.report.send_if_modified(|report| {
            let new = !report.warnings.iter().any(|w| w == text);
            if new {
                tracing::warn!(text, "agent warning");
                report.warnings.push(text.to_owned());
            }
            new
        });
    }

    fn source(&self, name: &str, change: impl FnOnce(&mut SourceStatus)) {
        self.0.report.send_modify(|report| {
            let found = report.sources.iter_mut().position(|s| s.name == name);
            let at = found.unwrap_or_else(|| {
                report.sources.push(SourceStatus { name: name.to_owned(), ..SourceStatus::default() });
                report.sources.len() - 1
            });
            if let Some(source) = report.sources.get_mut(at) {
                change(source);
            }
        });
    }

    /// The state as the link sends it: now, and each change.
    pub fn report(&self) -> watch::Receiver<StatusReport> {
        self.0.report.subscribe()
    }

    /// The agent's own points, and the state of the process in the report.
    pub fn points(&self, started_ms: i64, now_ms: i64) -> Group {
        let mut group = Group::new(Subject::Agent);
        let mut w = group.at(now_ms).since(Some(started_ms));
        let items = self.0.items.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((signal, outcome, reason), count) in items {
            let attributes = [("signal", signal), ("outcome", outcome.as_str()), ("reason", reason)];
            let labelled = if reason.is_empty() { 2 } else { 3 };
            w.int_with(n::OWN_ITEMS, attributes.get(..labelled).unwrap_or_default(), Some(count));
        }
        let gauges = *self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        let age = gauges.queue_oldest_ms.map(|at| (now_ms - at).max(0) as f64 / 1000.0);
        w.int(n::OWN_QUEUE_BYTES, Some(gauges.queue_bytes));
        w.double(n::OWN_QUEUE_OLDEST_AGE, Some(age.unwrap_or(0.0)));
        w.int(n::OWN_CHECKPOINT_LAG, Some(gauges.lag_bytes));
        w.double(n::OWN_SENDER_LATENCY, gauges.latency_s);
        w.int(n::OWN_ENRICH_MISSES, Some(gauges.enrich_misses));
        let (rss, cpu) = process();
        w.int_with(n::OWN_MEMORY_BYTES, &[("part", "rss")], rss);
        w.double(n::OWN_CPU_TIME, cpu);
        if let Some(rss) = rss {
            self.0.report.send_if_modified(|report| {
                let changed = report.rss_bytes.abs_diff(rss) > 1 << 20;
                if changed {
                    report.rss_bytes = rss;
                }
                changed
            });
        }
        group
    }
}

/// Resident bytes and processor seconds of this process.
fn process() -> (Option<u64>, Option<f64>) {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    let status = text("/proc/self/status");
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib * 1024);
    let stat = text("/proc/self/stat");
    let words: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace().collect()).unwrap_or_default();
    let ticks = |i: usize| words.get(i).and_then(|w| w.parse::<u64>().ok());
    let cpu = ticks(11).zip(ticks(12)).map(|(user, system)| (user + system) as f64 / 100.0);
    (rss, cpu)
}
