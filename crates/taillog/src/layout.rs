//! Runs and segments: which files make up a source's log, in the order they were written.
//!
//! In:     a source's directory. Out: runs ascending, segments oldest first, the live one last.
//! Source: kubelet's container log manager (`<N>.log.<stamp>[.gz]`), dockerd's json-file driver (`….1`, higher is older).

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FileType};

use crate::Error;
use crate::content::Content;
use crate::probe::{self, Probe};
use crate::roots::{Base, Opened, Place, Roots};
use crate::source::SourceId;

/// The log of one start of a container.
#[derive(Clone, Debug)]
pub struct Run {
    /// Restart number; 0 on a Docker host, whose files span restarts.
    pub number: u32,
    pub segments: Vec<Segment>,
}

/// One file of a run.
#[derive(Clone, Debug)]
pub struct Segment {
    pub name: String,
    /// On disk, compressed or not.
    pub size_bytes: u64,
    pub gz: bool,
    /// Whether it has the name that the runtime writes to.
    pub live: bool,
    /// ns UTC of the first record; `None` when it has none yet.
    pub first_ns: Option<i64>,
    /// ns UTC of the last record; `None` when unknown (always for gzip).
    pub last_ns: Option<i64>,
    /// `None` until the first line is complete.
    pub key: Option<u128>,
    pub(crate) place: Place,
    pub(crate) identity: (u64, u64),
    pub(crate) mtime_ns: i64,
    /// What its first bytes told when it was listed.
    pub(crate) probe: Probe,
}

impl Segment {
    /// Stands in for a segment where lines come from a pipe.
    pub(crate) fn unnamed(mtime_ns: i64) -> Self {
        Self {
            name: String::new(),
            size_bytes: 0,
            gz: false,
            live: true,
            first_ns: None,
            last_ns: None,
            key: None,
            place: Place { base: Base::Pods, rel: PathBuf::new() },
            identity: (0, 0),
            mtime_ns,
            probe: Probe::default(),
        }
    }
}

/// What is known of files that did not change since they were last opened.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    known: HashMap<Stamp, Probe>,
    /// Whether something was renamed or removed while it was listed.
    vanished: bool,
}

impl Probes {
    /// Sorts out why a listed file cannot be opened: gone (noted), refused (passed over, counted by the roots), or a
    /// fault to be told.
    fn missed(&mut self, cause: io::Error) -> io::Result<()> {
        match cause.kind() {
            io::ErrorKind::NotFound => self.vanished = true,
            _ if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {}
            _ => return Err(cause),
        }
        Ok(())
    }
}

/// How often a directory that changes is listed again.
const MAX_TRIES: u32 = 16;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Stamp {
    identity: (u64, u64),
    size: u64,
    mtime_ns: i64,
}

/// A file name taken apart.
#[derive(Debug, PartialEq)]
struct Name {
    run: u32,
    /// Empty for the live file.
    suffix: String,
    gz: bool,
}

/// Lists a source's runs.
///
/// # Errors
/// `not_found` when the directory is gone, `denied`.
pub(crate) fn list(roots: &Roots, id: &SourceId, probes: &mut Probes) -> Result<Vec<Run>, Error> {
    let mut tries = 0;
    loop {
        let mut fresh = Probes::default();
        let mut runs = list_once(roots, id, probes, &mut fresh)?;
        // A file that went away while we looked has another name now: a listing without it would hide a segment.
        if fresh.vanished && tries < MAX_TRIES {
            tries += 1;
            continue;
        }
        *probes = fresh;
        close_keys(&mut runs);
        return Ok(runs);
    }
}

fn list_once(roots: &Roots, id: &SourceId, old: &Probes, fresh: &mut Probes) -> Result<Vec<Run>, Error> {
    let place = id.place()?;
    let full = roots.full(&place);
    let wrap = |e: io::Error| Error::io(&full, e);
    Ok(match id {
        SourceId::Docker { container_id } => {
            let live = format!("{container_id}-json.log");
            let files = docker(roots, (&place, &live, 0), fresh).map_err(wrap)?;
            vec![Run { number: 0, segments: ordered(files, old, fresh) }]
        }
        SourceId::File { .. } if !is_dir(roots, &place).map_err(wrap)? => {
            let name = place.rel.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let run = cri_name(&name).map_or(0, |n| n.run);
            let parsed = Name { run, suffix: String::new(), gz: name.ends_with(".gz") };
            let (file, content) = segment(roots, place, &parsed).map_err(wrap)?;
            vec![Run { number: run, segments: ordered(vec![(parsed, file, content)], old, fresh) }]
        }
        SourceId::Pod { .. } | SourceId::File { .. } => {
            let mut files = cri(roots, &place, fresh).map_err(wrap)?;
            if let (true, Some(live)) = (files.is_empty(), docker_live(roots, &place).map_err(wrap)?) {
                files = docker(roots, (&place, &live, 0), fresh).map_err(wrap)?;
            }
            let mut numbers: Vec<u32> = files.iter().map(|(n, ..)| n.run).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let mut runs = Vec::with_capacity(numbers.len());
            for number in numbers {
                let (mine, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|(n, ..)| n.run == number);
                files = rest;
                runs.push(Run { number, segments: ordered(mine, old, fresh) });
            }
            runs
        }
    })
}

/// A file that nobody writes to any more has a key even when its only line has no end.
fn close_keys(runs: &mut [Run]) {
    let newest = runs.len().saturating_sub(1);
    for (i, run) in runs.iter_mut().enumerate() {
        for segment in run.segments.iter_mut().filter(|s| i < newest || !s.live) {
            segment.key = segment.key.or(segment.probe.closed_key);
        }
    }
}

type Found = Vec<(Name, Segment, Content)>;

fn cri(roots: &Roots, place: &Place, fresh: &mut Probes) -> io::Result<Found> {
    let mut found = Vec::new();
    let listed = names(roots, place)?;
    for (name, _, link) in &listed {
        let Some(parsed) = cri_name(name) else { continue };
        let at = Place { base: place.base, rel: place.rel.join(name) };
        let target = match if *link { roots.resolve(&at) } else { Ok(at) } {
            Ok(target) => target,
            Err(e) => {
                fresh.missed(e)?;
                continue;
            }
        };
        if target.base == Base::Docker && parsed.suffix.is_empty() {
            // A cri-dockerd link: the rotated files lie beside its target.
            let live = target.rel.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let dir =
                Place { base: Base::Docker, rel: target.rel.parent().map(PathBuf::from).unwrap_or_default() };
            found.extend(docker(roots, (&dir, &live, parsed.run), fresh)?);
        } else {
            match segment(roots, target, &parsed) {
                Ok((segment, content)) => found.push((parsed, segment, content)),
                Err(e) => fresh.missed(e)?,
            }
        }
    }
    fresh.vanished |= names(roots, place)? != listed;
    Ok(found)
}

/// `at`: the directory, the live file's name, the run.
fn docker(roots: &Roots, at: (&Place, &str, u32), fresh: &mut Probes) -> io::Result<Found> {
    let (place, live, run) = at;
    let mut found = Vec::new();
    let listed = names(roots, place)?;
    for (name, ..) in &listed {
        let Some(parsed) = docker_name(name, live, run) else { continue };
        let at = Place { base: place.base, rel: place.rel.join(name) };
        match segment(roots, at, &parsed) {
            Ok((segment, content)) => found.push((parsed, segment, content)),
            Err(e) => fresh.missed(e)?,
        }
    }
    fresh.vanished |= names(roots, place)? != listed;
    Ok(found)
}

/// A file and its descriptor, which is let go once it was looked into.
fn segment(roots: &Roots, place: Place, name: &Name) -> io::Result<(Segment, Content)> {
    use std::os::unix::fs::MetadataExt;
    let Opened { file, place, meta } = roots.open_file(&place)?;
    let segment = Segment {
        name: place.rel.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        size_bytes: meta.len(),
        gz: name.gz,
        live: name.suffix.is_empty(),
        first_ns: None,
        last_ns: None,
        key: None,
        place,
        identity: (meta.dev(), meta.ino()),
        mtime_ns: meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec()),
        probe: Probe::default(),
    };
    Ok((segment, Content::of(roots, file, name.gz)))
}

/// Puts one run's files into the order they were written; a plain file hides its gzipped copy when it opens.
fn ordered(mut files: Found, old: &Probes, fresh: &mut Probes) -> Vec<Segment> {
    files.sort_by(|(a, ..), (b, ..)| (&a.suffix, a.gz).cmp(&(&b.suffix, b.gz)));
    let mut kept: Vec<(Name, Segment)> = Vec::with_capacity(files.len());
    for (name, mut segment, mut content) in files {
        if kept.last().is_some_and(|(n, _)| n.suffix == name.suffix) {
            continue;
        }
        let stamp =
            Stamp { identity: segment.identity, size: segment.size_bytes, mtime_ns: segment.mtime_ns };
        let probe = match old.known.get(&stamp) {
            // Only gzip never changes; a plain file's inode, size and coarse time may all be another's by now.
            Some(probe) if segment.gz => probe.clone(),
            _ => probe::probe(&mut content).unwrap_or_default(),
        };
        (segment.key, segment.first_ns, segment.probe) = (probe.key, probe.first_ns, probe.clone());
        fresh.known.insert(stamp, probe);
        kept.push((name, segment));
    }
    in_order(kept)
}

/// Live last; numbers (Docker) descending; stamps (kubelet) by first time, then stamp. A file without a time stays
/// behind the one with the stamp before it.
fn in_order(mut files: Vec<(Name, Segment)>) -> Vec<Segment> {
    let number = |name: &Name| name.suffix.parse::<u32>().ok().filter(|_| name.suffix.len() < 8).unwrap_or(0);
    files.sort_by(|(a, x), (b, y)| {
        let by_number = number(b).cmp(&number(a));
        x.live.cmp(&y.live).then(by_number).then_with(|| a.suffix.cmp(&b.suffix))
    });
    let mut time = i64::MIN;
    let mut timed: Vec<(bool, i64, Segment)> = Vec::with_capacity(files.len());
    for (name, segment) in files {
        if number(&name) == 0 {
            time = segment.first_ns.unwrap_or(time);
        }
        timed.push((segment.live, time, segment));
    }
    timed.sort_by_key(|(live, time, _)| (*live, *time));
    timed.into_iter().map(|(_, _, segment)| segment).collect()
}

/// Names and inodes of files and links, and which are links, sorted. Two equal answers mean that nothing was renamed in
/// between.
fn names(roots: &Roots, place: &Place) -> io::Result<Vec<(String, u64, bool)>> {
    let dir = roots.open_dir(place)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let kind = match entry.file_type() {
            FileType::Unknown => rustix::fs::statat(&dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |s| FileType::from_raw_mode(s.st_mode)),
            known => known,
        };
        if let (FileType::RegularFile | FileType::Symlink, Ok(name)) = (kind, entry.file_name().to_str()) {
            names.push((name.to_owned(), entry.ino(), kind == FileType::Symlink));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether a file of this name belongs to a container's log.
pub(crate) fn is_container_name(name: &str) -> bool {
    cri_name(name).is_some() || name.ends_with(DOCKER_LIVE)
}

const DOCKER_LIVE: &str = "-json.log";

/// The live file's name in a copied directory of dockerd's.
fn docker_live(roots: &Roots, place: &Place) -> io::Result<Option<String>> {
    if place.base != Base::Anywhere {
        return Ok(None);
    }
    Ok(names(roots, place)?.into_iter().map(|(name, ..)| name).find(|name| name.ends_with(DOCKER_LIVE)))
}

fn is_dir(roots: &Roots, place: &Place) -> io::Result<bool> {
    roots.is_dir(place)
}

fn cri_name(name: &str) -> Option<Name> {
    let (number, rest) = name.split_once(".log")?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let run = number.parse().ok()?;
    if rest.is_empty() {
        return Some(Name { run, suffix: String::new(), gz: false });
    }
    let rest = rest.strip_prefix('.')?;
    let (suffix, gz) = rest.strip_suffix(".gz").map_or((rest, false), |s| (s, true));
    if suffix.is_empty() || suffix.contains('.') || !suffix.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(Name { run, suffix: suffix.to_owned(), gz })
}

fn docker_name(name: &str, live: &str, run: u32) -> Option<Name> {
    let rest = name.strip_prefix(live)?;
    if rest.is_empty() {
        return Some(Name { run, suffix: String::new(), gz: false });
    }
    let rest = rest.strip_prefix('.')?;
    let (suffix, gz) = rest.strip_suffix(".gz").map_or((rest, false), |s| (s, true));
    suffix.parse::<u32>().ok()?;
    Some(Name { run, suffix: suffix.to_owned(), gz })
}
