//! What of a LogQL query the store's filter answers: selectors and line filters.
//!
//! Label names are Loki's; `app` and `service_name` are the service, all others the column of that name. A label that no
//! stream has is empty.

use ph_model::{MatchOp, Matcher};

use super::ast::{LineOp, LogExpr, Stage};
use crate::{Case, Compiled, Error, Filter};

/// Labels of streams, and the fields that hold them. Ascending.
pub const LABELS: [(&str, &str); 10] = [
    ("app", "service"),
    ("cluster", "cluster"),
    ("container", "container"),
    ("level", "level"),
    ("namespace", "namespace"),
    ("node", "node"),
    ("pod", "pod"),
    ("service_name", "service"),
    ("stream", "stream"),
    ("workload", "workload"),
];

/// The selector and all line filters as one filter. Terminal escapes in lines are not seen by it.
///
/// # Errors
/// An expression that is too large.
pub fn filter_of(logs: &LogExpr) -> Result<Filter, Error> {
    let mut parts: Vec<Filter> = logs.matchers.iter().map(matcher_filter).collect::<Result<_, _>>()?;
    for stage in &logs.stages {
        if let Some(part) = line_filter(stage)? {
            parts.push(part);
        }
    }
    Ok(Filter::And(parts))
}

/// One matcher of a selector.
///
/// # Errors
/// An expression that does not compile.
pub fn matcher_filter(matcher: &Matcher) -> Result<Filter, Error> {
    match LABELS.iter().find(|(label, _)| *label == matcher.name) {
        Some((_, field)) => text_filter(field, matcher),
        // No stream has it: it is empty everywhere.
        None => {
            let empty = match matcher.op {
                MatchOp::Equal => matcher.value.is_empty(),
                MatchOp::NotEqual => !matcher.value.is_empty(),
                MatchOp::Regex => fits_empty(&matcher.value),
                MatchOp::NotRegex => !fits_empty(&matcher.value),
            };
            text_filter("level", matcher)?;
            Ok(if empty { Filter::All } else { Filter::Or(Vec::new()) })
        }
    }
}

/// Whether an anchored expression matches the empty text.
pub fn fits_empty(pattern: &str) -> bool {
    crate::text::Text::regex(&anchored(pattern), Case::Sensitive).is_ok_and(|text| text.found(b""))
}

fn anchored(pattern: &str) -> String {
    format!(r"\A(?s:{pattern})\z")
}

/// A matcher as a filter over a field; an absent field has the empty text.
///
/// # Errors
/// An expression that does not compile.
pub fn text_filter(field: &str, matcher: &Matcher) -> Result<Filter, Error> {
    let absent = || Filter::Has { field: field.to_owned() }.negated();
    let equal = |value: &str| Filter::equal(field, value);
    let found = match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual if matcher.value.is_empty() => {
            Filter::Or(vec![absent(), equal("")])
        }
        MatchOp::Equal | MatchOp::NotEqual => equal(&matcher.value),
        MatchOp::Regex | MatchOp::NotRegex => {
            let pattern = anchored(&matcher.value);
            let regex = Filter::Regex { field: Some(field.to_owned()), pattern, case: Case::Sensitive };
            Compiled::new(&regex)?;
            if fits_empty(&matcher.value) { Filter::Or(vec![absent(), regex]) } else { regex }
        }
    };
    Ok(match matcher.op {
        MatchOp::Equal | MatchOp::Regex => found,
        MatchOp::NotEqual | MatchOp::NotRegex => found.negated(),
    })
}

/// A line filter's condition; `None` for other stages.
///
/// # Errors
/// An expression that does not compile.
pub fn line_filter(stage: &Stage) -> Result<Option<Filter>, Error> {
    let Stage::Line { op, any } = stage else { return Ok(None) };
    let one = |text: &String| match op {
        // The empty text stands in every line.
        _ if text.is_empty() => Filter::All,
        LineOp::Has | LineOp::HasNot => {
            Filter::Contains { field: None, text: text.clone(), case: Case::Sensitive }
        }
        LineOp::Matches | LineOp::MatchesNot => {
            Filter::Regex { field: None, pattern: text.clone(), case: Case::Sensitive }
        }
    };
    let found = Filter::Or(any.iter().map(one).collect());
    Compiled::new(&found)?;
    Ok(Some(match op {
        LineOp::Has | LineOp::Matches => found,
        LineOp::HasNot | LineOp::MatchesNot => found.negated(),
    }))
}
