//! Accepts connections, with or without TLS, and serves HTTP/1.1 and HTTP/2 on them.
//!
//! Out:    every request carries its [`Peer`]. TCP_NODELAY is set on every socket, so that small frames never wait.
//! Never:  more than `MAX_CONNECTIONS` at a time (more wait in the kernel's queue), or a client that is slow to say hello.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::error::Error;

const MAX_CONNECTIONS: usize = 16_384;
const HELLO: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(20);
/// After a failed accept (no file handles left, say) the next try waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The other end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    pub addr: Option<SocketAddr>,
    /// Whether the client's side of the connection is TLS, ended here or by a proxy before the public address.
    pub tls: bool,
}

impl Peer {
    /// The address without port; empty when unknown.
    pub fn ip(&self) -> String {
        self.addr.map(|a| a.ip().to_canonical().to_string()).unwrap_or_default()
    }
}

/// One open port.
#[derive(Debug)]
pub struct Door {
    pub listener: TcpListener,
    pub addr: SocketAddr,
}

impl Door {
    /// Binds; the error names the address.
    pub async fn open(addr: SocketAddr) -> Result<Self, Error> {
        let listener = TcpListener::bind(addr).await.map_err(|cause| Error::Listen { addr, cause })?;
        let addr = listener.local_addr().map_err(|cause| Error::Listen { addr, cause })?;
        Ok(Self { listener, addr })
    }
}

/// What serving needs besides the door.
#[derive(Clone)]
pub struct Serving {
    pub router: Router,
    pub tls: Option<TlsAcceptor>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// Serves until `stop`; open connections then finish the request they are in.
pub async fn serve(door: Door, serving: Serving) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Some((stream, addr, slot)) = next(&door, &serving.stop, &slots).await else { return };
        let tls = serving.tls.clone();
        let one = serving.clone();
        serving.tasks.spawn(async move {
            let _slot = slot;
            let peer = Peer { addr: Some(addr), tls: tls.is_some() };
            match tls {
                None => converse(stream, peer, one).await,
                Some(tls) => match tokio::time::timeout(HELLO, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, peer, one).await,
                    Ok(Err(e)) => tracing::debug!(%addr, error = %e, "tls handshake failed"),
                    Err(_) => tracing::debug!(%addr, "tls handshake timed out"),
                },
            }
        });
    }
}

async fn next(
    door: &Door,
    stop: &CancellationToken,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    loop {
        let slot = tokio::select! {
            () = stop.cancelled() => return None,
            slot = slots.clone().acquire_owned() => slot.ok()?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = door.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => {
                if let Err(e) = stream.set_nodelay(true) {
                    tracing::debug!(%addr, error = %e, "set TCP_NODELAY");
                }
                return Some((stream, addr, slot));
            }
            Err(e) => {
                tracing::warn!(listen = %door.addr, error = %e, "accept a connection");
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

async fn converse<S>(stream: S, peer: Peer, serving: Serving)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = serving.router;
    let addr = peer.addr;
    let service = hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HELLO);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(256)
        .max_header_list_size(32 * 1024)
        .enable_connect_protocol();
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = serving.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(addr = ?addr, error = %e, "connection ended");
    }
}
