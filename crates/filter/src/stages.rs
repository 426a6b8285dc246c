//! What the stages behind a filter make of the records that pass: `… | count by level every 1m | sort count desc`.
//!
//! In:     stages as they were read, and matching records in the order of their answer. Out: rows of one table; what they leave out or
//!         only come near to, in words.
//! Bound:  groups, values and kept rows have a largest number, a value that groups are made by a largest length. What is beyond is counted
//!         and told, never passed over in silence.
//! Never:  I/O, a clock; a stage that does nothing.

mod group;
mod input;
mod measure;
mod number;
mod plan;
mod rows;
mod sketch;

use crate::query::Stage;
use crate::{Error, Record};
use input::Input;
use plan::Op;

/// Groups of one answer.
pub const MOST_GROUPS: usize = 10_000;
/// Rows that `sort` keeps.
pub const MOST_ROWS: usize = 10_000;
/// Bytes of the rows that `sort` keeps.
const MOST_BYTES: usize = 32 << 20;
/// Values of `top`.
pub const MOST_VALUES: u32 = 1_000;
/// Patterns.
pub const MOST_PATTERNS: u32 = 1_000;
/// A value that groups are made by is told by so many bytes of it.
const MOST_KEY: usize = 1 << 10;

/// One cell of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The record has no such field, or nothing was there to work it out of.
    Absent,
    Text(String),
    Count(u64),
    /// Durations are seconds, sizes bytes.
    Number(f64),
    /// ns UTC.
    Time(i64),
}

/// Cells in the order of the columns.
pub type Row = Vec<Value>;

/// Around what the stages are worked out.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Columns of a line where no stage names any.
    pub columns: Vec<String>,
    /// The range that was asked for, `[from, to)` in ns UTC: `rate` without steps is over it. Where it is open, it begins or ends
    /// with the lines.
    pub from_ns: Option<i64>,
    pub to_ns: Option<i64>,
}

/// All rows, once they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// Whether every number is what it says.
    pub exact: bool,
    /// What is left out, and what is only near, each in a sentence.
    pub remarks: Vec<String>,
}

/// Stages at work.
#[derive(Debug)]
pub struct Evaluation {
    ops: Vec<Op>,
    columns: Vec<String>,
    seen: Seen,
}

/// What every stage may need to know of the lines so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl Evaluation {
    /// Makes stages ready to work on records.
    ///
    /// # Errors
    /// `invalid`: a stage asks what the one before it does not give.
    pub fn new(stages: &[Stage], frame: &Frame) -> Result<Self, Error> {
        let (ops, columns) = plan::plan(stages, frame)?;
        Ok(Self { ops, columns, seen: Seen::default() })
    }

    /// Names of the cells of every row.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether rows come only once every record was seen. An evaluation that follows for ever would never tell them.
    pub fn is_whole(&self) -> bool {
        self.ops.iter().any(Op::is_whole)
    }

    /// Whether no further record can change the answer.
    pub fn is_full(&self) -> bool {
        let before = self.ops.iter().take_while(|op| !op.is_whole());
        before.into_iter().any(Op::is_full)
    }

    /// Takes a record that passed the filter. Rows that are certain already go into `into`.
    pub fn add(&mut self, record: &dyn Record, into: &mut Vec<Row>) {
        let ts = record.ts_ns();
        self.seen.first_ns = Some(self.seen.first_ns.map_or(ts, |first| first.min(ts)));
        self.seen.last_ns = Some(self.seen.last_ns.map_or(ts, |last| last.max(ts)));
        plan::feed(&mut self.ops, Input::Line(record), into);
    }

    /// The rows that were waiting for the last record, with all that is to be said of the answer.
    pub fn finish(mut self) -> Table {
        let mut table = Table { columns: self.columns, exact: true, ..Table::default() };
        for at in 0..self.ops.len() {
            let Some((op, rest)) = self.ops.get_mut(at..).and_then(<[Op]>::split_first_mut) else { break };
            let names = op.names();
            for row in op.drain(self.seen) {
                plan::feed(rest, Input::Row(&names, row), &mut table.rows);
            }
            op.tell(&mut table);
        }
        table
    }
}

impl Table {
    /// The same table with further stages worked out over its rows.
    ///
    /// # Errors
    /// As [`Evaluation::new`].
    pub fn then(self, stages: &[Stage]) -> Result<Table, Error> {
        let (ops, columns) = plan::over(stages, &self.columns)?;
        let mut evaluation = Evaluation { ops, columns, seen: Seen::default() };
        let mut rows = Vec::new();
        for row in self.rows {
            plan::feed(&mut evaluation.ops, Input::Row(&self.columns, row), &mut rows);
        }
        let mut table = evaluation.finish();
        rows.append(&mut table.rows);
        let remarks = [self.remarks, table.remarks].concat();
        Ok(Table { rows, exact: self.exact && table.exact, remarks, ..table })
    }
}

impl std::fmt::Display for Value {
    /// As it stands in CSV; times in ns UTC.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Absent => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Count(n) => write!(f, "{n}"),
            Value::Number(n) => write!(f, "{n}"),
            Value::Time(ns) => write!(f, "{ns}"),
        }
    }
}

#[cfg(test)]
mod tests;
