//! Compares an answer with what was expected.

use std::collections::BTreeMap;

use ph_model::{Labels, is_stale_marker};

use super::Settings;
use super::expect::{Expectation, Text};
use super::pinned::{other_times, pinned};
use super::read::Eval;
use super::series::Point;
use crate::answer::{Answer, Value};
use crate::ast::{Expr, ExprKind};
use crate::error::Error;
use crate::eval::{Never, Params, eval};
use crate::number::plain;
use crate::source::SeriesSource;

/// Relative difference of values that are still the same.
const TOLERANCE: f64 = 1e-6;

/// What became of one `eval`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// In what the answer differs.
    Failed(String),
    /// It is about native histograms.
    Unsupported(String),
}

/// Values by time of one series.
type Points = BTreeMap<i64, f64>;

pub fn judge(case: &Eval, source: &dyn SeriesSource, settings: Settings) -> Outcome {
    if case.results.iter().any(|(_, points)| points.contains(&Point::Native)) {
        return Outcome::Unsupported("it expects native histograms".to_owned());
    }
    // The samples of a range vector end where the query is asked.
    let asked = match times(case) {
        Some((_, end, _)) if case.step_ms == 0 => (end, end, 0),
        _ => (case.start_ms, case.end_ms, case.step_ms),
    };
    let answer = answer(case, source, settings, asked);
    if let Err(Error::NativeHistograms(_)) = &answer {
        return Outcome::Unsupported(answer.err().map(|e| e.to_string()).unwrap_or_default());
    }
    let judged = compare(case, answer.as_ref())
        .and_then(|()| as_range(case, source, settings, answer.as_ref()))
        .and_then(|()| at_other_times(case, source, settings, answer.as_ref()));
    match judged {
        Ok(()) => Outcome::Passed,
        Err(why) => Outcome::Failed(why),
    }
}

/// Start, end and step of the samples of a range vector, when one is expected.
fn times(case: &Eval) -> Option<(i64, i64, i64)> {
    case.expectations.iter().find_map(|e| match e {
        Expectation::Times { start, end, step } => Some((*start, *end, *step)),
        _ => None,
    })
}

fn answer(
    case: &Eval,
    source: &dyn SeriesSource,
    settings: Settings,
    (start, end, step): (i64, i64, i64),
) -> Result<Answer, Error> {
    let expr = crate::parse::parse(&case.query)?;
    eval(&case.query, &expr, &params(settings, (start, end, step)), (source, &Never))
}

fn params(settings: Settings, (start, end, step): (i64, i64, i64)) -> Params {
    let mut params = Params::range(start, end, step);
    params.lookback_ms = settings.lookback_ms;
    params.delays_names = settings.delays_names;
    params.uses_starts = settings.uses_starts;
    params
}

/// An instant query with all selectors pinned to its time must give the same when it is asked at another.
fn at_other_times(
    case: &Eval,
    source: &dyn SeriesSource,
    settings: Settings,
    instant: Result<&Answer, &Error>,
) -> Result<(), String> {
    let Ok(Answer { value: Value::Vector(expected), .. }) = instant else { return Ok(()) };
    let Ok(expr) = crate::parse::parse(&case.query) else { return Ok(()) };
    let at = case.start_ms;
    let pinned =
        Some(expr).filter(|e| case.step_ms == 0 && !depends_on_query(e)).and_then(|e| pinned(&e, at));
    let Some(pinned) = pinned else { return Ok(()) };
    for time in other_times(at) {
        let wrong =
            |what: String| format!("pinned as {pinned} and asked at {} s {what}", time as f64 / 1000.0);
        let answer = eval(&case.query, &pinned, &params(settings, (time, time, 0)), (source, &Never));
        let value = answer.map_err(|fault| wrong(format!("it fails: {fault}")))?.value;
        let Value::Vector(rows) = value else { return Err(wrong("it gives no vector".to_owned())) };
        let got: BTreeMap<&Labels, f64> = rows.iter().map(|(labels, value)| (labels, *value)).collect();
        same_series(expected, &got).map_err(|what| wrong(format!("it gives {what}")))?;
    }
    Ok(())
}

fn same_series(expected: &[(Labels, f64)], got: &BTreeMap<&Labels, f64>) -> Result<(), String> {
    let same = got.len() == expected.len()
        && expected.iter().all(|(labels, value)| got.get(labels).is_some_and(|v| same(*v, *value)));
    if same { Ok(()) } else { Err(format!("{got:?}, alone {expected:?}")) }
}

/// An instant query must give the same as the middle of a range query.
fn as_range(
    case: &Eval,
    source: &dyn SeriesSource,
    settings: Settings,
    instant: Result<&Answer, &Error>,
) -> Result<(), String> {
    let Ok(Answer { value: Value::Vector(expected), .. }) = instant else { return Ok(()) };
    let Ok(expr) = crate::parse::parse(&case.query) else { return Ok(()) };
    if case.step_ms != 0 || depends_on_query(&expr) {
        return Ok(());
    }
    let at = case.start_ms;
    let ranged = match answer(case, source, settings, (at - 60_000, at + 60_000, 60_000)) {
        Ok(answer) => answer,
        // Neighbouring steps may have a conflict, or native histograms, that this one has not.
        Err(Error::Execution(_) | Error::NativeHistograms(_)) => return Ok(()),
        Err(fault) => return Err(format!("as a range query: {fault}")),
    };
    let Value::Matrix(rows) = ranged.value else { return Ok(()) };
    let got: BTreeMap<&Labels, f64> = rows
        .iter()
        .filter_map(|(labels, points)| Some((labels, points.iter().find(|(t, _)| *t == at)?.1)))
        .collect();
    same_series(expected, &got).map_err(|what| format!("as a range query it gives {what}"))
}

/// Whether the result may change with the query's start, end or step.
fn depends_on_query(expr: &Expr) -> bool {
    let text = expr.to_string();
    let own = match &expr.kind {
        ExprKind::Call(call) => matches!(call.function.name, "start" | "end" | "range" | "step"),
        _ => false,
    };
    own || text.contains("start()")
        || text.contains("end()")
        || text.contains("step()")
        || text.contains("range()")
}

fn compare(case: &Eval, answer: Result<&Answer, &Error>) -> Result<(), String> {
    let fails: Vec<&Option<Text>> = case
        .expectations
        .iter()
        .filter_map(|e| match e {
            Expectation::Fail(text) => Some(text),
            _ => None,
        })
        .collect();
    let answer = match (answer, fails.is_empty()) {
        (Ok(answer), true) => answer,
        (Ok(_), false) => return Err("it should fail and does not".to_owned()),
        (Err(fault), true) => return Err(format!("it fails: {fault}")),
        (Err(fault), false) => {
            let fault = fault.to_string();
            return match fails.iter().copied().flatten().find(|text| !text.fits(&fault)) {
                Some(text) => Err(format!("it fails with {fault:?}, not {text}")),
                None => Ok(()),
            };
        }
    };
    notes(case, answer)?;
    values(case, &answer.value)
}

fn notes(case: &Eval, answer: &Answer) -> Result<(), String> {
    let (mut warns, mut infos) = (Vec::new(), Vec::new());
    for expected in &case.expectations {
        match expected {
            Expectation::Warn(text) => warns.push(text.as_ref()),
            Expectation::Info(text) => infos.push(text.as_ref()),
            Expectation::NoWarn if !answer.warnings.is_empty() => {
                return Err(format!("it warns: {:?}", answer.warnings));
            }
            Expectation::NoInfo if !answer.infos.is_empty() => {
                return Err(format!("it informs: {:?}", answer.infos));
            }
            _ => {}
        }
    }
    each_noted("warning", &warns, &answer.warnings)?;
    each_noted("info", &infos, &answer.infos)
}

fn each_noted(kind: &str, expected: &[Option<&Text>], got: &[String]) -> Result<(), String> {
    if expected.is_empty() {
        return Ok(());
    }
    if got.is_empty() {
        return Err(format!("it gives no {kind}"));
    }
    for text in expected.iter().flatten() {
        if !got.iter().any(|g| text.fits(g)) {
            return Err(format!("no {kind} is {text}, among {got:?}"));
        }
    }
    let all_named = expected.iter().any(Option::is_none);
    let unnamed = got.iter().find(|g| !expected.iter().flatten().any(|t| t.fits(g)));
    match unnamed {
        Some(extra) if !all_named => Err(format!("nothing expects the {kind} {extra:?}")),
        _ => Ok(()),
    }
}

fn values(case: &Eval, value: &Value) -> Result<(), String> {
    let literal = case.expectations.iter().find_map(|e| match e {
        Expectation::Literal(text) => Some(text),
        _ => None,
    });
    match value {
        Value::Text(text) => match literal {
            Some(expected) if expected == text => Ok(()),
            Some(expected) => Err(format!("it gives the string {text:?}, not {expected:?}")),
            None => Err(format!("it gives the string {text:?}; expect string")),
        },
        Value::Scalar(got) => match case.scalar {
            Some(expected) if same(*got, expected) => Ok(()),
            Some(expected) => Err(format!("it gives {}, not {}", plain(*got), plain(expected))),
            None => Err(format!("it gives the scalar {}", plain(*got))),
        },
        _ if literal.is_some() || (case.scalar.is_some() && !matches!(value, Value::Matrix(_))) => {
            Err("it gives series".to_owned())
        }
        Value::Vector(got) => vector(case, got),
        Value::Matrix(got) => matrix(case, got),
    }
}

fn vector(case: &Eval, got: &[(Labels, f64)]) -> Result<(), String> {
    if case.expectations.contains(&Expectation::Ordered) {
        for (i, ((expected, _), (labels, _))) in case.results.iter().zip(got).enumerate() {
            if expected != labels {
                return Err(format!("series {} is {labels}, not {expected}", i + 1));
            }
        }
    }
    let at = case.start_ms;
    let got = got.iter().map(|(labels, value)| (labels, Points::from([(at, *value)])));
    compare_series(case, got.collect(), |_| Some(at))
}

fn matrix(case: &Eval, got: &[(Labels, Vec<(i64, f64)>)]) -> Result<(), String> {
    let times = times(case);
    if let Some(expected) = case.scalar {
        // A range query for a scalar gives one series without labels.
        let fits = |(labels, points): &(Labels, Vec<(i64, f64)>)| {
            labels.is_empty() && points.iter().all(|(_, v)| same(*v, expected))
        };
        return if got.iter().all(fits) { Ok(()) } else { Err(format!("it gives {got:?}")) };
    }
    let got: BTreeMap<&Labels, Points> =
        got.iter().map(|(labels, points)| (labels, points.iter().copied().collect())).collect();
    let by_order = times.is_none() && case.step_ms == 0;
    if by_order {
        let got = got.into_iter().map(|(l, points)| (l, (0..).zip(points.into_values()).collect()));
        return compare_series(case, got.collect(), |i| i64::try_from(i).ok());
    }
    let (start, end, step) = times.unwrap_or((case.start_ms, case.end_ms, case.step_ms));
    compare_series(case, got, |i| {
        let at = start + i64::try_from(i).ok()? * step;
        (at <= end).then_some(at)
    })
}

fn compare_series(
    case: &Eval,
    mut got: BTreeMap<&Labels, Points>,
    time_of: impl Fn(usize) -> Option<i64>,
) -> Result<(), String> {
    for (labels, points) in &case.results {
        let mut expected = Points::new();
        for (i, point) in points.iter().enumerate() {
            if let Point::Value(value) = point {
                let at = time_of(i).ok_or_else(|| format!("{labels} is expected to have too many values"))?;
                expected.insert(at, *value);
            }
        }
        let Some(found) = got.remove(labels) else {
            if expected.is_empty() {
                continue;
            }
            return Err(format!("{labels} is missing"));
        };
        let same_times = found.keys().eq(expected.keys());
        if !same_times || !found.values().zip(expected.values()).all(|(a, b)| same(*a, *b)) {
            return Err(format!("{labels} is {}, not {}", shown(&found), shown(&expected)));
        }
    }
    match got.iter().next() {
        Some((labels, points)) => Err(format!("{labels} is not expected, with {}", shown(points))),
        None => Ok(()),
    }
}

fn shown(points: &Points) -> String {
    let all: Vec<String> =
        points.iter().map(|(t, v)| format!("{}@{}", plain(*v), *t as f64 / 1000.0)).collect();
    all.join(" ")
}

fn same(a: f64, b: f64) -> bool {
    if is_stale_marker(a) || is_stale_marker(b) {
        return is_stale_marker(a) && is_stale_marker(b);
    }
    crate::float::nearly_equal(a, b, TOLERANCE)
}
