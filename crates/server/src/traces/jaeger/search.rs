//! The parameters of a search.

use std::borrow::Cow;

use ph_filter::{Filter, Order};
use ph_model::RangeNs;
use ph_store::TracesAsk;

use super::invalid;
use crate::gateway::problem::Problem;
use crate::traces::ask::{duration, nanos};

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1_000;
const HOUR_US: i64 = 3_600_000_000;

/// A query string, parsed; parameters may repeat.
pub struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Params<'a> {
    pub fn of(query: Option<&'a str>) -> Self {
        Self(url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect())
    }

    /// The first value that is not empty.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_ref())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_ref()).collect()
    }

    pub fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        self.one(name)
            .map(|v| v.parse().map_err(|_| invalid(format!("parameter '{name}' is no number: {v}"))))
            .transpose()
    }
}

/// A search as the store is asked it.
pub fn search(params: &Params<'_>, now_ms: i64) -> Result<TracesAsk, Problem> {
    let service = params.one("service").ok_or_else(|| invalid("parameter 'service' is required"))?;
    let mut all = vec![Filter::equal("service", service)];
    all.extend(params.one("operation").filter(|o| *o != "all").map(|o| Filter::equal("name", o)));
    for (name, op) in [("minDuration", Order::AtLeast), ("maxDuration", Order::AtMost)] {
        if let Some(text) = params.one(name) {
            let ns =
                nanos(text).ok_or_else(|| invalid(format!("parameter '{name}' is no duration: {text}")))?;
            all.push(duration(op, ns));
        }
    }
    for text in params.all("tags") {
        all.extend(tags(text)?.iter().map(|(k, v)| tag(k, v)));
    }
    for text in params.all("tag") {
        let (k, v) = text
            .split_once(':')
            .ok_or_else(|| invalid(format!("malformed 'tag' parameter, expecting key:value: {text}")))?;
        all.push(tag(k, v));
    }
    let limit = params.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("parameter 'limit' is {limit}, not between 1 and {MAX_LIMIT}")));
    }
    let end = params.number("end")?.unwrap_or_else(|| now_ms.saturating_mul(1_000) + 1);
    let lookback = match params.one("lookback").filter(|l| *l != "custom") {
        Some(text) => nanos(text).map_or(HOUR_US, |ns| i64::try_from(ns / 1_000).unwrap_or(i64::MAX)),
        None => HOUR_US,
    };
    let start = params.number("start")?.unwrap_or(end.saturating_sub(lookback));
    if start >= end {
        return Err(invalid("parameter 'start' is not before 'end'"));
    }
    Ok(TracesAsk {
        spans: Filter::every(all).into(),
        select: Vec::new(),
        range: RangeNs::new(start.saturating_mul(1_000), end.saturating_mul(1_000)),
        limit: usize::try_from(limit).unwrap_or(1),
        cursor: None,
    })
}

/// `{"k": "v"}`, or `k=v k2="v 2"`.
fn tags(text: &str) -> Result<Vec<(String, String)>, Problem> {
    if !text.trim_start().starts_with('{') {
        return Ok(ph_filter::fields(text.as_bytes()).into_iter().collect());
    }
    let wrong = |_| invalid("malformed 'tags' parameter, expecting a JSON object of strings, or logfmt");
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(wrong)?;
    Ok(object
        .into_iter()
        .map(|(k, v)| match v {
            serde_json::Value::String(s) => (k, s),
            other => (k, other.to_string()),
        })
        .collect())
}

/// A tag as Jaeger's data have it: what became a column here, an attribute of the span, or one of its resource.
pub fn tag(key: &str, value: &str) -> Filter {
    let is = |field: &str, word: &str| Filter::equal(field, word);
    match (key, value) {
        ("error", "true") => is("status", "error"),
        ("error", "false") => is("status", "error").negated(),
        ("span.kind", kind) => is("kind", &kind.to_ascii_lowercase()),
        ("otel.status_code", code) => is("status", &code.to_ascii_lowercase()),
        ("otel.status_description", text) => is("status_text", text),
        ("otel.scope.name" | "otel.library.name", name) => is("scope", name),
        _ => Filter::any(vec![is(&format!("attr.{key}"), value), is(&format!("resource.{key}"), value)]),
    }
}
