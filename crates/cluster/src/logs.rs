//! Container logs on the link, read over the Kubernetes API: for nodes whose own agent is away, and for clusters that have none.
//!
//! In:     tickets of this very agent, so that a gateway alone reads nothing; what is asked of named containers.
//! Out:    records as a node-agent gives them, masked, with positions of their own kind; what is missing, said in place.
//! Never:  a place in a node's file taken for a place of this kind: see [`ph_link::API_SEGMENT`].

mod count;
mod plan;
mod read;
mod sources;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ph_link::tickets::{Admission, Tickets};
use ph_link::v1::logs_server::Logs;
use ph_link::v1::read_control::M as Control;
use ph_link::v1::{CountAsk, CountEvent, ReadControl, ReadEvent, ReadOpen, SourcesAsk, SourcesReply};
use ph_model::Secret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::inventory::Inventory;
use crate::kube_logs::Mask;
use plan::Plan;
use sources::FirstLines;

/// Reads and counts at once.
const MAX_READS: usize = 64;
/// Streams to the API server of one read.
const AT_ONCE: usize = 50;
/// Events on their way of one read.
const EVENTS: usize = 4;
/// Masks that are kept for the next read.
const MASKS: usize = 4;
/// A key must have so many bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Whether lines may leave as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmasked {
    Refused,
    /// To people who ask for it: it is their own kubeconfig.
    Allowed,
}

/// What reads need.
pub struct Desk {
    pub client: kube::Client,
    pub inventory: Arc<Inventory>,
    pub tickets: Tickets,
    pub unmasked: Unmasked,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// The service. Clones share everything.
#[derive(Clone)]
pub struct LogsService {
    desk: Arc<Desk>,
    slots: Arc<Semaphore>,
    masks: Arc<Mutex<HashMap<Vec<u8>, Arc<Mask>>>>,
    firsts: Arc<FirstLines>,
}

impl LogsService {
    pub fn new(desk: Desk) -> Self {
        Self {
            desk: Arc::new(desk),
            slots: Arc::new(Semaphore::new(MAX_READS)),
            masks: Arc::default(),
            firsts: Arc::default(),
        }
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, Status> {
        self.slots.clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{MAX_READS} logs are being read over this cluster's API; try again later"
            ))
        })
    }

    /// The mask for a read; `None` only where the caller asks for lines as they are and may have them.
    fn mask(&self, open: &ReadOpen) -> Result<Option<Arc<Mask>>, Status> {
        match (open.unmasked, self.desk.unmasked) {
            (true, Unmasked::Allowed) => return Ok(None),
            (true, Unmasked::Refused) => {
                return Err(Status::permission_denied(
                    "lines leave this cluster masked; over the Kubernetes API there are no others",
                ));
            }
            (false, _) => {}
        }
        if !KEY_BYTES.contains(&open.mask_key.len()) {
            return Err(Status::invalid_argument("mask_key must have 16 to 64 bytes"));
        }
        let mut masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mask) = masks.get(open.mask_key.as_ref()) {
            return Ok(Some(mask.clone()));
        }
        let mask = Mask::new(&Secret::new(open.mask_key.to_vec()))
            .ok_or_else(|| Status::internal("no mask could be made, so nothing is read"))?;
        let mask = Arc::new(mask);
        if masks.len() >= MASKS {
            masks.clear();
        }
        masks.insert(open.mask_key.to_vec(), mask.clone());
        Ok(Some(mask))
    }
}

#[tonic::async_trait]
impl Logs for LogsService {
    async fn sources(&self, ask: Request<SourcesAsk>) -> Result<Response<SourcesReply>, Status> {
        let SourcesAsk { mut only, ticket } = ask.into_inner();
        let may = self.desk.tickets.listing(ticket).await?;
        only.retain(|source| may.covers(source));
        Ok(Response::new(sources::list(&self.desk, &self.firsts, &only).await))
    }

    type ReadStream = ReceiverStream<Result<ReadEvent, Status>>;

    async fn read(&self, ask: Request<Streaming<ReadControl>>) -> Result<Response<Self::ReadStream>, Status> {
        let mut controls = ask.into_inner();
        let Some(ReadControl { m: Some(Control::Open(mut open)) }) = controls.message().await? else {
            return Err(Status::invalid_argument("the first message of a read must be `open`"));
        };
        let slot = self.slot()?;
        let Admission { denied, lease } = self.desk.tickets.admit(&mut open).await?;
        let plan = Plan::new(&open, self.mask(&open)?)?.without(denied);
        let (events, out) = mpsc::channel(EVENTS);
        let desk = self.desk.clone();
        self.desk.tasks.spawn(async move {
            read::run(&desk, plan, (controls, lease), events).await;
            drop(slot);
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }

    type CountStream = ReceiverStream<Result<CountEvent, Status>>;

    async fn count(&self, ask: Request<CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        let mut ask = ask.into_inner();
        let mut open = ask.open.take().ok_or_else(|| Status::invalid_argument("open is missing"))?;
        let slot = self.slot()?;
        let Admission { denied, .. } = self.desk.tickets.admit(&mut open).await?;
        let mask = self.mask(&open)?;
        ask.open = Some(open);
        let counting = count::Counting::new(ask, mask, denied)?;
        let (events, out) = mpsc::channel(EVENTS);
        let desk = self.desk.clone();
        self.desk.tasks.spawn(async move {
            count::run(&desk, counting, events).await;
            drop(slot);
        });
        Ok(Response::new(ReceiverStream::new(out)))
    }
}
