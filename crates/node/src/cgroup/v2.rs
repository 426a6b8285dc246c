//! Files of a container's cgroup v2 directory as points.
//!
//! In:     the texts of the files; any may be absent (controller not enabled, older kernel).
//! Source: the kernel's Documentation/admin-guide/cgroup-v2.rst.

use crate::group::Group;
use crate::host::kernel::{Since, pressure};
use crate::names as n;

/// Which points are wanted: under Kubernetes the kubelet gives processor time and memory use already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    BesideKubelet,
}

/// The texts of one directory; `None` where a file is absent.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    pub cpu_stat: Option<String>,
    pub cpu_pressure: Option<String>,
    pub memory_pressure: Option<String>,
    pub io_pressure: Option<String>,
    pub memory_stat: Option<String>,
    pub memory_current: Option<String>,
    pub memory_swap_current: Option<String>,
    pub memory_peak: Option<String>,
    pub memory_max: Option<String>,
    pub memory_events: Option<String>,
    pub io_stat: Option<String>,
    pub pids_current: Option<String>,
    pub pids_max: Option<String>,
}

/// The value of `key` in a file of `key value` lines.
pub(super) fn keyed(text: &Option<String>, key: &str) -> Option<u64> {
    text.as_deref()?.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The value of a file that holds one number; `max` is no number.
pub(super) fn single(text: &Option<String>) -> Option<u64> {
    text.as_deref()?.trim().parse().ok()
}

/// Points of one container. `device` gives a name for `major:minor`.
pub fn points(t: &Texts, scope: Scope, since: Since, device: &dyn Fn(&str) -> String, out: &mut Group) {
    let micros = |key| keyed(&t.cpu_stat, key).map(|us| us as f64 / 1e6);
    let mut w = out.at(since.at_ms).since(since.start_ms);
    if scope == Scope::All {
        w.double(n::CONTAINER_CPU_TIME, micros("usage_usec"));
    }
    w.int(n::CONTAINER_CPU_CFS_PERIODS, keyed(&t.cpu_stat, "nr_periods"))
        .int(n::CONTAINER_CPU_CFS_THROTTLED_PERIODS, keyed(&t.cpu_stat, "nr_throttled"))
        .double(n::CONTAINER_CPU_CFS_THROTTLED_TIME, micros("throttled_usec"));
    for (resource, text) in [("cpu", &t.cpu_pressure), ("memory", &t.memory_pressure), ("io", &t.io_pressure)]
    {
        if let Some(text) = text {
            pressure(n::CONTAINER_PRESSURE_STALL_TIME, resource, text, since, out);
        }
    }
    memory(t, scope, since, out);
    let mut w = out.at(since.at_ms).since(since.start_ms);
    for line in t.io_stat.as_deref().unwrap_or_default().lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(number) = words.next() else { continue };
        let name = device(number);
        let values: Vec<&str> = words.collect();
        let value = |key: &str| values.iter().find_map(|v| v.strip_prefix(key)?.parse::<u64>().ok());
        for (direction, bytes, operations) in [("read", "rbytes=", "rios="), ("write", "wbytes=", "wios=")] {
            let attributes = [("device", name.as_str()), ("direction", direction)];
            w.int_with(n::CONTAINER_DISK_IO, &attributes, value(bytes)).int_with(
                n::CONTAINER_DISK_OPERATIONS,
                &attributes,
                value(operations),
            );
        }
    }
    w.int(n::CONTAINER_PIDS_USAGE, single(&t.pids_current)).int(n::CONTAINER_PIDS_LIMIT, single(&t.pids_max));
}

fn memory(t: &Texts, scope: Scope, since: Since, out: &mut Group) {
    let mut w = out.at(since.at_ms).since(since.start_ms);
    if scope == Scope::All {
        let usage = single(&t.memory_current);
        let inactive = keyed(&t.memory_stat, "inactive_file");
        w.int(n::CONTAINER_MEMORY_USAGE, usage)
            .int(n::CONTAINER_MEMORY_WORKING_SET, usage.zip(inactive).map(|(u, i)| u.saturating_sub(i)))
            .int(n::CONTAINER_MEMORY_RSS, keyed(&t.memory_stat, "anon"))
            .int(n::CONTAINER_MEMORY_PAGE_FAULTS, keyed(&t.memory_stat, "pgfault"))
            .int(n::CONTAINER_MEMORY_MAJOR_PAGE_FAULTS, keyed(&t.memory_stat, "pgmajfault"));
    }
    w.int(n::CONTAINER_MEMORY_CACHE, keyed(&t.memory_stat, "file"))
        .int(n::CONTAINER_MEMORY_SWAP, single(&t.memory_swap_current))
        .int(n::CONTAINER_MEMORY_PEAK, single(&t.memory_peak))
        .int(n::CONTAINER_MEMORY_LIMIT, single(&t.memory_max))
        .int(n::CONTAINER_OOM_EVENTS, keyed(&t.memory_events, "oom_kill"))
        .int(n::CONTAINER_MEMORY_FAILCNT, keyed(&t.memory_events, "max"));
}
