//! A Docker host for tests: Debian's dockerd on a socket and a directory of its own.
//!
//! In: a directory. Out: a running daemon with no network (`--bridge none`), its containers and their json-file
//! logs. Dropped: containers, daemon and directory go, by pid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Process, kill, spawn, stop};
use crate::shell::{command, output, succeeds, wait_for};

const READY: Duration = Duration::from_secs(60);

/// A running dockerd.
#[derive(Debug)]
pub struct Docker {
    dir: PathBuf,
    daemon: Process,
}

/// Starts dockerd with everything of it below `dir`, which must not exist or be empty. Blocks until it answers.
pub fn start(dir: &Path) -> Result<Docker> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    if fs::read_dir(&dir)?.next().is_some() {
        bail!("{} is not empty; a Docker host takes a directory of its own", dir.display());
    }
    let group = cgroup(&dir);
    // In a mount namespace of its own, so that no layer stays mounted on the machine whatever happens to it.
    let mut dockerd = command("unshare", ["--mount", "--propagation", "private", "dockerd"]);
    dockerd.args(["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]);
    dockerd.args([
        "--oom-score-adjust",
        "0",
        "--exec-opt",
        "native.cgroupdriver=cgroupfs",
        "--log-level",
        "warn",
    ]);
    dockerd
        .arg("--cgroup-parent")
        .arg(&group)
        .arg("--host")
        .arg(format!("unix://{}/docker.sock", dir.display()));
    for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "docker.pid")] {
        dockerd.arg(flag).arg(dir.join(name));
    }
    let daemon = spawn(&dir, "dockerd", dockerd)?;
    let docker = Docker { dir, daemon };
    wait_for("dockerd answers", READY, || {
        succeeds(docker.command().arg("version")) || !docker.daemon.alive()
    })?;
    if !docker.daemon.alive() {
        let said = fs::read_to_string(docker.dir.join("log/dockerd.log")).unwrap_or_default();
        bail!("dockerd ended at once: {}", said.lines().last().unwrap_or("it said nothing"));
    }
    Ok(docker)
}

impl Docker {
    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// Where containers' json-file logs lie: `containers/ID/ID-json.log` below it.
    pub fn data_root(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The docker client for this daemon.
    pub fn command(&self) -> Command {
        let mut docker = Command::new("docker");
        docker.arg("--host").arg(format!("unix://{}", self.socket().display()));
        docker
    }

    /// Loads an image archive and starts a container without network; `args` follow `docker run --detach` and hold
    /// the image's reference. Answers the container's id.
    pub fn run(&self, tar: &Path, args: &[&str]) -> Result<String> {
        output(self.command().args(["load", "--quiet", "--input"]).arg(tar))?;
        let said = output(self.command().args(["run", "--detach", "--network", "none"]).args(args))?;
        Ok(said.trim().to_owned())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let containers = output(self.command().args(["ps", "--all", "--quiet"])).unwrap_or_default();
        let ids: Vec<&str> = containers.split_ascii_whitespace().collect();
        if !ids.is_empty() {
            succeeds(self.command().args(["rm", "--force", "--volumes"]).args(ids));
        }
        let own = Process::of(self.daemon.pid).map(|_| children(self.daemon.pid)).unwrap_or_default();
        stop(std::slice::from_ref(&self.daemon));
        kill(&own); // its containerd, had it not gone along
        for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = fs::remove_dir(hierarchy.path().join(cgroup(&self.dir).trim_start_matches('/')));
        }
        if std::thread::panicking() {
            eprintln!("testbed: dockerd's log is kept in {}", self.dir.join("log").display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// A cgroup of its own, called after the directory.
fn cgroup(dir: &Path) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("/phdocker{}", dir.display().to_string().chars().map(plain).collect::<String>())
}

/// Source: proc_pid_children(5).
fn children(pid: u32) -> Vec<Process> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let pids = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found
            .extend(pids.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Process::of));
    }
    found
}
