//! Bodies, bounded before and after decompression.
//!
//! Never: holds more than the limits say, whatever a body claims of itself.

use std::io::Read;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::door::Limits;
use crate::error::Error;

/// What a small body may grow to whatever its ratio is: the first bytes of a stream say little.
const SMALL: usize = 64 << 10;

/// How a body or message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    /// One block; only remote write has it.
    Snappy,
}

impl Compression {
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word.trim() {
            "" | "identity" => Ok(Self::None),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(Error::ContentEncoding(other.to_owned())),
        }
    }

    pub fn of(headers: &HeaderMap) -> Result<Self, Error> {
        Self::parse(headers.get(CONTENT_ENCODING).map_or("", |v| v.to_str().unwrap_or("?")))
    }
}

/// The length that the sender announced.
pub fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body as it came.
pub async fn read<B>(body: B, limits: &Limits) -> Result<Bytes, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = tokio::time::timeout(limits.within, Limited::new(body, limits.compressed).collect());
    match collected.await {
        Err(_) => Err(Error::Slow(limits.within)),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => {
            Err(Error::TooLarge { what: "body as sent", limit: limits.compressed })
        }
        Ok(Err(cause)) => Err(Error::BrokeOff(cause.to_string())),
    }
}

/// The largest that a body of `compressed` bytes may become.
pub fn most(compressed: usize, limits: &Limits) -> usize {
    match limits.ratio {
        Some(ratio) => compressed.saturating_mul(ratio).max(SMALL).min(limits.body),
        None => limits.body,
    }
}

/// Decompresses what was read; a body that is not compressed is not copied.
pub fn decompress(compression: Compression, raw: Bytes, limits: &Limits) -> Result<Bytes, Error> {
    let mut out = Vec::new();
    let most = most(raw.len(), limits);
    let limit = most as u64 + 1;
    let (encoding, read) = match compression {
        Compression::None if raw.len() > limits.body => {
            return Err(Error::TooLarge { what: "body", limit: limits.body });
        }
        Compression::None => return Ok(raw),
        Compression::Snappy => return snappy(&raw, most, limits),
        Compression::Zstd => (
            "zstd",
            zstd::stream::read::Decoder::new(raw.as_ref()).and_then(|d| d.take(limit).read_to_end(&mut out)),
        ),
        Compression::Gzip => {
            ("gzip", flate2::read::MultiGzDecoder::new(raw.as_ref()).take(limit).read_to_end(&mut out))
        }
    };
    read.map_err(|cause| Error::Decompress { encoding, cause })?;
    match limits.ratio {
        _ if out.len() <= most => Ok(out.into()),
        Some(ratio) if most < limits.body => Err(Error::Bomb { ratio }),
        _ => Err(Error::TooLarge { what: "body after decompression", limit: limits.body }),
    }
}

/// The length stands before the block, so it is checked before anything is made.
fn snappy(raw: &[u8], most: usize, limits: &Limits) -> Result<Bytes, Error> {
    let damaged = |e: snap::Error| Error::Decompress { encoding: "snappy", cause: e.into() };
    let length = match snap::raw::decompress_len(raw) {
        Err(snap::Error::TooBig { .. }) => usize::MAX,
        length => length.map_err(damaged)?,
    };
    if length > most {
        return Err(Error::TooLarge { what: "body after decompression", limit: limits.body });
    }
    snap::raw::Decoder::new().decompress_vec(raw).map(Bytes::from).map_err(damaged)
}

#[cfg(test)]
mod tests;
