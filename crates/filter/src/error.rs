//! Why a filter could not be used.

use ph_model::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("filter is nested {depth} deep; at most {max} levels are allowed, so flatten its and/or groups")]
    TooDeep { depth: usize, max: usize },
    #[error(
        "filter term for field {field:?} has an empty text; name the text to look for or leave the term out"
    )]
    EmptyText { field: String },
    #[error("filter pattern {text:?} cannot be used: {why}")]
    Pattern {
        text: String,
        /// The reason in one line.
        why: String,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "filter compares field {field:?} with {text:?}, which is no number, duration (250ms) or size (4KiB); use = for text"
    )]
    Quantity { field: String, text: String },
    #[error("stage `{stage}` cannot be worked out: {why}; use {instead}")]
    Stage { stage: String, why: String, instead: String },
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
