//! The filter language: text to tree and back.
//!
//! In:     text of at most [`MAX_TEXT`] bytes: `status>=500 and not path:"/healthz" | count by pod every 1m`.
//! Out:    a [`Query`]: a filter and the stages behind it; or what is wrong, where, and one suggestion.
//! Law:    parsing what is printed gives the same tree.

mod parse;
mod print;
mod stage;
mod suggest;
mod term;
mod time;

use std::ops::Range;

use crate::Filter;
pub(crate) use parse::{is_end, is_operator};
pub use parse::{parse, parse_filter};
pub(crate) use print::value_text;
pub use stage::{Function, Grouping, Measure, STAGES, Sorting, Stage};
pub use suggest::closest;

/// Longest text that is read.
pub const MAX_TEXT: usize = 8 << 10;

/// A filter and what is done with the records that pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub filter: Filter,
    pub stages: Vec<Stage>,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause} (at byte {}){}", .span.start, .suggestion.as_ref().map(|s| format!("; try {s}")).unwrap_or_default())]
pub struct SyntaxError {
    /// Byte range of the text.
    pub span: Range<usize>,
    pub cause: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

#[cfg(test)]
mod tests;
