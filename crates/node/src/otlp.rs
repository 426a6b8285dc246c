//! Points as OTLP requests.
//!
//! Out:    one metric a name and resource, with all its points; requests that stay below a size.
//! Source: opentelemetry-proto, metrics.proto.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use ph_model::{Attributes, NumberValue, Point, PointKind, Value, is_stale_marker};
use prost::Message;

use crate::enrich::ResourcePoints;

/// Encoded requests, each at most about `max_bytes`; a single resource is never split.
pub fn metrics(all: Vec<ResourcePoints>, max_bytes: usize) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let mut current = ExportMetricsServiceRequest::default();
    let mut size = 0;
    for one in all {
        let resource = resource_metrics(one);
        let bytes = resource.encoded_len();
        if size > 0 && size + bytes > max_bytes {
            requests.push(std::mem::take(&mut current).encode_to_vec());
            size = 0;
        }
        size += bytes;
        current.resource_metrics.push(resource);
    }
    if size > 0 {
        requests.push(current.encode_to_vec());
    }
    requests
}

/// Our instrumentation scope.
pub fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "pilothouse/node".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    }
}

fn resource_metrics(one: ResourcePoints) -> ResourceMetrics {
    let mut metrics: Vec<Metric> = Vec::new();
    for point in one.points {
        let data = data_point(&point);
        match metrics.iter_mut().find(|m| m.name == point.name) {
            Some(metric) => match &mut metric.data {
                Some(metric::Data::Gauge(g)) => g.data_points.push(data),
                Some(metric::Data::Sum(s)) => s.data_points.push(data),
                _ => {}
            },
            None => metrics.push(metric_of(&point, data)),
        }
    }
    ResourceMetrics {
        resource: Some(resource(&one.resource)),
        scope_metrics: vec![ScopeMetrics { scope: Some(scope()), metrics, ..Default::default() }],
        ..Default::default()
    }
}

fn metric_of(point: &Point, data: NumberDataPoint) -> Metric {
    let data_points = vec![data];
    let data = match point.kind {
        PointKind::Gauge => metric::Data::Gauge(Gauge { data_points }),
        PointKind::Counter | PointKind::UpDown => metric::Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: point.kind == PointKind::Counter,
        }),
    };
    Metric {
        name: point.name.to_owned(),
        unit: point.unit.to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

fn data_point(point: &Point) -> NumberDataPoint {
    let ended = matches!(point.value, NumberValue::Double(d) if is_stale_marker(d));
    NumberDataPoint {
        attributes: attributes(&point.attributes),
        start_time_unix_nano: point.start_ms.map_or(0, nanos),
        time_unix_nano: nanos(point.at_ms),
        flags: if ended { DataPointFlags::NoRecordedValueMask as u32 } else { 0 },
        value: match point.value {
            _ if ended => None,
            NumberValue::Int(i) => Some(number_data_point::Value::AsInt(i)),
            NumberValue::Double(d) => Some(number_data_point::Value::AsDouble(d)),
        },
        ..Default::default()
    }
}

fn nanos(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

/// A resource of these attributes.
pub fn resource(of: &Attributes) -> Resource {
    Resource { attributes: attributes(of), ..Default::default() }
}

/// Attributes in their order.
pub fn attributes(of: &Attributes) -> Vec<KeyValue> {
    of.iter().map(|(key, value)| pair(key, any(value))).collect()
}

/// One attribute.
pub fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

/// A value of any type.
pub fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Bool(b) => any_value::Value::BoolValue(*b),
        Value::Int(i) => any_value::Value::IntValue(*i),
        Value::Double(d) => any_value::Value::DoubleValue(*d),
        Value::Str(s) => any_value::Value::StringValue(s.clone()),
        Value::Bytes(b) => any_value::Value::BytesValue(b.clone()),
        Value::Array(a) => any_value::Value::ArrayValue(ArrayValue { values: a.iter().map(any).collect() }),
        Value::Map(_) => any_value::Value::StringValue(value.to_text()),
    };
    AnyValue { value: Some(value) }
}

#[cfg(test)]
mod tests;
