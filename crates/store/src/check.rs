//! Is everything that the catalogue names there, and is it what was written? Reads all, changes nothing.
//!
//! In:     a store's directory that no process uses.
//! Out:    what is damaged or missing, in words that name file and place; files that no row names.

mod still;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use ph_model::{ErrorKind, Signal};

use crate::block::{BlockPart, disk_error};
use crate::catalogue::{Catalogue, PartRow};
use crate::changes::Changes;
use crate::config::StoreConfig;
use crate::contract::Error;
use crate::embedded::{lock, run};
use crate::head;
use crate::orgs::Orgs;
use crate::part::{Cache, Packs, Part, files};
use crate::shard::Shared;
use crate::snapshot::Snapshots;
use crate::tail::Tails;
use crate::wal::{Repair, replay};
use still::Still;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    pub parts: u64,
    /// Bytes that were read and compared.
    pub bytes: u64,
    /// Batches that wait in the log.
    pub logged: u64,
    /// What is damaged or missing; empty when all is well.
    pub faults: Vec<String>,
    /// Files that no row of the catalogue names: left by a crash; the next start removes those older than an hour.
    pub garbage: Vec<String>,
}

/// Checks the store in a directory.
///
/// Errors: `NotFound` when there is no store, `Unavailable` when a process uses it or the disk does not answer,
/// `Internal` for a catalogue that cannot be read.
pub async fn check(dir: &Path) -> Result<CheckReport, Error> {
    let meta = dir.join("meta.db");
    if !meta.is_file() {
        let what = format!("{} holds no store: {} is not there", dir.display(), meta.display());
        return Err(Error::new(ErrorKind::NotFound, what));
    }
    let held = lock(dir)?;
    let catalogue = Catalogue::open(&meta).await?;
    let rows = catalogue.parts().await?;
    let shards = catalogue.fact("wal_shards", 1).await?;
    catalogue.close().await;
    let dir = dir.to_owned();
    let report = run(move || inspect(&dir, rows, shards)).await?;
    drop(held);
    report
}

fn inspect(dir: &Path, rows: Vec<PartRow>, shards: i64) -> Result<CheckReport, Error> {
    let shared = Shared {
        fs: Arc::new(Still),
        config: StoreConfig::new(dir),
        clock: Arc::new(|| 0),
        snapshots: Snapshots::default(),
        heads: RwLock::default(),
        tails: Tails::default(),
        meter: Arc::default(),
        cache: Arc::new(Cache::new(64 << 20)),
        packs: Packs::default(),
        orgs: Orgs::default(),
        changes: Changes::default(),
    };
    let mut report = CheckReport::default();
    let mut known: HashSet<PathBuf> = HashSet::new();
    for row in rows {
        report.parts += 1;
        report.bytes += row.bytes + row.tix + row.tid;
        known.extend(files(&row).into_iter().map(|path| dir.join(path)));
        if let Some(why) = &row.quarantined {
            report.faults.push(format!("part {} was set aside: {why}", row.path));
        } else if row.signal == Signal::Metrics {
            report.faults.extend(block_faults(&shared, row));
        } else {
            report.faults.extend(part_faults(&Part::new(row, &shared)));
        }
    }
    logs(&shared, shards, &mut report)?;
    for name in ["t", "l0", "tmp"] {
        let below = dir.join(name);
        for file in shared.fs.walk(&below).map_err(|e| disk_error("list", &below, e))? {
            let block = file.path.parent().is_some_and(|dir| known.contains(dir));
            if !block && !known.contains(&file.path) {
                report.garbage.push(file.path.display().to_string());
            }
        }
    }
    Ok(report)
}

fn block_faults(shared: &Shared, row: PartRow) -> Option<String> {
    let (rows, path) = (row.rows, row.path.clone());
    let block = BlockPart::new(row, shared);
    match block.block().and_then(|b| b.verify().map(|()| b).map_err(|e| Error::new(e.kind(), e.to_string())))
    {
        Err(error) => Some(error.text),
        Ok(b) if b.meta().samples != rows => {
            Some(format!("block {path} holds {} samples, the catalogue says {rows}", b.meta().samples))
        }
        Ok(_) => None,
    }
}

fn part_faults(part: &Part) -> Vec<String> {
    let mut out = part.verify_indexes();
    let counted = part.verify().and_then(|()| {
        let mut rows = 0;
        for batch in part.rows()? {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    });
    match counted {
        Err(error) => out.push(error.text),
        Ok(rows) if rows != part.row.rows => {
            out.push(format!(
                "part {} holds {rows} rows, the catalogue says {}",
                part.row.path, part.row.rows
            ));
        }
        Ok(_) => {}
    }
    out
}

fn logs(shared: &Shared, shards: i64, report: &mut CheckReport) -> Result<(), Error> {
    for number in 0..usize::try_from(shards).unwrap_or(0) {
        report.faults.extend(head::faults(shared, number)?);
    }
    for lane in ["m", "r"] {
        for number in 0..shards {
            let dir = shared.config.dir.join("wal").join(format!("{lane}-{number}"));
            let mut logged = 0;
            let read = replay(shared.fs.as_ref(), &dir, Repair::Yes, &mut |_, _| logged += 1)
                .map_err(|e| disk_error("read log", &dir, e))?;
            report.logged += logged;
            let faults = read.damage.iter();
            report
                .faults
                .extend(faults.map(|d| {
                    format!("log {} is damaged at byte {}: {}", d.path.display(), d.offset, d.what)
                }));
        }
    }
    Ok(())
}
