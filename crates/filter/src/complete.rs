//! What fits at a place in a filter text. Names and values come from the caller, which knows the records.
//!
//! In:  text and a byte offset. Out: what is wanted there, and the range that a suggestion replaces.

use crate::query;

/// What fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A term: names of fields, `not`, `has(`; behind a term also `and`, `or`, `|`.
    Term,
    /// The name of a field.
    Field,
    /// A value of this field.
    Value { field: String },
    /// The name of a stage: [`query::STAGES`].
    Stage,
    /// A function of `stats`.
    Function,
    /// Nothing of ours: inside a quoted text.
    Nothing,
}

/// What is wanted at a place, and the range that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub from: usize,
    pub to: usize,
    /// What stands in the range before the place.
    pub typed: String,
    pub wanted: Wanted,
}

/// Operators behind a field's name.
pub const OPERATORS: [&str; 9] = [":", "=", "!=", "=~", "!~", ">=", "<=", ">", "<"];

/// Columns that logs have by themselves.
pub const COLUMNS: [&str; 14] = [
    "ts",
    "cluster",
    "namespace",
    "workload",
    "pod",
    "container",
    "node",
    "service",
    "level",
    "stream",
    "restart",
    "trace_id",
    "span_id",
    "message",
];

/// What fits at byte `at` of `text`. An offset inside a character or behind the end is moved back.
pub fn place(text: &str, at: usize) -> Place {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let head = text.get(..at).unwrap_or_default();
    let seen = scan(head);
    let tail = text.get(at..).unwrap_or_default();
    let ends =
        |c: char| query::is_end(c) || (query::is_operator(c) && !matches!(seen.wanted, Wanted::Value { .. }));
    let to = if seen.wanted == Wanted::Nothing { at } else { at + tail.find(ends).unwrap_or(tail.len()) };
    let typed = text.get(seen.from..at).unwrap_or_default().trim_start_matches('"').to_owned();
    Place { from: seen.from, to, typed, wanted: seen.wanted }
}

/// A value or name as it has to be written.
pub fn written(value: &str) -> String {
    query::value_text(value)
}

struct Seen {
    from: usize,
    wanted: Wanted,
}

/// Walks to the end of `head` and says in what it ends.
fn scan(head: &str) -> Seen {
    let mut state = State::default();
    let mut at = 0;
    while let Some(c) = head.get(at..).and_then(|r| r.chars().next()) {
        if c == '"' || c == '`' {
            let Some(len) = quoted(head.get(at..).unwrap_or_default(), c) else {
                let wanted = state.field.map_or(Wanted::Nothing, |field| Wanted::Value { field });
                return Seen { from: at, wanted };
            };
            state.word = head.get(at + 1..at + len - 1).unwrap_or_default().to_owned();
            at += len;
            continue;
        }
        at += c.len_utf8();
        state.step(c, at);
    }
    let from = state.start;
    let wanted = match (state.stage, state.field) {
        (None, Some(field)) => Wanted::Value { field },
        (None, None) => Wanted::Term,
        (Some(stage), _) => match stage.as_str() {
            "" => Wanted::Stage,
            "stats" if !state.inside && !state.grouping => Wanted::Function,
            _ => Wanted::Field,
        },
    };
    Seen { from, wanted }
}

#[derive(Default)]
struct State {
    /// Where the word begins that is being written.
    start: usize,
    word: String,
    /// The field behind whose operator the place stands.
    field: Option<String>,
    /// In parentheses or brackets of values.
    list: bool,
    /// The stage, once its name is written.
    stage: Option<String>,
    inside: bool,
    grouping: bool,
}

impl State {
    fn step(&mut self, c: char, at: usize) {
        if self.stage.is_none() && query::is_operator(c) && self.field.is_none() {
            self.field = Some(std::mem::take(&mut self.word));
            self.start = at;
        } else if self.field.is_some() && query::is_operator(c) && self.word.is_empty() {
            self.start = at;
        } else if c.is_whitespace() {
            self.blank();
            self.start = at;
        } else if matches!(c, '(' | '[') {
            self.list |= self.field.is_some();
            self.inside = true;
            self.word.clear();
            self.start = at;
        } else if matches!(c, ')' | ']') {
            (self.list, self.inside, self.field) = (false, false, None);
            self.word.clear();
            self.start = at;
        } else if c == '|' {
            *self = State { start: at, stage: Some(String::new()), ..State::default() };
        } else if c == ',' {
            self.word.clear();
            self.start = at;
        } else {
            self.word.push(c);
        }
    }

    fn blank(&mut self) {
        let word = std::mem::take(&mut self.word);
        if !self.list && !word.is_empty() {
            self.field = None;
        }
        if let Some(stage) = &mut self.stage {
            if stage.is_empty() {
                *stage = word;
            } else if word == "by" {
                self.grouping = true;
            }
        }
    }
}

/// Length of the quoted text at the start of `text`; `None` when it is not closed.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut skip = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if skip => skip = false,
            '\\' if quote == '"' => skip = true,
            c if c == quote => return Some(i + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
