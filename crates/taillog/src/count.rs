//! Counts over what a reader gives: by time, level, a field's values, or patterns of messages.
//!
//! In:     batches. Out: buckets, exact over what was read; how far a value's count may be too high where values were too many.
//! Bound:  memory does not grow with the log: buckets of time, values and patterns have a largest number.
//! Source: space-saving (Metwally, Agrawal, El Abbadi, 2005).

mod told;

use std::collections::HashMap;

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
/// What is looked at of a message for its pattern; bytes.
const PATTERN_BYTES: usize = 512;

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

/// One line of a count.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bucket {
    /// Begin of a step in ns UTC, a level's word, a value, or a pattern.
    pub key: String,
    pub count: u64,
    /// The true count may be lower by so many; 0 is exact.
    pub over: u64,
    /// ns UTC of the first and last record counted here.
    pub first_ns: i64,
    pub last_ns: i64,
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
    table: Table,
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
        Self { by, table: Table { room, ..Table::default() }, records: 0, outside: 0, examples: Vec::new() }
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
            let message = line.message.get(..PATTERN_BYTES).unwrap_or(line.message).to_vec();
            self.examples.resize_with(self.examples.len().max(slot + 1), || None);
            if let Some(place) = self.examples.get_mut(slot) {
                *place = Some(Example { source, position: line.position, message });
            }
        }
    }

    /// One message of a pattern.
    pub fn example(&self, key: &str) -> Option<&Example> {
        self.examples.get(*self.table.index.get(key)?)?.as_ref()
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
        let mut found: Vec<Bucket> = self.table.slots.clone();
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

/// Space-saving: when there is no room, one of the rarest keys gives its place and its count to the new one.
#[derive(Clone, Debug, Default)]
struct Table {
    slots: Vec<Bucket>,
    /// Key → its slot.
    index: HashMap<String, usize>,
    room: usize,
    /// No slot counts less than this; the next one to give way is looked for from `hand` on.
    floor: u64,
    hand: usize,
}

impl Table {
    /// The key's slot when it is new there.
    fn add(&mut self, key: String, ts: i64) -> Option<usize> {
        if let Some(slot) = self.index.get(&key).and_then(|i| self.slots.get_mut(*i)) {
            slot.count += 1;
            slot.first_ns = slot.first_ns.min(ts);
            slot.last_ns = slot.last_ns.max(ts);
            return None;
        }
        let mut fresh = Bucket { key: key.clone(), count: 1, over: 0, first_ns: ts, last_ns: ts };
        if self.slots.len() < self.room {
            self.index.insert(key, self.slots.len());
            self.slots.push(fresh);
            return Some(self.slots.len() - 1);
        }
        let rarest = self.rarest();
        let slot = self.slots.get_mut(rarest)?;
        (fresh.over, fresh.count) = (slot.count, slot.count + 1);
        self.index.remove(&slot.key);
        self.index.insert(key, rarest);
        *slot = fresh;
        Some(rarest)
    }

    fn rarest(&mut self) -> usize {
        loop {
            for _ in 0..self.slots.len() {
                self.hand = (self.hand + 1) % self.slots.len();
                if self.slots.get(self.hand).is_some_and(|b| b.count <= self.floor) {
                    return self.hand;
                }
            }
            self.floor = self.slots.iter().map(|b| b.count).min().unwrap_or(0);
            if self.slots.is_empty() {
                return 0;
            }
        }
    }

    fn get(&self, key: &str) -> Option<&Bucket> {
        self.index.get(key).and_then(|i| self.slots.get(*i))
    }
}

/// A message with what differs from line to line replaced: `<uuid>`, `<hex>`, `<n>`, `<str>`. Cut at 512 bytes.
pub fn pattern(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message.get(..PATTERN_BYTES).unwrap_or(message));
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(c) = rest.chars().next() {
        if matches!(c, '"' | '\'')
            && let Some(end) = rest.get(1..).and_then(|r| r.find(c))
            && !out.ends_with(|c: char| c.is_alphanumeric())
        {
            out.push_str("<str>");
            rest = rest.get(end + 2..).unwrap_or_default();
            continue;
        }
        if !c.is_ascii_alphanumeric() {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        if is_uuid(word) {
            out.push_str("<uuid>");
            rest = rest.get(end..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        out.push_str(&placeholder(word));
        rest = rest.get(end..).unwrap_or_default();
    }
    out
}

fn is_uuid(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let hex = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hex)
}

/// Numbers, also with a unit behind or `0x` before; hexadecimal words of eight and more with a digit.
fn placeholder(word: &str) -> std::borrow::Cow<'_, str> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let hex = word.strip_prefix("0x").unwrap_or(word);
    let is_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if digits == word.len() {
        "<n>".into()
    } else if is_hex
        && (hex.len() < word.len() || (word.len() >= 8 && word.bytes().any(|b| b.is_ascii_digit())))
    {
        "<hex>".into()
    } else if digits > 0 && word.len() - digits <= 3 {
        format!("<n>{}", word.get(digits..).unwrap_or_default()).into()
    } else {
        word.into()
    }
}
