//! Metric blocks on disk: directories of files that `tsdb` encodes and reads.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ph_model::{ErrorKind, OrgId, Signal};
use ph_tsdb::block::{ReadAt, encode};
use ph_tsdb::{Block, Cut, SeriesSamples};
use uuid::Uuid;

use crate::catalogue::PartRow;
use crate::contract::Error;
use crate::fs::{File, Fs};
use crate::hidden::{HiddenSeries, strip};
use crate::part::{day_text, discard};
use crate::rolled::name_of;
use crate::shard::Shared;

const DAY_MS: i64 = 86_400_000;
/// Files of a block.
const FILES: [&str; 5] = ["symbols", "series", "postings", "pages", "meta.json"];

/// One block: its row, and the open files once somebody asked.
#[derive(Debug)]
pub(crate) struct BlockPart {
    pub row: PartRow,
    fs: Arc<dyn Fs>,
    root: PathBuf,
    block: OnceLock<Block>,
    metrics: OnceLock<Vec<ph_tsdb::Metric>>,
    damage: OnceLock<String>,
    /// Files go when the last snapshot that knows the block is dropped.
    pub doomed: AtomicBool,
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

impl BlockPart {
    /// A block of the store whose directory is `root`.
    pub fn new(row: PartRow, shared: &Shared) -> Self {
        Self {
            row,
            fs: Arc::clone(&shared.fs),
            root: shared.config.dir.clone(),
            block: OnceLock::new(),
            metrics: OnceLock::new(),
            damage: OnceLock::new(),
            doomed: AtomicBool::new(false),
        }
    }

    /// Removes the files once nobody reads them.
    pub fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }

    /// Why the block is not read any more.
    pub fn damage(&self) -> Option<String> {
        self.damage.get().cloned()
    }

    /// Remembers damage, so that the block is set aside; an error of the disk is not damage. Gives the text.
    pub fn note_damage(&self, kind: ErrorKind, text: String) -> String {
        if kind == ErrorKind::Internal || kind == ErrorKind::NotFound {
            self.damage.get_or_init(|| text.clone());
        }
        text
    }

    /// The open block. Errors: `Internal` for damage, `Unavailable` or `NotFound` from the disk.
    pub fn block(&self) -> Result<&Block, Error> {
        if let Some(block) = self.block.get() {
            return Ok(block);
        }
        let dir = self.root.join(&self.row.path);
        let opened = Block::from_files(&dir.display().to_string(), |name| {
            Ok(Box::new(Stored(self.fs.open(&dir.join(name))?)) as Box<dyn ReadAt>)
        })
        .map_err(|e| Error::new(e.kind(), e.to_string()).caused_by(e))?;
        Ok(self.block.get_or_init(|| opened))
    }

    /// The metrics of the block, read once. Errors: as [`BlockPart::block`].
    pub fn metrics(&self) -> Result<&[ph_tsdb::Metric], Error> {
        if let Some(known) = self.metrics.get() {
            return Ok(known);
        }
        if let Some(why) = self.damage() {
            return Err(Error::new(ErrorKind::Internal, why));
        }
        let read = self.block()?.metrics().map_err(|e| {
            let text = self.note_damage(e.kind(), e.to_string());
            Error::new(e.kind(), text).caused_by(e)
        })?;
        Ok(self.metrics.get_or_init(|| read))
    }
}

impl Drop for BlockPart {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Relaxed) {
            let dir = self.root.join(&self.row.path);
            FILES.iter().for_each(|name| discard(self.fs.as_ref(), &dir.join(name)));
            self.fs.prune_dir(&dir);
            dir.parent().into_iter().for_each(|day| self.fs.prune_dir(day));
        }
    }
}

/// Where a block comes from.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub org: OrgId,
    pub shard: usize,
    pub lsn: u64,
    /// Width of the windows of a roll-up; 0: it holds samples.
    pub step_ms: i64,
}

impl Source {
    /// Where a block of a day lies, below the store's directory.
    fn path(&self, day: i64, id: Uuid) -> String {
        let (org, day) = (self.org, day_text(day));
        match self.step_ms {
            0 => format!("t/{org}/m/{day}/{id}"),
            step_ms => format!("t/{org}/roll/{}/{day}/{id}", name_of(step_ms)),
        }
    }

    /// Times of a block of a day with these samples. Those of a roll-up's samples say nothing.
    fn bounds(&self, day: i64, samples: (i64, i64)) -> (i64, i64) {
        if self.step_ms == 0 { samples } else { (day * DAY_MS, (day + 1) * DAY_MS - 1) }
    }
}

/// Writes a cut as blocks, one a UTC day. Nothing is published.
pub(crate) fn write(
    fs: &dyn Fs,
    root: &std::path::Path,
    (of, hidden): (Source, &[Arc<HiddenSeries>]),
    cut: &Cut,
) -> Result<Vec<PartRow>, Error> {
    let Some((first, last)) = cut.bounds() else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for day in first.div_euclid(DAY_MS)..=last.div_euclid(DAY_MS) {
        let mut series = cut.iter().filter_map(|s| match s {
            Ok(s) => seen(hidden, within(s, day)?).map(Ok),
            Err(error) => Some(Err(error)),
        });
        let row = write_day(fs, root, (of, day), &mut series)?;
        let cleaned = hidden.iter().map(|h| h.seq).max().unwrap_or(0);
        out.extend(row.map(|row| PartRow { cleaned, ..row }));
    }
    Ok(out)
}

/// Writes series of one UTC day, ascending by labels, as a block. Nothing is published. `None` without samples.
pub(crate) fn write_day(
    fs: &dyn Fs,
    root: &std::path::Path,
    (of, day): (Source, i64),
    series: &mut dyn Iterator<Item = Result<SeriesSamples, ph_tsdb::Error>>,
) -> Result<Option<PartRow>, Error> {
    let fault = |e: ph_tsdb::Error| Error::new(e.kind(), format!("encode metrics block: {e}"));
    let (meta, files) = encode(series).map_err(fault)?;
    if meta.samples == 0 {
        return Ok(None);
    }
    let id = Uuid::now_v7();
    let path = of.path(day, id);
    let (first, last) = of.bounds(day, (meta.min_ms, meta.max_ms));
    let dir = root.join(&path);
    let act = |cause: io::Error| disk_error("write metrics block", &dir, cause);
    fs.create_dir_all(&dir).map_err(act)?;
    for (name, bytes) in &files {
        fs.place(&root.join("tmp").join(format!("{id}.{name}")), &dir.join(name), bytes).map_err(act)?;
    }
    let meta_bytes = fs.size(&dir.join("meta.json")).map_err(act)?;
    Ok(Some(PartRow {
        id,
        org: of.org,
        signal: Signal::Metrics,
        day,
        path,
        first,
        last,
        rows: meta.samples,
        bytes: meta.bytes + meta_bytes,
        hash: 0,
        shard: of.shard,
        lsn: of.lsn,
        series: meta.series,
        quarantined: None,
        tix: 0,
        tid: 0,
        level: 0,
        at: None,
        cleaned: 0,
        ruled: 0,
        summary: Vec::new(),
        step_ms: of.step_ms,
    }))
}

/// What of a series may be seen; `None` when that is nothing.
pub(crate) fn seen(hidden: &[Arc<HiddenSeries>], mut series: SeriesSamples) -> Option<SeriesSamples> {
    strip(hidden, &series.labels, &mut series.samples);
    (!series.samples.is_empty()).then_some(series)
}

fn within(mut series: SeriesSamples, day: i64) -> Option<SeriesSamples> {
    series.samples.retain(|s| s.at_ms.div_euclid(DAY_MS) == day);
    (!series.samples.is_empty()).then_some(series)
}

/// An error of the disk with what was being done, as the store's error.
pub(crate) fn disk_error(act: &str, path: &std::path::Path, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{act} {}: {cause}", path.display())).caused_by(cause)
}
