//! Log records as OTLP.
//!
//! Out:    the same bytes for the same records, resource and time: a repeat must be recognisable.
//! Source: opentelemetry-proto, logs.proto.

use std::path::Path;

use ph_model::{Attributes, Level};
use ph_taillog::{Gap, Record, SourceId};
use prost::Message;

use super::wire::{self, Any};
use crate::otlp;

/// Collects the records of one batch.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
    /// Records of the resource that is being written, each a field of `ScopeLogs`.
    records: Vec<u8>,
    /// One record.
    record: Vec<u8>,
    /// Encoded resource of the records, and their run; records of one run and range share one.
    open: Option<(Vec<u8>, u32)>,
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
        self.close();
    }

    pub fn record(&mut self, common: &Common<'_>, record: &Record, message: &[u8]) {
        self.resource(common, record.position.run);
        let out = &mut self.record;
        out.clear();
        wire::fixed64(out, 1, record.ts_ns.max(0).cast_unsigned());
        if record.level != Level::Unknown {
            wire::number(out, 2, u64::from(record.level as u8));
            wire::bytes(out, 3, record.level.as_str().as_bytes());
        }
        match std::str::from_utf8(message) {
            Ok(line) => wire::any(out, 5, Any::Text(line)),
            Err(_) => wire::any(out, 5, Any::Bytes(message)),
        }
        let stream = record.stream.as_str();
        if !stream.is_empty() {
            wire::pair(out, 6, "log.iostream", Any::Text(stream));
        }
        wire::pair(out, 6, "log.file.path", Any::Text(&file(common, record.position.run)));
        wire::pair(out, 6, "log.segment_key", Any::Text(&format!("{:032x}", record.position.segment_key)));
        wire::pair(out, 6, "log.offset", Any::Int(record.position.offset.cast_signed()));
        if !record.flags.is_empty() {
            wire::pair(out, 6, "log.flags", Any::Int(record.flags.0.into()));
        }
        if record.full_bytes > 0 {
            wire::pair(out, 6, "log.full_bytes", Any::Int(record.full_bytes.cast_signed()));
        }
        let (trace_id, span_id) = trace(message);
        if !trace_id.is_empty() {
            wire::bytes(out, 9, &trace_id);
        }
        if !span_id.is_empty() {
            wire::bytes(out, 10, &span_id);
        }
        wire::fixed64(out, 11, nanos(common.at_ms));
        wire::bytes(&mut self.records, 2, &self.record);
    }

    /// A gap as a record of its own, where the lines are missing.
    pub fn gap(&mut self, common: &Common<'_>, gap: &Gap) {
        self.resource(common, gap.to.or(gap.from).map_or(0, |p| p.run));
        let out = &mut self.record;
        out.clear();
        let at = gap.from_ns.map_or(nanos(common.at_ms), |ns| ns.max(0).cast_unsigned());
        wire::fixed64(out, 1, at);
        wire::number(out, 2, u64::from(Level::Warn as u8));
        wire::bytes(out, 3, Level::Warn.as_str().as_bytes());
        wire::any(out, 5, Any::Text(&gap.text));
        wire::pair(out, 6, "log.gap", Any::Text(gap.kind.as_str()));
        for (key, value) in [
            ("log.gap.bytes", gap.bytes),
            ("log.gap.lines", gap.lines),
            ("log.gap.exact", Some(gap.exact.into())),
        ] {
            if let Some(value) = value {
                wire::pair(out, 6, key, Any::Int(value.cast_signed()));
            }
        }
        wire::fixed64(out, 11, nanos(common.at_ms));
        wire::bytes(out, 12, b"log.gap");
        wire::bytes(&mut self.records, 2, &self.record);
    }

    /// Makes sure that the next record goes to this range's resource.
    fn resource(&mut self, common: &Common<'_>, run: u32) {
        if self.open.as_ref().is_some_and(|(_, open)| *open == run) {
            return;
        }
        self.close();
        let mut resource = common.resource.clone();
        if matches!(common.source, SourceId::Pod { .. }) {
            resource.set("k8s.container.restart_count", i64::from(run));
        }
        self.open = Some((otlp::resource(&resource).encode_to_vec(), run));
    }

    fn close(&mut self) {
        let Some((resource, _)) = self.open.take() else { return };
        let mut head = Vec::new();
        wire::bytes(&mut head, 1, &otlp::scope().encode_to_vec());
        let scope_logs = head.len() + self.records.len();
        let mut top = Vec::new();
        wire::bytes(&mut top, 1, &resource);
        wire::varint(&mut top, 2 << 3 | 2);
        wire::varint(&mut top, scope_logs as u64);
        wire::varint(&mut self.out, 1 << 3 | 2);
        wire::varint(&mut self.out, (top.len() + scope_logs) as u64);
        self.out.extend_from_slice(&top);
        self.out.extend_from_slice(&head);
        self.out.append(&mut self.records);
    }

    /// The request, encoded. The buffers stay for the next one.
    pub fn finish(&mut self) -> &[u8] {
        self.close();
        &self.out
    }

    /// Begins a new request.
    pub fn clear(&mut self) {
        self.open = None;
        self.out.clear();
        self.records.clear();
    }
}

fn file(common: &Common<'_>, run: u32) -> String {
    match common.source {
        SourceId::Pod { .. } => format!("{}/{run}.log", common.dir.display()),
        SourceId::Docker { container_id } => format!("{}/{container_id}-json.log", common.dir.display()),
        SourceId::File { path } => path.display().to_string(),
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

fn nanos(ms: i64) -> u64 {
    ms.max(0).cast_unsigned().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use ph_taillog::GapKind;

    use super::*;

    #[test]
    fn a_gap_decodes_as_the_protocol_has_it() {
        let source = SourceId::Pod {
            namespace: "n".into(),
            pod: "p".into(),
            pod_uid: "u".into(),
            container: "c".into(),
        };
        let resource = [("k8s.pod.name", "p")].into_iter().collect();
        let common = Common { resource: &resource, source: &source, dir: Path::new("/logs"), at_ms: 7 };
        let gap = Gap {
            kind: GapKind::RotatedAway,
            from: None,
            to: None,
            from_ns: Some(5),
            bytes: Some(300),
            lines: None,
            exact: false,
            text: "x".repeat(200),
        };
        let mut encoder = Encoder::default();
        encoder.gap(&common, &gap);
        encoder.range();
        encoder.gap(&common, &gap);
        let request = ExportLogsServiceRequest::decode(encoder.finish()).unwrap();
        assert_eq!(request.resource_logs.len(), 2);
        let scope = &request.resource_logs[1].scope_logs[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "pilothouse/node");
        let record = &scope.log_records[0];
        assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (5, 7_000_000));
        assert_eq!((record.event_name.as_str(), record.severity_number), ("log.gap", 13));
        assert_eq!(record.body.clone().unwrap().value, Some(Value::StringValue("x".repeat(200))));
        let bytes = record.attributes.iter().find(|a| a.key == "log.gap.bytes").unwrap();
        assert_eq!(bytes.value.clone().unwrap().value, Some(Value::IntValue(300)));
    }

    #[test]
    fn varints_have_the_length_that_is_computed() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            wire::number(&mut out, 1, value);
            let mut any = Vec::new();
            wire::any(&mut any, 5, Any::Int(value.cast_signed()));
            assert_eq!(usize::from(any[1]), out.len(), "{value}");
        }
    }

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
