//! Lines of a script to commands.

use ph_model::{Labels, Sample};

use super::LoadedSeries;
use super::expect::{Expectation, expectation};
use super::series::{Point, parse_series};
use super::starts::{Starts, starts};

/// One command with the lines that belong to it.
pub enum Command {
    Clear,
    Load(Vec<LoadedSeries>),
    Eval(Eval),
}

/// One `eval`.
pub struct Eval {
    /// The command as it stands there.
    pub text: String,
    pub query: String,
    pub start_ms: i64,
    pub end_ms: i64,
    /// 0: an instant query.
    pub step_ms: i64,
    pub expectations: Vec<Expectation>,
    pub results: Vec<(Labels, Vec<Point>)>,
    pub scalar: Option<f64>,
}

const COMMANDS: &[&str] = &[
    "clear",
    "load",
    "load_with_nhcb",
    "eval",
    "eval_fail",
    "eval_warn",
    "eval_info",
    "eval_ordered",
    "eval_with_nhcb",
];

fn is_command(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or("");
    match word {
        "clear" => line == "clear",
        // A metric may be called `load`: one with a value has no unit behind it.
        "load" | "load_with_nhcb" => {
            let mut words = line.split_whitespace().skip(1);
            let interval = words.next().and_then(crate::number::parse_duration);
            interval.is_some_and(|ms| ms > 0) && words.next().is_none()
        }
        word if COMMANDS.contains(&word) => {
            matches!(line.split_whitespace().nth(1), Some("instant" | "range"))
        }
        _ => false,
    }
}

/// Commands with their lines, from 1; what is none is an error.
pub fn commands(script: &str) -> Vec<(usize, Result<Command, String>)> {
    let mut out = Vec::new();
    let mut lines = script.lines().map(str::trim).zip(1..).peekable();
    while let Some((line, number)) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_command(line) {
            out.push((number, Err(format!("{line:?} is no command; write load, clear or eval"))));
            continue;
        }
        let mut block = Vec::new();
        while let Some((next, at)) = lines.next_if(|(next, _)| !next.is_empty() && !is_command(next)) {
            if !next.starts_with('#') {
                block.push((next, at));
            }
        }
        out.push((number, command(line, &block)));
    }
    out
}

fn command(line: &str, block: &[(&str, usize)]) -> Result<Command, String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "clear" => match block.first() {
            None => Ok(Command::Clear),
            Some((more, at)) => Err(format!("line {at}: {more:?} belongs to no command")),
        },
        "load" | "load_with_nhcb" => load(rest.trim(), block, word != "load").map(Command::Load),
        _ => eval(line, (word, rest.trim()), block).map(Command::Eval),
    }
}

/// ms from `5m`, `90`, `-1m`.
pub fn time(text: &str) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let ms = match crate::number::parse_duration(text) {
        Some(ms) => i64::try_from(ms).ok()?,
        None if text.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            (crate::number::parse_number(text)? * 1000.0).round() as i64
        }
        None => return None,
    };
    Some(if negative { -ms } else { ms })
}

fn load(step: &str, block: &[(&str, usize)], with_native: bool) -> Result<Vec<LoadedSeries>, String> {
    let step_ms =
        time(step).filter(|ms| *ms > 0).ok_or_else(|| format!("load needs an interval, not {step:?}"))?;
    let mut out = Vec::new();
    let mut waiting: Option<(Starts, usize)> = None;
    for (line, at) in block {
        let told = |why: String| format!("line {at}: {why}");
        if let Some(found) = starts(line) {
            if let Some((_, at)) = waiting {
                return Err(format!("line {at}: start times without samples behind them"));
            }
            waiting = Some((found.map_err(told)?, *at));
            continue;
        }
        let (labels, points) = parse_series(line).map_err(told)?;
        let mut one = series(labels, &points, step_ms);
        if let Some((starts, at)) = waiting.take() {
            one.starts = started(&starts, (&one.labels, points.as_slice()), step_ms)
                .map_err(|why| format!("line {at}: {why}"))?;
        }
        if with_native && one.labels.metric().ends_with("_bucket") && one.labels.value("le").is_some() {
            out.push(LoadedSeries {
                labels: native_of(&one.labels),
                native_ms: one.samples.iter().map(|s| s.at_ms).collect(),
                has_native_histograms: true,
                ..LoadedSeries::default()
            });
        }
        out.push(one);
    }
    match waiting {
        Some((_, at)) => Err(format!("line {at}: start times without samples behind them")),
        None => Ok(out),
    }
}

fn series(labels: Labels, points: &[Point], step_ms: i64) -> LoadedSeries {
    let mut out = LoadedSeries { labels, ..LoadedSeries::default() };
    for (point, at_ms) in points.iter().zip((0_i64..).map(|i| i.saturating_mul(step_ms))) {
        match point {
            Point::Value(value) => out.samples.push(Sample { at_ms, value: *value }),
            Point::Native => out.native_ms.push(at_ms),
            Point::Missing => {}
        }
    }
    out.has_native_histograms = !out.native_ms.is_empty();
    out
}

/// Start times by the time of their sample; one at 1970 itself counts as none.
fn started(
    starts: &Starts,
    (labels, points): (&Labels, &[Point]),
    step_ms: i64,
) -> Result<Vec<(i64, i64)>, String> {
    if starts.labels != *labels {
        return Err(format!("start times of {}, but samples of {labels} behind them", starts.labels));
    }
    if starts.offsets.len() != points.len() {
        let (given, wanted) = (starts.offsets.len(), points.len());
        return Err(format!("{given} start times for {wanted} samples"));
    }
    let times = (0_i64..).map(|i| i.saturating_mul(step_ms));
    let offsets = starts.offsets.iter().zip(points).zip(times);
    let found = offsets.filter_map(|((offset, point), at_ms)| match (offset, point) {
        (Some(offset), Point::Value(_)) => {
            Some((at_ms, at_ms.saturating_add(*offset))).filter(|(_, start)| *start != 0)
        }
        _ => None,
    });
    Ok(found.collect())
}

/// The native histogram that a bucket of a classic one is converted to.
fn native_of(labels: &Labels) -> Labels {
    let name = labels.metric();
    let name = name.strip_suffix("_bucket").unwrap_or(name).to_owned();
    let others = labels.iter().filter(|(n, _)| !matches!(*n, "le" | "__name__"));
    let others = others.map(|(n, v)| (n.to_owned(), v.to_owned()));
    others.chain([("__name__".to_owned(), name)]).collect()
}

fn eval(line: &str, (word, rest): (&str, &str), block: &[(&str, usize)]) -> Result<Eval, String> {
    let wrong = || {
        format!(
            "{line:?} is no eval; write `eval instant at TIME EXPR` or `eval range from A to B step S EXPR`"
        )
    };
    let (kind, rest) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let mut rest = rest.trim_start();
    let mut take = |keyword: &str| -> Option<i64> {
        let after = rest.strip_prefix(keyword)?.strip_prefix(char::is_whitespace)?.trim_start();
        let (text, more) = after.split_once(char::is_whitespace)?;
        rest = more.trim_start();
        time(text)
    };
    let (start_ms, end_ms, step_ms) = match kind {
        "instant" => {
            // Without a time it is the beginning.
            let at = if rest_has_time(line) { take("at").ok_or_else(wrong)? } else { 0 };
            (at, at, 0)
        }
        _ => {
            let bounds = (take("from"), take("to"), take("step"));
            let (Some(from), Some(to), Some(step)) = bounds else { return Err(wrong()) };
            if step <= 0 {
                return Err(format!("{line:?}: the step must be above zero"));
            }
            (from, to, step)
        }
    };
    let mut eval = Eval {
        text: line.to_owned(),
        query: rest.to_owned(),
        start_ms,
        end_ms,
        step_ms,
        expectations: Vec::new(),
        results: Vec::new(),
        scalar: None,
    };
    eval.expectations.extend(match word {
        "eval_fail" => Some(Expectation::fail()),
        "eval_warn" => Some(Expectation::warn()),
        "eval_info" => Some(Expectation::info()),
        "eval_ordered" => Some(Expectation::Ordered),
        _ => None,
    });
    for (text, at) in block {
        result_line(&mut eval, text).map_err(|why| format!("line {at}: {why}"))?;
    }
    Ok(eval)
}

/// Whether `at` follows `instant`.
fn rest_has_time(line: &str) -> bool {
    line.split_whitespace().nth(2) == Some("at")
}

fn result_line(eval: &mut Eval, text: &str) -> Result<(), String> {
    if let Some(expected) = expectation(text)? {
        eval.expectations.push(expected);
    } else if let Some(value) = crate::number::parse_number(text) {
        eval.scalar = Some(value);
    } else {
        eval.results.push(parse_series(text)?);
    }
    Ok(())
}
