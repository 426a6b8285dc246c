//! Commands in containers: kube's exec on one side, a resumable stream on the link on the other.
//!
//! Never: starts a command in another pod than the one whose UID was authorized, or above the cluster's own ceiling.

mod session;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams};
use ph_link::v1::exec_in::M as In;
use ph_link::v1::exec_server::Exec;
use ph_link::v1::{ExecIn, ExecOpen, ExecOut, Tier};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::term::Whose;
use session::Session;

/// Output messages on their way to one client.
const IN_FLIGHT: usize = 16;

pub struct ExecService {
    pub client: kube::Client,
    pub whose: Whose,
    /// Set by the cluster's owner; below `debug` nothing is executed.
    pub ceiling: Tier,
    pub sessions: Arc<Sessions>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// Commands that run, or whose end nobody has been told yet.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, id: &str, session: Arc<Session>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), session);
    }

    fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

#[tonic::async_trait]
impl Exec for ExecService {
    type RunStream = Pin<Box<dyn Stream<Item = Result<ExecOut, Status>> + Send>>;

    async fn run(&self, request: Request<Streaming<ExecIn>>) -> Result<Response<Self::RunStream>, Status> {
        let mut input = request.into_inner();
        let Some(Ok(ExecIn { m: Some(In::Open(open)) })) = input.next().await else {
            return Err(Status::invalid_argument("the first message of a command is `open`"));
        };
        if self.ceiling < Tier::Debug {
            return Err(Status::permission_denied(
                "tier.debug-required: this cluster's owner allows tier observe; join it with --tier debug to run commands",
            ));
        }
        let from_seq = open.from_seq;
        let session = if open.resume {
            self.sessions
                .find(&open.tty_id)
                .ok_or_else(|| Status::not_found("the command has ended, or was left for more than 60 s"))?
        } else {
            self.start(&open).await?
        };
        let (out, stream) = tokio::sync::mpsc::channel(IN_FLIGHT);
        let stop = self.stop.clone();
        self.tasks.spawn(async move { session.serve(input, (out, from_seq), stop).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl ExecService {
    async fn start(&self, open: &ExecOpen) -> Result<Arc<Session>, Status> {
        if open.argv.is_empty() || open.tty_id.is_empty() {
            return Err(Status::invalid_argument("a command needs a tty_id and at least one argument"));
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &open.namespace);
        let pod = api
            .get(&open.pod)
            .await
            .map_err(|e| status_of(&e, self.whose, &format!("pod {}/{}", open.namespace, open.pod)))?;
        if pod.metadata.uid.as_deref() != Some(&open.pod_uid) {
            return Err(Status::failed_precondition(format!(
                "pod {}/{} is another one by now (its UID changed); open a new session",
                open.namespace, open.pod
            )));
        }
        let params = AttachParams {
            container: (!open.container.is_empty()).then(|| open.container.clone()),
            stdin: open.stdin,
            stdout: true,
            stderr: !open.tty,
            tty: open.tty,
            ..AttachParams::default()
        };
        tracing::info!(actor = %open.actor, namespace = %open.namespace, pod = %open.pod, container = %open.container, "command opened");
        let process = api.exec(&open.pod, open.argv.clone(), &params).await.map_err(|e| {
            status_of(&e, self.whose, &format!("exec in pod {}/{}", open.namespace, open.pod))
        })?;
        let session = Session::new(process, open.size.filter(|_| open.tty));
        self.sessions.keep(&open.tty_id, session.clone());
        let (sessions, id, running, stop) =
            (self.sessions.clone(), open.tty_id.clone(), session.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            running.run(stop).await;
            sessions.forget(&id);
        });
        Ok(session)
    }
}

fn status_of(error: &kube::Error, whose: Whose, what: &str) -> Status {
    let text = format!("{what}: {}", crate::error::chain(error));
    let fix = match whose {
        Whose::Account => {
            "join the cluster with --tier debug, which grants pods/exec to ClusterRole pilothouse-cluster-agent"
        }
        Whose::Person => "get and create on pods/exec in its namespace would allow it",
    };
    match error {
        kube::Error::Api(s) if s.code == 404 => Status::not_found(text),
        kube::Error::Api(s) if s.code == 403 => Status::permission_denied(format!("{text}; {fix}")),
        _ => Status::unavailable(text),
    }
}
