//! OTLP/JSON against the protobuf types: whatever is written in any allowed spelling reads back equal.

mod dice;
mod write;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;

use super::*;
use dice::Dice;
use write::Write;

/// Reads what was written, and what protobuf makes of the same request.
fn both<T: Message + prost::Message + Default + PartialEq + fmt::Debug + Write>(
    seed: Vec<u8>,
) -> (T, T, Unknown) {
    let dice = Dice::new(seed);
    let made = T::make(&dice);
    let bytes = made.encode_to_vec();
    let json = made.write(&dice).to_string();
    let cx = Cx(RefCell::default(), Room::of(&[]));
    let read = whole::<T>(json.as_bytes(), &cx).unwrap_or_else(|e| panic!("{e}\n{json}"));
    (read, T::decode(bytes.as_slice()).unwrap(), cx.0.into_inner())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn metrics_read_as_protobuf_does(seed in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (json, protobuf, unknown) = both::<ExportMetricsServiceRequest>(seed);
        prop_assert_eq!(json, protobuf);
        prop_assert_eq!(unknown.count, 0);
    }

    #[test]
    fn logs_read_as_protobuf_does(seed in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (json, protobuf, unknown) = both::<ExportLogsServiceRequest>(seed);
        prop_assert_eq!(json, protobuf);
        prop_assert_eq!(unknown.count, 0);
    }

    #[test]
    fn spans_read_as_protobuf_does(seed in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (json, protobuf, unknown) = both::<ExportTraceServiceRequest>(seed);
        prop_assert_eq!(json, protobuf);
        prop_assert_eq!(unknown.count, 0);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:0-9a-zA-Z. -]{0,200}") {
        for signal in [Signal::Metrics, Signal::Logs, Signal::Spans] {
            let _ = from_json(signal, text.as_bytes());
        }
    }
}

fn traces(json: &str) -> Result<(ExportTraceServiceRequest, Unknown), Error> {
    from_json(Signal::Spans, json.as_bytes()).map(|(export, unknown)| match export {
        Export::Traces(t) => (t, unknown),
        other => panic!("{other:?}"),
    })
}

#[test]
fn what_nobody_knows_is_passed_over_and_counted() {
    let (read, unknown) = traces(
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","novel":{"deep":[1,{"x":2}]},"kind":"SPAN_KIND_FUTURE"}]}]}],"more":null}"#,
    )
    .unwrap();
    assert_eq!(read.resource_spans[0].scope_spans[0].spans[0].name, "a");
    assert_eq!((unknown.count, unknown.example.as_str()), (3, "novel"));
    let told = unknown.told(Taken::default());
    assert_eq!(
        (told.rejected, told.reason.as_str()),
        (0, "unknown fields passed over: 3 (for example novel)")
    );
}

#[test]
fn nulls_are_defaults() {
    let (read, unknown) = traces(
        r#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":[{"name":null,"traceId":null,"kind":null,"endTimeUnixNano":null,"attributes":null,"status":{}}]}]}]}"#,
    )
    .unwrap();
    let span = &read.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.name.as_str(), span.kind, span.end_time_unix_nano), ("", 0, 0));
    assert_eq!((span.status.is_some(), unknown.count), (true, 0));
}

#[test]
fn faults_are_told_with_their_place() {
    for (json, told) in [
        (r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}"#, "an id in hex digits"),
        (r#"{"resourceSpans":{}}"#, "an array of objects"),
        (r#"{"resourceSpans":[]} x"#, "trailing characters"),
        (r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"-1"}]}]}]}"#, "fits u64"),
        ("", "EOF"),
    ] {
        let error = traces(json).unwrap_err();
        assert_eq!(error.code(), crate::error::Code::InvalidArgument);
        let text = error.to_string();
        assert!(text.contains(told) && text.contains("column"), "{text}");
    }
}

#[test]
fn depth_has_an_end() {
    let deep = |n: usize| {
        let open = r#"{"arrayValue":{"values":["#.repeat(n);
        let close = "]}}".repeat(n);
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{open}{{"intValue":"1"}}{close}}}]}}}}]}}"#
        )
    };
    assert!(traces(&deep(20)).is_ok());
    let text = traces(&deep(10_000)).unwrap_err().to_string();
    assert!(text.contains("recursion limit"), "{text}");
}
