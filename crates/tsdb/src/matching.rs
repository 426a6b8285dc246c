//! Compiled label matchers.
//!
//! Regular expressions are anchored at both ends and `.` matches newline. A pattern that is only an alternation
//! of literals becomes a set, so that an index can look its members up.

use std::collections::BTreeSet;

use ph_model::{MatchOp, Matcher};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::Error;

/// One matcher, ready to be asked about values. An absent label has the value `""`.
#[derive(Clone, Debug)]
pub struct LabelTest {
    name: String,
    form: Form,
    negated: bool,
}

#[derive(Clone, Debug)]
enum Form {
    /// One of these values.
    Set(BTreeSet<String>),
    Pattern {
        regex: Box<Regex>,
        source: String,
    },
}

impl LabelTest {
    /// Errors: `Invalid` when a regular expression does not compile or is too large.
    pub fn new(matcher: &Matcher) -> Result<Self, Error> {
        let form = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Form::Set(BTreeSet::from([matcher.value.clone()])),
            MatchOp::Regex | MatchOp::NotRegex => match literal_alternation(&matcher.value) {
                Some(set) => Form::Set(set),
                None => {
                    Form::Pattern { regex: Box::new(compile(matcher)?), source: anchored(&matcher.value) }
                }
            },
        };
        let negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        Ok(Self { name: matcher.name.clone(), form, negated })
    }

    /// Compiles all, in order.
    pub fn all(matchers: &[Matcher]) -> Result<Vec<Self>, Error> {
        matchers.iter().map(Self::new).collect()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn accepts(&self, value: &str) -> bool {
        self.hits(value) != self.negated
    }

    /// Whether series without the label are accepted.
    pub fn accepts_absent(&self) -> bool {
        self.accepts("")
    }

    /// Whether the positive form matches, negation aside.
    pub(crate) fn hits(&self, value: &str) -> bool {
        match &self.form {
            Form::Set(set) => set.contains(value),
            Form::Pattern { regex, .. } => regex.is_match(value),
        }
    }

    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    /// The values of the positive form when they are a finite set of literals.
    pub(crate) fn literals(&self) -> Option<&BTreeSet<String>> {
        match &self.form {
            Form::Set(set) => Some(set),
            Form::Pattern { .. } => None,
        }
    }

    /// The anchored pattern of the positive form when it is not a set of literals.
    pub(crate) fn pattern(&self) -> Option<&str> {
        match &self.form {
            Form::Set(_) => None,
            Form::Pattern { source, .. } => Some(source),
        }
    }
}

fn anchored(pattern: &str) -> String {
    format!(r"\A(?s:{pattern})\z")
}

fn compile(matcher: &Matcher) -> Result<Regex, Error> {
    let fault = |e: regex_automata::meta::BuildError| Error::Regex {
        name: matcher.name.clone(),
        pattern: matcher.value.clone(),
        reason: match (e.syntax_error(), e.size_limit()) {
            (Some(why), _) => why.to_string(),
            (None, Some(limit)) => format!("it needs more than {limit} bytes when compiled"),
            (None, None) => e.to_string(),
        },
    };
    // Alone first: `a)|(b` is wrong although it would become right between our anchors.
    let rules = syntax::Config::new().dot_matches_new_line(true);
    Regex::builder().syntax(rules).build(&matcher.value).map_err(fault)?;
    Regex::builder().syntax(rules).build(&anchored(&matcher.value)).map_err(fault)
}

/// The members of `a|b|c`, also in one pair of parentheses; `None` when anything else stands there.
fn literal_alternation(pattern: &str) -> Option<BTreeSet<String>> {
    let inner = pattern
        .strip_prefix("(?:")
        .or_else(|| pattern.strip_prefix('('))
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(pattern);
    let mut set = BTreeSet::new();
    let mut word = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '|' => {
                set.insert(std::mem::take(&mut word));
            }
            '\\' => match chars.next()? {
                c if c.is_ascii_punctuation() && c != '<' && c != '>' => word.push(c),
                _ => return None,
            },
            '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' => return None,
            c => word.push(c),
        }
    }
    set.insert(word);
    Some(set)
}

#[cfg(test)]
mod tests;
