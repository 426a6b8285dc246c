//! Files of a container's cgroup v1 directories as points.
//!
//! In:     the texts of the files of the controllers `memory`, `cpu`, `cpuacct`, `blkio`, `pids`; any may be absent.
//! Out:    the points of v2 that v1 can give: no pressure.
//! Source: the kernel's Documentation/admin-guide/cgroup-v1/.

use super::v2::{Scope, keyed, single};
use crate::group::Group;
use crate::host::kernel::Since;
use crate::names::{self as n, Name};

/// The texts of one container; `None` where a file is absent.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    pub cpu_stat: Option<String>,
    pub cpuacct_usage: Option<String>,
    pub memory_stat: Option<String>,
    pub memory_usage: Option<String>,
    pub memory_max_usage: Option<String>,
    pub memory_limit: Option<String>,
    pub memory_failcnt: Option<String>,
    pub memory_oom_control: Option<String>,
    pub io_bytes: Option<String>,
    pub io_operations: Option<String>,
    pub pids_current: Option<String>,
    pub pids_max: Option<String>,
}

/// The kernel writes the greatest page-aligned `i64` for "no limit".
const NO_LIMIT: u64 = i64::MAX as u64 & !0xffff;

/// Points of one container. `device` gives a name for `major:minor`.
pub fn points(t: &Texts, scope: Scope, since: Since, device: &dyn Fn(&str) -> String, out: &mut Group) {
    let nanos = |value: Option<u64>| value.map(|ns| ns as f64 / 1e9);
    // `total_` values include child groups, as the usage does.
    let memory =
        |key: &str| keyed(&t.memory_stat, &format!("total_{key}")).or_else(|| keyed(&t.memory_stat, key));
    let mut w = out.at(since.at_ms).since(since.start_ms);
    if scope == Scope::All {
        let usage = single(&t.memory_usage);
        w.double(n::CONTAINER_CPU_TIME, nanos(single(&t.cpuacct_usage)))
            .int(n::CONTAINER_MEMORY_USAGE, usage)
            .int(
                n::CONTAINER_MEMORY_WORKING_SET,
                usage.zip(memory("inactive_file")).map(|(u, i)| u.saturating_sub(i)),
            )
            .int(n::CONTAINER_MEMORY_RSS, memory("rss"))
            .int(n::CONTAINER_MEMORY_PAGE_FAULTS, memory("pgfault"))
            .int(n::CONTAINER_MEMORY_MAJOR_PAGE_FAULTS, memory("pgmajfault"));
    }
    w.int(n::CONTAINER_CPU_CFS_PERIODS, keyed(&t.cpu_stat, "nr_periods"))
        .int(n::CONTAINER_CPU_CFS_THROTTLED_PERIODS, keyed(&t.cpu_stat, "nr_throttled"))
        .double(n::CONTAINER_CPU_CFS_THROTTLED_TIME, nanos(keyed(&t.cpu_stat, "throttled_time")))
        .int(n::CONTAINER_MEMORY_CACHE, memory("cache"))
        .int(n::CONTAINER_MEMORY_SWAP, memory("swap"))
        .int(n::CONTAINER_MEMORY_PEAK, single(&t.memory_max_usage))
        .int(n::CONTAINER_MEMORY_LIMIT, single(&t.memory_limit).filter(|limit| *limit < NO_LIMIT))
        .int(n::CONTAINER_OOM_EVENTS, keyed(&t.memory_oom_control, "oom_kill"))
        .int(n::CONTAINER_MEMORY_FAILCNT, single(&t.memory_failcnt))
        .int(n::CONTAINER_PIDS_USAGE, single(&t.pids_current))
        .int(n::CONTAINER_PIDS_LIMIT, single(&t.pids_max));
    let disk: [(Name, &Option<String>); 2] =
        [(n::CONTAINER_DISK_IO, &t.io_bytes), (n::CONTAINER_DISK_OPERATIONS, &t.io_operations)];
    for (name, text) in disk {
        for line in text.as_deref().unwrap_or_default().lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [number, operation, value] = words.as_slice() else { continue };
            let direction = match *operation {
                "Read" => "read",
                "Write" => "write",
                _ => continue,
            };
            let device = device(number);
            w.int_with(name, &[("device", &device), ("direction", direction)], value.parse().ok());
        }
    }
}
