//! Why the node agent could not do something.

use std::io;
use std::path::PathBuf;

use ph_model::ErrorKind;

/// A variant names the act that failed; `source()` holds the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("write {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("parse {what}: {reason}")]
    Parse { what: &'static str, reason: String },
    #[error("configuration: {0}")]
    Config(String),
    #[error("{url}: {reason}")]
    Http { url: String, reason: String },
    #[error("{url} answered {status}: {reason}")]
    Refused { url: String, status: u16, reason: String },
    #[error("disk queue {}: full at {cap_bytes} bytes", .path.display())]
    QueueFull { path: PathBuf, cap_bytes: u64 },
    #[error("{}: written by a newer release (format {found}, this one reads up to {known}); start that release, or remove the file to lose what is queued", .path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("raise CAP_DAC_READ_SEARCH: {0}")]
    Capability(String),
    #[error("install system call filter: {0}")]
    Filter(String),
    #[error("logs: {0}")]
    Logs(String),
    /// As the link has it: thing, cause and next step are in its text.
    #[error(transparent)]
    Link(#[from] ph_link::Error),
    #[error("{0}")]
    Stopped(&'static str),
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Parse { .. } | Error::Config(_) => ErrorKind::Invalid,
            Error::QueueFull { .. } => ErrorKind::Exhausted,
            Error::Capability(_) => ErrorKind::Denied,
            Error::Read { cause, .. } | Error::Write { cause, .. } => match cause.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Unavailable,
            },
            Error::Refused { status: 401 | 403, .. } => ErrorKind::Denied,
            Error::Refused { .. } | Error::Http { .. } | Error::Logs(_) | Error::Stopped(_) => {
                ErrorKind::Unavailable
            }
            Error::Link(cause) => cause.kind(),
            Error::Newer { .. } | Error::Filter(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn read(path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self::Read { path: path.into(), cause }
    }

    pub(crate) fn write(path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self::Write { path: path.into(), cause }
    }

    /// The error and its causes in one line, for status pages and logs.
    pub fn chain(&self) -> String {
        ph_link::agent::with_causes(self)
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
