//! What comes out: records and, in place, what is missing.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ph_access::redact::Counts;
use ph_model::LogFlags;

use super::containers::Source;
use super::place::Place;

/// One thing in the stream. `source` counts [`LogEvent::Joined`] from 0.
#[derive(Clone, Debug)]
pub enum LogEvent {
    /// A container is read from now on.
    Joined(Arc<Source>),
    /// In the order that was asked for; never empty.
    Records(Vec<Record>),
    Gap(Gap),
    Marker(Marker),
    /// Something to be told once, as it stands: a missing right, a polling interval.
    Notice(String),
    /// So far.
    Progress {
        downloaded_bytes: u64,
        lines: u64,
    },
    /// Nothing can be read at all. The last event.
    Failed {
        kind: ph_model::ErrorKind,
        text: String,
    },
    /// The last event.
    Summary(Summary),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StreamName {
    Stdout,
    Stderr,
    #[default]
    Unknown,
}

impl StreamName {
    pub fn as_str(self) -> &'static str {
        match self {
            StreamName::Stdout => "stdout",
            StreamName::Stderr => "stderr",
            StreamName::Unknown => "unknown",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub source: usize,
    /// ns UTC, of the line's first piece.
    pub ts_ns: i64,
    pub stream: StreamName,
    /// At most `max_line` bytes, without LF.
    pub message: Bytes,
    /// Of a line that was cut; else 0.
    pub full_bytes: u64,
    pub flags: LogFlags,
    /// Restart number.
    pub run: u32,
    pub position: Position,
    /// Values that are masked in it.
    pub masked: Option<Box<Counts>>,
}

/// Names a line as far as the API lets one: by its time, its place among the lines of that very time, and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    pub ts_ns: i64,
    /// Counts lines of this time from 0.
    pub ordinal: u32,
    /// xxh3 of the content.
    pub hash: u64,
}

impl Position {
    /// The same as one number, without the content.
    pub fn place(&self) -> Place {
        Place::of(self.ts_ns, self.ordinal)
    }

    /// `pk1_` and three numbers.
    pub fn to_text(&self) -> String {
        format!("pk1_{:x}-{:x}-{:016x}", self.ts_ns, self.ordinal, self.hash)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("pk1_")?.split('-');
        let ts_ns = i64::from_str_radix(parts.next()?, 16).ok()?;
        let ordinal = u32::from_str_radix(parts.next()?, 16).ok()?;
        let hash = u64::from_str_radix(parts.next()?, 16).ok()?;
        parts.next().is_none().then_some(Self { ts_ns, ordinal, hash })
    }
}

/// Names one line among those of many containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineName {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    /// Restart number.
    pub run: u32,
    pub position: Position,
}

impl LineName {
    /// What follows the position and run in the text of every line of one container.
    pub fn place(source: &Source) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}/{}", source.namespace, source.pod, source.container))
    }

    /// The text of a record's name; `place` is that of its container.
    pub fn text_of(record: &Record, place: &str) -> String {
        format!("{}-{:x}-{place}", record.position.to_text(), record.run)
    }

    pub fn parse(text: &str) -> Option<Self> {
        // The place is the last part, and may have dashes itself.
        let mut parts = text.splitn(5, '-');
        let position: Vec<&str> = parts.by_ref().take(3).collect();
        let position = Position::parse(&position.join("-"))?;
        let run = u32::from_str_radix(parts.next()?, 16).ok()?;
        let place = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let mut names = place.split('/').map(str::to_owned);
        let (namespace, pod, container) = (names.next()?, names.next()?, names.next()?);
        names.next().is_none().then_some(Self { namespace, pod, container, run, position })
    }

    pub(super) fn at(&self) -> Place {
        Place::of(self.position.ts_ns, self.position.ordinal)
    }

    pub(super) fn is_of(&self, source: &Source) -> bool {
        self.namespace == source.namespace && self.pod == source.pod && self.container == source.container
    }
}

/// What is not in the stream, or may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// `before_oldest`, `kubelet_rotation`, `reconnected`, `denied`, `cluster_unreachable`, `read_error`, `stalled`.
    pub kind: &'static str,
    /// `None`: of all.
    pub source: Option<usize>,
    pub from_ns: Option<i64>,
    pub to_ns: Option<i64>,
    pub text: String,
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// `restarted`, `ended`, `waiting`: it has not begun to write, `reason` says why.
    pub kind: &'static str,
    pub source: usize,
    /// The run that begins, or that ended.
    pub run: u32,
    pub exit_code: Option<i32>,
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub sources: usize,
    pub downloaded_bytes: u64,
    pub lines: u64,
    pub matches: u64,
    /// Lines that a condition on the level left out because they say none.
    pub unknown_levels: u64,
    pub cut_lines: u64,
    pub gaps: u64,
    /// Gaps `denied` and those of containers that could not be read for another reason.
    pub denied: u64,
    pub unreachable: u64,
    /// `done`, `rows`, `bytes`, `time`, `cancelled`.
    pub stopped: &'static str,
    /// `unproven`, `incomplete`: over this way nothing can be proven.
    pub completeness: &'static str,
}
