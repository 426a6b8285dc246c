//! What an `open` asks for, checked.

use std::sync::Arc;
use std::time::Duration;

use ph_filter::{Compiled, Filter};
use ph_link::v1::{LogPosition, OnLag, ReadMode, ReadOpen, SourceRef};
use ph_model::Position;
use ph_taillog::{Context, Mode, ReadAsk, SourceId, Streams};
use tonic::Status;

use crate::service::{Services, sources, wire};

/// Credit when the reader names none.
const DEFAULT_CREDIT: u64 = 256 << 10;
/// What a page of the newest holds of one source, until it can be given oldest first; bytes.
const TAIL_BYTES: usize = 8 << 20;
/// Of so many sources each is searched by threads of its own.
const FEW_SOURCES: usize = 4;
/// Sources of one read.
const MAX_SOURCES: usize = 256;

/// One source and what is asked of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub index: u32,
    pub reference: SourceRef,
    pub id: SourceId,
    pub ask: ReadAsk,
}

/// A whole read.
#[derive(Clone, Debug)]
pub struct Plan {
    pub wanted: Vec<Wanted>,
    /// Sources that may not be read, each with why.
    pub denied: Vec<(u32, String)>,
    pub follow: bool,
    /// Toward older records: where to go on lies before what is sent.
    pub backward: bool,
    /// A reader that falls behind is taken to the end.
    pub skip: bool,
    /// Records of all sources together.
    pub limit: Option<u64>,
    /// Lines after each match.
    pub context_after: u32,
    /// Bytes scanned.
    pub budget_bytes: Option<u64>,
    pub deadline: Option<Duration>,
    pub credit_bytes: u64,
}

impl Plan {
    /// Errors: `invalid_argument` naming the field; `unimplemented` for what this agent cannot do.
    pub fn new(services: &Services, open: ReadOpen) -> Result<Self, Status> {
        let bad = |text: String| Err(Status::invalid_argument(text));
        let skip = open.on_lag() == OnLag::Skip;
        if skip && !open.follow {
            return bad("on_lag SKIP is for reads that follow; use WAIT".to_owned());
        }
        if open.sources.is_empty() || open.sources.len() > MAX_SOURCES {
            return bad(format!("name 1 to {MAX_SOURCES} sources, not {}", open.sources.len()));
        }
        let mode = open.mode();
        if mode == ReadMode::Unspecified {
            return bad("mode is missing".to_owned());
        }
        if mode == ReadMode::Backward && open.follow {
            return bad("BACKWARD cannot follow".to_owned());
        }
        if open.previous > 0 && open.follow {
            return bad("previous names a run that is over, so it cannot be followed; leave out one of them"
                .to_owned());
        }
        let mut base = base(&open)?;
        base.mask = services.masks.of(&open, services.config.logs.redact)?;
        let single = open.sources.len() == 1;
        let mut wanted = Vec::with_capacity(open.sources.len());
        for (i, reference) in open.sources.iter().enumerate() {
            let index = u32::try_from(i).unwrap_or(u32::MAX);
            let after = open.after_by_source.get(&index).or(open.after.as_ref().filter(|_| single));
            let before = open.before_by_source.get(&index).or(open.before.as_ref().filter(|_| single));
            let mut ask = base.clone();
            ask.after = after.map(parse).transpose()?;
            ask.before = before.map(parse).transpose()?;
            let lines = Some(open.lines).filter(|l| *l > 0);
            match mode {
                ReadMode::Head => ask.limit = lines,
                ReadMode::Tail => ask.mode = Mode::Tail(open.lines),
                ReadMode::Backward => ask.mode = Mode::Tail(lines.unwrap_or(u64::MAX)),
                ReadMode::All | ReadMode::Unspecified => {}
            }
            if open.sources.len() <= FEW_SOURCES && matches!(ask.mode, Mode::Tail(_)) {
                ask.threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(2));
            }
            ask.paged = !open.follow;
            ask.tail_bytes = Some(TAIL_BYTES).filter(|_| !open.follow);
            let id = sources::id(services, reference)?;
            wanted.push(Wanted { index, reference: reference.clone(), id, ask });
        }
        let some = |n: u64| Some(n).filter(|n| *n > 0);
        Ok(Self {
            wanted,
            denied: Vec::new(),
            follow: open.follow,
            backward: mode == ReadMode::Backward,
            skip,
            limit: match (open.limit, open.max_rows) {
                (0, allowed) => some(allowed),
                (asked, 0) => Some(asked),
                (asked, allowed) => Some(asked.min(allowed)),
            },
            context_after: open.context_after,
            budget_bytes: some(open.budget_bytes),
            deadline: some(open.deadline_ms).map(Duration::from_millis),
            credit_bytes: some(open.credit_bytes).unwrap_or(DEFAULT_CREDIT),
        })
    }

    /// Whether it may look through much that nobody sees.
    pub fn searches(&self) -> bool {
        !self.follow && self.wanted.iter().any(|w| !w.ask.filter.is_all())
    }

    /// The same read, with these sources refused.
    #[must_use]
    pub fn without(mut self, denied: Vec<(u32, String)>) -> Self {
        self.wanted.retain(|w| !denied.iter().any(|(index, _)| *index == w.index));
        Self { denied, ..self }
    }
}

fn parse(position: &LogPosition) -> Result<Position, Status> {
    wire::parse_position(position)
        .ok_or_else(|| Status::invalid_argument("segment_key of a position must have 16 bytes"))
}

/// What is asked of every source alike.
fn base(open: &ReadOpen) -> Result<ReadAsk, Status> {
    let filter = if open.filter_json.is_empty() {
        Compiled::all()
    } else {
        let filter: Filter = serde_json::from_str(&open.filter_json)
            .map_err(|e| Status::invalid_argument(format!("filter_json: {e}")))?;
        Compiled::new(&filter).map_err(|e| Status::invalid_argument(format!("filter_json: {e}")))?
    };
    let mut streams = open.streams.clone();
    streams.sort();
    streams.dedup();
    let streams = match streams.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["stderr", "stdout"] => Streams::Both,
        ["stdout"] => Streams::Stdout,
        ["stderr"] => Streams::Stderr,
        _ => return Err(Status::invalid_argument("streams: only stdout and stderr are known")),
    };
    Ok(ReadAsk {
        from_ns: Some(open.from_ns).filter(|ns| *ns != 0),
        to_ns: Some(open.to_ns).filter(|ns| *ns != 0),
        filter: Arc::new(filter),
        max_line: if open.max_line == 0 { 1 << 20 } else { open.max_line as usize },
        follow: open.follow,
        streams,
        all_runs: open.all_runs,
        previous: open.previous,
        context: Context { before: open.context_before, after: open.context_after },
        ..ReadAsk::default()
    })
}
