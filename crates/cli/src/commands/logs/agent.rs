//! Through the server and its agents.
//!
//! In:     the server's answers and streams. Out: lines, gaps, markers and the summary to the output.
//! Never:  asks for something that the server does not answer: such a flag is refused with what to use instead.

mod count;
mod follow;
mod history;
mod owed;
mod record;
mod resolve;
mod table;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ph_api::{LogContext, LogFilter, LogPage, LogQuery, LogSummary, Me};
use ph_filter::Filter;
use tokio_util::sync::CancellationToken;

pub use record::ns;
pub use resolve::everything;

use super::args::Args;
use super::ask::{Ask, Extent, Order, Runs};
use super::output::{End, Output};
use super::source::Source;
use super::{confirm, matching};
use crate::api::Api;
use crate::failure::{Failure, Outcome, code};

/// Most lines of a person's page.
const PAGE: u32 = 1000;
/// How the cursor of one line begins.
const LINE_CURSOR: &str = "pc1_";
/// How long a stream that is left may take to say what was read.
const LAST_WORD: Duration = Duration::from_secs(2);

/// One command's way to the server.
struct Reading<'a> {
    api: &'a Api,
    /// Most lines of one page.
    rows: u32,
    /// The summary of what was read so far, for when the rest is not waited for.
    summary: Mutex<LogSummary>,
    /// No more is wanted.
    stop: CancellationToken,
}

impl<'a> Reading<'a> {
    async fn begin(api: &'a Api) -> Result<Self, Failure> {
        // A session is a person's; only a key may be held to less.
        let by_key = api.token().is_some_and(|t| t.expose().starts_with("phk_"));
        let rows = match by_key {
            true => api.get::<Me>("me").await?.log_page_rows.clamp(1, PAGE),
            false => PAGE,
        };
        Ok(Self { api, rows, summary: Mutex::default(), stop: CancellationToken::new() })
    }

    async fn page(&self, query: &LogQuery) -> Result<LogPage, Failure> {
        let page: LogPage = self.api.post("logs/query", query).await?;
        self.add(&page.summary);
        Ok(page)
    }

    fn add(&self, summary: &LogSummary) {
        let mut sum = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = history::added(std::mem::take(&mut sum), summary.clone());
    }

    fn told(&self) -> LogSummary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads, follows or counts.
pub async fn run(api: &Api, args: &Args, (ask, named): (&Ask, Vec<Source>), out: &mut Output) -> Outcome {
    refuse(args, ask)?;
    if let Some(cursor) = &ask.at {
        return history::around(api, ask, (cursor, out)).await;
    }
    let sources = resolve::resolve(api, args, named).await?;
    let query = placed(api, LogQuery { sources, ..base(ask) }).await?;
    if args.limits.dry_run {
        return resolve::plan(api, ask, &query).await;
    }
    if ask.extent == Extent::All
        && ask.aggregate.is_none()
        && ask.stages.is_empty()
        && ask.from_ns.is_none()
        && confirm::matters(&args.limits)
    {
        confirm::above(resolve::bytes(api, &query).await?, ask.confirm_bytes)?;
    }
    let (summary, end) = read(api, ask, (query, &mut *out)).await?;
    out.finish(&summary, end)
}

/// The query with a line's cursor in `after` or `before` made into the place right behind it, or right before it.
async fn placed(api: &Api, mut query: LogQuery) -> Result<LogQuery, Failure> {
    let is_line = |text: &Option<String>| text.as_ref().is_some_and(|t| t.starts_with(LINE_CURSOR));
    let back = is_line(&query.before);
    if !back && !is_line(&query.after) {
        return Ok(query);
    }
    let (after, before) = (query.after.take(), query.before.take());
    let at = LogQuery {
        at: before.or(after),
        limit: Some(1),
        context: LogContext::default(),
        follow: false,
        ..query.clone()
    };
    let page: LogPage = api.post("logs/query", &at).await?;
    match back {
        true => query.before = page.prev,
        false => query.after = page.next,
    }
    Ok(query)
}

/// Reads until all is read, or as long as it is wanted; either way the summary of what was read.
async fn read(
    api: &Api,
    ask: &Ask,
    (query, out): (LogQuery, &mut Output),
) -> Result<(LogSummary, End), Failure> {
    let interrupted = tokio::signal::ctrl_c();
    let reading = Reading::begin(api).await?;
    let working = async {
        match &ask.aggregate {
            Some(by) => count::run(&reading, by, (&query, out)).await,
            None if ask.follow => follow::run(&reading, ask, (query, out)).await,
            None if !ask.stages.is_empty() => match table::run(&reading, ask, (&query, &mut *out)).await? {
                Some(summary) => Ok(summary),
                None => history::run(&reading, ask, (query, out)).await,
            },
            None => history::run(&reading, ask, (query, out)).await,
        }
    };
    tokio::pin!(working);
    let deadline = async {
        match ask.timeout {
            Some(t) => tokio::time::sleep(t).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        outcome = &mut working => return outcome.map(|summary| (summary, End::Done)),
        _ = interrupted => End::Interrupted,
        () = deadline => End::Deadline,
    };
    reading.stop.cancel();
    // A stream is asked for its own; pages that were answered have told theirs.
    let last = match ask.follow || ask.extent == Extent::All {
        true => tokio::time::timeout(LAST_WORD, working).await.ok().and_then(Result::ok),
        false => None,
    };
    Ok((last.unwrap_or_else(|| reading.told()), end))
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
        restart: match ask.runs {
            Runs::Number(n) => Some(n),
            _ => None,
        },
        sort_window_ms: ask.window.map(|w| u32::try_from(w.as_millis()).unwrap_or(u32::MAX)),
        max_line: (ask.max_line != 1 << 20).then(|| u32::try_from(ask.max_line).unwrap_or(u32::MAX)),
        context: LogContext { before: ask.lines_before, after: ask.lines_after },
        order: ask.order.map(|o| match o {
            Order::Strict => "strict".to_owned(),
            Order::Merge => "merge".to_owned(),
            Order::Arrival => "arrival".to_owned(),
        }),
        with: ask.with.clone(),
        fields: ask.fields.clone(),
        per_source: ask.per_source,
        unmasked: ask.unmasked,
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
            !c.context.is_empty(),
            "--context names a context of a kubeconfig",
            "name registered clusters with --cluster, or use --backend kube",
        ),
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
