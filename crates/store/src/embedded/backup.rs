//! Snapshots of the store beside it: a catalogue of its own, and hard links to the files that it names.
//!
//! Out:    a directory that opens as a store: everything that was durable when the snapshot began, nothing half.

use std::io;
use std::path::{Path, PathBuf};

use ph_model::{ErrorKind, Signal};

use super::Embedded;
use super::start::run;
use crate::block::disk_error;
use crate::catalogue::{Catalogue, PartRow};
use crate::contract::Error;
use crate::part::files;

/// A part may be merged away while its files are linked; then the snapshot is begun anew, so often at most.
const TRIES: u32 = 5;

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotReport {
    pub parts: u64,
    pub bytes: u64,
    /// Files that are copies, because the directory lies on another file system.
    pub copied: u64,
}

impl Embedded {
    /// Writes a snapshot to a directory that does not exist or is empty. Intake and questions go on meanwhile.
    ///
    /// Errors: `Invalid` for a directory that holds something, else those of the disk; what was begun stays there.
    pub async fn snapshot(&self, to: &Path) -> Result<SnapshotReport, Error> {
        let act = |e| disk_error("make snapshot", to, e);
        std::fs::create_dir_all(to).map_err(act)?;
        if std::fs::read_dir(to).map_err(act)?.next().is_some() {
            let what =
                format!("{} holds something; choose an empty directory for the snapshot", to.display());
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        self.flush().await?;
        for _ in 0..TRIES {
            // What readers hold stays on the disk.
            let held = self.shared.snapshots.load();
            let meta = to.join("meta.db");
            self.catalogue.copy_to(&meta).await?;
            let copy = Catalogue::open(&meta).await?;
            let rows = copy.parts().await?;
            copy.close().await;
            let (from, into) = (self.shared.config.dir.clone(), to.to_owned());
            let linked = run(move || link_all(&from, &into, &rows)).await?;
            drop(held);
            match linked {
                Err(error) if error.kind == ErrorKind::NotFound => clear(to)?,
                other => return other,
            }
        }
        let what =
            "parts were merged faster than they could be linked; try again when the store is less busy";
        Err(Error::new(ErrorKind::Unavailable, what))
    }
}

/// Empties a directory that this snapshot made.
fn clear(dir: &Path) -> Result<(), Error> {
    let act = |e| disk_error("begin snapshot anew", dir, e);
    std::fs::remove_dir_all(dir).map_err(act)?;
    std::fs::create_dir_all(dir).map_err(act)
}

fn link_all(from: &Path, to: &Path, rows: &[PartRow]) -> Result<SnapshotReport, Error> {
    let mut report = SnapshotReport::default();
    let mut seen = std::collections::HashSet::new();
    for row in rows {
        report.parts += 1;
        report.bytes += row.bytes + row.tix + row.tid;
        for path in paths(from, row)? {
            // A pack holds many parts.
            if seen.insert(path.clone()) {
                let copied = link(&from.join(&path), &to.join(&path));
                report.copied += u64::from(copied.map_err(|e| disk_error("link", &from.join(&path), e))?);
            }
        }
    }
    let act = |e| disk_error("sync snapshot", to, e);
    std::fs::File::open(to).and_then(|dir| dir.sync_all()).map_err(act)?;
    Ok(report)
}

/// Files of a part, below the store's directory.
fn paths(from: &Path, row: &PartRow) -> Result<Vec<PathBuf>, Error> {
    if row.quarantined.is_some() {
        return Ok(Vec::new());
    }
    if row.signal != Signal::Metrics {
        return Ok(files(row));
    }
    let dir = from.join(&row.path);
    let act = |e| disk_error("list", &dir, e);
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(act)? {
        out.push(PathBuf::from(&row.path).join(entry.map_err(act)?.file_name()));
    }
    Ok(out)
}

/// Whether it had to be copied.
fn link(from: &Path, to: &Path) -> io::Result<bool> {
    if let Some(dir) = to.parent() {
        std::fs::create_dir_all(dir)?;
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            std::fs::copy(from, to)?;
            std::fs::File::open(to)?.sync_all()?;
            Ok(true)
        }
        Err(e) => Err(e),
    }
}
