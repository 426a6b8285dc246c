//! New lines as they are written.
//!
//! In:     the stream's frames; after a lost connection a new stream that begins behind the last batch.
//! Bound:  credit is given back for what was printed, so a slow reader of our output slows the file's reader.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use ph_api::{LogQuery, LogStreamAsk, LogStreamFrame, LogStreamOpened, LogSummary};
use tokio_tungstenite::tungstenite::Message;

use super::{PAGE, record};
use crate::api::Api;
use crate::commands::logs::ask::{Ask, Extent};
use crate::commands::logs::notice;
use crate::commands::logs::output::{End as Ended, Output};
use crate::failure::{Failure, Outcome, code};
use crate::socket::{self, Socket};

const PROTOCOL: &str = "pilothouse.logs.v1";
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// How long the server may be away altogether before this gives up.
const PATIENCE: Duration = Duration::from_secs(600);
/// The server pings every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// Why a stream ended.
enum End {
    /// Every source ended, or the server has nothing more to say.
    Done,
    /// The connection was lost; what was printed is known.
    Lost(String),
}

/// Follows until every source ended, or the output has enough.
pub async fn run(api: &Api, ask: &Ask, (query, out): (LogQuery, &mut Output)) -> Outcome {
    let tail = match ask.extent {
        Extent::Tail(n) => Some(n),
        Extent::Head(_) | Extent::All => None,
    };
    if let Some(n) = tail.filter(|n| *n > u64::from(PAGE)) {
        return Err(Failure::usage(format!("--tail {n}: with --follow at most {PAGE} lines before"))
            .next("use --since, or run it once without --follow"));
    }
    let mode = if tail.is_some() { "tail" } else { "all" };
    let limit = tail.map_or(PAGE, |n| u32::try_from(n).unwrap_or(PAGE));
    let mut query = LogQuery { mode: Some(mode.into()), limit: Some(limit), follow: true, ..query };
    let mut summary = LogSummary::default();
    let mut wait = RETRY_FIRST;
    let mut lost_since: Option<tokio::time::Instant> = None;
    let mut connected = false;
    loop {
        let before = query.after.clone();
        let end = match open(api, &query).await {
            Ok(socket) => {
                (connected, lost_since) = (true, None);
                stream(socket, (&mut query, &mut summary), out).await?
            }
            // The first connection either works or is a failure; later ones are tried again.
            Err(e) if !connected || e.exit_code() != code::UNREACHABLE => return Err(e),
            Err(e) => End::Lost(e.text().to_owned()),
        };
        let why = match end {
            End::Done => return out.finish(&summary, Ended::Done),
            End::Lost(why) => why,
        };
        if query.after != before {
            wait = RETRY_FIRST;
        }
        let since = *lost_since.get_or_insert_with(tokio::time::Instant::now);
        if since.elapsed() > PATIENCE {
            return Err(Failure::new(
                code::UNREACHABLE,
                format!("the server has been away for 10 min: {why}"),
            ));
        }
        notice(&format!("-- connection lost ({why}); going on behind the last line"));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

async fn open(api: &Api, query: &LogQuery) -> Result<Socket, Failure> {
    let opened: LogStreamOpened = api.post("logs/streams", query).await?;
    socket::open(api, &format!("logs/streams/{}", opened.id), PROTOCOL).await
}

async fn stream(
    mut socket: Socket,
    (query, last): (&mut LogQuery, &mut LogSummary),
    out: &mut Output,
) -> Result<End, Failure> {
    loop {
        let message = match tokio::time::timeout(SILENCE, socket.next()).await {
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
            LogStreamFrame::Sources { sources } => record::sources(out, &sources)?,
            LogStreamFrame::Batch { records, bytes, next } => {
                out.at(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default());
                record::write(out, &records)?;
                out.flush()?;
                if out.is_enough() {
                    return Ok(End::Done);
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
                *last = summary;
                return Ok(End::Done);
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
