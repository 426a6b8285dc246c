//! What is asked for, checked: flags made into one meaning, the same for every backend.
//!
//! Out:    usage failures that name the flag, before anything is opened or asked.

use std::time::Duration;

use jiff::Zoned;
pub use ph_cluster::kube_logs::{Extent, Runs};
use ph_filter::Filter;
use ph_filter::query::Stage;
use ph_filter::stages::{Evaluation, Frame};

use super::args::{Args, Count, Range};
use super::matching;
use super::output::Format;
use crate::failure::Failure;
use crate::{size, when};

/// Lines that are shown unless told otherwise.
const TAIL: u64 = 10;
/// Lines around the one that `--at` names.
const AROUND: u32 = 5;
/// What the engines take for a line.
const LINE: std::ops::RangeInclusive<u64> = (64 << 10)..=(16 << 20);

/// A number of lines, as flags give it.
pub fn lines(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| match text {
        "-1" => "all lines are asked for with --all".to_owned(),
        _ => "write a number of lines; --all gives all of them".to_owned(),
    })
}

/// What a record waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Strict,
    Merge,
    Arrival,
}

/// Numbers instead of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aggregate {
    PerSource,
    SourcesOnly,
    Time { buckets: u32 },
    Field { name: String, most: u32 },
    Pattern { most: u32 },
}

/// A checked question.
#[derive(Clone, Debug)]
pub struct Ask {
    pub extent: Extent,
    /// `extent` counts for each source.
    pub per_source: bool,
    /// ns UTC, inclusive.
    pub from_ns: Option<i64>,
    /// ns UTC, exclusive.
    pub to_ns: Option<i64>,
    /// Cursor or page token, exclusive.
    pub after: Option<String>,
    pub before: Option<String>,
    pub at: Option<String>,
    pub runs: Runs,
    pub follow: bool,
    pub skip_on_lag: bool,
    /// `None`: by use.
    pub order: Option<Order>,
    pub window: Option<Duration>,
    pub filter: Filter,
    /// What is made of the lines; empty: they are printed.
    pub stages: Vec<Stage>,
    pub stream: Option<String>,
    pub lines_before: u32,
    pub lines_after: u32,
    pub max_count: Option<u64>,
    pub aggregate: Option<Aggregate>,
    pub max_line: usize,
    pub limit_bytes: Option<u64>,
    pub confirm_bytes: u64,
    pub timeout: Option<Duration>,
    /// `events`, `rollouts`, `alerts`.
    pub with: Vec<String>,
    pub fields: Vec<String>,
    pub origin: String,
    pub with_cursors: bool,
    pub unmasked: bool,
}

impl Ask {
    /// # Errors
    /// Usage.
    pub fn new(args: &Args, now: &Zoned) -> Result<Self, Failure> {
        let filter = matching::filter(&args.search)?;
        let stages = matching::stages(&args.search)?;
        let aggregate = aggregate(&args.count)?;
        let counted = aggregate.is_some() || !stages.is_empty();
        if !stages.is_empty() {
            fits(args, &stages)?;
        }
        let (after, after_ns) = place("after", args.range.after.as_deref(), now)?;
        let (before, before_ns) = place("before", args.range.before.as_deref(), now)?;
        let since = time("since", args.range.since.as_deref(), now)?;
        let until = time("until", args.range.until.as_deref(), now)?;
        // `--after T` is exclusive, `--until T` inclusive; the engines have it the other way round.
        let from_ns = since.into_iter().chain(after_ns.map(|t| t + 1)).max();
        let to_ns = until.map(|t| t + 1).into_iter().chain(before_ns).min();
        if let (Some(from), Some(to)) = (from_ns, to_ns)
            && from >= to
        {
            return Err(
                Failure::usage("the range ends before it begins").next("--since names the older time")
            );
        }
        let ranged = since.is_some() || until.is_some() || args.range.after.is_some();
        let whole = ranged || args.choose.stdin || counted;
        let around = u32::from(args.range.at.is_some()) * AROUND;
        let context = args.search.context_lines.unwrap_or(around);
        let searched = filter != Filter::All || args.range.all || counted;
        let max_line = bytes("max-line", Some(&args.view.max_line))?.unwrap_or(1 << 20);
        if !LINE.contains(&max_line) {
            return Err(Failure::usage(format!(
                "--max-line {}: not between 64KiB and 16MiB",
                args.view.max_line
            )));
        }
        Ok(Self {
            extent: extent(&args.range, whole),
            per_source: args.range.per_source,
            from_ns,
            to_ns,
            after,
            before,
            at: args.range.at.clone(),
            runs: runs(&args.range, ranged || searched || args.range.before.is_some())?,
            follow: args.range.follow,
            skip_on_lag: args.range.on_lag.as_deref() == Some("skip"),
            order: order(&args.range, !stages.is_empty()),
            window: span("sort-window", args.range.sort_window.as_deref())?,
            filter,
            stages,
            stream: args.search.stream.clone(),
            lines_before: args.search.before_lines.unwrap_or(context),
            lines_after: args.search.after_lines.unwrap_or(context),
            max_count: args.search.max_count,
            aggregate,
            max_line: usize::try_from(max_line).unwrap_or(1 << 20),
            limit_bytes: bytes("limit-bytes", args.limits.limit_bytes.as_deref())?,
            confirm_bytes: bytes("confirm-bytes", Some(&args.limits.confirm_bytes))?.unwrap_or(u64::MAX),
            timeout: span("timeout", args.limits.timeout.as_deref())?,
            with: args
                .view
                .with
                .iter()
                .filter(|w| !matches!(w.as_str(), "restarts" | "none"))
                .cloned()
                .collect(),
            fields: args.view.fields.clone(),
            origin: args.range.origin.clone(),
            with_cursors: args.view.with_cursors,
            unmasked: args.place.unmasked,
        })
    }

    /// What will be done, in words: for `--dry-run`.
    pub fn plan(&self) -> String {
        let mut parts = vec![match (self.extent, self.per_source) {
            (Extent::All, _) => "all lines in range".to_owned(),
            (Extent::Head(n), false) => format!("the first {n} lines of all together"),
            (Extent::Tail(n), false) => format!("the last {n} lines of all together"),
            (Extent::Head(n), true) => format!("the first {n} lines of each source"),
            (Extent::Tail(n), true) => format!("the last {n} lines of each source"),
        }];
        parts.push(match self.runs {
            Runs::Current => "current runs".to_owned(),
            Runs::All => "all runs".to_owned(),
            Runs::Number(n) => format!("run {n}"),
            Runs::Previous(n) => format!("the run {n} before the current one"),
        });
        if self.filter != Filter::All {
            parts.push(format!("filter {}", matching::text(&self.filter)));
        }
        if self.follow {
            parts.push("then new lines".to_owned());
        }
        if !self.stages.is_empty() {
            let stages: Vec<String> = self.stages.iter().map(ToString::to_string).collect();
            parts.push(format!("made into a table: {}", stages.join(" | ")));
        }
        parts.join(", ")
    }

    /// Whether lines around matches are wanted.
    pub fn has_context(&self) -> bool {
        self.lines_before > 0 || self.lines_after > 0
    }
}

/// What a table of stages does not go together with.
fn fits(args: &Args, stages: &[Stage]) -> Result<(), Failure> {
    let (view, search) = (&args.view, &args.search);
    let around = [search.context_lines, search.before_lines, search.after_lines];
    let counts = &args.count;
    let aggregates = counts.count || counts.sources_only || counts.histogram.is_some();
    let columns = [&view.columns, &view.add_columns, &view.remove_columns];
    let lines = view.template.is_some() || view.template_file.is_some() || view.output == Some(Format::Raw);
    let never_ends = args.range.follow
        && Evaluation::new(stages, &Frame::default()).is_ok_and(|evaluation| evaluation.is_whole());
    let refusals = [
        (
            aggregates || counts.top.is_some() || counts.patterns.is_some(),
            "stages and --count, --sources-only, --histogram, --top or --patterns are two tables",
            "leave one of them out",
        ),
        (
            around.iter().flatten().any(|n| *n > 0) || args.range.at.is_some(),
            "lines around a match have no place in a table of stages",
            "leave -C, --before-lines, --after-lines and --at out",
        ),
        (
            columns.iter().any(|c| !c.is_empty()) || !view.fields.is_empty(),
            "--columns and --fields are of lines; stages name their own",
            "| fields ts, pod, status",
        ),
        (lines, "stages give a table, and raw and templates print lines", "-o table, text, json, csv or tsv"),
        (view.with_cursors, "--with-cursors: a table has no place to go on from", "leave it out"),
        (
            !view.highlight.is_empty() || view.wrap || view.ansi.is_some(),
            "--highlight, --wrap and --ansi are of lines",
            "leave them out",
        ),
        (
            never_ends,
            "--follow never ends, and these stages tell their rows at the end",
            "leave --follow out, or use fields and limit alone",
        ),
    ];
    match refusals.iter().find(|(given, ..)| *given) {
        Some((_, text, next)) => Err(Failure::usage(format!("--where: {text}")).next(*next)),
        None => Ok(()),
    }
}

/// By the flag; of a table strict, since its first and last lines are those by time.
fn order(range: &Range, table: bool) -> Option<Order> {
    match range.order.as_deref() {
        Some("strict") => Some(Order::Strict),
        Some("arrival") => Some(Order::Arrival),
        Some(_) => Some(Order::Merge),
        None => (table && !range.follow).then_some(Order::Strict),
    }
}

fn extent(range: &Range, whole: bool) -> Extent {
    match (range.head, range.tail, range.all || whole) {
        (Some(n), _, _) => Extent::Head(n),
        (None, Some(n), _) => Extent::Tail(n),
        (None, None, true) => Extent::All,
        (None, None, false) => Extent::Tail(TAIL),
    }
}

fn runs(range: &Range, searched: bool) -> Result<Runs, Failure> {
    if let Some(n) = range.previous {
        return match n {
            0 => Ok(Runs::Current),
            n => Ok(Runs::Previous(n)),
        };
    }
    match range.restarts.as_deref() {
        None if searched => Ok(Runs::All),
        None | Some("current") => Ok(Runs::Current),
        Some("all") => Ok(Runs::All),
        Some(number) => number.parse().map(Runs::Number).map_err(|_| {
            Failure::usage(format!("--restarts {number}: neither all, current nor a restart number"))
                .next("--previous=N counts back from the current run")
        }),
    }
}

fn aggregate(count: &Count) -> Result<Option<Aggregate>, Failure> {
    if count.count {
        return Ok(Some(Aggregate::PerSource));
    }
    if count.sources_only {
        return Ok(Some(Aggregate::SourcesOnly));
    }
    if let Some(buckets) = count.histogram {
        return Ok(Some(Aggregate::Time { buckets }));
    }
    if let Some(most) = count.patterns {
        return Ok(Some(Aggregate::Pattern { most }));
    }
    let Some(text) = &count.top else { return Ok(None) };
    let (name, most) = text.split_once('=').unwrap_or((text, "10"));
    let most = most.parse().ok().filter(|n| (1..=100).contains(n));
    match most {
        Some(most) if !name.is_empty() => Ok(Some(Aggregate::Field { name: name.to_owned(), most })),
        _ => Err(Failure::usage(format!("--top {text}: write FIELD or FIELD=N with N from 1 to 100"))),
    }
}

/// A place is a token, or a time.
fn place(flag: &str, text: Option<&str>, now: &Zoned) -> Result<(Option<String>, Option<i64>), Failure> {
    match text {
        Some(token) if is_token(token) => Ok((Some(token.to_owned()), None)),
        text => Ok((None, time(flag, text, now)?)),
    }
}

/// Whether a text is a cursor or page token rather than a name or a time.
pub fn is_token(text: &str) -> bool {
    ["pc1_", "pp1_", "pk1_", "pf1_"].iter().any(|p| text.starts_with(p))
}

fn time(flag: &str, text: Option<&str>, now: &Zoned) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let at = when::instant(text, now).map_err(|e| Failure::usage(format!("--{flag}: {e}")))?;
    i64::try_from(at.as_nanosecond())
        .map(Some)
        .map_err(|_| Failure::usage(format!("--{flag} {text}: outside of the years 1678 to 2261")))
}

fn span(flag: &str, text: Option<&str>) -> Result<Option<Duration>, Failure> {
    text.map(when::span).transpose().map_err(|e| Failure::usage(format!("--{flag}: {e}")))
}

fn bytes(flag: &str, text: Option<&str>) -> Result<Option<u64>, Failure> {
    text.map(size::parse).transpose().map_err(|e| Failure::usage(format!("--{flag}: {e}")))
}

#[cfg(test)]
mod tests;
