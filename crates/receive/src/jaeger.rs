//! Jaeger: `POST /api/traces` as thrift, and `jaeger.api_v2.CollectorService/PostSpans` over gRPC.
//!
//! Out:    OTLP; tags are attributes, logs are events, references beyond the parent are links.
//! Source: jaeger-idl `thrift/jaeger.thrift`, `proto/api_v2/{model,collector}.proto`.

pub(crate) mod message;
mod thrift;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};

use crate::answer::Reply;
use crate::door::{Door, Limits};
use crate::error::Error;
use crate::foreign::{self, Gathered, Told, text};
use crate::grpc;
use crate::sink::{Export, Sink};

pub use foreign::refused;

/// Where thrift is posted to.
pub const PATH: &str = "/api/traces";
/// The gRPC call.
pub const CALL: &str = "/jaeger.api_v2.CollectorService/PostSpans";

const THRIFT: [&str; 3] =
    ["application/x-thrift", "application/vnd.apache.thrift.binary", "application/octet-stream"];

/// One request over HTTP.
pub async fn http<B>(door: (&Door, &Limits), (headers, body): (&HeaderMap, B), sink: &impl Sink) -> Reply
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let kind = headers.get(CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or("?"));
    if !THRIFT.contains(&kind.split(';').next().unwrap_or_default().trim()) {
        return foreign::refused(&Error::Malformed {
            what: "Jaeger batch",
            reason: format!("its content type is `{kind}`; send application/x-thrift, the binary protocol"),
        });
    }
    foreign::post(door, (headers, body), from_thrift, sink).await
}

/// One call over gRPC.
pub async fn grpc<B>(
    (door, limits): (&Door, &Limits),
    (headers, body): (&HeaderMap, B),
    sink: &impl Sink,
) -> Reply
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let take = async {
        let (_admitted, bytes) = grpc::message(door, headers, body, limits).await?;
        let export = crate::otlp::bounded(from_protobuf(&bytes)?, limits)?;
        sink.take(export).await.map_err(Error::Sink)
    };
    match take.await {
        Ok(_) => grpc::answered(&message::PostSpansResponse {}),
        Err(error) => grpc::refused(&error),
    }
}

/// A thrift batch as OTLP.
pub fn from_thrift(body: &[u8]) -> Result<Export, Error> {
    thrift::export(body)
}

/// The message of a call as OTLP.
pub fn from_protobuf(body: &[u8]) -> Result<Export, Error> {
    message::export(body)
}

fn malformed(reason: impl Into<String>) -> Error {
    Error::Malformed { what: "Jaeger batch", reason: reason.into() }
}

/// A span as both forms have it.
#[derive(Clone, Debug, Default)]
struct JaegerSpan {
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
    /// Of thrift; protobuf has references alone.
    parent: Option<Vec<u8>>,
    references: Vec<Reference>,
    name: String,
    flags: u32,
    start_ns: u64,
    duration_ns: u64,
    tags: Vec<KeyValue>,
    logs: Vec<(u64, Vec<KeyValue>)>,
}

#[derive(Clone, Debug, Default)]
struct Reference {
    child_of: bool,
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
}

/// What spans ran in, as a resource.
fn resource(service: &str, tags: Vec<KeyValue>) -> Vec<KeyValue> {
    let named = (!service.is_empty()).then(|| text("service.name", service));
    named.into_iter().chain(tags.into_iter().filter(|t| t.key != "service.name")).collect()
}

fn add(out: &mut Gathered, resource: usize, j: JaegerSpan) {
    let mut told = Told::default();
    let attributes: Vec<KeyValue> = j.tags.into_iter().filter_map(|t| told.take(t)).collect();
    let here = |r: &Reference| r.trace_id == j.trace_id;
    let parent = j.parent.or_else(|| {
        let named = j.references.iter().find(|r| r.child_of && here(r));
        // A follower's cause stands for its parent when it has no other.
        named.or_else(|| j.references.iter().find(|r| here(r))).map(|r| r.span_id.clone())
    });
    let parent = parent.unwrap_or_default();
    let links = j
        .references
        .iter()
        .filter(|r| !(here(r) && r.span_id == parent))
        .map(|r| Link { trace_id: r.trace_id.clone(), span_id: r.span_id.clone(), ..Link::default() })
        .collect();
    let span = Span {
        kind: told.kind,
        status: told.status(),
        trace_state: std::mem::take(&mut told.trace_state),
        trace_id: j.trace_id,
        span_id: j.span_id,
        parent_span_id: parent,
        name: j.name,
        flags: j.flags & 1,
        start_time_unix_nano: j.start_ns,
        end_time_unix_nano: j.start_ns.saturating_add(j.duration_ns),
        attributes,
        events: j.logs.into_iter().map(event).collect(),
        links,
        ..Span::default()
    };
    out.add(resource, told.scope, span);
}

/// The field `event` is a log's name.
fn event((time_unix_nano, mut fields): (u64, Vec<KeyValue>)) -> Event {
    let named = fields.iter().position(|f| f.key == "event");
    let name = named.map(|at| fields.remove(at)).and_then(|f| f.value?.value);
    let name = match name {
        Some(Value::StringValue(name)) => name,
        _ => String::new(),
    };
    Event { time_unix_nano, name, attributes: fields, ..Event::default() }
}

#[cfg(test)]
mod tests;
