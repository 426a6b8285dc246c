//! Why access was refused or an act of this room failed.

use ph_model::ErrorKind;

use crate::role::Permission;

/// A presented credential that is not good. Every case is answered alike; the difference is for logs and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("credential has the wrong form")]
    Malformed,
    #[error("credential is not known")]
    Unknown,
    #[error("credential has expired")]
    Expired,
    #[error("credential was revoked or spent")]
    Revoked,
    #[error("account or organisation is suspended")]
    Suspended,
}

impl Refused {
    /// Word for counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::Malformed => "malformed",
            Refused::Unknown => "unknown",
            Refused::Expired => "expired",
            Refused::Revoked => "revoked",
            Refused::Suspended => "suspended",
        }
    }
}

/// The actor lacks a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("permission `{missing}` is needed")]
pub struct Denied {
    pub missing: Permission,
}

impl Denied {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Denied
    }
}

/// Why an act of this room failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("unknown role `{0}`; roles are owner, admin, operator, editor, viewer, auditor")]
    UnknownRole(String),
    #[error("hash a password: {0}")]
    Password(argon2::password_hash::Error),
    #[error("read signing key")]
    SigningKey(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("sign a token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    #[error("the operating system's random generator failed: {0}")]
    Random(getrandom::Error),
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Refused(_) | Error::Denied(_) => ErrorKind::Denied,
            Error::UnknownRole(_) => ErrorKind::Invalid,
            Error::Password(_) | Error::SigningKey(_) | Error::Sign(_) => ErrorKind::Internal,
            Error::Random(_) => ErrorKind::Unavailable,
        }
    }
}
