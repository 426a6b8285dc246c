//! One address: every protocol on it, since their paths do not meet.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ph_model::{ErrorKind, Signal};
use ph_receive::{Cors, Door, Export, Limits, Refusal, Reply, ReplyBody, Sink, Taken, jaeger, otlp, zipkin};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Identify, Relay};
use crate::error::{Error, Result};

/// Bytes of bodies in memory at once.
const ADMITTED: usize = 16 << 20;
/// Resources of one request.
const RESOURCES: usize = 4_096;
/// Connections of one port at once; further ones wait.
const CONNECTIONS: usize = 256;
/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// HTTP/2 connections that do not answer a ping this long are closed.
const PING: Duration = Duration::from_secs(60);
/// What a failed `accept` waits: the process is out of descriptors, say.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// 4 MiB as sent, 8 MiB decompressed: what is made of it has to fit into one request of this agent.
const LIMITS: Limits = Limits {
    compressed: 4 << 20,
    body: 8 << 20,
    ratio: Some(100),
    items: 100_000,
    within: Duration::from_secs(30),
};

/// What all ports share.
#[derive(Clone)]
pub struct Port {
    door: Door,
    identify: Identify,
    /// Metrics, logs, spans.
    relays: Arc<[Relay; 3]>,
    cors: Cors,
}

impl Port {
    pub fn new(identify: Identify, relays: [Relay; 3], cors: Cors) -> Self {
        Self { door: Door::new(ADMITTED), identify, relays: Arc::new(relays), cors }
    }

    /// Takes one address. Errors: `Http` when it is taken.
    pub async fn open(addr: SocketAddr) -> Result<TcpListener> {
        TcpListener::bind(addr).await.map_err(|e| Error::Http {
            url: addr.to_string(),
            reason: format!("cannot be listened on ({e}); choose another --receive, or leave it out"),
        })
    }
}

/// Takes connections until `stop`, then lets requests end.
pub async fn serve(listener: TcpListener, port: Port, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = async {
                let permit = room.clone().acquire_owned().await.ok();
                (listener.accept().await, permit)
            } => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            (Ok((stream, peer)), permit) => {
                let (port, stop) = (port.clone(), stop.clone());
                tasks.spawn(async move {
                    connection(stream, peer.ip().to_canonical(), (port, stop)).await;
                    drop(permit);
                });
            }
            (Err(error), _) => {
                tracing::warn!(%error, "a connection to a receiver could not be taken");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection(stream: tokio::net::TcpStream, peer: IpAddr, (port, stop): (Port, CancellationToken)) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let port = port.clone();
        async move { Ok::<_, Infallible>(port.answer(request, peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(64);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(HEAD, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error, "connection to a receiver ended");
    }
}

/// Puts what one peer sends into its queue.
struct Inlet<'a> {
    port: &'a Port,
    peer: IpAddr,
}

impl Sink for Inlet<'_> {
    async fn take(&self, mut export: Export) -> std::result::Result<Taken, Refusal> {
        // Each gets what is known of its sender: some kilobytes.
        let resources = export.prune();
        if resources > RESOURCES {
            let text = format!(
                "the request holds {resources} resources, more than {RESOURCES}; send smaller batches"
            );
            return Err(Refusal::new(ErrorKind::Invalid, text));
        }
        self.port.identify.complete(&mut export, self.peer).await;
        let [metrics, logs, spans] = &*self.port.relays;
        let relay = match export.signal() {
            Signal::Metrics | Signal::Exemplars => metrics,
            Signal::Logs | Signal::Events => logs,
            Signal::Spans => spans,
        };
        let items = export.items();
        if items > 0 {
            relay.put(export.encode(), items).await?;
        }
        Ok(Taken::default())
    }
}

impl Port {
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Reply {
        let path = request.uri().path();
        let page = self.cors.allowed(path, request.headers());
        let mut reply = match self.cors.preflight((request.method(), path), request.headers()) {
            Some(reply) => reply,
            None => self.take(request, peer).await,
        };
        self.cors.tell(page, reply.headers_mut());
        reply
    }

    async fn take(&self, request: Request<Incoming>, peer: IpAddr) -> Reply {
        let (parts, body) = request.into_parts();
        let (door, sink) = ((&self.door, &LIMITS), Inlet { port: self, peer });
        let asked = (&parts.headers, body);
        let path = parts.uri.path();
        if parts.method != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "telemetry is posted here\n");
        }
        if let Some((_, signal)) = otlp::PATHS.iter().find(|(p, _)| *p == path) {
            return otlp::http(door, *signal, asked, &sink).await;
        }
        if let Some((_, signal)) = otlp::CALLS.iter().find(|(p, _)| *p == path) {
            return otlp::grpc(door, *signal, asked, &sink).await;
        }
        if let Some((_, version)) = zipkin::PATHS.iter().find(|(p, _)| *p == path) {
            return zipkin::http(door, *version, asked, &sink).await;
        }
        match path {
            jaeger::PATH => jaeger::http(door, asked, &sink).await,
            jaeger::CALL => jaeger::grpc(door, asked, &sink).await,
            otlp::PROFILES => otlp::profiles_refused(&parts.headers),
            _ => plain(StatusCode::NOT_FOUND, "telemetry is taken on this port, and not at this address\n"),
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = Response::new(ReplyBody::new(text));
    *reply.status_mut() = status;
    reply
}
