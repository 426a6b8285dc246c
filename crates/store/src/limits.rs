//! What an organisation may send and how long it is kept: settings that the server hands over, and their enforcement.
//!
//! Never: silent. What is refused is counted by reason, with examples, and answered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ph_filter::Filter;
use ph_model::{ErrorKind, Labels, LogFlags, Signal};

use crate::config::Retention;
use crate::contract::{Error, Rejection, Rows};
use crate::scan::Budget;
use crate::shard::add_rejection;

/// Refused label sets that are kept as examples.
const EXAMPLES: usize = 3;
/// A longer message is cut and flagged.
const MAX_MESSAGE: usize = 1 << 20;
/// Characters that the labels of an exemplar may have.
const EXEMPLAR_LABELS: usize = 128;

/// Settings of one organisation. Kept durably by the store, so that a start needs nobody else.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgSettings {
    /// Whole days by signal; `None`: as the store is configured.
    pub retention: Option<Retention>,
    /// Shorter retention for rows that a filter chooses.
    pub rules: Vec<RetentionRule>,
    pub limits: Limits,
}

/// Rows of a signal that pass the filter are kept for so many whole days.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// Not metrics.
    pub signal: Signal,
    pub filter: Filter,
    pub days: u32,
}

/// What an organisation may send. `None`: as much as it likes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// On average; as many as in ten seconds may come at once.
    pub samples_per_second: Option<u64>,
    /// Bytes of rows, on average; as many as in ten seconds may come at once.
    pub bytes_per_second: Option<u64>,
    pub active_series: Option<u64>,
    pub labels_per_series: usize,
    pub label_name_bytes: usize,
    pub label_value_bytes: usize,
    /// Attributes of a row, those of its resource apart.
    pub attributes_per_record: usize,
    /// Attributes and resource of a row together.
    pub record_bytes: usize,
    /// Rows that one search or count may look at.
    pub query_rows: Option<u64>,
    /// Bytes of parts that it may read.
    pub query_bytes: Option<u64>,
    /// Samples that one selection of series may give.
    pub query_samples: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            samples_per_second: None,
            bytes_per_second: None,
            active_series: Some(2_000_000),
            labels_per_series: 64,
            label_name_bytes: 1_024,
            label_value_bytes: 2_048,
            attributes_per_record: 128,
            record_bytes: 1 << 20,
            query_rows: None,
            query_bytes: Some(64 << 30),
            query_samples: Some(200_000_000),
        }
    }
}

/// What an organisation has left of its rates, and what was refused since the start.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    samples: Mutex<Bucket>,
    bytes: Mutex<Bucket>,
    refused: Mutex<BTreeMap<&'static str, Rejection>>,
}

#[derive(Debug, Default)]
struct Bucket {
    left: f64,
    /// ms UTC of the last look; `None` before the first.
    at_ms: Option<i64>,
}

impl Bucket {
    /// Takes `n` if they are there; else says in how many ms they will be.
    fn take(&mut self, n: f64, rate: f64, now_ms: i64) -> Result<(), u64> {
        let most = rate * 10.0;
        let passed = self.at_ms.map_or(f64::INFINITY, |at| (now_ms - at).max(0) as f64 / 1_000.0);
        self.left = (self.left + passed * rate).min(most);
        self.at_ms = Some(now_ms);
        // A batch that is larger than the burst passes when the bucket is full, else it never would.
        if n.min(most) <= self.left {
            self.left -= n;
            return Ok(());
        }
        Err((((n.min(most) - self.left) / rate) * 1_000.0).ceil() as u64)
    }
}

impl Usage {
    /// Errors: `Exhausted`, with the time after which the batch may pass.
    pub fn admit(&self, limits: &Limits, (samples, bytes): (u64, u64), now_ms: i64) -> Result<(), Error> {
        let rates = [
            (&self.samples, limits.samples_per_second, samples, "samples_per_second"),
            (&self.bytes, limits.bytes_per_second, bytes, "bytes_per_second"),
        ];
        for (bucket, rate, n, name) in rates {
            let Some(rate) = rate.filter(|_| n > 0) else { continue };
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(wait_ms) = bucket.take(n as f64, rate.max(1) as f64, now_ms) {
                drop(bucket);
                let example = format!("a batch of {n}");
                self.note(&[Rejection { reason: name, count: n, example }]);
                let what = format!(
                    "{name}: the organisation's limit of {rate} is used up; send less, or have {name} raised"
                );
                let mut error = Error::new(ErrorKind::Exhausted, what);
                error.retry_after_ms = Some(wait_ms);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Counts refusals.
    pub fn note(&self, rejected: &[Rejection]) {
        if rejected.is_empty() {
            return;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for one in rejected {
            let known = refused.entry(one.reason).or_insert_with(|| Rejection { count: 0, ..one.clone() });
            known.count += one.count;
        }
    }

    /// What was refused since the start, by reason.
    pub fn refused(&self) -> Vec<Rejection> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Limits {
    /// What one question may read of parts.
    pub(crate) fn budget(&self) -> Budget {
        Budget { rows: self.query_rows, bytes: self.query_bytes, ..Budget::default() }
    }

    /// Takes rows out that are beyond the limits of their kind, and cuts long messages.
    pub fn apply(&self, rows: &mut Rows, rejected: &mut Vec<Rejection>) {
        match rows {
            Rows::Metrics(list) => {
                list.retain(|series| self.takes_labels(&series.labels, series.samples.len() as u64, rejected))
            }
            Rows::Logs(list) => list.retain_mut(|row| {
                if row.message.len() > MAX_MESSAGE {
                    row.full_bytes = row.full_bytes.max(row.message.len() as u64);
                    row.message.truncate(MAX_MESSAGE);
                    row.flags = row.flags.with(LogFlags::TRUNCATED);
                }
                self.takes_record((&row.attributes, &row.resource), rejected)
            }),
            Rows::Spans(list) => {
                list.retain(|row| self.takes_record((&row.attributes, &row.resource), rejected));
            }
            Rows::Events(_) => {}
            Rows::Exemplars(list) => list.retain(|row| {
                let named = row.series.iter().all(|(name, _)| !name.is_empty());
                if row.series.is_empty() || !named {
                    add_rejection(rejected, "invalid_labels", 1, row.series.to_string());
                    return false;
                }
                takes_exemplar(&row.labels, rejected) && self.takes_labels(&row.series, 1, rejected)
            }),
        }
    }

    fn takes_labels(&self, labels: &Labels, count: u64, rejected: &mut Vec<Rejection>) -> bool {
        let long = labels
            .iter()
            .find(|(name, value)| name.len() > self.label_name_bytes || value.len() > self.label_value_bytes);
        let why = if labels.len() > self.labels_per_series {
            format!("{} labels, labels_per_series is {}", labels.len(), self.labels_per_series)
        } else if let Some((name, value)) = long {
            format!(
                "label {} of {} and {} bytes, label_name_bytes is {}, label_value_bytes {}",
                head(name),
                name.len(),
                value.len(),
                self.label_name_bytes,
                self.label_value_bytes
            )
        } else {
            return true;
        };
        add_rejection(rejected, "label_limit", count, format!("{}: {why}", head(&labels.to_string())));
        false
    }

    fn takes_record(
        &self,
        (attributes, resource): (&ph_model::Attributes, &ph_model::Attributes),
        rejected: &mut Vec<Rejection>,
    ) -> bool {
        if attributes.len() > self.attributes_per_record {
            let what = format!(
                "{} attributes, attributes_per_record is {}",
                attributes.len(),
                self.attributes_per_record
            );
            add_rejection(rejected, "attributes_limit", 1, what);
            return false;
        }
        let all = attributes.iter().chain(resource.iter());
        let bytes: usize = all.map(|(key, value)| key.len() + size_of_value(value)).sum();
        if bytes > self.record_bytes {
            let what = format!("attributes of {bytes} bytes, record_bytes is {}", self.record_bytes);
            add_rejection(rejected, "record_bytes_limit", 1, what);
            return false;
        }
        true
    }
}

/// Labels of an exemplar are short words beside its trace: OpenMetrics allows names and values of 128 characters in all.
fn takes_exemplar(labels: &Labels, rejected: &mut Vec<Rejection>) -> bool {
    let length: usize = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if length > EXEMPLAR_LABELS {
        let what =
            format!("{}: {length} characters, {EXEMPLAR_LABELS} are allowed", head(&labels.to_string()));
        add_rejection(rejected, "exemplar_label_limit", 1, what);
    }
    length <= EXEMPLAR_LABELS
}

pub(crate) fn size_of_value(value: &ph_model::Value) -> usize {
    match value {
        ph_model::Value::Str(text) => text.len(),
        ph_model::Value::Bytes(bytes) => bytes.len() * 2,
        ph_model::Value::Bool(_) | ph_model::Value::Int(_) | ph_model::Value::Double(_) => 8,
        other => other.to_text().len(),
    }
}

/// The beginning of a text, for examples.
fn head(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Counts a refused series, with the first few label sets as examples.
pub(crate) fn refuse_series(rejected: &mut Vec<Rejection>, labels: &Labels, (samples, limit): (u64, u64)) {
    let shown = head(&labels.to_string());
    match rejected.iter_mut().find(|r| r.reason == "series_limit") {
        Some(known) => {
            known.count += samples;
            if known.example.matches("; ").count() < EXAMPLES {
                known.example = format!("{}; {shown}", known.example);
            }
        }
        None => rejected.push(Rejection {
            reason: "series_limit",
            count: samples,
            example: format!("active_series is {limit}; {shown}"),
        }),
    }
}
