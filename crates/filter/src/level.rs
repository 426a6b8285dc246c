//! The level of a line, read from what loggers write.
//!
//! Out:   a level and how sure it is. Never: the stream as evidence (stderr proves nothing).
//! Order: a field of a JSON object or of logfmt; klog and bracketed words; a level word near the start.

use ph_model::Level;

use crate::ansi::{ESC, strip_into};
use crate::{json, logfmt};

/// How a level was found.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing says a level.
    #[default]
    None,
    /// A level word near the start.
    Guess,
    /// A form that loggers use: klog's letter, a word in brackets, `level=` inside other text.
    Likely,
    /// A field named for it.
    Certain,
}

/// How far into a line, after a leading time, a level word is looked for; bytes.
const NEAR: usize = 64;

/// How much of a coloured line is looked at, without its escapes; bytes.
const COLOURED: usize = 1024;

/// The level of a message and how it was found; `(Unknown, None)` when nothing says one.
pub fn level_of(message: &[u8]) -> (Level, Confidence) {
    if memchr::memchr(ESC, message).is_some() {
        let mut plain = [0; COLOURED];
        let len = strip_into(message, &mut plain);
        return level_of_plain(plain.get(..len).unwrap_or_default());
    }
    level_of_plain(message)
}

fn level_of_plain(message: &[u8]) -> (Level, Confidence) {
    if json::is_object(message) {
        return match in_json(message) {
            Some(level) => (level, Confidence::Certain),
            None => (Level::Unknown, Confidence::None),
        };
    }
    if let Some(level) = klog(message) {
        return (level, Confidence::Likely);
    }
    if let Some(found) = in_logfmt(message) {
        return found;
    }
    near_start(message).unwrap_or((Level::Unknown, Confidence::None))
}

fn in_json(message: &[u8]) -> Option<Level> {
    for (key, value) in json::members(message) {
        let found = match key {
            b"log" if value.first() == Some(&b'{') => {
                json::lookup(value, "level").and_then(|v| by_field(b"level", &json::text_of(v)?))
            }
            _ if is_level_key(key) => json::text_of(value).and_then(|text| by_field(key, &text)),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn in_logfmt(message: &[u8]) -> Option<(Level, Confidence)> {
    // Most lines have no pair at all: one scan for '=' settles them.
    memchr::memchr(b'=', message)?;
    let mut confidence = Confidence::Certain;
    for (i, (key, value)) in logfmt::pairs(message).enumerate() {
        if i == 0 && !message.starts_with(key) {
            confidence = Confidence::Likely;
        }
        if is_level_key(key)
            && let Some(level) = by_field(key, &value)
        {
            return Some((level, confidence));
        }
    }
    None
}

fn is_level_key(key: &[u8]) -> bool {
    matches!(
        key,
        b"level"
            | b"lvl"
            | b"severity"
            | b"log.level"
            | b"levelname"
            | b"priority"
            | b"severity_number"
            | b"severityNumber"
            | b"Level"
            | b"SeverityNumber"
    )
}

fn by_field(key: &[u8], text: &str) -> Option<Level> {
    let number = text.parse::<u8>().ok();
    match (key, number) {
        (b"priority", Some(n)) => syslog(n),
        (b"severity_number" | b"severityNumber" | b"SeverityNumber", n) => {
            n.map(Level::from_number).filter(|l| *l != Level::Unknown)
        }
        // pino and bunyan count 10 to 60.
        (_, Some(n)) => match n {
            10..=19 => Some(Level::Trace),
            20..=29 => Some(Level::Debug),
            30..=39 => Some(Level::Info),
            40..=49 => Some(Level::Warn),
            50..=59 => Some(Level::Error),
            60 => Some(Level::Fatal),
            _ => None,
        },
        (_, None) => letter(text).or_else(|| word(text)),
    }
}

fn syslog(n: u8) -> Option<Level> {
    Some(match n {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        7 => Level::Debug,
        _ => return None,
    })
}

fn letter(text: &str) -> Option<Level> {
    Some(match text {
        "T" | "t" => Level::Trace,
        "D" | "d" => Level::Debug,
        "I" | "i" => Level::Info,
        "W" | "w" => Level::Warn,
        "E" | "e" => Level::Error,
        "F" | "f" => Level::Fatal,
        _ => return None,
    })
}

/// `unknown` as a word says nothing. Longest level word: `informational`.
fn word(text: &str) -> Option<Level> {
    if text.len() > 13 {
        return None;
    }
    Level::parse(text).filter(|l| *l != Level::Unknown)
}

/// `I1120 14:03:00.000000 …`: klog's letter, month and day.
fn klog(message: &[u8]) -> Option<Level> {
    let digits = message.get(1..5)?;
    if !digits.iter().all(u8::is_ascii_digit) || message.get(5) != Some(&b' ') {
        return None;
    }
    match message.first()? {
        b'I' => Some(Level::Info),
        b'W' => Some(Level::Warn),
        b'E' => Some(Level::Error),
        b'F' => Some(Level::Fatal),
        _ => None,
    }
}

/// A word in brackets, or one in capitals, before a colon or first in line, within [`NEAR`] bytes of the start.
fn near_start(message: &[u8]) -> Option<(Level, Confidence)> {
    let start = leading_time(message);
    let text = message.get(start..message.len().min(start + NEAR + 1))?;
    let mut at = 0;
    let mut first = true;
    while at < text.len().min(NEAR) {
        let rest = text.get(at..)?;
        let skip = rest.iter().position(u8::is_ascii_alphabetic)?;
        let begin = at + skip;
        let rest = text.get(begin..)?;
        let len = rest.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let before = begin.checked_sub(1).and_then(|i| text.get(i));
        let after = rest.get(len);
        if (3..=13).contains(&len)
            && let Some(found) = std::str::from_utf8(rest.get(..len)?).ok().and_then(word)
        {
            let upper = rest.get(..len)?.iter().all(u8::is_ascii_uppercase);
            if matches!((before, after), (Some(b'['), Some(b']')) | (Some(b'<'), Some(b'>'))) {
                return Some((found, Confidence::Likely));
            }
            if upper || first || after == Some(&b':') {
                return Some((found, Confidence::Guess));
            }
        }
        first = false;
        at = begin + len.max(1);
    }
    None
}

/// How many bytes a time at the start takes; 0 when there is none.
fn leading_time(message: &[u8]) -> usize {
    let head = message.get(..message.len().min(40)).unwrap_or_default();
    let mut digits = 0;
    let mut end = 0;
    for (i, b) in head.iter().enumerate() {
        match b {
            b'0'..=b'9' => digits += 1,
            b':' | b'.' | b',' | b'-' | b'/' | b'+' | b' ' | b'[' | b']' => {}
            b'T' | b'Z' if i > 0 && head.get(i - 1).is_some_and(u8::is_ascii_digit) => {}
            _ => break,
        }
        end = i + 1;
    }
    // Give back a bracket that opens the level word.
    while end > 0 && head.get(end - 1) == Some(&b'[') {
        end -= 1;
    }
    if digits >= 6 { end } else { 0 }
}

#[cfg(test)]
mod tests;
