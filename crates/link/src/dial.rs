//! Opens the byte stream to the server: TCP, perhaps a proxy's tunnel, TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::{Error, Origin};

/// Unsent bytes that may wait in the socket: more would delay an urgent frame on a slow line.
const UNSENT: u32 = 128 * 1024;

/// Time for TCP, tunnel and TLS together.
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// The way to the server, encrypted or (loopback) plain.
#[expect(clippy::large_enum_variant, reason = "one a link, never in a collection")]
pub enum Stream {
    Plain(TcpStream),
    Tls(TlsStream<TcpStream>),
}

impl Origin {
    /// Opens the byte stream that a client of this server speaks over, within 15 s.
    pub async fn dial(&self) -> Result<Stream, Error> {
        let dialling = self.dial_without_deadline();
        tokio::time::timeout(DIAL_TIMEOUT, dialling).await.map_err(|_| Error::Timeout {
            act: format!("connecting to {}", self.authority()),
            seconds: DIAL_TIMEOUT.as_secs(),
        })?
    }

    async fn dial_without_deadline(&self) -> Result<Stream, Error> {
        let target = self.authority();
        let tcp = match self.proxy() {
            None => tcp(self.host(), self.port(), &target).await?,
            Some(proxy) => tunnel(proxy, &target).await?,
        };
        let Some(config) = self.tls() else { return Ok(Stream::Plain(tcp)) };
        let name = ServerName::try_from(self.host().to_owned())
            .map_err(|e| Error::Address { url: self.url().to_string(), reason: e.to_string() })?;
        let tls = TlsConnector::from(config.clone()).connect(name, tcp).await;
        tls.map(Stream::Tls).map_err(|e| self.tls_error(e))
    }

    fn tls_error(&self, error: io::Error) -> Error {
        let target = self.authority();
        let certificate = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .is_some_and(|inner| matches!(inner, rustls::Error::InvalidCertificate(_)));
        if certificate {
            return Error::Untrusted { target, reason: error.to_string(), fix: self.trust_fix() };
        }
        Error::Connect { target, reason: format!("TLS: {error}") }
    }
}

async fn tcp(host: &str, port: u16, target: &str) -> Result<TcpStream, Error> {
    let unreachable = |e: io::Error| Error::Connect { target: target.to_owned(), reason: e.to_string() };
    let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "unsent bytes in the socket cannot be limited");
    }
    Ok(stream)
}

/// Asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6).
async fn tunnel(proxy: &Url, target: &str) -> Result<TcpStream, Error> {
    let at =
        format!("{}:{}", proxy.host_str().unwrap_or_default(), proxy.port_or_known_default().unwrap_or(80));
    let fail = |reason: String| Error::Proxy { proxy: at.clone(), target: target.to_owned(), reason };
    let host = proxy.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let mut stream =
        tcp(host, proxy.port_or_known_default().unwrap_or(80), &at).await.map_err(|e| fail(e.to_string()))?;
    let mut ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if !proxy.username().is_empty() {
        let pair = format!(
            "{}:{}",
            percent_decoded(proxy.username()),
            percent_decoded(proxy.password().unwrap_or(""))
        );
        ask.push_str(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair)));
    }
    ask.push_str("\r\n");
    stream.write_all(ask.as_bytes()).await.map_err(|e| fail(e.to_string()))?;
    let head = read_head(&mut stream).await.map_err(|e| fail(e.to_string()))?;
    let line = head.lines().next().unwrap_or_default();
    match line.split_whitespace().nth(1) {
        Some(code) if code.starts_with('2') => Ok(stream),
        _ => Err(fail(format!("it answered {line:?}"))),
    }
}

/// Reads up to and including the empty line, byte by byte: what follows belongs to the tunnel.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16 * 1024 {
            return Err(io::Error::other("answer longer than 16 KiB"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
