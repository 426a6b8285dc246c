//! Tokens: what a text index knows of a text, and which of them a filter can rely on.
//!
//! A token is a maximal run of letters, digits and `_`, folded by Unicode simple case folding. Bytes that are no UTF-8
//! stand between tokens, and terminal escapes are taken out first, as for the filter itself.
//! A literal vouches for its **complete** tokens alone: those with other characters on both sides inside the literal.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use crate::ansi::{ESC, Plain};
use crate::text::{is_word, regex_folds};
use crate::{Ends, Filter, json, plan};

/// Changes whenever the same text may give other tokens; indexes of another version are not used.
pub const TOKENIZER: u16 = 1;

/// What an index can be asked on behalf of a filter. Rows that pass the filter satisfy it; other rows may as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Any row.
    Anything,
    /// The token stands in the field; `None`: in the message.
    Token {
        field: Option<String>,
        token: String,
    },
    All(Vec<Wanted>),
    Any(Vec<Wanted>),
}

/// The letter that stands for all letters that differ from it in case only.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    static FOLDED: LazyLock<HashMap<char, char>> = LazyLock::new(folded);
    FOLDED.get(&c).copied().unwrap_or(c)
}

/// Letters beyond ASCII that have another case. Built once, from the tables of the expression engine.
fn folded() -> HashMap<char, char> {
    let cased = |c: &char| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]);
    let mut out = HashMap::new();
    for c in ('\u{80}'..='\u{1ffff}').filter(cased) {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        class.case_fold_simple();
        let first = class.iter().map(ClassUnicodeRange::start).min().unwrap_or(c).to_ascii_lowercase();
        if first != c {
            out.insert(c, first);
        }
    }
    out
}

/// Calls `each` with every token of a text without escapes, and with where it stands.
fn scan(text: &[u8], buffer: &mut String, each: &mut dyn FnMut(&str, usize, usize)) {
    let mut base = 0;
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let mut start = None;
        for (at, c) in valid.char_indices() {
            match (is_word(c), start) {
                (true, None) => start = Some(at),
                (false, Some(from)) => {
                    offer(valid.get(from..at).unwrap_or_default(), buffer, &mut |t| {
                        each(t, base + from, base + at)
                    });
                    start = None;
                }
                _ => {}
            }
        }
        if let Some(from) = start {
            let end = valid.len();
            offer(valid.get(from..).unwrap_or_default(), buffer, &mut |t| each(t, base + from, base + end));
        }
        base += valid.len() + chunk.invalid().len();
    }
}

fn offer(token: &str, buffer: &mut String, each: &mut dyn FnMut(&str)) {
    let plain = |b: u8| b.is_ascii() && !b.is_ascii_uppercase();
    if token.bytes().all(plain) {
        return each(token);
    }
    buffer.clear();
    buffer.extend(token.chars().map(fold));
    each(buffer);
}

/// Tokens of texts; buffers are kept between them.
#[derive(Debug, Default)]
pub struct Tokenizer {
    plain: Plain,
    folded: String,
}

impl Tokenizer {
    /// Every token of a field's value.
    pub fn value(&mut self, text: &[u8], each: &mut dyn FnMut(&str)) {
        let Self { plain, folded } = self;
        if memchr::memchr(ESC, text).is_none() {
            return scan(text, folded, &mut |t, _, _| each(t));
        }
        plain.set(text);
        scan(plain.text(), folded, &mut |t, _, _| each(t));
    }

    /// Every token of a message, and those of its fields: where it has escapes, of JSON or of a terminal, both forms.
    pub fn message(&mut self, text: &[u8], each: &mut dyn FnMut(&str)) {
        self.value(text, each);
        let escaped = memchr::memchr(b'\\', text).is_some();
        let coloured = memchr::memchr(ESC, text).is_some();
        if coloured {
            scan(text, &mut self.folded, &mut |t, _, _| each(t));
        }
        if escaped {
            let plain = json::unescape_bytes(text);
            self.value(&plain, each);
            if memchr::memchr(ESC, &plain).is_some() {
                scan(&plain, &mut self.folded, &mut |t, _, _| each(t));
            }
        }
    }
}

/// At which ends a text stands alone, so that a token there is complete.
#[derive(Clone, Copy)]
struct Closed {
    start: bool,
    end: bool,
}

/// The complete tokens of a text.
fn complete(text: &str, closed: Closed) -> Vec<String> {
    let mut out = Vec::new();
    scan(text.as_bytes(), &mut String::new(), &mut |token, from, to| {
        if (closed.start || from > 0) && (closed.end || to < text.len()) {
            out.push(token.to_owned());
        }
    });
    out
}

/// What rows that pass the filter surely hold.
pub fn wanted(filter: &Filter) -> Wanted {
    match filter {
        Filter::And(parts) => all(parts.iter().map(wanted).collect()),
        Filter::Or(parts) => any(parts.iter().map(wanted).collect()),
        Filter::Contains { field, text, .. } => {
            tokens(field.as_deref(), complete(text, Closed { start: false, end: false }))
        }
        Filter::Words { field, text, ends, .. } => {
            let closed = Closed { start: *ends != Ends::OpenStart, end: *ends != Ends::OpenEnd };
            tokens(field.as_deref(), complete(text, closed))
        }
        Filter::Equal { field, value } => {
            tokens(Some(field), complete(value, Closed { start: true, end: true }))
        }
        Filter::Regex { field, pattern, case } => {
            let Some(found) = plan::regex_literals(pattern, regex_folds(pattern, *case)) else {
                return Wanted::Anything;
            };
            let each = found.any_of.iter().map(|literal| match std::str::from_utf8(literal) {
                Ok(text) => tokens(field.as_deref(), complete(text, Closed { start: false, end: false })),
                Err(_) => Wanted::Anything,
            });
            any(each.collect())
        }
        // A negation promises nothing, and the others are not about tokens.
        Filter::Not(_)
        | Filter::All
        | Filter::Compare { .. }
        | Filter::Between { .. }
        | Filter::Has { .. }
        | Filter::Level(_)
        | Filter::Time { .. } => Wanted::Anything,
    }
}

fn tokens(field: Option<&str>, tokens: Vec<String>) -> Wanted {
    let field = match field {
        None | Some("message") => None,
        // These are no texts of a row.
        Some("level" | "ts") => return Wanted::Anything,
        Some(name) => Some(name.to_owned()),
    };
    all(tokens.into_iter().map(|token| Wanted::Token { field: field.clone(), token }).collect())
}

fn all(mut parts: Vec<Wanted>) -> Wanted {
    parts.retain(|p| *p != Wanted::Anything);
    match parts.len() {
        0 => Wanted::Anything,
        1 => parts.remove(0),
        _ => Wanted::All(parts),
    }
}

fn any(mut parts: Vec<Wanted>) -> Wanted {
    if parts.contains(&Wanted::Anything) {
        return Wanted::Anything;
    }
    let mut each: Vec<Wanted> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        if !each.contains(&part) {
            each.push(part);
        }
    }
    if each.len() == 1 { each.remove(0) } else { Wanted::Any(each) }
}

#[cfg(test)]
mod tests;
