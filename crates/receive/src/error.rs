//! Why a request could not be taken, and what each protocol's status for it is.

use std::time::Duration;

use http::StatusCode;
use ph_model::ErrorKind;

use crate::sink::Refusal;

/// A variant names what was wrong with the request; [`Error::Sink`] is about where it was to go.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("content type `{0}` is not taken here; send application/x-protobuf or application/json")]
    ContentType(String),
    #[error("content encoding `{0}` is not taken here; use gzip, zstd or none")]
    ContentEncoding(String),
    #[error("the {what} is larger than {limit} bytes; send smaller batches")]
    TooLarge { what: &'static str, limit: usize },
    #[error(
        "the body grows more than {ratio} times when it is decompressed; send it less compressed or in smaller batches"
    )]
    Bomb { ratio: usize },
    #[error("the request holds {found} items, more than {limit}; send smaller batches")]
    TooMany { found: usize, limit: usize },
    #[error("the body does not decompress as {encoding}: {cause}")]
    Decompress { encoding: &'static str, cause: std::io::Error },
    #[error("the body is no {what}: {reason}")]
    Malformed { what: &'static str, reason: String },
    #[error("the body broke off: {0}")]
    BrokeOff(String),
    #[error("the body did not arrive within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("as many telemetry bodies are held as there is memory for; send again later")]
    Full,
    #[error("{0}")]
    Unsupported(&'static str),
    #[error("{}", .0.text)]
    Sink(Refusal),
}

/// How long a sender waits when bodies use up the memory they may.
const FULL_WAIT: Duration = Duration::from_secs(1);

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::ContentType(_)
            | Error::ContentEncoding(_)
            | Error::TooLarge { .. }
            | Error::Bomb { .. }
            | Error::TooMany { .. }
            | Error::Decompress { .. }
            | Error::Malformed { .. }
            | Error::BrokeOff(_)
            | Error::Unsupported(_)
            | Error::Slow(_) => ErrorKind::Invalid,
            Error::Full => ErrorKind::Unavailable,
            Error::Sink(refusal) => refusal.kind,
        }
    }

    /// The status over HTTP. 429, 502, 503 and 504 ask the sender to try again; others are final.
    pub fn status(&self) -> StatusCode {
        match self {
            Error::ContentType(_) | Error::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::TooLarge { .. } | Error::Bomb { .. } | Error::TooMany { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Error::Decompress { .. } | Error::Malformed { .. } | Error::BrokeOff(_) => {
                StatusCode::BAD_REQUEST
            }
            Error::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Error::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Error::Full => StatusCode::SERVICE_UNAVAILABLE,
            Error::Sink(refusal) => refusal.status(),
        }
    }

    /// The code of a gRPC status and of `google.rpc.Status`.
    pub fn code(&self) -> Code {
        match self {
            Error::TooLarge { .. } | Error::Bomb { .. } | Error::TooMany { .. } => Code::ResourceExhausted,
            Error::ContentType(_) | Error::ContentEncoding(_) | Error::Unsupported(_) => Code::Unimplemented,
            Error::Decompress { .. } | Error::Malformed { .. } => Code::InvalidArgument,
            Error::BrokeOff(_) => Code::Cancelled,
            Error::Slow(_) => Code::DeadlineExceeded,
            Error::Full => Code::Unavailable,
            Error::Sink(refusal) => refusal.code(),
        }
    }

    /// When to send the same again, for refusals that are not final.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Full => Some(FULL_WAIT),
            Error::Sink(refusal) => refusal.retry_after,
            _ => None,
        }
    }
}

/// Codes of `google.rpc.Code` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}
