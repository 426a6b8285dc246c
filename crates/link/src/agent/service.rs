//! The `Agent` service of one connection: Hello, Token, Status, Ping.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use ph_model::Secret;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::LinkState;
use crate::proof::HelloProof;
use crate::{HeldToken, Identity, TokenSource, v1};

/// What stays the same over all connections of one process.
pub(super) struct Link {
    pub identity: Identity,
    /// As dialled: a Hello in another name is not signed, so no server can pass our proof on to another one.
    pub host: String,
    pub instance: [u8; 16],
    pub held_epoch: AtomicU64,
    pub kind: v1::AgentKind,
    pub node: String,
    pub cluster_uid: String,
    pub ceiling: v1::Tier,
    pub version: String,
    pub platform: String,
    pub tokens: TokenSource,
    pub state: watch::Sender<LinkState>,
}

/// What the connection's loop watches.
#[derive(Clone, Debug)]
pub(super) struct Signs {
    /// When the gateway last called Ping, Hello or Token.
    pub heard: Instant,
    pub accepted: bool,
}

pub(super) struct AgentService {
    link: Arc<Link>,
    status: watch::Receiver<v1::StatusReport>,
    signs: watch::Sender<Signs>,
    closed: CancellationToken,
}

impl AgentService {
    pub fn new(
        link: Arc<Link>,
        status: watch::Receiver<v1::StatusReport>,
        closed: CancellationToken,
    ) -> (Self, watch::Receiver<Signs>) {
        let (signs, watched) = watch::channel(Signs { heard: Instant::now(), accepted: false });
        (Self { link, status, signs, closed }, watched)
    }

    fn heard(&self) {
        self.signs.send_modify(|signs| signs.heard = Instant::now());
    }
}

type StatusStream = Pin<Box<dyn Stream<Item = Result<v1::StatusReport, Status>> + Send>>;

#[tonic::async_trait]
impl v1::agent_server::Agent for AgentService {
    async fn hello(&self, ask: Request<v1::HelloAsk>) -> Result<Response<v1::HelloReply>, Status> {
        self.heard();
        let ask = ask.into_inner();
        let link = &self.link;
        if !ask.public_host.eq_ignore_ascii_case(&link.host) {
            return Err(Status::failed_precondition(format!(
                "the server calls itself {:?}, but this agent was told to dial {:?}; start the server with --public-url, \
                 or give the agent the server's own address",
                ask.public_host, link.host
            )));
        }
        if ask.nonce.len() != 32 {
            return Err(Status::invalid_argument("the nonce must have 32 bytes"));
        }
        let proof = HelloProof {
            nonce: &ask.nonce,
            epoch: ask.epoch,
            instance: &link.instance,
            public_host: &ask.public_host,
        };
        let signature = proof.sign(link.identity.key.signing());
        Ok(Response::new(v1::HelloReply {
            instance: Bytes::copy_from_slice(&link.instance),
            public_key: Bytes::copy_from_slice(&link.identity.key.public()),
            signature: Bytes::copy_from_slice(&signature),
            agent_id: link.identity.agent_id.to_string(),
            kind: link.kind.into(),
            version: link.version.clone(),
            cluster_uid: link.cluster_uid.clone(),
            node: link.node.clone(),
            ceiling: link.ceiling.into(),
            platform: link.platform.clone(),
            held_epoch: link.held_epoch.load(Ordering::Acquire),
        }))
    }

    async fn token(&self, ask: Request<v1::TokenAsk>) -> Result<Response<v1::TokenReply>, Status> {
        let v1::TokenAsk { token, expires_ms, cluster_name, epoch } = ask.into_inner();
        self.link.tokens.put(HeldToken { token: Secret::new(token), expires_ms });
        self.link.held_epoch.store(epoch, Ordering::Release);
        let first = !self.signs.borrow().accepted;
        self.signs.send_modify(|signs| {
            signs.heard = Instant::now();
            signs.accepted = true;
        });
        if first {
            tracing::info!(cluster = cluster_name, epoch, "link is up");
            self.link.state.send_replace(LinkState::Connected { epoch });
        }
        Ok(Response::new(v1::TokenReply {}))
    }

    type StatusStream = StatusStream;

    async fn status(&self, _: Request<v1::StatusAsk>) -> Result<Response<StatusStream>, Status> {
        let closed = self.closed.clone().cancelled_owned();
        let reports = WatchStream::new(self.status.clone()).map(Ok).take_until(closed);
        Ok(Response::new(Box::pin(reports)))
    }

    async fn ping(&self, ask: Request<v1::PingAsk>) -> Result<Response<v1::PingReply>, Status> {
        self.heard();
        Ok(Response::new(v1::PingReply { n: ask.into_inner().n }))
    }
}
