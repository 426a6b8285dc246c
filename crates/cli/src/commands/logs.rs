//! `pilothouse logs SOURCE…`
//!
//! In:     flags, environment and file of configuration as one command; where the lines are: with agents, in files, in a pipe.
//! Out:    lines on standard output; gaps, notices and the summary on standard error.
//! Never:  a gap that is not told; a line twice or not at all across a lost connection; a flag that does nothing.

mod agent;
pub mod args;
mod ask;
pub mod config;
mod confirm;
mod files;
mod glob;
mod kube;
mod line;
mod matching;
mod numbers;
pub mod output;
mod pick;
mod source;
mod spread;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::time::Duration;

use jiff::Zoned;

use crate::api::Api;
use crate::failure::{Failure, Outcome, code};
use crate::runtime::{Threads, block_on};
use crate::{out, when};
pub use args::Args;
use ask::Ask;
use output::{Around, Bounds, Clock, Look, Output, Sink, Stamp};
use source::{Given, Source};

/// How long a server may take to say that it is there, where another way can be taken.
const PROBE: Duration = Duration::from_secs(2);

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
    let make = || -> Result<Output, Failure> {
        let sink = match &args.view.out {
            Some(path) => Sink::file(path, args.view.gzip),
            None => Sink::stdout(),
        }?;
        let mut out = Output::new(look, clock, (sink, bounds));
        staged((&args, &ask), &now, &mut out)?;
        Ok(out)
    };
    match local {
        Some(input) => files::run(&args, &ask, (input, make()?)),
        None => block_on(Threads::Client, remote(&args, (&ask, named), make)),
    }
}

/// Has stages make a table of the lines.
fn staged((args, ask): (&Args, &Ask), now: &Zoned, out: &mut Output) -> Outcome {
    if ask.stages.is_empty() {
        return Ok(());
    }
    let now_ns = i64::try_from(now.timestamp().as_nanosecond()).ok();
    let to_ns = ask.to_ns.or(now_ns.filter(|_| ask.from_ns.is_some()));
    let stamp = args.view.timestamps.as_deref().map(Stamp::parse).transpose()?;
    out.stages(&ask.stages, (ask.from_ns, to_ns), stamp)
}

/// Through a server, or straight from the Kubernetes API.
async fn remote(
    args: &Args,
    (ask, named): (&Ask, Vec<Source>),
    make: impl FnOnce() -> Result<Output, Failure>,
) -> Outcome {
    let Some(api) = backend(args).await? else {
        let named = match must_pick(args, ask, &named)? {
            true => picked(&kube::everything(args).await?)?,
            false => named,
        };
        return kube::run(args, (ask, named), make).await;
    };
    let outcome = async {
        let named = match must_pick(args, ask, &named)? {
            true => picked(&agent::everything(&api, args).await?)?,
            false => named,
        };
        let mut out = make()?;
        agent::run(&api, args, (ask, named), &mut out).await
    }
    .await;
    api.close().await;
    outcome
}

/// The server, or `None` for the Kubernetes API. One that was named is never left for the other.
async fn backend(args: &Args) -> Result<Option<Api>, Failure> {
    let kube = args.place.in_cluster || args.place.kubeconfig.is_some() || !args.choose.context.is_empty();
    match args.place.backend.as_str() {
        "kube" => return Ok(None),
        "agent" => return args.connection.open().await.map(Some),
        _ if kube => return Ok(None),
        _ => {}
    }
    let named = args.connection.server.is_some() || args.connection.data.is_some();
    let api = match args.connection.open().await {
        Ok(api) => api,
        Err(failure) if named => return Err(failure),
        Err(_) => {
            notice("note: not signed in to a server; reading straight from the Kubernetes API");
            return Ok(None);
        }
    };
    let probe = tokio::time::timeout(PROBE, api.get::<serde_json::Value>("me")).await;
    let why = match probe {
        Ok(Err(failure)) if failure.exit_code() == code::UNREACHABLE && !named => failure.text().to_owned(),
        Err(_) if !named => "no answer within 2 s".to_owned(),
        _ => return Ok(Some(api)),
    };
    notice(&format!("note: {why}; reading straight from the Kubernetes API"));
    Ok(None)
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

fn picked(options: &[String]) -> Result<Vec<Source>, Failure> {
    let mut named = Vec::new();
    for at in pick::several("logs of", options)? {
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

/// Has secrets masked here, where no agent did it.
fn redact(args: &Args, ask: &Ask, out: &mut Output) -> Outcome {
    if !args.place.redact {
        return Ok(());
    }
    if ask.aggregate.is_some() {
        return Err(Failure::new(code::UNREACHABLE, "--redact: what is counted here is not masked")
            .next("count through the server (--backend agent), or leave --redact out"));
    }
    out.redact(matching::compiled(&ask.filter)?)
}

/// Tells something beside the lines, when a person is there to read it.
fn notice(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}
