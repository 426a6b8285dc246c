//! Where a block's bytes go and come from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::Error;

/// Takes the bytes of a block's files. Each file is written front to back; files may alternate.
pub trait Sink {
    /// Appends to the named file, which starts empty.
    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()>;
}

/// Keeps files in memory, in the order of their first bytes.
impl Sink for Vec<(String, Vec<u8>)> {
    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()> {
        match self.iter_mut().find(|(name, _)| name == file) {
            Some((_, content)) => content.extend_from_slice(bytes),
            None => self.push((file.to_owned(), bytes.to_vec())),
        }
        Ok(())
    }
}

/// Random access to one file of a block.
pub trait ReadAt: Send + Sync {
    fn size_bytes(&self) -> io::Result<u64>;

    /// Exactly `len` bytes from `offset` on; `UnexpectedEof` when the file is shorter.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>>;
}

impl ReadAt for File {
    fn size_bytes(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

impl ReadAt for Vec<u8> {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let part = start.checked_add(len).and_then(|end| self.get(start..end));
        Ok(part.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }
}

/// An open file of a block, with the name that errors give.
pub(super) struct BlockFile {
    pub name: String,
    pub size: u64,
    source: Box<dyn ReadAt>,
}

/// Bytes before the first page or bitmap: magic and version.
pub(super) const HEADER: u64 = 10;
/// Directory offset u64, length u32, checksum u32; then the file's checksum u32.
const TAIL: u64 = 20;

impl BlockFile {
    pub fn new(name: String, source: Box<dyn ReadAt>) -> Result<Self, Error> {
        let size = source.size_bytes();
        let size = size.map_err(|cause| Error::Io { act: "read the size of", file: name.clone(), cause })?;
        Ok(Self { name, size, source })
    }

    pub fn corrupt(&self, offset: u64, what: &'static str) -> Error {
        Error::Corrupt { file: self.name.clone(), offset, what }
    }

    pub fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>, Error> {
        if offset.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(self.corrupt(offset, "it points past the end of the file"));
        }
        let bytes = self.source.read_at(offset, len as usize);
        bytes.map_err(|cause| Error::Io { act: "read", file: self.name.clone(), cause })
    }

    pub fn read_checked(&self, offset: u64, len: u64, crc: u32) -> Result<Vec<u8>, Error> {
        let bytes = self.read(offset, len)?;
        if crc32c::crc32c(&bytes) != crc {
            return Err(self.corrupt(offset, "checksum"));
        }
        Ok(bytes)
    }

    /// Checks magic and version, and gives the directory with its offset, and the file's own checksum.
    pub fn directory(&self, magic: &[u8; 8]) -> Result<(Vec<u8>, u64, u32), Error> {
        let head = self.read(0, HEADER)?;
        let (found, version) = head.split_at(8);
        if found != magic {
            return Err(self.corrupt(0, "its first bytes are not those of this kind of file"));
        }
        let version = version.try_into().map(u16::from_le_bytes).unwrap_or(0);
        if version > super::VERSION {
            return Err(Error::Version { file: self.name.clone(), found: version, known: super::VERSION });
        }
        if version == 0 {
            return Err(self.corrupt(8, "format version 0"));
        }
        let tail_at = self.size.checked_sub(TAIL).ok_or_else(|| self.corrupt(0, "it is too short"))?;
        let tail = self.read(tail_at, TAIL)?;
        let mut fields = crate::varint::Reader::new(&tail);
        let short = || self.corrupt(tail_at, "its tail");
        let offset = fields.u64().ok_or_else(short)?;
        let len = fields.u32().ok_or_else(short)?;
        let crc = fields.u32().ok_or_else(short)?;
        let file_crc = fields.u32().ok_or_else(short)?;
        if offset.checked_add(u64::from(len)) != Some(tail_at) {
            return Err(short());
        }
        Ok((self.read_checked(offset, u64::from(len), crc)?, offset, file_crc))
    }

    /// Reads everything and compares the checksum at the end; gives it.
    pub fn verify(&self) -> Result<u32, Error> {
        let mut crc = 0;
        let body = self.size.checked_sub(4).ok_or_else(|| self.corrupt(0, "it is too short"))?;
        let mut at = 0;
        while at < body {
            let len = (body - at).min(1 << 20);
            crc = crc32c::crc32c_append(crc, &self.read(at, len)?);
            at += len;
        }
        if self.read(body, 4)? != crc.to_le_bytes() {
            return Err(self.corrupt(body, "checksum of the whole file"));
        }
        Ok(crc)
    }
}

/// Writes one file of a block: header, parts, directory, tail.
pub(super) struct FileWriter<'a> {
    pub name: &'static str,
    pub at: u64,
    crc: u32,
    sink: &'a mut dyn Sink,
}

/// A file that is being written, between two appends.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    name: &'static str,
    at: u64,
    crc: u32,
}

impl<'a> FileWriter<'a> {
    pub fn create(kind: (&'static str, &[u8; 8]), sink: &'a mut dyn Sink) -> Result<Self, Error> {
        let mut file = Self { name: kind.0, at: 0, crc: 0, sink };
        file.append(kind.1)?;
        file.append(&super::VERSION.to_le_bytes())?;
        Ok(file)
    }

    pub fn resume(progress: Progress, sink: &'a mut dyn Sink) -> Self {
        Self { name: progress.name, at: progress.at, crc: progress.crc, sink }
    }

    pub fn pause(self) -> Progress {
        Progress { name: self.name, at: self.at, crc: self.crc }
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let done = self.sink.append(self.name, bytes);
        done.map_err(|cause| Error::Io { act: "write", file: self.name.to_owned(), cause })?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub fn finish(mut self, directory: &[u8]) -> Result<super::FileMeta, Error> {
        let offset = self.at;
        let len = u32::try_from(directory.len()).map_err(|_| Error::TooMany { what: "pages" })?;
        self.append(directory)?;
        self.append(&offset.to_le_bytes())?;
        self.append(&len.to_le_bytes())?;
        self.append(&crc32c::crc32c(directory).to_le_bytes())?;
        let crc = self.crc;
        self.append(&crc.to_le_bytes())?;
        Ok(super::FileMeta { name: self.name.to_owned(), bytes: self.at, crc32c: crc })
    }
}
