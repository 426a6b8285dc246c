//! The one binary: arguments, configuration, wiring.
//!
//! In:     an argument list, the environment, a few small files of the user's or the service's own.
//! Out:    an exit code: 0 done, 1 failed, 2 usage, 3 no such source, 5 denied, 6 unreachable, 70 a defect of ours,
//!         130 interrupted, 141 the reader of our output went away.
//! Never:  a token in an argument list.

mod api;
mod args;
mod commands;
mod credentials;
mod failure;
mod local;
mod log_keys;
mod out;
mod own_agents;
mod own_pods;
mod runtime;
mod size;
mod socket;
mod table;
mod trace;
mod when;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider for the whole process, before anything can ask for one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match args::read().and_then(commands::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
