//! The asynchronous runtime of a command, as small as the command allows.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::failure::{Doing, Failure, Outcome};

/// How many threads a command gets.
#[derive(Clone, Copy, Debug)]
pub enum Threads {
    /// A person's command: one.
    Client,
    /// An agent: at most two, and few for files, so that it stays small on a node with many cores.
    Agent,
    /// The server: one a core.
    Server,
}

/// Runs one command to its end. Threads that still wait on something (a terminal, say) are left behind.
pub fn block_on(threads: Threads, command: impl Future<Output = Outcome>) -> Outcome {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = match threads {
        Threads::Client => tokio::runtime::Builder::new_current_thread(),
        Threads::Agent | Threads::Server => tokio::runtime::Builder::new_multi_thread(),
    };
    match threads {
        Threads::Client => {}
        Threads::Agent => {
            builder.worker_threads(cores.min(2)).max_blocking_threads(8);
        }
        Threads::Server => {
            builder.worker_threads(cores);
        }
    }
    if matches!(threads, Threads::Agent) {
        small_pages();
    }
    let runtime = builder.enable_all().build().doing(|| "start the runtime".to_owned())?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

/// Huge pages would back each of the allocator's arenas with 2 MiB at a time, most of it unused.
/// Source: prctl(2), PR_SET_THP_DISABLE.
#[cfg(target_os = "linux")]
fn small_pages() {
    if let Err(e) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(error = %e, "huge pages stay on");
    }
}

#[cfg(not(target_os = "linux"))]
fn small_pages() {}

/// A token that is cancelled by SIGINT or SIGTERM. A second signal ends the process at once.
pub fn stop_on_signals() -> Result<CancellationToken, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).doing(|| "listen for SIGINT".to_owned())?;
    let mut terminate = signal(SignalKind::terminate()).doing(|| "listen for SIGTERM".to_owned())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    // Lives as long as the process: the command itself is what it ends.
    tokio::spawn(async move {
        for time in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if time == 0 {
                tracing::info!("stopping");
                told.cancel();
            } else {
                std::process::exit(i32::from(crate::failure::code::INTERRUPTED));
            }
        }
    });
    Ok(stop)
}
