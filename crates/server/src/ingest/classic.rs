//! Histograms and summaries of OTLP as the classic series that queries know: `_bucket`, `_count`, `_sum`, quantiles.
//!
//! Their names are PromQL's from the start (`http_server_request_duration_seconds_bucket`): a suffix behind a dotted name and a
//! unit would leave open where the unit goes.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility".

use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, SummaryDataPoint};

/// Words for units that PromQL names end in; others are left out.
const UNITS: [(&str, &str); 14] = [
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("min", "minutes"),
    ("h", "hours"),
    ("d", "days"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("kBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("%", "percent"),
    ("Cel", "celsius"),
];

/// The PromQL name of a metric with that unit, without a suffix of its own.
pub fn name(metric: &str, unit: &str) -> String {
    let mut out = String::with_capacity(metric.len() + 12);
    for c in metric.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == ':' => out.push(c),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    let out = out.trim_end_matches('_');
    match UNITS.iter().find(|(u, _)| *u == unit) {
        Some((_, word)) if !out.ends_with(word) => format!("{out}_{word}"),
        _ => out.to_owned(),
    }
}

/// A bound or quantile as label: the shortest text that reads back equal, always with a point.
pub fn bound(n: f64) -> String {
    match n {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        n => format!("{n:?}"),
    }
}

/// One value of a series: suffix of its name, its extra label, the value.
pub type Part = (&'static str, Option<(&'static str, String)>, f64);

/// Counts up to each bound, of all, and the sum.
pub fn histogram(p: &HistogramDataPoint) -> Vec<Part> {
    let mut parts = Vec::with_capacity(p.explicit_bounds.len() + 3);
    let mut below = 0u64;
    for (bound_at, count) in p.explicit_bounds.iter().zip(&p.bucket_counts) {
        below = below.saturating_add(*count);
        parts.push(("_bucket", Some(("le", bound(*bound_at))), below as f64));
    }
    parts.push(("_bucket", Some(("le", bound(f64::INFINITY))), p.count as f64));
    parts.push(("_count", None, p.count as f64));
    parts.extend(p.sum.map(|sum| ("_sum", None, sum)));
    parts
}

/// Quantiles, count and sum.
pub fn summary(p: &SummaryDataPoint) -> Vec<Part> {
    let quantiles = p.quantile_values.iter().map(|q| ("", Some(("quantile", bound(q.quantile))), q.value));
    quantiles.chain([("_count", None, p.count as f64), ("_sum", None, p.sum)]).collect()
}

#[cfg(test)]
mod tests {
    //! Names and labels as Prometheus' own receiver makes them.

    use super::*;

    #[test]
    fn names_end_in_their_unit_once() {
        for (metric, unit, expected) in [
            ("http.server.request.duration", "s", "http_server_request_duration_seconds"),
            ("http.server.request.body.size", "By", "http_server_request_body_size_bytes"),
            ("queue.size", "{message}", "queue_size"),
            ("already_seconds", "s", "already_seconds"),
            ("2xx..odd-", "1", "_2xx_odd"),
        ] {
            assert_eq!(name(metric, unit), expected);
        }
    }

    #[test]
    fn buckets_grow_to_the_count() {
        let p = HistogramDataPoint {
            count: 6,
            sum: Some(2.5),
            explicit_bounds: vec![0.005, 1.0],
            bucket_counts: vec![1, 2, 3],
            ..Default::default()
        };
        let told: Vec<String> = histogram(&p)
            .into_iter()
            .map(|(suffix, label, v)| format!("{suffix}{{{}}} {v}", label.map_or(String::new(), |(_, v)| v)))
            .collect();
        assert_eq!(
            told,
            ["_bucket{0.005} 1", "_bucket{1.0} 3", "_bucket{+Inf} 6", "_count{} 6", "_sum{} 2.5"]
        );
    }
}
