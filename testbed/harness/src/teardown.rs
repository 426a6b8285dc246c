//! Takes one bed down: every process by its pid, then mounts, the network namespace, cgroups.
//!
//! In: the bed's layout; nothing of it need be whole, so that a half-started bed goes down too.
//! Never: fails; what cannot be removed is left for the next `sweep`, and said.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layout::Layout;
use crate::network;
use crate::process::{Process, kill, noted};
use crate::registry;
use crate::shell::{command, succeeds, wait_for};

const CGROUPS: &str = "/sys/fs/cgroup";
const EMPTY: Duration = Duration::from_secs(10);

/// Stops everything of the bed. Its directory stays, with logs and kubeconfigs.
pub(crate) fn stop(layout: &Layout) {
    // First those who would start containers again. Nothing of a bed is kept, so nobody is asked to end gently.
    kill(&noted(&layout.dir, |name| name.starts_with("kubelet")));
    let roots = cgroup_roots(layout);
    kill(&members(&roots));
    let emptied = wait_for("containers end", EMPTY, || members(&roots).is_empty());
    kill(&shims(&layout.dir));
    kill(&noted(&layout.dir, |_| true));
    for mount in mounts_below(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), &layout.dir) {
        succeeds(command("umount", ["--lazy"]).arg(mount));
    }
    network::remove(layout);
    roots.iter().for_each(|root| remove_cgroup(root));
    if emptied.is_err() || roots.iter().any(|root| root.exists()) {
        eprintln!("testbed: some containers of {} would not end", layout.dir.display());
    } else {
        registry::remove(&layout.id);
    }
}

/// The processes of this bed's containers whose program is called `program`.
pub(crate) fn containers_running(layout: &Layout, program: &str) -> Vec<u32> {
    let name = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let called =
        |pid: &u32| name(*pid).is_some_and(|exe| exe.file_name().is_some_and(|file| file == program));
    members(&cgroup_roots(layout)).iter().map(|process| process.pid).filter(called).collect()
}

fn cgroup_roots(layout: &Layout) -> Vec<PathBuf> {
    let names: Vec<String> = (1..=layout.nodes).map(|node| layout.cgroup(node)).collect();
    let hierarchies =
        fs::read_dir(CGROUPS).map(|entries| entries.flatten().map(|e| e.path()).collect::<Vec<_>>());
    std::iter::once(PathBuf::from(CGROUPS))
        .chain(hierarchies.unwrap_or_default())
        .flat_map(|hierarchy| names.iter().map(move |name| hierarchy.join(name)).collect::<Vec<_>>())
        .filter(|root| root.is_dir())
        .collect()
}

/// All living processes below these cgroups.
fn members(roots: &[PathBuf]) -> Vec<Process> {
    let mut found: Vec<u32> = Vec::new();
    let mut open: Vec<PathBuf> = roots.to_vec();
    while let Some(group) = open.pop() {
        let pids = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        found.extend(pids.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        open.extend(children(&group));
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().filter_map(Process::of).collect()
}

fn children(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
    entries.flatten().filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

fn remove_cgroup(group: &Path) {
    children(group).iter().for_each(|child| remove_cgroup(child));
    let _ =
        wait_for("cgroup goes", Duration::from_secs(2), || fs::remove_dir(group).is_ok() || !group.exists());
}

/// The shims of this bed's containerds: they live outside the pods' cgroups and name the socket they belong to.
fn shims(dir: &Path) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = format!("{}/", dir.display());
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            words.next().is_some_and(|program| program.contains("containerd-shim"))
                && words.any(|word| word.starts_with(&own))
        })
        .filter_map(Process::of)
        .collect()
}

/// Mount points below `dir`, the deepest first. Source: proc_pid_mountinfo(5), fifth field.
pub(crate) fn mounts_below(mountinfo: &str, dir: &Path) -> Vec<PathBuf> {
    let mut mounts: Vec<PathBuf> = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .filter(|mount| mount.starts_with(dir) && mount != dir)
        .collect();
    mounts.sort();
    mounts.reverse();
    mounts
}

#[cfg(test)]
mod tests;
