//! Series in a script: labels, then values such as `1+2x3 _ stale`.

use ph_model::{Labels, stale_marker};

use crate::lex::{Kind, Sign, lex};
use crate::number::parse_number;
use crate::text::unquote_shown;

/// Most points that one notation may stand for.
const MOST_POINTS: usize = 1_000_000;

/// One place in a sequence of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    Missing,
    Value(f64),
    /// A native histogram.
    Native,
}

/// Reads `name{label="value"} points`.
///
/// Errors: what is wrong, in words.
pub fn parse_series(text: &str) -> Result<(Labels, Vec<Point>), String> {
    let end = labels_end(text)?;
    let (series, points) = text.split_at(end);
    Ok((labels(series.trim())?, self::points(points)?))
}

/// Where the label set ends: at a blank outside braces.
fn labels_end(text: &str) -> Result<usize, String> {
    let mut quote = None;
    let mut escaped = false;
    let mut open = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('`') if c == '\\' => {}
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' | '`' => quote = Some(c),
                '{' => open = true,
                '}' => {
                    return Ok(at + 1);
                }
                c if c.is_whitespace() && !open => {
                    // `name {…}`: the labels may stand apart.
                    let rest = text.get(at..).unwrap_or_default();
                    if !rest.trim_start().starts_with('{') || rest.trim_start().starts_with("{{") {
                        return Ok(at);
                    }
                }
                _ => {}
            },
        }
    }
    if quote.is_some() || open { Err(format!("the labels of {text:?} do not end")) } else { Ok(text.len()) }
}

fn labels(text: &str) -> Result<Labels, String> {
    let tokens = lex(text).map_err(|e| format!("{text}: {e}"))?;
    let word = |at: usize| tokens.get(at).and_then(|t| text.get(t.span.start..t.span.end)).unwrap_or("");
    let kind = |at: usize| tokens.get(at).map_or(Kind::End, |t| t.kind);
    let wrong = |at: usize| format!("{text}: {:?} is not expected in a label set", word(at));
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    if matches!(kind(0), Kind::Name | Kind::Number) {
        pairs.push(("__name__".to_owned(), word(0).to_owned()));
        at = 1;
    }
    if kind(at) == Kind::End {
        return if pairs.is_empty() {
            Err("a series needs a name or labels".to_owned())
        } else {
            Ok(Labels::new(pairs))
        };
    }
    if kind(at) != Kind::Sign(Sign::OpenBrace) {
        return Err(wrong(at));
    }
    at += 1;
    while kind(at) != Kind::Sign(Sign::CloseBrace) {
        let name = match kind(at) {
            Kind::Text => unquote_shown(word(at)).map_err(|e| format!("{text}: {e}"))?,
            Kind::Name | Kind::Number => word(at).to_owned(),
            _ => return Err(wrong(at)),
        };
        if kind(at + 1) == Kind::Sign(Sign::Equals) && kind(at + 2) == Kind::Text {
            pairs.push((name, unquote_shown(word(at + 2)).map_err(|e| format!("{text}: {e}"))?));
            at += 3;
        } else if kind(at) == Kind::Text {
            pairs.push(("__name__".to_owned(), name));
            at += 1;
        } else {
            return Err(wrong(at + 1));
        }
        if kind(at) == Kind::Sign(Sign::Comma) {
            at += 1;
        } else if kind(at) != Kind::Sign(Sign::CloseBrace) {
            return Err(wrong(at));
        }
    }
    if kind(at + 1) == Kind::End { Ok(Labels::new(pairs)) } else { Err(wrong(at + 1)) }
}

/// Reads a sequence of values.
pub fn points(text: &str) -> Result<Vec<Point>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('#') {
            break;
        }
        let end = item_end(rest);
        let (item, more) = rest.split_at(end);
        expand(item, &mut out)?;
        rest = more.trim_start();
    }
    Ok(out)
}

/// The end of one item: at a blank outside `{{…}}`.
fn item_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn expand(item: &str, out: &mut Vec<Point>) -> Result<(), String> {
    let wrong = || format!("{item:?} is no value; write numbers, a+bxn, _, _xn, stale or {{{{…}}}}");
    let (body, repeats) = if item.starts_with("{{") {
        let close = item.rfind("}}").ok_or_else(wrong)? + 2;
        (item.get(..close).ok_or_else(wrong)?, item.get(close..).and_then(|r| r.strip_prefix('x')))
    } else {
        item.split_once('x').map_or((item, None), |(body, n)| (body, Some(n)))
    };
    let repeats: Option<usize> = repeats.map(|n| n.parse().map_err(|_| wrong())).transpose()?;
    if repeats.is_some_and(|n| n + out.len() > MOST_POINTS) {
        return Err(format!("{item:?} stands for more than {MOST_POINTS} values"));
    }
    if body.starts_with("{{") {
        out.extend(std::iter::repeat_n(Point::Native, repeats.unwrap_or(0) + 1));
        return Ok(());
    }
    match (body, repeats) {
        ("_", None) => out.push(Point::Missing),
        // `_x5` is five missing values, unlike other repetitions.
        ("_", Some(n)) => out.extend(std::iter::repeat_n(Point::Missing, n)),
        ("stale", None) => out.push(Point::Value(stale_marker())),
        (body, None) => out.push(Point::Value(parse_number(body).ok_or_else(wrong)?)),
        (body, Some(n)) => {
            let (first, step) = start_and_step(body).ok_or_else(wrong)?;
            let mut value = first;
            for _ in 0..=n {
                out.push(Point::Value(value));
                value += step;
            }
        }
    }
    Ok(())
}

/// `a+b`, `a-b` or `a`: the sign that splits is not the first, and not that of an exponent.
fn start_and_step(body: &str) -> Option<(f64, f64)> {
    if let Some(value) = parse_number(body) {
        return Some((value, 0.0));
    }
    let bytes = body.as_bytes();
    let split = (1..body.len()).find(|at| {
        matches!(bytes.get(*at), Some(b'+' | b'-'))
            && !matches!(bytes.get(at - 1), Some(b'e' | b'E'))
            && parse_number(body.get(..*at).unwrap_or("")).is_some()
    })?;
    let (first, step) = body.split_at(split);
    let sign = if step.starts_with('-') { -1.0 } else { 1.0 };
    Some((parse_number(first)?, sign * parse_number(step.get(1..)?)?))
}
