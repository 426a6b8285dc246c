//! Unary gRPC calls, framed by hand: the size of a message is bounded before and after it is decompressed.
//!
//! Source: the gRPC over HTTP/2 protocol.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use prost::Message;

use crate::answer::{self, Reply, ReplyBody};
use crate::body::{self, Compression};
use crate::door::{Admitted, Door, Limits};
use crate::error::Error;

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The one message of a unary call, decompressed.
pub async fn message<B>(
    door: &Door,
    headers: &HeaderMap,
    body: B,
    limits: &Limits,
) -> Result<(Admitted, Bytes), Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let malformed = |reason: &str| Error::Malformed { what: "gRPC message", reason: reason.to_owned() };
    let named = headers.get("grpc-encoding").map_or("", |v| v.to_str().unwrap_or("?"));
    let named = Compression::parse(named)?;
    // The message alone is compressed, so its growth is bounded here and its memory is taken for the worst case.
    let mut admitted = door.admit_as(Compression::None, (headers, body), limits).await?;
    let raw = admitted.body.clone();
    let Some((prefix, rest)) = raw.split_first_chunk::<PREFIX>() else {
        return Err(malformed("it is shorter than its prefix"));
    };
    let [flag, a, b, c, d] = *prefix;
    let length = u32::from_be_bytes([a, b, c, d]);
    if usize::try_from(length).ok() != Some(rest.len()) {
        return Err(malformed("its length is not the one its prefix names, or more than one came"));
    }
    let message = raw.slice(PREFIX..);
    match flag {
        0 => Ok((admitted, message)),
        1 if named != Compression::None => {
            door.grow(&mut admitted, body::most(message.len(), limits))?;
            let message = body::decompress(named, message, limits)?;
            Ok((admitted, message))
        }
        1 => Err(malformed("it is marked as compressed, and no grpc-encoding is named")),
        _ => Err(malformed("its compression flag is neither 0 nor 1")),
    }
}

/// The answer of a call that went well.
pub fn answered(message: &impl Message) -> Reply {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(PREFIX + length);
    out.put_u8(0);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_slice(&message.encode_to_vec());
    let mut reply = Response::new(ReplyBody::with_trailers(out.freeze(), answer::grpc_end(Ok(()))));
    head(&mut reply);
    reply
}

/// The answer of a call that failed: its end alone.
pub fn refused(error: &Error) -> Reply {
    let mut reply = Response::new(ReplyBody::default());
    reply.headers_mut().extend(answer::grpc_end(Err(error)));
    head(&mut reply);
    reply
}

fn head(reply: &mut Reply) {
    *reply.status_mut() = StatusCode::OK;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd"));
}
