//! The two Go programs of the testbed, built once for each state of their sources.
//!
//! In: `testbed/kubebed`, `testbed/emitter`. Out: `${PILOTHOUSE_CACHE:-~/.cache/pilothouse}/NAME-HASH`, which a
//! second clone with the same sources uses as it is. Two builds at once wait for one another.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::shell::output;

const KUBERNETES: &str = "1.34.4";

/// A program built from this repository's `testbed/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// All of Kubernetes in one binary: about five minutes cold on two cores.
    Kubebed,
    /// The test program: seconds.
    Emitter,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Kubebed => "kubebed",
            Self::Emitter => "emitter",
        }
    }

    fn linker_flags(self) -> String {
        match self {
            Self::Emitter => "-s -w".into(),
            Self::Kubebed => {
                let package = "k8s.io/component-base/version";
                let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
                format!(
                    "-s -w -X {package}.gitVersion=v{KUBERNETES} -X {package}.gitMajor=1 -X {package}.gitMinor={minor} \
                     -X {package}.gitCommit=bed -X {package}.buildDate=2026-01-01T00:00:00Z"
                )
            }
        }
    }
}

/// The path of a program, built now if its sources were never built on this machine. Blocks; says what it does on
/// standard error.
pub fn program(which: Program) -> Result<PathBuf> {
    let sources = testbed()?.join(which.name());
    let cache = directory()?;
    let built = cache.join(format!("{}-{}", which.name(), fingerprint(&sources, &which.linker_flags())?));
    if built.exists() {
        return Ok(built);
    }
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join(format!("{}.lock", which.name())))?;
    lock.lock().context("wait for another build")?;
    if !built.exists() {
        build(which, &sources, &built)?;
    }
    Ok(built)
}

/// The clone's `testbed` folder: below the working directory or one of its parents. Not the folder this was compiled in:
/// one target directory may serve several clones.
fn testbed() -> Result<PathBuf> {
    let here = env::current_dir().context("find the working directory")?;
    here.ancestors()
        .map(|folder| folder.join("testbed"))
        .find(|folder| folder.join(Program::Kubebed.name()).is_dir())
        .with_context(|| format!("no testbed at or above {}: run it inside the repository", here.display()))
}

fn directory() -> Result<PathBuf> {
    if let Some(cache) = env::var_os("PILOTHOUSE_CACHE").filter(|cache| !cache.is_empty()) {
        return Ok(cache.into());
    }
    let home = env::var_os("HOME")
        .context("neither PILOTHOUSE_CACHE nor HOME is set: no place for built programs")?;
    Ok(Path::new(&home).join(".cache/pilothouse"))
}

/// SHA-256 over names and contents of all source files, in name order, and the flags.
pub(crate) fn fingerprint(sources: &Path, flags: &str) -> Result<String> {
    let entries = fs::read_dir(sources).with_context(|| format!("read {}", sources.display()))?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut input) = sum.stdin.take() {
        writeln!(input, "{flags} {}", env::consts::ARCH)?;
        for file in files {
            let content = fs::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            writeln!(input, "{name} {}", content.len())?;
            input.write_all(&content)?;
        }
    }
    let said = String::from_utf8_lossy(&sum.wait_with_output()?.stdout).into_owned();
    Ok(said.split_ascii_whitespace().next().context("sha256sum said nothing")?.to_owned())
}

fn build(which: Program, sources: &Path, built: &Path) -> Result<()> {
    let (name, start) = (which.name(), Instant::now());
    let go = output(Command::new("go").arg("version"))
        .with_context(|| format!("{name} is built with Go; install Go 1.26 from https://go.dev/dl/"))?;
    eprintln!("testbed: building {name} with {} (once on this machine)", go.trim());
    let unfinished = built.with_extension("new");
    let mut child = Command::new("go")
        .current_dir(sources)
        .env("CGO_ENABLED", if which == Program::Emitter { "0" } else { "1" })
        .args(["build", "-v", "-trimpath", "-ldflags", &which.linker_flags(), "-o"])
        .args([unfinished.as_os_str(), ".".as_ref()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start go")?;
    let (mut compiled, mut last) = (0_u32, Vec::new());
    if let Some(said) = child.stderr.take() {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            compiled += 1;
            if compiled % 100 == 0 {
                eprintln!("testbed: {name}: {compiled} packages, {} s", start.elapsed().as_secs());
            }
            last.push(line);
            last.drain(..last.len().saturating_sub(20));
        }
    }
    if !child.wait()?.success() {
        bail!("go build of {} failed:\n{}", sources.display(), last.join("\n"));
    }
    fs::rename(&unfinished, built)?;
    eprintln!("testbed: {} built in {} s", built.display(), start.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests;
