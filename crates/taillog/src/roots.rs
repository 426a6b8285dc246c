//! The two directories below which logs lie, and opening beneath them only.
//!
//! In:     paths relative to a root. Out: open files and directories.
//! Never:  follows a link to anything that is not below one of the two roots: a pod that may write to `/var/log` could
//!         plant one. Such a file is refused and counted.
//! Source: openat2(2), RESOLVE_BENEATH.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Where logs lie. Clones share the count of refused files.
#[derive(Clone, Debug)]
pub struct Roots {
    pods: PathBuf,
    docker: PathBuf,
    files: bool,
    refused: Arc<AtomicU64>,
    inflated: Arc<Inflated>,
}

/// Gzip files that are held inflated: how large one may be, and all together; bytes.
#[derive(Debug)]
pub(crate) struct Inflated {
    each: u64,
    all: u64,
    used: AtomicU64,
    /// Told when room was given back.
    freed: (Mutex<()>, Condvar),
}

/// Room for one inflated file, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    of: Arc<Inflated>,
    bytes: u64,
}

impl Inflated {
    fn of(each: u64, all: u64) -> Self {
        Self { each, all, used: AtomicU64::new(0), freed: Default::default() }
    }

    /// Room for a file of this size; `None` when it is too large or too much is held already.
    pub fn room(self: &Arc<Self>, bytes: u64) -> Option<Room> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { of: self.clone(), bytes };
        (bytes <= self.each && used.saturating_add(bytes) <= self.all).then_some(room)
    }

    /// Whether more than half of the room is taken.
    pub fn is_tight(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.all / 2
    }

    /// As [`Inflated::room`], after waiting for it until `leave` says no more. What is too large is not waited for.
    pub fn room_or(self: &Arc<Self>, bytes: u64, leave: &dyn Fn() -> bool) -> Option<Room> {
        loop {
            let room = self.room(bytes);
            if room.is_some() || bytes > self.each.min(self.all) || leave() {
                return room;
            }
            let held = self.freed.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody tells that it is to leave: it is asked again now and then.
            drop(self.freed.1.wait_timeout(held, LOOK_AGAIN));
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.of.freed.1.notify_all();
    }
}

/// What is held of gzip files unless told otherwise: kubelet rotates at 10 MiB unless told otherwise; bytes.
const EACH: u64 = 128 << 20;
const ALL: u64 = 128 << 20;
/// How long room is waited for at once.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    Pods,
    Docker,
    /// The whole file system: a person's own files.
    Anywhere,
}

/// A path below one root. Holds no `..` and no absolute part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub base: Base,
    pub rel: PathBuf,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub file: File,
    /// Where it lies, links followed.
    pub place: Place,
    pub meta: std::fs::Metadata,
}

impl Default for Roots {
    /// `/var/log/pods` and `/var/lib/docker/containers`.
    fn default() -> Self {
        Self::new("/var/log/pods", "/var/lib/docker/containers")
    }
}

impl Roots {
    pub fn new(pods: impl Into<PathBuf>, docker: impl Into<PathBuf>) -> Self {
        let inflated = Arc::new(Inflated::of(EACH, ALL));
        Self { pods: pods.into(), docker: docker.into(), files: false, refused: Arc::default(), inflated }
    }

    /// How large a gzip file may be, inflated, to be held in memory while it is read, and all that are held at once; bytes.
    /// Larger ones are inflated piece by piece, which takes longer. 128 MiB both unless told.
    #[must_use]
    pub fn with_inflated(self, each: u64, all: u64) -> Self {
        Self { inflated: Arc::new(Inflated::of(each, all)), ..self }
    }

    /// The same, with a count of refused files of its own; room for inflated files stays shared.
    #[must_use]
    pub fn counted_anew(&self) -> Self {
        Self { refused: Arc::default(), ..self.clone() }
    }

    pub(crate) fn inflated(&self) -> Arc<Inflated> {
        self.inflated.clone()
    }

    /// Lets `SourceId::File` be read, too: for a person's own files, never for what somebody else asks for.
    #[must_use]
    pub fn with_files(self) -> Self {
        Self { files: true, ..self }
    }

    pub fn pods(&self) -> &Path {
        &self.pods
    }

    pub fn docker(&self) -> &Path {
        &self.docker
    }

    /// How many files were refused because they point outside of the roots.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn base(&self, base: Base) -> &Path {
        match base {
            Base::Pods => &self.pods,
            Base::Docker => &self.docker,
            Base::Anywhere => Path::new("/"),
        }
    }

    pub(crate) fn full(&self, place: &Place) -> PathBuf {
        self.base(place.base).join(&place.rel)
    }

    /// Opens a directory for listing; links are not followed.
    pub(crate) fn open_dir(&self, place: &Place) -> io::Result<File> {
        Ok(self.beneath(place, OFlags::RDONLY | OFlags::DIRECTORY)?)
    }

    /// Whether this name is a directory's.
    pub(crate) fn is_dir(&self, place: &Place) -> io::Result<bool> {
        let place = self.resolve(place)?;
        if place.base == Base::Anywhere {
            return Ok(std::fs::metadata(self.full(&place))?.is_dir());
        }
        Ok(self.beneath(&place, OFlags::PATH)?.metadata()?.is_dir())
    }

    /// Opens a regular file, following a link when it names a file below one of the roots.
    pub(crate) fn open_file(&self, place: &Place) -> io::Result<Opened> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        // Few are links: those alone are resolved first.
        let (file, place) = match self.beneath(place, flags) {
            Ok(file) => (file, place.clone()),
            Err(Errno::LOOP | Errno::XDEV) => {
                let place = self.resolve(place)?;
                (self.beneath(&place, flags)?, place)
            }
            Err(e) => return Err(e.into()),
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(self.refuse());
        }
        Ok(Opened { file, place, meta })
    }

    /// The place a path leads to: itself, or where its links lead when that is below a root.
    pub(crate) fn resolve(&self, place: &Place) -> io::Result<Place> {
        let mut at = place.clone();
        if place.base == Base::Anywhere {
            return if self.files { Ok(at) } else { Err(self.refuse()) };
        }
        for _ in 0..4 {
            match self.beneath(&at, OFlags::PATH) {
                Ok(_) => return Ok(at),
                Err(Errno::LOOP) => {
                    let full = self.full(&at);
                    let target = std::fs::read_link(&full).map_err(|_| self.refuse())?;
                    let target = full.parent().map_or(target.clone(), |dir| dir.join(&target));
                    at = self.place_of(&target).ok_or_else(|| self.refuse())?;
                }
                Err(Errno::XDEV) => return Err(self.refuse()),
                Err(e) => return Err(e.into()),
            }
        }
        Err(self.refuse())
    }

    fn beneath(&self, place: &Place, flags: OFlags) -> Result<File, Errno> {
        if place.base == Base::Anywhere {
            // A person's own links lead where they please.
            let allowed = self.files.then_some(()).ok_or(Errno::LOOP);
            let full = self.full(place);
            return allowed
                .and_then(|()| rustix::fs::open(full, flags | OFlags::CLOEXEC, Mode::empty()))
                .map(File::from);
        }
        let root = rustix::fs::open(
            self.base(place.base),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let rel = if place.rel.as_os_str().is_empty() { Path::new(".") } else { &place.rel };
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let fd = rustix::fs::openat2(root, rel, flags | OFlags::CLOEXEC, Mode::empty(), how)?;
        Ok(File::from(fd))
    }

    fn place_of(&self, path: &Path) -> Option<Place> {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => {
                    clean.pop();
                }
                Component::CurDir => {}
                other => clean.push(other),
            }
        }
        for base in [Base::Pods, Base::Docker] {
            if let Ok(rel) = clean.strip_prefix(self.base(base)) {
                return Some(Place { base, rel: rel.to_owned() });
            }
        }
        None
    }

    fn refuse(&self) -> io::Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Errno::LOOP.into()
    }
}
