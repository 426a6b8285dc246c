//! What processes use: resident memory and processor time, for the figures of benchmarks.
//!
//! In: `/proc/PID`. Out: bytes, and cores over a span of time that is the same for all of them.

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
    /// The part of it that is the process's own: heap and stacks. The rest are pages of files, its program foremost, which the
    /// kernel takes back when memory is short.
    pub anonymous_bytes: u64,
    /// The most it was at any one time since the process started, in bytes.
    pub peak_bytes: u64,
    /// Processor time by elapsed time: 0.5 is half a core.
    pub cores: f64,
}

/// Watches processes for `span`, all at once. Blocks. An error when one ends meanwhile.
pub fn usage(pids: &[u32], span: Duration) -> Result<Vec<Usage>> {
    let hertz: f64 =
        output(&mut command("getconf", ["CLK_TCK"]))?.trim().parse().context("getconf CLK_TCK")?;
    let before = pids.iter().map(|pid| ticks(*pid)).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    thread::sleep(span);
    let after = pids.iter().map(|pid| ticks(*pid)).collect::<Result<Vec<_>>>()?;
    let elapsed = start.elapsed().as_secs_f64();
    let one = |(pid, (before, after)): (&u32, (&u64, &u64))| {
        let status = read(*pid, "status")?;
        let bytes =
            |key| parse_status(&status, key).with_context(|| format!("/proc/{pid}/status has no {key}"));
        Ok(Usage {
            rss_bytes: bytes("VmRSS:")?,
            anonymous_bytes: bytes("RssAnon:")?,
            peak_bytes: bytes("VmHWM:")?,
            cores: after.saturating_sub(*before) as f64 / hertz / elapsed,
        })
    };
    pids.iter().zip(before.iter().zip(&after)).map(one).collect()
}

fn read(pid: u32, file: &str) -> Result<String> {
    fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("process {pid} does not run"))
}

fn ticks(pid: u32) -> Result<u64> {
    parse_ticks(&read(pid, "stat")?).with_context(|| format!("/proc/{pid}/stat has another form"))
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
