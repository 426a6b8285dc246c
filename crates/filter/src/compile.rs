//! Filters made ready to run, and the records they run over.
//!
//! Cost: linear in the message for each term; fields are decoded only when a term asks for one.

use std::borrow::Cow;

use memchr::memmem::Finder;
use ph_model::Level;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::plan::{self, Needle};
use crate::{Case, Error, Filter, LevelTest, MAX_DEPTH};

/// What a filter can ask of a record.
pub trait Record {
    /// ns UTC.
    fn ts_ns(&self) -> i64;
    fn level(&self) -> Level;
    fn message(&self) -> &[u8];
    /// A field's text; `None` when the record does not have it. `message` and `level` are never asked here.
    fn field(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// A filter made ready to run. Cheap to share, never changes.
#[derive(Debug)]
pub struct Compiled {
    node: Node,
    needles: Option<Vec<Needle>>,
}

#[derive(Debug)]
enum Node {
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Contains { field: Field, text: Text },
    Equal { field: Field, value: String },
    Level(LevelTest),
    Time { from: i64, to: i64 },
}

#[derive(Debug)]
enum Field {
    Message,
    Level,
    Other(String),
}

#[derive(Debug)]
enum Text {
    Exact(Box<Finder<'static>>),
    Folded(Box<Regex>),
}

impl Compiled {
    /// The filter that every record passes.
    pub fn all() -> Self {
        Self { node: Node::All, needles: None }
    }

    /// # Errors
    /// `invalid`: nested deeper than [`MAX_DEPTH`], an empty text, or a text too long to compile.
    pub fn new(filter: &Filter) -> Result<Self, Error> {
        let depth = filter.depth();
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { depth, max: MAX_DEPTH });
        }
        Ok(Self { node: node(filter)?, needles: plan::needles(filter) })
    }

    /// Whether every record passes without being looked at.
    pub fn is_all(&self) -> bool {
        matches!(self.node, Node::All)
    }

    /// Needles, of which every message that passes holds at least one; `None` when any message may pass.
    pub fn needles(&self) -> Option<&[Needle]> {
        self.needles.as_deref()
    }

    pub fn matches(&self, record: &impl Record) -> bool {
        eval(&self.node, record)
    }
}

fn node(filter: &Filter) -> Result<Node, Error> {
    let list = |parts: &[Filter]| parts.iter().map(node).collect::<Result<Vec<_>, _>>();
    Ok(match filter {
        Filter::All => Node::All,
        Filter::And(parts) => Node::And(list(parts)?),
        Filter::Or(parts) => Node::Or(list(parts)?),
        Filter::Not(part) => Node::Not(Box::new(node(part)?)),
        Filter::Contains { field: name, text, case } => {
            if text.is_empty() {
                return Err(Error::EmptyText { field: name.clone().unwrap_or_else(|| "message".to_owned()) });
            }
            Node::Contains {
                field: name.as_deref().map_or(Field::Message, field),
                text: needle(text, *case)?,
            }
        }
        Filter::Equal { field: name, value } => Node::Equal { field: field(name), value: value.clone() },
        Filter::Level(test) => Node::Level(test.clone()),
        Filter::Time { from, to } => {
            Node::Time { from: from.unwrap_or(i64::MIN), to: to.unwrap_or(i64::MAX) }
        }
    })
}

fn field(name: &str) -> Field {
    match name {
        "message" => Field::Message,
        "level" => Field::Level,
        other => Field::Other(other.to_owned()),
    }
}

fn needle(text: &str, case: Case) -> Result<Text, Error> {
    if plan::exact_case(text, case) || !text.chars().any(char::is_alphabetic) {
        return Ok(Text::Exact(Box::new(Finder::new(text).into_owned())));
    }
    let mut pattern = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    let regex = Regex::builder()
        .syntax(syntax::Config::new().case_insensitive(true).utf8(false))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(10 << 20)))
        .build(&pattern)
        .map_err(|cause| Error::Pattern { text: text.to_owned(), cause: Box::new(cause) })?;
    Ok(Text::Folded(Box::new(regex)))
}

impl Text {
    fn found(&self, haystack: &[u8]) -> bool {
        match self {
            Text::Exact(finder) => finder.find(haystack).is_some(),
            Text::Folded(regex) => regex.is_match(haystack),
        }
    }
}

fn eval(node: &Node, record: &impl Record) -> bool {
    match node {
        Node::All => true,
        Node::And(parts) => parts.iter().all(|p| eval(p, record)),
        Node::Or(parts) => parts.iter().any(|p| eval(p, record)),
        Node::Not(part) => !eval(part, record),
        Node::Contains { field, text } => match field {
            Field::Message => text.found(record.message()),
            Field::Level => text.found(record.level().as_str().as_bytes()),
            Field::Other(name) => record.field(name).is_some_and(|v| text.found(v.as_bytes())),
        },
        Node::Equal { field, value } => match field {
            Field::Message => record.message() == value.as_bytes(),
            Field::Level => Level::parse(value) == Some(record.level()),
            Field::Other(name) => record.field(name).is_some_and(|v| v == value.as_str()),
        },
        Node::Level(LevelTest::AtLeast(least)) => {
            let level = record.level();
            level != Level::Unknown && level >= *least
        }
        Node::Level(LevelTest::AnyOf(levels)) => levels.contains(&record.level()),
        Node::Time { from, to } => (*from..*to).contains(&record.ts_ns()),
    }
}
