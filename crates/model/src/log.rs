//! Log lines as rows.

use crate::Attributes;

/// Severity words; numbers are OpenTelemetry's lowest of each range, 0 is unknown.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Level {
    #[default]
    Unknown = 0,
    Trace = 1,
    Debug = 5,
    Info = 9,
    Warn = 13,
    Error = 17,
    Fatal = 21,
}

impl Level {
    /// The word for an OpenTelemetry severity number (0–24); anything else is unknown.
    pub fn from_number(n: u8) -> Self {
        match n {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => Self::Unknown,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// Reads `warn`, `WARNING`, `err`, `E` … as loggers write them; `None` when it is no level word.
    pub fn parse(word: &str) -> Option<Self> {
        // The longest of them is `informational`; nothing is allocated for a word.
        let mut small = [0; 16];
        let small = small.get_mut(..word.len())?;
        small.copy_from_slice(word.as_bytes());
        small.make_ascii_lowercase();
        Some(match &*small {
            b"trace" | b"trc" | b"finest" | b"finer" | b"verbose" => Self::Trace,
            b"debug" | b"dbg" | b"dbug" | b"fine" => Self::Debug,
            b"info" | b"inf" | b"information" | b"informational" | b"notice" => Self::Info,
            b"warn" | b"warning" | b"wrn" => Self::Warn,
            b"error" | b"err" | b"eror" | b"severe" => Self::Error,
            b"fatal" | b"critical" | b"crit" | b"panic" | b"alert" | b"emerg" | b"emergency" | b"ftl" => {
                Self::Fatal
            }
            b"unknown" => Self::Unknown,
            _ => return None,
        })
    }
}

/// What is special about a line, as bits. Numbers are those of the wire and file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct LogFlags(pub u16);

impl LogFlags {
    /// Cut at `max_line`; the full size is known.
    pub const TRUNCATED: Self = Self(1);
    /// Ends without LF, or a partial whose end never came.
    pub const UNTERMINATED: Self = Self(2);
    /// Not in the runtime's format.
    pub const MALFORMED: Self = Self(4);
    /// Found by a slower source after later lines went out.
    pub const LATE: Self = Self(8);
    /// Pieces were joined by the kube API, not by us.
    pub const ASSEMBLED: Self = Self(16);
    /// Stands beside a match; does not match itself.
    pub const CONTEXT: Self = Self(32);
    /// Some of it is masked.
    pub const MASKED: Self = Self(64);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::TRUNCATED, "truncated"),
        (Self::UNTERMINATED, "unterminated"),
        (Self::MALFORMED, "malformed"),
        (Self::LATE, "late"),
        (Self::ASSEMBLED, "assembled"),
        (Self::CONTEXT, "context"),
        (Self::MASKED, "masked"),
    ];

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags' names, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(f, _)| self.has(*f)).map(|(_, n)| n)
    }
}

/// Where a record begins: run, segment and decompressed byte offset. Outlives rotation, gzip and restarts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Position {
    /// Restart number of the container.
    pub run: u32,
    /// xxh3-128 of the segment's first physical line (at most 1 KiB of it).
    pub segment_key: u128,
    /// Decompressed bytes from the segment's start.
    pub offset: u64,
    /// How far back the start of a partial still open in the other stream lies.
    pub rewind: u32,
}

/// One log line in the store.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LogRow {
    /// ns UTC, the runtime's time.
    pub ts: i64,
    /// ns UTC, when an agent read it.
    pub observed_ts: i64,
    pub cluster: String,
    pub namespace: String,
    pub workload_kind: String,
    pub workload: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub restart: u32,
    pub node: String,
    pub service: String,
    /// `stdout`, `stderr` or empty.
    pub iostream: String,
    /// OpenTelemetry severity number, 0 unknown.
    pub level: u8,
    pub level_text: String,
    pub trace_id: Option<[u8; 16]>,
    pub span_id: Option<[u8; 8]>,
    /// Exact bytes; usually UTF-8.
    pub message: Vec<u8>,
    pub attributes: Attributes,
    pub resource: Attributes,
    pub flags: LogFlags,
    /// Size before it was cut; 0 when it was not.
    pub full_bytes: u64,
    /// Key and offset of [`Position`]; 0 for rows that no file holds.
    pub segment_key: u128,
    pub offset: u64,
}

impl LogRow {
    /// The row's stream: xxh3-128 of resource identity (cluster, namespace, pod UID, container, node, service) and
    /// iostream.
    pub fn stream(&self) -> u128 {
        let mut h = xxhash_rust::xxh3::Xxh3::new();
        for part in [
            &self.cluster,
            &self.namespace,
            &self.pod,
            &self.pod_uid,
            &self.container,
            &self.node,
            &self.service,
            &self.iostream,
        ] {
            h.update(part.as_bytes());
            h.update(&[0xff]);
        }
        h.digest128()
    }
}
