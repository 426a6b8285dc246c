//! Parameters of Loki's routes: times, ranges, steps, limits, queries.

use ph_filter::logql::{LogExpr, Query, parse};
use ph_model::RangeNs;
use ph_store::Order;

use super::envelope::Fault;
use crate::app::AppState;
use crate::prometheus::Form;

const HOUR_NS: i64 = 3_600_000_000_000;
/// Lines of one answer when none are asked for, and at most.
const LIMIT: usize = 100;
pub const MOST_LINES: usize = 5_000;
/// Steps of one answer.
const MOST_STEPS: i64 = 11_000;

/// ns UTC: whole numbers of more than ten digits are ns, shorter ones and those with decimals seconds; RFC 3339.
pub fn time(form: &Form, name: &str) -> Result<Option<i64>, Fault> {
    let Some(text) = form.one(name) else { return Ok(None) };
    let found = if let Ok(whole) = text.parse::<i64>() {
        let digits = text.trim_start_matches('-').len();
        Some(if digits <= 10 { whole.saturating_mul(1_000_000_000) } else { whole })
    } else if let Ok(seconds) = text.parse::<f64>() {
        seconds.is_finite().then_some((seconds * 1e9).round() as i64)
    } else {
        text.parse::<jiff::Timestamp>().ok().and_then(|t| i64::try_from(t.as_nanosecond()).ok())
    };
    found.map(Some).ok_or_else(|| {
        Fault::bad(format!(
            "parameter {name}: {text:?} is no time; give ns or seconds since 1970, or RFC 3339"
        ))
    })
}

/// `[start, end)`: the last hour unless `start`, `end` or `since` say otherwise.
pub fn range(app: &AppState, form: &Form) -> Result<RangeNs, Fault> {
    let now = app.clock.now_ms().saturating_mul(1_000_000);
    let end = time(form, "end")?.unwrap_or(now);
    let since = match form.one("since") {
        Some(text) => {
            duration(text).ok_or_else(|| Fault::bad(format!("parameter since: {text:?} is no duration")))?
        }
        None => HOUR_NS,
    };
    let start = time(form, "start")?.unwrap_or_else(|| end.min(now).saturating_sub(since));
    if end < start {
        return Err(Fault::bad("parameter end: it is before start"));
    }
    Ok(RangeNs::new(start, end))
}

/// A duration, or seconds with decimals, in ns.
fn duration(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds.abs() < 9e9).then_some((seconds * 1e9) as i64);
    }
    ph_promql::parse_duration(text)
        .and_then(|ms| i64::try_from(ms).ok())
        .map(|ms| ms.saturating_mul(1_000_000))
}

/// Times of steps, ms UTC, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub start_ms: i64,
    pub end_ms: i64,
    /// 0: one time alone.
    pub step_ms: i64,
}

impl Grid {
    pub fn of(form: &Form, range: RangeNs) -> Result<Self, Fault> {
        let (start_ms, end_ms) = (range.from.div_euclid(1_000_000), range.to.div_euclid(1_000_000));
        let step_ms = match form.one("step") {
            Some(text) => duration(text)
                .map(|ns| ns / 1_000_000)
                .filter(|ms| *ms > 0)
                .ok_or_else(|| Fault::bad(format!("parameter step: {text:?} is no duration from 1ms")))?,
            // Loki's own choice: 250 points, whole seconds.
            None => ((end_ms - start_ms) / 250_000 * 1_000).max(1_000),
        };
        if (end_ms - start_ms) / step_ms > MOST_STEPS {
            return Err(Fault::bad(format!(
                "exceeded maximum resolution of 11,000 points per timeseries; step={}s fits",
                (end_ms - start_ms) / MOST_STEPS / 1_000 + 1
            )));
        }
        Ok(Self { start_ms, end_ms, step_ms })
    }

    pub fn times(self) -> Vec<i64> {
        if self.step_ms == 0 {
            return vec![self.start_ms];
        }
        (0..=(self.end_ms - self.start_ms) / self.step_ms).map(|i| self.start_ms + i * self.step_ms).collect()
    }
}

pub fn order(form: &Form) -> Result<Order, Fault> {
    match form.one("direction").map(str::to_ascii_lowercase).as_deref() {
        None | Some("backward") => Ok(Order::Descending),
        Some("forward") => Ok(Order::Ascending),
        Some(other) => {
            Err(Fault::bad(format!("parameter direction: {other:?} is neither backward nor forward")))
        }
    }
}

pub fn limit(form: &Form) -> Result<usize, Fault> {
    number(form, ("limit", LIMIT, MOST_LINES))
}

/// A whole number from 1 to `most`.
pub fn number(form: &Form, (name, default, most): (&str, usize, usize)) -> Result<usize, Fault> {
    let Some(text) = form.one(name) else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(n) if n > most => Err(Fault::bad(format!("parameter {name}: {n} is above the largest, {most}"))),
        Ok(n) if n > 0 => Ok(n),
        _ => Err(Fault::bad(format!("parameter {name}: {text:?} is no whole number from 1"))),
    }
}

pub fn query(form: &Form) -> Result<Query, Fault> {
    let text = form.one("query").unwrap_or_default();
    parse(text).map_err(|e| Fault::syntax(text, &e))
}

/// A selector with stages.
pub fn logs(form: &Form) -> Result<LogExpr, Fault> {
    match query(form)? {
        Query::Logs(logs) => Ok(logs),
        Query::Metric(_) => {
            Err(Fault::bad("only a log selector, such as {namespace=\"shop\"}, stands in query here"))
        }
    }
}

/// A selector with stages, or every line.
pub fn logs_or_all(form: &Form) -> Result<LogExpr, Fault> {
    match form.one("query") {
        None | Some("{}") => Ok(LogExpr::default()),
        Some(_) => logs(form),
    }
}
