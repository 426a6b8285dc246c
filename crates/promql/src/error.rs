//! What can go wrong: a text that is no expression, and an expression that has no answer.

use std::fmt;

use ph_model::ErrorKind;

/// A half-open range of bytes of the expression's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// `line:column`, both from 1; columns count bytes, as Prometheus does.
    pub fn place(self, text: &str) -> String {
        let at = self.start.min(text.len());
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        format!("{line}:{column}")
    }
}

/// Why a text is no expression: what was found, what was expected, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    /// `line:column` of the span's start.
    pub place: String,
    pub text: String,
}

impl ParseError {
    pub(crate) fn new(source: &str, span: Span, text: impl Into<String>) -> Self {
        Self { span, place: span.place(source), text: text.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: parse error: {}", self.place, self.text)
    }
}

impl std::error::Error for ParseError {}

/// Why an expression has no answer. `Display` is what a user reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// The data do not allow what the expression asks: many-to-many matching, equal label sets, a bad parameter.
    #[error("{0}")]
    Execution(String),
    /// A selector met data, or the expression an operation, that is not supported.
    #[error("native histograms are not supported yet: {0}")]
    NativeHistograms(String),
    /// A limit; the text names it, its value and what to do.
    #[error("{0}")]
    Limit(String),
    #[error("query was cancelled")]
    Cancelled,
    /// The source of series failed.
    #[error("{text}")]
    Source { kind: ErrorKind, text: String },
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Parse(_) | Error::Execution(_) | Error::NativeHistograms(_) => ErrorKind::Invalid,
            Error::Limit(_) => ErrorKind::Exhausted,
            Error::Cancelled => ErrorKind::Gone,
            Error::Source { kind, .. } => *kind,
        }
    }
}

pub(crate) fn fail<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::Execution(text.into()))
}
