//! What is asked, as the store is asked it. All faults at once.

use ph_api::{FieldError, ServiceQuery, TraceQuery, TraceRange};
use ph_filter::{Compiled, Filter, Order, query};
use ph_model::{ErrorKind, RangeNs};
use ph_store::{SpanSet, TracesAsk};

use super::selector::{self, Question};
use crate::gateway::problem::Problem;

const HOUR_MS: i64 = 3_600_000;
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

/// A trace id: up to 32 hex digits, leading zeros optional.
pub fn trace_id(text: &str) -> Option<[u8; 16]> {
    let hex = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = hex.then(|| u128::from_str_radix(text, 16).ok())??;
    (id != 0).then(|| id.to_be_bytes())
}

/// A search for traces.
pub fn traces(query: &TraceQuery, now_ms: i64) -> Result<TracesAsk, Problem> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, message: String| {
        faults.push(FieldError { path: path.to_owned(), message, ..FieldError::default() });
    };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        fault("limit", format!("{limit} is not between 1 and {MAX_LIMIT}"));
    }
    let to = query.to.unwrap_or(now_ms + 1);
    let from = query.from.unwrap_or(to.saturating_sub(HOUR_MS));
    if from >= to {
        fault("from", format!("{from} is not before {to}"));
    }
    let mut all = Vec::new();
    for (field, value) in
        [("service", &query.service), ("name", &query.operation), ("cluster", &query.cluster)]
    {
        if let Some(value) = given(value) {
            let values = if field == "cluster" { value.split(',').collect() } else { vec![value] };
            all.push(Filter::any(values.into_iter().map(|v| Filter::equal(field, v)).collect()));
        }
    }
    for (path, text, op) in [
        ("min_duration", &query.min_duration, Order::AtLeast),
        ("max_duration", &query.max_duration, Order::AtMost),
    ] {
        let Some(text) = given(text) else { continue };
        match nanos(text) {
            Some(ns) => all.push(duration(op, ns)),
            None => fault(path, format!("`{text}` is no duration; write 250ms or 1.5s")),
        }
    }
    if query.errors == Some(true) {
        all.push(Filter::equal("status", "error"));
    }
    let mut question = None;
    match given(&query.q).map(text) {
        Some(Ok(asked)) => question = Some(asked),
        Some(Err(e)) => faults.push(e),
        None => {}
    }
    let Question { spans, select } = narrowed(question, all);
    let bad = spans.parts().0.into_iter().find_map(|filter| Compiled::new(filter).err());
    if let (true, Some(e)) = (faults.is_empty(), bad) {
        faults.push(FieldError { path: "q".to_owned(), message: e.to_string(), ..FieldError::default() });
    }
    if let Some(first) = faults.first() {
        let text = format!("the query does not fit: {}: {}", first.path, first.message);
        return Err(faults.into_iter().fold(Problem::new(ErrorKind::Invalid, text), Problem::fault_at));
    }
    let (range, cursor) = (range_ns(from, to), query.cursor.clone());
    Ok(TracesAsk { spans, select, range, limit: limit as usize, cursor })
}

/// The question with the other parameters: they speak of the same spans where it is a mere filter, and of some span of
/// the same trace where it asks for more.
fn narrowed(question: Option<Question>, mut all: Vec<Filter>) -> Question {
    match question {
        None => Question { spans: Filter::every(all).into(), select: Vec::new() },
        Some(Question { spans: SpanSet::Where(filter), select }) => {
            all.push(filter);
            Question { spans: Filter::every(all).into(), select }
        }
        Some(asked) if all.is_empty() => asked,
        Some(Question { spans, select }) => {
            Question { spans: SpanSet::And(vec![Filter::every(all).into(), spans]), select }
        }
    }
}

/// The text of `q`: TraceQL when it begins with a brace or a parenthesis before one, else the filter language.
fn text(text: &str) -> Result<Question, FieldError> {
    let place = |at: usize| u32::try_from(at).ok();
    let opening = |c: char| c.is_whitespace() || c == '(';
    let parsed = if text.trim_start_matches(opening).starts_with('{') {
        selector::parse(text)
    } else {
        query::parse_filter(text)
            .map(|filter| Question { spans: in_nanos(filter).into(), select: Vec::new() })
    };
    parsed.map_err(|e| FieldError {
        path: "q".to_owned(),
        message: e.cause,
        from: place(e.span.start),
        to: place(e.span.end),
        suggestion: e.suggestion,
    })
}

/// `duration` stands for the column, whose name says what its numbers count.
fn in_nanos(filter: Filter) -> Filter {
    let named = |field: String| if field == "duration" { "duration_ns".to_owned() } else { field };
    match filter {
        Filter::And(all) => Filter::And(all.into_iter().map(in_nanos).collect()),
        Filter::Or(all) => Filter::Or(all.into_iter().map(in_nanos).collect()),
        Filter::Not(one) => Filter::Not(Box::new(in_nanos(*one))),
        Filter::Compare { field, op, value } => Filter::Compare { field: named(field), op, value },
        Filter::Between { field, low, high } => Filter::Between { field: named(field), low, high },
        other => other,
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|t| !t.is_empty())
}

/// Spans whose duration stands so to that many ns.
pub fn duration(op: Order, ns: u64) -> Filter {
    Filter::Compare { field: "duration_ns".to_owned(), op, value: format!("{ns}ns") }
}

/// `250ms`, `1.5s`, `2m30s` in ns. Also Go's spellings.
pub fn nanos(text: &str) -> Option<u64> {
    let mut total = 0f64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "d" => 86_400e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        rest = tail;
    }
    (total.is_finite() && total < 9e18).then_some(total.round() as u64)
}

pub fn range_ns(from_ms: i64, to_ms: i64) -> RangeNs {
    RangeNs::new(from_ms.saturating_mul(1_000_000), to_ms.saturating_mul(1_000_000))
}

/// Where a trace is looked for; `None`: everywhere.
pub fn hint(range: &TraceRange) -> Result<Option<RangeNs>, Problem> {
    match (range.from, range.to) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) if from < to => Ok(Some(range_ns(from, to))),
        (Some(from), Some(to)) => Err(empty(from, to)),
        _ => Err(Problem::new(
            ErrorKind::Invalid,
            "the range is half given; give both from and to, or neither",
        )
        .fault("from", "from and to belong together")),
    }
}

/// The range of a question about services.
pub fn services(query: &ServiceQuery, now_ms: i64) -> Result<RangeNs, Problem> {
    let to = query.to.unwrap_or(now_ms + 1);
    let from = query.from.unwrap_or(to.saturating_sub(HOUR_MS));
    if from >= to { Err(empty(from, to)) } else { Ok(range_ns(from, to)) }
}

fn empty(from: i64, to: i64) -> Problem {
    Problem::new(ErrorKind::Invalid, "the range is empty").fault("from", format!("{from} is not before {to}"))
}
