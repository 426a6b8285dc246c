//! One file a command; here is which one runs, on which runtime, telling how much.

pub mod agent;
pub mod audit;
pub mod cluster;
pub mod cluster_agent;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod exec;
pub mod get;
pub mod host;
pub mod key;
pub mod login;
pub mod logout;
pub mod logs;
pub mod node_agent;
pub mod openapi;
pub mod own_state;
pub mod promql;
pub mod serve;
pub mod sign_in_link;
pub mod store;
pub mod ui;
pub mod version;

use crate::args::{Cli, Command};
use crate::failure::Outcome;
use crate::runtime::{Threads, block_on};
use crate::trace;

/// What is told on stderr unless `--log` says otherwise.
fn told(command: &Command) -> &'static str {
    match command {
        Command::Serve(_) | Command::NodeAgent(_) | Command::ClusterAgent(_) => "info,kube_runtime=error",
        Command::Ui(_) => "error,kube_client=off,kube_runtime=off",
        Command::Logs(args) if args.place.verbose => "warn,pilothouse=debug,ph_cluster=debug",
        // What a library tells of a request, the command says in its own words.
        _ => "warn,kube_client=off",
    }
}

/// Runs the command that was asked for.
pub fn run(cli: Cli) -> Outcome {
    trace::start(&cli.log, told(&cli.command))?;
    match cli.command {
        Command::Serve(args) => block_on(Threads::Server, serve::run(args)),
        Command::NodeAgent(args) => block_on(Threads::Agent, node_agent::run(*args)),
        Command::ClusterAgent(args) => block_on(Threads::Agent, cluster_agent::run(args)),
        Command::Ui(args) => block_on(Threads::Server, ui::run(args)),
        Command::OwnState(args) => own_state::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Openapi(_) => openapi::run(),
        Command::Version(args) => version::run(&args),
        Command::Login(args) => block_on(Threads::Client, login::run(args)),
        Command::Logout(args) => block_on(Threads::Client, logout::run(args)),
        Command::Get(args) => block_on(Threads::Client, get::run(args)),
        Command::Logs(args) => logs::run(*args),
        Command::Config(command) => config::run(command),
        Command::Exec(args) => block_on(Threads::Client, exec::run(args)),
        Command::Cluster(command) => block_on(Threads::Client, cluster::run(command)),
        Command::Host(command) => block_on(Threads::Client, host::run(command)),
        Command::Agent(command) => block_on(Threads::Client, agent::run(command)),
        Command::Key(command) => block_on(Threads::Client, key::run(command)),
        Command::Audit(args) => block_on(Threads::Client, audit::run(args)),
        Command::SignInLink(args) => block_on(Threads::Client, sign_in_link::run(args)),
        Command::Store(command) => block_on(Threads::Client, store::run(command)),
        Command::Promql(command) => promql::run(command),
        Command::Doctor(args) => block_on(Threads::Client, doctor::run(args)),
    }
}
