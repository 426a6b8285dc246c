//! Columns of logs.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use ph_model::{LogFlags, LogRow, Signal};

use super::build::{
    attributes, binary, byte, fixed, fixed_optional, int, long, map_type, short, text, ulong,
};
use super::take::Taker;
use super::{STREAM, TS, field, optional, schema};

pub(super) fn fields() -> Vec<Field> {
    let mut out = vec![
        field(TS, DataType::Int64),
        field(STREAM, DataType::FixedSizeBinary(16)),
        field("observed_ts", DataType::Int64),
    ];
    for name in ["cluster", "namespace", "workload_kind", "workload", "pod", "pod_uid", "container"] {
        out.push(field(name, DataType::Utf8));
    }
    out.push(field("restart", DataType::UInt32));
    for name in ["node", "service", "iostream"] {
        out.push(field(name, DataType::Utf8));
    }
    out.extend([
        field("level", DataType::UInt8),
        field("level_text", DataType::Utf8),
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        field("message", DataType::Binary),
        field("attrs", map_type()),
        field("attrs_types", DataType::Utf8),
        field("resource", map_type()),
        field("resource_types", DataType::Utf8),
        field("flags", DataType::UInt16),
        field("full_bytes", DataType::UInt64),
        field("segment_key", DataType::FixedSizeBinary(16)),
        field("offset", DataType::UInt64),
    ]);
    out
}

/// Log rows as columns; `None` only beyond Arrow's limits (2 GiB of text in one batch).
pub(crate) fn logs_batch(rows: &[LogRow]) -> Option<RecordBatch> {
    let (attrs, attrs_types) = attributes(rows, |r| &r.attributes)?;
    let (resource, resource_types) = attributes(rows, |r| &r.resource)?;
    let columns = vec![
        long(rows, |r| r.ts),
        fixed(rows, |r| r.stream().to_be_bytes())?,
        long(rows, |r| r.observed_ts),
        text(rows, |r| &r.cluster),
        text(rows, |r| &r.namespace),
        text(rows, |r| &r.workload_kind),
        text(rows, |r| &r.workload),
        text(rows, |r| &r.pod),
        text(rows, |r| &r.pod_uid),
        text(rows, |r| &r.container),
        int(rows, |r| r.restart),
        text(rows, |r| &r.node),
        text(rows, |r| &r.service),
        text(rows, |r| &r.iostream),
        byte(rows, |r| r.level),
        text(rows, |r| &r.level_text),
        fixed_optional(rows, |r| r.trace_id)?,
        fixed_optional(rows, |r| r.span_id)?,
        binary(rows, |r| &r.message),
        attrs,
        attrs_types,
        resource,
        resource_types,
        short(rows, |r| r.flags.0),
        ulong(rows, |r| r.full_bytes),
        fixed(rows, |r| r.segment_key.to_be_bytes())?,
        ulong(rows, |r| r.offset),
    ];
    RecordBatch::try_new(Arc::clone(&schema(Signal::Logs)), columns).ok()
}

/// All rows of a batch, in its order.
pub(crate) fn log_rows(batch: &RecordBatch) -> Vec<LogRow> {
    let t = Taker(batch);
    let (ts, observed_ts) = (t.long(TS), t.long("observed_ts"));
    let (cluster, namespace) = (t.text("cluster"), t.text("namespace"));
    let (workload_kind, workload) = (t.text("workload_kind"), t.text("workload"));
    let (pod, pod_uid, container) = (t.text("pod"), t.text("pod_uid"), t.text("container"));
    let (restart, node, service) = (t.int("restart"), t.text("node"), t.text("service"));
    let (iostream, level, level_text) = (t.text("iostream"), t.byte("level"), t.text("level_text"));
    let (trace_id, span_id, message) = (t.fixed("trace_id"), t.fixed("span_id"), t.binary("message"));
    let attributes = t.attributes("attrs", "attrs_types");
    let resource = t.attributes("resource", "resource_types");
    let (flags, full_bytes) = (t.short("flags"), t.ulong("full_bytes"));
    let (segment_key, offset) = (t.fixed("segment_key"), t.ulong("offset"));
    let row = |i| LogRow {
        ts: ts(i),
        observed_ts: observed_ts(i),
        cluster: cluster(i),
        namespace: namespace(i),
        workload_kind: workload_kind(i),
        workload: workload(i),
        pod: pod(i),
        pod_uid: pod_uid(i),
        container: container(i),
        restart: restart(i),
        node: node(i),
        service: service(i),
        iostream: iostream(i),
        level: level(i),
        level_text: level_text(i),
        trace_id: trace_id(i),
        span_id: span_id(i),
        message: message(i),
        attributes: attributes(i),
        resource: resource(i),
        flags: LogFlags(flags(i)),
        full_bytes: full_bytes(i),
        segment_key: segment_key(i).map_or(0, u128::from_be_bytes),
        offset: offset(i),
    };
    (0..batch.num_rows()).map(row).collect()
}
