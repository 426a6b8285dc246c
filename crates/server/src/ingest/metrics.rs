//! OTLP metrics into series.

use std::cmp::Ordering;
use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, HistogramDataPoint, Metric, NumberDataPoint, exemplar, metric, number_data_point,
};
use ph_model::{Attributes, ExemplarRow, Labels, OrgId, Sample, Series, SeriesKind, stale_marker};

use super::attributes::{WORKLOADS, attributes};
use super::delta::{Deltas, Step};
use super::{Refused, Stamp, classic, refuse};
use crate::aliases;

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

/// What a sum or histogram tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// All since its start.
    InAll,
    /// What came since it last told.
    Since,
}

const FLAG_NO_RECORDED_VALUE: u32 = 1;
const DELTA: i32 = 1;

/// Series in the order of first appearance; samples of one series keep the order in which they were sent.
pub fn decode(request: ExportMetricsServiceRequest, stamp: &Stamp, summing: Summing<'_>) -> Decoded {
    let mut collect = Collect { out: Decoded::default(), index: HashMap::new(), summing };
    for rm in request.resource_metrics {
        let resource = attributes(aliases::resource(rm.resource.unwrap_or_default().attributes));
        let base = identity(&resource, stamp);
        for metric in rm.scope_metrics.into_iter().flat_map(|s| s.metrics) {
            collect.metric(metric, &base);
        }
    }
    collect.out
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

/// Where streams of deltas are summed up, and whose they are.
#[derive(Clone, Copy)]
pub struct Summing<'a> {
    pub deltas: &'a Deltas,
    pub org: OrgId,
    pub now_ms: i64,
}

/// What one request holds.
#[derive(Debug, Default)]
pub struct Decoded {
    pub series: Vec<Series>,
    pub exemplars: Vec<ExemplarRow>,
    pub refused: Vec<Refused>,
}

struct Collect<'a> {
    out: Decoded,
    index: HashMap<(Labels, i64), usize>,
    summing: Summing<'a>,
}

impl Collect<'_> {
    fn metric(&mut self, mut metric: Metric, base: &[(String, String)]) {
        let stored = aliases::metric(&metric.name);
        if stored != metric.name {
            metric.name = stored.to_owned();
        }
        let mut is_delta = false;
        let (kind, points) = match metric.data {
            Some(metric::Data::Gauge(g)) => (SeriesKind::Gauge, g.data_points),
            Some(metric::Data::Sum(s)) => {
                is_delta = s.aggregation_temporality == DELTA;
                (if s.is_monotonic { SeriesKind::Counter } else { SeriesKind::UpDown }, s.data_points)
            }
            Some(metric::Data::Histogram(h)) => {
                let told = if h.aggregation_temporality == DELTA { Told::Since } else { Told::InAll };
                let name = classic::name(&metric.name, &metric.unit);
                for p in h.data_points {
                    let at = (p.flags, p.time_unix_nano, p.start_time_unix_nano);
                    let parts = classic::histogram(&p);
                    self.exemplars_of(&name, &p, base);
                    self.classic(&name, (at, p.attributes), parts, (base, told));
                }
                return;
            }
            Some(metric::Data::ExponentialHistogram(h)) => {
                return self.refuse_points(
                    "native_histograms_unsupported",
                    &metric.name,
                    h.data_points.len(),
                );
            }
            Some(metric::Data::Summary(s)) => {
                let name = classic::name(&metric.name, &metric.unit);
                for p in s.data_points {
                    let at = (p.flags, p.time_unix_nano, p.start_time_unix_nano);
                    let parts = classic::summary(&p);
                    self.classic(&name, (at, p.attributes), parts, (base, Told::InAll));
                }
                return;
            }
            None => return,
        };
        let told = if is_delta { Told::Since } else { Told::InAll };
        for point in points {
            self.point(&metric.name, (&metric.unit, kind, told), (point, base));
        }
    }

    /// Exemplars stand with the bucket that counts them.
    fn exemplars_of(&mut self, name: &str, p: &HistogramDataPoint, base: &[(String, String)]) {
        if p.exemplars.is_empty() {
            return;
        }
        let own = attributes(p.attributes.clone());
        for e in &p.exemplars {
            let Some(value) = value_of(e) else { continue };
            // They ascend. Looked up, not looked for: a point may have as many exemplars as buckets.
            let at = p.explicit_bounds.partition_point(|b| value.partial_cmp(b).is_none_or(Ordering::is_gt));
            let bound = p.explicit_bounds.get(at).copied().unwrap_or(f64::INFINITY);
            let le = Some(("le", classic::bound(bound)));
            let labels = labels(&format!("{name}_bucket"), base, &own, le);
            self.out.exemplars.extend(exemplar(e.clone(), labels));
        }
    }

    fn refuse_points(&mut self, reason: &'static str, name: &str, points: usize) {
        for _ in 0..points {
            refuse(&mut self.out.refused, reason, || name.to_owned());
        }
    }

    fn point(
        &mut self,
        name: &str,
        (unit, kind, told): (&str, SeriesKind, Told),
        (p, base): (NumberDataPoint, &[(String, String)]),
    ) {
        let value = match p.value {
            _ if p.flags & FLAG_NO_RECORDED_VALUE != 0 => stale_marker(),
            Some(number_data_point::Value::AsDouble(d)) => d,
            Some(number_data_point::Value::AsInt(i)) => i as f64,
            None => return refuse(&mut self.out.refused, "no_value", || name.to_owned()),
        };
        let Some(at_ms) = millis(p.time_unix_nano) else {
            return refuse(&mut self.out.refused, "no_timestamp", || name.to_owned());
        };
        let own = attributes(p.attributes);
        let labels = labels(name, base, &own, None);
        self.out.exemplars.extend(p.exemplars.into_iter().filter_map(|e| exemplar(e, labels.clone())));
        let of = (kind, unit, millis(p.start_time_unix_nano));
        self.keep_as(told, labels, of, Sample { at_ms, value });
    }

    /// The series of one histogram or summary point.
    fn classic(
        &mut self,
        name: &str,
        ((flags, at, start), own): ((u32, u64, u64), Vec<KeyValue>),
        parts: Vec<classic::Part>,
        (base, told): (&[(String, String)], Told),
    ) {
        let Some(at_ms) = millis(at) else {
            return refuse(&mut self.out.refused, "no_timestamp", || name.to_owned());
        };
        let own = attributes(own);
        let gone = flags & FLAG_NO_RECORDED_VALUE != 0;
        for (suffix, label, value) in parts {
            let kind = if suffix.is_empty() { SeriesKind::Gauge } else { SeriesKind::Counter };
            let labels = labels(&format!("{name}{suffix}"), base, &own, label);
            let value = if gone { stale_marker() } else { value };
            self.keep_as(told, labels, (kind, "", millis(start)), Sample { at_ms, value });
        }
    }

    /// Keeps a sample; of what is told since the last time, the sum so far.
    fn keep_as(
        &mut self,
        told: Told,
        labels: Labels,
        (kind, unit, start): (SeriesKind, &str, Option<i64>),
        sample: Sample,
    ) {
        if told == Told::InAll || ph_model::is_stale_marker(sample.value) {
            return self.keep(labels, (kind, unit, start), sample);
        }
        let step = Step { start_ms: start, at_ms: sample.at_ms, value: sample.value };
        match self.summing.deltas.add((self.summing.org, &labels), step, self.summing.now_ms) {
            Ok(total) => {
                let of = (kind, unit, Some(total.start_ms));
                // From where it counts, so that what the first point tells is an increase.
                if total.is_first && total.start_ms < sample.at_ms {
                    self.keep(labels.clone(), of, Sample { at_ms: total.start_ms, value: 0.0 });
                }
                self.keep(labels, of, Sample { value: total.value, ..sample });
            }
            Err(reason) => refuse(&mut self.out.refused, reason, || labels.metric().to_owned()),
        }
    }

    fn keep(&mut self, labels: Labels, (kind, unit, start): (SeriesKind, &str, Option<i64>), sample: Sample) {
        let slot = *self.index.entry((labels.clone(), start.unwrap_or(0))).or_insert_with(|| {
            self.out.series.push(Series {
                labels,
                kind,
                unit: unit.to_owned(),
                start_ms: start,
                samples: Vec::new(),
            });
            self.out.series.len() - 1
        });
        if let Some(s) = self.out.series.get_mut(slot) {
            s.samples.push(sample);
        }
    }
}

fn value_of(e: &Exemplar) -> Option<f64> {
    match e.value? {
        exemplar::Value::AsDouble(d) => Some(d),
        exemplar::Value::AsInt(i) => Some(i as f64),
    }
}

/// `None` for one without a time or a value.
fn exemplar(e: Exemplar, series: Labels) -> Option<ExemplarRow> {
    let value = value_of(&e)?;
    let rest = attributes(e.filtered_attributes);
    Some(ExemplarRow {
        series,
        ts: i64::try_from(e.time_unix_nano).ok().filter(|t| *t > 0)?,
        value,
        trace_id: e.trace_id.try_into().ok().filter(|t| *t != [0; 16]),
        span_id: e.span_id.try_into().ok().filter(|t| *t != [0; 8]),
        labels: rest.iter().map(|(k, v)| (k.to_owned(), v.to_text())).collect(),
    })
}

/// ms UTC; `None` for no time.
fn millis(nanos: u64) -> Option<i64> {
    i64::try_from(nanos / 1_000_000).ok().filter(|t| *t > 0)
}

fn labels(
    name: &str,
    base: &[(String, String)],
    own: &Attributes,
    extra: Option<(&'static str, String)>,
) -> Labels {
    let mut pairs = Vec::with_capacity(base.len() + own.len() + 2);
    pairs.push(("__name__".to_owned(), name.to_owned()));
    pairs.extend(extra.map(|(n, v)| (n.to_owned(), v)));
    pairs.extend_from_slice(base);
    pairs.extend(own.iter().map(|(k, v)| {
        let value = v.to_text();
        let (k, v) = aliases::attribute(name, k, &value);
        (k.to_owned(), v.to_owned())
    }));
    Labels::new(pairs)
}
