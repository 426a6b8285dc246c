//! Programs that are not ours send over real HTTP, with keys that may and keys that may not.

use std::net::{Ipv4Addr, SocketAddr};

use http::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use ph_model::{RangeNs, Signal};
use ph_receive::RpcStatus;
use ph_store::{Order, SearchAsk, SearchRows};
use prost::Message;
use serde_json::{Value, json};

use crate::app::tests::{Stack, client};
use crate::config::Listen;

/// The secret of a new key.
pub async fn key(stack: &Stack, cookie: &str, ask: Value) -> String {
    let made = stack.post("/api/v1/keys", Some(cookie), ask).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    made["secret"].as_str().unwrap().to_owned()
}

/// Rows of a signal that are in the store.
pub async fn stored(stack: &Stack, signal: Signal) -> SearchRows {
    let app = &stack.running.app;
    let org = app.state.organisation_ids().await.unwrap()[0];
    let ctx = ph_access::TenantCtx::system(org, "test");
    let range = RangeNs::new(0, i64::MAX);
    let filter = ph_filter::Filter::All;
    let ask =
        SearchAsk { signal, filter, range, order: Order::Ascending, limit: 100, cursor: None, within: None };
    app.telemetry.search(&ctx, ask).await.unwrap().rows
}

pub async fn spans(stack: &Stack) -> Vec<ph_model::SpanRow> {
    match stored(stack, Signal::Spans).await {
        SearchRows::Spans(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn span(stack: &Stack) -> Value {
    let now = stack.clock.now_ms().to_string() + "000000";
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "checkout"}},
            {"key": "k8s.cluster.name", "value": {"stringValue": "forged"}}]},
        "scopeSpans": [{"spans": [
            {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "pay", "kind": "SPAN_KIND_SERVER",
             "startTimeUnixNano": now, "endTimeUnixNano": now},
            {"traceId": "00", "spanId": "b7ad6b7169203331", "name": "broken"}]}]}]})
}

async fn post(stack: &Stack, path: &str, key: Option<&str>, body: &Value) -> reqwest::Response {
    let mut ask = client().post(stack.url(path)).json(body);
    if let Some(key) = key {
        ask = ask.bearer_auth(key);
    }
    ask.send().await.unwrap()
}

#[tokio::test]
async fn a_key_that_may_write_telemetry_does_and_may_nothing_else() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let ingest = key(&stack, &owner, json!({"name": "otel", "role": "ingest"})).await;
    let answer = post(&stack, "/v1/traces", Some(&ingest), &span(&stack)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told["partialSuccess"]["rejectedSpans"], "1");
    assert_eq!(told["partialSuccess"]["errorMessage"], "invalid_ids: 1 (for example broken)");
    let rows = spans(&stack).await;
    assert_eq!(rows.len(), 1);
    let given = rows[0].resource.text("k8s.cluster.name");
    assert_eq!((rows[0].service.as_str(), rows[0].cluster.as_str(), given), ("checkout", "", Some("forged")));
    for path in ["/api/v1/clusters", "/api/v1/keys", "/api/v1/events"] {
        let read = client().get(stack.url(path)).bearer_auth(&ingest).send().await.unwrap();
        assert_eq!(read.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let member = json!({"email": "eve@example.org", "role": "ingest"});
    let refused = stack.post("/api/v1/members", Some(&owner), member).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    stack.stop().await;
}

#[tokio::test]
async fn others_are_refused_in_their_own_encoding() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let viewer = key(&stack, &owner, json!({"name": "ci", "role": "viewer"})).await;
    let body = span(&stack);
    for (credential, status, code) in [
        (None, StatusCode::UNAUTHORIZED, 16),
        (Some("phk_live_abc"), StatusCode::UNAUTHORIZED, 16),
        (Some(viewer.as_str()), StatusCode::FORBIDDEN, 7),
    ] {
        let answer = post(&stack, "/v1/traces", credential, &body).await;
        assert_eq!(answer.status(), status);
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["code"], code, "{told}");
    }
    // A person's session is no sender's credential.
    let by_cookie = stack.send(Method::POST, "/v1/traces", Some(&owner), Some(body)).await;
    assert_eq!(by_cookie.status(), StatusCode::UNAUTHORIZED);
    let protobuf = client()
        .post(stack.url("/v1/logs"))
        .header("content-type", "application/x-protobuf")
        .bearer_auth(&viewer)
        .body(vec![0xff])
        .send()
        .await
        .unwrap();
    let told = RpcStatus::decode(protobuf.bytes().await.unwrap()).unwrap();
    assert_eq!(told.code, 7);
    assert!(
        told.message.contains("ingest.write") && told.message.contains("role `ingest`"),
        "{}",
        told.message
    );
    let profiles = post(&stack, "/v1development/profiles", Some(&viewer), &json!({})).await;
    assert_eq!(profiles.status(), StatusCode::FORBIDDEN);
    assert!(spans(&stack).await.is_empty());
    stack.stop().await;
}

#[tokio::test]
async fn a_key_of_a_cluster_sends_for_it_alone() {
    let bed = crate::link::tests::bed::Bed::start().await;
    let (status, made) = bed.call(Method::POST, "/api/v1/clusters", Some(json!({"name": "eu-1"}))).await;
    assert_eq!(status, 201, "{made}");
    let id = made["cluster"]["id"].as_str().unwrap();
    let stack = &bed.stack;
    let ingest = key(stack, &bed.cookie, json!({"name": "otel", "role": "ingest", "cluster": id})).await;
    assert_eq!(post(stack, "/v1/traces", Some(&ingest), &span(stack)).await.status(), StatusCode::OK);
    assert_eq!(spans(stack).await[0].cluster, "eu-1");
    let ask = json!({"name": "x", "role": "ingest", "cluster": uuid::Uuid::from_u128(9)});
    let unknown = stack.post("/api/v1/keys", Some(&bed.cookie), ask).await;
    assert_eq!(unknown.status(), StatusCode::UNPROCESSABLE_ENTITY);
    bed.stack.stop().await;
}

#[tokio::test]
async fn zipkin_reporters_are_answered_as_they_expect() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let ingest = key(&stack, &owner, json!({"name": "zipkin", "role": "ingest"})).await;
    let now = stack.clock.now_ms() * 1000;
    let body = json!([{"traceId": "c0ffee", "id": "b1", "name": "get", "kind": "CLIENT", "timestamp": now, "duration": 1500,
        "localEndpoint": {"serviceName": "web"}, "remoteEndpoint": {"serviceName": "cart"}}]);
    assert_eq!(post(&stack, "/api/v2/spans", Some(&ingest), &body).await.status(), StatusCode::ACCEPTED);
    assert_eq!(post(&stack, "/api/v1/spans", Some(&ingest), &body).await.status(), StatusCode::ACCEPTED);
    assert_eq!(post(&stack, "/api/v2/spans", None, &body).await.status(), StatusCode::UNAUTHORIZED);
    let rows = spans(&stack).await;
    assert_eq!(
        (rows[0].service.as_str(), rows[0].peer_service.as_str(), rows[0].duration_ns),
        ("web", "cart", 1_500_000)
    );
    let thrift = client()
        .post(stack.url("/api/traces"))
        .header("content-type", "application/x-thrift")
        .bearer_auth(&ingest)
        .body(vec![0])
        .send()
        .await
        .unwrap();
    assert_eq!(thrift.status(), StatusCode::ACCEPTED);
    stack.stop().await;
}

#[tokio::test]
async fn grpc_is_taken_on_a_port_of_its_own_and_on_the_main_one() {
    let stack = Stack::start_with(|c| {
        c.intake = vec![Listen::Http(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))];
    })
    .await;
    let owner = stack.sign_in().await;
    let ingest = key(&stack, &owner, json!({"name": "otel", "role": "ingest"})).await;
    let body = serde_json::to_vec(&span(&stack)).unwrap();
    let (export, _) = ph_receive::otlp::from_json(Signal::Spans, &body).unwrap();
    let own = format!("http://{}", stack.running.intake[0]);
    for base in [own.as_str(), stack.base.as_str()] {
        for (credential, status) in [(Some(&ingest), tonic::Code::Ok), (None, tonic::Code::Unauthenticated)] {
            let channel =
                tonic::transport::Endpoint::from_shared(base.to_owned()).unwrap().connect().await.unwrap();
            let mut call =
                tonic::client::Grpc::new(channel).send_compressed(tonic::codec::CompressionEncoding::Zstd);
            call.ready().await.unwrap();
            let ph_receive::Export::Traces(request) = export.clone() else { panic!("spans") };
            let mut ask = tonic::Request::new(request);
            if let Some(key) = credential {
                ask.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
            }
            let codec: tonic_prost::ProstCodec<ExportTraceServiceRequest, ExportTraceServiceResponse> =
                Default::default();
            let path = http::uri::PathAndQuery::from_static(ph_receive::otlp::CALLS[2].0);
            let answer = call.unary(ask, path, codec).await;
            assert_eq!(answer.as_ref().map_or_else(tonic::Status::code, |_| tonic::Code::Ok), status);
            if let Ok(answer) = answer {
                assert_eq!(answer.into_inner().partial_success.unwrap().rejected_spans, 1);
            }
        }
    }
    // Spans of one identity are stored once.
    assert!(!spans(&stack).await.is_empty());
    let elsewhere = client().get(format!("{own}/api/v1/me")).send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    stack.stop().await;
}

/// Pages that the operator lists send from a browser; others, and other addresses, stay as they are.
#[tokio::test]
async fn listed_pages_send_with_a_key_and_never_by_a_cookie() {
    let page = "https://shop.example.org";
    let stack = Stack::start_with(|config| config.cors_origins = vec![page.to_owned()]).await;
    let owner = stack.sign_in().await;
    let ingest = key(&stack, &owner, json!({"name": "pages", "role": "ingest"})).await;
    let told = |answer: &reqwest::Response| {
        let of = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        (answer.status().as_u16(), of("access-control-allow-origin"), of("access-control-allow-headers"))
    };
    let preflight = async |path: &str, origin: &str| {
        let ask = client().request(Method::OPTIONS, stack.url(path)).header("origin", origin);
        let ask = ask.header("access-control-request-method", "POST").header("sec-fetch-site", "cross-site");
        told(&ask.send().await.unwrap())
    };
    let headers = Some("authorization, content-encoding, content-type, x-api-key".to_owned());
    assert_eq!(preflight("/v1/traces", page).await, (204, Some(page.to_owned()), headers));
    assert_eq!(preflight("/v1/traces", "https://evil.example").await, (403, None, None));
    let (status, origin, _) = preflight("/api/v1/keys", page).await;
    assert_eq!((status, origin), (405, None));
    let send = async |path: &str, origin: &str, credential: (&str, &str)| {
        let ask = client().post(stack.url(path)).json(&span(&stack)).header("origin", origin);
        let ask = ask.header("sec-fetch-site", "cross-site").header(credential.0, credential.1);
        told(&ask.send().await.unwrap())
    };
    let bearer = format!("Bearer {ingest}");
    let with_key = ("authorization", bearer.as_str());
    let allowed = Some(page.to_owned());
    assert_eq!(send("/v1/traces", page, with_key).await, (200, allowed.clone(), None));
    assert_eq!(spans(&stack).await.len(), 1);
    // The page learns why it was refused; the session that the browser has with this server is no credential.
    assert_eq!(send("/v1/traces", page, ("cookie", &owner)).await, (401, allowed, None));
    assert_eq!(send("/v1/traces", "https://evil.example", with_key).await, (403, None, None));
    assert_eq!(send("/api/v1/keys", page, ("cookie", &owner)).await, (403, None, None));
    stack.stop().await;
    let closed = Stack::start().await;
    let ask = client().request(Method::OPTIONS, closed.url("/v1/traces")).header("origin", page);
    let answer = ask.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(told(&answer), (405, None, None));
    closed.stop().await;
}
