//! Starts programs in sessions of their own and stops them by pid.
//!
//! In: a `Command`. Out: `run/NAME.pid` (pid and start time, so that a reused pid is never taken for ours) and
//! `log/NAME.log`. Never: a process ended by its name.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell::{succeeds, wait_for};

const GRACE: Duration = Duration::from_secs(8);

/// A process as `/proc` knows it: the pair never names two processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) started: u64,
}

impl Process {
    /// The process that has `pid` now; a zombie counts as gone.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
            .map(|started| Self { pid, started })
    }

    pub(crate) fn alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.pid, self.started)
    }
}

/// The start time in ticks out of `/proc/PID/stat`, none for a zombie. The name may hold spaces and brackets.
/// Source: proc_pid_stat(5).
pub(crate) fn parse_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

/// Starts `command` in a session of its own with `DIR/log/NAME.log`, and notes it in `DIR/run/NAME.pid`.
pub(crate) fn spawn(dir: &Path, name: &str, command: Command) -> Result<Process> {
    fs::create_dir_all(dir.join("log"))?;
    fs::create_dir_all(dir.join("run"))?;
    let log = File::options().create(true).append(true).open(dir.join(format!("log/{name}.log")))?;
    let mut session = Command::new("setsid");
    session.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => session.env(key, value),
            None => session.env_remove(key),
        };
    }
    let mut child = session
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("start {name}"))?;
    let pid = child.id();
    let process = Process::of(pid).with_context(|| format!("{name} ended at once; see its log"))?;
    fs::write(dir.join(format!("run/{name}.pid")), process.text())?;
    thread::spawn(move || child.wait()); // reaps it
    Ok(process)
}

/// The processes noted in `DIR/run` whose name `chosen` accepts, those that still run.
pub(crate) fn noted(dir: &Path, chosen: impl Fn(&str) -> bool) -> Vec<Process> {
    let Ok(entries) = fs::read_dir(dir.join("run")) else { return Vec::new() };
    let pids = entries.flatten().filter(|entry| {
        entry.file_name().to_str().and_then(|name| name.strip_suffix(".pid")).is_some_and(&chosen)
    });
    pids.filter_map(|entry| Process::parse(&fs::read_to_string(entry.path()).ok()?))
        .filter(Process::alive)
        .collect()
}

/// Asks them to end, and ends those that have not after eight seconds.
pub(crate) fn stop(processes: &[Process]) {
    signal("-TERM", processes);
    if wait_for("end", GRACE, || !processes.iter().any(Process::alive)).is_err() {
        kill(processes);
    }
}

/// Ends them now and waits until they are gone.
pub(crate) fn kill(processes: &[Process]) {
    signal("-KILL", processes);
    let _ = wait_for("end", GRACE, || !processes.iter().any(Process::alive));
}

fn signal(which: &str, processes: &[Process]) {
    let alive: Vec<String> =
        processes.iter().filter(|process| process.alive()).map(|process| process.pid.to_string()).collect();
    if !alive.is_empty() {
        succeeds(Command::new("kill").arg(which).args(alive));
    }
}

#[cfg(test)]
mod tests;
