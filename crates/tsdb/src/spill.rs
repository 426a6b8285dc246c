//! Files of closed head chunks: written once, in order, and then read at places that the head remembers.
//!
//! Every place has the checksum of its bytes, so that a file needs no end of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;
use crate::block::ReadAt;

/// What a file of chunks begins with: magic, version, six zero bytes.
pub const CHUNK_FILE_HEAD: [u8; 16] = *b"PHHEADCH\x01\0\0\0\0\0\0\0";

/// One file of closed chunks. The caller, who writes it, gives it the head first.
pub struct ChunkFile {
    pub number: u64,
    name: String,
    file: Box<dyn ReadAt>,
    len: AtomicU64,
}

impl fmt::Debug for ChunkFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ChunkFile {
    /// A file that holds nothing but its head.
    pub fn begin(number: u64, name: String, file: Box<dyn ReadAt>) -> Arc<Self> {
        let len = AtomicU64::new(CHUNK_FILE_HEAD.len() as u64);
        Arc::new(Self { number, name, file, len })
    }

    /// A file that was written before. Errors: `Io`, `Corrupt` for another file, `Version` for a newer one.
    pub fn open(number: u64, name: String, file: Box<dyn ReadAt>) -> Result<Arc<Self>, Error> {
        let io = |cause| Error::Io { act: "open head chunks", file: name.clone(), cause };
        let len = file.size_bytes().map_err(io)?;
        let head = file.read_at(0, CHUNK_FILE_HEAD.len()).map_err(io)?;
        let (magic, version) = (head.get(..8), head.get(8..10).and_then(|v| v.first_chunk::<2>()));
        let known = u16::from_le_bytes([CHUNK_FILE_HEAD[8], CHUNK_FILE_HEAD[9]]);
        match version.map(|v| u16::from_le_bytes(*v)) {
            Some(found) if magic == CHUNK_FILE_HEAD.get(..8) && found > known => {
                Err(Error::Version { file: name, found, known })
            }
            Some(_) if magic == CHUNK_FILE_HEAD.get(..8) => {
                Ok(Arc::new(Self { number, name, file, len: AtomicU64::new(len) }))
            }
            _ => Err(Error::Corrupt { file: name, offset: 0, what: "it does not begin as head chunks do" }),
        }
    }

    /// Bytes that are written.
    pub fn len_bytes(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn grow(&self, by: u64) {
        self.len.fetch_add(by, Ordering::Relaxed);
    }
}

/// Where a chunk's bytes lie.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub file: Arc<ChunkFile>,
    pub offset: u64,
    pub len: u32,
    pub crc: u32,
}

impl Stored {
    /// Errors: `Io`; `Corrupt` for other bytes than were written.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        let name = || self.file.name.clone();
        let damaged = |what| Error::Corrupt { file: name(), offset: self.offset, what };
        match self.file.file.read_at(self.offset, self.len as usize) {
            Ok(bytes) if crc32c::crc32c(&bytes) == self.crc => Ok(bytes),
            Ok(_) => Err(damaged("a head chunk is not what was written")),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(damaged("it ends before a head chunk"))
            }
            Err(cause) => Err(Error::Io { act: "read head chunks", file: name(), cause }),
        }
    }
}
