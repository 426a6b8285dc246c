//! Requests of both versions as senders write them.

use super::messages::*;
use super::*;

fn label(name: &str, value: &str) -> Label {
    Label { name: name.into(), value: value.into() }
}

fn point(value: f64, timestamp: i64) -> Point {
    Point { value, timestamp, start_timestamp: 0 }
}

fn up(labels: Vec<Label>) -> TimeSeries {
    TimeSeries { labels, samples: vec![point(1.0, 10), point(0.0, 20)], ..TimeSeries::default() }
}

#[test]
fn version_one_keeps_labels_samples_and_metadata() {
    let request = WriteRequest {
        timeseries: vec![
            TimeSeries {
                exemplars: vec![Exemplar {
                    labels: vec![
                        label("trace_id", "0af7651916cd43dd8448eb211c80319c"),
                        label("span_id", "b7"),
                        label("user", "7"),
                    ],
                    value: 0.25,
                    timestamp: 1_500,
                }],
                ..up(vec![label("job", "a"), label("__name__", "up"), label("none", "")])
            },
            up(vec![label("__name__", "up"), label("job", "a"), label("job", "b")]),
            up(vec![label("job", "nameless")]),
            TimeSeries {
                labels: vec![label("__name__", "h")],
                histograms: vec![Ignored {}; 3],
                ..TimeSeries::default()
            },
        ],
        metadata: vec![MetricMetadata {
            r#type: 2,
            metric_family_name: "up".into(),
            help: "Is it up?".into(),
            unit: String::new(),
        }],
    };
    let read = decode(Version::One, &request.encode_to_vec(), &Limits::default()).unwrap();
    assert_eq!(read.series.len(), 1);
    assert_eq!(read.series[0].labels.to_string(), r#"{__name__="up", job="a"}"#);
    assert_eq!((read.series[0].kind, read.series[0].samples.len()), (SeriesKind::Gauge, 2));
    assert_eq!((read.bad_labels.0, read.histograms), (4, 3));
    let [exemplar] = read.exemplars.as_slice() else { panic!("{:?}", read.exemplars) };
    assert_eq!(
        (exemplar.series.to_string(), exemplar.labels.to_string()),
        (r#"{__name__="up", job="a"}"#.into(), r#"{user="7"}"#.into())
    );
    assert_eq!(
        (exemplar.ts, exemplar.value, exemplar.span_id),
        (1_500_000_000, 0.25, Some([0, 0, 0, 0, 0, 0, 0, 0xb7]))
    );
    assert_eq!(exemplar.trace_id.unwrap()[..2], [0x0a, 0xf7]);
    assert_eq!(read.bad_labels.1, r#"{__name__="up", job="a", job="b"}"#);
    assert_eq!((read.described[0].name.as_str(), read.described[0].help.as_str()), ("up", "Is it up?"));
}

fn symbols() -> Vec<String> {
    ["", "__name__", "http_requests_total", "code", "200", "Requests.", "lat_bucket", "le", "1.0"]
        .map(String::from)
        .to_vec()
}

#[test]
fn version_two_reads_both_places_of_start_times() {
    let about = Some(Metadata { r#type: 1, help_ref: 5, unit_ref: 0 });
    let old = TimeSeries2 {
        labels_refs: vec![1, 2, 3, 4],
        samples: vec![point(5.0, 100)],
        metadata: about,
        created_timestamp: 40,
        ..TimeSeries2::default()
    };
    let new = TimeSeries2 {
        created_timestamp: 0,
        samples: vec![Point { start_timestamp: 50, ..point(5.0, 100) }],
        ..old.clone()
    };
    let bucket = TimeSeries2 {
        labels_refs: vec![1, 6, 7, 8],
        samples: vec![point(5.0, 100)],
        metadata: Some(Metadata { r#type: 3, ..Metadata::default() }),
        ..TimeSeries2::default()
    };
    let request = Request { symbols: symbols(), timeseries: vec![old, new, bucket] };
    let read = decode(Version::Two, &request.encode_to_vec(), &Limits::default()).unwrap();
    let starts: Vec<_> = read.series.iter().map(|s| (s.kind, s.start_ms)).collect();
    assert_eq!(
        starts,
        [(SeriesKind::Counter, Some(40)), (SeriesKind::Counter, Some(50)), (SeriesKind::Unknown, None)]
    );
    assert_eq!(read.series[0].labels.to_string(), r#"{__name__="http_requests_total", code="200"}"#);
    let names: Vec<_> = read.described.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["http_requests_total", "lat"]);
}

#[test]
fn symbols_are_checked() {
    let series =
        |labels_refs| TimeSeries2 { labels_refs, samples: vec![point(1.0, 1)], ..TimeSeries2::default() };
    for (symbols, refs, told) in [
        (symbols(), vec![1, 99], "symbol 99 is not in the table of 9"),
        (symbols(), vec![1], "odd number"),
        (vec!["a".to_owned()], vec![0, 0], "empty string"),
        (vec![], vec![], "empty string"),
    ] {
        let request = Request { symbols, timeseries: vec![series(refs)] };
        let error =
            decode(Version::Two, &request.encode_to_vec(), &Limits::default()).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn content_types_choose() {
    let of = |text: &'static str| {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(text))].into_iter().collect();
        Version::of(&headers).map_err(|e| e.status().as_u16())
    };
    assert_eq!(of("application/x-protobuf"), Ok(Version::One));
    assert_eq!(of("application/x-protobuf;proto=prometheus.WriteRequest"), Ok(Version::One));
    assert_eq!(of("application/x-protobuf; proto=io.prometheus.write.v2.Request"), Ok(Version::Two));
    assert_eq!(of("application/x-protobuf;proto=other"), Err(415));
    assert_eq!(of("application/json"), Err(415));
}

#[tokio::test]
async fn a_block_is_bounded_before_it_is_unpacked() {
    let door = Door::new(64 << 20);
    let headers: HeaderMap =
        [(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))].into_iter().collect();
    let request = WriteRequest { timeseries: vec![up(vec![label("__name__", "up")])], metadata: vec![] };
    let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
    let body = http_body_util::Full::new(Bytes::from(body));
    let (version, read, _) = read((&door, &Limits::default()), (&headers, body)).await.unwrap();
    assert_eq!((version, read.series.len()), (Version::One, 1));
    // A varint of 4 GiB as length, and nothing behind it.
    for (body, status) in [(vec![0xff, 0xff, 0xff, 0xff, 0x0f], 413), (vec![3, 0xff], 400)] {
        let body = http_body_util::Full::new(Bytes::from(body));
        let error = super::read((&door, &Limits::default()), (&headers, body)).await.unwrap_err();
        assert_eq!(error.status().as_u16(), status, "{error}");
    }
}

#[test]
fn answers_say_what_was_written() {
    let outcome = Outcome { samples: 3, exemplars: 0, rejected: 2, reason: "too_old: 2".into() };
    let reply = answered(Version::Two, &outcome);
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert_eq!(reply.headers()["x-prometheus-remote-write-samples-written"], "3");
    assert_eq!(answered(Version::One, &Outcome::default()).status(), StatusCode::NO_CONTENT);
}

/// One long symbol, named over and over, is refused before it fills the memory.
#[test]
fn symbols_that_grow_without_end_are_refused() {
    let limits = Limits { body: 4_096, ..Limits::default() };
    let request = |refs: usize| Request {
        symbols: vec![String::new(), "__name__".into(), "x".repeat(1_000)],
        timeseries: vec![TimeSeries2 { labels_refs: [1, 2].repeat(refs), ..TimeSeries2::default() }],
    };
    let read = |refs: usize| decode(Version::Two, &request(refs).encode_to_vec(), &limits);
    assert!(read(1).is_ok());
    let refused = read(100).unwrap_err();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.to_string().contains("symbols in place is larger than 32768 bytes"), "{refused}");
}

#[test]
fn a_body_of_version_one_is_read_as_its_messages_say_and_never_beyond_its_end() {
    let mut random = 7_u64;
    let mut next = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    for _ in 0..12 {
        let timeseries: Vec<TimeSeries> = (0..next(6))
            .map(|n| TimeSeries {
                labels: (0..next(5))
                    .map(|l| label(&format!("l{l}"), &"é".repeat(next(40) as usize)))
                    .chain([label("__name__", &format!("m{n}"))])
                    .collect(),
                samples: (0..next(4))
                    .map(|_| point(f64::from_bits(next(u64::MAX)), next(u64::MAX) as i64))
                    .collect(),
                ..TimeSeries::default()
            })
            .collect();
        let metadata = MetricMetadata { r#type: 1, metric_family_name: "m1".into(), ..Default::default() };
        let request = WriteRequest { timeseries, metadata: vec![metadata] };
        let mut body = request.encode_to_vec();
        // A field of each wire type that nobody knows.
        body.extend_from_slice(&[
            0x78, 0x96, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 9, 9, 0x7d, 1, 2, 3, 4,
        ]);
        let read = decode(Version::One, &body, &Limits::default()).unwrap();
        let given: Vec<&TimeSeries> = request.timeseries.iter().filter(|s| !s.samples.is_empty()).collect();
        assert_eq!(read.series.len(), given.len());
        for (series, given) in read.series.iter().zip(given) {
            let pairs = given.labels.iter().map(|l| (l.name.clone(), l.value.clone()));
            assert_eq!(series.labels, pairs.collect());
            let bits = |at_ms: i64, value: f64| (at_ms, value.to_bits());
            let samples: Vec<_> = series.samples.iter().map(|s| bits(s.at_ms, s.value)).collect();
            assert_eq!(samples, given.samples.iter().map(|p| bits(p.timestamp, p.value)).collect::<Vec<_>>());
            let kind = if series.labels.metric() == "m1" { SeriesKind::Counter } else { SeriesKind::Unknown };
            assert_eq!(series.kind, kind);
        }
        assert_eq!(read.described.len(), 1);
        for end in 0..body.len() {
            // Where a prefix ends between two fields it is a request, too.
            let prefix = &body[..end];
            let whole = WriteRequest::decode(prefix).is_ok();
            assert_eq!(decode(Version::One, prefix, &Limits::default()).is_ok(), whole, "{end}");
        }
    }
}

#[test]
fn fields_of_another_wire_type_and_texts_that_are_none_are_malformed() {
    for (body, why) in [
        (&[0x08, 1][..], "another wire type"),
        (&[0x0a, 2, 0x08, 1], "another wire type"),
        (&[0x0a, 4, 0x12, 2, 0x08, 1], "a sample's value"),
        (&[0x0a, 5, 0x0a, 3, 0x0a, 1, 0xff], "not UTF-8"),
        (&[0x0b], "no known wire type"),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "ends early"),
    ] {
        let fault = decode(Version::One, body, &Limits::default()).unwrap_err();
        assert!(matches!(fault, Error::Malformed { .. }) && fault.to_string().contains(why), "{fault}");
    }
}
