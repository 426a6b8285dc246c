//! The conditions of a query as one filter.

use ph_api::{FieldError, LogFilter};
use ph_filter::query::{self, Query, Stage};
use ph_filter::stages::{Evaluation, Frame};
use ph_filter::{Compiled, Filter};
use ph_model::Level;

fn fault(path: &str, message: String) -> FieldError {
    FieldError { path: path.to_owned(), message, ..FieldError::default() }
}

/// All conditions joined, and the stages behind the text. Faults name the part; those of the text also the bytes and what to write instead.
pub fn filter(f: &LogFilter) -> Result<(Filter, Vec<Stage>), Vec<FieldError>> {
    let (mut all, mut faults, mut stages) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(text) = f.expr.as_deref().filter(|t| !t.trim().is_empty()) {
        match parsed(text) {
            Ok(query) => {
                all.extend(Some(query.filter).filter(|filter| *filter != Filter::All));
                stages = query.stages;
            }
            Err(e) => faults.push(e),
        }
    }
    if let Some(text) = f.contains.as_deref().filter(|t| !t.is_empty()) {
        all.push(Filter::contains(text));
    }
    if let Some(text) = f.excludes.as_deref().filter(|t| !t.is_empty()) {
        all.push(Filter::contains(text).negated());
    }
    if let Some(word) = f.level.as_deref() {
        match Level::parse(word) {
            Some(level) => all.push(Filter::at_least(level)),
            None => faults.push(fault(
                "filter.level",
                format!("`{word}` is no level; use trace, debug, info, warn, error or fatal"),
            )),
        }
    }
    if let Some(s) = f.stream.as_deref().filter(|s| !matches!(*s, "stdout" | "stderr")) {
        faults.push(fault("filter.stream", format!("`{s}` is not one of stdout, stderr")));
    }
    all.extend(f.fields.iter().map(|(k, v)| Filter::equal(k, v)));
    if !faults.is_empty() {
        return Err(faults);
    }
    let whole = match all.len() {
        0 => Filter::All,
        1 => all.remove(0),
        _ => Filter::And(all),
    };
    match Compiled::new(&whole) {
        Ok(_) => Ok((whole, stages)),
        Err(e) => Err(vec![fault(if f.expr.is_some() { "filter.expr" } else { "filter" }, e.to_string())]),
    }
}

fn parsed(text: &str) -> Result<Query, FieldError> {
    let parsed = query::parse(text).map_err(|e| {
        let place = |at: usize| u32::try_from(at).ok();
        FieldError {
            path: "filter.expr".to_owned(),
            message: e.cause,
            from: place(e.span.start),
            to: place(e.span.end),
            suggestion: e.suggestion,
        }
    })?;
    // A stage that has no place where it stands.
    Evaluation::new(&parsed.stages, &Frame::default()).map_err(|e| fault("filter.expr", e.to_string()))?;
    Ok(parsed)
}
