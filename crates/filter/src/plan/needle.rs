//! Needles: texts and field names of which every matching message holds at least one, for readers of raw bytes.
//!
//! Coarser than the literals of a plan: a field is looked for by its name, whatever its value.

use super::{MOST, literals};
use crate::Filter;
use crate::text::{folds, regex_folds};

/// Something that must stand in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needle {
    /// This text. `folded`: in any case of its letters.
    Text { text: Vec<u8>, folded: bool },
    /// A field of this dotted name, so its last part, unless a record gets that field from elsewhere than its message.
    Field(String),
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
            (!all.is_empty() && all.len() <= MOST).then_some(all)
        }
        Filter::Not(part) => match &**part {
            Filter::Not(inner) => needles(inner),
            _ => None,
        },
        Filter::Contains { field, text, case } | Filter::Words { field, text, case, .. } => {
            let folded = folds(text, *case);
            of_field(field.as_deref(), || Some(vec![(text.clone().into_bytes(), folded)]))
        }
        Filter::Regex { field, pattern, case } => of_field(field.as_deref(), || {
            let found = literals::of_regex(pattern, regex_folds(pattern, *case))?;
            Some(found.any_of.into_iter().map(|text| (text, found.fold)).collect())
        }),
        Filter::Equal { field, value } => {
            of_field(Some(field), || (!value.is_empty()).then(|| vec![(value.clone().into_bytes(), false)]))
        }
        Filter::Compare { field, .. } | Filter::Between { field, .. } | Filter::Has { field } => {
            of_field(Some(field), || None)
        }
        Filter::All | Filter::Level(_) | Filter::Time { .. } => None,
    }
}

fn of_field(
    field: Option<&str>,
    texts: impl FnOnce() -> Option<Vec<(Vec<u8>, bool)>>,
) -> Option<Vec<Needle>> {
    match field {
        None | Some("message") => {
            let texts = texts()?.into_iter();
            Some(texts.map(|(text, folded)| Needle::Text { text, folded }).collect())
        }
        Some("level" | "ts") => None,
        Some(name) => Some(vec![Needle::Field(name.strip_prefix("body.").unwrap_or(name).to_owned())]),
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
