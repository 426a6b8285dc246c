//! The socket's messages as one byte stream that HTTP/2 can run over.
//!
//! In:     a message stream and sink of either WebSocket library, mapped to [`Frame`].
//! Out:    `AsyncRead + AsyncWrite`; a cut that ends it at once with a close code.
//! Never:  buffers more than one message each way: back-pressure reaches the socket.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What travels on the socket: bytes of the HTTP/2 connection, or the end of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Data(Bytes),
    Close(Close),
}

/// Why a link ends, as the WebSocket close frame says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: CloseCode,
    /// At most 123 bytes reach the other side (RFC 6455, 5.5).
    pub text: Cow<'static, str>,
}

impl Close {
    pub fn new(code: CloseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// The text, cut at a character boundary to what a close frame holds.
    pub fn short_text(&self) -> &str {
        let mut end = self.text.len().min(123);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[..end]
    }
}

/// WebSocket close codes of the link (4000–4999 are free for applications).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    pub const NORMAL: Self = Self(1000);
    /// The server restarts or shuts down: dial again soon.
    pub const RESTART: Self = Self(1012);
    /// The key was not proven, or is not known.
    pub const UNPROVEN: Self = Self(4401);
    /// The agent or its cluster was revoked.
    pub const REVOKED: Self = Self(4403);
    /// A newer process with the same identity took over.
    pub const FENCED: Self = Self(4409);
    /// The agent runs in another cluster than it was enrolled for.
    pub const CLUSTER_CHANGED: Self = Self(4421);
    /// No answer to pings.
    pub const SILENT: Self = Self(4408);
}

/// Both directions of a socket, as messages.
pub trait Frames:
    Stream<Item = io::Result<Frame>> + Sink<Frame, Error = io::Error> + Send + Unpin + 'static
{
}

impl<T> Frames for T where
    T: Stream<Item = io::Result<Frame>> + Sink<Frame, Error = io::Error> + Send + Unpin + 'static
{
}

/// Ends a link from outside and tells how it ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    /// Cancelled: cut now. The reason is in `ours`.
    cut: CancellationToken,
    /// Cancelled when no more bytes will come.
    pub closed: CancellationToken,
    ours: Arc<OnceLock<Close>>,
    theirs: Arc<OnceLock<Close>>,
}

impl Ends {
    /// The first reason stays.
    pub fn cut(&self, close: Close) {
        let _ = self.ours.set(close);
        self.cut.cancel();
    }

    pub fn ours(&self) -> Option<&Close> {
        self.ours.get()
    }

    pub fn theirs(&self) -> Option<&Close> {
        self.theirs.get()
    }
}

/// One message at most is held for reading; a write becomes one message of at most [`MAX_WRITE`] bytes.
pub(crate) struct MessageIo<F> {
    frames: F,
    rest: Bytes,
    ends: Ends,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    over: bool,
}

/// Messages stay small, so that an urgent one never waits behind a big one in the socket's layers.
const MAX_WRITE: usize = 16 * 1024 + 9;

impl<F: Frames> MessageIo<F> {
    pub fn new(frames: F) -> (Self, Ends) {
        let ends = Ends::default();
        let cut = Box::pin(ends.cut.clone().cancelled_owned());
        (Self { frames, rest: Bytes::new(), ends: ends.clone(), cut, over: false }, ends)
    }

    fn end(&mut self) {
        self.over = true;
        self.ends.closed.cancel();
    }

    /// Says why, when we cut, as far as the socket takes it at once.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> bool {
        if self.over {
            return true;
        }
        if self.cut.as_mut().poll(cx).is_pending() {
            return false;
        }
        let close = self.ends.ours().cloned().unwrap_or(Close::new(CloseCode::NORMAL, ""));
        if let Poll::Ready(Ok(())) = Pin::new(&mut self.frames).poll_ready(cx) {
            let _ = Pin::new(&mut self.frames).start_send(Frame::Close(close));
            let _ = Pin::new(&mut self.frames).poll_flush(cx);
        }
        self.end();
        true
    }
}

use std::future::Future;

impl<F: Frames> AsyncRead for MessageIo<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Ok(()));
        }
        loop {
            if !self.rest.is_empty() {
                let n = self.rest.len().min(out.remaining());
                out.put_slice(&self.rest[..n]);
                self.rest.advance(n);
                return Poll::Ready(Ok(()));
            }
            match futures::ready!(Pin::new(&mut self.frames).poll_next(cx)) {
                Some(Ok(Frame::Data(bytes))) => self.rest = bytes,
                Some(Ok(Frame::Close(close))) => {
                    let _ = self.ends.theirs.set(close);
                    self.end();
                    return Poll::Ready(Ok(()));
                }
                Some(Err(e)) => {
                    self.end();
                    return Poll::Ready(Err(e));
                }
                None => {
                    self.end();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<F: Frames> AsyncWrite for MessageIo<F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        futures::ready!(Pin::new(&mut self.frames).poll_ready(cx))?;
        let n = bytes.len().min(MAX_WRITE);
        Pin::new(&mut self.frames).start_send(Frame::Data(Bytes::copy_from_slice(&bytes[..n])))?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.frames).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.frames).poll_close(cx)
    }
}

impl<F> Drop for MessageIo<F> {
    fn drop(&mut self) {
        self.ends.closed.cancel();
    }
}
