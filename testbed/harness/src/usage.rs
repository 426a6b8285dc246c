//! What a process uses: resident memory and processor time, for the figures of benchmarks.
//!
//! In: `/proc/PID`. Out: bytes, and cores over a span of time.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::shell::{command, output};

/// One process over a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Resident memory at the end, in bytes.
    pub rss_bytes: u64,
    /// The most it was at any one time since the process started, in bytes.
    pub peak_bytes: u64,
    /// Processor time by elapsed time: 0.5 is half a core.
    pub cores: f64,
}

/// Watches process `pid` for `span`. Blocks. An error when it ends meanwhile.
pub fn usage(pid: u32, span: Duration) -> Result<Usage> {
    let hertz: f64 =
        output(&mut command("getconf", ["CLK_TCK"]))?.trim().parse().context("getconf CLK_TCK")?;
    let read = |file: &str| {
        fs::read_to_string(format!("/proc/{pid}/{file}"))
            .with_context(|| format!("process {pid} does not run"))
    };
    let ticks = || parse_ticks(&read("stat")?).with_context(|| format!("/proc/{pid}/stat has another form"));
    let (before, start) = (ticks()?, Instant::now());
    thread::sleep(span);
    let (after, elapsed) = (ticks()?, start.elapsed());
    let status = read("status")?;
    let bytes = |key| parse_status(&status, key).with_context(|| format!("/proc/{pid}/status has no {key}"));
    let cores = after.saturating_sub(before) as f64 / hertz / elapsed.as_secs_f64();
    Ok(Usage { rss_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")?, cores })
}

/// User and system time in ticks. Source: proc_pid_stat(5), fields 14 and 15.
pub(crate) fn parse_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// A size of `/proc/PID/status` in bytes; there it stands in kibibytes. Source: proc_pid_status(5).
pub(crate) fn parse_status(status: &str, key: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests;
