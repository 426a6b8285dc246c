//! How a command fails: an exit code, a sentence, the next step.
//!
//! Out:    `error: …` and `next: …` on stderr; nothing at all when the reader of our output went away.

use std::process::ExitCode;

/// What every command ends with.
pub type Outcome = Result<(), Failure>;

/// Why a command ended otherwise than well.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// The thing and the cause; empty: nothing is said.
    text: String,
    next: Option<String>,
}

/// Exit codes that scripts can rely on.
pub mod code {
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const NO_SOURCE: u8 = 3;
    pub const INCOMPLETE: u8 = 4;
    pub const DENIED: u8 = 5;
    pub const UNREACHABLE: u8 = 6;
    /// A deadline or budget, and nothing was shown.
    pub const BUDGET: u8 = 7;
    pub const INTERNAL: u8 = 70;
    pub const INTERRUPTED: u8 = 130;
    pub const CLOSED_PIPE: u8 = 141;
}

impl Failure {
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), next: None }
    }

    /// The act could not be done.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(code::FAILED, text)
    }

    /// The arguments do not fit together.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(code::USAGE, text)
    }

    /// Ends with `code` and says nothing: it was said already, or nobody listens.
    pub fn quiet(code: u8) -> Self {
        Self::new(code, "")
    }

    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }

    /// The same failure, said of one of several places.
    #[must_use]
    pub fn of(self, place: &str) -> Self {
        Self { text: format!("{place}: {}", self.text), ..self }
    }

    /// The same failure under another exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.code
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says it and gives the exit code.
    pub fn tell(self) -> ExitCode {
        if !self.text.is_empty() {
            eprintln!("error: {}", self.text);
            if let Some(next) = &self.next {
                eprintln!("next: {next}");
            }
        }
        ExitCode::from(self.code)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let closed = (&error as &dyn std::error::Error)
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe);
        if closed {
            return Self::quiet(code::CLOSED_PIPE);
        }
        Self::failed(with_causes(&error))
    }
}

/// An error and its causes in one line; a cause that its parent already quotes is left out.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// Adds what was attempted to a failure: `read FILE: permission denied`.
pub trait Doing<T> {
    fn doing(self, act: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::error::Error + 'static> Doing<T> for Result<T, E> {
    fn doing(self, act: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|e| {
            let failure = Failure::from(e);
            match failure.text.is_empty() {
                true => failure,
                false => Failure { text: format!("{}: {}", act(), failure.text), ..failure },
            }
        })
    }
}
