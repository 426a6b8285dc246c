//! axum's WebSocket as the link's frames.

use std::io;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::{SinkExt, StreamExt, future};
use ph_link::{Close, CloseCode, Frame, Frames};

pub(super) fn frames(socket: WebSocket) -> impl Frames {
    socket
        .filter_map(|message| future::ready(frame(message)))
        .sink_map_err(io::Error::other)
        .with(|frame| future::ready(Ok::<_, io::Error>(message(frame))))
}

fn frame(message: Result<Message, axum::Error>) -> Option<io::Result<Frame>> {
    match message {
        Ok(Message::Binary(bytes)) => Some(Ok(Frame::Data(bytes))),
        Ok(Message::Close(close)) => {
            let (code, text) = close.map_or((1005, String::new()), |c| (c.code, c.reason.to_string()));
            Some(Ok(Frame::Close(Close::new(CloseCode(code), text))))
        }
        Ok(_) => None,
        Err(e) => Some(Err(io::Error::other(e))),
    }
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Data(bytes) => Message::Binary(bytes),
        Frame::Close(close) => {
            let reason = close.short_text().to_owned().into();
            Message::Close(Some(CloseFrame { code: close.code.0, reason }))
        }
    }
}
