//! Lines over a stream: all that there are, and new ones as they are written.
//!
//! In:     the stream's frames; after a lost connection a new stream that begins behind the last batch.
//! Bound:  credit is given back for what was printed, so a slow reader of our output slows the file's reader.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use ph_api::{LogQuery, LogStreamAsk, LogStreamFrame, LogStreamOpened, LogSummary};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{Reading, history, record};
use crate::api::Api;
use crate::commands::logs::ask::{Ask, Extent};
use crate::commands::logs::notice;
use crate::commands::logs::output::Output;
use crate::failure::{Failure, code};
use crate::socket::{self, Socket};

const PROTOCOL: &str = "pilothouse.logs.v1";
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// How long a server may take after its start to hear from its clusters what runs there.
const LEARNING: Duration = Duration::from_secs(60);
/// How long the server may be away altogether before this gives up.
const PATIENCE: Duration = Duration::from_secs(600);
/// The server pings every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// Why a stream ended.
enum End {
    /// Every source ended, or the server has nothing more to say: its last word.
    Done(Box<LogSummary>),
    /// The connection was lost; what was printed is known.
    Lost(String),
}

/// Follows until every source ended, the output has enough, or no more is wanted; what was read.
pub async fn run(
    reading: &Reading<'_>,
    ask: &Ask,
    (query, out): (LogQuery, &mut Output),
) -> Result<LogSummary, Failure> {
    let tail = match ask.extent {
        Extent::Tail(n) => Some(n),
        Extent::Head(_) | Extent::All => None,
    };
    if let Some(n) = tail.filter(|n| *n > u64::from(reading.rows)) {
        return Err(Failure::usage(format!(
            "--tail {n}: with --follow at most {} lines before",
            reading.rows
        ))
        .next("use --since, or run it once without --follow"));
    }
    let mode = if tail.is_some() { "tail" } else { "all" };
    let limit = tail.map_or(reading.rows, |n| u32::try_from(n).unwrap_or(reading.rows));
    let mut query = LogQuery { mode: Some(mode.into()), limit: Some(limit), follow: true, ..query };
    let mut absence = Absence::default();
    let mut connected = false;
    loop {
        let before = query.after.clone();
        let mut begun = false;
        let end = match open(reading.api, &query).await {
            Ok(socket) => stream(socket, (&mut query, &mut begun), (out, reading)).await,
            Err(e) => Err(e),
        };
        if begun {
            (connected, absence.since) = (true, None);
        }
        let end = match end {
            Ok(end) => end,
            // The first connection either works or is a failure; later ones are tried again.
            Err(e) if !connected || !passes(&e, absence.since) => return Err(e),
            Err(e) => End::Lost(e.text().to_owned()),
        };
        let why = match end {
            End::Done(_) => return Ok(reading.told()),
            End::Lost(_) if reading.stop.is_cancelled() => return Ok(reading.told()),
            End::Lost(why) => why,
        };
        if query.after != before {
            absence.tries = 0;
        }
        if absence.wait(&why, &reading.stop).await? {
            return Ok(reading.told());
        }
    }
}

/// Everything from where the query begins to the end of its files, in the order of time. A stream that spent its budget
/// is gone on with by another; one that is lost, behind the last line that was printed.
///
/// What was read, and where to go on when more may come: the last stream spent its budget on lines that do not pass.
/// Errors: the server's refusal, and a server that stays away while nothing more comes.
pub async fn whole(
    reading: &Reading<'_>,
    (query, out): (LogQuery, &mut Output),
) -> Result<(LogSummary, Reached), Failure> {
    let (mode, order) = (Some("all".into()), Some("strict".into()));
    let mut query = LogQuery { mode, order, limit: None, follow: false, ..query };
    let mut summary = LogSummary::default();
    let mut absence = Absence::default();
    loop {
        let before = query.after.clone();
        let mut begun = false;
        let end = match open(reading.api, &query).await {
            Ok(socket) => stream(socket, (&mut query, &mut begun), (&mut *out, reading)).await?,
            Err(e) if absence.since.is_some() && passes(&e, absence.since) => End::Lost(e.text().to_owned()),
            Err(e) => return Err(e),
        };
        let moved = query.after != before;
        let why = match end {
            End::Done(last) => {
                let spent = matches!(last.stopped.as_str(), "rows" | "bytes" | "time");
                summary = history::added(summary, *last);
                match spent && !reading.stop.is_cancelled() {
                    true if moved => continue,
                    more => return Ok((summary, Reached { next: query.after, more })),
                }
            }
            End::Lost(why) => why,
        };
        if moved {
            absence = Absence::default();
        }
        if reading.stop.is_cancelled() || absence.wait(&why, &reading.stop).await? {
            return Ok((summary, Reached { next: query.after, more: false }));
        }
    }
}

/// How far a reader came.
pub struct Reached {
    pub next: Option<String>,
    /// There may be more behind it.
    pub more: bool,
}

/// A server that is away, and how long this has been borne.
#[derive(Default)]
struct Absence {
    since: Option<tokio::time::Instant>,
    /// Without a line between them.
    tries: u32,
}

impl Absence {
    /// Waits before the next try, longer each time; whether no more is wanted. Error: patience is at its end.
    async fn wait(&mut self, why: &str, stop: &CancellationToken) -> Result<bool, Failure> {
        let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
        if since.elapsed() > PATIENCE {
            let text = format!("the server has been away for 10 min: {why}");
            return Err(Failure::new(code::UNREACHABLE, text));
        }
        notice(&format!("-- connection lost ({why}); going on behind the last line"));
        let pause = RETRY_FIRST.saturating_mul(1 << self.tries.min(16)).min(RETRY_MAX);
        self.tries += 1;
        tokio::select! {
            () = stop.cancelled() => Ok(true),
            () = tokio::time::sleep(pause) => Ok(false),
        }
    }
}

/// Whether a stream that was lost may come back after this failure. A server that has just started may not know yet what runs
/// in its clusters, nor a stream that was opened before.
fn passes(failure: &Failure, lost_since: Option<tokio::time::Instant>) -> bool {
    match failure.exit_code() {
        code::UNREACHABLE => true,
        // `FAILED` is also what is not found: a cluster of which a server that has just started knows nothing.
        code::NO_SOURCE | code::FAILED => lost_since.is_some_and(|since| since.elapsed() < LEARNING),
        _ => false,
    }
}

async fn open(api: &Api, query: &LogQuery) -> Result<Socket, Failure> {
    let opened: LogStreamOpened = api.post("logs/streams", query).await?;
    socket::open(api, &format!("logs/streams/{}", opened.id), PROTOCOL).await
}

async fn stream(
    mut socket: Socket,
    (query, begun): (&mut LogQuery, &mut bool),
    (out, reading): (&mut Output, &Reading<'_>),
) -> Result<End, Failure> {
    let mut leaving = false;
    loop {
        let message = tokio::select! {
            () = reading.stop.cancelled(), if !leaving => {
                // The server answers with what was read, and ends the stream.
                leaving = true;
                let close = serde_json::to_string(&LogStreamAsk::Close)?;
                if let Err(e) = socket.send(Message::text(close)).await {
                    return Ok(End::Lost(e.to_string()));
                }
                continue;
            }
            message = tokio::time::timeout(SILENCE, socket.next()) => message,
        };
        let message = match message {
            Err(_) => return Ok(End::Lost("no sign of the server for 45 s".into())),
            Ok(None) => return Ok(End::Lost("the server closed the stream".into())),
            Ok(Some(Err(e))) => return Ok(End::Lost(e.to_string())),
            Ok(Some(Ok(message))) => message,
        };
        let text = match message {
            Message::Text(text) => text,
            Message::Close(close) => {
                return Ok(End::Lost(close.map_or_else(|| "closed".to_owned(), |c| c.reason.to_string())));
            }
            _ => continue,
        };
        let Ok(frame) = serde_json::from_str::<LogStreamFrame>(&text) else {
            tracing::debug!("a frame of a newer server is passed over");
            continue;
        };
        match frame {
            LogStreamFrame::Sources { sources } => {
                *begun = true;
                record::sources(out, &sources)?;
            }
            // What comes after the last word was asked for is not shown.
            LogStreamFrame::Batch { .. } if leaving => {}
            LogStreamFrame::Batch { records, bytes, next } => {
                out.at(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default());
                record::write(out, &records)?;
                out.flush()?;
                if out.is_enough() {
                    reading.stop.cancel();
                    continue;
                }
                // Only what was printed is behind us.
                query.after = Some(next);
                let credit = serde_json::to_string(&LogStreamAsk::Credit { bytes })?;
                if let Err(e) = socket.send(Message::text(credit)).await {
                    return Ok(End::Lost(e.to_string()));
                }
            }
            LogStreamFrame::Gap { gap } => out.gap(&gap)?,
            LogStreamFrame::Marker { marker } => out.marker(&marker)?,
            LogStreamFrame::Summary { summary } => {
                reading.add(&summary);
                return Ok(End::Done(Box::new(summary)));
            }
            LogStreamFrame::Error { kind, detail, next_step } => return Err(said(&kind, detail, next_step)),
            LogStreamFrame::Progress { .. } | LogStreamFrame::Lag { .. } => {}
        }
    }
}

fn said(kind: &str, detail: String, next_step: Option<String>) -> Failure {
    let exit = match kind {
        "denied" | "unauthenticated" => code::DENIED,
        "not_found" | "gone" => code::NO_SOURCE,
        "invalid" => code::USAGE,
        "unavailable" => code::UNREACHABLE,
        "internal" => code::INTERNAL,
        _ => code::FAILED,
    };
    let failure = Failure::new(exit, detail);
    match next_step {
        Some(step) => failure.next(step),
        None => failure,
    }
}
