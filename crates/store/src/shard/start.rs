//! Opening a shard: reads its log back into memory.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};

use ph_model::{ErrorKind, OrgId, Signal};
use ph_tsdb::wal::DefTable;
use tokio::sync::mpsc;

use super::apply::insert_rows;
use super::log::{Log, extend, signal_of};
use super::{Kept, Lane, Reach, Shard, ShardHandle, Shared};
use crate::catalogue::Checkpoint;
use crate::contract::Error;
use crate::head::{self, Loaded};
use crate::memtable::Generation;
use crate::rows;
use crate::tail::Arrived;
use crate::wal::{self, Record, Repair, unpack};
use crate::window::Windows;

/// Orders that may wait for a shard.
const QUEUE: usize = 512;

/// What the catalogue knows of a shard.
pub(crate) struct Opened {
    pub lane: Lane,
    pub number: usize,
    pub checkpoints: HashMap<(OrgId, Signal), Checkpoint>,
    pub windows: HashMap<OrgId, Windows>,
}

/// Replays a shard and makes it ready to run; also says what repair had to leave out.
///
/// Errors: `Internal` for damage (without `repair`), `Unavailable` for a disk that does not read.
pub(crate) fn open(shared: &Arc<Shared>, opened: Opened) -> Result<(Shard, ShardHandle, Vec<String>), Error> {
    let name = format!("{}-{}", opened.lane.letter(), opened.number);
    let dir = shared.config.dir.join("wal").join(&name);
    let io = |act: &str, cause: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("{act} log {}: {cause}", dir.display())).caused_by(cause)
    };
    shared.fs.create_dir_all(&dir).map_err(|e| io("create", e))?;
    let image = match opened.lane {
        Lane::Metrics => head::load(shared, opened.number, &opened.checkpoints)?,
        Lane::Rows => Loaded::default(),
    };
    let mut reader = Reader {
        shared,
        checkpoints: &opened.checkpoints,
        windows: opened.windows,
        open: HashMap::new(),
        reach: Vec::new(),
        tables: HashMap::new(),
        segment: 0,
        shard: opened.number,
        imaged: image.lsn,
        lost: image.lost,
    };
    let repair = if shared.config.repair { Repair::Yes } else { Repair::No };
    let replay =
        wal::replay(shared.fs.as_ref(), &dir, repair, &mut |segment, run| reader.batch(segment, run))
            .map_err(|e| io("read", e))?;
    let Reader { windows, open, mut reach, mut lost, .. } = reader;
    lost.extend(
        replay.damage.iter().map(|d| format!("{} at byte {}: {}", d.path.display(), d.offset, d.what)),
    );
    if let Some(first) = lost.last().filter(|_| !shared.config.repair) {
        let what =
            format!("log {name} is damaged: {first}; start once with --repair to go on without what is lost");
        return Err(Error::new(ErrorKind::Internal, what));
    }
    reach.resize_with(replay.segments.len(), HashMap::new);
    let kept: VecDeque<Kept> = replay
        .segments
        .into_iter()
        .zip(reach)
        .map(|(s, reach)| Kept { path: s.path, bytes: s.bytes, reach })
        .collect();
    let after_parts = opened.checkpoints.values().map(|c| c.lsn + 1).max().unwrap_or(1);
    let log = Log {
        writer: None,
        kept,
        next_lsn: replay.next_lsn.max(after_parts).max(image.lsn + 1),
        follows: replay.next_lsn,
        encoders: HashMap::new(),
        reach: HashMap::new(),
    };
    let (orders, receiver) = mpsc::channel(QUEUE);
    let handle = ShardHandle {
        lane: opened.lane,
        number: opened.number,
        orders,
        windows: Arc::new(Mutex::new(windows)),
        newest_ms: Arc::new(AtomicI64::new(i64::MIN)),
        log_bytes: Arc::new(AtomicU64::new(log.bytes())),
    };
    let mut shard = Shard {
        shared: Arc::clone(shared),
        handle: handle.clone(),
        dir,
        orders: receiver,
        applied: log.next_lsn - 1,
        log,
        open,
        checkpoints: opened.checkpoints,
        imaged: image.lsn,
        dead: None,
        unsynced: false,
    };
    // The thread's own handle must not keep its queue open.
    let (closed, _) = mpsc::channel(1);
    shard.handle.orders = closed;
    shard.trim(Vec::new());
    Ok((shard, handle, lost))
}

struct Reader<'a> {
    shared: &'a Arc<Shared>,
    checkpoints: &'a HashMap<(OrgId, Signal), Checkpoint>,
    windows: HashMap<OrgId, Windows>,
    open: HashMap<(OrgId, Signal), Arc<Generation>>,
    reach: Vec<HashMap<(OrgId, Signal), Reach>>,
    tables: HashMap<OrgId, Option<DefTable>>,
    segment: usize,
    shard: usize,
    /// Samples up to this LSN are in the image that was read before.
    imaged: u64,
    lost: Vec<String>,
}

impl Reader<'_> {
    fn batch(&mut self, segment: usize, run: &[Record<'_>]) {
        if segment != self.segment {
            self.segment = segment;
            self.tables.clear();
        }
        let Some(last) = run.last().map(|r| r.header) else { return };
        if self.read(segment, run).is_none() {
            self.lost.push(format!("record {} of organisation {} cannot be decoded", last.lsn, last.org));
        }
    }

    fn read(&mut self, segment: usize, run: &[Record<'_>]) -> Option<()> {
        let last = run.last()?.header;
        let signal = signal_of(last.kind)?;
        let mut raw = Vec::new();
        for record in run {
            raw.extend_from_slice(&unpack(&record.header, record.packed)?);
        }
        let (hash, body) = raw.split_first_chunk::<8>()?;
        if let Some(id) = last.id().filter(|_| !self.shared.is_gone(last.org)) {
            self.windows.entry(last.org).or_default().insert(id, u64::from_le_bytes(*hash));
        }
        if self.shared.is_gone(last.org) {
            return Some(());
        }
        let of = (last.org, signal);
        let checkpoint = self.checkpoints.get(&of).copied().unwrap_or_default();
        let mut reach = Reach { lsn: last.lsn, at_ms: i64::MIN };
        if signal == Signal::Metrics {
            if last.lsn > self.imaged {
                let from_ms = if last.lsn <= checkpoint.lsn { checkpoint.border_ms } else { i64::MIN };
                reach.at_ms = self.samples(last.org, body, from_ms)?;
            }
        } else if last.lsn > checkpoint.lsn {
            let batch = rows::decode(signal, body)?;
            let at = Arrived { org: last.org, signal, shard: self.shard, lsn: last.lsn };
            insert_rows(self.shared, &mut self.open, at, &batch)?;
        }
        if self.reach.len() <= segment {
            self.reach.resize_with(segment + 1, HashMap::new);
        }
        extend(self.reach.get_mut(segment)?, of, reach);
        Some(())
    }

    /// Puts samples of a payload, from a time on, into the head; gives the time of the newest. After a payload that
    /// cannot be decoded, the definitions of the rest of the segment are missing too.
    fn samples(&mut self, org: OrgId, body: &[u8], from_ms: i64) -> Option<i64> {
        let (now_ms, payload) = body.split_first_chunk::<8>()?;
        let table = self.tables.entry(org).or_insert_with(|| Some(DefTable::default()));
        let head = self.shared.head_or_new(org);
        match head.replay(payload, table.as_mut()?, (from_ms, i64::from_le_bytes(*now_ms))) {
            Ok((_, newest_ms)) => Some(newest_ms),
            Err(_) => {
                *table = None;
                None
            }
        }
    }
}
