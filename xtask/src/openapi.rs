//! Keeps `web/src/api/openapi.json`, from which the web's types are made, as the server describes itself.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

const FILE: &str = "web/src/api/openapi.json";

#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when the file is not what the server says.
    #[arg(long)]
    check: bool,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo told this program about itself would rebuild every dependency whose build script looks at it.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    let said = command
        .args(["run", "--quiet", "--package", "pilothouse", "--", "openapi"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("run `pilothouse openapi`")?;
    ensure!(said.status.success(), "`pilothouse openapi` failed");
    let path = root.join(FILE);
    let kept = std::fs::read(&path).unwrap_or_default();
    if kept == said.stdout {
        return Ok(());
    }
    if args.check {
        bail!("{FILE} is not what the server describes; run `cargo xtask openapi` and commit it");
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    std::fs::write(&path, said.stdout).with_context(|| format!("write {FILE}"))?;
    println!("{FILE} written");
    Ok(())
}
