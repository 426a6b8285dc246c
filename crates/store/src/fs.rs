//! The few file operations that the store needs, so that the same code runs on a real disk and on a failing one.
//!
//! In:     absolute paths below the store's directory.
//! Out:    `io::Error`s as they came; the caller adds what it was doing.
//! Never:  buffers; a write that returned is with the operating system, and durable only after `sync`.

mod fault;
mod real;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use fault::{Fault, FaultFs};
pub use real::RealFs;

/// One open file. Positions are explicit; there is no cursor.
#[allow(clippy::len_without_is_empty, reason = "the length of a file is an act that can fail")]
pub trait File: Send + Sync + Debug {
    /// Writes some of `bytes` at `at` and says how many; fewer than given is legal.
    fn pwrite(&self, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Reads into `into` and says how many bytes; 0 at the end.
    fn pread(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Makes data and length durable.
    fn sync(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends (with zeros) to `len`.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Reserves space for `len` bytes; reads of it give zeros.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Writes all of `bytes`, as many calls as it takes.
    fn write_all(&self, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.pwrite(at, bytes) {
                Ok(0) => {
                    return Err(io::Error::new(io::ErrorKind::WriteZero, "the file takes no more bytes"));
                }
                Ok(n) => {
                    at += n as u64;
                    bytes = bytes.get(n..).unwrap_or_default();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads `len` bytes, or an `UnexpectedEof`.
    fn read_exact(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; len];
        let mut done = 0;
        while done < len {
            match self.pread(at + done as u64, out.get_mut(done..).unwrap_or_default()) {
                Ok(0) => {
                    let what = format!("file ends {} bytes before byte {}", len - done, at + len as u64);
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
                }
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(out)
    }
}

/// Free and total bytes of the file system that holds a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub total: u64,
}

/// A file found by [`Fs::walk`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub bytes: u64,
    /// ms UTC; 0 when the file system does not say.
    pub modified_ms: i64,
}

/// A file system.
pub trait Fs: Send + Sync + Debug + 'static {
    /// Creates an empty file or empties an existing one. The name is durable after [`Fs::sync_dir`].
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens a file that exists, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Replaces `to` in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Creates a directory and those above it, durably.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// All files below a directory, by path; empty when there is no such directory.
    fn walk(&self, dir: &Path) -> io::Result<Vec<Found>>;
    fn space(&self, dir: &Path) -> io::Result<Space>;
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// Removes a directory if it is empty; otherwise does nothing.
    fn prune_dir(&self, dir: &Path);

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
        file.read_exact(0, len)
    }

    /// Writes a file beside its place in `tmp`, syncs it, and moves it to `to` durably.
    fn place(&self, tmp: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.create(tmp)?;
        let written = file.write_all(0, bytes).and_then(|()| file.sync());
        drop(file);
        if let Err(e) = written.and_then(|()| self.rename(tmp, to)) {
            // What is left of it is garbage that the next start removes too.
            let _ = self.unlink(tmp);
            return Err(e);
        }
        self.sync_dir(to.parent().unwrap_or(to))
    }
}
