//! What an operator can set about the store.

use std::path::PathBuf;
use std::time::Duration;

use ph_model::Signal;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// After the log is synced to the disk: outlives a power cut.
    #[default]
    Sync,
    /// After the write; synced at this interval. A power cut loses at most that much.
    Interval(Duration),
    /// After the write; the operating system syncs when it likes. Outlives the process, not the machine.
    Os,
}

/// How long rows are kept, whole days by signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub metrics_days: u32,
    pub logs_days: u32,
    pub spans_days: u32,
    pub events_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { metrics_days: 30, logs_days: 7, spans_days: 7, events_days: 30 }
    }
}

impl Retention {
    pub fn days(&self, signal: Signal) -> u32 {
        match signal {
            Signal::Metrics | Signal::Exemplars => self.metrics_days,
            Signal::Logs => self.logs_days,
            Signal::Spans => self.spans_days,
            Signal::Events => self.events_days,
        }
    }
}

/// How long roll-ups of metrics are kept, whole days by the width of their windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollupDays {
    pub five_minutes: u32,
    pub hour: u32,
}

impl Default for RollupDays {
    fn default() -> Self {
        Self { five_minutes: 180, hour: 400 }
    }
}

impl RollupDays {
    pub(crate) fn days(&self, step_ms: i64) -> u32 {
        if step_ms < 3_600_000 { self.five_minutes } else { self.hour }
    }
}

/// When intake is refused for want of disk space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFloor {
    /// Refuse below this share of the disk …
    pub percent: u64,
    /// … but not above this many free bytes.
    pub cap_bytes: u64,
    /// Always refuse below this.
    pub least_bytes: u64,
}

impl Default for DiskFloor {
    fn default() -> Self {
        Self { percent: 5, cap_bytes: 20 * GIB, least_bytes: 2 * GIB }
    }
}

impl DiskFloor {
    /// Free bytes below which intake is refused on a disk of `total` bytes.
    pub fn bytes(&self, total: u64) -> u64 {
        let share = (u128::from(total) * u128::from(self.percent) / 100) as u64;
        share.min(self.cap_bytes).max(self.least_bytes)
    }
}

/// Settings of an embedded store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub dir: PathBuf,
    /// Log shards; `None`: as many as cores, at most 4. Fixed at the first start.
    pub shards: Option<usize>,
    pub durability: Durability,
    /// Rows in memory before appends are refused; larger than `flush_bytes`.
    pub memory_bytes: u64,
    /// A memtable of this size becomes a part.
    pub flush_bytes: u64,
    /// A memtable of this age becomes a part; one below 1 MiB at twelve times this age, while the log is short.
    pub flush_age: Duration,
    /// Metrics older than a multiple of this become blocks.
    pub block_span: Duration,
    /// Heads are written to the disk at this interval, so that a start does not read more of the log …
    pub head_image_every: Duration,
    /// … or as soon as the metrics log of a shard has this size.
    pub metrics_log_bytes: u64,
    /// Closed chunks of a shard leave the memory, when its heads are written, if there are so many bytes of them.
    pub head_spill_bytes: u64,
    pub segment_bytes: u64,
    /// Footers of parts and directories of indexes that are kept in memory, in bytes.
    pub cache_bytes: u64,
    /// Of organisations that have no settings of their own.
    pub retention: Retention,
    pub rollups: RollupDays,
    /// Most bytes of all parts; above it the oldest days go first, from organisations that hold more than their share.
    pub disk_cap_bytes: Option<u64>,
    pub disk: DiskFloor,
    /// Go on behind damage of the log and report what was lost, instead of refusing to start.
    pub repair: bool,
}

impl StoreConfig {
    /// The defaults, for a directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            shards: None,
            durability: Durability::Sync,
            memory_bytes: 512 * MIB,
            flush_bytes: 64 * MIB,
            flush_age: Duration::from_secs(300),
            block_span: Duration::from_secs(7200),
            head_image_every: Duration::from_secs(900),
            metrics_log_bytes: GIB,
            head_spill_bytes: MIB,
            segment_bytes: 64 * MIB,
            cache_bytes: 80 * MIB,
            retention: Retention::default(),
            rollups: RollupDays::default(),
            disk_cap_bytes: None,
            disk: DiskFloor::default(),
            repair: false,
        }
    }
}
