//! `pilothouse logs SOURCE`
//!
//! Out:    lines on standard output; gaps, notices and the summary on standard error.
//! Never:  a gap that is not told; a line twice or not at all across a lost connection; escape sequences other than colours on
//!         a terminal.

mod follow;
mod history;
mod print;
mod resolve;
mod source;

use std::io::IsTerminal;

use jiff::Zoned;
use ph_api::{LogFilter, LogQuery, LogSelect};

use crate::api::Connection;
use crate::failure::{Failure, Outcome, code};
use crate::when;
use print::Printer;
use source::Source;

/// Lines that are shown unless told otherwise.
const TAIL: u64 = 10;
/// Most lines of one page.
pub const PAGE: u32 = 1000;

/// Print and follow logs of containers.
///
/// SOURCE is `[CLUSTER@][NAMESPACE:]TARGET[/CONTAINER]`; TARGET is a pod, or `TYPE/NAME` with TYPE one of pod, deploy, rs, rc, sts,
/// ds, job, cj, node, ns and docker (their long names and plurals too). A bare name is the pod of that name, else the workload of
/// that name, else the pods whose names begin with it and `-`. Without a container it is the pod's default one.
///
/// Lines come from the files on the nodes, and from the store where the files are gone.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  pilothouse logs web-7d4b9c-x2x1z\n  pilothouse logs shop:deploy/web -f --since 10m\n  pilothouse logs prod@shop:sts/db/postgres --tail 100\n  pilothouse logs -n shop job/import --all-containers -o json | jq .message\n  pilothouse logs docker/nginx -f"
)]
pub struct Args {
    /// What to read; several are united.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Go on with new lines, until interrupted.
    #[arg(short, long)]
    follow: bool,
    /// From when on: `3h`, `1d2h`, `PT30M`, `14:03`, `yesterday`, `2026-11-21`, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when, exclusive.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<String>,
    /// The last N lines of all sources together. Default: 10; with --since or --until all.
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    /// All lines, from the oldest on.
    #[arg(long, conflicts_with_all = ["tail", "follow"])]
    all: bool,
    /// Where lines are read: from the files on the nodes, from the store, or from both, the store for what files no longer hold.
    #[arg(long, value_parser = ["auto", "files", "store"], default_value = "auto")]
    origin: String,
    /// All containers of each pod.
    #[arg(long, conflicts_with = "container")]
    all_containers: bool,
    /// Earlier runs of the containers too, not the current alone.
    #[arg(long)]
    all_runs: bool,
    /// Only lines that contain this text; capital letters in it make it exact.
    #[arg(short, long, value_name = "TEXT")]
    grep: Option<String>,
    /// Only lines of at least this level: trace, debug, info, warn, error, fatal.
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Only this stream.
    #[arg(long, value_parser = ["stdout", "stderr"])]
    stream: Option<String>,
    /// Namespace of sources that name none. Default: any.
    #[arg(short, long, value_name = "NAMESPACE", env = "PILOTHOUSE_NAMESPACE")]
    namespace: Option<String>,
    /// Container of sources that name none.
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Cluster of sources that name none, by name or id. Default: any.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Put each line's time before it.
    #[arg(short, long)]
    timestamps: bool,
    /// How to print: `text`, the pod and container before each line when there is more than one source; `json`, one object a line,
    /// gaps, markers and the summary among them.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: print::Format,
    #[command(flatten)]
    connection: Connection,
}

pub async fn run(args: Args) -> Outcome {
    let base = base_query(&args, &when::now())?;
    let parsed = args.sources.iter().map(|text| source::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let tail =
        args.tail.or_else(|| (args.since.is_none() && args.until.is_none() && !args.all).then_some(TAIL));
    if args.follow && tail.is_some_and(|n| n > u64::from(PAGE)) {
        return Err(Failure::usage(format!(
            "with --follow at most {PAGE} lines before: --tail {}",
            tail.unwrap_or_default()
        ))
        .next("use --since, or run it once without --follow"));
    }
    let api = args.connection.open().await?;
    let outcome = async {
        let sources = resolve::resolve(&api, parsed.into_iter().map(|s| s.or(&args)).collect()).await?;
        let query = LogQuery { sources, ..base };
        let printer = Printer::new(args.output, args.timestamps);
        if args.follow {
            follow::run(&api, (query, tail), printer).await
        } else {
            history::run(&api, (query, tail), printer).await
        }
    }
    .await;
    api.close().await;
    outcome
}

fn base_query(args: &Args, now: &Zoned) -> Result<LogQuery, Failure> {
    let time = |flag: &str, text: &Option<String>| {
        text.as_deref()
            .map(|t| when::instant(t, now).map(|t| t.to_string()))
            .transpose()
            .map_err(|e| Failure::new(code::USAGE, format!("--{flag}: {e}")))
    };
    Ok(LogQuery {
        from: time("since", &args.since)?,
        to: time("until", &args.until)?,
        filter: LogFilter {
            contains: args.grep.clone(),
            level: args.level.clone(),
            stream: args.stream.clone(),
            ..LogFilter::default()
        },
        follow: args.follow,
        origin: Some(args.origin.clone()),
        // All lines are those of all runs.
        all_runs: args.all_runs || args.all,
        ..LogQuery::default()
    })
}

impl Source {
    /// Fills in what flags say for sources that do not say it themselves.
    fn or(self, args: &Args) -> Self {
        let fill = |own: Option<String>, flag: &Option<String>| own.or_else(|| flag.clone());
        let select = LogSelect {
            cluster: fill(self.select.cluster, &args.cluster),
            namespace: fill(self.select.namespace, &args.namespace),
            container: fill(self.select.container, &args.container),
            all_containers: self.select.all_containers || args.all_containers,
            ..self.select
        };
        Self { select, ..self }
    }
}

/// Tells something beside the lines, when a person is there to read it.
fn notice(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}
