//! A process of each container, for what only a process shows: the network namespace.
//!
//! In:     `/proc/<pid>/cgroup` of the host; a group's own list of processes reads empty from another PID namespace.
//! Cost:   one open a process; done only when a new container appears.

use std::collections::HashMap;
use std::path::Path;

use super::walk;

/// A process of each container and of each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    pub by_container: HashMap<String, u32>,
    pub by_pod: HashMap<String, u32>,
}

impl Processes {
    /// Takes one process' `cgroup` file into account.
    pub fn note(&mut self, pid: u32, cgroup: &str) {
        for line in cgroup.lines() {
            let Some(path) = line.splitn(3, ':').nth(2) else { continue };
            let mut names = path.rsplit('/');
            let Some(id) = names.next().and_then(walk::container_id) else { continue };
            self.by_container.entry(id.to_owned()).or_insert(pid);
            if let Some(uid) = names.find_map(walk::pod_uid) {
                self.by_pod.entry(uid).or_insert(pid);
            }
            return;
        }
    }
}

/// Scans all processes below `proc`. Processes that end meanwhile are left out.
pub fn scan(proc: &Path) -> std::io::Result<Processes> {
    let mut found = Processes::default();
    for entry in std::fs::read_dir(proc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if let Ok(text) = std::fs::read_to_string(entry.path().join("cgroup")) {
            found.note(pid, &text);
        }
    }
    Ok(found)
}
