//! The real file system, on which nothing is changed: what would write does nothing, or fails where it must be seen.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::fs::{File, Found, Fs, RealFs, Space};

/// See the module's description.
#[derive(Debug)]
pub(super) struct Still;

#[derive(Debug)]
struct StillFile(Arc<dyn File>);

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a check changes nothing")
}

impl File for StillFile {
    fn pwrite(&self, _at: u64, _bytes: &[u8]) -> io::Result<usize> {
        Err(refused())
    }

    fn pread(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.pread(at, into)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    /// Reading a log cuts what a crash left at its end; here the end stays.
    fn truncate(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, _len: u64) -> io::Result<()> {
        Err(refused())
    }
}

impl Fs for Still {
    fn create(&self, _path: &Path) -> io::Result<Arc<dyn File>> {
        Err(refused())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(StillFile(RealFs.open(path)?)))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn unlink(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn walk(&self, dir: &Path) -> io::Result<Vec<Found>> {
        RealFs.walk(dir)
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        RealFs.space(dir)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        RealFs.size(path)
    }

    fn prune_dir(&self, _dir: &Path) {}
}
