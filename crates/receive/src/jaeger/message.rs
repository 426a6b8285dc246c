//! The protobuf form.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;

use super::{JaegerSpan, Reference, add, malformed, resource};
use crate::error::Error;
use crate::foreign::{Gathered, attribute};
use crate::sink::Export;
use crate::weigh::{kinds, weigh};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PostSpansRequest {
    #[prost(message, optional, tag = "1")]
    pub batch: Option<Batch>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct PostSpansResponse {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Batch {
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<SpanMessage>,
    #[prost(message, optional, tag = "2")]
    pub process: Option<Process>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Process {
    #[prost(string, tag = "1")]
    pub service_name: String,
    #[prost(message, repeated, tag = "2")]
    pub tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub operation_name: String,
    #[prost(message, repeated, tag = "4")]
    pub references: Vec<SpanRef>,
    #[prost(uint32, tag = "5")]
    pub flags: u32,
    #[prost(message, optional, tag = "6")]
    pub start_time: Option<prost_types::Timestamp>,
    #[prost(message, optional, tag = "7")]
    pub duration: Option<prost_types::Duration>,
    #[prost(message, repeated, tag = "8")]
    pub tags: Vec<Tag>,
    #[prost(message, repeated, tag = "9")]
    pub logs: Vec<Log>,
    #[prost(message, optional, tag = "10")]
    pub process: Option<Process>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct SpanRef {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    /// 0 is CHILD_OF.
    #[prost(int32, tag = "3")]
    pub ref_type: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Log {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<prost_types::Timestamp>,
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<Tag>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Tag {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(int32, tag = "2")]
    pub v_type: i32,
    #[prost(string, tag = "3")]
    pub v_str: String,
    #[prost(bool, tag = "4")]
    pub v_bool: bool,
    #[prost(int64, tag = "5")]
    pub v_int64: i64,
    #[prost(double, tag = "6")]
    pub v_float64: f64,
    #[prost(bytes = "vec", tag = "7")]
    pub v_binary: Vec<u8>,
}

impl From<Tag> for opentelemetry_proto::tonic::common::v1::KeyValue {
    fn from(tag: Tag) -> Self {
        let value = match tag.v_type {
            1 => Value::BoolValue(tag.v_bool),
            2 => Value::IntValue(tag.v_int64),
            3 => Value::DoubleValue(tag.v_float64),
            4 => Value::BytesValue(tag.v_binary),
            _ => Value::StringValue(tag.v_str),
        };
        attribute(tag.key, value)
    }
}

pub(super) fn export(body: &[u8]) -> Result<Export, Error> {
    weigh(&kinds::jaeger::REQUEST, body)?;
    let request = PostSpansRequest::decode(body).map_err(|e| malformed(e.to_string()))?;
    let batch = request.batch.unwrap_or_default();
    let ran_in = |process: Process| {
        resource(&process.service_name, process.tags.into_iter().map(Into::into).collect())
    };
    let mut out = Gathered::default();
    // That of all spans without one of their own is looked up once: it may be long, and they many.
    let shared = out.resource(ran_in(batch.process.unwrap_or_default()));
    for mut span in batch.spans {
        let own = span.process.take().map(|process| out.resource(ran_in(process)));
        add(&mut out, own.unwrap_or(shared), span.into());
    }
    Ok(out.export())
}

fn nanos(seconds: i64, nanos: i32) -> u64 {
    let whole = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    whole.saturating_add(u64::try_from(nanos).unwrap_or(0))
}

impl From<SpanMessage> for JaegerSpan {
    fn from(m: SpanMessage) -> Self {
        let at = |t: Option<prost_types::Timestamp>| t.map_or(0, |t| nanos(t.seconds, t.nanos));
        Self {
            trace_id: m.trace_id,
            span_id: m.span_id,
            parent: None,
            references: m
                .references
                .into_iter()
                .map(|r| Reference { child_of: r.ref_type == 0, trace_id: r.trace_id, span_id: r.span_id })
                .collect(),
            name: m.operation_name,
            flags: m.flags,
            start_ns: at(m.start_time),
            duration_ns: m.duration.map_or(0, |d| nanos(d.seconds, d.nanos)),
            tags: m.tags.into_iter().map(Into::into).collect(),
            logs: m
                .logs
                .into_iter()
                .map(|l| (at(l.timestamp), l.fields.into_iter().map(Into::into).collect()))
                .collect(),
        }
    }
}
