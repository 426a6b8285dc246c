//! One span in every form, and what the first version's annotations mean.

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

use super::message::{AnnotationMessage, EndpointMessage, ListOfSpans, SpanMessage};
use super::*;

fn read(version: Version, kind: &str, body: &[u8]) -> Vec<ResourceSpans> {
    match decode(version, kind, body).unwrap() {
        Export::Traces(t) => t.resource_spans,
        other => panic!("{other:?}"),
    }
}

const TWO: &str = r#"[{"traceId":"a1b2c3d4e5f60718","id":"00000000000000b1","parentId":"a1","name":"get /cart","kind":"SERVER",
"timestamp":1500000000000000,"duration":2500,"localEndpoint":{"serviceName":"cart","ipv4":"10.0.0.7","port":80},
"remoteEndpoint":{"serviceName":"web","ipv4":"10.0.0.9","port":4000},"annotations":[{"timestamp":1500000000001000,"value":"cache miss"}],
"tags":{"http.status_code":"500","error":"no stock"},"shared":true}]"#;

#[test]
fn json_and_protobuf_of_the_second_version_are_one() {
    let json = read(Version::Two, "application/json", TWO.as_bytes());
    let message = SpanMessage {
        trace_id: vec![0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 7, 0x18],
        id: vec![0, 0, 0, 0, 0, 0, 0, 0xb1],
        parent_id: vec![0, 0, 0, 0, 0, 0, 0, 0xa1],
        kind: 2,
        name: "get /cart".into(),
        timestamp: 1_500_000_000_000_000,
        duration: 2500,
        local_endpoint: Some(EndpointMessage {
            service_name: "cart".into(),
            ipv4: vec![10, 0, 0, 7],
            port: 80,
            ipv6: vec![],
        }),
        remote_endpoint: Some(EndpointMessage {
            service_name: "web".into(),
            ipv4: vec![10, 0, 0, 9],
            port: 4000,
            ipv6: vec![],
        }),
        annotations: vec![AnnotationMessage { timestamp: 1_500_000_000_001_000, value: "cache miss".into() }],
        tags: [
            ("http.status_code".to_owned(), "500".to_owned()),
            ("error".to_owned(), "no stock".to_owned()),
        ]
        .into(),
        shared: true,
    };
    let protobuf =
        read(Version::Two, "application/x-protobuf", &ListOfSpans { spans: vec![message] }.encode_to_vec());
    assert_eq!(json, protobuf);
    let span = &json[0].scope_spans[0].spans[0];
    assert_eq!(hex::encode(&span.trace_id), "0000000000000000a1b2c3d4e5f60718");
    assert_eq!((hex::encode(&span.parent_span_id), span.kind), ("00000000000000a1".to_owned(), 2));
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (1_500_000_000_000_000_000, 1_500_000_000_002_500_000)
    );
    let status = span.status.as_ref().unwrap();
    assert_eq!(
        (status.code, status.message.as_str(), span.events[0].name.as_str()),
        (2, "no stock", "cache miss")
    );
    let keys: Vec<_> = span.attributes.iter().map(|a| a.key.as_str()).collect();
    assert_eq!(
        keys,
        ["http.status_code", "zipkin.shared", "peer.service", "network.peer.address", "network.peer.port"]
    );
}

#[test]
fn the_first_version_tells_by_its_annotations() {
    let one = r#"[{"traceId":"1","id":"2","name":"pay","annotations":[
        {"timestamp":100,"value":"cs","endpoint":{"serviceName":"web"}},{"timestamp":900,"value":"cr","endpoint":{"serviceName":"web"}},
        {"timestamp":200,"value":"sr","endpoint":{"serviceName":"pay"}},{"timestamp":700,"value":"ss","endpoint":{"serviceName":"pay"}},
        {"timestamp":300,"value":"begun","endpoint":{"serviceName":"pay"}}],
        "binaryAnnotations":[{"key":"http.path","value":"/pay","endpoint":{"serviceName":"web"}},
        {"key":"sa","value":true,"endpoint":{"serviceName":"pay","ipv4":"10.0.0.1"}}]}]"#;
    let all = read(Version::One, "application/json", one.as_bytes());
    let told: Vec<_> = all
        .iter()
        .map(|r| {
            let span = &r.scope_spans[0].spans[0];
            let service = r.resource.as_ref().unwrap().attributes[0].value.clone().unwrap().value.unwrap();
            (
                service,
                span.kind,
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                span.events.len(),
                span.attributes.len(),
            )
        })
        .collect();
    let name = |s: &str| Value::StringValue(s.into());
    assert_eq!(told, [(name("pay"), 2, 200_000, 700_000, 1, 1), (name("web"), 3, 100_000, 900_000, 0, 4)]);
}

#[test]
fn what_is_no_list_of_spans_is_refused() {
    for (version, kind, body) in [
        (Version::Two, "application/json", "{}"),
        (Version::Two, "application/json", r#"[{"traceId":"xyz","id":"1"}]"#),
        (Version::Two, "application/json", r#"[{"traceId":"1","id":"00000000000000001"}]"#),
        (Version::Two, "application/x-protobuf", "\u{1}\u{2}"),
        (Version::One, "application/x-thrift", ""),
        (Version::One, "", "["),
    ] {
        assert!(decode(version, kind, body.as_bytes()).is_err(), "{body}");
    }
    assert!(read(Version::Two, "application/json", b"[]").is_empty());
}
