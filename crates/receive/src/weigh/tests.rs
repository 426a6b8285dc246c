//! Small bodies that would be large in memory are refused by every protocol, and what programs send is not.

use std::cell::Cell;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use ph_model::Signal;
use prost::Message;

use super::*;
use crate::answer::Encoding;
use crate::door::Limits;
use crate::foreign::attribute;
use crate::remote_write::{self, Version};
use crate::sink::Export;
use crate::{jaeger, otlp, zipkin};

const MANY: usize = 2 << 20;

/// A field of bytes.
fn field(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(inner.len() as u64, &mut out);
    out.extend_from_slice(inner);
    out
}

/// Empty messages in a field, inside fields.
fn empty(path: &[u8]) -> Vec<u8> {
    let (last, outer) = path.split_last().unwrap();
    let many = field(*last, &[]).repeat(MANY);
    outer.iter().rev().fold(many, |inner, number| field(*number, &inner))
}

fn refused(result: Result<Export, Error>) {
    match result {
        Err(Error::TooLarge { what: "request in memory", .. }) => {}
        other => panic!("{:?}", other.map(|export| export.items())),
    }
}

fn read(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Export, Error> {
    otlp::decode(signal, encoding, body).map(|(export, _)| export)
}

#[test]
fn empty_messages_are_refused_before_they_are_made() {
    for (signal, path) in [
        (Signal::Spans, &[1][..]),
        (Signal::Spans, &[1, 2]),
        (Signal::Spans, &[1, 2, 2]),
        (Signal::Spans, &[1, 2, 2, 9]),
        (Signal::Spans, &[1, 2, 2, 11]),
        (Signal::Spans, &[1, 1, 1]),
        (Signal::Logs, &[1, 2, 2]),
        (Signal::Logs, &[1, 2, 2, 5, 5, 1]),
        (Signal::Metrics, &[1, 2, 2]),
        (Signal::Metrics, &[1, 2, 2, 5, 1]),
        (Signal::Metrics, &[1, 2, 2, 9, 1]),
        (Signal::Metrics, &[1, 2, 2, 9, 1, 8]),
    ] {
        refused(read(signal, Encoding::Protobuf, &empty(path)));
    }
    for (version, path) in [
        (Version::One, &[1][..]),
        (Version::One, &[1, 1]),
        (Version::One, &[3]),
        (Version::Two, &[5]),
        (Version::Two, &[5, 4]),
    ] {
        let found = remote_write::decode(version, &empty(path), &Limits::default());
        assert!(matches!(found, Err(Error::TooLarge { .. })), "{version:?} {path:?}");
    }
    refused(zipkin::decode(zipkin::Version::Two, "application/x-protobuf", &empty(&[1])));
    refused(jaeger::from_protobuf(&empty(&[1, 1])));
    refused(jaeger::from_protobuf(&empty(&[1, 2, 2])));
}

#[test]
fn so_are_those_of_json_and_thrift() {
    let list = |item: &str| format!("[{}]", vec![item; MANY].join(","));
    let spans =
        |item: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":{}}}]}}]}}"#, list(item));
    for body in [spans("{}"), spans("null"), format!(r#"{{"resourceSpans":{}}}"#, list("{}"))] {
        refused(read(Signal::Spans, Encoding::Json, body.as_bytes()));
    }
    for version in [zipkin::Version::One, zipkin::Version::Two] {
        refused(zipkin::decode(version, "application/json", list("{}").as_bytes()));
    }
    // A list of structs in field 2, and each ends at once; then the same as tags of the process in field 1.
    let many = |head: &[u8]| [head, &[12], &(MANY as u32).to_be_bytes()[..], &vec![0; MANY + 2]].concat();
    refused(jaeger::from_thrift(&many(&[15, 0, 2])));
    refused(jaeger::from_thrift(&many(&[12, 0, 1, 15, 0, 2])));
}

/// Attributes of one letter are the smallest that say something.
#[test]
fn what_says_something_fits() {
    let pair = |n: i64| attribute("a", Value::IntValue(n % 100));
    let list: Vec<KeyValue> = (0..200_000).map(pair).collect();
    let record = opentelemetry_proto::tonic::logs::v1::LogRecord { attributes: list, ..Default::default() };
    let body = field(1, &field(2, &field(2, &record.encode_to_vec())));
    assert_eq!(read(Signal::Logs, Encoding::Protobuf, &body).unwrap().items(), 1);
}

/// What one process of Jaeger says of all its spans is looked at once, however many they are.
#[test]
fn spans_of_one_process_share_it() {
    let tags = field(2, &field(1, &vec![b'x'; 1 << 20]));
    let spans = field(1, &[]).repeat(20_000);
    let body = field(1, &[spans, field(2, &tags)].concat());
    assert_eq!(jaeger::from_protobuf(&body).unwrap().items(), 20_000);
    // In thrift the process stands before its spans: a tag with a long key, and spans that end at once.
    let mut body = vec![12, 0, 1, 15, 0, 2, 12, 0, 0, 0, 1, 11, 0, 1];
    body.extend((1_u32 << 20).to_be_bytes());
    body.extend(vec![b'x'; 1 << 20]);
    body.extend([0, 0, 15, 0, 2, 12]);
    body.extend(20_000_u32.to_be_bytes());
    body.extend(vec![0; 20_001]);
    assert_eq!(jaeger::from_thrift(&body).unwrap().items(), 20_000);
}

#[test]
fn cells_are_of_one_request() {
    let room = Room { left: Cell::new(40), limit: 40, over: Cell::new(false) };
    assert!(room.take::<[u8; 40]>() && !room.is_over());
    assert!(!room.take::<u8>() && room.is_over() && !room.take::<()>());
}
