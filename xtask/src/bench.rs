//! Catalogue: the benchmarks there are, by name; each is a program that prints its own figures.
//!
//! In:     names, or none for all that need no root; what stands behind `--` goes to the program.
//! Out:    the programs' output, built in release.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What runs, and what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// An example of a package.
    Example(&'static str, &'static str),
    /// A script of `scripts/`.
    Script(&'static str),
    /// The same, as root and on Linux: it runs containers. Only by name.
    RootScript(&'static str),
}

/// Name, program, what it measures.
const ROWS: &[(&str, Program, &str)] = &[
    (
        "codec",
        Program::Example("ph-tsdb", "codec"),
        "bytes a sample on disk; samples a second of head, log payloads and blocks",
    ),
    ("append", Program::Script("bench-append.sh"), "samples and log rows a second into the store, durable"),
    (
        "store",
        Program::Script("bench-store.sh"),
        "search, counts, traces and size against zstdcat and grep; the server's metrics beside Prometheus and \
         VictoriaMetrics; L1 … L5, T1, M1 … M6 behind it pick rows; S1 MINUTES soaks the server",
    ),
    (
        "serve",
        Program::Script("bench-serve.sh"),
        "memory and processor time of an idle server; start to first sample of its host",
    ),
    (
        "logs",
        Program::Script("bench-logs.sh"),
        "search, tail, seek and follow of logs against grep, rg, jq, awk and tail; B1 … B8 behind it pick rows",
    ),
    (
        "node",
        Program::RootScript("bench-node.sh"),
        "node-agent beside the OpenTelemetry collector on a node with 60 containers",
    ),
    (
        "cluster",
        Program::RootScript("bench-cluster.sh"),
        "cluster-agent's memory with 1,000 and 5,000 pods of kwok",
    ),
    (
        "pods",
        Program::RootScript("bench-pods.sh"),
        "all of a long log and a follow of 50 pods, against kubectl, stern and curl",
    ),
    (
        "tty",
        Program::RootScript("bench-tty.sh"),
        "echo of a terminal in a container while log bulk runs through the same server",
    ),
];

#[derive(clap::Args)]
pub struct Args {
    /// Which; none: all that need no root. Behind `logs` and `store` may stand rows of them: B1, L4.
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
        for (name, program, what) in ROWS {
            let root = if matches!(program, Program::RootScript(_)) { "root" } else { "" };
            println!("{name:10} {root:5} {what}");
        }
        return Ok(());
    }
    let (mut names, mut passed) = (args.names.clone(), args.passed.clone());
    if names.first().is_some_and(|name| name == "logs" || name == "store") {
        passed.extend(names.drain(1..));
    }
    for name in &names {
        ensure!(
            ROWS.iter().any(|(n, ..)| n == name),
            "no benchmark is called {name}; `cargo xtask bench --list` says what there is"
        );
    }
    if names.len() != 1 && !passed.is_empty() {
        bail!("arguments behind `--` need one name before it");
    }
    let asked = |name: &str, program: &Program| match names.is_empty() {
        true => !matches!(program, Program::RootScript(_)),
        false => names.iter().any(|a| a == name),
    };
    for (name, program, _) in ROWS.iter().filter(|(name, program, _)| asked(name, program)) {
        println!("== {name}");
        let mut command = command(root, *program);
        let status = command.args(&passed).status().with_context(|| format!("run the benchmark {name}"))?;
        ensure!(status.success(), "the benchmark {name} failed: {status}");
    }
    Ok(())
}

fn command(root: &Path, program: Program) -> Command {
    let mut command = match program {
        Program::Example(package, example) => {
            let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
            cargo.args(["run", "--quiet", "--release", "--package", package, "--example", example, "--"]);
            cargo
        }
        Program::Script(name) | Program::RootScript(name) => Command::new(root.join("scripts").join(name)),
    };
    command.current_dir(root);
    command
}
