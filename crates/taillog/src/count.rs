//! Counts over what a reader gives: by time, level, a field's values, or patterns of messages.
//!
//! In:     batches. Out: buckets, exact over what was read; how far a value's count may be too high where values were too many.
//! Bound:  memory does not grow with the log: buckets of time, values and patterns have a largest number.

mod told;

use ph_filter::Frequent;
pub use ph_filter::{Bucket, pattern};
use ph_model::{Level, Position};

use crate::batch::{Batch, Record, Stream};
use crate::escapes;
pub use told::{Cell, Telling, Told};

/// Buckets of time at most.
pub const MAX_BUCKETS: usize = 500;
/// Values of a field that are told at most.
pub const MAX_VALUES: usize = 100;
/// Patterns at most.
pub const MAX_PATTERNS: usize = 1_000;
/// Values that are counted for each that is told, so that the told ones are nearly always exact.
const SPARE: usize = 10;
/// What is kept of a message as the example of its pattern; bytes.
const EXAMPLE_BYTES: usize = 512;

/// What is counted.
#[derive(Clone, Debug, PartialEq)]
pub enum CountBy {
    /// Equal steps of `[from_ns, to_ns)`; records outside of it count as `outside`.
    Time {
        from_ns: i64,
        to_ns: i64,
        buckets: usize,
    },
    Level,
    /// The commonest values of a field of the message, or of `stream`, `level` or `restart`, which each line has.
    Field {
        name: String,
        top: usize,
    },
    /// Messages with numbers, hexadecimal words, UUIDs and quoted texts replaced by placeholders.
    Pattern {
        top: usize,
    },
    /// Where it came from: as the caller named the source, decimal.
    Source,
}

/// One message of a pattern, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// As the caller named the source.
    pub source: u32,
    pub position: Position,
    /// At most 512 bytes of it.
    pub message: Vec<u8>,
}

/// A matching line that no reader of this room gave.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub ts_ns: i64,
    pub stream: Stream,
    pub level: Level,
    pub position: Position,
    pub message: &'a [u8],
}

impl Line<'_> {
    /// A field's value as text. What the line has by itself goes before what its message calls the same.
    fn field(&self, name: &str) -> Option<String> {
        match name {
            "stream" => Some(self.stream.as_str().to_owned()).filter(|s| !s.is_empty()),
            "level" => Some(self.level.as_str().to_owned()),
            "restart" => Some(self.position.run.to_string()),
            _ => ph_filter::field(&escapes::plain(self.message).text, name).map(std::borrow::Cow::into_owned),
        }
    }
}

/// A count that goes on.
#[derive(Clone, Debug)]
pub struct Count {
    by: CountBy,
    table: Frequent,
    /// Records counted.
    records: u64,
    /// Records without the field, or outside of the time range.
    outside: u64,
    /// Of patterns, by slot of the table.
    examples: Vec<Option<Example>>,
}

impl Count {
    pub fn new(by: CountBy) -> Self {
        let (by, room) = match by {
            CountBy::Time { from_ns, to_ns, buckets } => {
                (CountBy::Time { from_ns, to_ns, buckets: buckets.clamp(1, MAX_BUCKETS) }, MAX_BUCKETS)
            }
            CountBy::Level => (CountBy::Level, 8),
            CountBy::Field { name, top } => {
                (CountBy::Field { name, top: top.clamp(1, MAX_VALUES) }, MAX_VALUES * SPARE)
            }
            CountBy::Pattern { top } => (CountBy::Pattern { top: top.clamp(1, MAX_PATTERNS) }, MAX_PATTERNS),
            // As many as are asked for at once.
            CountBy::Source => (CountBy::Source, usize::MAX),
        };
        Self { by, table: Frequent::new(room), records: 0, outside: 0, examples: Vec::new() }
    }

    /// Counts a batch's matches; context is none.
    pub fn add(&mut self, batch: &Batch) {
        self.add_from(0, batch);
    }

    /// The same for one of several sources, so that examples say where they stand.
    pub fn add_from(&mut self, source: u32, batch: &Batch) {
        for record in batch.records.iter().filter(|r| !r.context) {
            self.add_line(source, &line(batch, record));
        }
    }

    /// Counts one line of one of several sources.
    pub fn add_line(&mut self, source: u32, line: &Line<'_>) {
        let fresh = self.add_one(source, line);
        if let (CountBy::Pattern { .. }, Some(slot)) = (&self.by, fresh) {
            let message = line.message.get(..EXAMPLE_BYTES).unwrap_or(line.message).to_vec();
            self.examples.resize_with(self.examples.len().max(slot + 1), || None);
            if let Some(place) = self.examples.get_mut(slot) {
                *place = Some(Example { source, position: line.position, message });
            }
        }
    }

    /// One message of a pattern.
    pub fn example(&self, key: &str) -> Option<&Example> {
        self.examples.get(self.table.slot(key)?)?.as_ref()
    }

    /// Counts one line with what the caller may see of its message. The slot when its key is new.
    fn add_one(&mut self, source: u32, line: &Line<'_>) -> Option<usize> {
        let key = match &self.by {
            CountBy::Time { from_ns, to_ns, buckets } => step(line.ts_ns, (*from_ns, *to_ns, *buckets)),
            CountBy::Level => Some(line.level.as_str().to_owned()),
            CountBy::Field { name, .. } => line.field(name),
            CountBy::Source => Some(source.to_string()),
            CountBy::Pattern { .. } => Some(pattern(&escapes::plain(line.message).text)),
        };
        match key {
            Some(key) => {
                self.records += 1;
                self.table.add(key, line.ts_ns)
            }
            None => {
                self.outside += 1;
                None
            }
        }
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that are in no bucket: without the field, or outside of the time range.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Steps of time ascending (all of them, also empty ones); levels gravest first; values and patterns commonest first.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut found: Vec<Bucket> = self.table.buckets().to_vec();
        match &self.by {
            CountBy::Time { from_ns, to_ns, buckets } => {
                let width = width((*from_ns, *to_ns, *buckets));
                (0..*buckets as i64)
                    .map(|i| from_ns + i * width)
                    .take_while(|begin| begin < to_ns)
                    .map(|begin| {
                        let key = begin.to_string();
                        let empty = Bucket { key, count: 0, over: 0, first_ns: begin, last_ns: begin };
                        self.table.get(&empty.key).cloned().unwrap_or(empty)
                    })
                    .collect()
            }
            CountBy::Level => {
                found.sort_by_key(|b| std::cmp::Reverse(Level::parse(&b.key)));
                found
            }
            CountBy::Source => {
                found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
                found
            }
            CountBy::Field { top, .. } | CountBy::Pattern { top } => {
                found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
                found.truncate(*top);
                found
            }
        }
    }
}

fn line<'a>(batch: &'a Batch, record: &Record) -> Line<'a> {
    let Record { ts_ns, stream, level, position, .. } = *record;
    Line { ts_ns, stream, level, position, message: batch.message(record) }
}

fn width((from, to, buckets): (i64, i64, usize)) -> i64 {
    let span = to.saturating_sub(from).max(1);
    (span / buckets as i64 + i64::from(span % buckets as i64 != 0)).max(1)
}

fn step(ts: i64, range: (i64, i64, usize)) -> Option<String> {
    let (from, to, _) = range;
    (from..to).contains(&ts).then(|| (from + (ts - from) / width(range) * width(range)).to_string())
}
