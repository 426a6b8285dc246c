//! What engines can know of a filter before they look at a record: literals that must be there, and what must be decoded.
//!
//! Out:   [`Literals`]: every message that passes holds at least one of them. The other way round only if `exact`.
//! Never: literals from negations. A literal that could match inside a mask is dropped on request.

mod folded;
mod literals;
mod needle;
mod sieve;

use crate::text::{folds, regex_folds};
use crate::{Filter, LevelTest};
pub use needle::Needle;
pub(crate) use needle::needles;
pub use sieve::{Hit, HitKind, Hits, Raw, Sieve};

/// The literals of an expression that is matched anywhere in a text; `None` when it has none or cannot be read.
pub(crate) fn regex_literals(pattern: &str, fold: bool) -> Option<Literals> {
    literals::of_regex(pattern, fold)
}

/// What an engine can look for first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `None`: every record has to be evaluated.
    pub literals: Option<Literals>,
    pub needs: Needs,
}

/// What has to be known of a record to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub message: bool,
    pub level: bool,
    pub time: bool,
    /// Names as the filter has them, sorted, each once; without `message`, `level`, `ts`.
    pub fields: Vec<String>,
}

/// Alternatives of which every matching message has at least one, once terminal escapes are removed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literals {
    /// Not empty; each has at least one byte; sorted, each once.
    pub any_of: Vec<Vec<u8>>,
    /// Whether letters match in either case (Unicode simple folding).
    pub fold: bool,
    /// A message that has one of them passes, without any look at level, time or fields.
    pub exact: bool,
}

impl Literals {
    /// Whether Docker's JSON log driver writes some character of a literal as an escape.
    pub fn docker_escapes(&self) -> bool {
        self.any_of.iter().any(|l| !sieve::docker_writes_plain(l))
    }

    /// Whether text shown in place of a secret could make one of them match where the raw bytes do not hold it.
    /// `marker` is the form of such text: what it begins with and what it ends with.
    pub fn may_touch(&self, marker: Marker<'_>) -> bool {
        self.any_of.iter().any(|l| marker.touches(l))
    }
}

/// The form of masking text: `open`, then anything out of `inner` bytes, then `close`.
#[derive(Clone, Copy, Debug)]
pub struct Marker<'a> {
    pub open: &'a str,
    pub close: &'a str,
    pub inner: fn(u8) -> bool,
}

impl Marker<'_> {
    fn touches(&self, literal: &[u8]) -> bool {
        let lower = literal.to_ascii_lowercase();
        let (open, close) = (self.open.to_ascii_lowercase(), self.close.to_ascii_lowercase());
        let (open, close) = (open.as_bytes(), close.as_bytes());
        let inside = |b: &u8| (self.inner)(*b);
        // The literal ends within the opening, or goes on through it.
        (1..=open.len()).any(|n| open.get(..n).is_some_and(|head| lower.ends_with(head)))
            || memchr::memmem::find(&lower, open).is_some()
            // It begins within the closing, or holds it behind inner text.
            || (0..close.len()).any(|n| close.get(n..).is_some_and(|tail| lower.starts_with(tail)))
            || memchr::memchr_iter(close.first().copied().unwrap_or_default(), &lower)
                .any(|at| lower.get(..at).is_some_and(|before| before.iter().all(inside)))
            // It lies inside: within the opening, in inner text, or from the opening's end into inner text.
            || memchr::memmem::find(open, &lower).is_some()
            || lower.iter().all(inside)
            || (0..open.len()).any(|n| {
                open.get(n..).and_then(|tail| lower.strip_prefix(tail)).is_some_and(|rest| rest.iter().all(inside))
            })
    }
}

pub(crate) fn needs(filter: &Filter) -> Needs {
    let mut out = Needs::default();
    collect(filter, &mut out);
    out.fields.sort_unstable();
    out.fields.dedup();
    out
}

fn collect(filter: &Filter, out: &mut Needs) {
    let mut name = |field: Option<&str>| match field {
        None | Some("message") => out.message = true,
        Some("level") => out.level = true,
        Some("ts") => out.time = true,
        Some(other) => out.fields.push(other.to_owned()),
    };
    match filter {
        Filter::All => {}
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|p| collect(p, out)),
        Filter::Not(part) => collect(part, out),
        Filter::Contains { field, .. } | Filter::Words { field, .. } | Filter::Regex { field, .. } => {
            name(field.as_deref());
        }
        Filter::Equal { field, .. }
        | Filter::Compare { field, .. }
        | Filter::Between { field, .. }
        | Filter::Has { field } => name(Some(field)),
        Filter::Level(_) => out.level = true,
        Filter::Time { .. } => out.time = true,
    }
}

pub(crate) fn plan(filter: &Filter, outside: &dyn Fn(&str) -> bool) -> Plan {
    Plan { literals: required(filter, outside).and_then(finish), needs: needs(filter) }
}

fn finish(mut found: Literals) -> Option<Literals> {
    found.any_of.sort_unstable();
    found.any_of.dedup();
    let empty = found.any_of.first().is_none_or(Vec::is_empty);
    (!empty).then_some(found)
}

/// Most alternatives of one plan.
const MOST: usize = 64;

fn required(filter: &Filter, outside: &dyn Fn(&str) -> bool) -> Option<Literals> {
    match filter {
        Filter::And(parts) => {
            let mut terms = parts.iter().filter(|p| **p != Filter::All);
            if let (Some(only), None) = (terms.next(), terms.next()) {
                return required(only, outside);
            }
            let found = parts.iter().filter_map(|p| required(p, outside));
            found.max_by_key(literals::worth).map(|best| Literals { exact: false, ..best })
        }
        Filter::Or(parts) => {
            let mut all = parts.iter().map(|p| required(p, outside)).collect::<Option<Vec<_>>>()?;
            let mut union = all.pop()?;
            for other in all {
                union.exact &= other.exact && other.fold == union.fold;
                union.fold |= other.fold;
                union.any_of.extend(other.any_of);
            }
            (union.any_of.len() <= MOST).then_some(union)
        }
        Filter::Not(part) => match &**part {
            Filter::Not(inner) => required(inner, outside),
            _ => None,
        },
        Filter::Contains { field, text, case } => {
            text_literals(field.as_deref(), text, folds(text, *case), outside)
        }
        Filter::Words { field, text, case, .. } => {
            let found = text_literals(field.as_deref(), text, folds(text, *case), outside)?;
            Some(Literals { exact: false, ..found })
        }
        Filter::Regex { field, pattern, case } => {
            if field.as_deref().is_some_and(|f| f != "message") {
                return None;
            }
            literals::of_regex(pattern, regex_folds(pattern, *case))
        }
        Filter::Equal { field, value } => {
            let found = text_literals(Some(field), value, false, outside)?;
            Some(Literals { exact: false, ..found })
        }
        Filter::Level(LevelTest::AnyOf(_) | LevelTest::AtLeast(_))
        | Filter::All
        | Filter::Compare { .. }
        | Filter::Between { .. }
        | Filter::Has { .. }
        | Filter::Time { .. } => None,
    }
}

fn text_literals(
    field: Option<&str>,
    text: &str,
    fold: bool,
    outside: &dyn Fn(&str) -> bool,
) -> Option<Literals> {
    let name = match field {
        None | Some("message") => {
            return Some(Literals { any_of: vec![text.as_bytes().to_vec()], fold, exact: true });
        }
        Some("level" | "ts") => return None,
        Some(name) => name,
    };
    if outside(name) || name.starts_with("attr.") || name.starts_with("resource.") {
        return None;
    }
    // Inside the message a field's text may be written with escapes: either its longest piece that has no short
    // escape stands there as it is, or some of it is written as `\u`. Arrays and objects keep their text.
    let pieces = text.split(|c: char| matches!(c, '"' | '\\' | '/' | '\u{fffd}') || c.is_control());
    let piece = pieces.max_by_key(|p| p.len()).filter(|p| !p.is_empty())?;
    Some(Literals { any_of: vec![piece.as_bytes().to_vec(), b"\\u".to_vec()], fold, exact: false })
}

#[cfg(test)]
mod tests;
