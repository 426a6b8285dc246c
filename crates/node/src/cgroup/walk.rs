//! Finds the cgroup of each container below a mount.
//!
//! In:     directory names as container engines write them, with either cgroup driver, nested or not.
//! Out:    container id → directory, relative to the controller's root.
//! Source: naming rules of the kubelet (`kubepods…`), Docker, containerd, CRI-O, Podman.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Directories below each other that are searched; a runaway tree is not.
const MAX_DEPTH: usize = 12;
/// Directories that one walk looks at.
const MAX_DIRECTORIES: usize = 50_000;

/// Where one container's group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Below the root of the hierarchy that was walked.
    pub path: PathBuf,
    /// The pod, when a directory on the way names it.
    pub pod_uid: Option<String>,
}

/// The container id in a directory's name: 64 hex digits, alone or as `<runtime>-<id>.scope`. Helpers of a runtime
/// (`crio-conmon-…`) are no containers.
pub fn container_id(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    let id = stem.get(stem.len().checked_sub(64)?..)?;
    let prefix = stem.get(..stem.len() - 64)?;
    let hex = id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let known = prefix.is_empty() || (prefix.ends_with('-') && !prefix.contains("conmon"));
    (hex && known).then_some(id)
}

/// The pod UID in a directory's name: `pod<uid>` or `kubepods…-pod<uid with underscores>.slice`.
pub fn pod_uid(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match stem.rsplit_once("-pod") {
        Some((_, uid)) => uid,
        None => stem.strip_prefix("pod")?,
    };
    // Static pods have the 32 hex digits of a hash for a UID.
    let plausible = uid.len() >= 32 && uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-' || b == b'_');
    plausible.then(|| uid.replace('_', "-"))
}

/// All containers below `root`. Directories that vanish meanwhile are left out; an unreadable root is an error.
pub fn find(root: &Path) -> std::io::Result<HashMap<String, Place>> {
    let mut found = HashMap::new();
    let mut seen = 0;
    let mut todo: Vec<(PathBuf, Option<String>, usize)> = vec![(PathBuf::new(), None, 0)];
    while let Some((path, pod, depth)) = todo.pop() {
        let listing = match std::fs::read_dir(root.join(&path)) {
            Ok(listing) => listing,
            Err(cause) if depth == 0 => return Err(cause),
            Err(_) => continue,
        };
        for entry in listing.flatten() {
            if !entry.file_type().is_ok_and(|t| t.is_dir()) {
                continue;
            }
            seen += 1;
            if seen > MAX_DIRECTORIES {
                return Ok(found);
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let below = path.join(name);
            let pod = pod_uid(name).or_else(|| pod.clone());
            if let Some(id) = container_id(name) {
                found.insert(id.to_owned(), Place { path: below.clone(), pod_uid: pod.clone() });
            }
            if depth + 1 < MAX_DEPTH {
                todo.push((below, pod, depth + 1));
            }
        }
    }
    Ok(found)
}
