//! Runs a program to its end and waits for a condition.
//!
//! In: a `Command`. Out: its standard output, or an error that names the program, its arguments and what it said.

use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const POLL: Duration = Duration::from_millis(50);

/// A command with its arguments, to be changed further by the caller.
pub(crate) fn command<const N: usize>(program: &str, args: [&str; N]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Runs to the end and answers standard output; a failure carries standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = finish(command)?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("{} failed ({}): {}", shown(command), done.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs to the end whatever the status.
pub(crate) fn finish(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("start {}", shown(command)))
}

/// True when the command ran and succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|done| done.status.success())
}

/// Asks `condition` every 50 ms until it holds; after `limit` an error names `what`.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > limit {
            bail!("{what}: not so within {} s", limit.as_secs());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
