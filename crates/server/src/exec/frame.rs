//! Frames of a terminal's WebSocket: one byte of kind, then the content.

use bytes::{BufMut, Bytes, BytesMut};
use ph_api::{ExecNotice, ExecStatus};
use ph_link::v1::TtySize;
use serde::Deserialize;

/// Longest frame that a client may send.
pub(super) const MAX_FRAME: usize = 256 * 1024;

/// What a client sends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FromClient {
    Stdin(Bytes),
    Resize(TtySize),
    /// Every output byte below this sequence has arrived.
    Ack(u64),
    EndOfStdin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Size {
    cols: u16,
    rows: u16,
}

impl FromClient {
    /// The error says what is wrong with the frame.
    pub fn parse(mut frame: Bytes) -> Result<Self, &'static str> {
        if frame.is_empty() {
            return Err("a frame needs at least its kind");
        }
        let kind = frame.split_to(1);
        match kind.first() {
            Some(0) => Ok(Self::Stdin(frame)),
            Some(4) => {
                let size: Size =
                    serde_json::from_slice(&frame).map_err(|_| "a resize is {\"cols\":…,\"rows\":…}")?;
                Ok(Self::Resize(TtySize { cols: size.cols.into(), rows: size.rows.into() }))
            }
            Some(5) => {
                let seq = frame.as_ref().try_into().map_err(|_| "an acknowledgement has 8 bytes")?;
                Ok(Self::Ack(u64::from_be_bytes(seq)))
            }
            Some(7) => Ok(Self::EndOfStdin),
            _ => Err("clients send frames of kind 0, 4, 5 and 7"),
        }
    }
}

/// Which of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout = 1,
    Stderr = 2,
}

pub(super) fn output(output: Output, seq: u64, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(9 + bytes.len());
    frame.put_u8(output as u8);
    frame.put_u64(seq);
    frame.put_slice(bytes);
    frame.freeze()
}

pub(super) fn status(status: &ExecStatus) -> Bytes {
    json(3, status)
}

pub(super) fn notice(notice: &ExecNotice) -> Bytes {
    json(6, notice)
}

fn json<T: serde::Serialize>(kind: u8, value: &T) -> Bytes {
    let mut frame = vec![kind];
    // Writing plain structs to memory cannot fail.
    let _ = serde_json::to_writer(&mut frame, value);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_clients() {
        let parse = |bytes: &[u8]| FromClient::parse(Bytes::copy_from_slice(bytes));
        assert_eq!(parse(b"\0ls\n"), Ok(FromClient::Stdin(Bytes::from_static(b"ls\n"))));
        assert_eq!(
            parse(b"\x04{\"cols\":80,\"rows\":24}"),
            Ok(FromClient::Resize(TtySize { cols: 80, rows: 24 }))
        );
        assert_eq!(parse(b"\x05\0\0\0\0\0\0\x01\0"), Ok(FromClient::Ack(256)));
        assert_eq!(parse(b"\x07"), Ok(FromClient::EndOfStdin));
        for bad in [&b""[..], b"\x01x", b"\x04{}", b"\x04{\"cols\":-1,\"rows\":1}", b"\x05\0", b"\xff"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn output_carries_its_sequence() {
        assert_eq!(output(Output::Stderr, 258, b"no")[..], *b"\x02\0\0\0\0\0\0\x01\x02no");
        let ended = status(&ExecStatus { exit_code: Some(3), reason: String::new() });
        assert_eq!(ended[..], *b"\x03{\"exit_code\":3,\"reason\":\"\"}");
    }
}
