//! The bytes of one segment, plain or gzipped, at any decompressed offset.
//!
//! Cost: plain files are read with `pread`; for gzip see there.

mod gzip;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};

use gzip::Gzip;
use rustix::fs::Advice;

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

impl Content {
    /// Opens a segment. When its name belongs to another file by now, it is not found: list again.
    pub fn open(roots: &Roots, segment: &Segment) -> io::Result<Self> {
        #[cfg(test)]
        counted::OPENED.with(|count| count.set(count.get() + 1));
        let opened = roots.open_file(&segment.place)?;
        if (opened.meta.dev(), opened.meta.ino()) != segment.identity {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self::of(roots, opened.file, segment.gz))
    }

    pub fn of(roots: &Roots, file: File, gz: bool) -> Self {
        match gz {
            true => Content::Gzip(Box::new(Gzip::new(file, roots.inflated()))),
            false => Content::Plain(file),
        }
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
            Content::Gzip(gz) => gz.file().metadata(),
            Content::Pipe(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Tells the kernel how the file will be read. It may do as it likes.
    pub fn advise(&self, advice: Advice) {
        let file = match self {
            Content::Plain(file) => file,
            Content::Gzip(gz) => gz.file(),
            Content::Pipe(_) => return,
        };
        let _ = rustix::fs::fadvise(file, 0, None, advice);
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
            Content::Gzip(gz) => (gz.told_size().and_then(|size| size.checked_sub(offset)), false),
            Content::Pipe(_) => (None, false),
        }
    }

    /// A gzip file inflated whole, once there is room for it, which is told; `None` when it cannot be, or when `leave` says so
    /// before.
    pub fn inflated(self, leave: &dyn Fn() -> bool, has_room: &dyn Fn()) -> Option<Self> {
        let Content::Gzip(mut gz) = self else { return None };
        gz.inflate(leave, has_room).then_some(Content::Gzip(gz))
    }

    /// Whether any place in it can be read at once.
    pub fn is_plain(&self) -> bool {
        match self {
            Content::Plain(_) => true,
            Content::Gzip(gz) => gz.is_whole(),
            Content::Pipe(_) => false,
        }
    }

    /// Whether it is gzip that is held inflated.
    pub fn is_inflated(&self) -> bool {
        matches!(self, Content::Gzip(gz) if gz.is_whole())
    }

    /// Whether it is a plain file.
    pub fn is_file(&self) -> bool {
        matches!(self, Content::Plain(_))
    }

    /// How far back one step of a backward reader should go; bytes.
    pub fn back_step(&self) -> u64 {
        match self {
            Content::Gzip(gz) if !gz.is_whole() => 4 << 20,
            Content::Plain(_) | Content::Gzip(_) | Content::Pipe(_) => 64 << 10,
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
        let mut at = 0;
        loop {
            if let Content::Gzip(gz) = self {
                at = match gz.size() {
                    Ok(size) => return Ok(size),
                    Err(read_to) => read_to,
                };
            }
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
        // Most lines end within a page; of the others it is read in larger steps.
        let mut page = [0; 4 << 10];
        let mut larger = Vec::new();
        let mut at = from;
        while at < hi {
            let buf = if at == from { page.as_mut_slice() } else { larger.as_mut_slice() };
            let want = ((hi - at) as usize).min(buf.len());
            let buf = buf.get_mut(..want).unwrap_or_default();
            let n = self.read_at(buf, at)?;
            if n == 0 {
                break;
            }
            if let Some(i) = memchr::memchr(b'\n', buf.get(..n).unwrap_or_default()) {
                return Ok(Some(at + i as u64 + 1));
            }
            at += n as u64;
            larger.resize(16 << 10, 0);
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

/// What tests count of one thread.
#[cfg(test)]
pub(crate) mod counted {
    use std::cell::Cell;

    thread_local! {
        /// Segments opened to be read, listing aside.
        pub static OPENED: Cell<u64> = const { Cell::new(0) };
        /// Places gone to in open segments.
        pub static SOUGHT: Cell<u64> = const { Cell::new(0) };
    }
}
