//! Points and events as OTLP requests.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use ph_model::{Attributes, NumberValue, Point, PointKind, Value};

use crate::events::EventRecord;
use crate::metrics::ResourcePoints;

const CUMULATIVE: i32 = 2;

pub fn metrics(all: Vec<ResourcePoints>) -> ExportMetricsServiceRequest {
    let resource_metrics = all
        .into_iter()
        .map(|rp| ResourceMetrics {
            resource: Some(resource(&rp.resource)),
            scope_metrics: vec![ScopeMetrics {
                metrics: rp.points.into_iter().map(metric_of).collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
        .collect();
    ExportMetricsServiceRequest { resource_metrics }
}

pub fn logs(events: &[EventRecord]) -> ExportLogsServiceRequest {
    let resource_logs = events
        .iter()
        .map(|e| ResourceLogs {
            resource: Some(resource(&e.resource)),
            scope_logs: vec![ScopeLogs { log_records: vec![record(e)], ..Default::default() }],
            ..Default::default()
        })
        .collect();
    ExportLogsServiceRequest { resource_logs }
}

fn resource(a: &Attributes) -> Resource {
    Resource { attributes: attributes(a), ..Default::default() }
}

fn attributes(a: &Attributes) -> Vec<KeyValue> {
    a.iter().map(|(k, v)| KeyValue { key: k.to_owned(), value: Some(any(v)), ..Default::default() }).collect()
}

fn any(v: &Value) -> AnyValue {
    let value = match v {
        Value::Bool(b) => any_value::Value::BoolValue(*b),
        Value::Int(i) => any_value::Value::IntValue(*i),
        Value::Double(d) => any_value::Value::DoubleValue(*d),
        other => any_value::Value::StringValue(other.to_text()),
    };
    AnyValue { value: Some(value) }
}

fn metric_of(p: Point) -> Metric {
    let nanos = |ms: i64| u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000);
    let point = NumberDataPoint {
        attributes: attributes(&p.attributes),
        time_unix_nano: nanos(p.at_ms),
        start_time_unix_nano: p.start_ms.map_or(0, nanos),
        value: Some(match p.value {
            NumberValue::Int(i) => number_data_point::Value::AsInt(i),
            NumberValue::Double(d) => number_data_point::Value::AsDouble(d),
        }),
        ..Default::default()
    };
    let data = match p.kind {
        PointKind::Gauge => metric::Data::Gauge(Gauge { data_points: vec![point] }),
        kind => metric::Data::Sum(Sum {
            data_points: vec![point],
            aggregation_temporality: CUMULATIVE,
            is_monotonic: kind == PointKind::Counter,
        }),
    };
    Metric { name: p.name.to_owned(), unit: p.unit.to_owned(), data: Some(data), ..Default::default() }
}

fn record(e: &EventRecord) -> LogRecord {
    let nanos = u64::try_from(e.at_ms).unwrap_or(0).saturating_mul(1_000_000);
    LogRecord {
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos,
        severity_number: if e.warning { 13 } else { 9 },
        severity_text: if e.warning { "WARN".into() } else { "INFO".into() },
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(e.note.clone())) }),
        attributes: attributes(&e.attributes),
        ..Default::default()
    }
}
