//! Container images without a builder: a root folder becomes one layer in a docker archive.
//!
//! In: a program and files of this machine. Out: `NAME.tar`, which containerd and dockerd import. File capabilities
//! are extended attributes, so the layer is packed with them. Source: Docker image specification v1.2.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::shell::{command, finish, output};

/// What an image has beside its program.
#[derive(Clone, Debug, Default)]
pub struct PackOptions {
    /// The program and its first arguments; empty: the packed binary alone.
    pub entrypoint: Vec<String>,
    /// File capabilities of the binary as setcap(8) writes them, such as `cap_dac_read_search+p`.
    pub setcap: Option<String>,
    /// Further files: path on this machine, path in the image.
    pub files: Vec<(PathBuf, String)>,
    /// A shell and its tools beside the program.
    pub busybox: Option<PathBuf>,
}

/// Packs `binary` as `/bin/NAME` with the shared libraries it needs into `tar`, as image `reference` (`host/name:tag`).
pub fn pack(tar: &Path, reference: &str, binary: &Path, options: &PackOptions) -> Result<()> {
    let root = tar.with_extension("root");
    let packed = fill(&root, binary, options).and_then(|program| {
        let entrypoint =
            if options.entrypoint.is_empty() { vec![program] } else { options.entrypoint.clone() };
        archive(tar, reference, &root, &entrypoint)
    });
    let _ = fs::remove_dir_all(&root);
    packed.with_context(|| format!("pack image {reference}"))
}

/// Fills the root folder and answers the program's path in the image.
fn fill(root: &Path, binary: &Path, options: &PackOptions) -> Result<String> {
    for folder in ["bin", "etc", "proc", "sys", "dev", "tmp", "run"] {
        fs::create_dir_all(root.join(folder))?;
    }
    output(command("chmod", ["1777"]).arg(root.join("tmp")))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\nnonroot:x:65532:\n")?;
    fs::write(root.join("etc/nsswitch.conf"), "hosts: files dns\n")?;
    if let Some(busybox) = &options.busybox {
        add_program(root, busybox, "busybox")?;
        let applets = output(command("busybox", ["--list"]).arg("--"))
            .or_else(|_| output(&mut command("busybox", ["--list"])))?;
        for applet in applets.lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", root.join("bin").join(applet))?;
        }
    }
    let name = binary.file_name().context("the binary has no name")?.to_string_lossy().into_owned();
    let name = program_name(&name).to_owned();
    if !root.join("bin").join(&name).exists() {
        add_program(root, binary, &name)?;
    }
    for (from, to) in &options.files {
        copy(from, &root.join(to.trim_start_matches('/')))?;
    }
    if let Some(capabilities) = &options.setcap {
        output(command("setcap", [capabilities.as_str()]).arg(root.join("bin").join(&name)))?;
    }
    Ok(format!("/bin/{name}"))
}

/// `emitter-4f1c…` out of the cache is called `emitter` in an image.
pub(crate) fn program_name(file: &str) -> &str {
    match file.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => file,
    }
}

/// Copies a program, and each shared library to the very path its loader will look at.
fn add_program(root: &Path, program: &Path, name: &str) -> Result<()> {
    copy(program, &root.join("bin").join(name))?;
    let said = finish(command("ldd", []).arg(program))?; // fails on a static program: nothing to add then
    for library in libraries(&String::from_utf8_lossy(&said.stdout)) {
        let to = root.join(library.trim_start_matches('/'));
        if !to.exists() {
            copy(Path::new(library), &to)?;
        }
    }
    Ok(())
}

/// The absolute paths in what ldd(1) says: `libc.so.6 => /lib/libc.so.6 (0x…)` or `/lib64/ld.so (0x…)`.
pub(crate) fn libraries(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.split_ascii_whitespace().find(|word| word.starts_with('/'))).collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn archive(tar: &Path, reference: &str, root: &Path, entrypoint: &[String]) -> Result<()> {
    let work = tar.with_extension("work");
    fs::create_dir_all(&work)?;
    let layer = work.join("layer.tar");
    let args =
        ["--xattrs", "--xattrs-include=*", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf"];
    output(command("tar", args).arg(&layer).arg("-C").arg(root).arg("."))?;
    let sum = output(command("sha256sum", []).arg(&layer))?;
    let digest = sum.split_ascii_whitespace().next().context("sha256sum said nothing")?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Entrypoint": entrypoint, "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"] }]);
    fs::write(work.join("config.json"), config.to_string())?;
    fs::write(work.join("manifest.json"), manifest.to_string())?;
    let members = ["manifest.json", "config.json", "layer.tar"];
    output(command("tar", ["-cf"]).arg(tar).arg("-C").arg(&work).args(members))?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
