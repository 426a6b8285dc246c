//! One link as the gateway sees it.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use ph_model::AgentId;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::frame::{Ends, MessageIo};
use crate::proof::HelloProof;
use crate::tasks::Tracked;
use crate::v1::agent_client::AgentClient;
use crate::{CONNECTION_WINDOW, Close, CloseCode, Error, Frames, STREAM_WINDOW, v1, verify_hello};

/// What the gateway offers in its Hello.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Host name of the server; the agent signs it only when it dialled the same.
    pub public_host: String,
    /// Offered epoch: higher than any given out before.
    pub epoch: u64,
    /// The whole proof must be done by then.
    pub deadline: Duration,
}

/// What the agent said and proved. The key's owner is proven; that the key is this agent's is for the caller to check.
#[derive(Clone, Debug)]
pub struct Hello {
    pub agent_id: AgentId,
    pub public_key: [u8; 32],
    pub instance: [u8; 16],
    pub held_epoch: u64,
    pub offered_epoch: u64,
    pub kind: v1::AgentKind,
    pub version: String,
    pub cluster_uid: String,
    pub node: String,
    pub ceiling: v1::Tier,
    pub platform: String,
}

/// How often to ping, and when to give up.
#[derive(Clone, Copy, Debug)]
pub struct PulseTiming {
    pub every: Duration,
    pub dead_after: Duration,
}

impl Default for PulseTiming {
    fn default() -> Self {
        Self { every: Duration::from_secs(15), dead_after: Duration::from_secs(45) }
    }
}

/// An open link whose agent has proven its key. Clones share it.
#[derive(Clone, Debug)]
pub struct Session {
    channel: Channel,
    ends: Ends,
    /// Microseconds; 0: not measured.
    rtt: Arc<AtomicU64>,
    heard: watch::Sender<Instant>,
    status: watch::Sender<v1::StatusReport>,
}

/// Opens the connection over a socket and has the agent prove its key. `tasks` owns the connection's own task.
///
/// Errors: [`Error::Unproven`] when the proof fails, [`Error::Timeout`] after the deadline; the socket is closed then.
pub async fn greet<F: Frames>(
    frames: F,
    greeting: &Greeting,
    tasks: &TaskTracker,
) -> Result<(Hello, Session), Error> {
    let (io, ends) = MessageIo::new(frames);
    let greeted = tokio::time::timeout(greeting.deadline, open_and_greet(io, &ends, greeting, tasks)).await;
    let failed = match greeted {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error,
        Err(_) => Error::Timeout { act: "the agent's proof".into(), seconds: greeting.deadline.as_secs() },
    };
    ends.cut(Close::new(CloseCode::UNPROVEN, failed.to_string()));
    Err(failed)
}

async fn open_and_greet<F: Frames>(
    io: MessageIo<F>,
    ends: &Ends,
    greeting: &Greeting,
    tasks: &TaskTracker,
) -> Result<(Hello, Session), Error> {
    let channel = open(io, tasks).await?;
    let mut nonce = [0_u8; 32];
    getrandom::fill(&mut nonce).map_err(|e| Error::Random(e.to_string()))?;
    let ask = v1::HelloAsk {
        nonce: nonce.to_vec().into(),
        epoch: greeting.epoch,
        public_host: greeting.public_host.clone(),
    };
    let reply = AgentClient::new(channel.clone()).hello(ask).await.map_err(|status| match status.code() {
        tonic::Code::FailedPrecondition => Error::Unproven(status.message().to_owned()),
        _ => Error::Call { call: "Hello", cause: Box::new(status) },
    })?;
    let hello = check(reply.into_inner(), &nonce, greeting)?;
    let session = Session {
        channel,
        ends: ends.clone(),
        rtt: Arc::default(),
        heard: watch::channel(Instant::now()).0,
        status: watch::channel(v1::StatusReport::default()).0,
    };
    Ok((hello, session))
}

/// The channel over exactly this socket: when it is gone, calls fail instead of dialling.
async fn open<F: Frames>(io: MessageIo<F>, tasks: &TaskTracker) -> Result<Channel, Error> {
    let mut once = Some(TokioIo::new(io));
    let connector = tower::service_fn(move |_: Uri| {
        let io = once.take().ok_or_else(|| std::io::Error::other("the link is closed"));
        std::future::ready(io)
    });
    let endpoint = Endpoint::from_static("http://agent.invalid")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .executor(Tracked(tasks.clone()));
    endpoint.connect_with_connector(connector).await.map_err(|e| Error::Broken(Box::new(e)))
}

fn check(reply: v1::HelloReply, nonce: &[u8], greeting: &Greeting) -> Result<Hello, Error> {
    let unproven = |reason: &str| Error::Unproven(reason.to_owned());
    let proof = HelloProof {
        nonce,
        epoch: greeting.epoch,
        instance: &reply.instance,
        public_host: &greeting.public_host,
    };
    if !verify_hello(&reply.public_key, &reply.signature, proof) {
        return Err(unproven("its signature does not fit its key"));
    }
    let kind = reply.kind();
    if kind == v1::AgentKind::Unspecified {
        return Err(unproven("it names no kind that this server knows"));
    }
    Ok(Hello {
        agent_id: AgentId::from_str(&reply.agent_id).map_err(|_| unproven("its agent id is not an id"))?,
        public_key: reply
            .public_key
            .as_ref()
            .try_into()
            .map_err(|_| unproven("its key has a wrong length"))?,
        instance: reply
            .instance
            .as_ref()
            .try_into()
            .map_err(|_| unproven("its instance has a wrong length"))?,
        held_epoch: reply.held_epoch,
        offered_epoch: greeting.epoch,
        kind,
        ceiling: reply.ceiling(),
        version: reply.version,
        cluster_uid: reply.cluster_uid,
        node: reply.node,
        platform: reply.platform,
    })
}

impl Session {
    /// For calls to the agent's services.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Cancelled when the link is gone, for whatever reason.
    pub fn closed(&self) -> &CancellationToken {
        &self.ends.closed
    }

    /// Ends the link and every stream on it at once; the first reason given is the one that the agent reads.
    pub fn cut(&self, close: Close) {
        self.ends.cut(close);
    }

    /// Round trip of the last ping; `None` before the first.
    pub fn rtt(&self) -> Option<Duration> {
        match self.rtt.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// The agent's own report of itself, and each change of it.
    pub fn status(&self) -> watch::Receiver<v1::StatusReport> {
        self.status.subscribe()
    }

    /// When the agent last answered a ping.
    pub fn last_heard(&self) -> Instant {
        *self.heard.borrow()
    }

    /// Hands the agent its token; with the first it knows that it is accepted.
    pub async fn accept(&self, token: v1::TokenAsk) -> Result<(), Error> {
        let call = AgentClient::new(self.channel()).token(token).await;
        call.map(drop).map_err(|cause| Error::Call { call: "Token", cause: Box::new(cause) })
    }

    /// Pings and follows the agent's status until the link is gone; cuts it when pings stay unanswered.
    pub async fn watch_pulse(&self, timing: PulseTiming) {
        tokio::select! {
            () = self.ends.closed.cancelled() => {}
            () = self.pings(timing) => self.cut(Close::new(CloseCode::SILENT, "pings stay unanswered")),
            () = self.follow_status() => {}
        }
    }

    /// Returns when the agent has been silent for too long.
    async fn pings(&self, timing: PulseTiming) {
        let mut client = AgentClient::new(self.channel());
        let mut ticks = tokio::time::interval(timing.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for n in 1.. {
            ticks.tick().await;
            let sent = Instant::now();
            let dead = self.last_heard() + timing.dead_after;
            match tokio::time::timeout_at(dead, client.ping(v1::PingAsk { n })).await {
                Ok(Ok(reply)) if reply.get_ref().n == n => {
                    let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.rtt.store(micros.max(1), Ordering::Relaxed);
                    self.heard.send_replace(Instant::now());
                }
                Ok(Ok(_)) => tracing::warn!("an agent answered another ping than was sent"),
                Ok(Err(error)) => tracing::debug!(%error, "a ping failed"),
                Err(_) => return,
            }
            if Instant::now() >= dead {
                return;
            }
        }
    }

    /// Never returns: an agent without a status is still an agent.
    async fn follow_status(&self) {
        let mut client = AgentClient::new(self.channel());
        match client.status(v1::StatusAsk {}).await {
            Ok(answer) => {
                let mut reports = answer.into_inner();
                loop {
                    match reports.message().await {
                        Ok(Some(report)) => drop(self.status.send_replace(report)),
                        Ok(None) => break,
                        Err(error) => {
                            tracing::debug!(%error, "status of an agent broke off");
                            break;
                        }
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "an agent gives no status"),
        }
        std::future::pending::<()>().await;
    }
}
