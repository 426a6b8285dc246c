//! Spans in Jaeger's JSON.

use ph_model::{Attributes, SpanKind, SpanRow, SpanStatus, Value};
use serde_json::{Value as Json, json};

use crate::traces::view::{events, flags, hex, links};

/// One trace: spans, and the processes they ran in.
pub fn trace(id: [u8; 16], trace: &ph_store::Trace) -> Json {
    let mut processes: Vec<(&str, &Attributes)> = Vec::new();
    let mut spans = Vec::with_capacity(trace.spans.len());
    for (row, flags) in trace.spans.iter().zip(flags(&trace.spans)) {
        let process = (row.service.as_str(), &row.resource);
        let at = processes.iter().position(|p| *p == process).unwrap_or_else(|| {
            processes.push(process);
            processes.len() - 1
        });
        spans.push(span(row, &format!("p{}", at + 1), &flags));
    }
    let processes: serde_json::Map<String, Json> = (1..)
        .zip(processes)
        .map(|(n, (service, resource))| {
            let tags: Vec<Json> =
                resource.iter().filter(|(k, _)| *k != "service.name").map(|(k, v)| tag(k, v)).collect();
            (format!("p{n}"), json!({"serviceName": service, "tags": tags}))
        })
        .collect();
    let warnings =
        (!trace.complete).then(|| vec!["more spans of this trace may come, or some could not be read"]);
    json!({"traceID": hex(&id), "spans": spans, "processes": processes, "warnings": warnings})
}

fn span(row: &SpanRow, process: &str, odd: &[&str]) -> Json {
    let id = hex(&row.trace_id);
    let mut references: Vec<Json> = row
        .parent_id
        .map(|p| json!({"refType": "CHILD_OF", "traceID": id, "spanID": hex(&p)}))
        .into_iter()
        .collect();
    references.extend(
        links(row)
            .iter()
            .map(|l| json!({"refType": "FOLLOWS_FROM", "traceID": l.trace_id, "spanID": l.span_id})),
    );
    let logs: Vec<Json> = events(row)
        .into_iter()
        .map(|e| {
            let mut fields = vec![json!({"key": "event", "type": "string", "value": e.name})];
            fields.extend(e.attributes.into_iter().map(|(k, v)| untyped(&k, v)));
            json!({"timestamp": e.at_ns.parse::<i64>().unwrap_or(0) / 1_000, "fields": fields})
        })
        .collect();
    let warnings: Vec<&str> = odd
        .iter()
        .map(|flag| match *flag {
            "missing_parent" => "the parent of this span is not stored",
            _ => "this span lies outside of its parent: clocks differ, or work went on behind the call",
        })
        .collect();
    json!({
        "traceID": id,
        "spanID": hex(&row.span_id),
        "flags": row.flags & 0xff,
        "operationName": row.name,
        "references": references,
        "startTime": row.start / 1_000,
        "duration": row.duration_ns / 1_000,
        "tags": tags(row),
        "logs": logs,
        "processID": process,
        "warnings": if warnings.is_empty() { Json::Null } else { json!(warnings) },
    })
}

fn tags(row: &SpanRow) -> Vec<Json> {
    let mut out: Vec<Json> = row.attributes.iter().map(|(k, v)| tag(k, v)).collect();
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() {
            out.push(json!({"key": key, "type": "string", "value": value}));
        }
    };
    text("otel.scope.name", &row.scope);
    if row.kind != SpanKind::Unspecified {
        text("span.kind", row.kind.as_str());
    }
    match row.status {
        SpanStatus::Unset => {}
        SpanStatus::Ok => text("otel.status_code", "OK"),
        SpanStatus::Error => text("otel.status_code", "ERROR"),
    }
    text("otel.status_description", &row.status_text);
    text("w3c.tracestate", &row.trace_state);
    if row.status == SpanStatus::Error {
        out.push(json!({"key": "error", "type": "bool", "value": true}));
    }
    out
}

fn tag(key: &str, value: &Value) -> Json {
    let (kind, json) = match value {
        Value::Bool(b) => ("bool", json!(b)),
        Value::Int(i) => ("int64", json!(i)),
        Value::Double(d) if d.is_finite() => ("float64", json!(d)),
        Value::Double(_) | Value::Str(_) | Value::Array(_) | Value::Map(_) => {
            ("string", json!(value.to_text()))
        }
        Value::Bytes(b) => {
            use base64::Engine;
            ("binary", json!(base64::engine::general_purpose::STANDARD.encode(b)))
        }
    };
    json!({"key": key, "type": kind, "value": json})
}

/// A value whose type is known from its JSON alone.
fn untyped(key: &str, value: Json) -> Json {
    let (kind, value) = match value {
        Json::Bool(_) => ("bool", value),
        Json::Number(ref n) if n.is_f64() => ("float64", value),
        Json::Number(_) => ("int64", value),
        Json::String(_) => ("string", value),
        other => ("string", Json::String(other.to_string())),
    };
    json!({"key": key, "type": kind, "value": value})
}
