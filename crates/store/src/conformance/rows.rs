//! The rows that the questions are about.

use ph_model::{
    EventRow, Labels, LogRow, ObjectRef, Sample, Series, SeriesKind, SpanKind, SpanRow, SpanStatus,
};

use crate::contract::Rows;

/// 2026-11-21T11:00:00Z.
pub(crate) const BASE_MS: i64 = 1_795_258_800_000;
pub(super) const BASE_NS: i64 = BASE_MS * 1_000_000;
pub(super) const LINES: usize = 400;
pub(super) const TRACES: u8 = 24;
pub(super) const SAMPLES: i64 = 40;

/// Line `i`. Two lines share each time.
pub(super) fn line(i: usize) -> LogRow {
    let message = match i % 4 {
        0 => format!("GET /api/v1/users/{i} 200 in {i}ms"),
        1 => format!("{{\"msg\":\"Payment failed\",\"code\":{i},\"nested\":{{\"k\":\"v{}\"}}}}", i % 5),
        2 => format!("user=u{} err=\"timeout after {i}s\"", i % 11),
        _ => format!("Größe ok, ERROR Code E{i}"),
    };
    let mut row = LogRow {
        ts: BASE_NS + (i as i64 / 2) * 1_000_000,
        observed_ts: BASE_NS,
        cluster: "c1".into(),
        namespace: ["shop", "ops", "dev"][i % 3].into(),
        pod: format!("web-{}", i % 7),
        container: "app".into(),
        node: format!("n{}", i % 4),
        service: format!("svc-{}", i % 2),
        iostream: if i.is_multiple_of(9) { "stderr".into() } else { "stdout".into() },
        level: [0, 5, 9, 13, 17][i % 5],
        message: message.into_bytes(),
        offset: i as u64,
        ..LogRow::default()
    };
    row.attributes.set("n", i as i64);
    row.attributes.set("kind", if i.is_multiple_of(2) { "even" } else { "odd" });
    if i.is_multiple_of(10) {
        row.attributes.set("note", "hello world");
    }
    row.resource.set("host", format!("h{}", i % 4));
    row.trace_id = i.is_multiple_of(20).then_some([(i / 20) as u8; 16]);
    row
}

/// Span `n` (0 to 5) of trace `t`; the first is the root.
pub(super) fn span(t: u8, n: u8) -> SpanRow {
    let mut row = SpanRow {
        trace_id: [t; 16],
        span_id: [n; 8],
        parent_id: (n > 0).then_some([n / 2; 8]),
        start: BASE_NS + i64::from(t) * 1_000_000_000 + i64::from(n) * 1_000_000,
        duration_ns: 1_000_000 * (10 - u64::from(n)),
        service: ["front", "cart", "db"][usize::from(n) % 3].into(),
        name: format!("op-{}", n % 4),
        kind: [SpanKind::Server, SpanKind::Client, SpanKind::Internal][usize::from(n) % 3],
        status: if (t + n).is_multiple_of(7) { SpanStatus::Error } else { SpanStatus::Ok },
        http_status: if (t + n).is_multiple_of(7) { 500 } else { 200 },
        namespace: "shop".into(),
        ..SpanRow::default()
    };
    row.attributes.set("item", format!("sku-{}", t % 5));
    row.attributes.set("n", i64::from(n));
    row
}

pub(super) fn event(i: usize) -> EventRow {
    EventRow {
        ts: BASE_NS + i as i64,
        first_ts: BASE_NS,
        count: i as u32,
        r#type: if i.is_multiple_of(3) { "Warning".into() } else { "Normal".into() },
        reason: ["BackOff", "Pulled"][i % 2].into(),
        object: ObjectRef {
            kind: "Pod".into(),
            namespace: "shop".into(),
            name: format!("web-{}", i % 4),
            uid: format!("u{i}"),
            ..ObjectRef::default()
        },
        message: format!("container {i} of the pod"),
        uid: format!("e{i}"),
        ..EventRow::default()
    }
}

/// Series `s`: its labels. The last few lack a label that the others have.
pub(super) fn labels(s: usize) -> Labels {
    let mut pairs = vec![
        ("__name__".to_owned(), ["mem", "cpu", "net"][s % 3].to_owned()),
        ("pod".to_owned(), format!("p{}", s / 3)),
    ];
    if s < 12 {
        pairs.push(("ns".to_owned(), ["a", "b"][s % 2].to_owned()));
    }
    Labels::new(pairs)
}

pub(super) const SERIES: usize = 15;

pub(super) fn sample(s: usize, n: i64) -> Sample {
    Sample { at_ms: BASE_MS + n * 15_000, value: (s as f64) * 100.0 + n as f64 / 3.0 }
}

/// All rows in the order in which they are sent; those of the other organisation say so in a field.
pub(super) fn batches(other: bool) -> Vec<Rows> {
    let mut out = Vec::new();
    for chunk in 0..8 {
        let lines = (chunk * LINES / 8..(chunk + 1) * LINES / 8).map(line).map(|mut row| {
            if other {
                row.attributes.set("kind", "other");
            }
            row
        });
        out.push(Rows::Logs(lines.collect()));
        // Spans of one trace come in several batches, the root last.
        let n = 5 - chunk as u8 % 6;
        if chunk < 6 {
            out.push(Rows::Spans((0..TRACES).map(|t| span(t, n)).collect()));
        }
        let from = chunk as i64 * SAMPLES / 8;
        let series = (0..SERIES).map(|s| Series {
            labels: labels(s),
            kind: SeriesKind::Gauge,
            unit: "By".into(),
            start_ms: None,
            samples: (from..from + SAMPLES / 8).map(|n| sample(if other { s + 1 } else { s }, n)).collect(),
        });
        out.push(Rows::Metrics(series.collect()));
    }
    out.push(Rows::Events((0..30).map(event).collect()));
    out
}
