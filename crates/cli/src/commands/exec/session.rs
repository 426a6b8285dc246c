//! One command's session over any number of connections.
//!
//! Source: subprotocol `pilothouse.tty.v1` as `ph_api::ExecOpen` describes it.

use std::io::Write;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use ph_api::{ExecNotice, ExecOpened, ExecStatus};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::keyboard::{self, RawMode};
use crate::api::Api;
use crate::failure::{Doing, Failure, code};
use crate::socket::{self, Socket};

const PROTOCOL: &str = "pilothouse.tty.v1";
/// The server keeps a session without a client for 60 s.
const RESUME_WITHIN: Duration = Duration::from_secs(55);
const RETRY: Duration = Duration::from_millis(500);
/// The server pings every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// Output is acknowledged each time so much of it has been written.
const ACK_EVERY: u64 = 16 * 1024;
/// Codes of closes after which there is nothing to take up.
const REPLACED: u16 = 4409;
const BAD_FRAME: u16 = 1003;

/// What this end has.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub tty: bool,
    pub stdin: bool,
}

/// Where the session stands, across connections.
struct Session {
    /// Sequence of the next byte of output.
    next: u64,
    acked: u64,
    stdin: Option<mpsc::Receiver<Vec<u8>>>,
    /// Read and not yet on its way: sent first on the next connection.
    unsent: Option<Vec<u8>>,
    /// The input ended; said on every connection, since a lost one may have swallowed it.
    ended: bool,
    resized: Option<Signal>,
}

enum Turn {
    Exit(i32),
    Lost(String),
}

/// Runs the session to the command's end; its exit code.
pub async fn run(api: &Api, opened: &ExecOpened, ends: Ends) -> Result<i32, Failure> {
    let path = format!("debug/tty/{}", opened.tty_id);
    let mut socket = socket::open(api, &path, PROTOCOL).await?;
    let raw = if ends.tty && ends.stdin { Some(RawMode::enter()?) } else { None };
    let mut session = Session {
        next: 0,
        acked: 0,
        stdin: if ends.stdin { Some(keyboard::chunks()?) } else { None },
        unsent: None,
        ended: false,
        resized: if ends.tty {
            Some(signal(SignalKind::window_change()).doing(|| "listen for SIGWINCH".into())?)
        } else {
            None
        },
    };
    loop {
        let why = match session.connected(&mut socket).await? {
            Turn::Exit(exit) => {
                drop(raw);
                return Ok(exit);
            }
            Turn::Lost(why) => why,
        };
        tell(raw.is_some(), &format!("connection lost ({why}); taking the session up again"));
        socket = resume(api, &format!("{path}?from={}", session.next)).await?;
        tell(raw.is_some(), "connected again");
    }
}

/// In raw mode a line's end needs its carriage return.
fn tell(raw: bool, text: &str) {
    if raw { eprint!("\r\n[{text}]\r\n") } else { eprintln!("[{text}]") }
}

async fn resume(api: &Api, path: &str) -> Result<Socket, Failure> {
    let until = tokio::time::Instant::now() + RESUME_WITHIN;
    loop {
        tokio::time::sleep(RETRY).await;
        match socket::open(api, path, PROTOCOL).await {
            Ok(socket) => return Ok(socket),
            Err(e) if e.exit_code() == code::UNREACHABLE && tokio::time::Instant::now() < until => {}
            Err(e) if e.exit_code() == code::UNREACHABLE => {
                return Err(Failure::new(code::UNREACHABLE, format!("the session was lost: {}", e.text()))
                    .next("the command may still run; look before you start it again"));
            }
            Err(e) => return Err(Failure::new(e.exit_code(), format!("the session is over: {}", e.text()))),
        }
    }
}

impl Session {
    /// One connection, until the command ends or the connection does.
    async fn connected(&mut self, socket: &mut Socket) -> Result<Turn, Failure> {
        if let Some(frame) = self.first_frames(socket).await {
            return Ok(frame);
        }
        let mut silent_at = tokio::time::Instant::now() + SILENCE;
        loop {
            let sent = tokio::select! {
                message = socket.next() => {
                    silent_at = tokio::time::Instant::now() + SILENCE;
                    let message = match message {
                        None => return Ok(Turn::Lost("closed".into())),
                        Some(Err(e)) => return Ok(Turn::Lost(e.to_string())),
                        Some(Ok(message)) => message,
                    };
                    match message {
                        Message::Binary(frame) => match self.heard(&frame)? {
                            Some(turn) => return Ok(turn),
                            None => self.acknowledge(socket).await,
                        },
                        Message::Close(close) => return closed(close),
                        _ => Ok(()),
                    }
                }
                chunk = next_chunk(&mut self.stdin) => {
                    match chunk {
                        Some(chunk) => self.unsent = Some(chunk),
                        None => (self.stdin, self.ended) = (None, true),
                    }
                    self.input(socket).await
                }
                () = next_resize(&mut self.resized) => match keyboard::resize_frame() {
                    Some(frame) => socket.send(Message::binary(frame)).await,
                    None => Ok(()),
                },
                () = tokio::time::sleep_until(silent_at) => return Ok(Turn::Lost("no sign of the server for 45 s".into())),
            };
            if let Err(e) = sent {
                return Ok(Turn::Lost(e.to_string()));
            }
        }
    }

    /// What a connection begins with: the terminal's size as it is now, and input that the last one did not take.
    async fn first_frames(&mut self, socket: &mut Socket) -> Option<Turn> {
        let sized = match self.resized.as_ref().and_then(|_| keyboard::resize_frame()) {
            Some(frame) => socket.send(Message::binary(frame)).await,
            None => Ok(()),
        };
        let sent = match sized {
            Ok(()) => self.input(socket).await,
            failed => failed,
        };
        sent.err().map(|e| Turn::Lost(e.to_string()))
    }

    async fn input(&mut self, socket: &mut Socket) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        if let Some(chunk) = self.unsent.clone() {
            let mut frame = Vec::with_capacity(chunk.len() + 1);
            frame.push(0);
            frame.extend(chunk);
            socket.send(Message::binary(frame)).await?;
            self.unsent = None;
        }
        if self.ended {
            socket.send(Message::binary(vec![7])).await?;
        }
        Ok(())
    }

    async fn acknowledge(
        &mut self,
        socket: &mut Socket,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        if self.next - self.acked < ACK_EVERY {
            return Ok(());
        }
        self.acked = self.next;
        let mut frame = vec![5];
        frame.extend(self.next.to_be_bytes());
        socket.send(Message::binary(frame)).await
    }

    fn heard(&mut self, frame: &[u8]) -> Result<Option<Turn>, Failure> {
        let Some((kind, body)) = frame.split_first() else { return Ok(None) };
        match kind {
            1 | 2 => {
                let Some((seq, bytes)) = body.split_first_chunk::<8>() else { return Ok(None) };
                self.output(*kind == 2, (u64::from_be_bytes(*seq), bytes))?;
                Ok(None)
            }
            3 => {
                let status: ExecStatus = serde_json::from_slice(body)?;
                if !status.reason.is_empty() {
                    tell(self.resized.is_some(), &status.reason);
                }
                Ok(Some(Turn::Exit(status.exit_code.unwrap_or(i32::from(code::FAILED)))))
            }
            6 => {
                let notice: ExecNotice = serde_json::from_slice(body)?;
                tell(self.resized.is_some(), &notice.text);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Writes what was not written yet: after a resume the first frame may begin before it.
    fn output(&mut self, stderr: bool, (seq, bytes): (u64, &[u8])) -> Result<(), Failure> {
        let end = seq + bytes.len() as u64;
        let skip = usize::try_from(self.next.saturating_sub(seq)).unwrap_or(usize::MAX);
        self.next = self.next.max(end);
        let Some(new) = bytes.get(skip..) else { return Ok(()) };
        if stderr {
            let mut err = std::io::stderr().lock();
            err.write_all(new)?;
            err.flush()?;
        } else {
            let mut out = std::io::stdout().lock();
            out.write_all(new)?;
            out.flush()?;
        }
        Ok(())
    }
}

/// Whether a close is worth a new connection.
fn closed(close: Option<CloseFrame>) -> Result<Turn, Failure> {
    let Some(close) = close else { return Ok(Turn::Lost("closed".into())) };
    match u16::from(close.code) {
        REPLACED => Err(Failure::failed("another client took this session over")),
        BAD_FRAME => Err(Failure::new(
            code::INTERNAL,
            format!("the server did not understand this client: {}", close.reason),
        )
        .next("check that the client and the server are of about the same version")),
        _ => Ok(Turn::Lost(close.reason.to_string())),
    }
}

async fn next_chunk(stdin: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match stdin {
        Some(stdin) => stdin.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_resize(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            if signal.recv().await.is_none() {
                std::future::pending().await
            }
        }
        None => std::future::pending().await,
    }
}
