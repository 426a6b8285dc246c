//! Answers in the request's encoding.
//!
//! Source: OTLP specification 1.x ("Partial Success", "Failures"); `google/rpc/status.proto`, `google/rpc/error_details.proto`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use ph_model::Signal;
use prost::Message;

use crate::error::Error;
use crate::sink::Taken;

/// How a request and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// By the content type of the request.
    pub fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let whole = headers.get(CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or("?"));
        let kind = whole.split(';').next().unwrap_or_default().trim();
        match () {
            () if kind.eq_ignore_ascii_case("application/x-protobuf") => Ok(Self::Protobuf),
            () if kind.eq_ignore_ascii_case("application/json") => Ok(Self::Json),
            () => Err(Error::ContentType(whole.to_owned())),
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }
}

/// An answer, ready to be sent.
pub type Reply = Response<ReplyBody>;

/// At most one piece of data, then trailers when it is gRPC.
#[derive(Debug, Default)]
pub struct ReplyBody {
    bytes: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl ReplyBody {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: Some(bytes.into()).filter(|b| !b.is_empty()), trailers: None }
    }

    pub(crate) fn with_trailers(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self { bytes: Some(bytes), trailers: Some(trailers) }
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.bytes.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.trailers {
            None => SizeHint::with_exact(self.bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Some(_) => SizeHint::new(),
        }
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<prost_types::Any>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// Every signal's answer has this shape; only JSON's names differ.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExportAnswer {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

impl ExportAnswer {
    pub fn of(taken: &Taken) -> Self {
        let whole = taken.rejected == 0 && taken.reason.is_empty();
        let partial_success = (!whole).then(|| PartialSuccess {
            rejected: i64::try_from(taken.rejected).unwrap_or(i64::MAX),
            error_message: taken.reason.clone(),
        });
        Self { partial_success }
    }

    fn json(&self, signal: Signal) -> Vec<u8> {
        let name = match signal {
            Signal::Metrics | Signal::Exemplars => "rejectedDataPoints",
            Signal::Logs | Signal::Events => "rejectedLogRecords",
            Signal::Spans => "rejectedSpans",
        };
        let value = match &self.partial_success {
            None => serde_json::json!({}),
            Some(p) => serde_json::json!({
                "partialSuccess": {name: p.rejected.to_string(), "errorMessage": p.error_message}
            }),
        };
        value.to_string().into_bytes()
    }
}

/// The status of a failure; with a wait, its `RetryInfo`.
pub fn status_of(error: &Error) -> RpcStatus {
    let retry = error.retry_after().map(|wait| prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo { retry_delay: Some(delay(wait)) }.encode_to_vec(),
    });
    RpcStatus { code: error.code() as i32, message: error.to_string(), details: retry.into_iter().collect() }
}

fn delay(wait: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(wait.subsec_nanos()).unwrap_or(0),
    }
}

/// A request that was taken, over HTTP.
pub fn taken(encoding: Encoding, signal: Signal, taken: &Taken) -> Reply {
    let answer = ExportAnswer::of(taken);
    let bytes = match encoding {
        Encoding::Protobuf => answer.encode_to_vec(),
        Encoding::Json => answer.json(signal),
    };
    let mut reply = Response::new(ReplyBody::new(bytes));
    reply.headers_mut().insert(CONTENT_TYPE, encoding.content_type());
    reply
}

/// A request that was refused, over HTTP.
pub fn refused(encoding: Encoding, error: &Error) -> Reply {
    let status = status_of(error);
    let bytes = match encoding {
        Encoding::Protobuf => status.encode_to_vec(),
        Encoding::Json => {
            let details: Vec<_> = status
                .details
                .iter()
                .map(|d| {
                    let wait = error.retry_after().unwrap_or_default();
                    serde_json::json!({"@type": d.type_url, "retryDelay": format!("{}s", wait.as_secs_f64())})
                })
                .collect();
            serde_json::json!({"code": status.code, "message": status.message, "details": details})
                .to_string()
                .into_bytes()
        }
    };
    let mut reply = plain(error.status(), bytes, error.retry_after());
    reply.headers_mut().insert(CONTENT_TYPE, encoding.content_type());
    reply
}

/// A refusal of a protocol that has no form for it: the sentence as text.
pub fn refused_in_words(error: &Error) -> Reply {
    let mut reply = plain(error.status(), format!("{error}\n").into_bytes(), error.retry_after());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

fn plain(status: StatusCode, bytes: Vec<u8>, wait: Option<Duration>) -> Reply {
    let mut reply = Response::new(ReplyBody::new(bytes));
    *reply.status_mut() = status;
    if let Some(wait) = wait {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(1)));
    }
    reply
}

/// Headers that end a gRPC call.
pub(crate) fn grpc_end(result: Result<(), &Error>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let number = |n: i32| HeaderValue::from(n);
    match result {
        Ok(()) => {
            headers.insert("grpc-status", number(0));
        }
        Err(error) => {
            let status = status_of(error);
            headers.insert("grpc-status", number(status.code));
            if let Ok(text) = HeaderValue::from_str(&percent(&status.message)) {
                headers.insert("grpc-message", text);
            }
            let details = STANDARD.encode(status.encode_to_vec());
            if let Ok(value) = HeaderValue::from_str(details.trim_end_matches('=')) {
                headers.insert("grpc-status-details-bin", value);
            }
        }
    }
    headers
}

/// Percent-encoding of `grpc-message`: everything but printable ASCII, and `%`.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b' '..=b'~' if b != b'%' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
