//! A file system in memory that fails on purpose: the disk of the crash tests.
//!
//! A fake, because a real disk cannot be made to lose power. What it does is fixed by its number: the same number and
//! the same calls give the same failures.
//!
//! Models: short writes, EIO, ENOSPC, failed syncs, death at the n-th operation, and power cuts after which unsynced
//! bytes and unsynced names are kept, torn or lost at random.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Found, Fs, Space};

/// What goes wrong, counted in operations from the creation of the [`FaultFs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// From this operation on everything fails: the machine is off.
    DeadAt(u64),
    /// This one operation fails with EIO.
    ErrorAt(u64),
    /// The first sync from this operation on fails, once.
    SyncFailsAt(u64),
    /// This write takes only a part of its bytes.
    ShortWriteAt(u64),
}

/// See the module's description. Cloning shares the disk.
#[derive(Clone, Debug)]
pub struct FaultFs(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    random: u64,
    operations: u64,
    faults: Vec<Fault>,
    /// Bytes that all files together may hold.
    capacity: u64,
    next_inode: u64,
    inodes: HashMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Changes of names that no `sync_dir` made durable yet.
    pending_names: Vec<NameChange>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Put(PathBuf, u64),
    Move(PathBuf, PathBuf, u64),
    Drop(PathBuf),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            NameChange::Put(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            NameChange::Move(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            NameChange::Drop(path) => {
                names.remove(path);
            }
        }
    }

    fn lies_in(&self, dir: &Path) -> bool {
        let path = match self {
            NameChange::Put(path, _) | NameChange::Drop(path) | NameChange::Move(_, path, _) => path,
        };
        path.parent() == Some(dir)
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Length(len) => to.resize(*len as usize, 0),
            Change::Write(at, bytes) => {
                let (at, end) = (*at as usize, *at as usize + bytes.len());
                if to.len() < end {
                    to.resize(end, 0);
                }
                if let Some(room) = to.get_mut(at..end) {
                    room.copy_from_slice(bytes);
                }
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such file")
}

fn broken() -> io::Error {
    io::Error::other("input/output error (injected)")
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "no space left on device (injected)")
}

impl Disk {
    /// Counts an operation and fails it when its number says so.
    fn step(&mut self) -> io::Result<u64> {
        self.operations += 1;
        let n = self.operations;
        let failing = self.faults.iter().any(|f| match f {
            Fault::DeadAt(at) => n >= *at,
            Fault::ErrorAt(at) => n == *at,
            _ => false,
        });
        if failing { Err(broken()) } else { Ok(n) }
    }

    /// A number below `below`, from the disk's own sequence (xorshift).
    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) % below.max(1)
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|i| self.inodes.get(i)).map(|i| i.now.len() as u64).sum()
    }

    fn change(&mut self, inode: u64, change: Change) {
        let node = self.inodes.entry(inode).or_default();
        change.apply(&mut node.now);
        node.pending.push(change);
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    /// What is on the platters after the power went: synced things, and a random part of the rest.
    fn survivors(&mut self) -> (BTreeMap<PathBuf, u64>, HashMap<u64, Inode>) {
        let mut names = self.durable_names.clone();
        for change in std::mem::take(&mut self.pending_names) {
            if self.draw(2) == 0 {
                change.apply(&mut names);
            }
        }
        let mut ids: Vec<u64> = self.inodes.keys().copied().collect();
        ids.sort_unstable();
        let mut inodes = HashMap::new();
        for id in ids {
            let Some(mut node) = self.inodes.get(&id).cloned() else { continue };
            let mut disk = std::mem::take(&mut node.durable);
            for change in node.pending {
                match (self.draw(3), change) {
                    (0, _) => {}
                    (1, Change::Write(at, bytes)) => {
                        let torn = self.draw(bytes.len() as u64 + 1) as usize;
                        let from = self.draw(torn as u64 + 1) as usize;
                        let kept = bytes.get(from..torn).unwrap_or_default().to_vec();
                        Change::Write(at + from as u64, kept).apply(&mut disk);
                    }
                    (_, change) => change.apply(&mut disk),
                }
            }
            inodes.insert(id, Inode { now: disk.clone(), durable: disk, pending: Vec::new() });
        }
        (names, inodes)
    }
}

impl FaultFs {
    /// An empty disk; `number` fixes everything random about it.
    pub fn new(number: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            random: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            operations: 0,
            faults: Vec::new(),
            capacity: u64::MAX,
            next_inode: 1,
            inodes: HashMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
        })))
    }

    /// Adds a failure to come.
    pub fn inject(&self, fault: Fault) {
        self.disk().faults.push(fault);
    }

    /// Sets how many bytes the disk holds; writes beyond fail with ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.disk().capacity = bytes;
    }

    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    pub fn used_bytes(&self) -> u64 {
        self.disk().used()
    }

    /// The disk as the next start finds it after the power went. Files open on the old one go on without effect.
    #[must_use]
    pub fn power_cut(&self) -> FaultFs {
        let mut disk = self.disk();
        let (names, inodes) = disk.survivors();
        let (random, next_inode) = (disk.draw(u64::MAX) | 1, disk.next_inode);
        FaultFs(Arc::new(Mutex::new(Disk {
            random,
            operations: 0,
            faults: Vec::new(),
            capacity: u64::MAX,
            next_inode,
            inodes,
            durable_names: names.clone(),
            names,
            pending_names: Vec::new(),
        })))
    }

    /// Inverts one bit of a file, as a failing disk does.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = *disk.names.get(path).ok_or_else(gone)?;
        let node = disk.inodes.get_mut(&inode).ok_or_else(gone)?;
        for bytes in [&mut node.now, &mut node.durable] {
            if let Some(byte) = bytes.get_mut((bit / 8) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct FaultFile {
    fs: FaultFs,
    inode: u64,
}

impl File for FaultFile {
    fn pwrite(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.fs.disk();
        let n = disk.step()?;
        let mut bytes = bytes;
        if bytes.len() > 1 && disk.faults.contains(&Fault::ShortWriteAt(n)) {
            let cut = disk.draw(bytes.len() as u64 - 1) as usize + 1;
            bytes = bytes.get(..cut).unwrap_or_default();
        }
        let len = disk.inodes.get(&self.inode).map_or(0, |i| i.now.len() as u64);
        let growth = (at + bytes.len() as u64).saturating_sub(len);
        if growth > 0 && disk.used() + growth > disk.capacity {
            return Err(full());
        }
        disk.change(self.inode, Change::Write(at, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn pread(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.fs.disk();
        disk.step()?;
        let node = disk.inodes.get(&self.inode).ok_or_else(gone)?;
        let from = node.now.get(at as usize..).unwrap_or_default();
        let n = from.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..n), from.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.fs.disk();
        let n = disk.step()?;
        let failing = disk.faults.iter().position(|f| matches!(f, Fault::SyncFailsAt(at) if n >= *at));
        if let Some(at) = failing {
            disk.faults.swap_remove(at);
            return Err(broken());
        }
        if let Some(node) = disk.inodes.get_mut(&self.inode) {
            for change in std::mem::take(&mut node.pending) {
                change.apply(&mut node.durable);
            }
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut disk = self.fs.disk();
        disk.step()?;
        Ok(disk.inodes.get(&self.inode).map_or(0, |i| i.now.len() as u64))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.step()?;
        disk.change(self.inode, Change::Length(len));
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.step()?;
        let now = disk.inodes.get(&self.inode).map_or(0, |i| i.now.len() as u64);
        if disk.used() + len.saturating_sub(now) > disk.capacity {
            return Err(full());
        }
        disk.change(self.inode, Change::Length(len.max(now)));
        Ok(())
    }
}

impl Fs for FaultFs {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = disk.next_inode;
        disk.next_inode += 1;
        disk.inodes.insert(inode, Inode::default());
        disk.rename(NameChange::Put(path.to_owned(), inode));
        Ok(Arc::new(FaultFile { fs: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = *disk.names.get(path).ok_or_else(gone)?;
        Ok(Arc::new(FaultFile { fs: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = *disk.names.get(from).ok_or_else(gone)?;
        disk.rename(NameChange::Move(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        if !disk.names.contains_key(path) {
            return Err(gone());
        }
        disk.rename(NameChange::Drop(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let (done, left) = std::mem::take(&mut disk.pending_names).into_iter().partition(|c| c.lies_in(dir));
        disk.pending_names = left;
        let done: Vec<NameChange> = done;
        for change in done {
            change.apply(&mut disk.durable_names);
        }
        Ok(())
    }

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.disk().step().map(|_| ())
    }

    fn walk(&self, dir: &Path) -> io::Result<Vec<Found>> {
        let mut disk = self.disk();
        disk.step()?;
        let inside = disk.names.iter().filter(|(path, _)| path.starts_with(dir));
        Ok(inside
            .map(|(path, inode)| Found {
                path: path.clone(),
                bytes: disk.inodes.get(inode).map_or(0, |i| i.now.len() as u64),
                modified_ms: 0,
            })
            .collect())
    }

    fn space(&self, _dir: &Path) -> io::Result<Space> {
        let disk = self.disk();
        Ok(Space { free: disk.capacity.saturating_sub(disk.used()), total: disk.capacity })
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = disk.names.get(path).ok_or_else(gone)?;
        Ok(disk.inodes.get(inode).map_or(0, |i| i.now.len() as u64))
    }

    fn prune_dir(&self, _dir: &Path) {}
}
