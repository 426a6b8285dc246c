//! What the gateway can ask of this agent over the link: logs, and on a Docker host its containers.
//!
//! `Agent.Status` is served by the link itself from this agent's report.

mod count;
mod masking;
mod objects;
mod read;
mod sources;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use ph_link::tickets;
use ph_link::v1::logs_server::{Logs, LogsServer};
use ph_link::v1::objects_server::ObjectsServer;
use ph_link::v1::{CountAsk, CountEvent, ReadControl, ReadEvent, SourcesAsk, SourcesReply};
use ph_taillog::{Roots, Watching};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
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
pub use masking::Masks;

pub use ph_link::tickets::{LogTrust, LogTrustFeed, Tickets};

/// What the services need.
#[derive(Clone, Debug)]
pub struct Services {
    pub config: Arc<NodeConfig>,
    /// Where logs lie. Clones share the room for inflated files.
    pub roots: Roots,
    pub pods: Pods,
    /// Containers of a Docker host; empty elsewhere.
    pub containers: watch::Receiver<Arc<Vec<Container>>>,
    pub place: Arc<Place>,
    /// Checked before a log is read.
    pub tickets: Tickets,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    pub masks: Masks,
    /// The inotify instance of this process.
    pub watching: Watching,
}

/// Reads at once.
const MAX_READS: usize = 64;
/// How long a read whose right is over may take to end, and its last word to be taken.
const LAST_WORD: Duration = Duration::from_secs(2);
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
        self.roots.counted_anew()
    }
}

struct LogService {
    services: Services,
    slots: Arc<tokio::sync::Semaphore>,
}

impl LogService {
    fn slot(&self) -> Result<OwnedSemaphorePermit, Status> {
        let busy = |_| {
            Status::resource_exhausted(format!(
                "{MAX_READS} logs are being read on this node; try again later"
            ))
        };
        self.slots.clone().try_acquire_owned().map_err(busy)
    }
}

#[tonic::async_trait]
impl Logs for LogService {
    async fn sources(&self, ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        let (services, ask) = (self.services.clone(), ask.into_inner());
        let may = services.tickets.listing(ask.ticket).await?;
        let only = ask.only;
        let (tell, hear) = oneshot::channel();
        log_thread("log-list", move || {
            // Nobody waits any more when the call was cancelled.
            let _ = tell.send(sources::list(&services, &only, &may));
        })
        .map_err(|e| Status::resource_exhausted(format!("start a thread: {e}")))?;
        let reply = hear.await.map_err(|_| Status::internal("the listing thread ended early"))?;
        reply.map(Response::new)
    }

    type CountStream = ReceiverStream<Result<CountEvent, Status>>;

    async fn count(&self, ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        let mut ask = ask.into_inner();
        let slot = self.slot()?;
        let mut open = ask.open.take().unwrap_or_default();
        let admission = self.services.tickets.admit(&mut open).await?;
        ask.open = Some(open);
        let counting = count::Counting::new(&self.services, ask, admission.denied)?;
        let (events, out) = mpsc::channel(EVENTS);
        let services = self.services.clone();
        log_thread("log-count", move || {
            count::run(&services, counting, &events);
            drop(slot);
        })
        .map_err(|e| Status::resource_exhausted(format!("start a thread: {e}")))?;
        Ok(Response::new(ReceiverStream::new(out)))
    }

    type ReadStream = ReceiverStream<Result<ReadEvent, Status>>;

    async fn read(&self, ask: Request<Streaming<ReadControl>>) -> Result<Response<Self::ReadStream>, Status> {
        let mut controls = ask.into_inner();
        let Some(mut open) = read::first(&mut controls).await? else {
            return Err(Status::invalid_argument("the first message of a read must be `open`"));
        };
        let slot = self.slot()?;
        let tickets::Admission { denied, lease } = self.services.tickets.admit(&mut open).await?;
        let plan = read::Plan::new(&self.services, open)?.without(denied);
        let (credit, follow) = (read::Credit::new(plan.credit_bytes), plan.follow);
        let (events, out) = mpsc::channel(EVENTS);
        let (ended, mut over) = oneshot::channel::<()>();
        let (last_word, indexes) = (events.clone(), plan.wanted.iter().map(|w| w.index).collect::<Vec<_>>());
        let (services, own_credit) = (self.services.clone(), credit.clone());
        log_thread("log-read", move || {
            read::run(&services, plan, &own_credit, &events);
            drop((slot, ended));
        })
        .map_err(|e| Status::resource_exhausted(format!("start a thread: {e}")))?;
        let stop = self.services.stop.clone();
        self.services.tasks.spawn(async move {
            let steered = async {
                let half_closed = steer(&mut controls, &credit, &lease).await;
                if half_closed && !follow {
                    // What is in the files can still be sent as far as the credit goes.
                    std::future::pending::<()>().await;
                }
            };
            let refused = tokio::select! {
                () = steered => None,
                _ = &mut over => None,
                () = stop.cancelled() => None,
                why = lease.over() => Some(why),
            };
            credit.close();
            if let Some(why) = refused {
                let told = async {
                    // The thread ends first, so that the refusal is the last event.
                    let _ = over.await;
                    for index in indexes {
                        let _ = last_word.send(Ok(wire::denied(index, why.clone()))).await;
                    }
                };
                // A reader that takes nothing is not waited for.
                let _ = tokio::time::timeout(LAST_WORD, told).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }
}

/// Takes up the reader's messages. True when it closed its half without a word, false when it wants the read to end.
async fn steer(controls: &mut Streaming<ReadControl>, credit: &read::Credit, lease: &tickets::Lease) -> bool {
    use ph_link::v1::read_control::M;
    while let Some(control) = controls.next().await {
        match control.map(|c| c.m) {
            Ok(Some(M::CreditBytes(bytes))) => credit.grant(bytes),
            Ok(Some(M::RenewTicket(ticket))) => lease.renew(&ticket).await,
            // A word of a newer server.
            Ok(None) => {}
            // A second `open` is not understood.
            Ok(Some(M::Close(_) | M::Open(_))) | Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
