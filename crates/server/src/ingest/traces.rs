//! OTLP spans into rows.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use ph_model::{Attributes, SpanKind, SpanRow, SpanStatus, Value};

use super::attributes::{attributes, nanos, workload};
use super::{Refused, Stamp, refuse};
use crate::aliases;

/// Rows in the order they were sent; spans without valid ids are refused.
pub fn decode(
    request: ExportTraceServiceRequest,
    stamp: &Stamp,
    now_ns: i64,
) -> (Vec<SpanRow>, Vec<Refused>) {
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for rs in request.resource_spans {
        let resource = attributes(aliases::resource(rs.resource.unwrap_or_default().attributes));
        for scope in rs.scope_spans {
            let name = scope.scope.map(|s| s.name).unwrap_or_default();
            for s in scope.spans {
                let label = s.name.clone();
                match row(s, &resource, (stamp, &name), now_ns) {
                    Some(r) => rows.push(r),
                    None => refuse(&mut refused, "invalid_ids", || label),
                }
            }
        }
    }
    (rows, refused)
}

fn row(span: Span, resource: &Attributes, (stamp, scope): (&Stamp, &str), now_ns: i64) -> Option<SpanRow> {
    let trace_id: [u8; 16] = span.trace_id.try_into().ok().filter(|t| *t != [0; 16])?;
    let span_id: [u8; 8] = span.span_id.try_into().ok().filter(|t| *t != [0; 8])?;
    let a = attributes(span.attributes);
    let of = |keys: &[&str]| keys.iter().find_map(|k| a.text(k)).unwrap_or("").to_owned();
    let at = |key: &str| resource.text(key).unwrap_or("").to_owned();
    let (workload_kind, workload) = workload(resource);
    let status = span.status.unwrap_or_default();
    let http_status =
        ["http.response.status_code", "http.status_code"].iter().find_map(|k| match a.value(k) {
            Some(Value::Int(i)) => u16::try_from(*i).ok(),
            Some(Value::Str(s)) => s.parse().ok(),
            _ => None,
        });
    let start = nanos(span.start_time_unix_nano, now_ns);
    Some(SpanRow {
        trace_id,
        span_id,
        parent_id: span.parent_span_id.try_into().ok().filter(|p| *p != [0; 8]),
        start,
        duration_ns: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
        service: at("service.name"),
        name: span.name,
        kind: SpanKind::from_u8(u8::try_from(span.kind).unwrap_or(0)),
        status: SpanStatus::from_u8(u8::try_from(status.code).unwrap_or(0)),
        status_text: status.message,
        cluster: stamp.cluster_name.clone(),
        namespace: at("k8s.namespace.name"),
        workload_kind: workload_kind.to_owned(),
        workload: workload.to_owned(),
        pod: at("k8s.pod.name"),
        pod_uid: at("k8s.pod.uid"),
        container: at("k8s.container.name"),
        node: at("k8s.node.name"),
        http_method: of(&["http.request.method", "http.method"]),
        http_route: of(&["http.route"]),
        http_status: http_status.unwrap_or(0),
        rpc_method: of(&["rpc.method"]),
        db_system: of(&["db.system.name", "db.system"]),
        peer_service: of(&["peer.service"]),
        events: events_json(span.events),
        links: links_json(span.links),
        attributes: a,
        resource: resource.clone(),
        scope: scope.to_owned(),
        trace_state: span.trace_state,
        flags: span.flags,
    })
}

fn object(a: &Attributes) -> serde_json::Value {
    serde_json::Value::Object(a.iter().map(|(k, v)| (k.to_owned(), v.to_json())).collect())
}

fn events_json(events: Vec<opentelemetry_proto::tonic::trace::v1::span::Event>) -> String {
    if events.is_empty() {
        return String::new();
    }
    let list: Vec<_> = events
        .into_iter()
        .map(|e| serde_json::json!({"ts": e.time_unix_nano.to_string(), "name": e.name, "attributes": object(&attributes(e.attributes))}))
        .collect();
    serde_json::Value::Array(list).to_string()
}

fn links_json(links: Vec<opentelemetry_proto::tonic::trace::v1::span::Link>) -> String {
    if links.is_empty() {
        return String::new();
    }
    let hex = |b: &[u8]| b.iter().map(|x| format!("{x:02x}")).collect::<String>();
    let list: Vec<_> = links
        .into_iter()
        .map(|l| serde_json::json!({"trace_id": hex(&l.trace_id), "span_id": hex(&l.span_id), "attributes": object(&attributes(l.attributes))}))
        .collect();
    serde_json::Value::Array(list).to_string()
}
