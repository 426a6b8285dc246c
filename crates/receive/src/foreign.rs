//! What span formats other than OTLP have in common on their way to it.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::answer::{Reply, ReplyBody, refused_in_words};
use crate::door::{Door, Limits};
use crate::error::Error;
use crate::sink::{Export, Sink};

/// One attribute.
pub fn attribute(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// Spans by resource and scope, in the order in which each first appears.
#[derive(Default)]
pub struct Gathered {
    resources: Vec<Spans>,
    /// Where a resource is, by its attributes as bytes. Looked up, not looked for: a batch may have as many of them as spans.
    places: HashMap<Vec<u8>, usize>,
}

/// Spans of one resource.
#[derive(Default)]
struct Spans {
    attributes: Vec<KeyValue>,
    scopes: Vec<(String, Vec<Span>)>,
    /// Where a scope is.
    places: HashMap<String, usize>,
}

impl Gathered {
    /// The number of a resource, under which spans are added to it.
    pub fn resource(&mut self, attributes: Vec<KeyValue>) -> usize {
        let bytes = attributes.iter().flat_map(KeyValue::encode_length_delimited_to_vec).collect();
        *self.places.entry(bytes).or_insert_with(|| {
            self.resources.push(Spans { attributes, ..Spans::default() });
            self.resources.len() - 1
        })
    }

    pub fn add(&mut self, resource: usize, scope: String, span: Span) {
        let Some(of) = self.resources.get_mut(resource) else { return };
        let at = *of.places.entry(scope).or_insert_with_key(|scope| {
            of.scopes.push((scope.clone(), Vec::new()));
            of.scopes.len() - 1
        });
        if let Some((_, spans)) = of.scopes.get_mut(at) {
            spans.push(span);
        }
    }

    pub fn export(self) -> Export {
        let scoped = |(name, spans): (String, Vec<Span>)| ScopeSpans {
            scope: (!name.is_empty())
                .then(|| InstrumentationScope { name, ..InstrumentationScope::default() }),
            spans,
            ..ScopeSpans::default()
        };
        let resource_spans = self
            .resources
            .into_iter()
            .filter(|of| !of.scopes.is_empty())
            .map(|of| ResourceSpans {
                resource: Some(Resource { attributes: of.attributes, ..Resource::default() }),
                scope_spans: of.scopes.into_iter().map(scoped).collect(),
                ..ResourceSpans::default()
            })
            .collect();
        Export::Traces(ExportTraceServiceRequest { resource_spans })
    }
}

/// A span's kind by its word, in any case; 0 for none that is known.
pub fn kind(word: &str) -> i32 {
    let kinds = [
        ("internal", SpanKind::Internal),
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];
    kinds.iter().find(|(w, _)| word.eq_ignore_ascii_case(w)).map_or(0, |(_, k)| *k as i32)
}

/// What a format's tags say of a span rather than of what it did.
#[derive(Default)]
pub struct Told {
    pub kind: i32,
    pub scope: String,
    pub trace_state: String,
    code: Option<SpanCode>,
    error: bool,
    message: String,
}

impl Told {
    pub fn of_kind(kind: i32) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Takes a tag up when it is one of these; gives it back otherwise.
    pub fn take(&mut self, tag: KeyValue) -> Option<KeyValue> {
        let value = tag.value.as_ref().and_then(|v| v.value.as_ref());
        match (tag.key.as_str(), value) {
            ("span.kind", Some(Value::StringValue(word))) => self.kind = kind(word),
            ("otel.scope.name" | "otel.library.name", Some(Value::StringValue(name))) => {
                self.scope.clone_from(name);
            }
            ("w3c.tracestate", Some(Value::StringValue(state))) => self.trace_state.clone_from(state),
            ("otel.status_code", Some(Value::StringValue(word))) => {
                self.code = match word.to_ascii_uppercase().as_str() {
                    "OK" => Some(SpanCode::Ok),
                    "ERROR" => Some(SpanCode::Error),
                    _ => None,
                };
            }
            ("otel.status_description", Some(Value::StringValue(text))) => self.message.clone_from(text),
            ("error", Some(Value::BoolValue(failed))) => self.error = *failed,
            ("error", Some(Value::StringValue(text))) => match text.as_str() {
                "false" => {}
                "true" | "" => self.error = true,
                // Zipkin has the message here.
                message => {
                    self.error = true;
                    if self.message.is_empty() {
                        message.clone_into(&mut self.message);
                    }
                }
            },
            _ => return Some(tag),
        }
        None
    }

    pub fn status(&mut self) -> Option<Status> {
        let code = match self.code {
            Some(code) => code,
            None if self.error => SpanCode::Error,
            None => return None,
        };
        Some(Status { code: code as i32, message: std::mem::take(&mut self.message) })
    }
}

/// A body that is read, decoded and stored, answered with 202 or in words.
pub async fn post<B>(
    (door, limits): (&Door, &Limits),
    (headers, body): (&HeaderMap, B),
    decode: impl FnOnce(&[u8]) -> Result<Export, Error>,
    sink: &impl Sink,
) -> Reply
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let take = async {
        let admitted = door.admit(headers, body, limits).await?;
        let export = crate::otlp::bounded(decode(&admitted.body)?, limits)?;
        sink.take(export).await.map_err(Error::Sink)
    };
    match take.await {
        Ok(_) => {
            let mut reply = Response::new(ReplyBody::default());
            *reply.status_mut() = StatusCode::ACCEPTED;
            reply
        }
        Err(error) => refused_in_words(&error),
    }
}

/// A refusal before the body was looked at.
pub fn refused(error: &Error) -> Reply {
    refused_in_words(error)
}
