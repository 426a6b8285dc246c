//! Catalogue: the benchmarks there are, by name; each is a program that prints its own figures.
//!
//! In:     names, or none for all; what stands behind `--` goes to the program.
//! Out:    the programs' output, built in release.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Name, package, example, what it measures.
const ROWS: &[(&str, &str, &str, &str)] = &[
    (
        "codec",
        "ph-tsdb",
        "codec",
        "bytes a sample on disk; samples a second of head, log payloads and blocks",
    ),
    ("append", "ph-store", "bench_append", "samples and log rows a second into the store, durable"),
];

#[derive(clap::Args)]
pub struct Args {
    /// Which; none: all.
    names: Vec<String>,
    /// Say what there is.
    #[arg(long)]
    list: bool,
    /// Arguments of the program, when one is named.
    #[arg(last = true)]
    passed: Vec<String>,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    if args.list {
        for (name, package, _, what) in ROWS {
            println!("{name:12} {package:12} {what}");
        }
        return Ok(());
    }
    for name in &args.names {
        ensure!(
            ROWS.iter().any(|(n, ..)| n == name),
            "no benchmark is called {name}; `cargo xtask bench --list` says what there is"
        );
    }
    if args.names.len() != 1 && !args.passed.is_empty() {
        bail!("arguments behind `--` need one name before it");
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    for (name, package, example, _) in
        ROWS.iter().filter(|(n, ..)| args.names.is_empty() || args.names.iter().any(|a| a == n))
    {
        println!("== {name}");
        let status = Command::new(&cargo)
            .args(["run", "--quiet", "--release", "--package", package, "--example", example, "--"])
            .args(&args.passed)
            .current_dir(root)
            .status()
            .with_context(|| format!("run the benchmark {name}"))?;
        ensure!(status.success(), "the benchmark {name} failed: {status}");
    }
    Ok(())
}
