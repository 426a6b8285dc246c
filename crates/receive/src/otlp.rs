//! OTLP over HTTP and gRPC, protobuf and JSON.
//!
//! Source: OTLP specification 1.x.

mod json;

use bytes::Bytes;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use ph_model::Signal;
use prost::Message;

use crate::answer::{self, Encoding, ExportAnswer, Reply};
use crate::door::{Door, Limits};
use crate::error::Error;
use crate::grpc;
use crate::sink::{Export, Sink, Taken};
use crate::spread::spread;
use crate::weigh::{kinds, weigh};

pub use json::{Unknown, from_json};

/// Where OTLP over HTTP is posted to, by signal.
pub const PATHS: [(&str, Signal); 3] =
    [("/v1/metrics", Signal::Metrics), ("/v1/logs", Signal::Logs), ("/v1/traces", Signal::Spans)];

/// Profiles have no place here yet, and are refused rather than dropped.
pub const PROFILES: &str = "/v1development/profiles";

const PROFILES_REFUSED: &str = "profiles are not taken; leave them out of this exporter's pipeline";

/// The calls of OTLP over gRPC.
pub const CALLS: [(&str, Signal); 3] = [
    ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", Signal::Metrics),
    ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", Signal::Logs),
    ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", Signal::Spans),
];

/// A decoded request; JSON may carry fields that nobody knows.
pub fn decode(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<(Export, Unknown), Error> {
    match encoding {
        Encoding::Json => from_json(signal, body),
        Encoding::Protobuf => Ok((from_protobuf(signal, body)?, Unknown::default())),
    }
}

fn from_protobuf(signal: Signal, body: &[u8]) -> Result<Export, Error> {
    let malformed = |e: prost::DecodeError| Error::Malformed { what: "OTLP request", reason: e.to_string() };
    let kind = match signal {
        Signal::Metrics | Signal::Exemplars => &kinds::METRICS,
        Signal::Logs | Signal::Events => &kinds::LOGS,
        Signal::Spans => &kinds::TRACES,
    };
    weigh(kind, body)?;
    Ok(match signal {
        Signal::Metrics | Signal::Exemplars => {
            Export::Metrics(ExportMetricsServiceRequest::decode(body).map_err(malformed)?)
        }
        Signal::Logs | Signal::Events => {
            Export::Logs(ExportLogsServiceRequest::decode(body).map_err(malformed)?)
        }
        Signal::Spans => Export::Traces(ExportTraceServiceRequest::decode(body).map_err(malformed)?),
    })
}

pub(crate) fn bounded(export: Export, limits: &Limits) -> Result<Export, Error> {
    match export.items() {
        found if found > limits.items => Err(Error::TooMany { found, limit: limits.items }),
        _ => spread(&export, limits).map(|()| export),
    }
}

/// `POST /v1/{metrics,logs,traces}`.
pub async fn http<B>(
    door: (&Door, &Limits),
    signal: Signal,
    (headers, body): (&HeaderMap, B),
    sink: &impl Sink,
) -> Reply
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let encoding = match Encoding::of(headers) {
        Ok(encoding) => encoding,
        Err(error) => return answer::refused(Encoding::Json, &error),
    };
    match take_http(door, (signal, encoding), (headers, body), sink).await {
        Ok(taken) => answer::taken(encoding, signal, &taken),
        Err(error) => answer::refused(encoding, &error),
    }
}

async fn take_http<B>(
    (door, limits): (&Door, &Limits),
    (signal, encoding): (Signal, Encoding),
    (headers, body): (&HeaderMap, B),
    sink: &impl Sink,
) -> Result<Taken, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let admitted = door.admit(headers, body, limits).await?;
    let (export, unknown) = decode(signal, encoding, &admitted.body)?;
    let taken = sink.take(bounded(export, limits)?).await.map_err(Error::Sink)?;
    Ok(unknown.told(taken))
}

/// A refusal before the body was looked at, in the encoding of the request.
pub fn refused(headers: &HeaderMap, error: &Error) -> Reply {
    answer::refused(Encoding::of(headers).unwrap_or(Encoding::Json), error)
}

/// `POST /v1development/profiles`: 501.
pub fn profiles_refused(headers: &HeaderMap) -> Reply {
    refused(headers, &Error::Unsupported(PROFILES_REFUSED))
}

/// One call of OTLP over gRPC, of one of [`CALLS`].
pub async fn grpc<B>(
    (door, limits): (&Door, &Limits),
    signal: Signal,
    (headers, body): (&HeaderMap, B),
    sink: &impl Sink,
) -> Reply
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let take = async {
        let (_admitted, message) = grpc::message(door, headers, body, limits).await?;
        let export = bounded(from_protobuf(signal, &message)?, limits)?;
        sink.take(export).await.map_err(Error::Sink)
    };
    match take.await {
        Ok(taken) => grpc::answered(&ExportAnswer::of(&taken)),
        Err(error) => grpc::refused(&error),
    }
}

#[cfg(test)]
mod tests;
