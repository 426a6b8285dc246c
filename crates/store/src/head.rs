//! Heads on disk: an image of a shard's heads, so that its log can be cut and a start need not read hours of it.
//!
//! `head/m-<shard>/chunks-<n>` hold closed chunks, `series-<n>` everything else as of a log position. The newest image
//! counts; one that was not finished was never named so. Layout of an image: magic, version, checksum, log position;
//! frames of `length | checksum | kind, payload`; a last frame with the number of organisations.
//!
//! Out:    heads as they were, up to the position; what is damaged, in words.
//! Never:  trusts a byte without its checksum.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use ph_model::{ErrorKind, OrgId, Signal};
use ph_tsdb::block::ReadAt;
use ph_tsdb::{CHUNK_FILE_HEAD, ChunkFile, Head, Loader};

use crate::block::disk_error;
use crate::catalogue::Checkpoint;
use crate::contract::Error;
use crate::fs::{File, Fs};
use crate::part::discard;
use crate::shard::Shared;

const MAGIC: [u8; 8] = *b"PHHEADSR";
const VERSION: u16 = 1;
/// magic, version, two zero bytes, checksum of the position, position.
const FRONT: usize = 24;
const ORG: u8 = 1;
const HEAD: u8 = 2;
const END: u8 = 3;
/// No frame is longer.
const MAX_FRAME: usize = 64 << 20;

/// A shard's heads, and the log position up to which they hold everything that is not in blocks.
pub(crate) struct Mark {
    pub lsn: u64,
    /// With the block checkpoint that was in force.
    pub heads: Vec<(OrgId, Arc<Head>, Checkpoint)>,
}

/// What an image on disk gave.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The position up to which the log is not needed; 0 without an image.
    pub lsn: u64,
    /// What is damaged or missing.
    pub lost: Vec<String>,
}

#[derive(Debug)]
struct Stored(Arc<dyn File>);

impl ReadAt for Stored {
    fn size_bytes(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.0.read_exact(offset, len)
    }
}

/// Where a shard's heads lie.
pub(crate) fn dir_of(root: &Path, shard: usize) -> PathBuf {
    root.join("head").join(format!("m-{shard}"))
}

/// Files of a kind (`chunks`, `series`) in a directory, ascending by number.
fn numbered(fs: &dyn Fs, dir: &Path, kind: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let prefix = format!("{kind}-");
    let mut out: Vec<(u64, PathBuf)> = fs
        .walk(dir)?
        .into_iter()
        .filter_map(|f| {
            let number = f.path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse().ok()?;
            Some((number, f.path))
        })
        .collect();
    out.sort_unstable();
    Ok(out)
}

/// Writes an image of a shard's heads durably and removes the one before; gives the image's bytes.
///
/// Errors: those of the disk; then the image before is in force.
pub(crate) fn write(shared: &Shared, shard: usize, mark: &Mark) -> Result<u64, Error> {
    let (fs, dir) = (shared.fs.as_ref(), dir_of(&shared.config.dir, shard));
    let act = |cause| disk_error("write head image in", &dir, cause);
    fs.create_dir_all(&dir).map_err(act)?;
    let (chunks, series) =
        (numbered(fs, &dir, "chunks").map_err(act)?, numbered(fs, &dir, "series").map_err(act)?);
    let last = |list: &[(u64, PathBuf)]| list.last().map_or(0, |(n, _)| *n);
    let number = last(&chunks).max(last(&series)) + 1;
    let closed: u64 = mark.heads.iter().map(|(_, head, _)| head.closed_bytes()).sum();
    if closed >= shared.config.head_spill_bytes {
        spill(fs, &dir.join(format!("chunks-{number}")), number, mark).map_err(act)?;
        fs.sync_dir(&dir).map_err(act)?;
    }
    let tmp = shared.config.dir.join("tmp").join(format!("series-{shard}-{number}"));
    let to = dir.join(format!("series-{number}"));
    let written = image(fs, &tmp, mark).and_then(|(bytes, needed)| {
        fs.rename(&tmp, &to)?;
        fs.sync_dir(&dir)?;
        Ok((bytes, needed))
    });
    let (bytes, needed) = match written {
        Ok(done) => done,
        Err(cause) => {
            // What is left of it is garbage that the next start removes too.
            let _ = fs.unlink(&tmp);
            return Err(act(cause));
        }
    };
    series.iter().for_each(|(_, path)| discard(fs, path));
    for (_, path) in chunks.iter().filter(|(n, _)| !needed.contains(n)) {
        discard(fs, path);
    }
    Ok(bytes)
}

fn spill(fs: &dyn Fs, path: &Path, number: u64, mark: &Mark) -> io::Result<()> {
    let file = fs.create(path)?;
    file.write_all(0, &CHUNK_FILE_HEAD)?;
    let reader = Box::new(Stored(fs.open(path)?));
    let chunks = ChunkFile::begin(number, path.display().to_string(), reader);
    for (_, head, _) in &mark.heads {
        head.spill(&chunks, &mut |at, bytes| file.write_all(at, bytes))?;
    }
    file.sync()
}

/// Writes the image; gives its length, and the numbers of the chunk files that it names.
fn image(fs: &dyn Fs, path: &Path, mark: &Mark) -> io::Result<(u64, BTreeSet<u64>)> {
    let mut out = Frames { file: fs.create(path)?, at: 0 };
    let position = mark.lsn.to_le_bytes();
    let mut front = Vec::with_capacity(FRONT);
    front.extend_from_slice(&MAGIC);
    front.extend_from_slice(&VERSION.to_le_bytes());
    front.extend_from_slice(&[0; 2]);
    front.extend_from_slice(&crc32c::crc32c(&position).to_le_bytes());
    front.extend_from_slice(&position);
    out.raw(&front)?;
    let mut needed = BTreeSet::new();
    for (org, head, checkpoint) in &mark.heads {
        let numbers = [checkpoint.lsn.to_le_bytes(), checkpoint.border_ms.to_le_bytes()].concat();
        out.frame(ORG, &[&org.as_bytes()[..], &numbers].concat())?;
        needed.extend(head.image(&mut |payload| out.frame(HEAD, payload))?);
    }
    out.frame(END, &(mark.heads.len() as u64).to_le_bytes())?;
    out.file.sync()?;
    Ok((out.at, needed))
}

struct Frames {
    file: Arc<dyn File>,
    at: u64,
}

impl Frames {
    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 9);
        bytes.extend_from_slice(&(payload.len() as u32 + 1).to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(payload);
        self.raw(&bytes)
    }
}

/// Reads the newest image of a shard into its heads.
///
/// Errors: `Unavailable` for a disk that does not read, `Internal` for a newer format. Damage is told in the answer,
/// and what was read before it is in the heads.
pub(crate) fn load(
    shared: &Shared,
    shard: usize,
    checkpoints: &HashMap<(OrgId, Signal), Checkpoint>,
) -> Result<Loaded, Error> {
    let (fs, dir) = (shared.fs.as_ref(), dir_of(&shared.config.dir, shard));
    let act = |cause| disk_error("read head image in", &dir, cause);
    let series = numbered(fs, &dir, "series").map_err(act)?;
    let all = numbered(fs, &dir, "chunks").map_err(act)?;
    let Some((_, path)) = series.last() else {
        all.iter().for_each(|(_, path)| discard(fs, path));
        return Ok(Loaded::default());
    };
    let mut loaded = Loaded::default();
    let (mut files, mut unusable) = (HashMap::new(), HashMap::new());
    for (number, path) in &all {
        let name = path.display().to_string();
        let opened = ChunkFile::open(*number, name, Box::new(Stored(fs.open(path).map_err(act)?)));
        match opened {
            Ok(file) => {
                files.insert(*number, file);
            }
            Err(e @ ph_tsdb::Error::Version { .. }) => return Err(lift(e)),
            // What no image names is of a write that was cut short, and garbage.
            Err(e) => {
                unusable.insert(*number, e.to_string());
            }
        }
    }
    let mut reading =
        Reading { shared, checkpoints, files: &files, unusable: &unusable, needed: BTreeSet::new(), orgs: 0 };
    let file = fs.open(path).map_err(act)?;
    match reading.all(&Source { file, name: path.display().to_string() }) {
        Ok(lsn) => loaded.lsn = lsn,
        Err(Stop::Refuse(error)) => return Err(error),
        Err(Stop::Damaged(lsn, what)) => {
            loaded.lsn = lsn;
            loaded.lost.push(format!("head image {}: {what}", path.display()));
        }
    }
    if loaded.lost.is_empty() {
        series.iter().rev().skip(1).for_each(|(_, old)| discard(fs, old));
        all.iter().filter(|(n, _)| !reading.needed.contains(n)).for_each(|(_, old)| discard(fs, old));
    }
    Ok(loaded)
}

fn lift(error: ph_tsdb::Error) -> Error {
    Error::new(error.kind(), error.to_string()).caused_by(error)
}

enum Stop {
    Refuse(Error),
    /// The position, as far as it is known, and what is wrong.
    Damaged(u64, String),
}

struct Source {
    file: Arc<dyn File>,
    name: String,
}

impl Source {
    fn bytes(&self, at: u64, len: usize, lsn: u64) -> Result<Vec<u8>, Stop> {
        self.file.read_exact(at, len).map_err(|cause| {
            if cause.kind() == io::ErrorKind::UnexpectedEof {
                return Stop::Damaged(lsn, format!("it ends before byte {}", at + len as u64));
            }
            Stop::Refuse(disk_error("read head image", Path::new(&self.name), cause))
        })
    }

    /// The log position.
    fn front(&self) -> Result<u64, Stop> {
        let front = self.bytes(0, FRONT, 0)?;
        let damaged = || Stop::Damaged(0, "its beginning is damaged".to_owned());
        let (magic, rest) = front.split_at_checked(8).ok_or_else(damaged)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (crc, position) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let version = u16::from_le_bytes([version[0], version[1]]);
        if magic == MAGIC && version > VERSION {
            let what = format!(
                "head image {} has format version {version}, this release reads up to {VERSION}; use the newer release",
                self.name
            );
            return Err(Stop::Refuse(Error::new(ErrorKind::Internal, what)));
        }
        let position = position.first_chunk::<8>().ok_or_else(damaged)?;
        if magic != MAGIC || crc32c::crc32c(position) != u32::from_le_bytes(*crc) {
            return Err(damaged());
        }
        Ok(u64::from_le_bytes(*position))
    }

    /// Kind and payload of the frame at a place, and where the next one begins.
    fn frame(&self, at: u64, lsn: u64) -> Result<(u8, Vec<u8>, u64), Stop> {
        let damaged = || Stop::Damaged(lsn, format!("it is damaged at byte {at}"));
        let front = self.bytes(at, 8, lsn)?;
        let (len, crc) = front.split_first_chunk::<4>().ok_or_else(damaged)?;
        let len = u32::from_le_bytes(*len) as usize;
        let crc = crc.first_chunk::<4>().map(|c| u32::from_le_bytes(*c));
        if len == 0 || len > MAX_FRAME {
            return Err(damaged());
        }
        let mut payload = self.bytes(at + 8, len, lsn)?;
        if Some(crc32c::crc32c(&payload)) != crc {
            return Err(damaged());
        }
        let kind = payload.remove(0);
        Ok((kind, payload, at + 8 + len as u64))
    }
}

struct Reading<'a> {
    shared: &'a Shared,
    checkpoints: &'a HashMap<(OrgId, Signal), Checkpoint>,
    files: &'a HashMap<u64, Arc<ChunkFile>>,
    /// Why other files cannot be used.
    unusable: &'a HashMap<u64, String>,
    needed: BTreeSet<u64>,
    orgs: u64,
}

impl Reading<'_> {
    fn all(&mut self, source: &Source) -> Result<u64, Stop> {
        let lsn = source.front()?;
        let mut at = FRONT as u64;
        let (mut kind, mut payload, mut next) = source.frame(at, lsn)?;
        while kind == ORG {
            let damaged = |what: &str| Stop::Damaged(lsn, format!("{what} at byte {at}"));
            let (org, then) = org_of(&payload).ok_or_else(|| damaged("an organisation is damaged"))?;
            self.orgs += 1;
            let head = (!self.shared.is_gone(org)).then(|| self.shared.head_or_new(org));
            let now = self.checkpoints.get(&(org, Signal::Metrics)).copied().unwrap_or_default();
            // Blocks that were published since hold everything before their border.
            let from_ms = if now == then { i64::MIN } else { now.border_ms };
            let mut loader = head.as_deref().map(|head| Loader::new(head, self.files, from_ms));
            loop {
                at = next;
                (kind, payload, next) = source.frame(at, lsn)?;
                if kind != HEAD {
                    break;
                }
                if let Some(loader) = &mut loader {
                    loader
                        .take(&payload)
                        .map_err(|e| Stop::Damaged(lsn, format!("the frame at byte {at}: {e}")))?;
                }
            }
            if let Some(loader) = loader {
                self.needed.extend(loader.needed());
                if let Some(number) = loader.missing() {
                    let why = self.unusable.get(&number).map_or("it is not there", String::as_str);
                    let what = format!("chunks-{number} beside it cannot be used: {why}");
                    return Err(Stop::Damaged(lsn, what));
                }
            }
        }
        let orgs = payload.first_chunk::<8>().map(|n| u64::from_le_bytes(*n));
        if kind != END || orgs != Some(self.orgs) {
            return Err(Stop::Damaged(lsn, format!("it is not whole: no end at byte {at}")));
        }
        Ok(lsn)
    }
}

/// The organisation of a frame and its block checkpoint.
fn org_of(payload: &[u8]) -> Option<(OrgId, Checkpoint)> {
    let (org, rest) = payload.split_first_chunk::<16>()?;
    let (lsn, border) = rest.split_first_chunk::<8>()?;
    let border_ms = i64::from_le_bytes(*border.first_chunk::<8>()?);
    Some((OrgId::from_bytes(*org), Checkpoint { lsn: u64::from_le_bytes(*lsn), border_ms }))
}

/// What is wrong with the image and the chunks of a shard; reads all of them, and leaves no heads behind.
pub(crate) fn faults(shared: &Shared, shard: usize) -> Result<Vec<String>, Error> {
    let loaded = load(shared, shard, &HashMap::new())?;
    let mut out = loaded.lost;
    let heads = std::mem::take(&mut *shared.heads.write().unwrap_or_else(PoisonError::into_inner));
    out.extend(heads.values().flat_map(|head| head.verify()).take(100));
    Ok(out)
}
