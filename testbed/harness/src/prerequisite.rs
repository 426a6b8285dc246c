//! What a bed needs of the machine, and what a test does where it is missing.
//!
//! In: the machine. Out: go, a visible skip, or an error in CI, where nothing may be skipped.

use std::env;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};

/// Program and the Debian package that holds it.
const PROGRAMS: &[(&str, &str)] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("busybox", "busybox"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("openssl", "openssl"),
    ("socat", "socat"),
    ("setcap", "libcap2-bin"),
    ("nsenter", "util-linux"),
    ("dockerd", "docker.io"),
];
const CNI: &str = "/usr/lib/cni/bridge";

/// Whether a bed can run here. `Ok(false)`: not, and a line that begins with "skipped:" was written past the test
/// runner's capture; with `CI=true` that is an error instead.
pub fn ready_to_run(test: &str) -> Result<bool> {
    let Some(why) = missing() else { return Ok(true) };
    if env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!("{test} must run in CI, but {why}");
    }
    let _ = writeln!(std::io::stderr(), "skipped: {test} {why}");
    Ok(false)
}

/// What is missing, as the end of a sentence; none when a bed can start.
pub(crate) fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("needs Linux".into());
    }
    if !is_root() {
        return Some("needs root".into());
    }
    let paths: Vec<_> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    let there = |program: &str| paths.iter().any(|path| path.join(program).exists());
    let mut packages: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect();
    if !Path::new(CNI).exists() {
        packages.push("containernetworking-plugins");
    }
    (!packages.is_empty()).then(|| format!("needs {}: run `make setup`", packages.join(", ")))
}

/// Effective user id 0. Source: proc_pid_status(5).
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_ascii_whitespace().nth(1))
        == Some("0")
}
