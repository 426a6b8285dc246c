//! Memory and paging.
//!
//! In:     `/proc/meminfo`, `/proc/vmstat`, `/proc/swaps`.
//! Source: proc_meminfo(5), proc_vmstat(5), proc_swaps(5).

use crate::group::Group;
use crate::names as n;

/// A value of `/proc/meminfo` in bytes.
fn meminfo_bytes(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?.strip_prefix(':')?;
        let kib = rest.trim().strip_suffix("kB").unwrap_or(rest).trim();
        kib.parse::<u64>().ok().map(|k| k.saturating_mul(1024))
    })
}

/// Points of `/proc/meminfo`. `used` is what is neither free nor buffers, page cache or reclaimable slab, so these five
/// sum to the total; `inactive` and `slab_unreclaimable` are views of memory counted there already.
pub fn meminfo(text: &str, at_ms: i64, out: &mut Group) {
    let value = |key| meminfo_bytes(text, key);
    let (total, free) = (value("MemTotal"), value("MemFree"));
    let (buffers, cached, reclaimable) = (value("Buffers"), value("Cached"), value("SReclaimable"));
    let used = match (total, free, buffers, cached) {
        (Some(t), Some(f), Some(b), Some(c)) => Some(
            t.saturating_sub(f).saturating_sub(b).saturating_sub(c).saturating_sub(reclaimable.unwrap_or(0)),
        ),
        _ => None,
    };
    let mut w = out.at(at_ms);
    for (state, bytes) in [
        ("buffered", buffers),
        ("cached", cached),
        ("inactive", value("Inactive")),
        ("free", free),
        ("slab_reclaimable", reclaimable),
        ("slab_unreclaimable", value("SUnreclaim")),
        ("used", used),
    ] {
        w.int_with(n::SYSTEM_MEMORY_USAGE, &[("state", state)], bytes);
    }
    w.int(n::SYSTEM_LINUX_MEMORY_AVAILABLE, value("MemAvailable"));
    w.int(n::SYSTEM_MEMORY_LIMIT, total);
}

/// Points of `/proc/vmstat`: pages moved and faults since boot.
pub fn vmstat(text: &str, boot_ms: Option<i64>, at_ms: i64, out: &mut Group) {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
    };
    let mut w = out.at(at_ms).since(boot_ms);
    for (direction, kind, key) in [
        ("page_in", "major", "pswpin"),
        ("page_out", "major", "pswpout"),
        ("page_in", "minor", "pgpgin"),
        ("page_out", "minor", "pgpgout"),
    ] {
        w.int_with(n::SYSTEM_PAGING_OPERATIONS, &[("direction", direction), ("type", kind)], value(key));
    }
    let (all, major) = (value("pgfault"), value("pgmajfault"));
    let minor = all.zip(major).map(|(all, major)| all.saturating_sub(major));
    w.int_with(n::SYSTEM_PAGING_FAULTS, &[("type", "major")], major);
    w.int_with(n::SYSTEM_PAGING_FAULTS, &[("type", "minor")], minor);
}

/// Points of `/proc/swaps`; none when there is no swap.
pub fn swaps(text: &str, at_ms: i64, out: &mut Group) {
    let mut w = out.at(at_ms);
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [device, _, size, used, ..] = words.as_slice() else { continue };
        let (Ok(size), Ok(used)) = (size.parse::<u64>(), used.parse::<u64>()) else { continue };
        let free = size.saturating_sub(used);
        w.int_with(
            n::SYSTEM_PAGING_USAGE,
            &[("device", device), ("state", "used")],
            Some(used.saturating_mul(1024)),
        );
        w.int_with(
            n::SYSTEM_PAGING_USAGE,
            &[("device", device), ("state", "free")],
            Some(free.saturating_mul(1024)),
        );
    }
}
