//! One batch in both forms, and batches that are none.

use proptest::prelude::*;
use prost::Message;

use super::message::{Batch, Log, PostSpansRequest, Process, SpanMessage, SpanRef, Tag};
use super::*;

/// Writes the binary protocol.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn field(mut self, kind: u8, id: u8, value: &[u8]) -> Self {
        self.0.extend([kind, 0, id]);
        self.0.extend(value);
        self
    }

    fn text(self, id: u8, value: &str) -> Self {
        let mut bytes = (value.len() as u32).to_be_bytes().to_vec();
        bytes.extend(value.as_bytes());
        self.field(11, id, &bytes)
    }

    fn long(self, id: u8, value: i64) -> Self {
        self.field(10, id, &value.to_be_bytes())
    }

    fn list(self, id: u8, items: &[Vec<u8>]) -> Self {
        let mut bytes = vec![12];
        bytes.extend((items.len() as u32).to_be_bytes());
        bytes.extend(items.concat());
        self.field(15, id, &bytes)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(0);
        self.0
    }
}

fn thrift() -> Vec<u8> {
    let tag = |key: &str, kind: i32| Writer::default().text(1, key).field(8, 2, &kind.to_be_bytes());
    let tags = [
        tag("span.kind", 0).text(3, "server").end(),
        tag("http.status_code", 3).long(6, 500).end(),
        tag("error", 2).field(2, 5, &[1]).end(),
        tag("share", 1).field(4, 4, &0.5f64.to_be_bytes()).end(),
    ];
    let log = Writer::default()
        .long(1, 1_500_000_000_000_100)
        .list(2, &[tag("event", 0).text(3, "retry").end(), tag("n", 3).long(6, 2).end()])
        .end();
    let far = Writer::default().field(8, 1, &1i32.to_be_bytes()).long(2, 9).long(3, 8).long(4, 7).end();
    let span = Writer::default()
        .long(1, 2)
        .long(2, 1)
        .long(3, 0xb1)
        .long(4, 0xa1)
        .text(5, "pay")
        .list(6, &[far])
        .field(8, 7, &1i32.to_be_bytes())
        .long(8, 1_500_000_000_000_000)
        .long(9, 2_500)
        .list(10, &tags)
        .list(11, &[log])
        // A field of a later release.
        .field(13, 99, &[11, 11, 0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 1, b'v'])
        .end();
    let process = Writer::default().text(1, "payments").list(2, &[tag("host", 0).text(3, "n1").end()]).end();
    Writer::default().field(12, 1, &process).list(2, &[span]).end()
}

fn protobuf() -> Vec<u8> {
    let tag = |key: &str, v_type| Tag { key: key.into(), v_type, ..Tag::default() };
    let id = |n: u8| vec![0, 0, 0, 0, 0, 0, 0, n];
    let trace_id = [id(1), id(2)].concat();
    let at = |micros: i64| prost_types::Timestamp {
        seconds: micros / 1_000_000,
        nanos: (micros % 1_000_000 * 1_000) as i32,
    };
    let span = SpanMessage {
        trace_id: trace_id.clone(),
        span_id: id(0xb1),
        operation_name: "pay".into(),
        references: vec![
            SpanRef { trace_id, span_id: id(0xa1), ref_type: 0 },
            SpanRef { trace_id: [id(8), id(9)].concat(), span_id: id(7), ref_type: 1 },
        ],
        flags: 1,
        start_time: Some(at(1_500_000_000_000_000)),
        duration: Some(prost_types::Duration { seconds: 0, nanos: 2_500_000 }),
        tags: vec![
            Tag { v_str: "server".into(), ..tag("span.kind", 0) },
            Tag { v_int64: 500, ..tag("http.status_code", 2) },
            Tag { v_bool: true, ..tag("error", 1) },
            Tag { v_float64: 0.5, ..tag("share", 3) },
        ],
        logs: vec![Log {
            timestamp: Some(at(1_500_000_000_000_100)),
            fields: vec![Tag { v_str: "retry".into(), ..tag("event", 0) }, Tag { v_int64: 2, ..tag("n", 2) }],
        }],
        process: None,
    };
    let process =
        Process { service_name: "payments".into(), tags: vec![Tag { v_str: "n1".into(), ..tag("host", 0) }] };
    PostSpansRequest { batch: Some(Batch { spans: vec![span], process: Some(process) }) }.encode_to_vec()
}

#[test]
fn both_forms_are_one() {
    let export = from_thrift(&thrift()).unwrap();
    assert_eq!(export, message::export(&protobuf()).unwrap());
    let Export::Traces(traces) = export else { panic!("spans") };
    let resource = traces.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes, [text("service.name", "payments"), text("host", "n1")]);
    let span = &traces.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(
        (hex::encode(&span.trace_id), span.parent_span_id[7], span.kind),
        ("00000000000000010000000000000002".into(), 0xa1, 2)
    );
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 2_500_000);
    assert_eq!((span.status.as_ref().unwrap().code, span.links.len(), span.attributes.len()), (2, 1, 2));
    assert_eq!((span.events[0].name.as_str(), span.events[0].attributes.len()), ("retry", 1));
}

#[test]
fn what_says_more_of_itself_than_there_is_is_refused() {
    let whole = thrift();
    for cut in 0..whole.len() {
        assert!(from_thrift(&whole[..cut]).is_err(), "{cut}");
    }
    // A list of 2^31 − 1 spans in no bytes, and structs within structs without end.
    let many = [&[15, 0, 2, 12][..], &i32::MAX.to_be_bytes()].concat();
    assert!(from_thrift(&many).unwrap_err().to_string().contains("2147483647"));
    let deep = [12u8, 0, 9].repeat(10_000);
    assert!(from_thrift(&deep).unwrap_err().to_string().contains("deeper than 64"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0usize..400, byte in any::<u8>(), tail in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = thrift();
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        let _ = from_thrift(&bytes);
        let _ = from_thrift(&tail);
    }
}
