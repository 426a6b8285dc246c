//! Standard output: buffered, and honest about a reader that went away.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Whether a person looks at standard output.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours are not wanted, wherever output goes: `NO_COLOR` is set (<https://no-color.org>), or the terminal is dumb.
pub fn is_colourless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
        || std::env::var_os("TERM").is_some_and(|t| t == "dumb")
}

/// Standard output of one command. Flush it at the end: a closed pipe is noticed there.
pub fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// One value as indented JSON, with a line's end.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), crate::failure::Failure> {
    let mut out = stdout();
    serde_json::to_writer_pretty(&mut out, value).map_err(|e| match e.io_error_kind() {
        Some(kind) => crate::failure::Failure::from(io::Error::from(kind)),
        None => crate::failure::Failure::from(e),
    })?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// How lists are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// The API's own JSON.
    Json,
}
