//! How text is found in text: substrings, whole words, expressions. All linear in the haystack, over any bytes.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::{Case, Ends, Error};

/// Most bytes a compiled expression may take.
pub(crate) const REGEX_LIMIT: usize = 10 << 20;

/// One thing to look for.
#[derive(Debug)]
pub(crate) enum Text {
    Exact(Box<Finder<'static>>),
    Regex(Box<Regex>),
    Words { find: Box<Text>, start: bool, end: bool },
}

impl Text {
    pub fn substring(text: &str, case: Case) -> Result<Self, Error> {
        if !folds(text, case) {
            return Ok(Text::Exact(Box::new(Finder::new(text).into_owned())));
        }
        let pattern = regex_syntax::escape(text);
        Ok(Text::Regex(Box::new(build(&pattern, Case::Insensitive, text)?)))
    }

    pub fn words(text: &str, ends: Ends, case: Case) -> Result<Self, Error> {
        let start = ends != Ends::OpenStart && text.chars().next().is_some_and(is_word);
        let end = ends != Ends::OpenEnd && text.chars().next_back().is_some_and(is_word);
        Ok(Text::Words { find: Box::new(Self::substring(text, case)?), start, end })
    }

    pub fn regex(pattern: &str, case: Case) -> Result<Self, Error> {
        let case = if regex_folds(pattern, case) { Case::Insensitive } else { Case::Sensitive };
        Ok(Text::Regex(Box::new(build(pattern, case, pattern)?)))
    }

    pub fn found(&self, haystack: &[u8]) -> bool {
        match self {
            Text::Exact(finder) => finder.find(haystack).is_some(),
            Text::Regex(regex) => regex.is_match(haystack),
            Text::Words { .. } => self.find_at(haystack, 0).is_some(),
        }
    }

    /// The first match that begins at `at` or later.
    pub fn find_at(&self, haystack: &[u8], at: usize) -> Option<Range<usize>> {
        match self {
            Text::Exact(finder) => {
                let start = at + finder.find(haystack.get(at..)?)?;
                Some(start..start + finder.needle().len())
            }
            Text::Regex(regex) => {
                let input = Input::new(haystack).range(at.min(haystack.len())..);
                regex.find(input).map(|m| m.range())
            }
            Text::Words { find, start, end } => {
                let mut at = at;
                loop {
                    let hit = find.find_at(haystack, at)?;
                    let before = haystack.get(..hit.start)?;
                    let after = haystack.get(hit.end..)?;
                    let cuts_word = (*start && ends_in_word(before)) || (*end && begins_with_word(after));
                    if !cuts_word {
                        return Some(hit);
                    }
                    at = hit.start + 1;
                }
            }
        }
    }
}

/// Letters, digits and `_`: what tokens are made of.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn begins_with_word(text: &[u8]) -> bool {
    match text.first() {
        None => false,
        Some(b) if b.is_ascii() => is_word(char::from(*b)),
        Some(_) => first_char(text).is_some_and(is_word),
    }
}

fn ends_in_word(text: &[u8]) -> bool {
    match text.last() {
        None => false,
        Some(b) if b.is_ascii() => is_word(char::from(*b)),
        Some(_) => {
            let lead =
                (1..=text.len().min(4)).find(|n| text.get(text.len() - n).is_some_and(|b| b & 0xc0 != 0x80));
            let tail = lead.and_then(|n| text.get(text.len() - n..));
            tail.and_then(first_char).is_some_and(is_word)
        }
    }
}

/// The character at the start; `None` where the bytes are no UTF-8.
fn first_char(text: &[u8]) -> Option<char> {
    text.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next())
}

/// Whether a search for `text` ignores case. Text without letters never needs to.
pub(crate) fn folds(text: &str, case: Case) -> bool {
    match case {
        Case::Sensitive => false,
        Case::Insensitive => text.chars().any(char::is_alphabetic),
        Case::Smart => text.chars().any(char::is_alphabetic) && !text.chars().any(char::is_uppercase),
    }
}

/// Whether an expression ignores case: with smart case, when none of its literals has an upper-case letter (`\S` is none).
pub(crate) fn regex_folds(pattern: &str, case: Case) -> bool {
    match case {
        Case::Sensitive => false,
        Case::Insensitive => true,
        Case::Smart => {
            let mut capitals = false;
            let mut skip = 0;
            let mut rest = pattern.chars();
            while let Some(c) = rest.next() {
                if c == '\\' {
                    skip_escape(&mut rest);
                } else if c == '(' && rest.as_str().starts_with("?P<") {
                    skip = rest.as_str().find('>').map_or(0, |i| i + 1);
                } else if c == '(' && rest.as_str().starts_with("?<") {
                    skip = rest.as_str().find('>').map_or(0, |i| i + 1);
                } else if c == '(' && rest.as_str().starts_with('?') {
                    skip = rest.as_str().find([':', ')']).map_or(0, |i| i + 1);
                } else {
                    capitals |= c.is_uppercase();
                }
                rest = rest.as_str().get(skip..).unwrap_or_default().chars();
                skip = 0;
            }
            !capitals
        }
    }
}

/// Passes over what a backslash begins: one letter, or a name or code in braces.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    let Some(c) = rest.next() else { return };
    if matches!(c, 'p' | 'P' | 'x' | 'u' | 'U' | 'b') && rest.as_str().starts_with('{') {
        let end = rest.as_str().find('}').map_or(0, |i| i + 1);
        *rest = rest.as_str().get(end..).unwrap_or_default().chars();
    } else if matches!(c, 'p' | 'P') {
        rest.next();
    } else if c == 'x' {
        rest.next();
        rest.next();
    }
}

fn build(pattern: &str, case: Case, shown: &str) -> Result<Regex, Error> {
    let syntax = syntax::Config::new().case_insensitive(case == Case::Insensitive).utf8(false);
    Regex::builder()
        .syntax(syntax)
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(REGEX_LIMIT)))
        .build(pattern)
        .map_err(|cause| Error::Pattern { text: shown.to_owned(), why: why(&cause), cause: Box::new(cause) })
}

/// The reason in one line, with what can be done.
fn why(cause: &regex_automata::meta::BuildError) -> String {
    if let Some(limit) = cause.size_limit() {
        return format!("it compiles to more than {limit} bytes; shorten its repetitions");
    }
    match cause.syntax_error() {
        Some(error) => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            match last.as_str() {
                l if l.contains("look-around") || l.contains("backreferences") => {
                    format!("{last}; write it as two terms joined with `and` or `not`")
                }
                _ => last,
            }
        }
        None => cause.to_string(),
    }
}
