//! Telemetry that others send or show: read whole or refused, whatever it is.

use std::cell::RefCell;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::Full;
use ph_model::Signal;
use ph_receive::{Door, Limits, otlp, remote_write as rw};

#[path = "../../node/src/scrape/text.rs"]
mod scraped;

/// OTLP in JSON, of each signal.
pub fn otlp_json(data: &[u8]) {
    for signal in [Signal::Metrics, Signal::Logs, Signal::Spans] {
        if let Err(e) = otlp::from_json(signal, data) {
            assert!(!e.to_string().is_empty());
        }
    }
}

/// Remote write of both versions: snappy, then protobuf.
pub fn remote_write(data: &[u8]) {
    thread_local! {
        static RUNTIME: RefCell<Option<tokio::runtime::Runtime>> = const { RefCell::new(None) };
    }
    let limits = Limits { compressed: 1 << 20, body: 4 << 20, ..Limits::default() };
    RUNTIME.with_borrow_mut(|kept| {
        let made = || tokio::runtime::Builder::new_current_thread().enable_time().build().ok();
        let Some(runtime) = kept.take().or_else(made) else { return };
        for kind in ["application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"]
        {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
            let door = Door::new(16 << 20);
            let body = Full::new(Bytes::copy_from_slice(data));
            let read = runtime.block_on(rw::read((&door, &limits), (&headers, body)));
            if let Ok((_, written, _)) = read {
                let ordered = written.series.iter().all(|s| !s.labels.is_empty());
                assert!(ordered, "a series without a label");
            }
        }
        *kept = Some(runtime);
    });
    for version in [rw::Version::One, rw::Version::Two] {
        // What stands behind the snappy block is reached without knowing how to make one.
        if let Err(e) = rw::decode(version, data, &limits) {
            assert!(!e.to_string().is_empty());
        }
    }
}

/// The text of a scrape: Prometheus' formats and OpenMetrics.
pub fn exposition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match scraped::parse(text) {
        Ok(samples) => assert!(samples.iter().all(|s| !s.name.is_empty()), "a sample without a name"),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

pub(crate) const OTLP: &[&[u8]] = &[
    br#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"b"}}]},"scopeMetrics":[{"metrics":[{"name":"m","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{"asInt":"5","timeUnixNano":"1"}]}},{"name":"h","histogram":{"dataPoints":[{"count":"2","bucketCounts":["1","1"],"explicitBounds":[1.5]}]}}]}]}]}"#,
    br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1,"severityNumber":"SEVERITY_NUMBER_WARN","body":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"doubleValue":"NaN"}]}}}]}},"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708"}]}]}]}"#,
    br#"{"resource_spans":[{"scope_spans":[{"spans":[{"name":"s","kind":2,"events":[{"name":"e"}],"links":[{}],"status":{"code":"STATUS_CODE_ERROR"},"unknown":null}]}]}]}"#,
];

pub(crate) const REMOTE_WRITE: &[&[u8]] = &[
    // One series `a{b="c"}` with one sample, and the same as a snappy block of one literal.
    b"\x0a\x22\x0a\x0d\x0a\x08__name__\x12\x01a\x0a\x06\x0a\x01b\x12\x01c\x12\x0c\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xe8\x07",
    b"\x24\x8c\x0a\x22\x0a\x0d\x0a\x08__name__\x12\x01a\x0a\x06\x0a\x01b\x12\x01c\x12\x0c\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xe8\x07",
    b"\x22\x00\x22\x08__name__\x22\x01a\x2a\x0f\x0a\x02\x01\x02\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f",
];

pub(crate) const EXPOSITION: &[&[u8]] = &[
    b"# HELP a b\n# TYPE a counter\na_total{b=\"c\\n\",d=\"\"} 1.5e3 1700000000000\nup 1\n",
    b"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3 # {trace_id=\"x\"} 0.5 1.7e9\nh_sum NaN\n# EOF\n",
    b"{\"a.b\",\"c d\"=\"e\"} -Inf\n# UNIT x seconds\n",
];
