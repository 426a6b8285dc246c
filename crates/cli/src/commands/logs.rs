//! `pilothouse logs SOURCE…`
//!
//! In:     flags, environment and file of configuration as one command; where the lines are: with agents, in files, in a pipe.
//! Out:    lines on standard output; gaps, notices and the summary on standard error.
//! Never:  a gap that is not told; a line twice or not at all across a lost connection; a flag that does nothing.

mod agent;
pub mod args;
mod ask;
mod choose;
pub mod config;
mod confirm;
mod files;
mod glob;
mod line;
mod matching;
mod numbers;
pub mod output;
mod pick;
mod source;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use jiff::Zoned;

use crate::failure::{Failure, Outcome, code};
use crate::runtime::{Threads, block_on};
use crate::{out, when};
pub use args::Args;
use ask::Ask;
use output::{Around, Bounds, Clock, Look, Output, Sink};
use source::{Given, Source};

/// Reads what was asked for. Files and pipes need no runtime of tasks.
pub fn run(args: Args) -> Outcome {
    let now = zoned(&args)?;
    let given = args.sources.iter().map(|text| source::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let (args, paths, named) = sorted(args, given)?;
    let ask = Ask::new(&args, &now)?;
    let look = Look::new(&args.view, &args.limits, (&ask.filter, around(&args)))?;
    let bounds = Bounds { matches: ask.max_count, bytes: ask.limit_bytes };
    let clock = Clock::new(now.time_zone().clone());
    let local = match (args.choose.stdin, paths.is_empty()) {
        (true, _) => Some(files::Input::Stdin),
        (false, false) => Some(files::Input::Paths(paths)),
        (false, true) => None,
    };
    let sink = || match &args.view.out {
        Some(path) => Sink::file(path, args.view.gzip),
        None => Sink::stdout(),
    };
    match local {
        Some(input) => files::run(&args, &ask, (input, Output::new(look, clock, (sink()?, bounds)))),
        None => {
            let make = || Ok(Output::new(look, clock, (sink()?, bounds)));
            block_on(Threads::Client, remote(&args, (&ask, named), make))
        }
    }
}

/// Through a server.
async fn remote(
    args: &Args,
    (ask, named): (&Ask, Vec<Source>),
    make: impl FnOnce() -> Result<Output, Failure>,
) -> Outcome {
    let kube = [
        (args.place.backend == "kube", "--backend kube"),
        (args.place.in_cluster, "--in-cluster"),
        (args.place.kubeconfig.is_some(), "--kubeconfig"),
        (args.place.redact, "--redact"),
    ];
    if let Some((_, flag)) = kube.iter().find(|(given, _)| *given) {
        return Err(Failure::new(code::UNREACHABLE, format!("{flag}: logs are not read straight from the Kubernetes API yet"))
            .next("read through a server (pilothouse login URL), or save them: kubectl logs POD | pilothouse logs --stdin"));
    }
    let api = args.connection.open().await?;
    let outcome = async {
        let named = match must_pick(args, ask, &named)? {
            true => picked(&api, args).await?,
            false => named,
        };
        let mut out = make()?;
        agent::run(&api, args, (ask, named), &mut out).await
    }
    .await;
    api.close().await;
    outcome
}

/// Whether the list has to open; a failure where nobody can choose.
fn must_pick(args: &Args, ask: &Ask, named: &[Source]) -> Result<bool, Failure> {
    let c = &args.choose;
    let chosen = !named.is_empty()
        || ask.at.is_some()
        || c.all_namespaces
        || c.selector.is_some()
        || !c.node.is_empty()
        || c.docker.is_some();
    match (c.pick || !chosen, pick::is_possible()) {
        (false, _) => Ok(false),
        (true, true) => Ok(true),
        (true, false) => Err(Failure::usage("no SOURCE is given, and this is no terminal to choose one on")
            .next("name a pod or workload: pilothouse logs shop:deploy/web; or -A, -l, --node, file:PATH, --stdin")),
    }
}

async fn picked(api: &crate::api::Api, args: &Args) -> Result<Vec<Source>, Failure> {
    let options = agent::everything(api, args).await?;
    let mut named = Vec::new();
    for at in pick::several("logs of", &options)? {
        if let Some(Given::Named(source)) = options.get(at).map(|o| source::parse(o)).transpose()? {
            named.push(source);
        }
    }
    Ok(named)
}

/// Cursors become `--at`; files and what is somewhere else are not mixed.
fn sorted(mut args: Args, given: Vec<Given>) -> Result<(Args, Vec<String>, Vec<Source>), Failure> {
    let (mut paths, mut named, mut cursors) = (Vec::new(), Vec::new(), Vec::new());
    for one in given {
        match one {
            Given::File(path) => paths.push(path),
            Given::Named(source) => named.push(source),
            Given::Cursor(cursor) => cursors.push(cursor),
            Given::Alias(name) => {
                return Err(Failure::usage(format!("@{name}: a saved command comes first, and alone"))
                    .next(format!("pilothouse logs @{name} [FLAGS]")));
            }
        }
    }
    if !paths.is_empty() && !named.is_empty() {
        return Err(Failure::usage("file: and containers in one command").next("run one command for each"));
    }
    match (cursors.len(), cursors.pop()) {
        (0, _) => {}
        (1, Some(cursor)) if named.is_empty() && args.range.at.is_none() => args.range.at = Some(cursor),
        _ => {
            return Err(Failure::usage("a cursor names one line, and stands alone")
                .next("pilothouse logs CURSOR -C 20, or --after CURSOR to go on from there"));
        }
    }
    Ok((args, paths, named))
}

fn zoned(args: &Args) -> Result<Zoned, Failure> {
    let zone = when::zone(&args.view.timezone).map_err(|e| Failure::usage(format!("--timezone: {e}")))?;
    Ok(when::now().with_time_zone(zone))
}

fn around(args: &Args) -> Around {
    let terminal = args.view.out.is_none() && out::is_terminal();
    let width = || crossterm::terminal::size().ok().map(|(w, _)| usize::from(w));
    Around {
        terminal,
        watched: std::io::stderr().is_terminal(),
        no_colour: out::is_colourless(),
        width: if terminal { width() } else { None },
    }
}

/// Tells something beside the lines, when a person is there to read it.
fn notice(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}
