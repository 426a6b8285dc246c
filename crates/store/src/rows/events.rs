//! Columns of events.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use ph_model::{EventRow, ObjectRef, Signal};

use super::build::{fixed, int, long, text};
use super::take::Taker;
use super::{STREAM, TS, field, schema};

pub(super) fn fields() -> Vec<Field> {
    let mut out = vec![
        field(TS, DataType::Int64),
        field(STREAM, DataType::FixedSizeBinary(16)),
        field("first_ts", DataType::Int64),
        field("count", DataType::UInt32),
    ];
    let texts = [
        "type",
        "reason",
        "action",
        "object_api",
        "object_kind",
        "object_namespace",
        "object_name",
        "object_uid",
        "reporter",
        "node",
        "message",
        "uid",
        "resource_version",
        "cluster",
    ];
    out.extend(texts.map(|name| field(name, DataType::Utf8)));
    out
}

fn stream(row: &EventRow) -> [u8; 16] {
    xxhash_rust::xxh3::xxh3_128(row.object.namespace.as_bytes()).to_be_bytes()
}

/// Events as columns; `None` only beyond Arrow's limits.
pub(crate) fn events_batch(rows: &[EventRow]) -> Option<RecordBatch> {
    let columns = vec![
        long(rows, |r| r.ts),
        fixed(rows, stream)?,
        long(rows, |r| r.first_ts),
        int(rows, |r| r.count),
        text(rows, |r| &r.r#type),
        text(rows, |r| &r.reason),
        text(rows, |r| &r.action),
        text(rows, |r| &r.object.api_version),
        text(rows, |r| &r.object.kind),
        text(rows, |r| &r.object.namespace),
        text(rows, |r| &r.object.name),
        text(rows, |r| &r.object.uid),
        text(rows, |r| &r.reporter),
        text(rows, |r| &r.node),
        text(rows, |r| &r.message),
        text(rows, |r| &r.uid),
        text(rows, |r| &r.resource_version),
        text(rows, |r| &r.cluster),
    ];
    RecordBatch::try_new(Arc::clone(&schema(Signal::Events)), columns).ok()
}

/// All events of a batch, in its order.
pub(crate) fn event_rows(batch: &RecordBatch) -> Vec<EventRow> {
    let t = Taker(batch);
    let (ts, first_ts, count) = (t.long(TS), t.long("first_ts"), t.int("count"));
    let (kind, reason, action) = (t.text("type"), t.text("reason"), t.text("action"));
    let (object_api, object_kind) = (t.text("object_api"), t.text("object_kind"));
    let (object_namespace, object_name) = (t.text("object_namespace"), t.text("object_name"));
    let (object_uid, reporter, node) = (t.text("object_uid"), t.text("reporter"), t.text("node"));
    let (message, uid, cluster) = (t.text("message"), t.text("uid"), t.text("cluster"));
    let resource_version = t.text("resource_version");
    let row = |i| EventRow {
        ts: ts(i),
        first_ts: first_ts(i),
        count: count(i),
        r#type: kind(i),
        reason: reason(i),
        action: action(i),
        object: ObjectRef {
            api_version: object_api(i),
            kind: object_kind(i),
            namespace: object_namespace(i),
            name: object_name(i),
            uid: object_uid(i),
        },
        reporter: reporter(i),
        node: node(i),
        message: message(i),
        uid: uid(i),
        resource_version: resource_version(i),
        cluster: cluster(i),
    };
    (0..batch.num_rows()).map(row).collect()
}
