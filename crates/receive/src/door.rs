//! Admission: how large, how many, how much at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::{self, Compression};
use crate::error::Error;

/// What one request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes as sent.
    pub compressed: usize,
    /// Bytes after decompression.
    pub body: usize,
    /// How many times a body may grow when it is decompressed; `None`: `body` alone bounds it.
    pub ratio: Option<usize>,
    /// Data points, records or spans.
    pub items: usize,
    /// How long the body may take to arrive.
    pub within: Duration,
}

impl Default for Limits {
    /// 5 MiB as sent, 20 MiB decompressed, 100 times, 100,000 items, 30 s.
    fn default() -> Self {
        Self {
            compressed: 5 << 20,
            body: 20 << 20,
            ratio: Some(100),
            items: 100_000,
            within: Duration::from_secs(30),
        }
    }
}

/// Lets requests in as long as their bodies fit into memory together. Clones share the room.
#[derive(Clone, Debug)]
pub struct Door {
    room: Arc<Semaphore>,
}

/// A body that was read and decompressed. The memory it uses is free again when it is dropped.
#[derive(Debug)]
pub struct Admitted {
    pub body: Bytes,
    held: OwnedSemaphorePermit,
}

impl Door {
    /// `bytes` of bodies at once, from before they are read until they are answered.
    pub fn new(bytes: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))) }
    }

    /// Reads and decompresses a body.
    pub async fn admit<B>(&self, headers: &HeaderMap, body: B, limits: &Limits) -> Result<Admitted, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let compression = Compression::of(headers)?;
        self.admit_as(compression, (headers, body), limits).await
    }

    /// The same for a body whose compression its headers do not name.
    pub(crate) async fn admit_as<B>(
        &self,
        compression: Compression,
        (headers, body): (&HeaderMap, B),
        limits: &Limits,
    ) -> Result<Admitted, Error>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let announced = body::announced(headers);
        if announced.is_some_and(|n| n > limits.compressed) {
            return Err(Error::TooLarge { what: "body as sent", limit: limits.compressed });
        }
        let mut held = self.hold(announced.unwrap_or(limits.compressed))?;
        let raw = body::read(body, limits).await?;
        if compression != Compression::None {
            held.merge(self.hold(body::most(raw.len(), limits))?);
        }
        let body = body::decompress(compression, raw, limits)?;
        // What was held for the worst case and is not needed goes back at once.
        let spare = held.num_permits().saturating_sub(body.len());
        drop(held.split(spare));
        Ok(Admitted { body, held })
    }

    /// Takes memory for what the body will be decompressed to beside it.
    pub(crate) fn grow(&self, admitted: &mut Admitted, bytes: usize) -> Result<(), Error> {
        admitted.held.merge(self.hold(bytes)?);
        Ok(())
    }

    fn hold(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let permits = u32::try_from(bytes).map_err(|_| Error::Full)?;
        self.room.clone().try_acquire_many_owned(permits).map_err(|_| Error::Full)
    }
}
