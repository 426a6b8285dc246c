//! What an `eval` expects beside its values.

use super::read::time;
use crate::text::unquote;

#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    Fail(Option<Text>),
    Warn(Option<Text>),
    Info(Option<Text>),
    NoWarn,
    NoInfo,
    Ordered,
    /// The result is this string.
    Literal(String),
    /// The samples of a range vector are at these times, in ms.
    Times {
        start: i64,
        end: i64,
        step: i64,
    },
}

/// How a message must read.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    Exactly(String),
    Matching(String),
}

impl Text {
    /// Whether a message is meant. A place at its end, `(1:5)`, need not be named.
    pub fn fits(&self, message: &str) -> bool {
        let bare = without_place(message);
        match self {
            Text::Exactly(text) => text == message.trim_end() || text == bare,
            Text::Matching(pattern) => regex::Regex::new(pattern).is_ok_and(|r| r.is_match(message)),
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Text::Exactly(text) => write!(f, "{text:?}"),
            Text::Matching(pattern) => write!(f, "something like /{pattern}/"),
        }
    }
}

fn without_place(message: &str) -> &str {
    let place = |text: &str| {
        let inside = text.strip_suffix(')').unwrap_or("");
        inside.split_once(':').is_some_and(|(l, c)| l.parse::<u32>().is_ok() && c.parse::<u32>().is_ok())
    };
    message.rsplit_once(" (").filter(|(_, end)| place(end)).map_or(message, |(text, _)| text)
}

impl Expectation {
    pub fn fail() -> Self {
        Self::Fail(None)
    }

    pub fn warn() -> Self {
        Self::Warn(None)
    }

    pub fn info() -> Self {
        Self::Info(None)
    }
}

/// Reads an `expect …` line; `None` when it is none.
///
/// Errors: an expectation that is not known.
pub fn expectation(line: &str) -> Result<Option<Expectation>, String> {
    if let Some(text) = line.strip_prefix("expected_fail_message") {
        return Ok(Some(Expectation::Fail(Some(Text::Exactly(text.trim().to_owned())))));
    }
    if let Some(text) = line.strip_prefix("expected_fail_regexp") {
        return Ok(Some(Expectation::Fail(Some(pattern(text.trim())?))));
    }
    let Some(rest) = line.strip_prefix("expect ").map(str::trim) else { return Ok(None) };
    if let Some(times) = rest.strip_prefix("range vector") {
        return range_vector(times).map(Some);
    }
    let (kind, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let text = text.trim();
    let bare = |expectation: Expectation| {
        if text.is_empty() { Ok(Some(expectation)) } else { Err(format!("{line:?}: {kind} takes no text")) }
    };
    match kind {
        "fail" => Ok(Some(Expectation::Fail(message(line, text)?))),
        "warn" => Ok(Some(Expectation::Warn(message(line, text)?))),
        "info" => Ok(Some(Expectation::Info(message(line, text)?))),
        "no_warn" => bare(Expectation::NoWarn),
        "no_info" => bare(Expectation::NoInfo),
        "ordered" => bare(Expectation::Ordered),
        "string" => Ok(Some(Expectation::Literal(unquote(text).map_err(|e| format!("{line:?}: {e}"))?))),
        _ => Err(format!(
            "{line:?}: expect fail, warn, info, no_warn, no_info, ordered, string or range vector"
        )),
    }
}

fn message(line: &str, text: &str) -> Result<Option<Text>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(text) = text.strip_prefix("msg:") {
        return Ok(Some(Text::Exactly(bare(text.trim()))));
    }
    if let Some(text) = text.strip_prefix("regex:") {
        return pattern(&bare(text.trim())).map(Some);
    }
    Err(format!("{line:?}: write msg: TEXT or regex: PATTERN"))
}

/// Without the quotes around the whole, if there are any.
fn bare(text: &str) -> String {
    let quoted = text.starts_with(['"', '\'', '`']);
    if quoted { unquote(text).unwrap_or_else(|_| text.to_owned()) } else { text.to_owned() }
}

fn pattern(text: &str) -> Result<Text, String> {
    regex::Regex::new(text).map_err(|_| format!("{text:?} is no regular expression"))?;
    Ok(Text::Matching(text.to_owned()))
}

fn range_vector(text: &str) -> Result<Expectation, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let times = match words.as_slice() {
        ["from", a, "to", b, "step", s] => (time(a), time(b), time(s)),
        _ => (None, None, None),
    };
    match times {
        (Some(start), Some(end), Some(step)) if step > 0 => Ok(Expectation::Times { start, end, step }),
        _ => Err(format!("expect range vector{text}: write `from A to B step S`")),
    }
}
