//! Prometheus' text format 0.0.4 and 1.0.0, and OpenMetrics.
//!
//! Out:    samples in the order of the lines; names and labels borrow from the text but where they were escaped.
//! Never:  takes a part of a text: one bad line refuses all of it, with its number.
//! Source: Prometheus exposition formats; OpenMetrics 1.0.

use std::borrow::Cow;
use std::collections::HashMap;

/// Samples of one scrape.
const MAX_SAMPLES: usize = 50_000;

/// Labels of one line, more than any server keeps.
const MAX_LABELS: usize = 256;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    pub name: Cow<'a, str>,
    /// Without `__name__`; `le` and `quantile` with a point.
    pub labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub value: f64,
    /// Its own time, ms UTC, when it has one.
    pub at_ms: Option<i64>,
    /// It only grows.
    pub counter: bool,
    pub exemplar: Option<Exemplar>,
}

/// One measurement that stands for many in a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub labels: Vec<(String, String)>,
    pub value: f64,
    /// Its own time, ms UTC, when it has one.
    pub at_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("line {line}: {why}")]
    Line { line: usize, why: &'static str },
    #[error("it has more than {MAX_SAMPLES} samples")]
    TooMany,
}

/// All samples of a text.
pub fn parse(text: &str) -> Result<Vec<Sample<'_>>, Fault> {
    let mut kinds: HashMap<&str, &str> = HashMap::new();
    let mut out = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line == "# EOF" {
            break;
        }
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if words.next() == Some("TYPE")
                && let (Some(name), Some(kind)) = (words.next(), words.next())
            {
                kinds.insert(name.trim_matches('"'), kind);
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        if out.len() >= MAX_SAMPLES {
            return Err(Fault::TooMany);
        }
        let mut sample = Line(line).sample().map_err(|why| Fault::Line { line: number, why })?;
        sample.counter = grows(&sample.name, &kinds);
        out.push(sample);
    }
    Ok(out)
}

/// Whether a series of that name only grows, by the type of its family.
fn grows(name: &str, kinds: &HashMap<&str, &str>) -> bool {
    let of = |family: &str| kinds.get(family).copied();
    match of(name) {
        Some("counter") => return true,
        Some(_) => return false,
        None => {}
    }
    let parts = [("_total", "counter"), ("_bucket", "histogram"), ("_count", ""), ("_sum", "")];
    parts.iter().any(|(suffix, kind)| {
        let family = name.strip_suffix(suffix).and_then(of);
        family.is_some_and(|k| k == *kind || (kind.is_empty() && matches!(k, "histogram" | "summary")))
    })
}

/// What is left of a line.
struct Line<'a>(&'a str);

type Read<T> = Result<T, &'static str>;

impl<'a> Line<'a> {
    fn sample(mut self) -> Read<Sample<'a>> {
        let mut labels = Vec::new();
        let end = self.0.find(['{', ' ', '\t']).ok_or("a value is missing")?;
        let (name, rest) = self.0.split_at(end);
        let mut name = Cow::Borrowed(name);
        self.0 = rest.trim_start();
        if self.eat('{') {
            self.labels(&mut name, &mut labels)?;
        }
        if name.is_empty() {
            return Err("a name is missing");
        }
        let (rest, exemplar) = match self.0.split_once(" # ") {
            Some((rest, exemplar)) => (rest, Some(Line(exemplar).exemplar()?)),
            None => (self.0, None),
        };
        let mut words = rest.split_whitespace();
        let value = words.next().and_then(number).ok_or("the value is no number")?;
        let at_ms = words.next().map(time).transpose()?;
        if words.next().is_some() {
            return Err("something follows the time");
        }
        Ok(Sample { name, labels, value, at_ms, counter: false, exemplar })
    }

    /// `{trace_id="…"} 0.25 1700000000.5`
    fn exemplar(mut self) -> Read<Exemplar> {
        let (mut name, mut labels) = (Cow::Borrowed("an exemplar has no name"), Vec::new());
        if !self.eat('{') {
            return Err("an exemplar has no labels");
        }
        self.labels(&mut name, &mut labels)?;
        let mut words = self.0.split_whitespace();
        let value = words.next().and_then(number).ok_or("an exemplar's value is no number")?;
        // Its time is in seconds, whole or not.
        let seconds = |word: &str| word.parse::<f64>().ok().filter(|s| s.is_finite());
        let at_ms = match words.next() {
            Some(word) => {
                Some((seconds(word).ok_or("an exemplar's time is no number")? * 1000.0).round() as i64)
            }
            None => None,
        };
        if words.next().is_some() {
            return Err("something follows an exemplar's time");
        }
        let labels = labels.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        Ok(Exemplar { labels, value, at_ms })
    }

    fn eat(&mut self, c: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(c);
        if let Some(rest) = rest {
            self.0 = rest;
        }
        rest.is_some()
    }

    fn labels(
        &mut self,
        name: &mut Cow<'a, str>,
        labels: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>,
    ) -> Read<()> {
        while !self.eat('}') {
            let quoted = self.0.trim_start().starts_with('"');
            let key = if quoted {
                self.quoted()?
            } else {
                let rest = self.0.trim_start();
                let end = rest.find(['=', ' ', ',', '}']).ok_or("the labels are not closed")?;
                let (key, rest) = rest.split_at(end);
                self.0 = rest;
                Cow::Borrowed(key)
            };
            if self.eat('=') {
                let value = self.quoted()?;
                if key.is_empty() || labels.iter().any(|(k, _)| *k == key) {
                    return Err("a label has no name, or comes twice");
                }
                if labels.len() >= MAX_LABELS {
                    return Err("it has more than 256 labels");
                }
                let value = if matches!(key.as_ref(), "le" | "quantile") { with_point(value) } else { value };
                labels.push((key, value));
            } else if quoted && name.is_empty() {
                *name = key;
            } else {
                return Err("a label has no value");
            }
            if !self.eat(',') && !self.0.trim_start().starts_with('}') {
                return Err("the labels are not closed");
            }
        }
        Ok(())
    }

    fn quoted(&mut self) -> Read<Cow<'a, str>> {
        let rest = self.0.trim_start().strip_prefix('"').ok_or("a label's value is not in quotes")?;
        let mut escaped = false;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            })
            .map(|(at, _)| at)
            .ok_or("a quote is not closed")?;
        let text = rest.get(..end).unwrap_or_default();
        self.0 = rest.get(end + 1..).unwrap_or_default();
        if !text.contains('\\') {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some(c @ ('"' | '\\')) => out.push(c),
                    Some(c) => out.extend(['\\', c]),
                    None => {}
                },
                c => out.push(c),
            }
        }
        Ok(Cow::Owned(out))
    }
}

fn number(word: &str) -> Option<f64> {
    match word {
        "NaN" | "nan" => Some(f64::NAN),
        "+Inf" | "Inf" | "+inf" | "inf" => Some(f64::INFINITY),
        "-Inf" | "-inf" => Some(f64::NEG_INFINITY),
        _ => word.parse().ok(),
    }
}

/// ms as a whole number, as the text format has it; seconds with a point, as OpenMetrics has them.
fn time(word: &str) -> Read<i64> {
    let seconds = || word.parse::<f64>().ok().filter(|s| s.is_finite()).map(|s| (s * 1000.0).round() as i64);
    let whole = || word.parse().ok();
    if word.contains(['.', 'e', 'E']) { seconds() } else { whole() }.ok_or("the time is no number")
}

/// `1` and `1.0` are one bound.
fn with_point(value: Cow<'_, str>) -> Cow<'_, str> {
    match number(&value) {
        Some(n) if n.is_finite() => Cow::Owned(format!("{n:?}")),
        _ => value,
    }
}
