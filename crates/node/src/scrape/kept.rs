//! What one target gave last, so that what it no longer gives can be ended.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::target::Target;
use super::text::{self, Sample};
use crate::enrich::{self, Place};

/// OTLP's mark of a point that ends its series.
const NO_RECORDED_VALUE: u32 = 1;

/// What each scrape says of itself.
const OWN: [&str; 6] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_body_size_bytes",
];

/// One scrape.
pub struct Reading<'a> {
    pub samples: Vec<Sample<'a>>,
    pub bytes: usize,
    pub up: bool,
}

/// A target's resource, and the series of its last scrape.
pub struct Kept {
    resource: Resource,
    pod_uid: String,
    job: String,
    instance: String,
    series: HashMap<Series, bool>,
    /// The exemplars that were there last: one that stands still is told once.
    exemplars: HashMap<Series, text::Exemplar>,
}

/// Name and labels of a series.
type Series = (String, Vec<(String, String)>);

/// Metrics in the making: points by name and whether they only grow.
type Points = HashMap<(String, bool), Vec<NumberDataPoint>>;

impl Kept {
    pub fn new(target: &Target, place: &Place) -> Self {
        let known = enrich::pod(&target.pod, place);
        let attributes = known.iter().map(|(k, v)| text(k, &v.to_text())).collect();
        Self {
            resource: Resource { attributes, ..Resource::default() },
            pod_uid: target.pod.uid.clone(),
            job: target.job(),
            instance: target.instance(),
            series: HashMap::new(),
            exemplars: HashMap::new(),
        }
    }

    /// Whether the target is still of the pod, and has the names, that its series have. A pod that took another's name is another.
    pub fn is_of(&self, target: &Target) -> bool {
        (&self.pod_uid, &self.job, &self.instance) == (&target.pod.uid, &target.job(), &target.instance())
    }

    /// One scrape as a request, and how many points it holds. Series that were there before and are not now are ended.
    pub fn take(&mut self, reading: Reading<'_>, at_ms: i64, took: Duration) -> (Vec<u8>, u32) {
        let scraped = reading.samples.len();
        let mut points = Points::new();
        let (mut now, mut exemplars) = (HashMap::new(), HashMap::new());
        for sample in reading.samples {
            let series = self.series_of(&sample);
            let mut point = point(&series.1, sample.at_ms.unwrap_or(at_ms), sample.value, 0);
            if let Some(exemplar) = sample.exemplar {
                if self.exemplars.get(&series) != Some(&exemplar) {
                    point.exemplars.push(told(&exemplar, at_ms));
                }
                exemplars.insert(series.clone(), exemplar);
            }
            points.entry((series.0.clone(), sample.counter)).or_default().push(point);
            // One with a time of its own ends by growing old.
            if sample.at_ms.is_none() {
                now.insert(series, sample.counter);
            }
        }
        self.exemplars = exemplars;
        let added = now.keys().filter(|s| !self.series.contains_key(*s)).count();
        let gone = std::mem::replace(&mut self.series, now);
        for ((name, labels), counter) in gone {
            let key = (name, labels);
            if !self.series.contains_key(&key) {
                let end = point(&key.1, at_ms, 0.0, NO_RECORDED_VALUE);
                points.entry((key.0, counter)).or_default().push(end);
            }
        }
        let own = self.own_labels();
        let values = [
            f64::from(u8::from(reading.up)),
            took.as_secs_f64(),
            scraped as f64,
            scraped as f64,
            added as f64,
            reading.bytes as f64,
        ];
        for (name, value) in OWN.into_iter().zip(values) {
            points.entry((name.to_owned(), false)).or_default().push(point(&own, at_ms, value, 0));
        }
        self.request(points)
    }

    /// The target is gone: all its series end.
    pub fn end(&mut self, at_ms: i64) -> (Vec<u8>, u32) {
        let mut points = Points::new();
        for ((name, labels), counter) in std::mem::take(&mut self.series) {
            points.entry((name, counter)).or_default().push(point(&labels, at_ms, 0.0, NO_RECORDED_VALUE));
        }
        let own = self.own_labels();
        for name in OWN {
            let end = point(&own, at_ms, 0.0, NO_RECORDED_VALUE);
            points.entry((name.to_owned(), false)).or_default().push(end);
        }
        self.request(points)
    }

    fn own_labels(&self) -> Vec<(String, String)> {
        vec![("instance".to_owned(), self.instance.clone()), ("job".to_owned(), self.job.clone())]
    }

    /// Labels that clash with the target's own are kept as `exported_…`, once more where that is there too.
    fn series_of(&self, sample: &Sample<'_>) -> Series {
        let mut labels = self.own_labels();
        for (name, value) in &sample.labels {
            let mut name = name.as_ref().to_owned();
            if matches!(name.as_str(), "job" | "instance") {
                name.insert_str(0, "exported_");
                while sample.labels.iter().any(|(other, _)| *other == name) {
                    name.insert_str(0, "exported_");
                }
            }
            labels.push((name, value.clone().into_owned()));
        }
        labels.sort();
        (sample.name.clone().into_owned(), labels)
    }

    fn request(&self, points: Points) -> (Vec<u8>, u32) {
        let items: usize = points.values().map(Vec::len).sum();
        let mut metrics: Vec<Metric> = points
            .into_iter()
            .map(|((name, counter), data_points)| {
                let data = if counter {
                    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
                    metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
                } else {
                    metric::Data::Gauge(Gauge { data_points })
                };
                Metric { name, data: Some(data), ..Metric::default() }
            })
            .collect();
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        let resource_metrics = vec![ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }];
        let body = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
        (body, u32::try_from(items).unwrap_or(u32::MAX))
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// An exemplar as OTLP has it: ids of its labels in their own fields.
fn told(of: &text::Exemplar, scraped_ms: i64) -> Exemplar {
    let at_ms = of.at_ms.unwrap_or(scraped_ms);
    let mut out = Exemplar {
        time_unix_nano: u64::try_from(at_ms).unwrap_or(0).saturating_mul(1_000_000),
        value: Some(exemplar::Value::AsDouble(of.value)),
        ..Exemplar::default()
    };
    for (name, value) in &of.labels {
        match (name.as_str(), bytes_of(value)) {
            ("trace_id" | "traceID", Some(id)) if id.len() == 16 => out.trace_id = id,
            ("span_id" | "spanID", Some(id)) if id.len() == 8 => out.span_id = id,
            _ => out.filtered_attributes.push(self::text(name, value)),
        }
    }
    out
}

/// Pairs of hex digits.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|d| d.len().is_multiple_of(2))?;
    digits.chunks_exact(2).map(|pair| u8::try_from(pair.iter().fold(0, |n, d| n * 16 + d)).ok()).collect()
}

fn point(labels: &[(String, String)], at_ms: i64, value: f64, flags: u32) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels.iter().map(|(k, v)| text(k, v)).collect(),
        time_unix_nano: u64::try_from(at_ms).unwrap_or(0).saturating_mul(1_000_000),
        value: Some(number_data_point::Value::AsDouble(value)),
        flags,
        ..NumberDataPoint::default()
    }
}
