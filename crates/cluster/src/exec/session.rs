//! One running command: its output in a ring, its input from whoever is attached now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt, channel::mpsc as fmpsc};
use kube::api::{AttachedProcess, TerminalSize};
use ph_link::exec::{IDLE, LIFE, RESUME_WITHIN, RING_BYTES, Ring, Stream as Output, UNACKNOWLEDGED};
use ph_link::v1::exec_in::M as In;
use ph_link::v1::exec_out::M as Out;
use ph_link::v1::{ExecData, ExecIn, ExecNotice, ExecOut, ExecStatus, TtySize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

const READ: usize = 16 * 1024;
/// Input waiting for the container; beyond it the client is not read.
const STDIN_WAITING: usize = 32;

enum Feed {
    Bytes(Bytes),
    Resize(TtySize),
    Eof,
}

pub struct Session {
    process: Mutex<Option<AttachedProcess>>,
    ring: Mutex<Ring>,
    /// Sequence after the newest byte.
    grown: watch::Sender<u64>,
    acked: watch::Sender<u64>,
    attached: watch::Sender<u32>,
    ended: watch::Sender<Option<ExecStatus>>,
    feed: mpsc::Sender<Feed>,
    feeds: Mutex<Option<mpsc::Receiver<Feed>>>,
    close: CancellationToken,
    size: Option<TtySize>,
}

impl Session {
    pub fn new(process: AttachedProcess, size: Option<TtySize>) -> Arc<Self> {
        let (feed, feeds) = mpsc::channel(STDIN_WAITING);
        Arc::new(Self {
            process: Mutex::new(Some(process)),
            ring: Mutex::new(Ring::new(RING_BYTES)),
            grown: watch::channel(0).0,
            acked: watch::channel(0).0,
            attached: watch::channel(0).0,
            ended: watch::channel(None).0,
            feed,
            feeds: Mutex::new(Some(feeds)),
            close: CancellationToken::new(),
            size,
        })
    }

    /// Runs the command to its end, its close, its idle or life limit, or until nobody came back to it.
    pub async fn run(&self, stop: CancellationToken) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(mut process), Some(feeds)) = (process, feeds) else { return };
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let (stdin, resize, status) = (process.stdin(), process.terminal_size(), process.take_status());
        let output = async {
            tokio::join!(self.drain(stdout, Output::Stdout), self.drain(stderr, Output::Stderr));
            match status {
                Some(status) => exit_of(status.await),
                None => exit_of(None),
            }
        };
        let end = tokio::select! {
            end = output => end,
            () = self.input(feeds, (stdin, resize)) => cut("closed"),
            () = self.limits() => cut("idle, left, or at the end of its longest life"),
            () = self.close.cancelled() => cut("closed by the client"),
            () = stop.cancelled() => cut("the agent stops"),
        };
        process.abort();
        self.ended.send_replace(Some(end));
        // The end waits for a client that lost its connection, as long as output would.
        let told = async {
            let mut attached = self.attached.subscribe();
            let _ = attached.wait_for(|n| *n == 0).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let _ = tokio::time::timeout(RESUME_WITHIN, told).await;
    }

    async fn drain(&self, reader: Option<impl AsyncRead + Unpin>, stream: Output) {
        let Some(mut reader) = reader else { return };
        let mut buffer = vec![0; READ];
        loop {
            self.wait_for_client().await;
            match reader.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => {
                    let bytes = Bytes::copy_from_slice(buffer.get(..n).unwrap_or_default());
                    let end =
                        self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(stream, bytes).end();
                    self.grown.send_replace(end);
                }
            }
        }
    }

    /// While someone is attached the command waits for acknowledgements; alone it writes on, and the ring forgets.
    async fn wait_for_client(&self) {
        let (mut acked, mut attached) = (self.acked.subscribe(), self.attached.subscribe());
        loop {
            let behind = self.grown.borrow().saturating_sub(*acked.borrow_and_update());
            if behind < UNACKNOWLEDGED || *attached.borrow_and_update() == 0 {
                return;
            }
            tokio::select! {
                _ = acked.changed() => {}
                _ = attached.changed() => {}
            }
        }
    }

    async fn input(
        &self,
        mut feeds: mpsc::Receiver<Feed>,
        (mut stdin, mut resize): (
            Option<impl tokio::io::AsyncWrite + Unpin>,
            Option<fmpsc::Sender<TerminalSize>>,
        ),
    ) {
        if let (Some(size), Some(r)) = (self.size, resize.as_mut()) {
            let _ = r.send(terminal(size)).await;
        }
        while let Some(feed) = feeds.recv().await {
            match feed {
                Feed::Bytes(bytes) => {
                    if let Some(w) = stdin.as_mut() {
                        let _ = w.write_all(&bytes).await;
                        let _ = w.flush().await;
                    }
                }
                Feed::Resize(size) => {
                    if let Some(r) = resize.as_mut() {
                        let _ = r.send(terminal(size)).await;
                    }
                }
                Feed::Eof => {
                    if let Some(mut w) = stdin.take() {
                        let _ = w.shutdown().await;
                    }
                }
            }
        }
        std::future::pending::<()>().await;
    }

    /// Ends when the session has been idle, left alone or alive too long.
    async fn limits(&self) {
        let started = Instant::now();
        let (mut quiet_since, mut left_since) = (Instant::now(), None::<Instant>);
        let mut seen = (0, 0);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = (*self.grown.borrow(), *self.acked.borrow());
            if now != seen || self.feed.capacity() < STDIN_WAITING {
                (seen, quiet_since) = (now, Instant::now());
            }
            if *self.attached.borrow() > 0 {
                left_since = None;
            } else if left_since.get_or_insert_with(Instant::now).elapsed() > RESUME_WITHIN {
                return;
            }
            if quiet_since.elapsed() > IDLE || started.elapsed() > LIFE {
                return;
            }
        }
    }

    /// Serves one client until it leaves or the command ends.
    pub async fn serve(
        &self,
        mut input: Streaming<ExecIn>,
        (out, from_seq): (mpsc::Sender<Result<ExecOut, Status>>, u64),
        stop: CancellationToken,
    ) {
        self.attached.send_modify(|n| *n += 1);
        self.acked.send_if_modified(|a| std::mem::replace(a, (*a).max(from_seq)) < from_seq);
        let output = self.send_output(&out, from_seq);
        tokio::select! {
            () = output => {}
            () = self.take_input(&mut input) => {}
            () = stop.cancelled() => {}
        }
        self.attached.send_modify(|n| *n = n.saturating_sub(1));
    }

    async fn send_output(&self, out: &mpsc::Sender<Result<ExecOut, Status>>, from_seq: u64) {
        let (mut grown, mut ended) = (self.grown.subscribe(), self.ended.subscribe());
        if out.send(message(Out::Opened(true))).await.is_err() {
            return;
        }
        let mut next = from_seq;
        loop {
            grown.borrow_and_update();
            let end = ended.borrow_and_update().clone();
            let replay = self.ring.lock().unwrap_or_else(PoisonError::into_inner).replay(next);
            if replay.missing > 0 {
                let notice = ExecNotice {
                    text: format!("{} bytes of output are missing", replay.missing),
                    missing_bytes: replay.missing,
                };
                if out.send(message(Out::Notice(notice))).await.is_err() {
                    return;
                }
            }
            for chunk in replay.chunks {
                next = chunk.end();
                let data = ExecData { seq: chunk.seq, bytes: chunk.bytes };
                let m = match chunk.stream {
                    Output::Stdout => Out::Stdout(data),
                    Output::Stderr => Out::Stderr(data),
                };
                if out.send(message(m)).await.is_err() {
                    return;
                }
            }
            if let Some(status) = end {
                let _ = out.send(message(Out::Status(status))).await;
                return;
            }
            tokio::select! {
                _ = grown.changed() => {}
                _ = ended.changed() => {}
                () = out.closed() => return,
            }
        }
    }

    async fn take_input(&self, input: &mut Streaming<ExecIn>) {
        while let Some(Ok(ExecIn { m: Some(m) })) = input.next().await {
            let feed = match m {
                In::Stdin(bytes) => Feed::Bytes(bytes),
                In::Resize(size) => Feed::Resize(size),
                In::CloseStdin(_) => Feed::Eof,
                In::Ack(seq) => {
                    self.acked.send_if_modified(|a| std::mem::replace(a, (*a).max(seq)) < seq);
                    continue;
                }
                In::Close(_) => {
                    self.close.cancel();
                    continue;
                }
                In::Open(_) => continue,
            };
            if self.feed.send(feed).await.is_err() {
                return;
            }
        }
        // A client whose input ended (half-close of the stream) still reads; a lost one ends `send_output` instead.
        std::future::pending::<()>().await;
    }
}

fn message(m: Out) -> Result<ExecOut, Status> {
    Ok(ExecOut { m: Some(m) })
}

fn terminal(size: TtySize) -> TerminalSize {
    let clamp = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    TerminalSize { width: clamp(size.cols), height: clamp(size.rows) }
}

fn cut(reason: &str) -> ExecStatus {
    ExecStatus { exit_code: -1, reason: reason.to_owned(), error_kind: String::new() }
}

/// Exit code out of the status object that ends a command. Source: remotecommand's channel 3.
fn exit_of(status: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Status>) -> ExecStatus {
    let Some(s) = status else { return cut("the connection to the container was lost") };
    if s.status.as_deref() == Some("Success") {
        return ExecStatus { exit_code: 0, ..ExecStatus::default() };
    }
    let code = s
        .details
        .and_then(|d| d.causes)
        .into_iter()
        .flatten()
        .find(|c| c.reason.as_deref() == Some("ExitCode"))
        .and_then(|c| c.message?.parse().ok());
    match code {
        Some(exit_code) => ExecStatus { exit_code, ..ExecStatus::default() },
        None => cut(&s.message.unwrap_or_else(|| "the container runtime could not run the command".into())),
    }
}
