//! Which beds exist on this machine, and who owns them.
//!
//! In and out: `/run/pilothouse-beds/ID` with the bed's directory and its owner. A bed whose owner was killed
//! before it could clean up is found here and taken down by the next one that starts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::layout::Layout;
use crate::process::Process;
use crate::teardown;

const REGISTRY: &str = "/run/pilothouse-beds";

/// What one registry entry says: the directory, and the owning process unless the bed is to outlive it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) dir: PathBuf,
    pub(crate) owner: Option<Process>,
}

impl Entry {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let dir = PathBuf::from(lines.next().filter(|line| line.starts_with('/'))?);
        Some(Self { dir, owner: lines.next().and_then(Process::parse) })
    }

    fn text(&self) -> String {
        let owner = self.owner.as_ref().map(Process::text).unwrap_or_default();
        format!("{}\n{owner}\n", self.dir.display())
    }

    fn orphaned(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| !owner.alive())
    }
}

pub(crate) fn add(layout: &Layout, owner: Option<Process>) -> Result<()> {
    fs::create_dir_all(REGISTRY)?;
    let text = Entry { dir: layout.dir.clone(), owner }.text();
    fs::write(Path::new(REGISTRY).join(&layout.id), text).context("register the bed")
}

pub(crate) fn remove(id: &str) {
    let _ = fs::remove_file(Path::new(REGISTRY).join(id));
    let _ = fs::remove_dir(REGISTRY); // only when it was the last
}

fn entries() -> Vec<(String, Entry)> {
    let Ok(files) = fs::read_dir(REGISTRY) else { return Vec::new() };
    files
        .flatten()
        .filter_map(|file| {
            let entry = Entry::parse(&fs::read_to_string(file.path()).ok()?)?;
            Some((file.file_name().into_string().ok()?, entry))
        })
        .collect()
}

/// The directories of all beds on this machine.
pub fn registered() -> Vec<PathBuf> {
    entries().into_iter().map(|(_, entry)| entry.dir).collect()
}

/// Takes down the beds whose owner is gone; answers their directories.
pub fn sweep() -> Vec<PathBuf> {
    let mut swept = Vec::new();
    for (id, entry) in entries().into_iter().filter(|(_, entry)| entry.orphaned()) {
        // Without a readable bed.json nothing was started yet, or the directory is gone: names still tell the rest.
        let layout = Layout::read(&entry.dir).unwrap_or_else(|_| Layout {
            dir: entry.dir.clone(),
            id,
            name: "bed".into(),
            nodes: 9,
        });
        teardown::stop(&layout);
        let _ = fs::remove_dir_all(&entry.dir);
        swept.push(entry.dir);
    }
    swept
}

#[cfg(test)]
mod tests;
