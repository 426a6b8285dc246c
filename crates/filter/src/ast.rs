//! The filter as a tree: what a query asks of each record.
//!
//! In/Out: serde, so that it travels as JSON. A textual grammar parses into the same tree.

use ph_model::Level;

/// How deep a filter may nest.
pub const MAX_DEPTH: usize = 64;

/// A condition on one record. A field that a record does not have satisfies only negations.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// Every record.
    #[default]
    All,
    /// Every part holds; an empty list holds.
    And(Vec<Filter>),
    /// Some part holds; an empty list does not hold.
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// The text stands somewhere in the field, or in the message when no field is named.
    Contains {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        text: String,
        #[serde(default)]
        case: Case,
    },
    /// The field has exactly this text; numbers and booleans compare by their text.
    Equal {
        field: String,
        value: String,
    },
    Level(LevelTest),
    /// `[from, to)` in nanoseconds UTC; an absent bound is open.
    Time {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<i64>,
    },
}

/// How letters compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Insensitive unless the text has an upper-case letter.
    #[default]
    Smart,
    Sensitive,
    Insensitive,
}

/// A condition on a record's level.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelTest {
    /// This level or a graver one; never `unknown`.
    AtLeast(Level),
    /// One of these; `unknown` may be named.
    AnyOf(Vec<Level>),
}

impl Filter {
    /// A case-smart search in the message.
    pub fn contains(text: impl Into<String>) -> Self {
        Self::Contains { field: None, text: text.into(), case: Case::Smart }
    }

    pub fn equal(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Equal { field: field.into(), value: value.into() }
    }

    pub fn at_least(level: Level) -> Self {
        Self::Level(LevelTest::AtLeast(level))
    }

    /// Levels of nesting, 1 for a single term. Stops counting just above [`MAX_DEPTH`], so that it is safe on any tree.
    pub fn depth(&self) -> usize {
        fn deep(f: &Filter, at: usize) -> usize {
            if at > MAX_DEPTH {
                return at;
            }
            match f {
                Filter::And(parts) | Filter::Or(parts) => {
                    parts.iter().map(|p| deep(p, at + 1)).max().unwrap_or(at)
                }
                Filter::Not(part) => deep(part, at + 1),
                _ => at,
            }
        }
        deep(self, 1)
    }
}
