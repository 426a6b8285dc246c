//! Why the engine could not answer or write.

use ph_model::ErrorKind;

/// Errors of the metrics engine. `Display` names the act and the thing; `source()` holds the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A regular expression of a matcher does not compile or is too large.
    #[error("matcher on label {name:?}: regular expression {pattern:?} is not usable: {reason}")]
    Regex { name: String, pattern: String, reason: String },
    /// A file could not be read, opened or written.
    #[error("{act} {file}")]
    Io {
        act: &'static str,
        file: String,
        #[source]
        cause: std::io::Error,
    },
    /// Bytes of a file are not what was written.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Corrupt { file: String, offset: u64, what: &'static str },
    /// A file was written by a newer release.
    #[error("{file} has format version {found}, this release reads up to {known}; use the newer release")]
    Version { file: String, found: u16, known: u16 },
    /// A block's series or samples were not given in strictly ascending order.
    #[error("block writer: {what} out of order at {series}")]
    Order { what: &'static str, series: String },
    /// A selection finds more series than its reader takes.
    #[error(
        "the selector matches more than {most} series; add matchers or raise the series limit of the query"
    )]
    ManySeries { most: usize },
    /// Its reader ended a selection before it was whole.
    #[error("the selection was ended before it was whole")]
    Ended,
    /// More than a format can hold.
    #[error("block writer: more {what} than one block can hold")]
    TooMany { what: &'static str },
    /// A write-ahead log payload that cannot be decoded.
    #[error("metrics record is damaged at byte {offset}: {what}")]
    Record { offset: usize, what: &'static str },
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Regex { .. } => ErrorKind::Invalid,
            Error::Io { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            Error::Io { cause, .. } if cause.kind() == std::io::ErrorKind::StorageFull => {
                ErrorKind::Exhausted
            }
            Error::Io { .. } => ErrorKind::Unavailable,
            Error::ManySeries { .. } => ErrorKind::Exhausted,
            Error::Ended => ErrorKind::Gone,
            _ => ErrorKind::Internal,
        }
    }
}
