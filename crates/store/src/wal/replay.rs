//! Reading a shard's log at the start.
//!
//! In the last segment reading stops at the first bad record, unless a valid commit stands behind it; there, and in
//! every earlier segment, a bad record is damage. With `repair` reading goes on behind the damage and reports it.

use std::io;
use std::path::{Path, PathBuf};

use super::record::{self, COMMIT, FIELDS, MORE, Record};
use super::segment::{COMMIT_SIZE, HEAD, MAGIC, Numbers, VERSION, mix};
use crate::fs::Fs;

/// One segment found on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub path: PathBuf,
    pub first_lsn: u64,
    /// LSN after its last whole batch.
    pub next_lsn: u64,
    pub bytes: u64,
}

/// Bytes that are not what was written, and were durable before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub path: PathBuf,
    pub offset: u64,
    pub what: String,
}

/// What reading a shard's log gave.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub segments: Vec<Segment>,
    /// The LSN that the next record gets.
    pub next_lsn: u64,
    /// Places that `repair` jumped over; without `repair` at most one, and reading stopped there.
    pub damage: Vec<Damage>,
}

/// How a segment ended.
struct End {
    /// Bytes up to the end of the last whole batch.
    good: usize,
    next_lsn: u64,
    damage: Vec<Damage>,
}

/// Reads all segments in order and gives each whole batch (a run of records) to `each`, with the segment's number.
///
/// The last segment is cut durably behind its last whole batch, so that a later start finds a clean end; without a
/// batch it is removed, for the next segment gets the same LSN and with it the same name.
pub(crate) fn replay(
    fs: &dyn Fs,
    dir: &Path,
    repair: Repair,
    each: &mut dyn FnMut(usize, &[Record<'_>]),
) -> io::Result<Replay> {
    let mut out = Replay { next_lsn: 1, ..Replay::default() };
    let files: Vec<PathBuf> = fs
        .walk(dir)?
        .into_iter()
        .map(|f| f.path)
        .filter(|p| p.extension().is_some_and(|e| e == "wal"))
        .collect();
    for (number, path) in files.iter().enumerate() {
        let last = number + 1 == files.len();
        let bytes = fs.read(path)?;
        let Some(numbers) = head(path, &bytes)? else {
            // A segment is created durably before it takes a record: half a head never held one.
            if last && bytes.get(HEAD..).is_none_or(|rest| rest.iter().all(|b| *b == 0)) {
                remove(fs, dir, path)?;
                break;
            }
            out.damage.push(Damage { path: path.clone(), offset: 0, what: "its head is damaged".to_owned() });
            if repair == Repair::No {
                return Ok(out);
            }
            continue;
        };
        let first_lsn = numbers.first_lsn;
        if !out.segments.is_empty() && numbers.follows != out.next_lsn {
            let what = format!("it follows record {}, but {} comes next", numbers.follows, out.next_lsn);
            out.damage.push(Damage { path: path.clone(), offset: HEAD as u64, what });
            if repair == Repair::No {
                return Ok(out);
            }
        }
        let segment = out.segments.len();
        let mut reader = Reader { path, bytes: &bytes, first_lsn, last, repair };
        let end = reader.run(&mut |records| each(segment, records));
        if last && end.next_lsn == first_lsn && end.damage.is_empty() {
            remove(fs, dir, path)?;
            break;
        }
        out.next_lsn = end.next_lsn;
        let stop = !end.damage.is_empty() && repair == Repair::No;
        out.damage.extend(end.damage);
        if stop {
            return Ok(out);
        }
        if last && bytes.len() > end.good {
            let file = fs.open(path)?;
            file.truncate(end.good as u64)?;
            file.sync()?;
        }
        out.segments.push(Segment {
            path: path.clone(),
            first_lsn,
            next_lsn: end.next_lsn,
            bytes: end.good as u64,
        });
    }
    Ok(out)
}

fn remove(fs: &dyn Fs, dir: &Path, path: &Path) -> io::Result<()> {
    fs.unlink(path)?;
    fs.sync_dir(dir)
}

/// Whether reading goes on behind damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    No,
    Yes,
}

/// The numbers in a segment's head; `None` when the head is not whole. Errors on a newer version.
fn head(path: &Path, bytes: &[u8]) -> io::Result<Option<Numbers>> {
    let Some(head) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
    let (magic, rest) = head.split_at(8);
    let (version, rest) = rest.split_at(4);
    let (crc, number) = rest.split_at(4);
    if magic != MAGIC || crc != crc32c::crc32c(number).to_le_bytes() {
        return Ok(None);
    }
    let version = version.first_chunk::<2>().map_or(0, |v| u16::from_le_bytes(*v));
    if version > VERSION {
        let text = format!(
            "log segment {} has format version {version}, this release reads up to {VERSION}; use the newer release",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let (first, follows) = number.split_at(8);
    let read = |n: &[u8]| n.first_chunk::<8>().map_or(0, |n| u64::from_le_bytes(*n));
    Ok(Some(Numbers { first_lsn: read(first), follows: read(follows) }))
}

struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    first_lsn: u64,
    last: bool,
    repair: Repair,
}

impl Reader<'_> {
    fn run(&mut self, each: &mut dyn FnMut(&[Record<'_>])) -> End {
        let mut end = End { good: HEAD, next_lsn: self.first_lsn, damage: Vec::new() };
        let (mut at, mut lsn, mut running) = (HEAD, self.first_lsn, Some(0_u32));
        let mut run: Vec<Record<'_>> = Vec::new();
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            if rest.is_empty() || (!self.last && rest.iter().all(|b| *b == 0)) {
                break;
            }
            let found = record::read(rest).and_then(|r| accept(&r, lsn, running).map(|next| (r, next)));
            let Some((record, next)) = found else {
                match self.behind(at, lsn) {
                    None => break,
                    Some(resume) => {
                        end.damage.push(self.damage(at));
                        if self.repair == Repair::No {
                            return end;
                        }
                        run.clear();
                        let Some((from, next)) = resume else { break };
                        (at, lsn, running) = (from, next, None);
                        continue;
                    }
                }
            };
            at += record.size;
            running = next;
            if record.header.kind != COMMIT {
                lsn += 1;
                run.push(record);
                if record.header.flags & MORE != 0 {
                    continue;
                }
                each(&run);
                run.clear();
            }
            if run.is_empty() {
                (end.good, end.next_lsn) = (at, lsn);
            }
        }
        end
    }

    fn damage(&self, at: usize) -> Damage {
        Damage {
            path: self.path.to_owned(),
            offset: at as u64,
            what: "a record is damaged that had been durable".to_owned(),
        }
    }

    /// Whether a bad record at `at` is damage: then `Some`, with the place where reading can resume.
    fn behind(&self, at: usize, lsn: u64) -> Option<Option<(usize, u64)>> {
        let mut resume = None;
        let mut committed = !self.last;
        for from in at + 1..self.bytes.len() {
            let Some(len) = self.bytes.get(from..from + 4).and_then(|b| b.first_chunk::<4>()) else { break };
            let len = u32::from_le_bytes(*len) as usize;
            if len < FIELDS || from + 8 + len > self.bytes.len() {
                continue;
            }
            let Some(record) = self.bytes.get(from..).and_then(record::read) else { continue };
            if record.header.kind == COMMIT && record.size == COMMIT_SIZE && record.header.lsn >= lsn {
                committed = true;
            }
            if record.header.kind != COMMIT && record.header.lsn >= lsn && resume.is_none() {
                resume = Some((from, record.header.lsn));
            }
            if committed && resume.is_some() {
                break;
            }
        }
        committed.then_some(resume)
    }
}

/// Whether a whole record continues the log; gives the running checksum after it. `None` inside: not known (repair).
fn accept(record: &Record<'_>, lsn: u64, running: Option<u32>) -> Option<Option<u32>> {
    if record.header.kind != COMMIT {
        return (record.header.lsn == lsn).then_some(running.map(|sum| mix(sum, record.crc)));
    }
    let sum = record.packed.first_chunk::<4>().map(|b| u32::from_le_bytes(*b))?;
    // After damage the sum is taken from the next mark.
    (record.header.lsn + 1 == lsn && running.is_none_or(|known| known == sum)).then_some(Some(sum))
}
