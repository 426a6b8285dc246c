//! Times, CRI lines, json-file lines, and what is neither.

use super::node::*;
use crate::piece::{Format, Parsed};
use crate::{ReadAsk, stamp};

#[test]
fn times() {
    let ok = |text: &str, ns: i64| assert_eq!(stamp::parse(text.as_bytes()), Some(ns), "{text}");
    ok("1970-01-01T00:00:00Z", 0);
    ok("2023-11-14T22:13:20Z", 1_700_000_000 * SECOND);
    ok("2023-11-14T22:13:20.1Z", 1_700_000_000 * SECOND + 100_000_000);
    ok("2023-11-14T22:13:20.123456789+00:00", 1_700_000_000 * SECOND + 123_456_789);
    ok("2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND);
    ok("2023-11-14T16:43:20-05:30", 1_700_000_000 * SECOND);
    ok("2024-02-29T23:59:60Z", 1_709_251_200 * SECOND);
    ok("2261-12-31T00:00:00Z", 9_214_560_000 * SECOND);
    for bad in [
        "",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14 22:13:20Z",
        "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2023-11-14T24:00:00Z",
        "2023-11-14T22:13:61Z",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20.1234567890Z",
        "2023-11-14T22:13:20+1:00",
        "2023-11-14T22:13:20Zx",
        "１970-01-01T00:00:00Z",
    ] {
        assert_eq!(stamp::parse(bad.as_bytes()), None, "{bad}");
    }
    for ns in [0, 951_782_400 * SECOND, 1_709_164_800 * SECOND + 5, 4_102_444_799 * SECOND] {
        ok(&stamp_text(ns), ns);
    }
}

#[test]
fn cri_tags_and_content() {
    let mut node = Node::new();
    for tags in ["F", "F:TAG", "P", "P:TAG1:TAG2", "Q", "FULL", "PX"] {
        node.piece("stdout", tags, &format!("[{tags}]"));
    }
    let time = node.tick();
    node.raw(format!("{time} stderr F\n").as_bytes());
    node.raw(format!("{time} stderr F \n").as_bytes());
    node.raw(format!("{time} stdout F a\rb\r\n").as_bytes());
    node.raw(format!("{time} stdin F x\n").as_bytes());
    node.raw(b"garbage\n\n");
    assert_eq!(
        node.read(ReadAsk::default()),
        [
            "[F]",
            "[F:TAG]",
            "[P][P:TAG1:TAG2][Q]",
            "[FULL]",
            "[PX]",
            "",
            "",
            "a\rb\r",
            &format!("{time} stdin F x !malformed"),
            "garbage !malformed",
            " !malformed",
        ]
    );
}

#[test]
fn docker_lines() {
    let line = br#"{"log":"a \u003cb\u003e \"q\"\t\n","stream":"stderr","attrs":{"x":"}"},"time":"2023-11-14T22:13:20.5Z"}"#;
    let Parsed::Piece(piece) = Format::of(line).unwrap().parse(line) else { panic!("malformed") };
    assert_eq!(&*piece.content, b"a <b> \"q\"\t");
    assert!(!piece.partial);
    let part = br#"{"log":"abc","stream":"stdout","time":"2023-11-14T22:13:20Z"}"#;
    let Parsed::Piece(piece) = Format::Docker.parse(part) else { panic!("malformed") };
    assert!(piece.partial);
    for bad in
        [&b"{"[..], b"{}", br#"{"log":1,"stream":"stdout","time":"2023-11-14T22:13:20Z"}"#, b"{\"log\":\""]
    {
        assert!(matches!(Format::Docker.parse(bad), Parsed::Malformed));
    }
}

#[test]
fn content_is_exact_bytes() {
    let mut node = Node::new();
    let time = node.tick();
    let mut bytes = format!("{time} stdout F ").into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\0 \x80 end");
    bytes.push(b'\n');
    node.raw(&bytes);
    let mut reader = node.open(ReadAsk::default());
    let batch = reader.next_batch(1 << 20, 0).unwrap();
    assert_eq!(batch.message(&batch.records[0]), b"\xff\xfe\0 \x80 end");
}

#[test]
fn long_lines_are_cut_and_say_so() {
    let mut node = Node::new();
    for _ in 0..13 {
        node.piece("stdout", "P", &"x".repeat(16 << 10));
    }
    node.piece("stderr", "F", "between");
    node.piece("stdout", "F", "end");
    node.line("after");
    let mut reader = node.open(ReadAsk { max_line: 64 << 10, ..ReadAsk::default() });
    let batch = reader.next_batch(1 << 20, 0).unwrap();
    let long = &batch.records[1];
    assert_eq!((long.len, long.full_bytes), (64 << 10, (13 << 14) + 3));
    assert!(long.flags.has(ph_model::LogFlags::TRUNCATED));
    assert_eq!(batch.message(&batch.records[0]), b"between");
    assert_eq!(batch.message(&batch.records[2]), b"after");
    assert_eq!(batch.records[2].full_bytes, 0);
}

#[test]
fn a_line_without_end_stays_within_bounds() {
    let mut node = Node::new();
    let time = node.tick();
    node.raw(format!("{time} stdout F ").as_bytes());
    for _ in 0..48 {
        node.raw(&[b'y'; 64 << 10]);
    }
    node.raw(b"\n");
    node.line("next");
    let mut reader = node.open(ReadAsk { max_line: 64 << 10, ..ReadAsk::default() });
    let batch = reader.next_batch(1 << 20, 0).unwrap();
    assert_eq!((batch.records[0].len, batch.records[0].full_bytes), (64 << 10, 3 << 20));
    assert_eq!(batch.message(&batch.records[1]), b"next");
}

#[test]
fn nul_runs_are_named_and_passed_over() {
    let mut node = Node::new();
    node.line("one");
    node.raw(&vec![0; 300_000]);
    node.line("two");
    node.raw(&[0; 3]);
    node.line("three");
    let ask = || ReadAsk { max_line: 64 << 10, ..ReadAsk::default() };
    assert_eq!(node.read(ask()), ["one", "<nul_run>", "two", "three"]);
    let mut reader = node.open(ask());
    let batch = reader.next_batch(1 << 20, 0).unwrap();
    assert_eq!(batch.gaps().next().unwrap().bytes, Some(300_000));
}
