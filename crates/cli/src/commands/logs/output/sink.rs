//! Where output goes: standard output or a new file, in large writes, counted.
//!
//! Never:  overwrites a file; lets others read one that it makes.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::pipe;
use crate::failure::{Failure, code};

/// Bytes gathered before they are written.
const FULL: usize = 256 << 10;

#[derive(Debug)]
enum Target {
    /// The descriptor itself: the standard library's own buffer would look for lines.
    Stdout(File),
    File(File),
    Gzip(Box<GzEncoder<File>>),
}

/// A buffer in front of the target. Writers append to [`Sink::buffer`] and then call [`Sink::settle`].
#[derive(Debug)]
pub struct Sink {
    buffer: Vec<u8>,
    target: Target,
    written: u64,
}

impl Sink {
    pub fn stdout() -> Result<Self, Failure> {
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        pipe::widen(&own);
        Ok(Self::of(Target::Stdout(File::from(own))))
    }

    /// A new file of mode 0600.
    pub fn file(path: &Path, gzip: bool) -> Result<Self, Failure> {
        let file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
                let text = format!("--out {}: {e}", path.display());
                match e.kind() {
                    io::ErrorKind::AlreadyExists => {
                        Failure::new(code::USAGE, format!("--out {}: it exists already", path.display()))
                            .next("name another file, or remove that one")
                    }
                    _ => Failure::failed(text).next("name a file in a directory that you may write to"),
                }
            })?;
        Ok(Self::of(match gzip {
            true => Target::Gzip(Box::new(GzEncoder::new(file, Compression::new(6)))),
            false => Target::File(file),
        }))
    }

    fn of(target: Target) -> Self {
        Self { buffer: Vec::with_capacity(FULL + (64 << 10)), target, written: 0 }
    }

    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Bytes of output so far, before any compression.
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes what has gathered when it is much.
    pub fn settle(&mut self) -> io::Result<()> {
        if self.buffer.len() >= FULL { self.flush() } else { Ok(()) }
    }

    /// Writes what has gathered.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        match &mut self.target {
            Target::Stdout(file) | Target::File(file) => file.write_all(&self.buffer)?,
            Target::Gzip(gzip) => gzip.write_all(&self.buffer)?,
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end; a file is durable then.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        match &mut self.target {
            Target::File(file) => file.sync_all(),
            Target::Gzip(gzip) => {
                gzip.try_finish()?;
                gzip.get_ref().sync_all()
            }
            Target::Stdout(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.gz");
        let mut sink = Sink::file(&path, true).unwrap();
        sink.buffer().extend_from_slice(b"line\n");
        sink.finish().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "line\n");
        let again = Sink::file(&path, false).unwrap_err();
        assert_eq!(again.exit_code(), 2);
        assert!(again.text().contains("exists already"));
    }
}
