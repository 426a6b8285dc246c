//! Log records as OTLP.
//!
//! Out:    the same bytes for the same records, resource and time: a repeat must be recognisable.
//! Source: opentelemetry-proto, logs.proto.

use std::path::Path;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use ph_model::{Attributes, Level};
use ph_taillog::{Gap, Record, SourceId};

use crate::otlp;

/// Collects the records of one batch.
#[derive(Debug, Default)]
pub struct Encoder {
    resources: Vec<ResourceLogs>,
    /// Resource of the last entry: records of one run and range share one.
    run: Option<u32>,
}

/// What all records of a range have in common.
pub struct Common<'a> {
    pub resource: &'a Attributes,
    pub source: &'a SourceId,
    pub dir: &'a Path,
    pub at_ms: i64,
}

impl Encoder {
    /// Begins a range.
    pub fn range(&mut self) {
        self.run = None;
    }

    pub fn record(&mut self, common: &Common<'_>, record: &Record, message: &[u8]) {
        let mut attributes = Vec::with_capacity(6);
        let stream = record.stream.as_str();
        if !stream.is_empty() {
            attributes.push(text("log.iostream", stream));
        }
        attributes.push(text("log.file.path", &file(common, record.position.run)));
        attributes.push(text("log.segment_key", &format!("{:032x}", record.position.segment_key)));
        attributes.push(int("log.offset", record.position.offset.cast_signed()));
        if !record.flags.is_empty() {
            attributes.push(int("log.flags", record.flags.0.into()));
        }
        if record.full_bytes > 0 {
            attributes.push(int("log.full_bytes", record.full_bytes.cast_signed()));
        }
        let (trace_id, span_id) = trace(message);
        let value = match std::str::from_utf8(message) {
            Ok(line) => any_value::Value::StringValue(line.to_owned()),
            Err(_) => any_value::Value::BytesValue(message.to_vec()),
        };
        let out = LogRecord {
            time_unix_nano: record.ts_ns.max(0).cast_unsigned(),
            observed_time_unix_nano: nanos(common.at_ms),
            severity_number: i32::from(record.level as u8),
            severity_text: if record.level == Level::Unknown {
                String::new()
            } else {
                record.level.as_str().to_owned()
            },
            body: Some(AnyValue { value: Some(value) }),
            attributes,
            trace_id,
            span_id,
            ..Default::default()
        };
        self.push(common, record.position.run, out);
    }

    /// A gap as a record of its own, where the lines are missing.
    pub fn gap(&mut self, common: &Common<'_>, gap: &Gap) {
        let mut attributes = vec![text("log.gap", gap.kind.as_str())];
        let mut known = |key, value: Option<u64>| {
            if let Some(value) = value {
                attributes.push(int(key, value.cast_signed()));
            }
        };
        known("log.gap.bytes", gap.bytes);
        known("log.gap.lines", gap.lines);
        known("log.gap.exact", Some(gap.exact.into()));
        let at = gap.from_ns.map_or(nanos(common.at_ms), |ns| ns.max(0).cast_unsigned());
        let out = LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: nanos(common.at_ms),
            severity_number: i32::from(Level::Warn as u8),
            severity_text: Level::Warn.as_str().to_owned(),
            body: Some(AnyValue { value: Some(any_value::Value::StringValue(gap.text.clone())) }),
            attributes,
            event_name: "log.gap".to_owned(),
            ..Default::default()
        };
        let run = gap.to.or(gap.from).map_or(0, |p| p.run);
        self.push(common, run, out);
    }

    fn push(&mut self, common: &Common<'_>, run: u32, record: LogRecord) {
        if self.run != Some(run) || self.resources.is_empty() {
            let mut resource = common.resource.clone();
            if matches!(common.source, SourceId::Pod { .. }) {
                resource.set("k8s.container.restart_count", i64::from(run));
            }
            self.run = Some(run);
            self.resources.push(ResourceLogs {
                resource: Some(otlp::resource(&resource)),
                scope_logs: vec![ScopeLogs { scope: Some(otlp::scope()), ..Default::default() }],
                ..Default::default()
            });
        }
        if let Some(scope) = self.resources.last_mut().and_then(|r| r.scope_logs.last_mut()) {
            scope.log_records.push(record);
        }
    }

    /// The request, encoded.
    pub fn finish(self) -> Vec<u8> {
        use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
        prost::Message::encode_to_vec(&ExportLogsServiceRequest { resource_logs: self.resources })
    }
}

fn file(common: &Common<'_>, run: u32) -> String {
    match common.source {
        SourceId::Pod { .. } => format!("{}/{run}.log", common.dir.display()),
        SourceId::Docker { container_id } => format!("{}/{container_id}-json.log", common.dir.display()),
    }
}

/// Trace and span ids that a line names; looked for only when the line mentions one of the words.
fn trace(message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mentions = |word: &[u8]| message.windows(word.len()).any(|w| w == word);
    if !mentions(b"trace") {
        return (Vec::new(), Vec::new());
    }
    let field = |names: &[&str]| names.iter().find_map(|name| ph_filter::field(message, name));
    let bytes =
        |text: &str, length: usize| hex(text).filter(|b| b.len() == length && b.iter().any(|x| *x != 0));
    if let Some(parent) = field(&["traceparent"]) {
        let parts: Vec<&str> = parent.split('-').collect();
        if let [_, trace, span, ..] = parts.as_slice()
            && let (Some(trace), Some(span)) = (bytes(trace, 16), bytes(span, 8))
        {
            return (trace, span);
        }
    }
    let trace = field(&["trace_id", "traceId", "trace.id"]).and_then(|t| bytes(&t, 16));
    let span = field(&["span_id", "spanId", "span.id"]).and_then(|s| bytes(&s, 8));
    (trace.unwrap_or_default(), span.unwrap_or_default())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    otlp::pair(key, AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) })
}

fn int(key: &str, value: i64) -> KeyValue {
    otlp::pair(key, AnyValue { value: Some(any_value::Value::IntValue(value)) })
}

fn nanos(ms: i64) -> u64 {
    ms.max(0).cast_unsigned().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_found_where_a_line_names_them() {
        let trace_id = "0af7651916cd43dd8448eb211c80319c";
        let span_id = "b7ad6b7169203331";
        let cases = [
            (format!(r#"{{"msg":"x","trace_id":"{trace_id}","span_id":"{span_id}"}}"#), (16, 8)),
            (format!("level=info traceId={trace_id} spanId={span_id}"), (16, 8)),
            (format!(r#"{{"traceparent":"00-{trace_id}-{span_id}-01"}}"#), (16, 8)),
            (format!("trace_id={}", "0".repeat(32)), (0, 0)),
            ("trace_id=xyz".to_owned(), (0, 0)),
            ("no word".to_owned(), (0, 0)),
            ("stack traceback: é".to_owned(), (0, 0)),
        ];
        for (line, expected) in cases {
            let (trace, span) = trace(line.as_bytes());
            assert_eq!((trace.len(), span.len()), expected, "{line}");
        }
    }
}
