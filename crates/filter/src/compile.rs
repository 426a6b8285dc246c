//! Filters made ready to run, and the records they run over.
//!
//! Cost: linear in the message for each term; fields are decoded only when a term asks for one. Nothing is allocated
//! for a message, except where a field's text has to be unescaped.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use ph_model::Level;

use crate::ansi::{ESC, Plain};
use crate::plan::{self, Literals, Needle, Needs, Plan};
use crate::quantity::{Quantity, Unit};
use crate::shape::{Shape, Verdict};
use crate::text::Text;
use crate::{Error, Filter, LevelTest, MAX_DEPTH, Order};

/// What a filter can ask of a record.
pub trait Record {
    /// ns UTC.
    fn ts_ns(&self) -> i64;
    fn level(&self) -> Level;
    fn message(&self) -> &[u8];
    /// A field's text; `None` when the record does not have it. `message`, `level` and `ts` are never asked here.
    fn field(&self, name: &str) -> Option<Cow<'_, str>>;
    /// What a bare number in a field counts, where the record knows.
    fn unit(&self, _name: &str) -> Unit {
        Unit::None
    }
}

/// A filter made ready to run. Cheap to share, never changes.
#[derive(Debug)]
pub struct Compiled {
    node: Node,
    source: Filter,
    needles: Option<Vec<Needle>>,
}

#[derive(Debug)]
enum Node {
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Text {
        field: Field,
        text: Text,
        /// Of which every message that passes has one.
        literals: Option<Literals>,
        /// Counts the texts of the message that are looked for, as far as they have room in a word.
        number: Option<u32>,
    },
    Equal {
        field: Field,
        value: String,
    },
    /// The field has one of these values.
    OneOf {
        name: String,
        values: HashSet<Vec<u8>>,
    },
    Compare {
        field: Field,
        op: Order,
        value: Quantity,
    },
    Between {
        field: Field,
        low: Quantity,
        high: Quantity,
    },
    Has(Field),
    Level(LevelTest),
    Time {
        from: i64,
        to: i64,
    },
}

#[derive(Debug)]
enum Field {
    Message,
    Level,
    Time,
    Other(String),
}

/// Buffers that a caller keeps between records, so that text with terminal escapes costs no allocation.
#[derive(Debug, Default)]
pub struct Scratch {
    plain: Plain,
    field: Plain,
}

impl Compiled {
    /// The filter that every record passes.
    pub fn all() -> Self {
        Self { node: Node::All, source: Filter::All, needles: None }
    }

    /// # Errors
    /// `invalid`: nested deeper than [`MAX_DEPTH`], an empty text, a bad expression or number, or too long to compile.
    pub fn new(filter: &Filter) -> Result<Self, Error> {
        let depth = filter.depth();
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { depth, max: MAX_DEPTH });
        }
        let mut node = node(filter)?;
        number(&mut node, &mut 0);
        Ok(Self { node, source: filter.clone(), needles: plan::needles(filter) })
    }

    /// Whether every record passes without being looked at.
    pub fn is_all(&self) -> bool {
        matches!(self.node, Node::All)
    }

    /// Needles, of which every message that passes holds at least one, once terminal escapes are removed from it;
    /// `None` when any message may pass.
    pub fn needles(&self) -> Option<&[Needle]> {
        self.needles.as_deref()
    }

    /// The tree it was made of.
    pub fn filter(&self) -> &Filter {
        &self.source
    }

    /// As [`Compiled::matches_with`], with buffers of its own: allocates where the message has terminal escapes.
    pub fn matches(&self, record: &impl Record) -> bool {
        self.matches_with(record, &mut Scratch::default())
    }

    /// Whether the record passes. Text is compared with CSI and OSC escapes removed.
    pub fn matches_with(&self, record: &impl Record, scratch: &mut Scratch) -> bool {
        self.matches_known((record, None), scratch)
    }

    /// The same, with what [`Compiled::texts`] says of the message's shape, if it is known: then the message is only asked
    /// for fields that lie in it.
    pub fn matches_known(&self, (record, known): (&impl Record, Option<u64>), scratch: &mut Scratch) -> bool {
        if matches!(self.node, Node::All) {
            return true;
        }
        let message = record.message();
        let escaped = memchr::memchr(ESC, message).is_some();
        let Scratch { plain, field } = scratch;
        if escaped {
            plain.set(message);
        }
        let message = if escaped { plain.text() } else { message };
        eval(&self.node, &Look { record, message, known }, field)
    }

    /// What it says of all messages of a shape, whatever else their records have.
    pub fn verdict(&self, shape: &Shape) -> Verdict {
        verdict(&self.node, shape)
    }

    /// Which of the texts that it looks for all messages of a shape have, a bit each. `None` when that is not the same for all
    /// of these messages.
    pub fn texts(&self, shape: &Shape) -> Option<u64> {
        texts(&self.node, shape)
    }

    /// Where the terms that a record must have stand in its message, as byte ranges of the original, ascending,
    /// not overlapping. Terms under a negation and terms of fields mark nothing.
    pub fn highlights(&self, message: &[u8], into: &mut Vec<Range<usize>>) {
        into.clear();
        let mut plain = Plain::default();
        let escaped = memchr::memchr(ESC, message).is_some();
        if escaped {
            plain.set(message);
        }
        let text = if escaped { plain.text() } else { message };
        marks(&self.node, text, into);
        into.sort_unstable_by_key(|r| (r.start, r.end));
        into.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
        if escaped {
            into.iter_mut().for_each(|r| *r = plain.original(r.clone()));
        }
    }

    /// What has to be known of a record to decide.
    pub fn needs(&self) -> Needs {
        plan::needs(&self.source)
    }

    /// What an engine can look for in raw bytes before it decodes a record. `outside` says of a field's name whether
    /// the engine answers it from elsewhere than the message; every other field is expected inside the message.
    pub fn plan(&self, outside: &dyn Fn(&str) -> bool) -> Plan {
        plan::plan(&self.source, outside)
    }
}

fn node(filter: &Filter) -> Result<Node, Error> {
    let list = |parts: &[Filter]| parts.iter().map(node).collect::<Result<Vec<_>, _>>();
    let text_node = |name: &Option<String>, shown: &str, text: Result<Text, Error>| {
        if shown.is_empty() {
            return Err(Error::EmptyText { field: name.clone().unwrap_or_else(|| "message".to_owned()) });
        }
        let literals = plan::plan(filter, &|_| true).literals;
        Ok(Node::Text {
            field: name.as_deref().map_or(Field::Message, field),
            text: text?,
            literals,
            number: None,
        })
    };
    Ok(match filter {
        Filter::All => Node::All,
        Filter::And(parts) => Node::And(list(parts)?),
        Filter::Or(parts) => either(parts)?,
        Filter::Not(part) => Node::Not(Box::new(node(part)?)),
        Filter::Contains { field, text, case } => text_node(field, text, Text::substring(text, *case))?,
        Filter::Words { field, text, ends, case } => text_node(field, text, Text::words(text, *ends, *case))?,
        Filter::Regex { field, pattern, case } => text_node(field, pattern, Text::regex(pattern, *case))?,
        Filter::Equal { field: name, value } => Node::Equal { field: field(name), value: value.clone() },
        Filter::Compare { field: name, op, value } => {
            Node::Compare { field: field(name), op: *op, value: quantity(name, value)? }
        }
        Filter::Between { field: name, low, high } => {
            Node::Between { field: field(name), low: quantity(name, low)?, high: quantity(name, high)? }
        }
        Filter::Has { field: name } => Node::Has(field(name)),
        Filter::Level(test) => Node::Level(test.clone()),
        Filter::Time { from, to } => {
            Node::Time { from: from.unwrap_or(i64::MIN), to: to.unwrap_or(i64::MAX) }
        }
    })
}

/// Many values of one field are looked up together.
fn either(parts: &[Filter]) -> Result<Node, Error> {
    let mut values: HashMap<&str, HashSet<Vec<u8>>> = HashMap::new();
    let mut nodes = Vec::new();
    for part in parts {
        match part {
            Filter::Equal { field: name, value } if matches!(field(name), Field::Other(_)) => {
                values.entry(name).or_default().insert(value.clone().into_bytes());
            }
            other => nodes.push(node(other)?),
        }
    }
    let mut values: Vec<(&str, HashSet<Vec<u8>>)> = values.into_iter().collect();
    values.sort_unstable_by_key(|(name, _)| *name);
    nodes.extend(values.into_iter().map(|(name, values)| Node::OneOf { name: name.to_owned(), values }));
    Ok(Node::Or(nodes))
}

fn quantity(field: &str, text: &str) -> Result<Quantity, Error> {
    Quantity::parse(text).ok_or_else(|| Error::Quantity { field: field.to_owned(), text: text.to_owned() })
}

fn field(name: &str) -> Field {
    match name {
        "message" => Field::Message,
        "level" => Field::Level,
        "ts" => Field::Time,
        other => Field::Other(other.to_owned()),
    }
}

/// A field's text, without escapes.
fn with_field(name: &str, record: &impl Record, plain: &mut Plain, test: impl FnOnce(&[u8]) -> bool) -> bool {
    let Some(value) = record.field(name) else { return false };
    let bytes = value.as_bytes();
    if memchr::memchr(ESC, bytes).is_none() {
        return test(bytes);
    }
    plain.set(bytes);
    test(plain.text())
}

/// A record, and what is known of it.
struct Look<'a, R> {
    record: &'a R,
    /// Without terminal escapes.
    message: &'a [u8],
    /// A bit for each text of the message that the filter looks for, when that is known.
    known: Option<u64>,
}

fn eval<R: Record>(node: &Node, look: &Look<'_, R>, plain: &mut Plain) -> bool {
    let Look { record, message, known } = *look;
    match node {
        Node::All => true,
        Node::And(parts) => parts.iter().all(|p| eval(p, look, plain)),
        Node::Or(parts) => parts.iter().any(|p| eval(p, look, plain)),
        Node::Not(part) => !eval(part, look, plain),
        Node::Text { field, text, number, .. } => match field {
            Field::Message => match known.zip(*number) {
                Some((known, number)) => known >> number & 1 == 1,
                None => text.found(message),
            },
            Field::Level => text.found(record.level().as_str().as_bytes()),
            Field::Time => text.found(record.ts_ns().to_string().as_bytes()),
            Field::Other(name) => with_field(name, record, plain, |v| text.found(v)),
        },
        Node::Equal { field, value } => match field {
            Field::Message => message == value.as_bytes(),
            Field::Level => Level::parse(value) == Some(record.level()),
            Field::Time => value.parse() == Ok(record.ts_ns()),
            Field::Other(name) => with_field(name, record, plain, |v| v == value.as_bytes()),
        },
        Node::OneOf { name, values } => with_field(name, record, plain, |v| values.contains(v)),
        Node::Compare { field, op, value } => compared(field, record, &|name, text, unit| {
            value.compare(name, text, unit).is_some_and(|found| op.holds(found))
        }),
        Node::Between { field, low, high } => compared(field, record, &|name, text, unit| {
            low.compare(name, text, unit).is_some_and(|found| found.is_ge())
                && high.compare(name, text, unit).is_some_and(|found| found.is_le())
        }),
        Node::Has(Field::Other(name)) => record.field(name).is_some(),
        Node::Has(_) => true,
        Node::Level(LevelTest::AtLeast(least)) => {
            let level = record.level();
            level != Level::Unknown && level >= *least
        }
        Node::Level(LevelTest::AnyOf(levels)) => levels.contains(&record.level()),
        Node::Time { from, to } => (*from..*to).contains(&record.ts_ns()),
    }
}

fn number(node: &mut Node, next: &mut u32) {
    match node {
        Node::And(parts) | Node::Or(parts) => parts.iter_mut().for_each(|p| number(p, next)),
        Node::Not(part) => number(part, next),
        Node::Text { field: Field::Message, number, .. } => {
            *number = (*next < u64::BITS).then_some(*next);
            *next += 1;
        }
        _ => {}
    }
}

fn texts(node: &Node, shape: &Shape) -> Option<u64> {
    match node {
        Node::And(parts) | Node::Or(parts) => {
            parts.iter().try_fold(0, |all, part| Some(all | texts(part, shape)?))
        }
        Node::Not(part) => texts(part, shape),
        Node::Text { field: Field::Message, text, literals, number } => {
            match shape.verdict(text, literals.as_ref()) {
                Verdict::Yes => Some(1 << (*number)?),
                Verdict::No => number.map(|_| 0),
                Verdict::Maybe => None,
            }
        }
        _ => Some(0),
    }
}

fn verdict(node: &Node, shape: &Shape) -> Verdict {
    match node {
        Node::All => Verdict::Yes,
        Node::And(parts) => parts.iter().map(|p| verdict(p, shape)).min().unwrap_or(Verdict::Yes),
        Node::Or(parts) => parts.iter().map(|p| verdict(p, shape)).max().unwrap_or(Verdict::No),
        Node::Not(part) => verdict(part, shape).negated(),
        Node::Text { field: Field::Message, text, literals, .. } => shape.verdict(text, literals.as_ref()),
        _ => Verdict::Maybe,
    }
}

fn compared(field: &Field, record: &impl Record, test: &dyn Fn(&str, &str, Unit) -> bool) -> bool {
    match field {
        Field::Other(name) => record.field(name).is_some_and(|text| test(name, &text, record.unit(name))),
        Field::Message => {
            std::str::from_utf8(record.message()).is_ok_and(|text| test("message", text, Unit::None))
        }
        Field::Time => test("ts", &record.ts_ns().to_string(), Unit::Nanoseconds),
        Field::Level => false,
    }
}

fn marks(node: &Node, text: &[u8], into: &mut Vec<Range<usize>>) {
    match node {
        Node::And(parts) | Node::Or(parts) => parts.iter().for_each(|p| marks(p, text, into)),
        Node::Text { field: Field::Message, text: find, .. } => {
            let mut at = 0;
            while let Some(hit) = find.find_at(text, at) {
                at = hit.end.max(hit.start + 1);
                if !hit.is_empty() {
                    into.push(hit);
                }
                if at > text.len() {
                    break;
                }
            }
        }
        _ => {}
    }
}
