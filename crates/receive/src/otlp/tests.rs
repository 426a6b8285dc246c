//! Whole requests over HTTP and gRPC, and what senders are answered.

use std::sync::Mutex;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Full};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use ph_model::ErrorKind;

use super::*;
use crate::answer::RpcStatus;
use crate::sink::Refusal;

/// Keeps what comes and answers what it was told to.
struct Keeps(Mutex<Vec<Export>>, Result<Taken, Refusal>);

impl Keeps {
    fn and(answer: Result<Taken, Refusal>) -> Self {
        Self(Mutex::default(), answer)
    }
}

impl Sink for Keeps {
    async fn take(&self, export: Export) -> Result<Taken, Refusal> {
        self.0.lock().unwrap().push(export);
        self.1.clone()
    }
}

fn request(spans: usize) -> ExportTraceServiceRequest {
    let spans = vec![Span { name: "get".into(), ..Span::default() }; spans];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect()
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

async fn post(headers: &HeaderMap, body: Vec<u8>, sink: &Keeps) -> (StatusCode, HeaderMap, Bytes) {
    let door = Door::new(64 << 20);
    let limits = Limits { items: 10, ..Limits::default() };
    let reply = http((&door, &limits), Signal::Spans, (headers, Full::new(Bytes::from(body))), sink).await;
    let (parts, body) = reply.into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn both_encodings_are_taken_and_answered_alike() {
    let rejected = Taken { rejected: 2, reason: "too_old: 2".into() };
    let sink = Keeps::and(Ok(rejected));
    let (status, head, body) = post(&headers(&[PROTOBUF]), request(1).encode_to_vec(), &sink).await;
    assert_eq!((status, &head["content-type"]), (StatusCode::OK, &"application/x-protobuf".parse().unwrap()));
    assert_eq!(body, [10, 14, 8, 2, 18, 10].iter().chain(b"too_old: 2").copied().collect::<Vec<u8>>());
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"get","odd":1}]}]}]}"#;
    let (status, _, body) = post(&headers(&[JSON]), json.to_vec(), &sink).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        r#"{"partialSuccess":{"errorMessage":"too_old: 2; unknown fields passed over: 1 (for example odd)","rejectedSpans":"2"}}"#
    );
    assert_eq!(*sink.0.lock().unwrap(), vec![Export::Traces(request(1)); 2]);
    let sink = Keeps::and(Ok(Taken::default()));
    let (_, _, body) = post(&headers(&[JSON]), b"{}".to_vec(), &sink).await;
    assert_eq!(body, "{}");
}

#[tokio::test]
async fn refusals_are_statuses_in_the_requests_encoding() {
    let busy =
        Refusal::new(ErrorKind::Exhausted, "the disk is full; free space").after(Duration::from_millis(2500));
    let sink = Keeps::and(Err(busy));
    let (status, head, body) = post(&headers(&[PROTOBUF]), request(1).encode_to_vec(), &sink).await;
    assert_eq!((status, head["retry-after"].to_str().unwrap()), (StatusCode::TOO_MANY_REQUESTS, "3"));
    let told = RpcStatus::decode(body).unwrap();
    assert_eq!(
        (told.code, told.message.as_str(), told.details.len()),
        (8, "the disk is full; free space", 1)
    );
    let (status, _, body) = post(&headers(&[JSON]), b"{\"resourceSpans\":5}".to_vec(), &sink).await;
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, told["code"].as_i64()), (StatusCode::BAD_REQUEST, Some(3)));
    for (head, body, expected) in [
        (headers(&[PROTOBUF]), request(11).encode_to_vec(), StatusCode::PAYLOAD_TOO_LARGE),
        (headers(&[PROTOBUF]), vec![0xff; 9], StatusCode::BAD_REQUEST),
        (headers(&[("content-type", "text/plain")]), vec![], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (headers(&[PROTOBUF, ("content-encoding", "br")]), vec![], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (headers(&[PROTOBUF, ("content-encoding", "gzip")]), vec![1, 2, 3], StatusCode::BAD_REQUEST),
        (headers(&[PROTOBUF, ("content-length", "99999999")]), vec![], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (status, ..) = post(&head, body, &sink).await;
        assert_eq!(status, expected, "{head:?}");
    }
}

fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(flag);
    out.put_u32(u32::try_from(message.len()).unwrap());
    out.put_slice(message);
    out.freeze()
}

async fn call(headers: &HeaderMap, body: Bytes, sink: &Keeps) -> (HeaderMap, Bytes) {
    let door = Door::new(64 << 20);
    let reply = grpc((&door, &Limits::default()), Signal::Spans, (headers, Full::new(body)), sink).await;
    let (parts, body) = reply.into_parts();
    let body = body.collect().await.unwrap();
    let mut head = parts.headers;
    head.extend(body.trailers().cloned().unwrap_or_default());
    (head, body.to_bytes())
}

#[tokio::test]
async fn calls_over_grpc_end_as_grpc_says() {
    let sink = Keeps::and(Ok(Taken::default()));
    let plain = request(3).encode_to_vec();
    let zipped = zstd::bulk::compress(&plain, 1).unwrap();
    let (head, body) = call(&HeaderMap::new(), framed(0, &plain), &sink).await;
    assert_eq!((head["grpc-status"].to_str().unwrap(), body.as_ref()), ("0", &[0, 0, 0, 0, 0][..]));
    let (head, _) = call(&headers(&[("grpc-encoding", "zstd")]), framed(1, &zipped), &sink).await;
    assert_eq!(head["grpc-status"], "0");
    assert_eq!(*sink.0.lock().unwrap(), vec![Export::Traces(request(3)); 2]);
    for (head, body, code) in [
        (HeaderMap::new(), framed(1, &zipped), "3"),
        (HeaderMap::new(), framed(0, &[0xff]), "3"),
        (HeaderMap::new(), framed(0, &plain).slice(..7), "3"),
        (HeaderMap::new(), Bytes::new(), "3"),
        (headers(&[("grpc-encoding", "br")]), framed(1, &plain), "12"),
        (HeaderMap::new(), framed(0, &vec![0; 6 << 20]), "8"),
    ] {
        let (told, _) = call(&head, body, &sink).await;
        assert_eq!(told["grpc-status"], code, "{head:?}");
    }
    let away = Refusal::new(ErrorKind::Unavailable, "100 % away: ü").after(Duration::from_secs(1));
    let (head, _) = call(&HeaderMap::new(), framed(0, &plain), &Keeps::and(Err(away))).await;
    assert_eq!(
        (&head["grpc-status"], &head["grpc-message"]),
        (&"14".parse().unwrap(), &"100 %25 away: %C3%BC".parse().unwrap())
    );
    assert!(head.contains_key("grpc-status-details-bin"));
}
