//! The agent's end of the link: dials, proves its key, serves gRPC to the gateway, dials again.
//!
//! Out:    [`TokenSource`] for telemetry and a [`LinkState`] for status pages.
//! Never:  gives up: only `stop` ends it.

mod backoff;
mod service;

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt, future};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WsCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::frame::{Ends, MessageIo};
use crate::tasks::Tracked;
use crate::v1::agent_server::AgentServer;
use crate::{
    CONNECTION_WINDOW, Close, CloseCode, Error, Frame, Frames, Identity, MAX_MESSAGE, MAX_STREAMS, Origin,
    STREAM_WINDOW, SUBPROTOCOL, TokenSource, v1,
};
use backoff::Backoff;
use service::{AgentService, Link};

/// Waits of one agent's link. The defaults are the product's; tests pass others.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub retry_first: Duration,
    pub retry_cap: Duration,
    /// Without a ping for this long the link is dead.
    pub silence: Duration,
    /// For streams to end after `stop`.
    pub drain: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retry_first: Duration::from_millis(500),
            retry_cap: Duration::from_secs(30),
            silence: Duration::from_secs(45),
            drain: Duration::from_secs(5),
        }
    }
}

/// Everything an agent is on the link.
pub struct LinkConfig {
    pub origin: Origin,
    pub identity: Identity,
    pub kind: v1::AgentKind,
    /// Node or host name; empty for a cluster-agent.
    pub node: String,
    /// UID of `kube-system` as seen now; empty for nodes and hosts.
    pub cluster_uid: String,
    pub ceiling: v1::Tier,
    pub version: String,
    /// For example `kubernetes v1.34.4`, `docker 28.2`, `linux`.
    pub platform: String,
    /// The agent's own services; `Agent` is added here.
    pub services: Routes,
    /// Its current value goes to the gateway first, then each change.
    pub status: watch::Receiver<v1::StatusReport>,
    pub timing: Timing,
}

/// Where the link stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    #[default]
    Connecting,
    /// The gateway has accepted this process under `epoch`.
    Connected {
        epoch: u64,
    },
    /// Why, in words with the next step, and when it dials again.
    Down {
        error: String,
        retry_in: Duration,
    },
    Stopped,
}

/// One agent's link. A cluster-agent makes a new one for each term as leader: each is a process to the gateway, and
/// the newest fences the older.
pub struct AgentLink {
    config: LinkConfig,
    link: Arc<Link>,
    tokens: TokenSource,
}

impl AgentLink {
    /// Errors: [`Error::Random`] when the system gives no random numbers.
    pub fn new(config: LinkConfig) -> Result<Self, Error> {
        let mut instance = [0_u8; 16];
        getrandom::fill(&mut instance).map_err(|e| Error::Random(e.to_string()))?;
        let tokens = TokenSource::new(config.origin.clone(), config.identity.clone());
        let (state, _) = watch::channel(LinkState::default());
        let link = Arc::new(Link {
            identity: config.identity.clone(),
            host: config.origin.host().to_owned(),
            instance,
            held_epoch: Default::default(),
            kind: config.kind,
            node: config.node.clone(),
            cluster_uid: config.cluster_uid.clone(),
            ceiling: config.ceiling,
            version: config.version.clone(),
            platform: config.platform.clone(),
            tokens: tokens.clone(),
            state,
        });
        Ok(Self { config, link, tokens })
    }

    /// For whoever sends telemetry.
    pub fn tokens(&self) -> TokenSource {
        self.tokens.clone()
    }

    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.link.state.subscribe()
    }

    /// Keeps the link up until `stop`; then lets open streams end for a moment.
    pub async fn run(self, stop: CancellationToken) {
        let timing = self.config.timing;
        let mut backoff = Backoff::new(timing.retry_first, timing.retry_cap);
        while !stop.is_cancelled() {
            self.link.state.send_replace(LinkState::Connecting);
            let (proven, error) = match self.once(&stop).await {
                (_, Error::Stopped) => break,
                ended => ended,
            };
            if proven {
                backoff.reset();
            }
            let retry_in = if refused(&error) { backoff.longest() } else { backoff.next() };
            let text = with_causes(&error);
            tracing::warn!(server = %self.config.origin.authority(), error = text, ?retry_in, "link is down");
            self.link.state.send_replace(LinkState::Down { error: text, retry_in });
            tokio::select! {
                () = tokio::time::sleep(retry_in) => {}
                () = stop.cancelled() => {}
            }
        }
        self.link.state.send_replace(LinkState::Stopped);
    }

    /// One connection, from dialling to its end. Says whether the gateway accepted this agent on it, and why it ended.
    async fn once(&self, stop: &CancellationToken) -> (bool, Error) {
        let frames = tokio::select! {
            dialled = dial(&self.config.origin) => match dialled {
                Ok(frames) => frames,
                Err(error) => return (false, error),
            },
            () = stop.cancelled() => return (false, Error::Stopped),
        };
        let (io, ends) = MessageIo::new(frames);
        let (service, mut signs) =
            AgentService::new(self.link.clone(), self.config.status.clone(), ends.closed.clone());
        let error = self.serve(io, &ends, service, (stop, &mut signs)).await;
        (signs.borrow().accepted, error)
    }

    async fn serve<F: Frames>(
        &self,
        io: MessageIo<F>,
        ends: &Ends,
        service: AgentService,
        (stop, signs): (&CancellationToken, &mut watch::Receiver<service::Signs>),
    ) -> Error {
        let timing = self.config.timing;
        let tasks = TaskTracker::new();
        let routes = self.config.services.clone().add_service(AgentServer::new(service)).prepare();
        let mut http = hyper::server::conn::http2::Builder::new(Tracked(tasks.clone()));
        http.timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_STREAMS)
            .max_send_buf_size(STREAM_WINDOW as usize);
        let connection = http.serve_connection(TokioIo::new(io), TowerToHyperService::new(routes));
        tokio::pin!(connection);
        let error = loop {
            let dead = signs.borrow_and_update().heard + timing.silence;
            tokio::select! {
                ended = &mut connection => break ended_with(ended, ends),
                _ = signs.changed() => {}
                () = tokio::time::sleep_until(dead) => {
                    ends.cut(Close::new(CloseCode::SILENT, "no ping"));
                    break Error::Silent { seconds: timing.silence.as_secs() };
                }
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    if tokio::time::timeout(timing.drain, &mut connection).await.is_err() {
                        ends.cut(Close::new(CloseCode::NORMAL, "agent stops"));
                    }
                    break Error::Stopped;
                }
            }
        };
        // A cut is carried out by polling the connection; its tasks end with it.
        if ends.ours().is_some() {
            let _ = tokio::time::timeout(timing.drain, &mut connection).await;
        }
        tasks.close();
        let _ = tokio::time::timeout(timing.drain, tasks.wait()).await;
        error
    }
}

/// Whether dialling again at once is pointless: the server knows this agent and does not want it.
fn refused(error: &Error) -> bool {
    let Error::Closed { code, .. } = error else { return matches!(error, Error::Untrusted { .. }) };
    [CloseCode::UNPROVEN, CloseCode::REVOKED, CloseCode::FENCED, CloseCode::CLUSTER_CHANGED]
        .contains(&CloseCode(*code))
}

fn ended_with(ended: Result<(), hyper::Error>, ends: &Ends) -> Error {
    if let Some(close) = ends.theirs() {
        return Error::Closed { code: close.code.0, text: close.text.clone().into_owned() };
    }
    match ended {
        Ok(()) => Error::Closed { code: CloseCode::RESTART.0, text: "the connection ended".into() },
        Err(e) => Error::Broken(Box::new(e)),
    }
}

/// An error and its causes in one line: the outermost often says only that something failed.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Dials and upgrades; the result carries the link's bytes.
async fn dial(origin: &Origin) -> Result<impl Frames, Error> {
    let target = origin.authority();
    let refused = |reason: String| Error::Upgrade { target: target.clone(), reason };
    let scheme = if origin.tls().is_some() { "wss" } else { "ws" };
    let mut request =
        format!("{scheme}://{target}/link").into_client_request().map_err(|e| refused(e.to_string()))?;
    request.headers_mut().insert("sec-websocket-protocol", http::HeaderValue::from_static(SUBPROTOCOL));
    let agent = concat!("pilothouse/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(http::header::USER_AGENT, http::HeaderValue::from_static(agent));
    // Each message leaves for the socket at once; what the socket does not take waits here, one message at most.
    let config = WebSocketConfig::default()
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let stream = origin.dial().await?;
    let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    let upgraded =
        tokio::time::timeout(crate::dial::DIAL_TIMEOUT, upgrade).await.map_err(|_| Error::Timeout {
            act: format!("opening the link to {target}"),
            seconds: crate::dial::DIAL_TIMEOUT.as_secs(),
        })?;
    let (socket, _) = upgraded.map_err(|e| match e {
        tungstenite::Error::Http(answer) => refused(format!(
            "it answered {} instead of opening a WebSocket; is this a Pilothouse server, and does the way there let WebSockets through?",
            answer.status()
        )),
        other => refused(other.to_string()),
    })?;
    Ok(socket
        .filter_map(|message| future::ready(frame(message)))
        .sink_map_err(io_error)
        .with(|frame| future::ready(Ok::<_, std::io::Error>(message(frame)))))
}

fn frame(message: Result<Message, tungstenite::Error>) -> Option<std::io::Result<Frame>> {
    match message {
        Ok(Message::Binary(bytes)) => Some(Ok(Frame::Data(bytes))),
        Ok(Message::Close(close)) => {
            let (code, text) = close.map_or((1005, String::new()), |c| (c.code.into(), c.reason.to_string()));
            Some(Ok(Frame::Close(Close::new(CloseCode(code), text))))
        }
        Ok(_) => None,
        Err(e) => Some(Err(io_error(e))),
    }
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Data(bytes) => Message::Binary(bytes),
        Frame::Close(close) => Message::Close(Some(CloseFrame {
            code: WsCode::from(close.code.0),
            reason: close.short_text().to_owned().into(),
        })),
    }
}

fn io_error(error: tungstenite::Error) -> std::io::Error {
    match error {
        tungstenite::Error::Io(e) => e,
        other => std::io::Error::other(other),
    }
}
