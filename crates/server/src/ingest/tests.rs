//! Requests as agents send them become rows with the credential's cluster, whatever the payload claims.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::delta::Deltas;
use super::*;

fn stamp() -> Stamp {
    Stamp { cluster_name: "prod".into(), cluster_id: "c".into(), cluster_uid: "u".into() }
}

fn summing(deltas: &Deltas) -> metrics::Summing<'_> {
    metrics::Summing { deltas, org: ph_model::OrgId::from_bytes([1; 16]), now_ms: 5_000 }
}

fn kv(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
        ..Default::default()
    }
}

fn resource(pairs: &[(&str, &str)]) -> Option<Resource> {
    Some(Resource { attributes: pairs.iter().map(|(k, v)| kv(k, v)).collect(), ..Default::default() })
}

fn point(ms: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: ms * 1_000_000,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

fn metrics_of(data: metric::Data) -> ExportMetricsServiceRequest {
    let metric =
        Metric { name: "k8s.pod.cpu.time".into(), unit: "s".into(), data: Some(data), ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(&[
                ("k8s.pod.name", "web-1"),
                ("k8s.cluster.name", "forged"),
                ("k8s.deployment.name", "web"),
                ("os.type", "linux"),
            ]),
            scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }],
            ..Default::default()
        }],
    }
}

#[test]
fn series_carry_identity_only_and_the_credentials_cluster() {
    let sum = Sum {
        data_points: vec![point(1_000, 1.0), point(2_000, 2.0)],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let metrics::Decoded { series, refused, .. } =
        metrics::decode(metrics_of(metric::Data::Sum(sum)), &stamp(), summing(&Deltas::default()));
    assert!(refused.is_empty());
    assert_eq!(series.len(), 1);
    assert_eq!(
        series[0].labels.to_string(),
        r#"{__name__="k8s.pod.cpu.time", k8s.cluster.name="prod", k8s.deployment.name="web", k8s.pod.name="web-1"}"#
    );
    assert_eq!(series[0].samples.len(), 2);
}

#[test]
fn what_other_conventions_call_otherwise_is_one_series() {
    let point =
        NumberDataPoint { attributes: vec![kv("cpu.mode", "iowait"), kv("cpu", "0")], ..point(1_000, 1.0) };
    let mut request = metrics_of(metric::Data::Gauge(Gauge { data_points: vec![point] }));
    let mut names = Vec::new();
    for name in ["system.cpu.time", "k8s.deployment.pod.desired", "shop.deployment.pod.desired"] {
        let resource = &mut request.resource_metrics[0];
        resource.resource = None;
        resource.scope_metrics[0].metrics[0].name = name.into();
        let found = metrics::decode(request.clone(), &Stamp::default(), summing(&Deltas::default()));
        names.push(found.series[0].labels.to_string());
    }
    let expected = [
        r#"{__name__="system.cpu.time", cpu="0", state="wait"}"#,
        r#"{__name__="k8s.deployment.desired", cpu="0", cpu.mode="iowait"}"#,
        r#"{__name__="shop.deployment.pod.desired", cpu="0", cpu.mode="iowait"}"#,
    ];
    assert_eq!(names, expected);
}

#[test]
fn deltas_add_up_and_points_without_time_are_refused_with_a_count() {
    let deltas = Deltas::default();
    let of = |points: Vec<NumberDataPoint>| {
        let delta = Sum { data_points: points, aggregation_temporality: 1, is_monotonic: true };
        let found = metrics::decode(metrics_of(metric::Data::Sum(delta)), &stamp(), summing(&deltas));
        (found.series, found.refused)
    };
    let starting = |ms, value| NumberDataPoint { start_time_unix_nano: 1_000_000_000, ..point(ms, value) };
    let told = |series: &[ph_model::Series]| {
        series.iter().flat_map(|s| &s.samples).map(|s| (s.at_ms, s.value)).collect::<Vec<_>>()
    };
    let (series, refused) = of(vec![starting(2_000, 1.0), starting(3_000, 2.0)]);
    assert!(refused.is_empty());
    assert_eq!(series[0].kind, ph_model::SeriesKind::Counter);
    assert_eq!(told(&series), [(1_000, 0.0), (2_000, 1.0), (3_000, 3.0)]);
    assert_eq!(told(&of(vec![starting(3_000, 2.0), starting(4_000, 0.5)]).0), [(3_000, 3.0), (4_000, 3.5)]);
    let (series, refused) = of(vec![starting(1_500, 1.0)]);
    assert!(series.is_empty());
    assert_eq!((refused[0].reason, refused[0].count), ("delta_out_of_order", 1));
    let gauge = metric::Data::Gauge(Gauge { data_points: vec![point(0, 1.0)] });
    let metrics::Decoded { refused, .. } = metrics::decode(metrics_of(gauge), &stamp(), summing(&deltas));
    assert_eq!(refused[0].reason, "no_timestamp");
}

#[test]
fn histograms_of_deltas_add_up_and_exponential_ones_are_refused_by_name() {
    let deltas = Deltas::default();
    let of = |ms: u64| Histogram {
        aggregation_temporality: 1,
        data_points: vec![HistogramDataPoint {
            time_unix_nano: ms * 1_000_000,
            count: 3,
            sum: Some(1.5),
            exemplars: vec![Exemplar {
                time_unix_nano: ms * 1_000_000,
                value: Some(exemplar::Value::AsDouble(0.7)),
                trace_id: vec![7; 16],
                ..Default::default()
            }],
            bucket_counts: vec![1, 2],
            explicit_bounds: vec![0.5],
            ..Default::default()
        }],
    };
    for (ms, times) in [(1_000, 1.0), (2_000, 2.0)] {
        let metrics::Decoded { series, exemplars, refused } =
            metrics::decode(metrics_of(metric::Data::Histogram(of(ms))), &stamp(), summing(&deltas));
        assert!(refused.is_empty());
        let values: Vec<f64> = series.iter().flat_map(|s| &s.samples).map(|s| s.value / times).collect();
        assert_eq!(exemplars.len(), 1);
        assert_eq!(exemplars[0].series.value("le"), Some("+Inf"), "the bucket that counts it");
        assert_eq!((exemplars[0].value, exemplars[0].trace_id), (0.7, Some([7; 16])));
        assert_eq!(values, [1.0, 3.0, 3.0, 1.5], "bucket, bucket, count, sum at {ms}");
    }
    let exponential = ExponentialHistogram { data_points: vec![Default::default()], ..Default::default() };
    let data = metric::Data::ExponentialHistogram(exponential);
    let metrics::Decoded { series, refused, .. } =
        metrics::decode(metrics_of(data), &stamp(), summing(&deltas));
    assert!(series.is_empty());
    assert_eq!((refused[0].reason, refused[0].count), ("native_histograms_unsupported", 1));
}

fn record(attributes: &[(&str, &str)]) -> LogRecord {
    LogRecord {
        time_unix_nano: 5,
        severity_number: 17,
        body: Some(AnyValue { value: Some(any_value::Value::StringValue("boom".into())) }),
        attributes: attributes.iter().map(|(k, v)| kv(k, v)).collect(),
        ..Default::default()
    }
}

fn logs_of(records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(&[
                ("k8s.pod.name", "web-1"),
                ("k8s.container.name", "app"),
                ("k8s.statefulset.name", "db"),
            ]),
            scope_logs: vec![ScopeLogs { log_records: records, ..Default::default() }],
            ..Default::default()
        }],
    }
}

#[test]
fn lines_keep_position_and_stream_and_events_go_their_own_way() {
    let line = record(&[
        ("log.iostream", "stderr"),
        ("log.segment_key", "ff"),
        ("log.offset", "77"),
        ("custom", "1"),
    ]);
    let event = record(&[
        ("k8s.event.name", "web.1"),
        ("k8s.event.uid", "e1"),
        ("k8s.event.reason", "BackOff"),
        ("k8s.event.type", "Warning"),
    ]);
    let (rows, events, _) = logs::decode(logs_of(vec![line, event]), &stamp(), 9);
    let r = &rows[0];
    assert_eq!(
        (r.iostream.as_str(), r.segment_key, r.offset, r.workload_kind.as_str(), r.workload.as_str()),
        ("stderr", 255, 77, "StatefulSet", "db")
    );
    assert_eq!((r.message.as_slice(), r.level, r.ts, r.attributes.len()), (b"boom".as_slice(), 17, 5, 1));
    assert_eq!(
        (
            events[0].uid.as_str(),
            events[0].reason.as_str(),
            events[0].r#type.as_str(),
            events[0].cluster.as_str()
        ),
        ("e1", "BackOff", "Warning", "prod")
    );
}

pub(crate) mod senders;
mod write;
