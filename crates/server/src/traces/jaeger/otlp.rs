//! Spans as OTLP/JSON.
//!
//! Source: OTLP specification 1.x, "JSON Protobuf Encoding".

use ph_model::{Attributes, SpanRow, Value};
use serde_json::{Value as Json, json};

use crate::traces::view::{events, hex, links};

/// Spans by resource and scope, in the order in which each first appears.
pub fn resource_spans<'a>(rows: impl IntoIterator<Item = &'a SpanRow>) -> Json {
    let mut resources: Vec<(&Attributes, Vec<(&str, Vec<Json>)>)> = Vec::new();
    for row in rows {
        let at = resources.iter().position(|(r, _)| **r == row.resource).unwrap_or_else(|| {
            resources.push((&row.resource, Vec::new()));
            resources.len() - 1
        });
        let Some((_, scopes)) = resources.get_mut(at) else { continue };
        match scopes.iter_mut().find(|(name, _)| *name == row.scope) {
            Some((_, spans)) => spans.push(span(row)),
            None => scopes.push((&row.scope, vec![span(row)])),
        }
    }
    resources
        .into_iter()
        .map(|(resource, scopes)| {
            let scopes: Vec<Json> = scopes
                .into_iter()
                .map(|(name, spans)| json!({"scope": {"name": name}, "spans": spans}))
                .collect();
            json!({"resource": {"attributes": attributes(resource)}, "scopeSpans": scopes})
        })
        .collect()
}

fn span(row: &SpanRow) -> Json {
    let end = row.start.saturating_add(i64::try_from(row.duration_ns).unwrap_or(i64::MAX));
    let events: Vec<Json> = events(row)
        .into_iter()
        .map(|e| json!({"timeUnixNano": e.at_ns, "name": e.name, "attributes": pairs(e.attributes)}))
        .collect();
    let links: Vec<Json> = links(row)
        .into_iter()
        .map(|l| json!({"traceId": l.trace_id, "spanId": l.span_id, "attributes": pairs(l.attributes)}))
        .collect();
    json!({
        "traceId": hex(&row.trace_id),
        "spanId": hex(&row.span_id),
        "parentSpanId": row.parent_id.map(|p| hex(&p)).unwrap_or_default(),
        "traceState": row.trace_state,
        "flags": row.flags,
        "name": row.name,
        "kind": row.kind as u8,
        "startTimeUnixNano": row.start.to_string(),
        "endTimeUnixNano": end.to_string(),
        "attributes": attributes(&row.attributes),
        "events": events,
        "links": links,
        "status": {"code": row.status as u8, "message": row.status_text},
    })
}

fn attributes(all: &Attributes) -> Json {
    all.iter().map(|(k, v)| json!({"key": k, "value": value(v)})).collect()
}

fn value(v: &Value) -> Json {
    use base64::Engine;
    match v {
        Value::Bool(b) => json!({"boolValue": b}),
        Value::Int(i) => json!({"intValue": i.to_string()}),
        Value::Double(d) if d.is_finite() => json!({"doubleValue": d}),
        Value::Double(d) if d.is_nan() => json!({"doubleValue": "NaN"}),
        Value::Double(d) => json!({"doubleValue": if *d > 0.0 { "Infinity" } else { "-Infinity" }}),
        Value::Str(s) => json!({"stringValue": s}),
        Value::Bytes(b) => json!({"bytesValue": base64::engine::general_purpose::STANDARD.encode(b)}),
        Value::Array(a) => json!({"arrayValue": {"values": a.iter().map(value).collect::<Vec<_>>()}}),
        Value::Map(m) => {
            let values: Vec<Json> = m.iter().map(|(k, v)| json!({"key": k, "value": value(v)})).collect();
            json!({"kvlistValue": {"values": values}})
        }
    }
}

/// Attributes of events and links, whose types are known from their JSON alone.
fn pairs(all: impl IntoIterator<Item = (String, Json)>) -> Json {
    let value = |v: Json| match v {
        Json::Bool(b) => json!({"boolValue": b}),
        Json::Number(n) if n.is_f64() => json!({"doubleValue": n}),
        Json::Number(n) => json!({"intValue": n.to_string()}),
        Json::String(s) => json!({"stringValue": s}),
        other => json!({"stringValue": other.to_string()}),
    };
    all.into_iter().map(|(k, v)| json!({"key": k, "value": value(v)})).collect()
}
