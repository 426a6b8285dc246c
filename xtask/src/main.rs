//! Tasks of this repository that need more than a script: house rules, the API's description, benchmarks.

mod bench;
mod corpus;
mod openapi;
mod promdiff;
mod race;
mod tidy;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this repository.")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the house rules: edges between rooms, sizes, headers, names, words. Exit 1 when one is broken.
    Tidy,
    /// Write the API's description to web/src/api/openapi.json.
    Openapi(openapi::Args),
    /// Make the inputs of benchmarks.
    Corpus(corpus::Args),
    /// Run benchmarks, in release.
    Bench(bench::Args),
    /// Compare answers to random PromQL expressions with those of a Prometheus; the first run builds it with Go.
    Promdiff(promdiff::Args),
    /// Time rows of `bench logs` against their rivals; scripts/bench-logs.sh builds what it takes and calls it.
    Race(race::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().task {
        Task::Tidy => tidy(),
        Task::Openapi(args) => openapi::run(&root()?, &args).map(|()| ExitCode::SUCCESS),
        Task::Corpus(args) => corpus::run(&root()?, &args).map(|()| ExitCode::SUCCESS),
        Task::Bench(args) => bench::run(&root()?, &args).map(|()| ExitCode::SUCCESS),
        Task::Promdiff(args) => promdiff::run(&root()?, &args),
        Task::Race(args) => race::run(&args).map(|()| ExitCode::SUCCESS),
    }
}

fn tidy() -> anyhow::Result<ExitCode> {
    let (findings, stale) = tidy::findings(&root()?)?;
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    for text in stale {
        eprintln!("note: {text}; remove it from xtask/src/tidy/allowed.rs");
    }
    if findings.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {} findings against the house rules, see above", findings.len());
    Ok(ExitCode::FAILURE)
}

/// The repository's root: the parent of this package.
///
/// Cargo says it when the program runs: one target directory may serve several clones.
fn root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .ok_or_else(|| anyhow::anyhow!("CARGO_MANIFEST_DIR is not set: run it as `cargo xtask`"))?;
    package.parent().map(Path::to_path_buf).ok_or_else(|| anyhow::anyhow!("xtask lies in no repository"))
}
