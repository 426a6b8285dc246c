//! Opening: lock, catalogue, files, shards, threads.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use ph_model::{ErrorKind, Signal};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Embedded, manage};
use crate::block::{BlockPart, disk_error};
use crate::catalogue::{Catalogue, PartRow};
use crate::changes::Changes;
use crate::compact::{CompactOrder, Compactor};
use crate::config::StoreConfig;
use crate::contract::Error;
use crate::flush::{FlushOrder, Flusher, Gauges, Tools, measure};
use crate::fs::{Fs, RealFs};
use crate::orgs::Orgs;
use crate::part::{Cache, Packs, Part, discard, files};
use crate::shard::{self, Clock, Lane, Opened, Shard, ShardHandle, Shared};
use crate::snapshot::Snapshots;
use crate::tail::Tails;
use crate::turns::Turns;
use crate::window::Windows;

/// KiB of batches that may be under way at once.
const INTAKE_KIB: usize = 64 << 10;
/// Files without a row are removed when they are this old.
const ORPHAN_MS: i64 = 3_600_000;

/// What the store runs with.
pub struct Surroundings {
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    /// ms UTC now.
    pub clock: Clock,
    pub fs: Arc<dyn Fs>,
}

impl Embedded {
    /// Opens the store in a directory, replaying what the log holds. Cancelling `stop` shuts it down.
    ///
    /// Errors: `Unavailable` when another process holds the directory or the disk does not answer, `Internal` for
    /// damage and newer formats.
    pub async fn open(
        config: StoreConfig,
        stop: CancellationToken,
        tasks: TaskTracker,
        clock: Clock,
    ) -> Result<Arc<Self>, Error> {
        let around = Surroundings { stop, tasks, clock, fs: Arc::new(RealFs) };
        Self::open_on(config, around).await
    }

    /// Opens the store on a given file system. Catalogue and lock are always on the real one.
    pub async fn open_on(mut config: StoreConfig, around: Surroundings) -> Result<Arc<Self>, Error> {
        let Surroundings { stop, tasks, clock, fs } = around;
        std::fs::create_dir_all(&config.dir).map_err(|e| disk_error("create directory", &config.dir, e))?;
        let lock = lock(&config.dir)?;
        let catalogue = Catalogue::open(&config.dir.join("meta.db")).await?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let wanted = config.shards.unwrap_or(cores.min(4)).max(1);
        let shards = catalogue.fact("wal_shards", wanted as i64).await?;
        config.shards = Some(usize::try_from(shards).unwrap_or(1).max(1));
        let cache_bytes = config.cache_bytes;
        let shared = Arc::new(Shared {
            fs,
            config,
            clock,
            snapshots: Snapshots::default(),
            heads: RwLock::default(),
            tails: Tails::default(),
            meter: Arc::default(),
            cache: Arc::new(Cache::new(cache_bytes)),
            packs: Packs::default(),
            orgs: Orgs::default(),
            changes: Changes::default(),
        });
        for org in catalogue.removed().await? {
            shared.gone(org);
        }
        let rows = catalogue.parts().await?;
        let files = Arc::clone(&shared);
        run(move || load_parts(&files, rows)).await??;
        for (org, settings) in catalogue.settings().await? {
            shared.configure(org, settings);
            manage::show_rules(&shared, org)?;
        }
        for (org, deletion) in catalogue.deletions().await? {
            manage::show(&shared, org, &deletion)?;
        }
        let (ready, lost) = open_shards(&shared, &catalogue).await?;
        let gauges = Arc::new(Gauges::default());
        measure(&shared, &gauges);
        let mut this = Self {
            shared,
            gauges,
            catalogue,
            shards: RwLock::default(),
            flusher: Mutex::default(),
            compactor: Mutex::default(),
            threads: Mutex::default(),
            intake: Arc::new(Semaphore::new(INTAKE_KIB)),
            turns: Turns::new(cores),
            stop: stop.child_token(),
            lost,
            lock: Mutex::new(Some(lock)),
            settings_turn: Semaphore::new(1),
            ended: OnceCell::new(),
        };
        this.start(ready)?;
        this.turns.keep_for_intake(&tasks, this.stop.clone());
        let this = Arc::new(this);
        let (weak, stopped) = (Arc::downgrade(&this), this.stop.clone());
        tasks.spawn(async move {
            stopped.cancelled().await;
            if let Some(store) = weak.upgrade() {
                store.shutdown().await;
            }
        });
        Ok(this)
    }

    /// Starts the threads of the shards and the flusher.
    fn start(&mut self, ready: Vec<(Shard, ShardHandle)>) -> Result<(), Error> {
        let failed = |cause: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("start a thread of the store: {cause}"))
                .caused_by(cause)
        };
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for (shard, handle) in ready {
            shard.announce();
            let thread = std::thread::Builder::new().name(format!("store-{}", handle.name()));
            threads.push(thread.spawn(move || shard.run()).map_err(failed)?);
            handles.push(handle);
        }
        // One order at a time is enough: whoever gives one waits for its answer.
        let (sender, orders) = std::sync::mpsc::sync_channel::<FlushOrder>(1);
        let tools = Tools {
            shared: Arc::clone(&self.shared),
            gauges: Arc::clone(&self.gauges),
            shards: handles.clone(),
            catalogue: self.catalogue.clone(),
            runtime: tokio::runtime::Handle::current(),
        };
        let flusher = Flusher::new(tools, orders);
        let thread = std::thread::Builder::new().name("store-flush".to_owned());
        threads.insert(0, thread.spawn(move || flusher.run()).map_err(failed)?);
        let (compact, orders) = std::sync::mpsc::sync_channel::<CompactOrder>(1);
        let compactor = Compactor {
            shared: Arc::clone(&self.shared),
            catalogue: self.catalogue.clone(),
            runtime: tokio::runtime::Handle::current(),
            orders,
            stop: self.stop.clone(),
            rolled_nothing: HashSet::new(),
        };
        let thread = std::thread::Builder::new().name("store-compact".to_owned());
        threads.insert(0, thread.spawn(move || compactor.run()).map_err(failed)?);
        self.compactor = Mutex::new(Some(compact));
        self.shards = RwLock::new(handles);
        self.flusher = Mutex::new(Some(sender));
        self.threads = Mutex::new(threads);
        Ok(())
    }
}

/// Runs blocking work and gives its result.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| {
        Error::new(ErrorKind::Internal, format!("a task of the store ended early: {e}")).caused_by(e)
    })
}

/// Takes the directory for this process, or says who holds it.
pub(crate) fn lock(dir: &Path) -> Result<std::fs::File, Error> {
    let path = dir.join("LOCK");
    let fault = |e| disk_error("open", &path, e);
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(fault)?;
    if let Err(e) = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        let mut holder = String::new();
        let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
        let who = if known { format!("process {}", holder.trim()) } else { "another process".to_owned() };
        let what = format!(
            "the store in {} is in use by {who}; stop it, or choose another directory with --data",
            dir.display()
        );
        return Err(Error::new(ErrorKind::Unavailable, what).caused_by(std::io::Error::from(e)));
    }
    let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(fault)?;
    Ok(file)
}

/// Makes directories, removes what no row names, and shows the parts that the catalogue has.
fn load_parts(shared: &Arc<Shared>, rows: Vec<PartRow>) -> Result<(), Error> {
    let (fs, root) = (shared.fs.as_ref(), shared.config.dir.as_path());
    for dir in ["wal", "head", "t", "l0", "tmp", "quarantine"] {
        let dir = root.join(dir);
        fs.create_dir_all(&dir).map_err(|e| disk_error("create directory", &dir, e))?;
    }
    let walk = |name: &str| {
        let dir = root.join(name);
        fs.walk(&dir).map_err(|e| disk_error("list", &dir, e))
    };
    walk("tmp")?.iter().for_each(|f| discard(fs, &f.path));
    let known: HashSet<PathBuf> = rows.iter().flat_map(files).map(|path| root.join(path)).collect();
    let mut present = HashSet::new();
    let now_ms = (shared.clock)();
    for file in walk("t")?.into_iter().chain(walk("l0")?) {
        let block = file.path.parent().map(Path::to_path_buf).filter(|dir| known.contains(dir));
        match block.or_else(|| known.contains(&file.path).then(|| file.path.clone())) {
            Some(path) => {
                present.insert(path);
            }
            None if now_ms - file.modified_ms > ORPHAN_MS => discard(fs, &file.path),
            None => {}
        }
    }
    let mut rows = rows;
    // Of two samples of one time the older one stays; a merged block has the place of its newest part.
    rows.sort_by_key(|r| (r.lsn, r.id));
    shared.snapshots.change(|snapshot| {
        for row in rows {
            let missing = !present.contains(&root.join(&row.path));
            let why = row.quarantined.clone().or_else(|| {
                missing.then(|| {
                    format!("part {} is missing from the disk; restore it or accept the loss", row.path)
                })
            });
            if let Some(why) = &why {
                shared.meter.trouble(&format!("part {}", row.path), why.clone());
            }
            if row.signal == Signal::Metrics {
                let block = BlockPart::new(row, shared);
                why.into_iter().for_each(|why| drop(block.note_damage(ErrorKind::Internal, why)));
                let all = if block.row.step_ms == 0 { &mut snapshot.blocks } else { &mut snapshot.rolled };
                all.entry(block.row.org).or_default().push(Arc::new(block));
            } else {
                let part = Part::new(row, shared);
                why.into_iter().for_each(|why| drop(part.note_damage(&Error::new(ErrorKind::Internal, why))));
                snapshot.edit(part.row.org, part.row.signal).parts.push(Arc::new(part));
            }
        }
    });
    Ok(())
}

type Ready = (Vec<(Shard, ShardHandle)>, Vec<String>);

/// Replays all shards side by side.
async fn open_shards(shared: &Arc<Shared>, catalogue: &Catalogue) -> Result<Ready, Error> {
    let checkpoints = catalogue.checkpoints().await?;
    let stored = catalogue.windows().await?;
    let shards = shared.config.shards.unwrap_or(1);
    let mut opening = Vec::new();
    for lane in [Lane::Metrics, Lane::Rows] {
        for number in 0..shards {
            let mine = |org| shard::shard_of(org, shards) == number;
            let mut windows: HashMap<_, Windows> = HashMap::new();
            for (org, _, source, seen) in stored.iter().filter(|w| w.1 == lane && mine(w.0)) {
                windows.entry(*org).or_default().load(*source, seen);
            }
            let checkpoints = checkpoints
                .iter()
                .filter(|((org, signal), _)| Lane::of(*signal) == lane && mine(*org))
                .map(|(of, checkpoint)| (*of, *checkpoint))
                .collect();
            let (shared, opened) = (Arc::clone(shared), Opened { lane, number, checkpoints, windows });
            opening.push(run(move || shard::open(&shared, opened)));
        }
    }
    let (mut ready, mut lost) = (Vec::new(), Vec::new());
    for opened in futures::future::join_all(opening).await {
        let (shard, handle, left_out) = opened??;
        ready.push((shard, handle));
        lost.extend(left_out);
    }
    for what in &lost {
        tracing::warn!(what, "repair left out damaged records");
    }
    Ok((ready, lost))
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // Threads end by themselves once their senders are gone; the lock goes with its file.
        self.stop.cancel();
    }
}
