//! The inventory on the link: full state, then deltas.

use std::sync::Arc;

use futures::Stream;
use ph_link::v1::objects_server::Objects;
use ph_link::v1::{ObjectsAsk, ObjectsEvent};
use std::pin::Pin;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

use crate::inventory::Inventory;

/// Events on their way to one watcher; beyond it the watcher is waited for.
const IN_FLIGHT: usize = 256;

pub struct ObjectsService {
    pub inventory: Arc<Inventory>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

#[tonic::async_trait]
impl Objects for ObjectsService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<ObjectsEvent, Status>> + Send>>;

    async fn watch(&self, request: Request<ObjectsAsk>) -> Result<Response<Self::WatchStream>, Status> {
        let only = request.into_inner().kinds;
        let (out, stream) = tokio::sync::mpsc::channel(IN_FLIGHT);
        let (inventory, stop) = (self.inventory.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            loop {
                let (state, mut changes) = inventory.watch(&only);
                for event in state {
                    if out.send(Ok(event)).await.is_err() {
                        return;
                    }
                }
                loop {
                    let next = tokio::select! {
                        () = stop.cancelled() => return,
                        () = out.closed() => return,
                        next = changes.recv() => next,
                    };
                    match next {
                        Ok(event) if wanted(&event, &only) => {
                            if out.send(Ok(event)).await.is_err() {
                                return;
                            }
                        }
                        Ok(_) => {}
                        // Too far behind: start over with the full state, in which each kind begins with a reset.
                        Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return,
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn wanted(event: &ObjectsEvent, only: &[String]) -> bool {
    use ph_link::v1::objects_event::M;
    let kind = match &event.m {
        Some(M::Set(s)) => &s.kind,
        Some(M::Gone(g)) => &g.kind,
        Some(M::Synced(s)) => &s.kind,
        Some(M::Failed(f)) => &f.kind,
        Some(M::Reset(r)) => &r.kind,
        None => return false,
    };
    only.is_empty() || only.contains(kind)
}
