//! Rows of the store as the public JSON.

use std::collections::{BTreeMap, HashMap};

use ph_api::{
    Dependency, Operation, SelectedSpan, Service, Span, SpanEvent, SpanLink, Trace, TraceService,
    TraceSummary,
};
use ph_model::{Attributes, SpanRow, SpanStatus};
use serde_json::Value;

/// What a child may lie outside of its parent by before it is marked: clocks of one machine differ less.
const SLACK_NS: i64 = 1_000_000;

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn json(a: &Attributes) -> BTreeMap<String, Value> {
    a.iter().map(|(k, v)| (k.to_owned(), v.to_json())).collect()
}

pub fn end(row: &SpanRow) -> i64 {
    row.start.saturating_add(i64::try_from(row.duration_ns).unwrap_or(i64::MAX))
}

/// What is odd about each span, in their order.
pub fn flags(rows: &[SpanRow]) -> Vec<Vec<&'static str>> {
    let by_id: HashMap<[u8; 8], &SpanRow> = rows.iter().map(|r| (r.span_id, r)).collect();
    let of = |row: &SpanRow| {
        let Some(parent) = row.parent_id else { return Vec::new() };
        let Some(parent) = by_id.get(&parent) else { return vec!["missing_parent"] };
        let outside = row.start < parent.start - SLACK_NS || end(row) > end(parent).saturating_add(SLACK_NS);
        if outside { vec!["outside_parent"] } else { Vec::new() }
    };
    rows.iter().map(of).collect()
}

/// Events of a span, from their text in the store.
pub fn events(row: &SpanRow) -> Vec<SpanEvent> {
    let list: Vec<Value> = serde_json::from_str(&row.events).unwrap_or_default();
    list.iter()
        .map(|e| SpanEvent { at_ns: text(e, "ts"), name: text(e, "name"), attributes: object(e) })
        .collect()
}

/// Links of a span, from their text in the store.
pub fn links(row: &SpanRow) -> Vec<SpanLink> {
    let list: Vec<Value> = serde_json::from_str(&row.links).unwrap_or_default();
    list.iter()
        .map(|l| SpanLink {
            trace_id: text(l, "trace_id"),
            span_id: text(l, "span_id"),
            attributes: object(l),
        })
        .collect()
}

fn text(v: &Value, key: &str) -> String {
    v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn object(v: &Value) -> BTreeMap<String, Value> {
    let object = v.get("attributes").and_then(Value::as_object);
    object.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn span(row: &SpanRow, flags: &[&'static str]) -> Span {
    Span {
        span_id: hex(&row.span_id),
        parent_id: row.parent_id.map(|p| hex(&p)),
        service: row.service.clone(),
        name: row.name.clone(),
        kind: row.kind.as_str().to_owned(),
        status: row.status.as_str().to_owned(),
        status_text: row.status_text.clone(),
        start_ns: row.start.to_string(),
        duration_ns: row.duration_ns,
        cluster: row.cluster.clone(),
        namespace: row.namespace.clone(),
        workload_kind: row.workload_kind.clone(),
        workload: row.workload.clone(),
        pod: row.pod.clone(),
        pod_uid: row.pod_uid.clone(),
        container: row.container.clone(),
        node: row.node.clone(),
        attributes: json(&row.attributes),
        resource: json(&row.resource),
        scope: row.scope.clone(),
        events: events(row),
        links: links(row),
        trace_state: row.trace_state.clone(),
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
    }
}

/// A whole trace.
pub fn trace(id: [u8; 16], found: &ph_store::Trace) -> Trace {
    let rows = &found.spans;
    let start = rows.iter().map(|r| r.start).min().unwrap_or(0);
    let last = rows.iter().map(end).max().unwrap_or(start);
    let mut services: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let (spans, errors) = services.entry(&row.service).or_default();
        *spans += 1;
        *errors += u64::from(row.status == SpanStatus::Error);
    }
    Trace {
        trace_id: hex(&id),
        start_ns: start.to_string(),
        duration_ns: u64::try_from(last.saturating_sub(start)).unwrap_or(0),
        errors: services.values().map(|(_, errors)| errors).sum(),
        services: services
            .into_iter()
            .map(|(service, (spans, errors))| TraceService { service: service.to_owned(), spans, errors })
            .collect(),
        spans: rows.iter().zip(flags(rows)).map(|(row, flags)| span(row, &flags)).collect(),
        complete: found.complete,
        incomplete: found.incomplete.clone(),
    }
}

fn selected(span: ph_store::SelectedSpan) -> SelectedSpan {
    SelectedSpan {
        span_id: hex(&span.span_id),
        start_ns: span.start.to_string(),
        service: span.service,
        name: span.name,
        fields: span.fields.into_iter().collect(),
    }
}

pub fn summary(t: ph_store::TraceSummary) -> TraceSummary {
    TraceSummary {
        trace_id: hex(&t.trace_id),
        root_service: t.root_service,
        root_name: t.root_name,
        rooted: t.rooted,
        start_ns: t.start.to_string(),
        duration_ns: t.duration_ns,
        spans: t.spans,
        errors: t.errors,
        orphans: t.orphans,
        matched: t.matched,
        selected: t.selected.into_iter().map(selected).collect(),
        services: t
            .services
            .into_iter()
            .map(|s| TraceService { service: s.service, spans: s.spans, errors: s.errors })
            .collect(),
    }
}

pub fn service(s: ph_store::Service) -> Service {
    let operations: Vec<Operation> = s
        .operations
        .into_iter()
        .map(|o| Operation {
            name: o.name,
            kind: o.kind.as_str().to_owned(),
            spans: o.spans,
            errors: o.errors,
        })
        .collect();
    Service {
        name: s.name,
        spans: operations.iter().map(|o| o.spans).sum(),
        errors: operations.iter().map(|o| o.errors).sum(),
        operations,
    }
}

pub fn dependency(d: ph_store::Dependency) -> Dependency {
    Dependency {
        parent: d.parent,
        child: d.child,
        kind: d.kind.as_str().to_owned(),
        calls: d.calls,
        errors: d.errors,
        p50_ns: d.p50_ns,
        p95_ns: d.p95_ns,
    }
}
