//! Where everything of one bed lies and what it is called.
//!
//! In: the bed's directory. Out: paths, names, addresses. `bed.json` in it holds what another process needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The API server's address inside the bed.
pub(crate) const API_PORT: u16 = 16443;
pub(crate) const ETCD_PORT: u16 = 12379;
/// DNS and the API server's advertised address: node 1's bridge.
pub(crate) const FIRST_IP: &str = "10.244.1.1";
/// `sun_path` holds 108 bytes; containerd's socket is the longest of a bed (see unix(7)).
const LONGEST_SOCKET: usize = 107;

#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    /// Unique on the machine: network namespace, cgroups and registry entry are called so.
    pub(crate) id: String,
    /// Nodes are called `NAME-1`, `NAME-2`, …
    pub(crate) name: String,
    pub(crate) nodes: u32,
}

impl Layout {
    pub(crate) fn check(&self) -> Result<()> {
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !self.name.is_empty() && self.name.chars().all(label) && !self.name.starts_with('-'),
            "bed name {:?}: use lower-case letters, digits and hyphens, for nodes are called after it",
            self.name
        );
        ensure!((1..=9).contains(&self.nodes), "{} nodes: a bed has 1 to 9", self.nodes);
        let socket = self.socket(self.nodes);
        let length = socket.as_os_str().len();
        ensure!(
            length <= LONGEST_SOCKET,
            "{} is {length} bytes long and a Unix socket's path may have {LONGEST_SOCKET}: choose a shorter directory",
            socket.display()
        );
        Ok(())
    }

    /// Writes `bed.json`, from which `read` makes the same layout.
    pub(crate) fn write(&self) -> Result<()> {
        let value = json!({ "id": self.id, "name": self.name, "nodes": self.nodes });
        fs::write(self.dir.join("bed.json"), value.to_string()).context("write bed.json")
    }

    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("no bed in {}", dir.display()))?;
        let text = fs::read_to_string(dir.join("bed.json"))
            .with_context(|| format!("no bed in {}; start one with `bed up DIR`", dir.display()))?;
        let value: Value = serde_json::from_str(&text).context("read bed.json")?;
        let word =
            |key: &str| value[key].as_str().map(str::to_owned).with_context(|| format!("bed.json: no {key}"));
        let nodes =
            value["nodes"].as_u64().and_then(|n| u32::try_from(n).ok()).context("bed.json: no nodes")?;
        Ok(Self { id: word("id")?, name: word("name")?, nodes, dir })
    }

    pub(crate) fn node_name(&self, node: u32) -> String {
        format!("{}-{node}", self.name)
    }

    pub(crate) fn node_home(&self, node: u32) -> PathBuf {
        self.dir.join(format!("node-{node}"))
    }

    pub(crate) fn socket(&self, node: u32) -> PathBuf {
        self.node_home(node).join("containerd.sock")
    }

    pub(crate) fn node_ip(node: u32) -> String {
        format!("10.244.{node}.1")
    }

    /// The cgroup all pods of a node are under, in every hierarchy.
    pub(crate) fn cgroup(&self, node: u32) -> String {
        format!("{}-{node}", self.id)
    }

    pub(crate) fn netns(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.id)
    }

    pub(crate) fn pki(&self, file: &str) -> PathBuf {
        self.dir.join("pki").join(file)
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.join(format!("{user}.kubeconfig"))
    }
}

#[cfg(test)]
mod tests;
