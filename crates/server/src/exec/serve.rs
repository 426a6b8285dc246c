//! Carries one command between its client and the agent, and closes it.
//!
//! A lost client or link leaves the command with the agent for a minute; an ended credential ends it at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use ph_access::TenantCtx;
use ph_api::{ExecNotice, ExecStatus};
use ph_link::exec::{IDLE, LIFE, RESUME_WITHIN};
use ph_link::v1::exec_client::ExecClient;
use ph_link::v1::exec_in::M as In;
use ph_link::v1::exec_out::M as Out;
use ph_link::v1::{ExecIn, ExecOut};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::frame::{self, FromClient, Output};
use super::room::{Tty, lock};
use crate::app::AppState;
use crate::audit::Outcome;

/// Input on its way to the agent; beyond it the client's socket is not read.
const INPUT_WAITING: usize = 16;
/// For the agent to answer, and for the last words of a command that is closed.
const ANSWER: Duration = Duration::from_secs(15);
const LAST_WORDS: Duration = Duration::from_secs(3);

/// WebSocket close codes of a terminal.
mod close {
    pub const DONE: u16 = 1000;
    pub const BAD_FRAME: u16 = 1003;
    pub const SIGNED_OUT: u16 = 4401;
    pub const REPLACED: u16 = 4409;
    /// Reconnect with `?from=`.
    pub const LINK_LOST: u16 = 4503;
}

/// How one client's time at a command ended.
enum Parted {
    /// The client went away; it may come back.
    Left,
    LinkLost(String),
    Replaced,
    /// The client's own credential ended; the command's opener may still be there.
    SignedOut,
    BadFrame(&'static str),
    Ended,
}

/// Both directions of the agent's call.
struct Call {
    input: mpsc::Sender<ExecIn>,
    output: Streaming<ExecOut>,
}

/// Serves one WebSocket of a command.
pub(super) async fn attach(
    app: AppState,
    (tty, ctx): (Arc<Tty>, TenantCtx),
    (mut socket, from): (WebSocket, u64),
) {
    let Ok(turn) = tty.take().await else { return };
    let credential = app.auth.liveness(&ctx);
    let over = tty.ended.borrow().is_some();
    let asked = if over { Err(Parted::Ended) } else { call(&app, &tty, from).await };
    let parted = match asked {
        Ok(mut call) => tokio::select! {
            parted = carry(&tty, &mut socket, &mut call) => parted,
            () = turn.replaced.cancelled() => Parted::Replaced,
            () = credential.cancelled() => Parted::SignedOut,
            () = ended(&tty) => Parted::Ended,
        },
        Err(parted) => parted,
    };
    // The next client need not wait for this one's socket.
    drop(turn);
    let _ = tokio::time::timeout(LAST_WORDS, tell(&tty, &mut socket, parted)).await;
}

/// Asks the agent that is connected now to start the command, or to resume it.
async fn call(app: &AppState, tty: &Tty, from: u64) -> Result<Call, Parted> {
    let agent = app.link.registry().agent_for_cluster(&tty.ctx, tty.command.cluster);
    let agent = agent.ok_or_else(|| Parted::LinkLost("the agent is not connected".into()))?;
    let (input, feed) = mpsc::channel(INPUT_WAITING);
    let open = ExecIn { m: Some(In::Open(tty.ask(from))) };
    // The channel is empty: this does not wait.
    let _ = input.send(open).await;
    tty.asked();
    let mut client = ExecClient::new(agent.channel());
    match tokio::time::timeout(ANSWER, client.run(ReceiverStream::new(feed))).await {
        Ok(Ok(answer)) => Ok(Call { input, output: answer.into_inner() }),
        Ok(Err(status)) if agent.closed().is_cancelled() => {
            Err(Parted::LinkLost(status.message().to_owned()))
        }
        Ok(Err(status)) => {
            tty.end(failed(status.message()));
            Err(Parted::Ended)
        }
        Err(_) => Err(Parted::LinkLost("the agent does not answer".into())),
    }
}

/// Both directions, until one of them ends.
async fn carry(tty: &Tty, socket: &mut WebSocket, call: &mut Call) -> Parted {
    // Input that the agent does not take yet; while there is some, the client is not read.
    let mut waiting: Option<ExecIn> = None;
    loop {
        tokio::select! {
            out = call.output.message() => match out {
                Ok(Some(ExecOut { m: Some(out) })) => {
                    if let Some(parted) = deliver(tty, socket, out).await {
                        return parted;
                    }
                }
                Ok(Some(ExecOut { m: None })) => {}
                Ok(None) => return Parted::LinkLost("the agent ended the stream".into()),
                Err(status) => return lost(tty, &status),
            },
            permit = call.input.reserve(), if waiting.is_some() => match (permit, waiting.take()) {
                (Ok(permit), Some(input)) => permit.send(input),
                _ => return Parted::LinkLost("the agent takes no input".into()),
            },
            frame = socket.recv(), if waiting.is_none() => match frame {
                Some(Ok(Message::Binary(bytes))) => match FromClient::parse(bytes) {
                    Ok(frame) => waiting = Some(input(tty, frame)),
                    Err(fault) => return Parted::BadFrame(fault),
                },
                Some(Ok(Message::Text(_))) => return Parted::BadFrame("frames are binary"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Parted::Left,
            },
        }
    }
}

fn lost(tty: &Tty, status: &tonic::Status) -> Parted {
    use tonic::Code;
    match status.code() {
        // Said by the agent about this command, not by a link that broke.
        Code::NotFound
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::Unimplemented => {
            tty.end(failed(status.message()));
            Parted::Ended
        }
        _ => Parted::LinkLost(status.message().to_owned()),
    }
}

fn input(tty: &Tty, frame: FromClient) -> ExecIn {
    let m = match frame {
        FromClient::Stdin(bytes) => {
            tty.touch();
            lock(&tty.tally).input(bytes.len());
            In::Stdin(bytes)
        }
        FromClient::Resize(size) => In::Resize(size),
        FromClient::Ack(seq) => In::Ack(seq),
        FromClient::EndOfStdin => In::CloseStdin(true),
    };
    ExecIn { m: Some(m) }
}

/// Passes one message on; `Some` when it was the last.
async fn deliver(tty: &Tty, socket: &mut WebSocket, out: Out) -> Option<Parted> {
    let frame = match out {
        Out::Stdout(data) => {
            count(tty, data.seq, &data.bytes);
            frame::output(Output::Stdout, data.seq, &data.bytes)
        }
        Out::Stderr(data) => {
            count(tty, data.seq, &data.bytes);
            frame::output(Output::Stderr, data.seq, &data.bytes)
        }
        Out::Notice(notice) => {
            frame::notice(&ExecNotice { text: notice.text, missing_bytes: notice.missing_bytes })
        }
        Out::Status(status) => {
            tty.end(end_of(status));
            return Some(Parted::Ended);
        }
        Out::Opened(_) => return None,
    };
    match socket.send(Message::Binary(frame)).await {
        Ok(()) => None,
        Err(_) => Some(Parted::Left),
    }
}

fn count(tty: &Tty, seq: u64, bytes: &Bytes) {
    tty.touch();
    lock(&tty.tally).output(seq, bytes);
}

fn end_of(status: ph_link::v1::ExecStatus) -> ExecStatus {
    ExecStatus { exit_code: (status.exit_code >= 0).then_some(status.exit_code), reason: status.reason }
}

fn failed(reason: &str) -> ExecStatus {
    ExecStatus { exit_code: None, reason: reason.to_owned() }
}

async fn ended(tty: &Tty) {
    let mut ended = tty.ended.subscribe();
    let _ = ended.wait_for(Option::is_some).await;
}

/// Tells the client how it ended, as far as it still listens.
async fn tell(tty: &Tty, socket: &mut WebSocket, parted: Parted) {
    let (code, reason) = match parted {
        Parted::Left => return,
        Parted::SignedOut => (close::SIGNED_OUT, "your session or key ended".to_owned()),
        Parted::Replaced => (close::REPLACED, "another client took over".to_owned()),
        Parted::BadFrame(fault) => (close::BAD_FRAME, fault.to_owned()),
        Parted::LinkLost(why) => {
            (close::LINK_LOST, format!("the link to the agent was lost ({why}); reconnect with ?from="))
        }
        Parted::Ended => {
            let status = tty.ended.borrow().clone().unwrap_or_else(|| failed("not known"));
            let _ = socket.send(Message::Binary(frame::status(&status))).await;
            (close::DONE, String::new())
        }
    };
    let reason = ph_link::Close::new(ph_link::CloseCode(code), reason).short_text().to_owned().into();
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
    // Frames that are still on their way here would reset the connection, and with it the last ones to the client:
    // they are read until the client answers the close.
    while let Some(Ok(_)) = socket.recv().await {}
}

/// Owns the command until its closing row: limits, absence of its client, end.
pub(super) async fn supervise(app: AppState, tty: Arc<Tty>) {
    let credential = app.auth.liveness(&tty.ctx);
    let (reason, told) = tokio::select! {
        () = ended(&tty) => (None, true),
        () = deserted(&tty) => {
            // Nobody is attached: the agent may still tell that the command had ended by itself.
            close_at_agent(&app, &tty).await;
            (Some("left for more than 60 s"), true)
        }
        () = idle(&tty) => (Some("idle for 15 min"), false),
        () = tokio::time::sleep_until(tty.opened + LIFE) => (Some("open for 8 h, the longest life"), false),
        () = credential.cancelled() => (Some("the session or key that opened this command ended"), false),
        () = revoked(&app, &tty) => (Some("the agent was revoked"), false),
        () = app.stop.cancelled() => (Some("the server stops"), false),
    };
    if let Some(reason) = reason {
        tty.end(failed(reason));
    }
    if !told {
        close_at_agent(&app, &tty).await;
    }
    app.exec.forget(&tty.id);
    let status = tty.ended.borrow().clone().unwrap_or_else(|| failed("not known"));
    let mut detail = lock(&tty.tally).detail();
    if let Value::Object(map) = &mut detail {
        map.insert("exit_code".into(), status.exit_code.map_or(Value::Null, Value::from));
        map.insert("reason".into(), Value::from(status.reason.clone()));
        map.insert("seconds".into(), Value::from(tty.opened.elapsed().as_secs()));
    }
    let failed = status.exit_code.is_none().then(|| status.reason.clone());
    let outcome = Outcome { action: "exec.close", failed, detail };
    if let Err(error) = app.auditor.outcome(&tty.ctx, &tty.decision, outcome).await {
        tracing::error!(%error, decision = tty.decision.seq, "the closing row of a command could not be written");
    }
}

/// Ends a command that no client ends; learns its exit code when it had ended by itself meanwhile.
async fn close_at_agent(app: &AppState, tty: &Arc<Tty>) {
    let closing = async {
        if !tty.was_started() {
            return;
        }
        // Whatever the agent still holds beyond what was seen is counted, too.
        let from = lock(&tty.tally).next();
        let Ok(mut call) = call(app, tty, from).await else { return };
        let _ = call.input.send(ExecIn { m: Some(In::Close(true)) }).await;
        while let Ok(Some(ExecOut { m: Some(out) })) = call.output.message().await {
            match out {
                Out::Stdout(data) | Out::Stderr(data) => {
                    lock(&tty.tally).output(data.seq, &data.bytes);
                    let ack = In::Ack(data.seq + data.bytes.len() as u64);
                    let _ = call.input.send(ExecIn { m: Some(ack) }).await;
                }
                Out::Status(status) if status.exit_code >= 0 => return tty.end(end_of(status)),
                Out::Status(_) => return,
                Out::Notice(_) | Out::Opened(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, closing).await;
}

/// Returns when no client has been there for a minute.
async fn deserted(tty: &Tty) {
    let mut left = tty.left.subscribe();
    loop {
        let since = *left.borrow_and_update();
        let changed = match since {
            None => left.changed().await,
            Some(since) => match tokio::time::timeout_at(since + RESUME_WITHIN, left.changed()).await {
                Ok(changed) => changed,
                Err(_) => return,
            },
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn idle(tty: &Tty) {
    loop {
        let quiet_until = *tty.active.borrow() + IDLE;
        if Instant::now() >= quiet_until {
            return;
        }
        tokio::time::sleep_until(quiet_until).await;
    }
}

/// Returns when the cluster has no agent that may carry the command any more: all of them were revoked.
async fn revoked(app: &AppState, tty: &Tty) {
    let mut gone = app.link.registry().gone();
    loop {
        let link = match gone.recv().await {
            Ok(link) if link.cluster() == tty.command.cluster => link,
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return std::future::pending().await,
        };
        let record = app.state.agent(&tty.ctx, link.id()).await;
        let leads = link.kind() != ph_link::v1::AgentKind::Node;
        if leads && record.is_ok_and(|r| r.revoked) {
            return;
        }
    }
}
