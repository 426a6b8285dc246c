//! What a request comes to when everything that it says once of many items stands beside each of them, as it is kept.
//!
//! A resource, the name of a metric, the attributes of a histogram: told once, kept with each record, span or series. So a
//! small request could be of any size where it is stored.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::door::Limits;
use crate::error::Error;
use crate::sink::Export;

/// How many times larger than the largest body a request may be so. With what a store takes at once it is less.
const GROWS: usize = 8;

/// Errors: `TooLarge`.
pub(crate) fn spread(export: &Export, limits: &Limits) -> Result<(), Error> {
    let limit = limits.body.saturating_mul(GROWS);
    let bytes = match export {
        Export::Metrics(r) => r.resource_metrics.iter().fold(0_usize, |sum, r| {
            let base = of_resource(r.resource.as_ref());
            let metrics = r.scope_metrics.iter().flat_map(|s| &s.metrics);
            metrics.fold(sum, |sum: usize, m| sum.saturating_add(of_metric(m, base)))
        }),
        Export::Logs(r) => r.resource_logs.iter().fold(0_usize, |sum, r| {
            let records = r.scope_logs.iter().map(|s| s.log_records.len()).sum::<usize>();
            sum.saturating_add(records.saturating_mul(of_resource(r.resource.as_ref())))
        }),
        Export::Traces(r) => r.resource_spans.iter().fold(0_usize, |sum, r| {
            let base = of_resource(r.resource.as_ref());
            r.scope_spans.iter().fold(sum, |sum: usize, s| {
                let each = base.saturating_add(s.scope.as_ref().map_or(0, InstrumentationScope::encoded_len));
                sum.saturating_add(s.spans.len().saturating_mul(each))
            })
        }),
    };
    let what = "request with its resources, names and labels beside each of its items";
    if bytes > limit { Err(Error::TooLarge { what, limit }) } else { Ok(()) }
}

fn of_resource(resource: Option<&Resource>) -> usize {
    resource.map_or(0, Resource::encoded_len)
}

/// Labels of all series and exemplars of a metric.
fn of_metric(metric: &Metric, base: usize) -> usize {
    let base = base.saturating_add(metric.name.len()).saturating_add(metric.unit.len());
    match &metric.data {
        Some(Data::Gauge(d)) => of_numbers(base, &d.data_points),
        Some(Data::Sum(d)) => of_numbers(base, &d.data_points),
        // A histogram has a series for each bucket, its count and its sum.
        Some(Data::Histogram(d)) => of_points(
            base,
            d.data_points.iter().map(|p| {
                let buckets = p.explicit_bounds.len().max(p.bucket_counts.len());
                (p.attributes.as_slice(), 3 + buckets + p.exemplars.len())
            }),
        ),
        Some(Data::Summary(d)) => of_points(
            base,
            d.data_points.iter().map(|p| (p.attributes.as_slice(), 2 + p.quantile_values.len())),
        ),
        Some(Data::ExponentialHistogram(_)) | None => 0,
    }
}

fn of_numbers(base: usize, points: &[NumberDataPoint]) -> usize {
    of_points(base, points.iter().map(|p| (p.attributes.as_slice(), 1 + p.exemplars.len())))
}

/// Of points with their own attributes, and how many series and exemplars have these.
fn of_points<'a>(base: usize, points: impl Iterator<Item = (&'a [KeyValue], usize)>) -> usize {
    let each = |(own, times): (&[KeyValue], usize)| {
        let own: usize = if times > 1 { own.iter().map(KeyValue::encoded_len).sum() } else { 0 };
        times.saturating_mul(base.saturating_add(own))
    };
    points.map(each).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, ResourceMetrics, ScopeMetrics,
    };
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;
    use crate::foreign::text;

    fn resource(bytes: usize) -> Option<Resource> {
        Some(Resource { attributes: vec![text("k", "x".repeat(bytes))], ..Resource::default() })
    }

    fn logs((records, bytes): (usize, usize)) -> Export {
        let scope = ScopeLogs { log_records: vec![LogRecord::default(); records], ..ScopeLogs::default() };
        let of =
            ResourceLogs { resource: resource(bytes), scope_logs: vec![scope], ..ResourceLogs::default() };
        Export::Logs(ExportLogsServiceRequest { resource_logs: vec![of] })
    }

    fn spans((spans, bytes, named): (usize, usize, usize)) -> Export {
        let named = InstrumentationScope { name: "x".repeat(named), ..InstrumentationScope::default() };
        let spans = vec![Span::default(); spans];
        let scope = ScopeSpans { scope: Some(named), spans, ..ScopeSpans::default() };
        let of =
            ResourceSpans { resource: resource(bytes), scope_spans: vec![scope], ..ResourceSpans::default() };
        Export::Traces(ExportTraceServiceRequest { resource_spans: vec![of] })
    }

    fn metrics(name: usize, bytes: usize, data: Data) -> Export {
        let metric = Metric { name: "x".repeat(name), data: Some(data), ..Metric::default() };
        let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
        let of = ResourceMetrics {
            resource: resource(bytes),
            scope_metrics: vec![scope],
            ..ResourceMetrics::default()
        };
        Export::Metrics(ExportMetricsServiceRequest { resource_metrics: vec![of] })
    }

    fn points(n: usize) -> Data {
        Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default(); n] })
    }

    fn histogram(buckets: usize, own: usize) -> Data {
        let one = HistogramDataPoint {
            attributes: vec![text("k", "x".repeat(own))],
            bucket_counts: vec![1; buckets],
            explicit_bounds: (1..buckets).map(|n| n as f64).collect(),
            ..HistogramDataPoint::default()
        };
        Data::Histogram(Histogram { data_points: vec![one], ..Histogram::default() })
    }

    #[test]
    fn what_is_said_once_of_many_is_bounded() {
        let limits = Limits::default();
        let large = [
            logs((20_000, 10_000)),
            spans((20_000, 10_000, 1)),
            spans((20_000, 1, 10_000)),
            metrics(1, 10_000, points(20_000)),
            metrics(10_000, 1, points(20_000)),
            metrics(1, 1, histogram(20_000, 10_000)),
        ];
        for export in large {
            assert!(matches!(spread(&export, &limits), Err(Error::TooLarge { .. })));
        }
        // As many records as one request may hold, with all that is known of a pod.
        let usual = [
            logs((100_000, 1_500)),
            spans((100_000, 1_500, 50)),
            metrics(50, 1_500, points(100_000)),
            metrics(50, 1_500, histogram(1_000, 500)),
            logs((1, 5 << 20)),
        ];
        for export in usual {
            spread(&export, &limits).unwrap();
        }
    }
}
