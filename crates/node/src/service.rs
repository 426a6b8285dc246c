//! What the gateway can ask of this agent over the link: logs, and on a Docker host its containers.
//!
//! `Agent.Status` is served by the link itself from this agent's report.

mod objects;
mod read;
mod sources;
mod wire;

use std::sync::Arc;

use ph_link::v1::logs_server::{Logs, LogsServer};
use ph_link::v1::objects_server::ObjectsServer;
use ph_link::v1::{CountAsk, CountEvent, ReadControl, ReadEvent, SourcesAsk, SourcesReply};
use ph_taillog::Roots;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::config::{Mode, NodeConfig};
use crate::docker::Container;
use crate::enrich::Place;
use crate::pods::Pods;
use crate::rights::log_thread;

/// What the services need.
#[derive(Clone, Debug)]
pub struct Services {
    pub config: Arc<NodeConfig>,
    pub pods: Pods,
    /// Containers of a Docker host; empty elsewhere.
    pub containers: watch::Receiver<Arc<Vec<Container>>>,
    pub place: Arc<Place>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// Reads at once.
const MAX_READS: usize = 64;
/// Events on their way of one read: two batches and what stands between them.
const EVENTS: usize = 4;

/// The agent's own services.
pub fn routes(services: &Services) -> Routes {
    let logs =
        LogService { services: services.clone(), slots: Arc::new(tokio::sync::Semaphore::new(MAX_READS)) };
    let mut routes = Routes::new(LogsServer::new(logs));
    if services.config.mode != Mode::Kubernetes {
        routes = routes.add_service(ObjectsServer::new(objects::ObjectService::new(services.clone())));
    }
    routes
}

impl Services {
    /// Where logs lie. Each call counts refused files anew.
    pub fn roots(&self) -> Roots {
        Roots::new(&self.config.logs.pods, &self.config.logs.docker)
    }
}

struct LogService {
    services: Services,
    slots: Arc<tokio::sync::Semaphore>,
}

#[tonic::async_trait]
impl Logs for LogService {
    async fn sources(&self, ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        let (services, only) = (self.services.clone(), ask.into_inner().only);
        let (tell, hear) = oneshot::channel();
        log_thread("log-list", move || {
            // Nobody waits any more when the call was cancelled.
            let _ = tell.send(sources::list(&services, &only));
        })
        .map_err(|e| Status::resource_exhausted(format!("start a thread: {e}")))?;
        let reply = hear.await.map_err(|_| Status::internal("the listing thread ended early"))?;
        reply.map(Response::new)
    }

    type CountStream = ReceiverStream<Result<CountEvent, Status>>;

    async fn count(&self, _ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        Err(Status::unimplemented("this agent cannot count yet"))
    }

    type ReadStream = ReceiverStream<Result<ReadEvent, Status>>;

    async fn read(&self, ask: Request<Streaming<ReadControl>>) -> Result<Response<Self::ReadStream>, Status> {
        let mut controls = ask.into_inner();
        let Some(open) = read::first(&mut controls).await? else {
            return Err(Status::invalid_argument("the first message of a read must be `open`"));
        };
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{MAX_READS} logs are being read on this node; try again later"
            ))
        })?;
        let plan = read::Plan::new(&self.services, open)?;
        let (credit, follow) = (read::Credit::new(plan.credit_bytes), plan.follow);
        let (events, out) = mpsc::channel(EVENTS);
        let (ended, over) = oneshot::channel::<()>();
        let (services, own_credit) = (self.services.clone(), credit.clone());
        log_thread("log-read", move || {
            read::run(&services, plan, &own_credit, &events);
            drop((slot, ended));
        })
        .map_err(|e| Status::resource_exhausted(format!("start a thread: {e}")))?;
        let stop = self.services.stop.clone();
        self.services.tasks.spawn(async move {
            let steered = async {
                let half_closed = steer(&mut controls, &credit).await;
                if half_closed && !follow {
                    // What is in the files can still be sent as far as the credit goes.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = steered => {}
                _ = over => {}
                () = stop.cancelled() => {}
            }
            credit.close();
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }
}

/// Takes up the reader's messages. True when it closed its half without a word, false when it wants the read to end.
async fn steer(controls: &mut Streaming<ReadControl>, credit: &read::Credit) -> bool {
    use ph_link::v1::read_control::M;
    while let Some(control) = controls.next().await {
        match control.map(|c| c.m) {
            Ok(Some(M::CreditBytes(bytes))) => credit.grant(bytes),
            // Tickets do not exist yet, so there is nothing to renew; a second `open` is not understood.
            Ok(Some(M::RenewTicket(_))) => {}
            Ok(Some(M::Close(_) | M::Open(_)) | None) | Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
