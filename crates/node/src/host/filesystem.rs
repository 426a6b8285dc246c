//! File systems: which mounts are measured, and their sizes.
//!
//! In:     `/proc/1/mountinfo`; `statvfs`, which a dead NFS server can hang, so it runs on threads of its own.
//! Never:  waits longer than [`PATIENCE`] for a mount, or asks a hung mount again before it has answered.
//! Source: proc_pid_mountinfo(5), statvfs(3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use crate::group::Group;
use crate::names as n;

/// How long a file system may take to tell its sizes.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Threads that hung mounts may hold at once; further mounts are reported stalled without being asked.
const MAX_HUNG: usize = 8;

/// One mount worth measuring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`.
    pub device_number: String,
    pub device: String,
    pub mountpoint: String,
    pub kind: String,
    /// `rw` or `ro`.
    pub mode: &'static str,
}

/// File systems that hold no data of their own, or belong to single pods.
const PSEUDO: [&str; 30] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fuse.lxcfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "erofs",
    "fuse.gvfsd-fuse",
];

/// Where pods and containers have their mounts.
const PER_POD: [&str; 4] =
    ["/var/lib/kubelet/pods/", "/var/lib/docker/", "/run/containerd/", "/var/lib/containers/storage/"];

/// The mounts of a `mountinfo` text: no pseudo file system, none of a pod, each device once (its shortest path).
pub fn mounts(text: &str) -> Vec<Mount> {
    let mut by_device: BTreeMap<String, Mount> = BTreeMap::new();
    for mount in text.lines().filter_map(mount) {
        match by_device.get(&mount.device_number) {
            Some(known) if known.mountpoint.len() <= mount.mountpoint.len() => {}
            _ => {
                by_device.insert(mount.device_number.clone(), mount);
            }
        }
    }
    let mut all: Vec<Mount> = by_device.into_values().collect();
    all.sort_by(|a, b| a.mountpoint.cmp(&b.mountpoint));
    all
}

/// A path in the reader's own mount namespace that lies on the device, from its own `mountinfo`.
pub fn own_path(own_mountinfo: &str, device_number: &str) -> Option<PathBuf> {
    own_mountinfo.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.nth(2)? == device_number).then_some(())?;
        Some(PathBuf::from(unescape(words.nth(1)?)))
    })
}

fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut words = before.split(' ');
    let device_number = words.nth(2)?.to_owned();
    let mountpoint = unescape(words.nth(1)?);
    let options = words.next()?;
    let mut words = after.split(' ');
    let kind = words.next()?;
    let device = unescape(words.next()?);
    if PSEUDO.contains(&kind) || PER_POD.iter().any(|p| mountpoint.starts_with(p)) {
        return None;
    }
    let mode = if options.split(',').any(|o| o == "ro") { "ro" } else { "rw" };
    Some(Mount { device_number, device, mountpoint, kind: kind.to_owned(), mode })
}

/// Undoes the kernel's octal escapes for space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        let octal = (byte == b'\\')
            .then(|| bytes.get(i + 1..i + 4))
            .flatten()
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        match octal {
            Some(value) => {
                out.push(value);
                i += 4;
            }
            None => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Sizes of one file system, in bytes and inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub used: u64,
    /// Free to everyone.
    pub free: u64,
    /// Free to root alone.
    pub reserved: u64,
    pub inodes_used: u64,
    pub inodes_free: u64,
}

/// Points of one mount.
pub fn points(mount: &Mount, sizes: Sizes, at_ms: i64, out: &mut Group) {
    let base = [
        ("device", mount.device.as_str()),
        ("mode", mount.mode),
        ("mountpoint", mount.mountpoint.as_str()),
        ("type", mount.kind.as_str()),
    ];
    let with = |state: &'static str| -> Vec<(&str, &str)> {
        base.iter().copied().chain([("state", state)]).collect()
    };
    let mut w = out.at(at_ms);
    for (state, bytes) in [("used", sizes.used), ("free", sizes.free), ("reserved", sizes.reserved)] {
        w.int_with(n::SYSTEM_FILESYSTEM_USAGE, &with(state), Some(bytes));
    }
    if sizes.inodes_used + sizes.inodes_free > 0 {
        for (state, inodes) in [("used", sizes.inodes_used), ("free", sizes.inodes_free)] {
            w.int_with(n::SYSTEM_FILESYSTEM_INODES_USAGE, &with(state), Some(inodes));
        }
    }
    let room = sizes.used.saturating_add(sizes.free);
    let utilization = (room > 0).then(|| sizes.used as f64 / room as f64);
    w.double_with(n::SYSTEM_FILESYSTEM_UTILIZATION, &base, utilization);
}

/// Asks file systems for their sizes without ever hanging on one.
#[derive(Debug, Default)]
pub struct Asker {
    /// Mounts that have not answered yet, with the channel on which they may still do so.
    hung: BTreeMap<PathBuf, mpsc::Receiver<std::io::Result<Sizes>>>,
}

/// Why a file system gave no sizes.
#[derive(Debug)]
pub enum Silence {
    /// It did not answer in time; it is asked again once it has.
    Stalled,
    Failed(std::io::Error),
}

impl Asker {
    /// The sizes of the file system at `path`. Blocks for at most `patience`.
    pub fn ask(&mut self, path: &Path, patience: Duration) -> Result<Sizes, Silence> {
        self.ask_with(path, patience, sizes)
    }

    fn ask_with(
        &mut self,
        path: &Path,
        patience: Duration,
        sizes: fn(&Path) -> std::io::Result<Sizes>,
    ) -> Result<Sizes, Silence> {
        if let Some(answer) = self.hung.get(path) {
            if matches!(answer.try_recv(), Err(mpsc::TryRecvError::Empty)) {
                return Err(Silence::Stalled);
            }
            self.hung.remove(path);
        }
        if self.hung.len() >= MAX_HUNG {
            return Err(Silence::Stalled);
        }
        let (tell, answer) = mpsc::sync_channel(1);
        let asked = path.to_owned();
        std::thread::Builder::new()
            .name("statvfs".into())
            .stack_size(64 * 1024)
            .spawn(move || {
                // The asker may have gone; then nobody wants the answer.
                let _ = tell.send(sizes(&asked));
            })
            .map_err(Silence::Failed)?;
        match answer.recv_timeout(patience) {
            Ok(Ok(sizes)) => Ok(sizes),
            Ok(Err(cause)) => Err(Silence::Failed(cause)),
            Err(_) => {
                self.hung.insert(path.to_owned(), answer);
                Err(Silence::Stalled)
            }
        }
    }
}

fn sizes(path: &Path) -> std::io::Result<Sizes> {
    let s = rustix::fs::statvfs(path)?;
    Ok(Sizes {
        used: s.f_blocks.saturating_sub(s.f_bfree).saturating_mul(s.f_frsize),
        free: s.f_bavail.saturating_mul(s.f_frsize),
        reserved: s.f_bfree.saturating_sub(s.f_bavail).saturating_mul(s.f_frsize),
        inodes_used: s.f_files.saturating_sub(s.f_ffree),
        inodes_free: s.f_ffree,
    })
}

#[cfg(test)]
mod tests;
