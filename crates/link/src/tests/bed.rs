//! A gateway of a few lines, certificates, an agent that echoes, a CONNECT proxy.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use bytes::Bytes;
use futures::{SinkExt, Stream, StreamExt, future};
use ph_model::{AgentId, ClusterId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::agent::{AgentLink, LinkConfig, Timing};
use crate::gateway::{Greeting, Hello, Session, greet};
use crate::v1::exec_server::{Exec, ExecServer};
use crate::v1::logs_server::{Logs, LogsServer};
use crate::{Close, CloseCode, Error, Frame, Frames, Identity, Key, Origin, SUBPROTOCOL, v1};

/// Whatever happens on one accepted socket.
pub type Met = Result<(Hello, Session), Error>;

pub struct Gateway {
    pub addr: SocketAddr,
    pub met: mpsc::Receiver<Met>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

#[derive(Clone)]
struct Door {
    met: mpsc::Sender<Met>,
    tasks: TaskTracker,
    host: String,
}

pub fn frames(socket: WebSocket) -> impl Frames {
    socket
        .filter_map(|message| {
            future::ready(match message {
                Ok(Message::Binary(bytes)) => Some(Ok(Frame::Data(bytes))),
                Ok(Message::Close(close)) => {
                    let (code, text) =
                        close.map_or((1005, String::new()), |c| (c.code, c.reason.to_string()));
                    Some(Ok(Frame::Close(Close::new(CloseCode(code), text))))
                }
                Ok(_) => None,
                Err(e) => Some(Err(std::io::Error::other(e))),
            })
        })
        .sink_map_err(std::io::Error::other)
        .with(|frame| {
            future::ready(Ok::<_, std::io::Error>(match frame {
                Frame::Data(bytes) => Message::Binary(bytes),
                Frame::Close(c) => Message::Close(Some(CloseFrame {
                    code: c.code.0,
                    reason: c.short_text().to_owned().into(),
                })),
            }))
        })
}

async fn door(State(door): State<Door>, up: WebSocketUpgrade) -> axum::response::Response {
    up.protocols([SUBPROTOCOL]).write_buffer_size(0).on_upgrade(async move |socket| {
        let greeting = Greeting { public_host: door.host, epoch: 7, deadline: Duration::from_secs(10) };
        let met = greet(frames(socket), &greeting, &door.tasks).await;
        let _ = door.met.send(met).await;
    })
}

/// Serves `/link` on port 0, or on `at` again after a restart.
pub async fn gateway_at(at: Option<SocketAddr>, tls: Option<Arc<rustls::ServerConfig>>) -> Gateway {
    let listener = TcpListener::bind(at.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap())).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (met, metting) = mpsc::channel(8);
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let host = if tls.is_some() { "localhost" } else { "127.0.0.1" };
    let app = Router::new().route("/link", any(door)).with_state(Door {
        met,
        tasks: tasks.clone(),
        host: host.into(),
    });
    let ended = stop.clone();
    let inner = tasks.clone();
    tasks.spawn(async move {
        loop {
            let (tcp, _) =
                tokio::select! { c = listener.accept() => c.unwrap(), () = ended.cancelled() => return };
            tcp.set_nodelay(true).unwrap();
            let app = hyper_util::service::TowerToHyperService::new(app.clone());
            let (tls, stop) = (tls.clone(), ended.clone());
            inner.spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                let serve: Pin<Box<dyn Future<Output = ()> + Send>> = match tls {
                    None => Box::pin(async move {
                        let io = hyper_util::rt::TokioIo::new(tcp);
                        let _ = http.serve_connection(io, app).with_upgrades().await;
                    }),
                    Some(tls) => Box::pin(async move {
                        let Ok(tcp) = tokio_rustls::TlsAcceptor::from(tls).accept(tcp).await else { return };
                        let io = hyper_util::rt::TokioIo::new(tcp);
                        let _ = http.serve_connection(io, app).with_upgrades().await;
                    }),
                };
                tokio::select! { () = serve => {}, () = stop.cancelled() => {} }
            });
        }
    });
    Gateway { addr, met: metting, tasks, stop }
}

pub async fn gateway() -> Gateway {
    gateway_at(None, None).await
}

impl Gateway {
    pub async fn next(&mut self) -> Met {
        tokio::time::timeout(Duration::from_secs(20), self.met.recv())
            .await
            .expect("an agent dials")
            .expect("open")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.addr.port())
    }
}

pub fn identity() -> Identity {
    Identity {
        key: Key::generate().unwrap(),
        agent_id: AgentId(uuid::Uuid::new_v4()),
        cluster_id: ClusterId(uuid::Uuid::new_v4()),
        cluster_name: "test".into(),
    }
}

/// An authority and a certificate for `localhost` by it: (authority PEM, server settings).
pub fn authority() -> (String, Arc<rustls::ServerConfig>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (ca_cert.pem(), Arc::new(config))
}

pub struct Agent {
    pub state: watch::Receiver<crate::agent::LinkState>,
    pub tokens: crate::TokenSource,
    pub status: watch::Sender<v1::StatusReport>,
    pub stop: CancellationToken,
}

pub fn timing() -> Timing {
    Timing {
        retry_first: Duration::from_millis(5),
        retry_cap: Duration::from_millis(40),
        ..Timing::default()
    }
}

pub fn agent_with(origin: Origin, identity: Identity, timing: Timing) -> Agent {
    let (status, watched) = watch::channel(v1::StatusReport { rss_bytes: 1, ..Default::default() });
    let config = LinkConfig {
        origin,
        identity,
        kind: v1::AgentKind::Node,
        node: "n1".into(),
        cluster_uid: String::new(),
        ceiling: v1::Tier::Observe,
        version: "0.1.0".into(),
        platform: "test".into(),
        services: Routes::new(ExecServer::new(Echo)).add_service(LogsServer::new(Flood)),
        status: watched,
        timing,
    };
    let link = AgentLink::new(config).unwrap();
    let agent = Agent { state: link.state(), tokens: link.tokens(), status, stop: CancellationToken::new() };
    TaskTracker::new().spawn(link.run(agent.stop.clone()));
    agent
}

pub fn agent(url: &str, identity: Identity) -> Agent {
    agent_with(Origin::new(url, None).unwrap(), identity, timing())
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Answers each stdin with the same bytes on stdout.
struct Echo;

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Exec for Echo {
    type RunStream = Out<v1::ExecOut>;
    async fn run(&self, ask: Request<Streaming<v1::ExecIn>>) -> Result<Response<Self::RunStream>, Status> {
        let out = ask.into_inner().filter_map(|message| {
            future::ready(match message {
                Ok(v1::ExecIn { m: Some(v1::exec_in::M::Stdin(bytes)) }) => {
                    Some(Ok(v1::ExecOut { m: Some(v1::exec_out::M::Stdout(v1::ExecData { seq: 0, bytes })) }))
                }
                Ok(_) => None,
                Err(status) => Some(Err(status)),
            })
        });
        Ok(Response::new(Box::pin(out)))
    }
}

/// Sends `budget_bytes` per second of batches for ever, 64 KiB at a time.
struct Flood;

#[tonic::async_trait]
impl Logs for Flood {
    async fn sources(&self, _: Request<v1::SourcesAsk>) -> Result<Response<v1::SourcesReply>, Status> {
        Ok(Response::new(v1::SourcesReply::default()))
    }

    type CountStream = Out<v1::CountEvent>;
    async fn count(&self, _: Request<v1::CountAsk>) -> Result<Response<Self::CountStream>, Status> {
        Ok(Response::new(Box::pin(futures::stream::empty())))
    }

    type ReadStream = Out<v1::ReadEvent>;
    async fn read(
        &self,
        ask: Request<Streaming<v1::ReadControl>>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let mut control = ask.into_inner();
        let rate = match control.message().await? {
            Some(v1::ReadControl { m: Some(v1::read_control::M::Open(open)) }) => open.budget_bytes,
            _ => return Err(Status::invalid_argument("open comes first")),
        };
        let payload = Bytes::from(vec![b'x'; 64 * 1024]);
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(payload.len() as f64 / rate as f64));
        let out = async_stream(move |cx| {
            futures::ready!(ticks.poll_tick(cx));
            let batch = v1::LogBatch { payload: payload.clone(), ..Default::default() };
            std::task::Poll::Ready(Some(Ok(v1::ReadEvent { m: Some(v1::read_event::M::Batch(batch)) })))
        });
        Ok(Response::new(Box::pin(out)))
    }
}

fn async_stream<T>(
    poll: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<T>>,
) -> impl Stream<Item = T> {
    futures::stream::poll_fn(poll)
}

/// Opens tunnels and counts them.
pub async fn proxy() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let tasks = TaskTracker::new();
    let inner = tasks.clone();
    tasks.spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            inner.spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
                let mut server = TcpStream::connect(target).await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (addr, count)
}

pub async fn until(
    agent: &mut Agent,
    wanted: impl FnMut(&crate::agent::LinkState) -> bool,
) -> crate::agent::LinkState {
    tokio::time::timeout(Duration::from_secs(20), agent.state.wait_for(wanted))
        .await
        .expect("the state comes")
        .unwrap()
        .clone()
}

pub fn token(epoch: u64) -> v1::TokenAsk {
    v1::TokenAsk { token: format!("token-{epoch}"), expires_ms: i64::MAX, cluster_name: "test".into(), epoch }
}
