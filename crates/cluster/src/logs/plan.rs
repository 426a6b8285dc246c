//! What an `open` asks for, checked.

use std::sync::Arc;
use std::time::Duration;

use ph_filter::{Compiled, Filter};
use ph_link::v1::{LogPosition, ReadMode, ReadOpen, SourceRef};
use tonic::Status;

use super::wire;
use crate::kube_logs::{Context, Extent, LogAsk, Mask, Order, Place, Runs, Start, StreamName};

/// Credit when the reader names none.
const DEFAULT_CREDIT: u64 = 256 << 10;
/// Sources of one read.
const MAX_SOURCES: usize = 256;

/// One source and what is asked of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Into the ask's sources.
    pub index: u32,
    pub reference: SourceRef,
    pub ask: LogAsk,
}

/// A whole read.
#[derive(Clone, Debug)]
pub struct Plan {
    pub wanted: Vec<Wanted>,
    /// Sources that may not be read, each with why.
    pub denied: Vec<(u32, String)>,
    pub follow: bool,
    pub backward: bool,
    /// Matches of all sources together.
    pub limit: Option<u64>,
    /// Bytes downloaded.
    pub budget_bytes: Option<u64>,
    pub deadline: Option<Duration>,
    pub credit_bytes: u64,
    /// Only one stream is wanted, which not every API server can give.
    pub stream: Option<StreamName>,
}

impl Plan {
    /// # Errors
    /// `invalid_argument` naming the field; `failed_precondition` for a place that lies in a file of a node.
    pub fn new(open: &ReadOpen, mask: Option<Arc<Mask>>) -> Result<Self, Status> {
        let most = open.sources.len();
        if most == 0 || most > MAX_SOURCES {
            return Err(Status::invalid_argument(format!("name 1 to {MAX_SOURCES} sources, not {most}")));
        }
        let base = base(open, mask)?;
        let single = most == 1;
        let mut wanted = Vec::with_capacity(most);
        for (index, reference) in (0_u32..).zip(&open.sources) {
            if reference.namespace.is_empty() || reference.pod.is_empty() || reference.container.is_empty() {
                return Err(Status::invalid_argument(
                    "over the Kubernetes API a log is named by namespace, pod, pod_uid and container together",
                ));
            }
            let after = open.after_by_source.get(&index).or(open.after.as_ref().filter(|_| single));
            let before = open.before_by_source.get(&index).or(open.before.as_ref().filter(|_| single));
            let mut ask = base.clone();
            ask.start = after.map(start).transpose()?;
            ask.before = before.map(end).transpose()?;
            wanted.push(Wanted { index, reference: reference.clone(), ask });
        }
        let some = |n: u64| Some(n).filter(|n| *n > 0);
        Ok(Self {
            wanted,
            denied: Vec::new(),
            follow: open.follow,
            backward: open.mode() == ReadMode::Backward,
            limit: [open.limit, open.max_rows].into_iter().filter(|n| *n > 0).min(),
            budget_bytes: some(open.budget_bytes),
            deadline: some(open.deadline_ms).map(Duration::from_millis),
            credit_bytes: some(open.credit_bytes).unwrap_or(DEFAULT_CREDIT),
            stream: base.stream,
        })
    }

    /// The same read, with these sources refused.
    #[must_use]
    pub fn without(mut self, denied: Vec<(u32, String)>) -> Self {
        self.wanted.retain(|w| !denied.iter().any(|(index, _)| *index == w.index));
        Self { denied, ..self }
    }
}

fn place(position: &LogPosition) -> Result<Place, Status> {
    wire::place(position).ok_or_else(|| {
        Status::failed_precondition(
            "this place lies in a file on the node; its node-agent goes on there, and it is not connected",
        )
    })
}

fn start(position: &LogPosition) -> Result<Start, Status> {
    let behind = Some(position.rewind).filter(|check| *check != 0);
    Ok(Start { run: position.run, place: place(position)?, behind })
}

fn end(position: &LogPosition) -> Result<(u32, Place), Status> {
    Ok((position.run, place(position)?))
}

/// What is asked of every source alike.
fn base(open: &ReadOpen, mask: Option<Arc<Mask>>) -> Result<LogAsk, Status> {
    let filter = if open.filter_json.is_empty() {
        Compiled::all()
    } else {
        let filter: Filter = serde_json::from_str(&open.filter_json)
            .map_err(|e| Status::invalid_argument(format!("filter_json: {e}")))?;
        Compiled::new(&filter).map_err(|e| Status::invalid_argument(format!("filter_json: {e}")))?
    };
    let mut streams: Vec<&str> = open.streams.iter().map(String::as_str).collect();
    streams.sort_unstable();
    streams.dedup();
    let stream = match streams.as_slice() {
        [] | ["stderr", "stdout"] => None,
        ["stdout"] => Some(StreamName::Stdout),
        ["stderr"] => Some(StreamName::Stderr),
        _ => return Err(Status::invalid_argument("streams: only stdout and stderr are known")),
    };
    let extent = match (open.mode(), open.lines) {
        (ReadMode::Tail | ReadMode::Backward, lines) => Extent::Tail(lines),
        (ReadMode::Head, lines) if lines > 0 => Extent::Head(lines),
        _ => Extent::All,
    };
    Ok(LogAsk {
        extent,
        per_source: true,
        exact_places: true,
        from_ns: Some(open.from_ns).filter(|ns| *ns != 0),
        to_ns: Some(open.to_ns).filter(|ns| *ns != 0),
        runs: match (open.all_runs, open.previous) {
            (true, _) => Runs::All,
            (false, 0) => Runs::Current,
            (false, n) => Runs::Previous(n),
        },
        filter: Arc::new(filter),
        mask,
        stream,
        context: Context { before: open.context_before, after: open.context_after },
        follow: open.follow,
        order: Order::Arrival,
        max_line: if open.max_line == 0 { 1 << 20 } else { open.max_line as usize },
        ..LogAsk::default()
    })
}
