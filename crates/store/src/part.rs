//! Parts: immutable Parquet files of rows, one organisation, signal and UTC day each.
//!
//! In:     sealed generations.
//! Out:    files sorted for reading (logs by stream and time, spans by service, events by namespace); scans. Merged ones
//!         have columns of their own for attributes that many of their rows have.
//! Never:  trusts a file: the first read compares its hash with the catalogue.

mod attributes;
mod blanks;
mod cache;
mod fetch;
mod indexed;
mod pack;
mod pages;
mod pick;
mod read;
mod shapes;
mod sifted;
mod summary;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::catalogue::PartRow;
use crate::fs::Fs;
use crate::health::Meter;
use crate::index::Kind;
use crate::shard::Shared;
use summary::Summary;

pub(crate) use attributes::Attributes;
pub(crate) use cache::Cache;
pub(crate) use pack::Packs;
pub(crate) use pages::Pin;
pub(crate) use read::{PartRows, Want};
pub(crate) use summary::Asked;
pub(crate) use write::{Content, Sealed, store_all, write, write_pack};

/// One part: its row, and what reading it showed.
#[derive(Debug)]
pub(crate) struct Part {
    pub row: PartRow,
    fs: Arc<dyn Fs>,
    root: PathBuf,
    cache: Arc<Cache>,
    meter: Arc<Meter>,
    /// Set once the file was found to be what was written.
    verified: OnceLock<()>,
    damage: OnceLock<String>,
    index_damage: OnceLock<String>,
    /// The file goes when the last snapshot that knows the part is dropped.
    pub doomed: AtomicBool,
    /// The pack in which it lies.
    pack: Option<Arc<pack::Pack>>,
    /// What the catalogue says of its columns, once somebody asked.
    summary: OnceLock<Summary>,
}

impl Part {
    /// A part of the store whose directory is `root`.
    pub fn new(row: PartRow, shared: &Shared) -> Self {
        let path = shared.config.dir.join(&row.path);
        let pack = row.at.map(|_| shared.packs.join(&shared.fs, path));
        Self {
            row,
            pack,
            fs: Arc::clone(&shared.fs),
            root: shared.config.dir.clone(),
            cache: Arc::clone(&shared.cache),
            meter: Arc::clone(&shared.meter),
            verified: OnceLock::new(),
            damage: OnceLock::new(),
            index_damage: OnceLock::new(),
            doomed: AtomicBool::new(false),
            summary: OnceLock::new(),
        }
    }

    /// Whether a row of it may pass, by the catalogue alone.
    pub fn may_hold(&self, asked: &Asked) -> bool {
        self.summary.get_or_init(|| Summary::read(self.row.signal, &self.row.summary)).may_hold(asked)
    }

    /// Counts a question that looked into it, or passed it over.
    pub fn note_asked(&self, looked_into: bool) {
        let counter = if looked_into { &self.meter.parts_read } else { &self.meter.parts_passed_over };
        Meter::add(counter, 1);
    }

    /// Why the part is not read any more.
    pub fn damage(&self) -> Option<String> {
        self.damage.get().cloned()
    }

    /// Remembers damage, so that the part is set aside; an error of the disk is not damage. Gives the text.
    pub fn note_damage(&self, error: &crate::contract::Error) -> String {
        if error.kind == ph_model::ErrorKind::Internal || error.kind == ph_model::ErrorKind::NotFound {
            self.damage.get_or_init(|| error.text.clone());
        }
        error.text.clone()
    }

    pub fn path(&self) -> PathBuf {
        self.root.join(&self.row.path)
    }

    fn index_path(&self, kind: Kind) -> PathBuf {
        self.path().with_extension(kind.extension())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Relaxed) {
            let path = self.path();
            self.cache.forget(self.row.id);
            if let Some(pack) = &self.pack {
                return pack.leave();
            }
            discard_part(self.fs.as_ref(), &self.root, &self.row);
            path.parent().into_iter().for_each(|day| self.fs.prune_dir(day));
        }
    }
}

/// Removes the files of a part.
pub(crate) fn discard_part(fs: &dyn Fs, root: &Path, row: &PartRow) {
    files(row).iter().for_each(|path| discard(fs, &root.join(path)));
}

/// The files of a part of rows, below the store's directory.
pub(crate) fn files(row: &PartRow) -> Vec<PathBuf> {
    let path = PathBuf::from(&row.path);
    let mut out = vec![path.clone()];
    for (bytes, kind) in [(row.tix, Kind::Tokens), (row.tid, Kind::Traces)] {
        if bytes > 0 {
            out.push(path.with_extension(kind.extension()));
        }
    }
    out
}

/// Removes a file that nothing refers to any more. What cannot be removed now, the next start removes.
pub(crate) fn discard(fs: &dyn Fs, path: &Path) {
    if let Err(e) = fs.unlink(path)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), error = %e, "remove file of the store");
    }
}

/// `2026-11-21` for a day since 1970. Source: the civil-from-days algorithm of H. Hinnant.
pub(crate) fn day_text(day: i64) -> String {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (month, shift) = if mp < 10 { (mp + 3, 0) } else { (mp - 9, 1) };
    format!("{:04}-{month:02}-{:02}", yoe + era * 400 + shift, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests;
