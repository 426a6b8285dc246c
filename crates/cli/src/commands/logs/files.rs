//! Logs that lie on this machine, and standard input: read by the engine itself, with no server and no runtime of tasks.
//!
//! In:     `file:PATH` (a file, a directory of copied logs, a glob), or standard input.
//! Never:  copies a message more often than into the buffer that is written; holds more than a bounded number of batches.

mod count;
mod merged;
mod names;
mod one;
mod piped;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ph_api::{LogGap, LogMarker, LogSummary};
use ph_model::LogFlags;
use ph_taillog::{
    Batch, Context, Error, Gap, Marker, Note, ReadAsk, Record, Roots, SourceId, Stats, Streams,
};

use super::ask::{Ask, Runs};
use super::line::{Cursor, Line, Source};
use super::output::{End, Output};
use super::{args, matching, redact};
use crate::failure::{Failure, Outcome, code};
use crate::size;

/// How large a gzip file may be to be inflated in one go; bytes.
const INFLATED: u64 = 128 << 20;
/// Cores that one search takes.
const THREADS: usize = 2;

/// What is read.
#[derive(Debug)]
pub enum Input {
    /// As they were written behind `file:`.
    Paths(Vec<String>),
    Stdin,
}

/// A file or directory with what is said of it.
#[derive(Clone, Debug)]
struct Local {
    id: SourceId,
    path: PathBuf,
    source: Source,
    /// Of the path, for cursors.
    hash: u64,
}

/// Reads files or standard input.
pub fn run(args: &args::Args, ask: &Ask, (input, mut out): (Input, Output)) -> Outcome {
    refuse(args, &input)?;
    redact(args, ask, &mut out)?;
    let job = Job::new(ask)?;
    match input {
        Input::Stdin => piped::run(&job, ask, &mut out),
        Input::Paths(paths) => {
            let locals = names::expand(&paths)?;
            raise_limit();
            if args.limits.dry_run {
                return plan(&job, ask, &locals);
            }
            if let Some(by) = &ask.aggregate {
                return count::run(&job, (ask, by), (&locals, &mut out));
            }
            if let Some(token) = ask.at.as_ref().or(ask.after.as_ref()).or(ask.before.as_ref()) {
                return one::run(&job, (ask, token), (&locals, &mut out));
            }
            if ask.with_cursors && locals.len() > 1 {
                return Err(Failure::usage(
                    "--with-cursors: a token names a place in one file, and there are several",
                )
                .next("read one file, or go on by time: --after TIME"));
            }
            merged::run(&job, ask, (&locals, &mut out))
        }
    }
}

/// Each file of a timeline is open: as many may be as the system allows this process at all.
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is forbidden, files that cannot be opened are named.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Flags that files have no answer to.
fn refuse(args: &args::Args, input: &Input) -> Outcome {
    let no = |flag: &str, instead: &str| {
        Err(Failure::new(code::UNREACHABLE, format!("{flag}: files tell nothing of it"))
            .next(instead.to_owned()))
    };
    let c = &args.choose;
    let facets = [
        (c.selector.is_some(), "--selector"),
        (c.field_selector.is_some(), "--field-selector"),
        (!c.condition.is_empty(), "--condition"),
        (!c.container_state.is_empty(), "--container-state"),
        (
            !c.region.is_empty() || !c.zone.is_empty() || !c.os.is_empty() || !c.arch.is_empty(),
            "--region, --zone, --os, --arch",
        ),
        (!c.node.is_empty(), "--node"),
        (!c.cluster.is_empty() || !c.context.is_empty(), "--cluster, --context"),
    ];
    if let Some((_, flag)) = facets.iter().find(|(given, _)| *given) {
        return no(flag, "choose by path: file:DIR/NAMESPACE_POD_*/CONTAINER");
    }
    if let Some(with) = args.view.with.iter().find(|w| !matches!(w.as_str(), "restarts" | "none")) {
        return no(&format!("--with {with}"), "read through the server: --backend agent, without file:");
    }
    if args.place.backend != "auto" {
        return Err(Failure::usage(format!(
            "--backend {}: file: and --stdin are read here",
            args.place.backend
        ))
        .next("leave --backend out"));
    }
    if args.range.on_lag.is_some() {
        return no("--on-lag", "files wait for their reader; leave it out");
    }
    if matches!(input, Input::Stdin) {
        if args.range.previous.is_some() || args.range.restarts.is_some() {
            return no("--previous, --restarts", "leave them out: a pipe has no runs");
        }
        if args.range.at.is_some()
            || args.range.after.as_deref().is_some_and(super::ask::is_token)
            || args.view.with_cursors
        {
            return no("cursors", "write the input to a file and read that: file:PATH");
        }
    }
    Ok(())
}

/// What every way of reading needs.
struct Job {
    roots: Roots,
    read: ReadAsk,
    /// Records of other runs are passed over.
    runs: Runs,
    interrupted: Arc<AtomicBool>,
    began: Instant,
    deadline: Option<Instant>,
}

impl Job {
    fn new(ask: &Ask) -> Result<Self, Failure> {
        let streams = match ask.stream.as_deref() {
            Some("stdout") => Streams::Stdout,
            Some("stderr") => Streams::Stderr,
            _ => Streams::Both,
        };
        let read = ReadAsk {
            from_ns: ask.from_ns,
            to_ns: ask.to_ns,
            filter: Arc::new(matching::compiled(&ask.filter)?),
            max_line: ask.max_line,
            follow: ask.follow,
            streams,
            context: Context { before: ask.lines_before, after: ask.lines_after },
            all_runs: ask.runs != Runs::Current,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS)),
            ..ReadAsk::default()
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // The second one ends the process at once.
            let exit = i32::from(code::INTERRUPTED);
            signal_hook::flag::register_conditional_shutdown(signal, exit, interrupted.clone())?;
            signal_hook::flag::register(signal, interrupted.clone())?;
        }
        let began = Instant::now();
        let deadline = ask.timeout.and_then(|t| began.checked_add(t));
        Ok(Self {
            roots: Roots::default().with_files().with_inflated(INFLATED, 4 * INFLATED),
            read,
            runs: ask.runs,
            interrupted,
            began,
            deadline,
        })
    }

    /// Whether to stop now, and as what.
    fn stop(&self, out: &Output) -> Option<End> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some(End::Interrupted);
        }
        if self.deadline.is_some_and(|d| Instant::now() >= d) {
            return Some(End::Deadline);
        }
        out.is_enough().then_some(End::Done)
    }

    fn summary(&self, stats: Stats, (read, known): (usize, usize)) -> LogSummary {
        LogSummary {
            sources_read: read as u32,
            sources_known: known as u32,
            files_read: stats.segments_opened as u32,
            files_known: stats.segments_opened as u32,
            scanned_bytes: stats.scanned_bytes,
            lines: stats.lines,
            matches: stats.matches,
            cut_lines: stats.cut_lines,
            gaps: stats.gaps,
            unknown_levels: stats.unknown_levels,
            took_ms: self.began.elapsed().as_millis() as u64,
            stopped: "done".into(),
            completeness: if stats.gaps > 0 { "incomplete".into() } else { "proven".into() },
            ..LogSummary::default()
        }
    }
}

/// ns UTC.
fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// One record of a batch as a line.
fn line<'a>(batch: &'a Batch, record: &'a Record, (source, hash): (usize, Option<u64>)) -> Line<'a> {
    let context = if record.context { LogFlags::CONTEXT } else { LogFlags::default() };
    Line {
        source,
        ts_ns: record.ts_ns,
        stream: match record.stream.as_str() {
            "" => "unknown",
            other => other,
        },
        level: Some(record.level),
        message: batch.message(record),
        full_bytes: record.full_bytes,
        flags: record.flags.with(context),
        restart: record.position.run,
        cursor: hash.map_or(Cursor::None, |h| Cursor::File(h, &record.position)),
        origin: "",
        fields: None,
    }
}

/// A gap or marker, in the contract's words.
fn note(out: &mut Output, note: &Note, (index, name): (usize, &str)) -> Outcome {
    match note {
        Note::Gap(gap) => out.gap(&wire_gap(gap, (index, name))),
        Note::Marker(marker) => {
            let (kind, restart) = match marker {
                Marker::Restarted { run } => ("restarted", *run),
                Marker::Ended => ("ended", 0),
            };
            out.marker(&LogMarker {
                kind: kind.into(),
                source: index as u32,
                restart,
                at: None,
                exit_code: None,
                reason: String::new(),
            })
        }
    }
}

fn wire_gap(gap: &Gap, (index, name): (usize, &str)) -> LogGap {
    let mut from = Vec::new();
    if let Some(ns) = gap.from_ns {
        super::output::utc(ns, &mut from);
    }
    LogGap {
        kind: gap.kind.as_str().into(),
        source: Some(index as u32),
        source_name: name.to_owned(),
        from: Some(String::from_utf8_lossy(&from).into_owned()).filter(|t| !t.is_empty()),
        to: None,
        bytes: gap.bytes,
        lines: gap.lines,
        exact: gap.exact,
        text: gap.text.clone(),
    }
}

/// A file that could not be read is missing, and said to be.
fn failed(out: &mut Output, error: &Error, (index, name): (usize, &str)) -> Outcome {
    let kind = if error.kind() == ph_model::ErrorKind::Denied { "denied" } else { "read_error" };
    out.gap(&LogGap {
        kind: kind.into(),
        source: Some(index as u32),
        source_name: name.to_owned(),
        from: None,
        to: None,
        bytes: None,
        lines: None,
        exact: false,
        text: crate::failure::with_causes(error),
    })
}

/// What every file failed of: the command fails of it, too.
fn failure(error: &Error) -> Failure {
    let exit = match error.kind() {
        ph_model::ErrorKind::NotFound => code::NO_SOURCE,
        ph_model::ErrorKind::Denied => code::DENIED,
        _ => code::UNREACHABLE,
    };
    Failure::new(exit, crate::failure::with_causes(error))
}

/// `--dry-run`: what would be read.
fn plan(job: &Job, ask: &Ask, locals: &[Local]) -> Outcome {
    let mut table = crate::table::Table::new(&["SOURCE", "RUNS", "FILES", "SIZE", "FIRST"]);
    let mut all = 0;
    for local in locals {
        let dir = ph_taillog::inspect(&job.roots, &local.id).map_err(|e| failure(&e))?;
        let segments: Vec<_> = dir.runs.iter().flat_map(|r| &r.segments).collect();
        let bytes: u64 = segments.iter().map(|s| s.size_bytes).sum();
        all += bytes;
        let mut first = Vec::new();
        if let Some(ns) = segments.iter().find_map(|s| s.first_ns) {
            super::output::utc(ns, &mut first);
        }
        table.row([
            local.path.display().to_string(),
            dir.runs.len().to_string(),
            segments.len().to_string(),
            size::shown(bytes),
            String::from_utf8_lossy(&first).into_owned(),
        ]);
    }
    let mut out = crate::out::stdout();
    table.write(&mut out)?;
    std::io::Write::flush(&mut out)?;
    eprintln!("plan: {}", ask.plan());
    eprintln!("estimate: at most {} on disk in {} sources", size::shown(all), locals.len());
    Ok(())
}
