//! Through the server and its agents.
//!
//! In:     the server's answers and streams. Out: lines, gaps, markers and the summary to the output.
//! Never:  asks for something that the server does not answer: such a flag is refused with what to use instead.

mod count;
mod follow;
mod history;
mod record;
mod resolve;

use ph_api::{LogContext, LogFilter, LogQuery};
use ph_filter::Filter;

pub use record::ns;
pub use resolve::everything;

use super::args::Args;
use super::ask::{Ask, Extent, Order, Runs};
use super::output::{End, Output};
use super::source::Source;
use super::{confirm, matching};
use crate::api::Api;
use crate::failure::{Failure, Outcome, code};

/// Most lines of one page.
const PAGE: u32 = 1000;

/// Reads, follows or counts.
pub async fn run(api: &Api, args: &Args, (ask, named): (&Ask, Vec<Source>), out: &mut Output) -> Outcome {
    refuse(args, ask)?;
    if let Some(cursor) = &ask.at {
        return history::around(api, ask, (cursor, out)).await;
    }
    let sources = resolve::resolve(api, args, named).await?;
    let query = LogQuery { sources, ..base(ask) };
    if args.limits.dry_run {
        return resolve::plan(api, ask, &query).await;
    }
    if ask.extent == Extent::All
        && ask.aggregate.is_none()
        && ask.from_ns.is_none()
        && confirm::matters(&args.limits)
    {
        confirm::above(resolve::bytes(api, &query).await?, ask.confirm_bytes)?;
    }
    let interrupted = tokio::signal::ctrl_c();
    let working = async {
        match &ask.aggregate {
            Some(by) => count::run(api, (ask, by), (&query, &mut *out)).await,
            None if ask.follow => follow::run(api, ask, (query, &mut *out)).await,
            None => history::run(api, ask, (query, &mut *out)).await,
        }
    };
    let deadline = async {
        match ask.timeout {
            Some(t) => tokio::time::sleep(t).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        outcome = working => return outcome,
        _ = interrupted => End::Interrupted,
        () = deadline => End::Deadline,
    };
    out.finish(&ph_api::LogSummary::default(), end)
}

/// The query of the flags, without its sources.
fn base(ask: &Ask) -> LogQuery {
    let stamp = |ns: Option<i64>| {
        ns.map(|ns| {
            let mut text = Vec::new();
            super::output::utc(ns, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    LogQuery {
        from: stamp(ask.from_ns),
        to: stamp(ask.to_ns),
        after: ask.after.clone(),
        before: ask.before.clone(),
        filter: LogFilter {
            expr: (ask.filter != Filter::All).then(|| matching::text(&ask.filter)),
            stream: ask.stream.clone(),
            ..LogFilter::default()
        },
        origin: Some(ask.origin.clone()),
        follow: ask.follow,
        all_runs: ask.runs == Runs::All,
        previous: match ask.runs {
            Runs::Previous(n) => Some(n),
            _ => None,
        },
        context: LogContext { before: ask.lines_before, after: ask.lines_after },
        order: ask.order.map(|o| match o {
            Order::Strict => "strict".to_owned(),
            Order::Merge => "merge".to_owned(),
            Order::Arrival => "arrival".to_owned(),
        }),
        with: ask.with.clone(),
        fields: ask.fields.clone(),
        per_source: ask.per_source,
        on_lag: ask.skip_on_lag.then(|| "skip".to_owned()),
        ..LogQuery::default()
    }
}

/// What the server cannot answer, with what can.
fn refuse(args: &Args, ask: &Ask) -> Outcome {
    let c = &args.choose;
    let refusals = [
        (
            args.place.redact,
            "--redact: agents mask by themselves, as the organisation has it",
            "leave --redact out",
        ),
        (
            c.selector.is_some(),
            "--selector: the server keeps no labels",
            "name the workload (deploy/web), or use --backend kube",
        ),
        (
            c.field_selector.is_some(),
            "--field-selector: the server keeps no fields of pods",
            "use --node or --container-state, or --backend kube",
        ),
        (
            !c.condition.is_empty(),
            "--condition: the server keeps no conditions of pods",
            "use --container-state, or --backend kube",
        ),
        (
            !c.region.is_empty() || !c.zone.is_empty() || !c.os.is_empty() || !c.arch.is_empty(),
            "--region, --zone, --os and --arch: the server keeps no labels of nodes",
            "name the nodes with --node, or use --backend kube",
        ),
        (
            !c.context.is_empty(),
            "--context names a context of a kubeconfig",
            "name registered clusters with --cluster, or use --backend kube",
        ),
        (
            matches!(ask.runs, Runs::Number(_)),
            "--restarts N: the server counts runs back from the current one",
            "use --previous=N, or --restarts all",
        ),
        (
            ask.window.is_some(),
            "--sort-window: the server's window is 500 ms",
            "use --order strict or --order arrival",
        ),
        (ask.max_line != 1 << 20, "--max-line: agents cut lines at 1 MiB", "leave --max-line out"),
        (
            ask.with.iter().any(|w| w != "events"),
            "--with: the server knows events alone",
            "use --with events, and the web interface for rollouts and alerts",
        ),
        (
            ask.follow && ask.per_source,
            "--per-source: a stream begins with the last lines of all sources together",
            "leave it out, or run it once without --follow",
        ),
    ];
    match refusals.iter().find(|(given, ..)| *given) {
        Some((_, text, next)) => Err(Failure::new(code::UNREACHABLE, *text).next(*next)),
        None => Ok(()),
    }
}
