//! OTLP metrics into series.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric, number_data_point};
use ph_model::{Attributes, Labels, Sample, Series, SeriesKind, stale_marker};

use super::attributes::{WORKLOADS, attributes};
use super::{Refused, Stamp, refuse};

/// Resource attributes that are part of a series' identity; the rest lives once per object.
const IDENTITY: [&str; 8] = [
    "k8s.node.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.container.name",
    "container.id",
    "host.name",
    "service.name",
];

/// Facts that exist so that series of one metric do not collide where the name alone is not enough.
const OBJECTS: [&str; 4] =
    ["k8s.persistentvolumeclaim.name", "k8s.volume.name", "k8s.hpa.name", "container.name"];

const FLAG_NO_RECORDED_VALUE: u32 = 1;
const DELTA: i32 = 1;

/// Series in the order of first appearance; samples of one series keep the order in which they were sent.
pub fn decode(request: ExportMetricsServiceRequest, stamp: &Stamp) -> (Vec<Series>, Vec<Refused>) {
    let mut collect = Collect { series: Vec::new(), index: HashMap::new(), refused: Vec::new() };
    for rm in request.resource_metrics {
        let resource = attributes(rm.resource.unwrap_or_default().attributes);
        let base = identity(&resource, stamp);
        for metric in rm.scope_metrics.into_iter().flat_map(|s| s.metrics) {
            collect.metric(metric, &base);
        }
    }
    (collect.series, collect.refused)
}

fn identity(resource: &Attributes, stamp: &Stamp) -> Vec<(String, String)> {
    let mut base = vec![("k8s.cluster.name".to_owned(), stamp.cluster_name.clone())];
    for key in IDENTITY.iter().chain(&OBJECTS) {
        if let Some(v) = resource.value(key) {
            base.push(((*key).to_owned(), v.to_text()));
        }
    }
    if let Some((key, name)) = WORKLOADS.iter().find_map(|(k, _)| Some((k, resource.text(k)?))) {
        base.push(((*key).to_owned(), name.to_owned()));
    }
    base
}

struct Collect {
    series: Vec<Series>,
    index: HashMap<(Labels, i64), usize>,
    refused: Vec<Refused>,
}

impl Collect {
    fn metric(&mut self, metric: Metric, base: &[(String, String)]) {
        let (kind, points) = match metric.data {
            Some(metric::Data::Gauge(g)) => (SeriesKind::Gauge, g.data_points),
            Some(metric::Data::Sum(s)) if s.aggregation_temporality == DELTA => {
                return self.refuse_points(
                    "delta_temporality_unsupported",
                    &metric.name,
                    s.data_points.len(),
                );
            }
            Some(metric::Data::Sum(s)) => {
                (if s.is_monotonic { SeriesKind::Counter } else { SeriesKind::UpDown }, s.data_points)
            }
            Some(metric::Data::Histogram(h)) => {
                return self.refuse_points("histograms_unsupported", &metric.name, h.data_points.len());
            }
            Some(metric::Data::ExponentialHistogram(h)) => {
                return self.refuse_points(
                    "native_histograms_unsupported",
                    &metric.name,
                    h.data_points.len(),
                );
            }
            Some(metric::Data::Summary(s)) => {
                return self.refuse_points("summaries_unsupported", &metric.name, s.data_points.len());
            }
            None => return,
        };
        for point in points {
            self.point(&metric.name, &metric.unit, kind, (point, base));
        }
    }

    fn refuse_points(&mut self, reason: &'static str, name: &str, points: usize) {
        for _ in 0..points {
            refuse(&mut self.refused, reason, || name.to_owned());
        }
    }

    fn point(
        &mut self,
        name: &str,
        unit: &str,
        kind: SeriesKind,
        (p, base): (NumberDataPoint, &[(String, String)]),
    ) {
        let value = match p.value {
            _ if p.flags & FLAG_NO_RECORDED_VALUE != 0 => stale_marker(),
            Some(number_data_point::Value::AsDouble(d)) => d,
            Some(number_data_point::Value::AsInt(i)) => i as f64,
            None => return refuse(&mut self.refused, "no_value", || name.to_owned()),
        };
        let Some(at_ms) = i64::try_from(p.time_unix_nano / 1_000_000).ok().filter(|t| *t > 0) else {
            return refuse(&mut self.refused, "no_timestamp", || name.to_owned());
        };
        let start = i64::try_from(p.start_time_unix_nano / 1_000_000).ok().filter(|t| *t > 0);
        let mut pairs = Vec::with_capacity(base.len() + 4);
        pairs.push(("__name__".to_owned(), name.to_owned()));
        pairs.extend_from_slice(base);
        pairs.extend(attributes(p.attributes).iter().map(|(k, v)| (k.to_owned(), v.to_text())));
        let labels = Labels::new(pairs);
        let slot = *self.index.entry((labels.clone(), start.unwrap_or(0))).or_insert_with(|| {
            self.series.push(Series {
                labels,
                kind,
                unit: unit.to_owned(),
                start_ms: start,
                samples: Vec::new(),
            });
            self.series.len() - 1
        });
        if let Some(s) = self.series.get_mut(slot) {
            s.samples.push(Sample { at_ms, value });
        }
    }
}
