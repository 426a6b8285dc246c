//! A program on this node sends; the server is away, comes back, and has it once, with the sender's pod.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use ph_model::Signal;
use ph_receive::{Asks, Cors, Export};

use super::*;
use crate::enrich::Place;
use crate::own::Own;
use crate::pods::{OwnContainer, OwnPod, PodEvent, Pods};
use crate::queue::Limits;

fn pod(uid: &str, ip: &str, containers: &[&str]) -> OwnPod {
    OwnPod {
        uid: uid.into(),
        name: format!("pod-{uid}"),
        namespace: "shop".into(),
        ip: Some(ip.into()),
        containers: containers
            .iter()
            .map(|name| OwnContainer {
                name: (*name).into(),
                id: Some(format!("{uid}-{name}")),
                running: true,
                ..OwnContainer::default()
            })
            .collect(),
        ..OwnPod::default()
    }
}

fn identify(pods: Vec<OwnPod>) -> Identify {
    let known = Pods::default();
    for pod in pods {
        known.apply(PodEvent::Set(Box::new(pod)), 0);
    }
    known.apply(PodEvent::Synced, 0);
    let place = Place { node: "n1".into(), ..Place::default() };
    Identify { pods: known, place: Arc::new(place), own: Own::default(), in_cluster: true }
}

fn spans(resource: serde_json::Value) -> Export {
    let attributes: Vec<_> = resource
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| serde_json::json!({"key": k, "value": {"stringValue": v}}))
        .collect();
    let body = serde_json::json!({"resourceSpans": [{"resource": {"attributes": attributes},
        "scopeSpans": [{"spans": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "x"}]}]}]});
    ph_receive::otlp::from_json(Signal::Spans, body.to_string().as_bytes()).unwrap().0
}

fn given(export: &Export, key: &str) -> String {
    let Export::Traces(t) = export else { panic!("spans") };
    let all = &t.resource_spans[0].resource.as_ref().unwrap().attributes;
    let found: Vec<_> = all.iter().filter(|a| a.key == key).collect();
    assert!(found.len() <= 1, "{key} twice");
    match found.first().and_then(|a| a.value.clone()?.value) {
        Some(Any::StringValue(text)) => text,
        _ => String::new(),
    }
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

#[tokio::test]
async fn the_sender_is_its_container_its_pod_or_whom_the_connection_came_from() {
    let host = OwnPod { host_network: true, ..pod("h", "10.0.0.9", &["app"]) };
    let identify =
        identify(vec![pod("a", "10.0.0.7", &["app"]), pod("b", "10.0.0.8", &["app", "proxy"]), host]);
    for (resource, peer, pod, container) in [
        (serde_json::json!({}), PEER, "pod-a", "app"),
        (serde_json::json!({"container.id": "b-proxy"}), PEER, "pod-b", "proxy"),
        (serde_json::json!({"container.id": "unknown", "k8s.pod.uid": "b"}), PEER, "pod-b", ""),
        (serde_json::json!({"k8s.pod.ip": "10.0.0.8", "k8s.container.name": "app"}), PEER, "pod-b", "app"),
        (serde_json::json!({}), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)), "", ""),
        (serde_json::json!({"k8s.pod.name": "own"}), PEER, "own", "app"),
    ] {
        let mut export = spans(resource.clone());
        identify.complete(&mut export, peer).await;
        let told = (given(&export, "k8s.pod.name"), given(&export, "k8s.container.name"));
        assert_eq!(told, (pod.to_owned(), container.to_owned()), "{resource} from {peer}");
    }
    let mut export = spans(serde_json::json!({"service.name": "checkout"}));
    identify.complete(&mut export, PEER).await;
    assert_eq!(given(&export, "service.name"), "checkout");
    assert_eq!(given(&export, "service.instance.id"), "shop.pod-a.app");
    assert_eq!(given(&export, "k8s.node.name"), "n1");
}

#[tokio::test]
async fn what_is_acknowledged_lies_on_the_disk_and_a_full_queue_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { segment_bytes: 4 << 10, cap_bytes: 16 << 10 };
    let own = Own::default();
    let open = |signal| Relay::open(dir.path(), signal, limits, own.clone()).unwrap();
    let relays = [open(Signal::Metrics), open(Signal::Logs), open(Signal::Spans)];
    let spans_relay = relays[2].clone();
    let cors = Cors::of(&["http://localhost:3000".to_owned()], Asks::Nothing).unwrap();
    let port = Port::new(identify(vec![pod("a", "127.0.0.1", &["app"])]), relays, cors);
    let listener = Port::open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn(serve(listener, port, stop.clone()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, kind: &str, body: Vec<u8>| {
        let sent = client.post(format!("http://{addr}{path}")).header("content-type", kind).body(body).send();
        sent.await.unwrap()
    };
    let body = spans(serde_json::json!({})).encode();
    assert_eq!(post("/v1/traces", "application/x-protobuf", body.clone()).await.status(), 200);
    let zipkin = br#"[{"traceId":"1","id":"2","name":"y"}]"#.to_vec();
    assert_eq!(post("/api/v2/spans", "application/json", zipkin).await.status(), 202);
    assert_eq!(post("/v1/traces", "application/json", b"{".to_vec()).await.status(), 400);
    assert_eq!(post("/nowhere", "application/json", vec![]).await.status(), 404);
    // A page asks first, and may read the answer when it is listed.
    for (origin, status) in [("http://localhost:3000", 204), ("http://localhost:3001", 403)] {
        let ask = client.request(http::Method::OPTIONS, format!("http://{addr}/v1/traces"));
        let ask = ask.header("origin", origin).header("access-control-request-method", "POST");
        let answer = ask.send().await.unwrap();
        let told = answer.headers().get("access-control-allow-origin").map(|v| v.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), told), (status, (status == 204).then_some(origin)));
    }
    let ask = client.post(format!("http://{addr}/v1/traces")).header("origin", "http://localhost:3000");
    let refused = ask.header("content-type", "application/json").body("{").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]),
        (400, &http::HeaderValue::from_static("http://localhost:3000"))
    );
    // What was acknowledged is there for the next process.
    let mut again = crate::queue::Queue::open(&dir.path().join("queue/received-spans"), limits).unwrap();
    let first = again.head().unwrap();
    let plain = zstd::bulk::decompress(&first.body, 1 << 20).unwrap();
    let kept = ph_receive::otlp::decode(Signal::Spans, ph_receive::Encoding::Protobuf, &plain).unwrap().0;
    assert_eq!((first.items, given(&kept, "k8s.pod.name")), (1, "pod-a".to_owned()));
    let mut refused = None;
    for _ in 0..200 {
        let answer = post("/v1/traces", "application/x-protobuf", body.clone()).await;
        if answer.status() != 200 {
            refused = Some((
                answer.status().as_u16(),
                answer.headers()["retry-after"].to_str().unwrap().to_owned(),
            ));
            break;
        }
    }
    assert_eq!(refused, Some((429, "10".to_owned())));
    assert!(spans_relay.bytes() <= limits.cap_bytes);
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn what_lies_in_the_queue_reaches_the_server_once_and_in_order() {
    use crate::testing::{Act, TestServer};
    let dir = tempfile::tempdir().unwrap();
    let script = [Act::Status(503), Act::LoseReply, Act::Partial(1), Act::Status(400), Act::Store];
    let server = TestServer::start(script).await;
    let own = Own::default();
    let open = || Relay::open(dir.path(), Signal::Spans, Limits::default(), own.clone()).unwrap();
    let body = |name: &str| spans(serde_json::json!({"service.name": name})).encode();
    let first = open();
    for name in ["a", "b", "c"] {
        first.put(body(name), 1).await.unwrap();
    }
    drop(first);
    // The next process sends what the one before it acknowledged.
    let relay = open();
    relay.put(body("d"), 1).await.unwrap();
    let poster = crate::sender::Poster::new(&server.origin, server.tokens.clone(), own.clone()).unwrap();
    let dead = crate::sender::DeadLetters::new(dir.path().join("dead"));
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(relay.clone().run(poster, dead, stop.clone()));
    server.stored(3).await;
    stop.cancel();
    running.await.unwrap();
    let state = server.state.lock().unwrap();
    let told: Vec<_> = state
        .order
        .iter()
        .map(|id| {
            let (path, body) = &state.batches[id];
            assert_eq!(path, "/v1/traces");
            let plain = zstd::bulk::decompress(body, 1 << 20).unwrap();
            let read =
                ph_receive::otlp::decode(Signal::Spans, ph_receive::Encoding::Protobuf, &plain).unwrap().0;
            given(&read, "service.name")
        })
        .collect();
    // The second was refused for good: it lies among the dead letters, and the queue went on.
    assert_eq!(told, ["a", "c", "d"]);
    assert_eq!(state.repeats, 1);
    assert!(std::fs::read_to_string(dir.path().join("dead.jsonl")).unwrap().contains("\"status\":400"));
}
