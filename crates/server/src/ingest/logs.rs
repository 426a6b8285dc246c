//! OTLP logs into log rows and events.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use ph_model::{Attributes, EventRow, LogFlags, LogRow, ObjectRef, Value};

use super::attributes::{attributes, nanos, value, workload};
use super::{Refused, Stamp, refuse};
use crate::aliases;

/// A record bigger than this is refused; agents cut lines long before.
const MAX_RECORD_BYTES: usize = 20 << 20;

/// Rows in the order they were sent. A record that names a Kubernetes event, or an event of ours, is an event.
pub fn decode(
    request: ExportLogsServiceRequest,
    stamp: &Stamp,
    now_ns: i64,
) -> (Vec<LogRow>, Vec<EventRow>, Vec<Refused>) {
    let (mut logs, mut events, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for rl in request.resource_logs {
        let resource = attributes(aliases::resource(rl.resource.unwrap_or_default().attributes));
        for record in rl.scope_logs.into_iter().flat_map(|s| s.log_records) {
            if is_event(&record) {
                events.push(event(record, &resource, stamp, now_ns));
            } else {
                let row = log(record, &resource, stamp, now_ns);
                if row.message.len() > MAX_RECORD_BYTES {
                    refuse(&mut refused, "record_too_large", || format!("{} bytes", row.message.len()));
                } else {
                    logs.push(row);
                }
            }
        }
    }
    (logs, events, refused)
}

fn is_event(record: &LogRecord) -> bool {
    record.event_name.starts_with("pilothouse.")
        || record.attributes.iter().any(|kv| {
            kv.key == "k8s.event.name"
                || (kv.key == "event.name"
                    && kv
                        .value
                        .clone()
                        .and_then(|v| value(v, 0))
                        .is_some_and(|v| v.to_text().starts_with("pilothouse.")))
        })
}

fn body(record: &mut LogRecord) -> Vec<u8> {
    match record.body.take().and_then(|v| value(v, 0)) {
        Some(Value::Str(s)) => s.into_bytes(),
        Some(Value::Bytes(b)) => b,
        Some(other) => other.to_text().into_bytes(),
        None => Vec::new(),
    }
}

fn log(mut record: LogRecord, resource: &Attributes, stamp: &Stamp, now_ns: i64) -> LogRow {
    let message = body(&mut record);
    let mut attributes = attributes(std::mem::take(&mut record.attributes));
    let text = |key: &str| resource.text(key).unwrap_or("").to_owned();
    let (workload_kind, workload) = workload(resource);
    let observed_ts = nanos(record.observed_time_unix_nano, now_ns);
    LogRow {
        ts: nanos(record.time_unix_nano, observed_ts),
        observed_ts,
        cluster: stamp.cluster_name.clone(),
        namespace: text("k8s.namespace.name"),
        workload_kind: workload_kind.to_owned(),
        workload: workload.to_owned(),
        pod: text("k8s.pod.name"),
        pod_uid: text("k8s.pod.uid"),
        container: resource
            .text("k8s.container.name")
            .or(resource.text("container.name"))
            .unwrap_or("")
            .to_owned(),
        restart: resource.value("k8s.container.restart_count").and_then(number).unwrap_or(0),
        node: resource.text("k8s.node.name").or(resource.text("host.name")).unwrap_or("").to_owned(),
        service: text("service.name"),
        iostream: taken(&mut attributes, "log.iostream"),
        level: u8::try_from(record.severity_number).ok().filter(|n| *n <= 24).unwrap_or(0),
        level_text: record.severity_text,
        trace_id: record.trace_id.try_into().ok(),
        span_id: record.span_id.try_into().ok(),
        message,
        flags: LogFlags(attributes.take("log.flags").as_ref().and_then(number).unwrap_or(0)),
        full_bytes: attributes.take("log.full_bytes").as_ref().and_then(number).unwrap_or(0),
        segment_key: u128::from_str_radix(&taken(&mut attributes, "log.segment_key"), 16).unwrap_or(0),
        offset: attributes.take("log.offset").as_ref().and_then(number).unwrap_or(0),
        attributes,
        resource: resource.clone(),
    }
}

fn event(mut record: LogRecord, resource: &Attributes, stamp: &Stamp, now_ns: i64) -> EventRow {
    let message = String::from_utf8_lossy(&body(&mut record)).into_owned();
    let named = record.event_name.clone();
    let a = attributes(std::mem::take(&mut record.attributes));
    let text = |key: &str| a.text(key).or(resource.text(key)).unwrap_or("").to_owned();
    let ts = nanos(record.time_unix_nano, nanos(record.observed_time_unix_nano, now_ns));
    let kind = if named.starts_with("pilothouse.") || text("event.name").starts_with("pilothouse.") {
        "change".to_owned()
    } else if a.text("k8s.event.type").is_some() {
        text("k8s.event.type")
    } else if record.severity_number >= 13 {
        "Warning".to_owned()
    } else {
        "Normal".to_owned()
    };
    let first = a.text("k8s.event.start_time").and_then(|t| t.parse::<jiff::Timestamp>().ok());
    EventRow {
        ts,
        first_ts: first.and_then(|t| i64::try_from(t.as_nanosecond()).ok()).unwrap_or(ts),
        count: a.value("k8s.event.count").and_then(number).unwrap_or(1),
        r#type: kind,
        reason: text("k8s.event.reason"),
        action: text("k8s.event.action"),
        object: ObjectRef {
            api_version: text("k8s.object.api_version"),
            kind: text("k8s.object.kind"),
            namespace: text("k8s.namespace.name"),
            name: text("k8s.object.name"),
            uid: text("k8s.object.uid"),
        },
        reporter: text("k8s.event.reporting_controller"),
        node: text("k8s.node.name"),
        message,
        uid: text("k8s.event.uid"),
        resource_version: text("k8s.object.resource_version"),
        cluster: stamp.cluster_name.clone(),
    }
}

fn taken(attributes: &mut Attributes, key: &str) -> String {
    attributes.take(key).map(|v| v.to_text()).unwrap_or_default()
}

fn number<T: TryFrom<i64>>(v: &Value) -> Option<T> {
    match v {
        Value::Int(i) => T::try_from(*i).ok(),
        Value::Str(s) => s.parse::<i64>().ok().and_then(|i| T::try_from(i).ok()),
        _ => None,
    }
}
