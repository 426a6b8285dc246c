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
    /// The text stands in the field (or message) as whole words: where it begins or ends with a letter, digit or `_`,
    /// none of those stands beside it. Open ends are not asked: `err*` finds `error`.
    Words {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        text: String,
        #[serde(default, skip_serializing_if = "Ends::is_closed")]
        ends: Ends,
        #[serde(default)]
        case: Case,
    },
    /// The expression matches somewhere in the field or message. Smart case looks at the expression's literals alone.
    Regex {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        pattern: String,
        #[serde(default)]
        case: Case,
    },
    /// The field is a number, duration or size on that side of the value; its text is parsed with units.
    Compare {
        field: String,
        op: Order,
        value: String,
    },
    /// The field is a number, duration or size between both, both included.
    Between {
        field: String,
        low: String,
        high: String,
    },
    /// The record has the field.
    Has {
        field: String,
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

/// At which ends of a text words may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// Whole words alone: `err`.
    #[default]
    Closed,
    /// `err*`
    OpenEnd,
    /// `*err`
    OpenStart,
}

impl Ends {
    fn is_closed(&self) -> bool {
        *self == Self::Closed
    }
}

/// Sides of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Order {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    More,
    #[serde(rename = ">=")]
    AtLeast,
}

impl Order {
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::AtMost => "<=",
            Order::More => ">",
            Order::AtLeast => ">=",
        }
    }

    pub(crate) fn holds(self, found: std::cmp::Ordering) -> bool {
        match self {
            Order::Less => found.is_lt(),
            Order::AtMost => found.is_le(),
            Order::More => found.is_gt(),
            Order::AtLeast => found.is_ge(),
        }
    }
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

/// What the flags of a command line say about a pattern: `-F` literal, `-w` word, case flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Search {
    pub kind: Kind,
    pub bounds: Bounds,
    pub case: Case,
}

/// Whether a pattern is an expression or the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    Regex,
    Literal,
}

/// Whether a match must begin and end where a word does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Bounds {
    #[default]
    Anywhere,
    Word,
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

    /// A case-smart search for whole words in the message.
    pub fn words(text: impl Into<String>) -> Self {
        Self::Words { field: None, text: text.into(), ends: Ends::Closed, case: Case::Smart }
    }

    /// A case-smart unanchored expression over the message.
    pub fn regex(pattern: impl Into<String>) -> Self {
        Self::Regex { field: None, pattern: pattern.into(), case: Case::Smart }
    }

    /// A pattern of a command line, from what its flags say.
    pub fn pattern(text: &str, how: Search) -> Self {
        let Search { kind, case, bounds } = how;
        match (kind, bounds) {
            (Kind::Literal, Bounds::Anywhere) => Self::Contains { field: None, text: text.to_owned(), case },
            (Kind::Literal, Bounds::Word) => {
                Self::Words { field: None, text: text.to_owned(), ends: Ends::Closed, case }
            }
            (Kind::Regex, Bounds::Anywhere) => Self::Regex { field: None, pattern: text.to_owned(), case },
            (Kind::Regex, Bounds::Word) => {
                let pattern = format!(r"\b{{start-half}}(?:{text})\b{{end-half}}");
                Self::Regex { field: None, pattern, case }
            }
        }
    }

    /// All of these hold; of none every record passes.
    pub fn every(mut all: Vec<Filter>) -> Self {
        match all.len() {
            0 => Self::All,
            1 => all.remove(0),
            _ => Self::And(all),
        }
    }

    /// One of these holds; of none no record passes.
    pub fn any(mut all: Vec<Filter>) -> Self {
        if all.len() == 1 { all.remove(0) } else { Self::Or(all) }
    }

    /// The opposite condition; two negations fall away.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
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
