//! Stands in for containers, which need a kubelet: a "command" that echoes its input, obeys `exit N`, and can be resumed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use ph_link::exec::{RING_BYTES, Ring, Stream as Output};
use ph_link::v1::exec_in::M as In;
use ph_link::v1::exec_out::M as Out;
use ph_link::v1::exec_server::{Exec, ExecServer};
use ph_link::v1::{ExecData, ExecIn, ExecNotice, ExecOut, ExecStatus, TtySize};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::link::tests::bed::{As, Out as Stream};

/// All commands of one agent. Clones share them.
#[derive(Clone, Default)]
pub struct Containers(Arc<Mutex<HashMap<String, Arc<Command>>>>);

struct Command {
    ring: Mutex<Ring>,
    grown: watch::Sender<u64>,
    ended: watch::Sender<Option<i32>>,
}

impl Containers {
    pub fn running(&self) -> usize {
        self.0.lock().unwrap().values().filter(|c| c.ended.borrow().is_none()).count()
    }
}

pub fn with_exec(containers: &Containers) -> As<'static> {
    let mut as_ = As::cluster();
    as_.services = as_.services.add_service(ExecServer::new(containers.clone()));
    as_
}

impl Command {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            ring: Mutex::new(Ring::new(RING_BYTES)),
            grown: watch::channel(0).0,
            ended: watch::channel(None).0,
        })
    }

    fn put(&self, text: impl Into<Bytes>) {
        let end = self.ring.lock().unwrap().push(Output::Stdout, text.into()).end();
        self.grown.send_replace(end);
    }

    fn size(&self, size: TtySize) {
        self.put(format!("{}x{} ", size.cols, size.rows));
    }

    async fn feed(&self, mut input: Streaming<ExecIn>) {
        while let Some(Ok(ExecIn { m: Some(m) })) = input.next().await {
            match m {
                In::Stdin(bytes) => match bytes.strip_prefix(b"exit ") {
                    Some(code) => {
                        let code = std::str::from_utf8(code).unwrap().trim().parse().unwrap();
                        self.ended.send_replace(Some(code));
                    }
                    None => self.put(bytes),
                },
                In::Resize(size) => self.size(size),
                In::CloseStdin(_) => drop(self.ended.send_replace(Some(0))),
                In::Close(_) => drop(self.ended.send_replace(Some(-1))),
                In::Ack(_) | In::Open(_) => {}
            }
        }
    }

    async fn output(&self, out: mpsc::Sender<Result<ExecOut, Status>>, mut next: u64) {
        let (mut grown, mut ended) = (self.grown.subscribe(), self.ended.subscribe());
        loop {
            grown.borrow_and_update();
            let end = *ended.borrow_and_update();
            let replay = self.ring.lock().unwrap().replay(next);
            let missing = (replay.missing > 0)
                .then(|| Out::Notice(ExecNotice { text: "missing".into(), missing_bytes: replay.missing }));
            let data = replay.chunks.into_iter().map(|c| {
                next = c.end();
                Out::Stdout(ExecData { seq: c.seq, bytes: c.bytes })
            });
            let status = end.map(|exit_code| {
                Out::Status(ExecStatus { exit_code, reason: String::new(), error_kind: String::new() })
            });
            for m in missing.into_iter().chain(data).chain(status) {
                if out.send(Ok(ExecOut { m: Some(m) })).await.is_err() {
                    return;
                }
            }
            if end.is_some() {
                return;
            }
            tokio::select! {
                _ = grown.changed() => {}
                _ = ended.changed() => {}
                () = out.closed() => return,
            }
        }
    }
}

#[tonic::async_trait]
impl Exec for Containers {
    type RunStream = Stream<ExecOut>;

    async fn run(&self, ask: Request<Streaming<ExecIn>>) -> Result<Response<Self::RunStream>, Status> {
        let mut input = ask.into_inner();
        let Some(Ok(ExecIn { m: Some(In::Open(open)) })) = input.next().await else {
            return Err(Status::invalid_argument("open comes first"));
        };
        let command = if open.resume {
            let found = self.0.lock().unwrap().get(&open.tty_id).cloned();
            found.ok_or_else(|| Status::not_found("the command has ended"))?
        } else {
            let command = Command::new();
            if let Some(size) = open.size {
                command.size(size);
            }
            self.0.lock().unwrap().insert(open.tty_id, command.clone());
            command
        };
        let (out, stream) = mpsc::channel(16);
        let tasks = TaskTracker::new();
        let feeding = command.clone();
        tasks.spawn(async move { feeding.feed(input).await });
        tasks.spawn(async move { command.output(out, open.from_seq).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}
