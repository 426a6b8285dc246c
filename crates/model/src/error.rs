//! The few kinds that every room's errors fall into; `server` alone maps them to HTTP and gRPC codes.

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request is wrong; the same request will fail again.
    Invalid,
    /// The caller may not do this.
    Denied,
    /// No such thing, or none that the caller may see.
    NotFound,
    /// A limit was reached; the error names it. Trying again later may help.
    Exhausted,
    /// A part that is needed does not answer now.
    Unavailable,
    /// It was there and is no longer.
    Gone,
    /// A defect of ours, or damaged data.
    Internal,
}

impl ErrorKind {
    /// The word used in `problem+json` bodies and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Invalid => "invalid",
            ErrorKind::Denied => "denied",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Exhausted => "exhausted",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Gone => "gone",
            ErrorKind::Internal => "internal",
        }
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
