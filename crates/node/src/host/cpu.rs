//! Processor time, load and process counts.
//!
//! In:     `/proc/stat`, `/proc/loadavg`, `/proc/<pid>/stat`.
//! Source: proc_stat(5), proc_loadavg(5), proc_pid_stat(5).

use crate::group::Group;
use crate::names as n;

/// The states of `/proc/stat`'s columns, in their order; guest time is already part of user and nice.
const STATES: [&str; 8] = ["user", "nice", "system", "idle", "wait", "interrupt", "softirq", "steal"];

/// What `/proc/stat` says besides its points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// When the kernel started, ms UTC.
    pub at_ms: Option<i64>,
    /// Processors that are online.
    pub cpus: u32,
}

/// When the machine booted and how many processors it has.
pub fn boot(stat: &str) -> Boot {
    let mut boot = Boot::default();
    for line in stat.lines() {
        if let Some(seconds) = line.strip_prefix("btime ") {
            boot.at_ms = seconds.trim().parse::<i64>().ok().map(|s| s.saturating_mul(1000));
        } else if line.starts_with("cpu") && !line.starts_with("cpu ") {
            boot.cpus += 1;
        }
    }
    boot
}

/// Points of `/proc/stat`; `ticks` is the unit of its times, in parts of a second.
pub fn stat(text: &str, ticks: u64, at_ms: i64, out: &mut Group) {
    let boot = boot(text);
    let mut w = out.at(at_ms).since(boot.at_ms);
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some(cpu) if cpu.len() > 3 && cpu.starts_with("cpu") => {
                for (state, word) in STATES.iter().zip(words) {
                    let seconds = word.parse::<u64>().ok().map(|t| t as f64 / ticks.max(1) as f64);
                    w.double_with(n::SYSTEM_CPU_TIME, &[("cpu", cpu), ("state", state)], seconds);
                }
            }
            Some("processes") => {
                w.int(n::SYSTEM_PROCESSES_CREATED, words.next().and_then(|v| v.parse().ok()));
            }
            _ => {}
        }
    }
    if boot.cpus > 0 {
        w.int(n::SYSTEM_CPU_LOGICAL_COUNT, Some(boot.cpus.into()));
    }
}

/// Points of `/proc/loadavg`.
pub fn load(text: &str, at_ms: i64, out: &mut Group) {
    let mut words = text.split_ascii_whitespace().map(|v| v.parse::<f64>().ok());
    let mut w = out.at(at_ms);
    for name in [n::SYSTEM_CPU_LOAD_AVERAGE_1M, n::SYSTEM_CPU_LOAD_AVERAGE_5M, n::SYSTEM_CPU_LOAD_AVERAGE_15M]
    {
        w.double(name, words.next().flatten());
    }
}

/// How many processes are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    running: u64,
    sleeping: u64,
    blocked: u64,
    stopped: u64,
    zombies: u64,
    idle: u64,
    unknown: u64,
}

impl Processes {
    /// Counts one `/proc/<pid>/stat`. The command stands in parentheses and may itself hold any of them.
    pub fn count(&mut self, stat: &[u8]) {
        let state = memrchr_paren(stat).and_then(|at| stat.get(at + 2));
        let counter = match state {
            Some(b'R') => &mut self.running,
            Some(b'S') => &mut self.sleeping,
            Some(b'D') => &mut self.blocked,
            Some(b'T' | b't') => &mut self.stopped,
            Some(b'Z') => &mut self.zombies,
            Some(b'I') => &mut self.idle,
            _ => &mut self.unknown,
        };
        *counter += 1;
    }

    pub fn points(&self, at_ms: i64, out: &mut Group) {
        let mut w = out.at(at_ms);
        for (status, value) in [
            ("running", self.running),
            ("sleeping", self.sleeping),
            ("blocked", self.blocked),
            ("stopped", self.stopped),
            ("zombies", self.zombies),
            ("idle", self.idle),
            ("unknown", self.unknown),
        ] {
            w.int_with(n::SYSTEM_PROCESSES_COUNT, &[("status", status)], Some(value));
        }
    }
}

fn memrchr_paren(stat: &[u8]) -> Option<usize> {
    stat.iter().rposition(|b| *b == b')')
}
