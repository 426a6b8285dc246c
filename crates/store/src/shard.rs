//! One shard of the log: a named thread that writes groups of batches, syncs, makes them visible, and acknowledges.
//!
//! In:     batches, and orders from the flusher (seal, cut, trim), through one bounded queue.
//! Out:    answers after the batch is durable and visible; sealed generations and cuts for the flusher.
//! Never:  acknowledges on a promise. A failed sync is final: the shard refuses from then on, readers go on.

mod apply;
mod log;
mod start;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow::array::RecordBatch;
use ph_model::{BatchId, ErrorKind, OrgId, RangeNs, Series, Signal};
use ph_tsdb::{Cut, Head};
use tokio::sync::{mpsc, oneshot};

use crate::catalogue::Checkpoint;
use crate::changes::Changes;
use crate::config::{Durability, StoreConfig};
use crate::contract::{Appended, Error, Rejection};
use crate::fs::Fs;
use crate::head::Mark;
use crate::health::Meter;
use crate::hidden::Veil;
use crate::memtable::Generation;
use crate::orgs::Orgs;
use crate::part::{Cache, Packs};
use crate::snapshot::Snapshots;
use crate::tail::{Arrived, Tails};
use crate::window::{Known, Windows};

pub(crate) use apply::{add_rejection, shard_of};
pub(crate) use start::{Opened, open};

/// Clock of the store: ms UTC now.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Bytes after which a group is written even if more batches wait.
const GROUP_BYTES: usize = 1 << 20;

/// A generation smaller than this makes a poor part: it waits longer while the log is short.
pub(crate) const WORTHWHILE_BYTES: u64 = 1 << 20;

/// Metrics or rows: each has shards of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Lane {
    Metrics,
    Rows,
}

impl Lane {
    pub fn of(signal: Signal) -> Self {
        if signal == Signal::Metrics { Lane::Metrics } else { Lane::Rows }
    }

    pub fn letter(self) -> char {
        match self {
            Lane::Metrics => 'm',
            Lane::Rows => 'r',
        }
    }
}

/// What all threads of a store share.
pub(crate) struct Shared {
    pub fs: Arc<dyn Fs>,
    pub config: StoreConfig,
    pub clock: Clock,
    pub snapshots: Snapshots,
    pub heads: RwLock<HashMap<OrgId, Arc<Head>>>,
    pub tails: Tails,
    pub meter: Arc<Meter>,
    pub cache: Arc<Cache>,
    pub packs: Packs,
    pub orgs: Orgs,
    pub changes: Changes,
}

impl Shared {
    pub fn head(&self, org: OrgId) -> Option<Arc<Head>> {
        self.heads.read().unwrap_or_else(PoisonError::into_inner).get(&org).cloned()
    }

    /// The head of an organisation, created when it has none.
    pub fn head_or_new(&self, org: OrgId) -> Arc<Head> {
        if let Some(head) = self.head(org) {
            return head;
        }
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        heads.entry(org).or_insert_with(|| Arc::new(Head::new(ph_tsdb::HeadConfig::default()))).clone()
    }

    /// What of rows that arrived may be seen: not what lies in a deleted range.
    fn seen(&self, at: Arrived, batch: &RecordBatch) -> RecordBatch {
        let snapshot = self.snapshots.load();
        let hidden = snapshot.table(at.org, at.signal).map(|t| t.hidden.as_slice()).unwrap_or_default();
        Veil::over(hidden, RangeNs::ALL).seen(batch.clone())
    }
}

/// What a batch holds, ready for the log.
pub(crate) enum Body {
    /// The places are found when the batch is written.
    Series {
        series: Vec<Series>,
        places: Vec<ph_tsdb::Place>,
        now_ms: i64,
    },
    Rows {
        signal: Signal,
        batch: RecordBatch,
        raw: Vec<u8>,
    },
}

/// A batch on its way.
pub(crate) struct Append {
    pub org: OrgId,
    pub id: Option<BatchId>,
    /// Hash of positions and values; what a repeated number is compared by.
    pub hash: u64,
    pub body: Body,
    /// Refused before the log.
    pub rejected: Vec<Rejection>,
    pub reply: oneshot::Sender<Result<Appended, Error>>,
}

/// Which generations to seal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    All,
    /// Born before this moment (ms UTC).
    OlderThan(i64),
    /// Born before this moment and worth a part of its own.
    WorthwhileOlderThan(i64),
    /// Of this many bytes or more.
    AtLeast(u64),
    Largest,
}

pub(crate) enum Order {
    Append(Box<Append>),
    /// Seals open generations and gives them.
    Seal(Which, oneshot::Sender<Vec<Arc<Generation>>>),
    /// Cuts all heads of the shard at a border (ms UTC); gives the cuts and the LSN up to which they hold everything.
    Cut(i64, oneshot::Sender<(Vec<(OrgId, Arc<Head>, Cut)>, u64)>),
    /// Ends the segment and gives the shard's heads with the LSN up to which they hold everything; `None` from a shard
    /// that takes nothing any more.
    Mark(oneshot::Sender<Option<Mark>>),
    /// An image of the heads up to this LSN is durable: the log before it is not needed, and goes.
    Imaged(u64, oneshot::Sender<()>),
    /// Parts up to these checkpoints are published: deletes segments that nobody needs.
    Trim(Vec<((OrgId, Signal), Checkpoint)>),
    /// The organisation is gone: nothing of it is kept in memory, and its log counts as published.
    Forget(OrgId),
    /// Syncs what was acknowledged without (durability `interval`).
    Sync,
}

/// The way to a shard's thread.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    pub lane: Lane,
    pub number: usize,
    pub orders: mpsc::Sender<Order>,
    pub windows: Arc<Mutex<HashMap<OrgId, Windows>>>,
    /// Time of the newest sample that was taken, ms UTC.
    pub newest_ms: Arc<std::sync::atomic::AtomicI64>,
    /// Bytes of log segments on disk.
    pub log_bytes: Arc<std::sync::atomic::AtomicU64>,
}

impl ShardHandle {
    pub fn name(&self) -> String {
        format!("{}-{}", self.lane.letter(), self.number)
    }
}

/// A segment that has taken records, and how far they reach per organisation and signal.
#[derive(Debug)]
pub(crate) struct Kept {
    pub path: PathBuf,
    pub bytes: u64,
    pub reach: HashMap<(OrgId, Signal), Reach>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub lsn: u64,
    /// Time of the newest sample, ms UTC; lowest for rows, which are flushed by LSN alone.
    pub at_ms: i64,
}

/// The thread's state.
pub(crate) struct Shard {
    shared: Arc<Shared>,
    handle: ShardHandle,
    dir: PathBuf,
    orders: mpsc::Receiver<Order>,
    log: log::Log,
    open: HashMap<(OrgId, Signal), Arc<Generation>>,
    checkpoints: HashMap<(OrgId, Signal), Checkpoint>,
    /// LSN of the last batch that is in memory.
    applied: u64,
    /// LSN up to which an image of the heads is on the disk.
    imaged: u64,
    /// Set when a sync failed: nothing is acknowledged any more.
    dead: Option<String>,
    /// Something was acknowledged since the last sync.
    unsynced: bool,
}

impl Shard {
    /// Says to those who will follow how far rows are visible; before anything is taken.
    pub fn announce(&self) {
        if self.handle.lane == Lane::Rows {
            self.shared.tails.opened(self.handle.number, self.applied);
        }
    }

    /// Runs until all senders are gone, then syncs and ends.
    pub fn run(mut self) {
        while let Some(first) = self.orders.blocking_recv() {
            let mut next = Some(first);
            while let Some(order) = next.take() {
                match order {
                    Order::Append(append) => next = self.group(append),
                    Order::Seal(which, reply) => {
                        // The asker may have given up; then the generations stay sealed and in the snapshot,
                        // and the next start replays them.
                        let _ = reply.send(self.seal(which));
                    }
                    Order::Cut(border_ms, reply) => {
                        let _ = reply.send(self.cut(border_ms));
                    }
                    Order::Mark(reply) => {
                        let _ = reply.send(self.mark());
                    }
                    Order::Imaged(lsn, reply) => {
                        self.imaged = lsn;
                        self.trim(Vec::new());
                        let _ = reply.send(());
                    }
                    Order::Trim(checkpoints) => self.trim(checkpoints),
                    Order::Forget(org) => self.forget(org),
                    Order::Sync => self.sync_late(),
                }
            }
        }
        self.close();
    }

    /// Collects batches that wait, commits them, and gives the order that ended the collecting.
    fn group(&mut self, first: Box<Append>) -> Option<Order> {
        let mut group = vec![first];
        let mut bytes = 0;
        let mut rest = None;
        while bytes < GROUP_BYTES {
            match self.orders.try_recv() {
                Ok(Order::Append(append)) => {
                    bytes += append.body.size_hint();
                    group.push(append);
                }
                Ok(other) => {
                    rest = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.commit(group);
        rest
    }

    #[expect(clippy::vec_box, reason = "batches come boxed through the channel and stay where they are")]
    fn commit(&mut self, group: Vec<Box<Append>>) {
        if let Some(why) = &self.dead {
            let error = Error::new(ErrorKind::Unavailable, why.clone());
            group.into_iter().for_each(|a| refuse(a, &error));
            return;
        }
        let (mut fresh, mut repeats) = (Vec::new(), Vec::new());
        for append in group {
            if let Err(error) = self.shared.accepts(append.org) {
                refuse(append, &error);
                continue;
            }
            match self.known(&append, &fresh) {
                Known::New => fresh.push(append),
                Known::Repeat => repeats.push(append),
                Known::OtherContent => refuse_other(append),
            }
        }
        if let Err(error) = self.store(fresh) {
            // Repeats of a batch in this very group are not stored either.
            repeats.into_iter().for_each(|a| refuse(a, &error));
            return;
        }
        for append in repeats {
            Meter::add(&self.shared.meter.repeats, 1);
            let answer = Appended { repeated: true, rejected: append.rejected, ..Appended::default() };
            let _ = append.reply.send(Ok(answer));
        }
    }

    /// Whether a batch was stored before, or comes twice in one group.
    fn known(&self, append: &Append, fresh: &[Box<Append>]) -> Known {
        let Some(id) = append.id else { return Known::New };
        let twin = fresh.iter().find(|f| f.org == append.org && f.id == Some(id));
        if let Some(twin) = twin {
            return if twin.hash == append.hash { Known::Repeat } else { Known::OtherContent };
        }
        let windows = self.handle.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(&append.org).map_or(Known::New, |w| w.known(id, append.hash))
    }

    fn remember(&self, append: &Append) {
        if let Some(id) = append.id {
            let mut windows = self.handle.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows.entry(append.org).or_default().insert(id, append.hash);
        }
    }

    fn sync_late(&mut self) {
        if self.unsynced && self.dead.is_none() && !matches!(self.shared.config.durability, Durability::Os) {
            self.unsynced = false;
            if let Err(e) = self.log.sync(&self.shared.meter) {
                self.die(&e);
            }
        }
    }

    fn die(&mut self, cause: &std::io::Error) {
        let name = self.handle.name();
        let why = format!(
            "wal {name}: sync failed: {cause}; nothing more is taken here, look at the disk and restart the server"
        );
        tracing::error!(shard = name, error = %cause, "write-ahead log sync failed");
        self.shared.meter.trouble(&format!("wal {name}"), why.clone());
        self.dead = Some(why);
    }

    fn close(&mut self) {
        if self.dead.is_none()
            && let Err(e) = self.log.sync(&self.shared.meter)
        {
            self.die(&e);
        }
    }
}

#[expect(clippy::boxed_local, reason = "batches come boxed through the channel and stay where they are")]
fn refuse(append: Box<Append>, error: &Error) {
    let mut own = Error::new(error.kind, error.text.clone());
    own.retry_after_ms = error.retry_after_ms;
    let _ = append.reply.send(Err(own));
}

#[expect(clippy::boxed_local, reason = "batches come boxed through the channel and stay where they are")]
fn refuse_other(append: Box<Append>) {
    let id = append.id.unwrap_or(BatchId { source: 0, seq: 0 });
    let text = format!(
        "batch {} of source {:016x} was stored before with other content; number each batch once",
        id.seq, id.source
    );
    let _ = append.reply.send(Err(Error::new(ErrorKind::Invalid, text)));
}

impl Body {
    pub fn signal(&self) -> Signal {
        match self {
            Body::Series { .. } => Signal::Metrics,
            Body::Rows { signal, .. } => *signal,
        }
    }

    /// About how many bytes it takes in the log.
    pub fn size_hint(&self) -> usize {
        match self {
            Body::Series { series, .. } => series.iter().map(|s| 8 + s.samples.len() * 8).sum(),
            Body::Rows { raw, .. } => raw.len() / 3,
        }
    }
}
