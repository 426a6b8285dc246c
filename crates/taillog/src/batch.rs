//! What a reader hands out: records over one shared buffer, and notes (gaps, markers) at their places among them.

use ph_model::{Level, LogFlags, Position};

use crate::mask::Tally;

/// Which output of the container a record was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Malformed lines.
    #[default]
    Unknown,
    Stdout,
    Stderr,
}

impl Stream {
    /// `stdout`, `stderr` or empty.
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Unknown => "",
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// One whole record. Its bytes are in the batch: see [`Batch::message`].
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Of its first byte: the record's identity.
    pub position: Position,
    /// Where to go on after it: forwards the byte after its last piece, backwards the start of its last piece.
    pub resume: Position,
    /// ns UTC, of its first piece.
    pub ts_ns: i64,
    pub stream: Stream,
    pub flags: LogFlags,
    pub level: Level,
    /// Size before it was cut; 0 when it was not.
    pub full_bytes: u64,
    /// It does not match: it stands near a record that does, as asked for.
    pub context: bool,
    /// Values that are masked in its message.
    pub masked: Tally,
    /// Offset of its last piece.
    pub(crate) last_start: u64,
    /// Of records that were given out at the end of a run, without a last piece: how many of them from here on.
    pub(crate) flushed: u32,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Record {
    /// Where a reader that goes backwards goes on after it, whichever way this one was read.
    pub fn before(&self) -> Position {
        Position { offset: self.last_start, rewind: self.flushed, ..self.resume }
    }
}

/// Why bytes were not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Segments were removed before they were read.
    RotatedAway,
    /// The file was cut to zero in place.
    Truncated,
    /// At least 16 NUL bytes, as a power loss leaves them.
    NulRun,
    /// Damaged gzip.
    Corrupt,
    /// The disk refused.
    ReadError,
    /// Passed over because the reader asked to be at the end again.
    Skipped,
}

impl GapKind {
    /// The word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            GapKind::RotatedAway => "rotated_away",
            GapKind::Truncated => "truncated",
            GapKind::NulRun => "nul_run",
            GapKind::Corrupt => "corrupt",
            GapKind::ReadError => "read_error",
            GapKind::Skipped => "skipped",
        }
    }
}

/// Names bytes that are missing. Numbers that are unknown stay absent.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    pub kind: GapKind,
    pub from: Option<Position>,
    pub to: Option<Position>,
    /// Time of the last record before it, ns UTC.
    pub from_ns: Option<i64>,
    pub bytes: Option<u64>,
    pub lines: Option<u64>,
    /// Whether the numbers are exact.
    pub exact: bool,
    pub text: String,
}

/// Something that happened to the container, on the records' time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// A new run began; `run` is its number.
    Restarted { run: u32 },
    /// The log directory is gone; nothing will follow.
    Ended,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Gap(Gap),
    Marker(Marker),
}

/// Whether it is worth asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// Ask again at once.
    #[default]
    More,
    /// Nothing more now: wait for the directory to change, at most until `wake_at_ns`.
    CaughtUp { wake_at_ns: i64 },
    /// Nothing will follow: end of range or limit, or the source is gone.
    Ended,
}

/// Records in file order (backward readers: reversed) over one buffer.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub records: Vec<Record>,
    /// Notes with the index of the record that they stand before; ascending.
    pub notes: Vec<(usize, Note)>,
    pub state: State,
    /// Where a later reader goes on after all of this batch, also past records that the filter left out.
    pub resume: Option<Position>,
    /// Time of the last line scanned, ns UTC.
    pub at_ns: Option<i64>,
    /// Bytes read for this batch, decompressed.
    pub scanned_bytes: u64,
    pub(crate) arena: Vec<u8>,
}

impl Batch {
    /// A record's exact bytes. The record must be one of this batch.
    pub fn message(&self, record: &Record) -> &[u8] {
        let start = record.start as usize;
        self.arena.get(start..start + record.len as usize).unwrap_or_default()
    }

    /// All messages end to end, in the order of `records` only for forward readers.
    pub fn bytes(&self) -> &[u8] {
        &self.arena
    }

    /// Size of all messages.
    pub fn message_bytes(&self) -> usize {
        self.arena.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.notes.is_empty()
    }

    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.notes.iter().filter_map(|(_, note)| match note {
            Note::Gap(gap) => Some(gap),
            Note::Marker(_) => None,
        })
    }

    pub fn markers(&self) -> impl Iterator<Item = Marker> {
        self.notes.iter().filter_map(|(_, note)| match note {
            Note::Marker(marker) => Some(*marker),
            Note::Gap(_) => None,
        })
    }

    pub(crate) fn push(&mut self, mut record: Record, message: &[u8]) {
        (record.start, record.len) = (self.arena.len() as u32, message.len() as u32);
        self.arena.extend_from_slice(message);
        self.records.push(record);
    }

    /// Adds another batch's records and notes behind its own.
    pub(crate) fn append(&mut self, other: Batch) {
        if self.records.is_empty() && self.notes.is_empty() {
            let scanned_bytes = self.scanned_bytes + other.scanned_bytes;
            *self = Batch { scanned_bytes, ..other };
            return;
        }
        let (before, shift) = (self.records.len(), self.arena.len() as u32);
        self.records.extend(other.records.iter().map(|r| Record { start: r.start + shift, ..*r }));
        self.notes.extend(other.notes.into_iter().map(|(at, note)| (at + before, note)));
        self.arena.extend_from_slice(&other.arena);
        self.scanned_bytes += other.scanned_bytes;
        (self.resume, self.at_ns) = (other.resume, other.at_ns);
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.notes.push((self.records.len(), note));
    }
}
