//! A count as it is told: over time one for each level, everything else as it is.
//!
//! In:     batches, or lines. Out: cells with their range, key and example; what is in none of them; how far one may be too high.

use ph_model::Level;

use super::{Bucket, Count, CountBy, Example, Line, line};
use crate::batch::Batch;

/// Levels, gravest last.
const LEVELS: [Level; 7] =
    [Level::Unknown, Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

/// A count that goes on.
#[derive(Clone, Debug)]
pub struct Telling {
    by: CountBy,
    /// By time one for each level, else one.
    counts: Vec<(Option<Level>, Count)>,
}

/// One thing that was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// By time the step, half-open; else the times of the first and last match. ns UTC.
    pub from_ns: i64,
    pub to_ns: i64,
    /// A level's word, a value or a pattern; by time the level.
    pub key: String,
    pub count: u64,
    /// Of a pattern.
    pub example: Option<Example>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// By time ascending, each step by level; else as [`Count::buckets`] orders them. Never empty ones.
    pub cells: Vec<Cell>,
    /// Matches in no cell.
    pub other: u64,
    /// A cell's count may be too high by so many; 0: all are exact.
    pub error: u64,
}

impl Telling {
    pub fn new(by: CountBy) -> Self {
        let counts = match &by {
            CountBy::Time { .. } => LEVELS.map(|level| (Some(level), Count::new(by.clone()))).into(),
            _ => vec![(None, Count::new(by.clone()))],
        };
        Self { by, counts }
    }

    /// Counts a batch's matches; context is none.
    pub fn add_from(&mut self, source: u32, batch: &Batch) {
        for record in batch.records.iter().filter(|r| !r.context) {
            self.add_line(source, &line(batch, record));
        }
    }

    /// Counts one match.
    pub fn add_line(&mut self, source: u32, line: &Line<'_>) {
        for (level, count) in &mut self.counts {
            if level.is_none_or(|level| level == line.level) {
                count.add_line(source, line);
            }
        }
    }

    pub fn told(&self) -> Told {
        let mut told = Told::default();
        for (level, count) in &self.counts {
            let found = count.buckets();
            let shown: u64 = found.iter().map(|b| b.count).sum();
            told.error = found.iter().map(|b| b.over).max().unwrap_or(0).max(told.error);
            told.other += count.outside() + count.records().saturating_sub(shown);
            let full = found.into_iter().filter(|b| b.count > 0);
            told.cells.extend(full.map(|b| self.cell(*level, count, b)));
        }
        if matches!(self.by, CountBy::Time { .. }) {
            told.cells.sort_by_key(|c| c.from_ns);
        }
        told
    }

    fn cell(&self, level: Option<Level>, count: &Count, found: Bucket) -> Cell {
        let Bucket { key, count: n, first_ns, last_ns, .. } = found;
        if let (CountBy::Time { from_ns, to_ns, buckets }, Some(level)) = (&self.by, level) {
            let begin = key.parse().unwrap_or(first_ns);
            let end = begin.saturating_add(super::width((*from_ns, *to_ns, *buckets))).min(*to_ns);
            let key = level.as_str().to_owned();
            return Cell { from_ns: begin, to_ns: end, key, count: n, example: None };
        }
        let example = count.example(&key).cloned();
        Cell { from_ns: first_ns, to_ns: last_ns, key, count: n, example }
    }
}

#[cfg(test)]
mod tests {
    use ph_model::Position;

    use super::*;
    use crate::batch::Stream;

    fn told(by: CountBy, lines: &[(i64, &str)]) -> Vec<(i64, i64, String, u64)> {
        let mut telling = Telling::new(by);
        for (ts_ns, text) in lines {
            let message = text.as_bytes();
            let level = ph_filter::level_of(message).0;
            let (stream, position) = (Stream::Stderr, Position::default());
            telling.add_line(3, &Line { ts_ns: *ts_ns, stream, level, position, message });
        }
        let told = telling.told();
        told.cells.into_iter().map(|c| (c.from_ns, c.to_ns, c.key, c.count)).collect()
    }

    #[test]
    fn time_is_told_by_level_and_values_as_they_are() {
        let lines =
            [(5, "level=info a"), (12, "level=error b"), (14, "level=info c"), (99, "level=info late")];
        let by = CountBy::Time { from_ns: 0, to_ns: 25, buckets: 3 };
        let of = |from, to, key: &str, n| (from, to, key.to_owned(), n);
        assert_eq!(told(by, &lines), [of(0, 9, "info", 1), of(9, 18, "info", 1), of(9, 18, "error", 1)]);
        assert_eq!(told(CountBy::Level, &lines), [of(12, 12, "error", 1), of(5, 99, "info", 3)]);
    }

    #[test]
    fn what_a_line_has_by_itself_is_counted_like_a_field_of_its_message() {
        let lines = [(5, "level=info stream=x"), (12, "level=error")];
        let field = |name: &str| CountBy::Field { name: name.to_owned(), top: 5 };
        let keys = |by| told(by, &lines).into_iter().map(|(_, _, k, n)| (k, n)).collect::<Vec<_>>();
        assert_eq!(keys(field("stream")), [("stderr".to_owned(), 2)]);
        assert_eq!(keys(field("level")), [("error".to_owned(), 1), ("info".to_owned(), 1)]);
        assert_eq!(keys(field("restart")), [("0".to_owned(), 2)]);
        assert_eq!(keys(CountBy::Source), [("3".to_owned(), 2)]);
    }
}
