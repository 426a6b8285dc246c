//! Catalogue: every message of OTLP, made up from choices and written as JSON in any allowed spelling.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::*;
use opentelemetry_proto::tonic::logs::v1::*;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::*;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::*;
use serde_json::{Map, Value as Json, json};

use super::dice::Dice;

/// A message that can be made up and written.
pub trait Write: Sized {
    fn make(d: &Dice) -> Self;
    fn write(&self, d: &Dice) -> Json;
}

/// An object whose names are written in either case.
struct Object<'a>(Map<String, Json>, &'a Dice);

impl Object<'_> {
    fn put(&mut self, snake: &str, value: Json) {
        let snake = snake.trim_start_matches("r#");
        let name = if self.1.coin() { snake.to_owned() } else { camel(snake) };
        self.0.insert(name, value);
    }
}

fn camel(snake: &str) -> String {
    let mut out = String::new();
    let mut up = false;
    for c in snake.chars() {
        match c {
            '_' => up = true,
            c if std::mem::take(&mut up) => out.extend(c.to_uppercase()),
            c => out.push(c),
        }
    }
    out
}

fn u64_(n: u64, d: &Dice) -> Json {
    if d.coin() { json!(n) } else { json!(n.to_string()) }
}

fn i64_(n: i64, d: &Dice) -> Json {
    if d.coin() { json!(n) } else { json!(n.to_string()) }
}

fn f64_(n: f64, d: &Dice) -> Json {
    match n {
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        n if d.coin() => json!(n.to_string()),
        n => json!(n),
    }
}

fn hex(bytes: &[u8], d: &Dice) -> Json {
    if d.coin() { json!(hex::encode(bytes)) } else { json!(hex::encode_upper(bytes)) }
}

fn list<T: Write>(all: &[T], d: &Dice) -> Json {
    all.iter().map(|one| one.write(d)).collect()
}

impl Write for AnyValue {
    fn make(d: &Dice) -> Self {
        use any_value::Value as V;
        let value = match d.below(9) {
            0 => None,
            1 => Some(V::StringValue(d.text())),
            2 => Some(V::BoolValue(d.coin())),
            3 => Some(V::IntValue(d.i64())),
            4 => Some(V::DoubleValue(d.f64())),
            5 => Some(V::ArrayValue(ArrayValue::make(d))),
            6 => Some(V::KvlistValue(KeyValueList::make(d))),
            7 => Some(V::BytesValue(d.bytes(usize::from(d.below(5))))),
            _ => Some(V::StringValueStrindex(d.i32())),
        };
        Self { value }
    }

    fn write(&self, d: &Dice) -> Json {
        use any_value::Value as V;
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let mut o = Object(Map::new(), d);
        match &self.value {
            None => {}
            Some(V::StringValue(v)) => o.put("string_value", json!(v)),
            Some(V::BoolValue(v)) => o.put("bool_value", json!(v)),
            Some(V::IntValue(v)) => o.put("int_value", i64_(*v, d)),
            Some(V::DoubleValue(v)) => o.put("double_value", f64_(*v, d)),
            Some(V::ArrayValue(v)) => o.put("array_value", v.write(d)),
            Some(V::KvlistValue(v)) => o.put("kvlist_value", v.write(d)),
            Some(V::BytesValue(v)) if d.coin() => o.put("bytes_value", json!(URL_SAFE_NO_PAD.encode(v))),
            Some(V::BytesValue(v)) => o.put("bytes_value", json!(STANDARD.encode(v))),
            Some(V::StringValueStrindex(v)) => o.put("string_value_strindex", json!(v)),
        }
        Json::Object(o.0)
    }
}

impl Write for Metric {
    fn make(d: &Dice) -> Self {
        use metric::Data as D;
        let data = match d.below(6) {
            0 => None,
            1 => Some(D::Gauge(Gauge::make(d))),
            2 => Some(D::Sum(Sum::make(d))),
            3 => Some(D::Histogram(Histogram::make(d))),
            4 => Some(D::ExponentialHistogram(ExponentialHistogram::make(d))),
            _ => Some(D::Summary(Summary::make(d))),
        };
        Self {
            name: d.text(),
            description: d.text(),
            unit: d.text(),
            metadata: d.many(|| KeyValue::make(d)),
            data,
        }
    }

    fn write(&self, d: &Dice) -> Json {
        use metric::Data as D;
        let mut o = Object(Map::new(), d);
        o.put("name", json!(self.name));
        o.put("description", json!(self.description));
        o.put("unit", json!(self.unit));
        o.put("metadata", list(&self.metadata, d));
        match &self.data {
            None => {}
            Some(D::Gauge(v)) => o.put("gauge", v.write(d)),
            Some(D::Sum(v)) => o.put("sum", v.write(d)),
            Some(D::Histogram(v)) => o.put("histogram", v.write(d)),
            Some(D::ExponentialHistogram(v)) => o.put("exponential_histogram", v.write(d)),
            Some(D::Summary(v)) => o.put("summary", v.write(d)),
        }
        Json::Object(o.0)
    }
}

impl Write for ArrayValue {
    fn make(d: &Dice) -> Self {
        Self { values: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("values", list(&self.values, d));
        Json::Object(o.0)
    }
}

impl Write for KeyValueList {
    fn make(d: &Dice) -> Self {
        Self { values: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("values", list(&self.values, d));
        Json::Object(o.0)
    }
}

impl Write for KeyValue {
    fn make(d: &Dice) -> Self {
        Self { key: d.text(), value: d.perhaps(|| Write::make(d)), key_strindex: d.i32() }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("key", json!(self.key));
        if let Some(v) = &self.value {
            o.put("value", v.write(d));
        }
        o.put("key_strindex", json!(self.key_strindex));
        Json::Object(o.0)
    }
}

impl Write for InstrumentationScope {
    fn make(d: &Dice) -> Self {
        Self {
            name: d.text(),
            version: d.text(),
            attributes: d.many(|| Write::make(d)),
            dropped_attributes_count: d.u32(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("name", json!(self.name));
        o.put("version", json!(self.version));
        o.put("attributes", list(&self.attributes, d));
        o.put("dropped_attributes_count", json!(self.dropped_attributes_count));
        Json::Object(o.0)
    }
}

impl Write for EntityRef {
    fn make(d: &Dice) -> Self {
        Self {
            schema_url: d.text(),
            r#type: d.text(),
            id_keys: d.many(|| d.text()),
            description_keys: d.many(|| d.text()),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("schema_url", json!(self.schema_url));
        o.put("r#type", json!(self.r#type));
        o.put("id_keys", json!(self.id_keys));
        o.put("description_keys", json!(self.description_keys));
        Json::Object(o.0)
    }
}

impl Write for Resource {
    fn make(d: &Dice) -> Self {
        Self {
            attributes: d.many(|| Write::make(d)),
            dropped_attributes_count: d.u32(),
            entity_refs: d.many(|| Write::make(d)),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("attributes", list(&self.attributes, d));
        o.put("dropped_attributes_count", json!(self.dropped_attributes_count));
        o.put("entity_refs", list(&self.entity_refs, d));
        Json::Object(o.0)
    }
}

impl Write for ExportLogsServiceRequest {
    fn make(d: &Dice) -> Self {
        Self { resource_logs: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("resource_logs", list(&self.resource_logs, d));
        Json::Object(o.0)
    }
}

impl Write for ResourceLogs {
    fn make(d: &Dice) -> Self {
        Self {
            resource: d.perhaps(|| Write::make(d)),
            scope_logs: d.many(|| Write::make(d)),
            schema_url: d.text(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        if let Some(v) = &self.resource {
            o.put("resource", v.write(d));
        }
        o.put("scope_logs", list(&self.scope_logs, d));
        o.put("schema_url", json!(self.schema_url));
        Json::Object(o.0)
    }
}

impl Write for ScopeLogs {
    fn make(d: &Dice) -> Self {
        Self {
            scope: d.perhaps(|| Write::make(d)),
            log_records: d.many(|| Write::make(d)),
            schema_url: d.text(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        if let Some(v) = &self.scope {
            o.put("scope", v.write(d));
        }
        o.put("log_records", list(&self.log_records, d));
        o.put("schema_url", json!(self.schema_url));
        Json::Object(o.0)
    }
}

impl Write for LogRecord {
    fn make(d: &Dice) -> Self {
        Self {
            time_unix_nano: d.u64(),
            observed_time_unix_nano: d.u64(),
            severity_number: i32::from(d.below(25)),
            severity_text: d.text(),
            body: d.perhaps(|| Write::make(d)),
            attributes: d.many(|| Write::make(d)),
            dropped_attributes_count: d.u32(),
            flags: d.u32(),
            trace_id: d.bytes(if d.coin() { 16 } else { 0 }),
            span_id: d.bytes(if d.coin() { 8 } else { 0 }),
            event_name: d.text(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("observed_time_unix_nano", u64_(self.observed_time_unix_nano, d));
        let named = SeverityNumber::try_from(self.severity_number).unwrap().as_str_name();
        o.put("severity_number", if d.coin() { json!(named) } else { json!(self.severity_number) });
        o.put("severity_text", json!(self.severity_text));
        if let Some(v) = &self.body {
            o.put("body", v.write(d));
        }
        o.put("attributes", list(&self.attributes, d));
        o.put("dropped_attributes_count", json!(self.dropped_attributes_count));
        o.put("flags", json!(self.flags));
        o.put("trace_id", hex(&self.trace_id, d));
        o.put("span_id", hex(&self.span_id, d));
        o.put("event_name", json!(self.event_name));
        Json::Object(o.0)
    }
}

impl Write for ExportTraceServiceRequest {
    fn make(d: &Dice) -> Self {
        Self { resource_spans: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("resource_spans", list(&self.resource_spans, d));
        Json::Object(o.0)
    }
}

impl Write for ResourceSpans {
    fn make(d: &Dice) -> Self {
        Self {
            resource: d.perhaps(|| Write::make(d)),
            scope_spans: d.many(|| Write::make(d)),
            schema_url: d.text(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        if let Some(v) = &self.resource {
            o.put("resource", v.write(d));
        }
        o.put("scope_spans", list(&self.scope_spans, d));
        o.put("schema_url", json!(self.schema_url));
        Json::Object(o.0)
    }
}

impl Write for ScopeSpans {
    fn make(d: &Dice) -> Self {
        Self { scope: d.perhaps(|| Write::make(d)), spans: d.many(|| Write::make(d)), schema_url: d.text() }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        if let Some(v) = &self.scope {
            o.put("scope", v.write(d));
        }
        o.put("spans", list(&self.spans, d));
        o.put("schema_url", json!(self.schema_url));
        Json::Object(o.0)
    }
}

impl Write for Span {
    fn make(d: &Dice) -> Self {
        Self {
            trace_id: d.bytes(if d.coin() { 16 } else { 0 }),
            span_id: d.bytes(if d.coin() { 8 } else { 0 }),
            trace_state: d.text(),
            parent_span_id: d.bytes(if d.coin() { 8 } else { 0 }),
            flags: d.u32(),
            name: d.text(),
            kind: i32::from(d.below(6)),
            start_time_unix_nano: d.u64(),
            end_time_unix_nano: d.u64(),
            attributes: d.many(|| Write::make(d)),
            dropped_attributes_count: d.u32(),
            events: d.many(|| Write::make(d)),
            dropped_events_count: d.u32(),
            links: d.many(|| Write::make(d)),
            dropped_links_count: d.u32(),
            status: d.perhaps(|| Write::make(d)),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("trace_id", hex(&self.trace_id, d));
        o.put("span_id", hex(&self.span_id, d));
        o.put("trace_state", json!(self.trace_state));
        o.put("parent_span_id", hex(&self.parent_span_id, d));
        o.put("flags", json!(self.flags));
        o.put("name", json!(self.name));
        let named = SpanKind::try_from(self.kind).unwrap().as_str_name();
        o.put("kind", if d.coin() { json!(named) } else { json!(self.kind) });
        o.put("start_time_unix_nano", u64_(self.start_time_unix_nano, d));
        o.put("end_time_unix_nano", u64_(self.end_time_unix_nano, d));
        o.put("attributes", list(&self.attributes, d));
        o.put("dropped_attributes_count", json!(self.dropped_attributes_count));
        o.put("events", list(&self.events, d));
        o.put("dropped_events_count", json!(self.dropped_events_count));
        o.put("links", list(&self.links, d));
        o.put("dropped_links_count", json!(self.dropped_links_count));
        if let Some(v) = &self.status {
            o.put("status", v.write(d));
        }
        Json::Object(o.0)
    }
}

impl Write for Event {
    fn make(d: &Dice) -> Self {
        Self {
            time_unix_nano: d.u64(),
            name: d.text(),
            attributes: d.many(|| Write::make(d)),
            dropped_attributes_count: d.u32(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("name", json!(self.name));
        o.put("attributes", list(&self.attributes, d));
        o.put("dropped_attributes_count", json!(self.dropped_attributes_count));
        Json::Object(o.0)
    }
}

impl Write for Link {
    fn make(d: &Dice) -> Self {
        Self {
            trace_id: d.bytes(if d.coin() { 16 } else { 0 }),
            span_id: d.bytes(if d.coin() { 8 } else { 0 }),
            trace_state: d.text(),
            attributes: d.many(|| Write::make(d)),
            dropped_attributes_count: d.u32(),
            flags: d.u32(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("trace_id", hex(&self.trace_id, d));
        o.put("span_id", hex(&self.span_id, d));
        o.put("trace_state", json!(self.trace_state));
        o.put("attributes", list(&self.attributes, d));
        o.put("dropped_attributes_count", json!(self.dropped_attributes_count));
        o.put("flags", json!(self.flags));
        Json::Object(o.0)
    }
}

impl Write for Status {
    fn make(d: &Dice) -> Self {
        Self { message: d.text(), code: i32::from(d.below(3)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("message", json!(self.message));
        let named = StatusCode::try_from(self.code).unwrap().as_str_name();
        o.put("code", if d.coin() { json!(named) } else { json!(self.code) });
        Json::Object(o.0)
    }
}

impl Write for ExportMetricsServiceRequest {
    fn make(d: &Dice) -> Self {
        Self { resource_metrics: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("resource_metrics", list(&self.resource_metrics, d));
        Json::Object(o.0)
    }
}

impl Write for ResourceMetrics {
    fn make(d: &Dice) -> Self {
        Self {
            resource: d.perhaps(|| Write::make(d)),
            scope_metrics: d.many(|| Write::make(d)),
            schema_url: d.text(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        if let Some(v) = &self.resource {
            o.put("resource", v.write(d));
        }
        o.put("scope_metrics", list(&self.scope_metrics, d));
        o.put("schema_url", json!(self.schema_url));
        Json::Object(o.0)
    }
}

impl Write for ScopeMetrics {
    fn make(d: &Dice) -> Self {
        Self { scope: d.perhaps(|| Write::make(d)), metrics: d.many(|| Write::make(d)), schema_url: d.text() }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        if let Some(v) = &self.scope {
            o.put("scope", v.write(d));
        }
        o.put("metrics", list(&self.metrics, d));
        o.put("schema_url", json!(self.schema_url));
        Json::Object(o.0)
    }
}

impl Write for Gauge {
    fn make(d: &Dice) -> Self {
        Self { data_points: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("data_points", list(&self.data_points, d));
        Json::Object(o.0)
    }
}

impl Write for Sum {
    fn make(d: &Dice) -> Self {
        Self {
            data_points: d.many(|| Write::make(d)),
            aggregation_temporality: i32::from(d.below(3)),
            is_monotonic: d.coin(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("data_points", list(&self.data_points, d));
        let named = AggregationTemporality::try_from(self.aggregation_temporality).unwrap().as_str_name();
        o.put(
            "aggregation_temporality",
            if d.coin() { json!(named) } else { json!(self.aggregation_temporality) },
        );
        o.put("is_monotonic", json!(self.is_monotonic));
        Json::Object(o.0)
    }
}

impl Write for Histogram {
    fn make(d: &Dice) -> Self {
        Self { data_points: d.many(|| Write::make(d)), aggregation_temporality: i32::from(d.below(3)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("data_points", list(&self.data_points, d));
        let named = AggregationTemporality::try_from(self.aggregation_temporality).unwrap().as_str_name();
        o.put(
            "aggregation_temporality",
            if d.coin() { json!(named) } else { json!(self.aggregation_temporality) },
        );
        Json::Object(o.0)
    }
}

impl Write for ExponentialHistogram {
    fn make(d: &Dice) -> Self {
        Self { data_points: d.many(|| Write::make(d)), aggregation_temporality: i32::from(d.below(3)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("data_points", list(&self.data_points, d));
        let named = AggregationTemporality::try_from(self.aggregation_temporality).unwrap().as_str_name();
        o.put(
            "aggregation_temporality",
            if d.coin() { json!(named) } else { json!(self.aggregation_temporality) },
        );
        Json::Object(o.0)
    }
}

impl Write for Summary {
    fn make(d: &Dice) -> Self {
        Self { data_points: d.many(|| Write::make(d)) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("data_points", list(&self.data_points, d));
        Json::Object(o.0)
    }
}

impl Write for NumberDataPoint {
    fn make(d: &Dice) -> Self {
        Self {
            attributes: d.many(|| Write::make(d)),
            start_time_unix_nano: d.u64(),
            time_unix_nano: d.u64(),
            exemplars: d.many(|| Write::make(d)),
            flags: d.u32(),
            value: d.perhaps(|| {
                if d.coin() {
                    number_data_point::Value::AsInt(d.i64())
                } else {
                    number_data_point::Value::AsDouble(d.f64())
                }
            }),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("attributes", list(&self.attributes, d));
        o.put("start_time_unix_nano", u64_(self.start_time_unix_nano, d));
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("exemplars", list(&self.exemplars, d));
        o.put("flags", json!(self.flags));
        match self.value {
            None => {}
            Some(number_data_point::Value::AsInt(n)) => o.put("as_int", i64_(n, d)),
            Some(number_data_point::Value::AsDouble(n)) => o.put("as_double", f64_(n, d)),
        }
        Json::Object(o.0)
    }
}

impl Write for HistogramDataPoint {
    fn make(d: &Dice) -> Self {
        Self {
            attributes: d.many(|| Write::make(d)),
            start_time_unix_nano: d.u64(),
            time_unix_nano: d.u64(),
            count: d.u64(),
            sum: d.perhaps(|| d.f64()),
            bucket_counts: d.many(|| d.u64()),
            explicit_bounds: d.many(|| d.f64()),
            exemplars: d.many(|| Write::make(d)),
            flags: d.u32(),
            min: d.perhaps(|| d.f64()),
            max: d.perhaps(|| d.f64()),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("attributes", list(&self.attributes, d));
        o.put("start_time_unix_nano", u64_(self.start_time_unix_nano, d));
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("count", u64_(self.count, d));
        if let Some(v) = self.sum {
            o.put("sum", f64_(v, d));
        }
        o.put("bucket_counts", self.bucket_counts.iter().map(|n| u64_(*n, d)).collect());
        o.put("explicit_bounds", self.explicit_bounds.iter().map(|n| f64_(*n, d)).collect());
        o.put("exemplars", list(&self.exemplars, d));
        o.put("flags", json!(self.flags));
        if let Some(v) = self.min {
            o.put("min", f64_(v, d));
        }
        if let Some(v) = self.max {
            o.put("max", f64_(v, d));
        }
        Json::Object(o.0)
    }
}

impl Write for ExponentialHistogramDataPoint {
    fn make(d: &Dice) -> Self {
        Self {
            attributes: d.many(|| Write::make(d)),
            start_time_unix_nano: d.u64(),
            time_unix_nano: d.u64(),
            count: d.u64(),
            sum: d.perhaps(|| d.f64()),
            scale: d.i32(),
            zero_count: d.u64(),
            positive: d.perhaps(|| Write::make(d)),
            negative: d.perhaps(|| Write::make(d)),
            flags: d.u32(),
            exemplars: d.many(|| Write::make(d)),
            min: d.perhaps(|| d.f64()),
            max: d.perhaps(|| d.f64()),
            zero_threshold: d.f64(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("attributes", list(&self.attributes, d));
        o.put("start_time_unix_nano", u64_(self.start_time_unix_nano, d));
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("count", u64_(self.count, d));
        if let Some(v) = self.sum {
            o.put("sum", f64_(v, d));
        }
        o.put("scale", json!(self.scale));
        o.put("zero_count", u64_(self.zero_count, d));
        if let Some(v) = &self.positive {
            o.put("positive", v.write(d));
        }
        if let Some(v) = &self.negative {
            o.put("negative", v.write(d));
        }
        o.put("flags", json!(self.flags));
        o.put("exemplars", list(&self.exemplars, d));
        if let Some(v) = self.min {
            o.put("min", f64_(v, d));
        }
        if let Some(v) = self.max {
            o.put("max", f64_(v, d));
        }
        o.put("zero_threshold", f64_(self.zero_threshold, d));
        Json::Object(o.0)
    }
}

impl Write for Buckets {
    fn make(d: &Dice) -> Self {
        Self { offset: d.i32(), bucket_counts: d.many(|| d.u64()) }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("offset", json!(self.offset));
        o.put("bucket_counts", self.bucket_counts.iter().map(|n| u64_(*n, d)).collect());
        Json::Object(o.0)
    }
}

impl Write for SummaryDataPoint {
    fn make(d: &Dice) -> Self {
        Self {
            attributes: d.many(|| Write::make(d)),
            start_time_unix_nano: d.u64(),
            time_unix_nano: d.u64(),
            count: d.u64(),
            sum: d.f64(),
            quantile_values: d.many(|| Write::make(d)),
            flags: d.u32(),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("attributes", list(&self.attributes, d));
        o.put("start_time_unix_nano", u64_(self.start_time_unix_nano, d));
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("count", u64_(self.count, d));
        o.put("sum", f64_(self.sum, d));
        o.put("quantile_values", list(&self.quantile_values, d));
        o.put("flags", json!(self.flags));
        Json::Object(o.0)
    }
}

impl Write for ValueAtQuantile {
    fn make(d: &Dice) -> Self {
        Self { quantile: d.f64(), value: d.f64() }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("quantile", f64_(self.quantile, d));
        o.put("value", f64_(self.value, d));
        Json::Object(o.0)
    }
}

impl Write for Exemplar {
    fn make(d: &Dice) -> Self {
        Self {
            filtered_attributes: d.many(|| Write::make(d)),
            time_unix_nano: d.u64(),
            span_id: d.bytes(if d.coin() { 8 } else { 0 }),
            trace_id: d.bytes(if d.coin() { 16 } else { 0 }),
            value: d.perhaps(|| {
                if d.coin() { exemplar::Value::AsInt(d.i64()) } else { exemplar::Value::AsDouble(d.f64()) }
            }),
        }
    }

    fn write(&self, d: &Dice) -> Json {
        let mut o = Object(Map::new(), d);
        o.put("filtered_attributes", list(&self.filtered_attributes, d));
        o.put("time_unix_nano", u64_(self.time_unix_nano, d));
        o.put("span_id", hex(&self.span_id, d));
        o.put("trace_id", hex(&self.trace_id, d));
        match self.value {
            None => {}
            Some(exemplar::Value::AsInt(n)) => o.put("as_int", i64_(n, d)),
            Some(exemplar::Value::AsDouble(n)) => o.put("as_double", f64_(n, d)),
        }
        Json::Object(o.0)
    }
}
