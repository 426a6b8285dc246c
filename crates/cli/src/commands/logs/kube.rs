//! Straight from the Kubernetes API, over a person's own kubeconfig: nothing is installed, and no server asked.
//!
//! In:     contexts, the flags' choice and question. Out: lines of all contexts in one timeline, and what is missing.
//! Never:  lets one context that cannot be reached hinder the others; asks the API for what it cannot tell without saying so.

mod choice;
mod count;
mod lanes;

use std::sync::Arc;

use ph_cluster::kube_logs::{self, Choice, Context, KubeLogs, LineName, LogAsk, StreamName};
use ph_cluster::kubeconfig::{self, Access, Reach};
use ph_model::ErrorKind;
use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::ask::{Ask, Extent, Order, Runs};
use super::output::{End, Output};
use super::source::{self, Given, Source};
use super::{confirm, matching, notice, pick, redact};
use crate::failure::{Failure, Outcome, code, with_causes};
use crate::size;
use lanes::Lanes;

/// How long a line may wait for older ones of other containers, unless told.
const WINDOW: std::time::Duration = std::time::Duration::from_millis(500);

/// One context, resolved.
struct Place {
    reach: Reach,
    choice: Choice,
    found: kube_logs::Found,
}

/// Reads, follows or counts.
pub async fn run(
    args: &Args,
    (ask, named): (&Ask, Vec<Source>),
    make: impl FnOnce() -> Result<Output, Failure>,
) -> Outcome {
    refuse(args, ask)?;
    let around = ask.at.as_deref().map(|text| line("at", text)).transpose()?;
    let named = match &around {
        Some(line) if named.is_empty() => vec![of_line(line)],
        _ => named,
    };
    let (places, failed) = places(args, named).await?;
    for text in places.iter().flat_map(|p| &p.found.notices) {
        notice(text);
    }
    if args.limits.dry_run {
        return plan(ask, &places).await;
    }
    if (ask.extent == Extent::All || ask.aggregate.is_some()) && !ask.follow && confirm::matters(&args.limits)
    {
        let estimate = estimate(ask, &places).await;
        notice(&format!("about {} to download", size::shown(estimate)));
        confirm::above(estimate, ask.confirm_bytes)?;
    }
    let mut out = make()?;
    redact(args, ask, &mut out)?;
    let stop = CancellationToken::new();
    let question = question(args, ask, around)?;
    let cluster_names = places.len() + failed.len() > 1;
    if cluster_names && (ask.with_cursors || question.page != kube_logs::Page::default()) {
        return Err(Failure::new(code::UNREACHABLE, "a cursor of the Kubernetes API is of one cluster")
            .next("name one context, or go on by time: --after TIME, --before TIME"));
    }
    let streams = places
        .into_iter()
        .map(|p| {
            let name = if cluster_names { p.reach.context.clone() } else { String::new() };
            (name, KubeLogs::open(p.reach.client, p.choice, question.clone(), stop.child_token()))
        })
        .collect();
    let mut lanes = Lanes::new(streams, ask, out.is_terminal());
    for failure in &failed {
        lanes.missing(failure, &mut out)?;
    }
    let end = {
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        let reading = async {
            match &ask.aggregate {
                Some(by) => count::run(&mut lanes, (ask, by), &mut out).await,
                None => lanes.run(ask, &mut out).await,
            }
        };
        let deadline = async {
            match ask.timeout {
                Some(t) => tokio::time::sleep(t).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            end = reading => end?,
            _ = &mut interrupted => End::Interrupted,
            () = deadline => End::Deadline,
        }
    };
    stop.cancel();
    let summary = lanes.summary();
    if ask.with_cursors {
        lanes.tell_cursors();
    }
    out.finish(&summary, end)
}

/// What the API has no answer to.
fn refuse(args: &Args, ask: &Ask) -> Outcome {
    let refusals = [
        (
            args.choose.docker.is_some(),
            "--docker: a Docker host has no Kubernetes API",
            "use --backend agent",
        ),
        (
            !args.choose.cluster.is_empty(),
            "--cluster names clusters that are registered with a server",
            "name contexts with --context, or use --backend agent",
        ),
        (
            ask.origin == "store",
            "--origin store: lines that were shipped lie with the server",
            "use --backend agent",
        ),
        (
            matches!(ask.runs, Runs::Previous(n) if n > 1),
            "--previous=N: the Kubernetes API keeps one run before the current",
            "use -p, or --backend agent",
        ),
        (
            ask.skip_on_lag,
            "--on-lag skip: the kubelet waits for its reader",
            "leave it out, or use --backend agent",
        ),
        (
            !ask.with.is_empty(),
            "--with: events, rollouts and alerts lie with the server",
            "use --backend agent",
        ),
    ];
    match refusals.iter().find(|(given, ..)| *given) {
        Some((_, text, next)) => Err(Failure::new(code::UNREACHABLE, *text).next(*next)),
        None => Ok(()),
    }
}

/// The line that a cursor of this backend names.
fn line(flag: &str, text: &str) -> Result<LineName, Failure> {
    LineName::parse(text).ok_or_else(|| {
        Failure::usage(format!("--{flag} {text}: no cursor of the Kubernetes API"))
            .next("cursors of this backend begin with pk1_ and stand in -o json; or give a time")
    })
}

/// The container of a line.
fn of_line(line: &LineName) -> Source {
    Source {
        text: format!("{}:{}/{}", line.namespace, line.pod, line.container),
        cluster: None,
        namespace: Some(line.namespace.clone()),
        target: source::Target::Pod(line.pod.clone()),
        container: source::Container::Named(line.container.clone()),
    }
}

fn question(args: &Args, ask: &Ask, around: Option<LineName>) -> Result<LogAsk, Failure> {
    let page = kube_logs::Page {
        after: ask.after.as_deref().map(|text| line("after", text)).transpose()?,
        before: ask.before.as_deref().map(|text| line("before", text)).transpose()?,
    };
    // The line may lie in the run before by now.
    let current = page.after.is_none() && page.before.is_none() && around.is_none();
    let window = ask.window.unwrap_or(WINDOW);
    Ok(LogAsk {
        extent: match ask.extent {
            _ if around.is_some() => Extent::Head(1),
            own => own,
        },
        per_source: ask.per_source,
        from_ns: ask.from_ns,
        to_ns: ask.to_ns,
        page,
        at: around.map(|line| line.position),
        runs: match ask.runs {
            Runs::Current if !current => Runs::All,
            own => own,
        },
        filter: Arc::new(matching::compiled(&ask.filter)?),
        stream: match ask.stream.as_deref() {
            Some("stdout") => Some(StreamName::Stdout),
            Some("stderr") => Some(StreamName::Stderr),
            _ => None,
        },
        context: Context { before: ask.lines_before, after: ask.lines_after },
        follow: ask.follow,
        order: match ask.order {
            Some(Order::Strict) => kube_logs::Order::Strict,
            Some(Order::Arrival) => kube_logs::Order::Arrival,
            Some(Order::Merge) => kube_logs::Order::Merge(window),
            None if ask.follow => kube_logs::Order::Merge(window),
            None => kube_logs::Order::Strict,
        },
        max_count: ask.max_count,
        max_line: ask.max_line,
        max_concurrent: args.place.max_concurrent.max(1) as usize,
        ..LogAsk::default()
    })
}

/// Every context that can be reached, with what is meant there; and why others cannot.
async fn places(args: &Args, named: Vec<Source>) -> Result<(Vec<Place>, Vec<Failure>), Failure> {
    let mut contexts: Vec<Option<String>> = args.choose.context.iter().cloned().map(Some).collect();
    for source in &named {
        if let Some(cluster) = &source.cluster
            && !contexts.contains(&Some(cluster.clone()))
        {
            contexts.push(Some(cluster.clone()));
        }
    }
    let everywhere = named.iter().any(|s| s.cluster.is_none()) || named.is_empty();
    if args.choose.context.is_empty() && everywhere {
        contexts.insert(0, None);
    }
    let (mut places, mut failed) = (Vec::new(), Vec::new());
    for context in contexts {
        // A source that names a context is of that one; the others are of those that the flag names, or the current one.
        let own: Vec<Source> = named
            .iter()
            .filter(|s| match &s.cluster {
                Some(cluster) => Some(cluster) == context.as_ref(),
                None => context.is_none() || args.choose.context.iter().any(|c| Some(c) == context.as_ref()),
            })
            .cloned()
            .collect();
        if own.is_empty() && !named.is_empty() {
            continue;
        }
        match place(args, context.clone(), own).await {
            Ok(place) => places.push(place),
            Err(failure) => failed.push(match &context {
                Some(context) => failure.of(context),
                None => failure,
            }),
        }
    }
    match (places.is_empty(), failed.len()) {
        (true, 1..) => Err(failed.swap_remove(0)),
        _ => Ok((places, failed)),
    }
}

async fn place(args: &Args, context: Option<String>, mut named: Vec<Source>) -> Result<Place, Failure> {
    let access = Access {
        kubeconfig: args.place.kubeconfig.clone(),
        context,
        in_cluster: args.place.in_cluster,
        qps: args.place.qps,
        burst: args.place.burst,
    };
    let tell: kubeconfig::Tell =
        Arc::new(|| notice("note: requests wait for their pace; --qps and --burst allow more"));
    let reach = kubeconfig::reach(&access, tell).await.map_err(|e| failure(&e))?;
    loop {
        let choice = choice::of(args, &named)?;
        match kube_logs::sources(&reach.client, &choice).await {
            Ok(found) => return Ok(Place { reach, choice, found }),
            Err(ph_cluster::Error::AmbiguousSource { text, candidates }) => {
                let title = format!("`{text}` is more than one thing");
                let Some(at) = pick::one(&title, &candidates)? else {
                    return Err(Failure::new(code::NO_SOURCE, format!("{title}: {}", candidates.join(", ")))
                        .next(format!(
                            "name one of them: pilothouse logs {}",
                            candidates.first().map_or("", String::as_str)
                        )));
                };
                let chosen = candidates.get(at).map(|c| source::parse(c)).transpose()?;
                for one in named.iter_mut().filter(|s| s.text == text) {
                    if let Some(Given::Named(chosen)) = &chosen {
                        one.target = chosen.target.clone();
                        one.text.clone_from(&chosen.text);
                    }
                }
            }
            Err(error) => return Err(failure(&error)),
        }
    }
}

/// A cluster's refusal with the exit code that it means.
fn failure(error: &ph_cluster::Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::NotFound => code::NO_SOURCE,
        ErrorKind::Denied => code::DENIED,
        ErrorKind::Invalid => code::USAGE,
        _ => code::UNREACHABLE,
    };
    let next = match error.kind() {
        _ if matches!(error, ph_cluster::Error::Kubeconfig(_)) => {
            "sign in to a server: pilothouse login URL; or name a kubeconfig: --kubeconfig FILE, --context NAME; file:PATH and --stdin need neither"
        }
        ErrorKind::NotFound => "kubectl get pods shows what there is; -A looks in all namespaces",
        ErrorKind::Denied => {
            "get, list and watch on pods and get on pods/log are enough; kubectl auth can-i --list shows what you may"
        }
        _ => "check the context: kubectl config get-contexts; or name one with --context",
    };
    Failure::new(exit, with_causes(error)).next(next)
}

async fn estimate(ask: &Ask, places: &[Place]) -> u64 {
    let now_ns = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    let mut sum = 0_u64;
    for place in places {
        let estimate =
            kube_logs::estimate(&place.reach.client, &place.found.sources, (ask.from_ns, now_ns)).await;
        sum = sum.saturating_add(estimate.bytes);
    }
    sum
}

/// `--dry-run`: what would be read.
async fn plan(ask: &Ask, places: &[Place]) -> Outcome {
    let mut table =
        crate::table::Table::new(&["CONTEXT", "NAMESPACE", "POD", "CONTAINER", "STATE", "RESTARTS", "NODE"]);
    let mut count = 0;
    for place in places {
        for s in &place.found.sources {
            count += 1;
            table.row([
                place.reach.context.clone(),
                s.namespace.clone(),
                s.pod.clone(),
                s.container.clone(),
                choice::state(&s.state).to_owned(),
                s.restarts.to_string(),
                s.node.clone(),
            ]);
        }
    }
    let mut out = crate::out::stdout();
    table.write(&mut out)?;
    std::io::Write::flush(&mut out)?;
    eprintln!("plan: {}", ask.plan());
    eprintln!(
        "estimate: about {} to download of {count} containers",
        size::shown(estimate(ask, places).await)
    );
    Ok(())
}

/// Every container that can be listed, for the picker: how it is written.
pub async fn everything(args: &Args) -> Result<Vec<String>, Failure> {
    let mut args = args.clone();
    args.choose.all_containers = true;
    let (places, _) = places(&args, Vec::new()).await?;
    let several = places.len() > 1;
    let mut out = Vec::new();
    for place in &places {
        let context = if several { format!("{}@", place.reach.context) } else { String::new() };
        out.extend(
            place.found.sources.iter().map(|s| format!("{context}{}:{}/{}", s.namespace, s.pod, s.container)),
        );
    }
    Ok(out)
}
