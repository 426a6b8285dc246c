//! The house rules that a program can check.
//!
//! In:     `cargo metadata`, and the files that git knows or would take.
//! Out:    findings, one a line: `path:line: what; next step`, in order of path and line.
//! Never:  changes a file.

mod allowed;
mod edges;
mod mask;
mod rust;
mod words;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the repository's root.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// What is wrong; what to do.
    pub text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Everything that breaks a rule below `root`, and a sentence for each exception that nothing needs any more.
pub fn findings(root: &Path) -> anyhow::Result<(Vec<Finding>, Vec<String>)> {
    let mut found = edges::check(root, &metadata(root)?);
    for path in files(root)? {
        let Ok(bytes) = std::fs::read(root.join(&path)) else { continue };
        found.extend(words::check_name(&path));
        // What is not text has no words.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        found.extend(words::check(&path, &text));
        if path.ends_with(".rs") {
            found.extend(rust::check(&path, &text));
        } else if words::is_source(&path) {
            found.extend(rust::check_size(&path, &text, text.lines().count()));
        }
    }
    let (mut found, stale) = allowed::without(found);
    found.sort();
    Ok((found, stale))
}

fn metadata(root: &Path) -> anyhow::Result<serde_json::Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = run(Command::new(cargo).args(["metadata", "--format-version", "1", "--no-deps"]), root)?;
    serde_json::from_slice(&out).context("read what `cargo metadata` says")
}

/// Files that are tracked, or would be when everything is added; those that were deleted are skipped later.
fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let out = run(
        Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]),
        root,
    )?;
    let text = String::from_utf8(out).context("a file's name is not UTF-8")?;
    Ok(text.split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect())
}

fn run(command: &mut Command, root: &Path) -> anyhow::Result<Vec<u8>> {
    let out = command.current_dir(root).output().with_context(|| format!("run {command:?}"))?;
    ensure!(out.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    Ok(out.stdout)
}

#[cfg(test)]
mod tests;
