//! Columns of spans.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use ph_model::{Signal, SpanKind, SpanRow, SpanStatus};

use super::build::{attributes, byte, fixed, fixed_optional, int, long, map_type, short, text, ulong};
use super::take::Taker;
use super::{STREAM, TS, field, optional, schema};

/// `ts` is the span's start.
pub(super) fn fields() -> Vec<Field> {
    let mut out = vec![
        field(TS, DataType::Int64),
        field(STREAM, DataType::FixedSizeBinary(16)),
        field("trace_id", DataType::FixedSizeBinary(16)),
        field("span_id", DataType::FixedSizeBinary(8)),
        optional("parent_id", DataType::FixedSizeBinary(8)),
        field("duration_ns", DataType::UInt64),
        field("service", DataType::Utf8),
        field("name", DataType::Utf8),
        field("kind", DataType::UInt8),
        field("status", DataType::UInt8),
    ];
    let texts = [
        "status_text",
        "cluster",
        "namespace",
        "workload_kind",
        "workload",
        "pod",
        "pod_uid",
        "container",
        "node",
        "http_method",
        "http_route",
    ];
    out.extend(texts.map(|name| field(name, DataType::Utf8)));
    out.push(field("http_status", DataType::UInt16));
    out.extend(["rpc_method", "db_system", "peer_service"].map(|name| field(name, DataType::Utf8)));
    out.extend([
        field("attrs", map_type()),
        field("attrs_types", DataType::Utf8),
        field("resource", map_type()),
        field("resource_types", DataType::Utf8),
    ]);
    out.extend(["scope", "events", "links", "trace_state"].map(|name| field(name, DataType::Utf8)));
    out.push(field("flags", DataType::UInt32));
    out
}

fn stream(row: &SpanRow) -> [u8; 16] {
    xxhash_rust::xxh3::xxh3_128(row.service.as_bytes()).to_be_bytes()
}

/// Spans as columns; `None` only beyond Arrow's limits.
pub(crate) fn spans_batch(rows: &[SpanRow]) -> Option<RecordBatch> {
    let (attrs, attrs_types) = attributes(rows, |r| &r.attributes)?;
    let (resource, resource_types) = attributes(rows, |r| &r.resource)?;
    let columns = vec![
        long(rows, |r| r.start),
        fixed(rows, stream)?,
        fixed(rows, |r| r.trace_id)?,
        fixed(rows, |r| r.span_id)?,
        fixed_optional(rows, |r| r.parent_id)?,
        ulong(rows, |r| r.duration_ns),
        text(rows, |r| &r.service),
        text(rows, |r| &r.name),
        byte(rows, |r| r.kind as u8),
        byte(rows, |r| r.status as u8),
        text(rows, |r| &r.status_text),
        text(rows, |r| &r.cluster),
        text(rows, |r| &r.namespace),
        text(rows, |r| &r.workload_kind),
        text(rows, |r| &r.workload),
        text(rows, |r| &r.pod),
        text(rows, |r| &r.pod_uid),
        text(rows, |r| &r.container),
        text(rows, |r| &r.node),
        text(rows, |r| &r.http_method),
        text(rows, |r| &r.http_route),
        short(rows, |r| r.http_status),
        text(rows, |r| &r.rpc_method),
        text(rows, |r| &r.db_system),
        text(rows, |r| &r.peer_service),
        attrs,
        attrs_types,
        resource,
        resource_types,
        text(rows, |r| &r.scope),
        text(rows, |r| &r.events),
        text(rows, |r| &r.links),
        text(rows, |r| &r.trace_state),
        int(rows, |r| r.flags),
    ];
    RecordBatch::try_new(Arc::clone(&schema(Signal::Spans)), columns).ok()
}

/// All spans of a batch, in its order.
pub(crate) fn span_rows(batch: &RecordBatch) -> Vec<SpanRow> {
    let t = Taker(batch);
    let (start, duration_ns) = (t.long(TS), t.ulong("duration_ns"));
    let (trace_id, span_id, parent_id) = (t.fixed("trace_id"), t.fixed("span_id"), t.fixed("parent_id"));
    let (service, name, kind) = (t.text("service"), t.text("name"), t.byte("kind"));
    let (status, status_text) = (t.byte("status"), t.text("status_text"));
    let (cluster, namespace) = (t.text("cluster"), t.text("namespace"));
    let (workload_kind, workload) = (t.text("workload_kind"), t.text("workload"));
    let (pod, pod_uid, container) = (t.text("pod"), t.text("pod_uid"), t.text("container"));
    let (node, http_method, http_route) = (t.text("node"), t.text("http_method"), t.text("http_route"));
    let (http_status, rpc_method) = (t.short("http_status"), t.text("rpc_method"));
    let (db_system, peer_service) = (t.text("db_system"), t.text("peer_service"));
    let attributes = t.attributes("attrs", "attrs_types");
    let resource = t.attributes("resource", "resource_types");
    let (scope, events, links) = (t.text("scope"), t.text("events"), t.text("links"));
    let (trace_state, flags) = (t.text("trace_state"), t.int("flags"));
    let row = |i| SpanRow {
        trace_id: trace_id(i).unwrap_or_default(),
        span_id: span_id(i).unwrap_or_default(),
        parent_id: parent_id(i),
        start: start(i),
        duration_ns: duration_ns(i),
        service: service(i),
        name: name(i),
        kind: SpanKind::from_u8(kind(i)),
        status: SpanStatus::from_u8(status(i)),
        status_text: status_text(i),
        cluster: cluster(i),
        namespace: namespace(i),
        workload_kind: workload_kind(i),
        workload: workload(i),
        pod: pod(i),
        pod_uid: pod_uid(i),
        container: container(i),
        node: node(i),
        http_method: http_method(i),
        http_route: http_route(i),
        http_status: http_status(i),
        rpc_method: rpc_method(i),
        db_system: db_system(i),
        peer_service: peer_service(i),
        attributes: attributes(i),
        resource: resource(i),
        scope: scope(i),
        events: events(i),
        links: links(i),
        trace_state: trace_state(i),
        flags: flags(i),
    };
    (0..batch.num_rows()).map(row).collect()
}
