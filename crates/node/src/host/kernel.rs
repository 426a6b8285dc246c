//! Pressure, open files, connection tracking, uptime: files with one or a few numbers.
//!
//! In:     `/proc/pressure/*`, `/proc/sys/fs/file-nr`, `/proc/uptime`.
//! Source: the kernel's Documentation/accounting/psi.rst; proc_sys_fs(5), proc_uptime(5).

use crate::group::Group;
use crate::names::{self as n, Name};

/// Points of a pressure file; `resource` is `cpu`, `memory` or `io`. Its totals are microseconds.
pub fn pressure(name: Name, resource: &str, text: &str, at: Since, out: &mut Group) {
    let mut w = out.at(at.at_ms).since(at.start_ms);
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(kind) = words.next() else { continue };
        let total = words.find_map(|word| word.strip_prefix("total=")?.parse::<u64>().ok());
        w.double_with(name, &[("resource", resource), ("kind", kind)], total.map(|us| us as f64 / 1e6));
    }
}

/// A time of measurement and since when its counters count, both ms UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    pub at_ms: i64,
    pub start_ms: Option<i64>,
}

/// Points of `/proc/sys/fs/file-nr`.
pub fn file_nr(text: &str, at_ms: i64, out: &mut Group) {
    let mut words = text.split_ascii_whitespace().map(|v| v.parse::<u64>().ok());
    let (allocated, _, max) = (words.next().flatten(), words.next(), words.next().flatten());
    out.at(at_ms).int(n::SYSTEM_FILEFD_ALLOCATED, allocated).int(n::SYSTEM_FILEFD_MAX, max);
}

/// The point of `/proc/uptime`.
pub fn uptime(text: &str, at_ms: i64, out: &mut Group) {
    let seconds = text.split_ascii_whitespace().next().and_then(|v| v.parse::<f64>().ok());
    out.at(at_ms).double(n::SYSTEM_UPTIME, seconds);
}

/// Points of connection tracking, absent where the module is not loaded: entries from the host's `net/stat/nf_conntrack`
/// (hexadecimal; `nf_conntrack_count` would be that of the reader's own network), the limit from `nf_conntrack_max`, which
/// is the same in all networks.
pub fn conntrack(table: Option<&str>, max: Option<&str>, at_ms: i64, out: &mut Group) {
    let entries =
        table.and_then(|t| u64::from_str_radix(t.lines().nth(1)?.split_ascii_whitespace().next()?, 16).ok());
    let max = max.and_then(|t| t.trim().parse::<u64>().ok());
    out.at(at_ms).int(n::SYSTEM_NETWORK_CONNTRACK_COUNT, entries).int(n::SYSTEM_NETWORK_CONNTRACK_MAX, max);
}
