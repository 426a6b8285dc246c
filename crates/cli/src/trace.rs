//! What the process tells about itself on stderr: text on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::failure::{Failure, Outcome};

/// Arguments that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct LogArgs {
    /// What to tell on stderr: a level, or directives such as `info,ph_link=debug`. Default: `info` for services, `warn` for
    /// other commands.
    #[arg(long, global = true, value_name = "LEVEL", env = "PILOTHOUSE_LOG", help_heading = "Everywhere")]
    pub log: Option<String>,
}

/// Sets tracing up, once, before anything is told.
pub fn start(args: &LogArgs, default: &str) -> Outcome {
    let wanted = args.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(wanted).map_err(|e| {
        Failure::usage(format!("--log {wanted}: {e}")).next("give a level: error, warn, info, debug or trace")
    })?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match terminal {
        true => builder.with_ansi(std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())).try_init(),
        false => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|e| Failure::failed(format!("start tracing: {e}")))
}
