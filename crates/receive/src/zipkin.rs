//! Zipkin: `POST /api/v2/spans` as JSON and protobuf, `POST /api/v1/spans` as JSON.
//!
//! In:     ids of 64 or 128 bits; times in µs; a span that client and server share keeps its one id under both services.
//! Out:    OTLP; tags are attributes, annotations are events.
//! Source: zipkin-api `zipkin2-api.yaml`, `zipkin-api.yaml`, `zipkin.proto`.

mod first;
pub(crate) mod message;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde::Deserialize;
use serde::de::DeserializeSeed;

use crate::answer::Reply;
use crate::door::{Door, Limits};
use crate::error::Error;
use crate::foreign::{self, Gathered, Told, attribute, text};
use crate::sink::{Export, Sink};
use crate::weigh::{List, Room};

pub use foreign::refused;

/// Where Zipkin's reporters post to.
pub const PATHS: [(&str, Version); 2] = [("/api/v2/spans", Version::Two), ("/api/v1/spans", Version::One)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// One request.
pub async fn http<B>(
    door: (&Door, &Limits),
    version: Version,
    (headers, body): (&HeaderMap, B),
    sink: &impl Sink,
) -> Reply
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let kind = headers.get(CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or("?"));
    let decode = |bytes: &[u8]| decode(version, kind, bytes);
    foreign::post(door, (headers, body), decode, sink).await
}

/// A body as OTLP. Zipkin's first libraries name no content type, and send JSON.
pub fn decode(version: Version, content_type: &str, body: &[u8]) -> Result<Export, Error> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let spans = match (kind, version) {
        ("application/x-protobuf", Version::Two) => message::spans(body)?,
        ("" | "application/json", Version::Two) => from_json::<ZipkinSpan>(body)?,
        ("" | "application/json", Version::One) => first::spans(body)?,
        _ => return Err(Error::ContentType(content_type.to_owned())),
    };
    let mut out = Gathered::default();
    for span in spans {
        let service = span.local_endpoint.as_ref().and_then(|e| e.service_name.clone()).unwrap_or_default();
        let (scope, span) = otlp(span)?;
        let named = if service.is_empty() { Vec::new() } else { vec![text("service.name", service)] };
        let resource = out.resource(named);
        out.add(resource, scope, span);
    }
    Ok(out.export())
}

fn from_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, Error> {
    let room = Room::of(body);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = List::within(&room).deserialize(&mut reader).and_then(|all| reader.end().map(|()| all));
    if room.is_over() {
        return Err(room.too_large());
    }
    read.map_err(|e| malformed(e.to_string()))
}

fn malformed(reason: String) -> Error {
    Error::Malformed { what: "list of Zipkin spans", reason }
}

/// A span of the second version.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ZipkinSpan {
    trace_id: String,
    id: String,
    parent_id: Option<String>,
    name: Option<String>,
    kind: Option<String>,
    /// µs.
    timestamp: Option<u64>,
    duration: Option<u64>,
    local_endpoint: Option<Endpoint>,
    remote_endpoint: Option<Endpoint>,
    annotations: Option<Vec<Annotation>>,
    tags: Option<BTreeMap<String, String>>,
    shared: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint {
    service_name: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    port: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Annotation {
    timestamp: u64,
    value: String,
}

/// An id of `N` bytes from at most twice as many hex digits.
fn id<const N: usize>(hex: &str) -> Result<Vec<u8>, Error> {
    let fits = !hex.is_empty() && hex.len() <= 2 * N;
    let parsed = fits.then(|| u128::from_str_radix(hex, 16).ok()).flatten();
    let parsed = parsed.ok_or_else(|| {
        malformed(format!(
            "`{}` is no id of up to {} hex digits",
            hex.chars().take(40).collect::<String>(),
            2 * N
        ))
    })?;
    Ok(parsed.to_be_bytes().get(16 - N..).unwrap_or_default().to_vec())
}

fn otlp(z: ZipkinSpan) -> Result<(String, Span), Error> {
    let mut told = Told::of_kind(z.kind.as_deref().map_or(0, foreign::kind));
    let kind = told.kind;
    let mut attributes = Vec::new();
    for (key, value) in z.tags.unwrap_or_default() {
        attributes.extend(told.take(text(key, value)));
    }
    if z.shared == Some(true) {
        attributes.push(attribute("zipkin.shared", Value::BoolValue(true)));
    }
    if let Some(remote) = z.remote_endpoint {
        attributes.extend(remote.service_name.filter(|s| !s.is_empty()).map(|s| text("peer.service", s)));
        attributes.extend(remote.ipv4.or(remote.ipv6).map(|ip| text("network.peer.address", ip)));
        attributes.extend(remote.port.map(|p| attribute("network.peer.port", Value::IntValue(p.into()))));
    }
    let start = z.timestamp.unwrap_or(0).saturating_mul(1_000);
    let span = Span {
        trace_id: id::<16>(&z.trace_id)?,
        span_id: id::<8>(&z.id)?,
        parent_span_id: z
            .parent_id
            .filter(|p| !p.is_empty())
            .map(|p| id::<8>(&p))
            .transpose()?
            .unwrap_or_default(),
        name: z.name.unwrap_or_default(),
        kind: if kind == 0 { told.kind } else { kind },
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(z.duration.unwrap_or(0).saturating_mul(1_000)),
        attributes,
        events: z
            .annotations
            .unwrap_or_default()
            .into_iter()
            .map(|a| Event {
                time_unix_nano: a.timestamp.saturating_mul(1_000),
                name: a.value,
                ..Event::default()
            })
            .collect(),
        status: told.status(),
        trace_state: told.trace_state,
        ..Span::default()
    };
    Ok((told.scope, span))
}

#[cfg(test)]
mod tests;
