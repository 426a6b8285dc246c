//! What a message must hold before a filter can hold: found in raw bytes first, so that most lines are never parsed.
//!
//! In:     a filter tree. Out: needles, of which every matching message holds at least one; or nothing, when any may match.
//! Never:  decides; a message that holds a needle is still evaluated whole.

use crate::ast::{Case, Filter};

/// Something that must stand in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needle {
    /// This text. `folded`: in any case of its letters.
    Text { text: Vec<u8>, folded: bool },
    /// A field of this dotted name, so its last part, unless a record gets that field from elsewhere than its message.
    Field(String),
}

/// More alternatives than this are no help: looking for them costs as much as looking at every line.
const MAX_NEEDLES: usize = 64;

/// Whether letters of this text compare exactly.
pub(crate) fn exact_case(text: &str, case: Case) -> bool {
    match case {
        Case::Sensitive => true,
        Case::Insensitive => false,
        Case::Smart => text.chars().any(char::is_uppercase),
    }
}

/// Needles for a filter; `None` when a message may match whatever it holds.
pub(crate) fn needles(filter: &Filter) -> Option<Vec<Needle>> {
    match filter {
        Filter::And(parts) => parts.iter().filter_map(needles).max_by_key(|n| rarity(n)),
        Filter::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(needles(part)?);
            }
            (!all.is_empty() && all.len() <= MAX_NEEDLES).then_some(all)
        }
        Filter::Contains { field, text, case } => match field.as_deref() {
            None | Some("message") => {
                let folded = !exact_case(text, *case) && text.chars().any(char::is_alphabetic);
                Some(vec![Needle::Text { text: text.clone().into_bytes(), folded }])
            }
            Some("level") => None,
            Some(name) => Some(vec![Needle::Field(name.to_owned())]),
        },
        Filter::Equal { field, value } => match field.as_str() {
            "message" if !value.is_empty() => {
                Some(vec![Needle::Text { text: value.clone().into_bytes(), folded: false }])
            }
            "message" | "level" => None,
            name => Some(vec![Needle::Field(name.to_owned())]),
        },
        _ => None,
    }
}

/// How much a set of needles is expected to leave out: the commonest of them decides.
fn rarity(needles: &[Needle]) -> (bool, usize) {
    let texts = needles.iter().all(|n| matches!(n, Needle::Text { .. }));
    let shortest = needles.iter().map(|n| match n {
        Needle::Text { text, .. } => text.len(),
        Needle::Field(name) => name.len(),
    });
    (texts, shortest.min().unwrap_or(0))
}
