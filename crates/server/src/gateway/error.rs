//! Why the server could not start or go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ph_model::ErrorKind;

/// Errors of this room. `Display` names the act; `source()` holds the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// All faults, one a line.
    #[error("{0}")]
    Config(String),
    #[error("listen on {addr}: {cause}; choose another address with --listen")]
    Listen { addr: SocketAddr, cause: io::Error },
    #[error("{act} {}: {cause}", .path.display())]
    File { act: &'static str, path: PathBuf, cause: io::Error },
    #[error("{} is not a key file of this server; restore it from a backup", .path.display())]
    KeyFile { path: PathBuf },
    #[error("make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    State(#[from] ph_store::Error),
    #[error(transparent)]
    Access(#[from] ph_access::Error),
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Config(_) => ErrorKind::Invalid,
            Error::Listen { .. } | Error::File { .. } => ErrorKind::Unavailable,
            Error::KeyFile { .. } | Error::Certificate(_) | Error::Tls(_) => ErrorKind::Internal,
            Error::State(e) => e.kind(),
            Error::Access(e) => e.kind(),
        }
    }
}
