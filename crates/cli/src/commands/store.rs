//! `pilothouse store check|snapshot`

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ph_store::{Embedded, StoreConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure::{Failure, Outcome};
use crate::{local, out};

/// Check the telemetry store of a stopped server, or copy it.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    Check(Check),
    Snapshot(Snapshot),
}

/// Read everything and compare it with its checksums; changes nothing. Exit 1 when something is damaged or missing.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  pilothouse store check /var/lib/pilothouse")]
pub struct Check {
    /// The server's data directory. Default: $XDG_DATA_HOME/pilothouse.
    #[arg(value_name = "DIR", env = "PILOTHOUSE_DATA")]
    data: Option<PathBuf>,
}

/// Write a snapshot of the telemetry store: a catalogue of its own and hard links to the files.
///
/// What is in the log alone is written to files first. The snapshot opens as a store.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  pilothouse store snapshot /backup/2026-11-21 --data /var/lib/pilothouse")]
pub struct Snapshot {
    /// Where to: a directory that is empty or not there. On the same file system it takes no space of its own.
    #[arg(value_name = "TO")]
    to: PathBuf,
    /// The server's data directory. Default: $XDG_DATA_HOME/pilothouse.
    #[arg(long, value_name = "DIR", env = "PILOTHOUSE_DATA")]
    data: Option<PathBuf>,
}

pub async fn run(command: Command) -> Outcome {
    match command {
        Command::Check(args) => check(args).await,
        Command::Snapshot(args) => snapshot(args).await,
    }
}

async fn check(args: Check) -> Outcome {
    let dir = local::data_dir(args.data.as_deref())?;
    let report = ph_store::check(&dir).await.map_err(failed)?;
    let mut out = out::stdout();
    for fault in &report.faults {
        writeln!(out, "{fault}")?;
    }
    for file in &report.garbage {
        writeln!(out, "no longer needed: {file}")?;
    }
    writeln!(
        out,
        "{} parts, {} bytes read, {} batches in the log, {} faults",
        report.parts,
        report.bytes,
        report.logged,
        report.faults.len()
    )?;
    out.flush()?;
    if report.faults.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("the store in {} is damaged", dir.display())).next(
        "restore what is named from a backup; without it the server starts and marks answers as incomplete",
    ))
}

async fn snapshot(args: Snapshot) -> Outcome {
    let dir = local::data_dir(args.data.as_deref())?;
    if !dir.join("meta.db").is_file() {
        return Err(Failure::failed(format!("{} holds no store", dir.display()))
            .next("name the server's data directory with --data DIR"));
    }
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let clock = Arc::new(|| jiff::Timestamp::now().as_millisecond());
    let opened = Embedded::open(StoreConfig::new(&dir), stop.clone(), tasks.clone(), clock).await;
    let store = opened.map_err(failed)?;
    let made = store.snapshot(&args.to).await;
    store.shutdown().await;
    tasks.close();
    tasks.wait().await;
    let report = made.map_err(failed)?;
    let mut out = out::stdout();
    writeln!(
        out,
        "{}: {} parts, {} bytes, {} files copied instead of linked",
        args.to.display(),
        report.parts,
        report.bytes,
        report.copied
    )?;
    out.flush()?;
    Ok(())
}

fn failed(error: ph_store::Error) -> Failure {
    Failure::failed(error.text)
}
