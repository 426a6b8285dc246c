//! The argument list, as one tree of commands.

use std::ffi::OsString;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    agent, audit, cluster, cluster_agent, completions, config, doctor, exec, get, host, key, login, logout,
    logs, node_agent, openapi, own_state, promql, serve, sign_in_link, store, ui, version,
};
use crate::failure::Failure;
use crate::trace::LogArgs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  pilothouse ui                                   the clusters of your kubeconfig in the browser
  pilothouse serve --with-host-agent              this machine on the screen, at https://127.0.0.1:8000
  pilothouse login https://ops.example.org        sign this terminal in, confirmed in the browser
  pilothouse cluster join prod | kubectl apply -f -
  pilothouse logs prod@shop:deploy/web -f
  pilothouse exec -it shop:web-1 -- sh

Exit codes: 0 done, 1 failed, 2 usage, 3 no such source, 5 denied, 6 unreachable, 70 a defect, 130 interrupted,
141 the reader of the output went away.";

/// See, tail, debug: Kubernetes operations in one binary.
#[derive(Parser, Debug)]
#[command(name = "pilothouse", version, about, long_about = None, after_help = EXAMPLES, styles = STYLES)]
#[command(propagate_version = false, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    pub log: LogArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    // What runs all the time.
    Serve(serve::Args),
    NodeAgent(Box<node_agent::Args>),
    ClusterAgent(cluster_agent::Args),
    #[command(hide = true)]
    OwnState(own_state::Args),
    // A person's own machine.
    Ui(ui::Args),
    // A person's terminal.
    Login(login::Args),
    Logout(logout::Args),
    Get(get::Args),
    Logs(Box<logs::Args>),
    Exec(exec::Args),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Cluster(cluster::Command),
    #[command(subcommand)]
    Host(host::Command),
    #[command(subcommand)]
    Agent(agent::Command),
    #[command(subcommand)]
    Key(key::Command),
    Audit(audit::Args),
    #[command(subcommand)]
    Promql(promql::Command),
    // The server's own machine.
    SignInLink(sign_in_link::Args),
    #[command(subcommand)]
    Store(store::Command),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Openapi(openapi::Args),
    Version(version::Args),
}

/// The command of this process: its arguments, and for `logs` what its file and environment add.
///
/// # Errors
/// Usage: a key or a value of the file or the environment that cannot be used. What clap refuses ends the process.
pub fn read() -> Result<Cli, Failure> {
    let argv = joined(std::env::args_os());
    let matches = Cli::command().get_matches_from(&argv);
    let matches = match matches.subcommand() {
        Some(("logs", given)) => match logs::config::filled(&argv, given, described)? {
            Some(argv) => described().get_matches_from(argv),
            None => matches,
        },
        _ => matches,
    };
    Cli::from_arg_matches(&matches).map_err(|e| Failure::usage(e.to_string()))
}

fn described() -> clap::Command {
    let mut root = Cli::command();
    root.build();
    root
}

/// `--tail 100` means `--tail=100`: flags that may stand without a number take one that follows.
fn joined(argv: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const NUMBERED: [&str; 5] = ["--tail", "--head", "--previous", "--histogram", "--patterns"];
    let mut out: Vec<OsString> = Vec::new();
    let mut over = false;
    for word in argv {
        let number = word.to_str().is_some_and(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()));
        match out.last_mut() {
            Some(last) if number && !over && NUMBERED.iter().any(|f| last == f) => {
                last.push("=");
                last.push(&word);
            }
            _ => {
                over |= word == "--";
                out.push(word);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
