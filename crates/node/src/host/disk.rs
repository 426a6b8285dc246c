//! Block devices and software RAID.
//!
//! In:     `/proc/diskstats`, `/proc/mdstat`.
//! Source: the kernel's Documentation/admin-guide/iostats.rst and md.rst.

use crate::group::Group;
use crate::names as n;

/// Bytes of a sector in `/proc/diskstats`, whatever the device's own sectors are.
const SECTOR: u64 = 512;

/// Whether a device repeats what another one counts (partitions), or is no disk (loop, ram, floppy).
fn left_out(device: &str) -> bool {
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    for prefix in ["loop", "ram", "zram", "fd", "sr"] {
        if device.strip_prefix(prefix).is_some_and(digits) {
            return true;
        }
    }
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == device.len() {
        return false;
    }
    for prefix in ["sd", "hd", "vd", "xvd"] {
        if stem
            .strip_prefix(prefix)
            .is_some_and(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase()))
        {
            return true;
        }
    }
    (device.starts_with("nvme") || device.starts_with("mmcblk")) && stem.ends_with('p')
}

/// Points of `/proc/diskstats`.
pub fn diskstats(text: &str, boot_ms: Option<i64>, at_ms: i64, out: &mut Group) {
    let mut w = out.at(at_ms).since(boot_ms);
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some(device) = words.get(2).copied().filter(|d| !left_out(d)) else { continue };
        let value = |i: usize| words.get(i + 3).and_then(|v| v.parse::<u64>().ok());
        let seconds = |i: usize| value(i).map(|ms| ms as f64 / 1000.0);
        for (direction, first) in [("read", 0), ("write", 4)] {
            let attributes = [("device", device), ("direction", direction)];
            w.int_with(n::SYSTEM_DISK_OPERATIONS, &attributes, value(first));
            w.int_with(n::SYSTEM_DISK_MERGED, &attributes, value(first + 1));
            w.int_with(n::SYSTEM_DISK_IO, &attributes, value(first + 2).map(|s| s.saturating_mul(SECTOR)));
            w.double_with(n::SYSTEM_DISK_OPERATION_TIME, &attributes, seconds(first + 3));
        }
        let attributes = [("device", device)];
        w.int_with(n::SYSTEM_DISK_PENDING_OPERATIONS, &attributes, value(8));
        w.double_with(n::SYSTEM_DISK_IO_TIME, &attributes, seconds(9));
        w.double_with(n::SYSTEM_DISK_WEIGHTED_IO_TIME, &attributes, seconds(10));
    }
}

/// Points of `/proc/mdstat`: member disks of each array by state.
pub fn mdstat(text: &str, at_ms: i64, out: &mut Group) {
    let mut w = out.at(at_ms);
    let mut array: Option<(&str, u64, u64)> = None;
    for line in text.lines() {
        if let Some((device, rest)) = line.split_once(" : ").filter(|(d, _)| d.starts_with("md")) {
            let failed = rest.matches("(F)").count() as u64;
            let spare = rest.matches("(S)").count() as u64;
            array = Some((device, failed, spare));
        } else if let (Some((device, failed, spare)), Some(active)) = (array, active_disks(line)) {
            for (state, disks) in [("active", active), ("failed", failed), ("spare", spare)] {
                w.int_with(n::SYSTEM_RAID_DISKS, &[("device", device), ("state", state)], Some(disks));
            }
            array = None;
        }
    }
}

/// The second number of `[2/1]`: disks in use of those the array should have.
fn active_disks(line: &str) -> Option<u64> {
    line.split_ascii_whitespace().find_map(|word| {
        let (_, active) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
        active.parse().ok()
    })
}
