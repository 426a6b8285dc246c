//! The bytes of one segment, plain or gzipped, at any decompressed offset.
//!
//! Cost: plain files are read with `pread`; gzip is inflated forwards, and going back starts again from the first byte.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use crate::layout::Segment;
use crate::piece::{Format, Parsed};
use crate::roots::Roots;

#[derive(Debug)]
pub(crate) enum Content {
    Plain(File),
    Gzip(Box<Gzip>),
    /// A pipe: read once, forwards.
    Pipe(Pipe),
}

pub(crate) struct Pipe {
    read: Box<dyn Read + Send>,
    at: u64,
    held: bool,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipe at {}", self.at)
    }
}

#[derive(Debug)]
pub(crate) struct Gzip {
    file: Arc<File>,
    inflate: MultiGzDecoder<BufReader<At>>,
    at: u64,
}

/// Reads a file from its start without moving a shared offset.
#[derive(Debug)]
pub(crate) struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

fn inflate(file: &Arc<File>) -> MultiGzDecoder<BufReader<At>> {
    MultiGzDecoder::new(BufReader::with_capacity(32 << 10, At { file: file.clone(), at: 0 }))
}

impl Content {
    /// Opens a segment. When its name belongs to another file by now, it is not found: list again.
    pub fn open(roots: &Roots, segment: &Segment) -> io::Result<Self> {
        let (file, _) = roots.open_file(&segment.place)?;
        let content = Self::of(file, segment.gz);
        if content.identity()? != segment.identity {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(content)
    }

    fn of(file: File, gz: bool) -> Self {
        if !gz {
            return Content::Plain(file);
        }
        let file = Arc::new(file);
        let inflate = inflate(&file);
        Content::Gzip(Box::new(Gzip { file, inflate, at: 0 }))
    }

    pub fn pipe(read: Box<dyn Read + Send>) -> Self {
        Content::Pipe(Pipe { read, at: 0, held: false })
    }

    /// While a pipe is held, reading it says `WouldBlock` instead of waiting.
    pub fn hold(&mut self, held: bool) {
        if let Content::Pipe(pipe) = self {
            pipe.held = held;
        }
    }

    fn metadata(&self) -> io::Result<std::fs::Metadata> {
        match self {
            Content::Plain(file) => file.metadata(),
            Content::Gzip(gz) => gz.file.metadata(),
            Content::Pipe(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Device and inode of the open descriptor.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let meta = self.metadata()?;
        Ok((meta.dev(), meta.ino()))
    }

    /// How many names the file still has.
    pub fn links(&self) -> io::Result<u64> {
        Ok(self.metadata()?.nlink())
    }

    /// Size of a plain file now; `None` for gzip, whose decompressed size shows only at its end.
    pub fn plain_size(&self) -> io::Result<Option<u64>> {
        match self {
            Content::Plain(file) => Ok(Some(file.metadata()?.len())),
            Content::Gzip(_) | Content::Pipe(_) => Ok(None),
        }
    }

    /// How many bytes lie behind an offset, as far as that can be told without reading them, and whether it is exact. Of a
    /// gzip file the size that its trailer says, which holds below 4 GiB.
    pub fn behind(&self, offset: u64) -> (Option<u64>, bool) {
        match self {
            Content::Plain(file) => (file.metadata().ok().and_then(|m| m.len().checked_sub(offset)), true),
            Content::Gzip(gz) => {
                let mut size = [0; 4];
                let end = gz.file.metadata().ok().and_then(|m| m.len().checked_sub(4));
                let read = end.is_some_and(|at| gz.file.read_exact_at(&mut size, at).is_ok());
                let told = u64::from(u32::from_le_bytes(size));
                (read.then(|| told.checked_sub(offset)).flatten(), false)
            }
            Content::Pipe(_) => (None, false),
        }
    }

    /// How far back one step of a backward reader should go; bytes.
    pub fn back_step(&self) -> u64 {
        match self {
            Content::Plain(_) | Content::Pipe(_) => 64 << 10,
            Content::Gzip(_) => 4 << 20,
        }
    }

    /// Reads at a decompressed offset; 0 only at the end. May return less than asked.
    pub fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            let n = match self {
                Content::Plain(file) => file.read_at(buf, offset),
                Content::Gzip(gz) => gz.read_at(buf, offset),
                Content::Pipe(pipe) => pipe.read_at(buf, offset),
            };
            match n {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Fills the buffer as far as the content reaches.
    pub fn read_full(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let n = self.read_at(buf.get_mut(done..).unwrap_or_default(), offset + done as u64)?;
            if n == 0 {
                break;
            }
            done += n;
        }
        Ok(done)
    }

    /// Decompressed size now. Inflates a gzip file to its end.
    pub fn size(&mut self) -> io::Result<u64> {
        if let Some(size) = self.plain_size()? {
            return Ok(size);
        }
        let mut buf = vec![0; 64 << 10];
        let mut at = match self {
            Content::Gzip(gz) => gz.at,
            Content::Plain(_) | Content::Pipe(_) => 0,
        };
        loop {
            match self.read_at(&mut buf, at)? {
                0 => return Ok(at),
                n => at += n as u64,
            }
        }
    }

    /// The offset of the last LF before `hi` and not before `lo`.
    pub fn last_lf(&mut self, lo: u64, hi: u64) -> io::Result<Option<u64>> {
        let step = self.back_step();
        let mut buf = Vec::new();
        let mut end = hi;
        while end > lo {
            let start = end.saturating_sub(step).max(lo);
            buf.resize((end - start) as usize, 0);
            let n = self.read_full(&mut buf, start)?;
            if let Some(i) = memchr::memrchr(b'\n', buf.get(..n).unwrap_or_default()) {
                return Ok(Some(start + i as u64));
            }
            end = start;
        }
        Ok(None)
    }

    /// The offset after the first LF at or after `from` and before `hi`.
    pub fn after_next_lf(&mut self, from: u64, hi: u64) -> io::Result<Option<u64>> {
        let mut buf = vec![0; 16 << 10];
        let mut at = from;
        while at < hi {
            let want = ((hi - at) as usize).min(buf.len());
            let n = self.read_at(buf.get_mut(..want).unwrap_or_default(), at)?;
            if n == 0 {
                break;
            }
            if let Some(i) = memchr::memchr(b'\n', buf.get(..n).unwrap_or_default()) {
                return Ok(Some(at + i as u64 + 1));
            }
            at += n as u64;
        }
        Ok(None)
    }
}

impl Pipe {
    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset != self.at {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if self.held {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = self.read.read(buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Gzip {
    fn read_at(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset < self.at {
            self.inflate = inflate(&self.file);
            self.at = 0;
        }
        let mut scratch = [0; 8 << 10];
        while self.at < offset {
            let want = ((offset - self.at) as usize).min(scratch.len());
            let n = self.inflate.read(scratch.get_mut(..want).unwrap_or_default())?;
            if n == 0 {
                return Ok(0);
            }
            self.at += n as u64;
        }
        let n = self.inflate.read(buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Time of the last whole line of a plain segment, looked for in its last 256 KiB; `None` for gzip.
pub(crate) fn last_time(roots: &Roots, segment: &Segment) -> Option<i64> {
    if segment.gz {
        return None;
    }
    let mut content = Content::open(roots, segment).ok()?;
    let size = content.plain_size().ok()??;
    let floor = size.saturating_sub(256 << 10);
    let mut end = content.last_lf(floor, size).ok()??;
    for _ in 0..8 {
        let start = match content.last_lf(floor, end).ok()? {
            Some(lf) => lf + 1,
            None if floor == 0 => 0,
            None => return None,
        };
        let mut line = vec![0; (end - start) as usize];
        let n = content.read_full(&mut line, start).ok()?;
        let line = line.get(..n)?;
        if let Parsed::Piece(piece) = Format::of(line)?.parse(line) {
            return Some(piece.ts_ns);
        }
        end = start.checked_sub(1)?;
    }
    None
}
