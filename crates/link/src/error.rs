//! Why something about the link failed.

use std::io;
use std::path::PathBuf;

use ph_model::ErrorKind;

/// `Display` names the act and the thing; `source()` holds the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("server address {url:?} cannot be used: {reason}")]
    Address { url: String, reason: String },
    #[error("cannot reach {target}: {reason}; check the address, the network and HTTPS_PROXY/NO_PROXY")]
    Connect { target: String, reason: String },
    #[error("proxy {proxy} did not open a tunnel to {target}: {reason}; check HTTPS_PROXY and NO_PROXY")]
    Proxy { proxy: String, target: String, reason: String },
    #[error("the certificate of {target} is not trusted: {reason}; {fix}")]
    Untrusted { target: String, reason: String, fix: String },
    #[error("cannot read certificates from {from}: {reason}")]
    Certificates { from: String, reason: String },
    #[error("{target} did not accept the link: {reason}")]
    Upgrade { target: String, reason: String },
    #[error("{target} answered {status} to {act}: {reason}")]
    Refused { target: String, act: &'static str, status: u16, reason: String },
    #[error("{target} gave an answer that is not understood to {act}: {reason}")]
    Answer { target: String, act: &'static str, reason: String },
    #[error("{act} did not finish within {seconds} s")]
    Timeout { act: String, seconds: u64 },
    #[error("key file {}: {reason}", .path.display())]
    KeyFile { path: PathBuf, reason: String },
    #[error("identity {}: {reason}", .path.display())]
    IdentityFile { path: PathBuf, reason: String },
    #[error("the link was closed by the server: {text}")]
    Closed { code: u16, text: String },
    #[error("no ping from the server for {seconds} s")]
    Silent { seconds: u64 },
    #[error("the link broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the agent did not prove its identity: {0}")]
    Unproven(String),
    #[error("call {call} on the link failed")]
    Call {
        call: &'static str,
        #[source]
        cause: Box<tonic::Status>,
    },
    #[error("random numbers are not available from the system: {0}")]
    Random(String),
    #[error("stopped")]
    Stopped,
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Address { .. } | Error::Certificates { .. } => ErrorKind::Invalid,
            Error::Untrusted { .. } | Error::Unproven(_) => ErrorKind::Denied,
            Error::Refused { status, .. } => match status {
                400 | 409 | 422 => ErrorKind::Invalid,
                401 | 403 => ErrorKind::Denied,
                404 => ErrorKind::NotFound,
                410 => ErrorKind::Gone,
                429 => ErrorKind::Exhausted,
                500 => ErrorKind::Internal,
                _ => ErrorKind::Unavailable,
            },
            Error::KeyFile { .. } | Error::IdentityFile { .. } | Error::Random(_) | Error::Answer { .. } => {
                ErrorKind::Internal
            }
            Error::Closed { code, .. } if *code != crate::CloseCode::RESTART.0 => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        }
    }
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Error::Broken(Box::new(cause))
    }
}
