//! One stream as a WebSocket: frames by credit, lag told while there is none, a new query on the same socket.
//!
//! Never:  a batch beyond the client's credit; while it has none, nothing is read from the agents beyond their own windows.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use ph_access::TenantCtx;
use ph_api::{LogQuery, LogStreamAsk, LogStreamFrame};

use super::pump::{Pump, Step};
use crate::app::AppState;
use crate::gateway::problem::Problem;

/// Granted at the start.
const FIRST_CREDIT: i64 = 1 << 20;
const PING_EVERY: Duration = Duration::from_secs(15);
const DEAD_AFTER: Duration = Duration::from_secs(45);
/// A client that takes nothing for this long is let go; its token lets it come back.
const STALLED: Duration = Duration::from_secs(60);
/// How far it is behind is told this often while a client holds the stream.
const LAG_EVERY: Duration = Duration::from_secs(1);

/// Serves one socket until either side ends it.
pub async fn serve(app: AppState, ctx: TenantCtx, query: LogQuery, mut ws: WebSocket) {
    let alive = app.auth.liveness(&ctx);
    let mut next = Some(query);
    while let Some(query) = next.take() {
        let ended = match Pump::open((&app, &ctx), query, alive.child_token()).await {
            Ok(mut pump) => {
                let ended = run(&mut pump, &mut ws).await;
                pump.close().await;
                ended
            }
            Err(problem) => refuse(&mut ws, problem).await,
        };
        match ended {
            Ended::Another(query) => next = Some(*query),
            Ended::Close(code, reason) => {
                let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
                // A client that is gone does not hear it.
                let _ = tokio::time::timeout(Duration::from_secs(2), ws.send(close)).await;
            }
            Ended::Gone | Ended::Left => {}
        }
    }
}

enum Ended {
    Another(Box<LogQuery>),
    Close(u16, &'static str),
    /// The client wants no more but the summary.
    Left,
    Gone,
}

async fn refuse(ws: &mut WebSocket, problem: Problem) -> Ended {
    // A frame that does not reach the client is followed by the close, which it learns from the socket.
    let _ = send(ws, &error_frame(&problem)).await;
    Ended::Close(1008, "query refused")
}

/// A problem as a frame of a stream.
pub fn error_frame(problem: &Problem) -> LogStreamFrame {
    LogStreamFrame::Error {
        kind: problem.body.kind.clone(),
        detail: problem.body.detail.clone(),
        next_step: problem.body.next_step.clone(),
    }
}

async fn send(ws: &mut WebSocket, frame: &LogStreamFrame) -> Result<(), ()> {
    let text = serde_json::to_string(frame).map_err(|_| ())?;
    match tokio::time::timeout(STALLED, ws.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}

/// Sends frames, and takes their bytes from the credit.
async fn send_all(ws: &mut WebSocket, frames: &[LogStreamFrame], credit: &mut i64) -> Result<(), ()> {
    for frame in frames {
        send(ws, frame).await?;
        if let LogStreamFrame::Batch { bytes, .. } = frame {
            *credit -= i64::try_from(*bytes).unwrap_or(i64::MAX);
        }
    }
    Ok(())
}

/// What the client has granted and asked for.
struct Client {
    credit: i64,
    paused: bool,
}

/// Between the pump and the client, until either ends.
async fn run(pump: &mut Pump, ws: &mut WebSocket) -> Ended {
    let mut client = Client { credit: FIRST_CREDIT, paused: false };
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut lag = tokio::time::interval(LAG_EVERY);
    let mut heard = tokio::time::Instant::now();
    let stop = pump.stopper();
    loop {
        let open = client.credit > 0 && !client.paused;
        tokio::select! {
            message = ws.recv() => match message {
                Some(Ok(message)) => {
                    heard = tokio::time::Instant::now();
                    match client.hear(message) {
                        Some(Ended::Left) => return last_word(pump, ws).await,
                        Some(ended) => return ended,
                        None => {}
                    }
                }
                _ => return Ended::Gone,
            },
            _ = ping.tick() => {
                if heard.elapsed() > DEAD_AFTER || ws.send(Message::Ping(Default::default())).await.is_err() {
                    return Ended::Gone;
                }
            }
            _ = lag.tick(), if !open => {
                let frame = pump.lag().await;
                if send(ws, &frame).await.is_err() {
                    return Ended::Gone;
                }
            }
            () = stop.cancelled(), if !open => return Ended::Close(1001, "session ended or server stops"),
            step = pump.next(), if open => match step {
                Step::Frames(frames) => {
                    if send_all(ws, &frames, &mut client.credit).await.is_err() {
                        return Ended::Gone;
                    }
                }
                Step::End(frames, why) => {
                    if send_all(ws, &frames, &mut client.credit).await.is_err() {
                        return Ended::Gone;
                    }
                    let code = if why.starts_with("session") { 1001 } else { 1000 };
                    return Ended::Close(code, why);
                }
            },
        }
    }
}

/// What was read until the client had enough.
async fn last_word(pump: &mut Pump, ws: &mut WebSocket) -> Ended {
    let frame = LogStreamFrame::Summary { summary: pump.told("cancelled") };
    match send(ws, &frame).await {
        Ok(()) => Ended::Close(1000, "closed by the client"),
        Err(()) => Ended::Gone,
    }
}

impl Client {
    fn hear(&mut self, message: Message) -> Option<Ended> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Some(Ended::Gone),
            _ => return None,
        };
        match serde_json::from_str::<LogStreamAsk>(&text) {
            Ok(LogStreamAsk::Credit { bytes }) => {
                self.credit = self.credit.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            Ok(LogStreamAsk::Pause) => self.paused = true,
            Ok(LogStreamAsk::Resume) => self.paused = false,
            Ok(LogStreamAsk::Open { query }) => return Some(Ended::Another(Box::new(query))),
            Ok(LogStreamAsk::Close) => return Some(Ended::Left),
            Err(_) => return Some(Ended::Close(1008, "unknown frame")),
        }
        None
    }
}
