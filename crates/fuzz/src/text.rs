//! Languages: what is read prints as what reads the same; what is not read says where, inside the text.

use std::borrow::Cow;

use ph_filter::stages::{Evaluation, Frame};
use ph_filter::{Compiled, Record, logql as loki, query};
use ph_model::Level;

/// The filter language: parse, print, parse; what compiles runs over a line, and so do the stages.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let query = match query::parse(text) {
        Ok(query) => query,
        Err(e) => return assert!(text.get(e.span.clone()).is_some(), "{e:?} lies outside of {text:?}"),
    };
    let printed = query.to_string();
    if printed.len() <= query::MAX_TEXT {
        assert_eq!(query::parse(&printed).as_ref(), Ok(&query), "{text:?} is printed as {printed:?}");
    }
    let line = Line(data);
    if let Ok(compiled) = Compiled::new(&query.filter) {
        compiled.matches(&line);
        compiled.highlights(data, &mut Vec::new());
    }
    if let Ok(mut evaluation) = Evaluation::new(&query.stages, &Frame::default()) {
        let mut rows = Vec::new();
        evaluation.add(&line, &mut rows);
        evaluation.add(&line, &mut rows);
        let columns = evaluation.columns().len();
        rows.extend(evaluation.finish().rows);
        assert!(rows.iter().all(|row| row.len() == columns), "{text:?} gives rows of other columns");
    }
}

/// A line that is its own fields.
struct Line<'a>(&'a [u8]);

impl Record for Line<'_> {
    fn ts_ns(&self) -> i64 {
        self.0.iter().fold(0, |sum: i64, b| sum.wrapping_mul(31).wrapping_add(i64::from(*b)))
    }

    fn level(&self) -> Level {
        ph_filter::level_of(self.0).0
    }

    fn message(&self) -> &[u8] {
        self.0
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        ph_filter::field(self.0, name)
    }
}

/// PromQL: parse, print, parse.
pub fn promql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match ph_promql::parse(text) {
        Err(e) => drop(e.to_string()),
        Ok(expr) => {
            let printed = expr.to_string();
            if printed.len() <= ph_promql::MAX_EXPRESSION_BYTES {
                let again = ph_promql::parse(&printed);
                assert_eq!(again.as_ref().ok(), Some(&expr), "{text:?} is printed as {printed:?}");
            }
        }
    }
}

/// LogQL: parse, print, parse.
pub fn logql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match loki::parse(text) {
        Err(e) => assert!(text.get(e.span.clone()).is_some(), "{e:?} lies outside of {text:?}"),
        Ok(query) => {
            let printed = query.to_string();
            let again = loki::parse(&printed);
            // What is printed may be longer than what is read.
            if printed.len() <= text.len().max(1 << 10) {
                assert_eq!(again.as_ref(), Ok(&query), "{text:?} is printed as {printed:?}");
            }
        }
    }
}

pub(crate) const FILTER: &[&[u8]] = &[
    b"status>=500 and not path:\"/healthz\" | count by pod every 1m | sort count desc | limit 3",
    b"level:(warn or error) -timeout ~\"a+b\" user.id:* took:[250ms, 1s] ts>=2026-01-31T14:05:00Z",
    b"(a or `raw \\d`) err* *err* size<4KiB | stats p95(took) as slow, count() by path | fields slow",
    b"not not (x!=y z!~\"q\") | top 3 name | patterns 2",
    b"| rate by level every 30s",
];

pub(crate) const PROMQL: &[&[u8]] = &[
    b"sum by (pod) (rate(http_requests_total{job=\"web\",code=~\"5..\"}[5m])) / on (pod) group_left (node) up > bool 0.5",
    b"histogram_quantile(0.99, sum by (le) (increase(x_bucket[1h:30s] offset 5m))) or vector(1e3)",
    b"topk(3, avg_over_time(m[1d2h3m] @ start()) unless -inf) ^ 2 % NaN",
    b"{__name__=\"a.b\", \"c d\"!~'e|f'} atan2 0x1f",
];

pub(crate) const LOGQL: &[&[u8]] = &[
    b"{a=\"b\",c=~\"d\"} |= \"x\" or \"y\" != `z` | json | status >= 500 and took > 250ms | drop a, b",
    b"sum by (pod) (rate({n=\"s\"} |~ \"t\" | logfmt | unwrap bytes(size) [5m] offset 1h)) / 2",
    b"quantile_over_time(0.9, {a=\"b\"} | pattern \"<x> <_>\" | regexp \"(?P<n>.)\" | unwrap n [1m]) by (x)",
];
