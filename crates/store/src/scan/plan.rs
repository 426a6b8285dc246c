//! A filter over a time range, ready to run: over rows in memory, and over those of a part column by column.

use arrow::array::{Int64Array, RecordBatch};
use ph_filter::{Compiled, Filter, Raw, Scratch, Sieve};
use ph_model::{ErrorKind, RangeNs, Signal};

use crate::contract::Error;
use crate::hidden::Veil;
use crate::index::Need;
use crate::part::{Asked, Pin};
use crate::rows::{Columns, Messages, Sight, TS, columns_for};
use crate::snapshot::Table;

/// See the module's description.
pub(crate) struct Plan {
    pub signal: Signal,
    pub filter: Compiled,
    pub range: RangeNs,
    /// Columns that are read of rows that pass; time is one of them.
    pub columns: Columns,
    /// Columns by which it is known which rows pass.
    pub tested: Columns,
    /// The same without the texts that the filter looks for in messages.
    pub rest: Columns,
    /// What indexes are asked.
    pub need: Need,
    /// What summaries of parts are asked.
    pub asked: Asked,
    /// What pages of attributes are asked.
    pub pins: Vec<Pin>,
    /// Finds the rows that may pass in many messages at once.
    pub sieve: Option<Sieve>,
    /// What must not be seen.
    veil: Veil,
    /// Fields that the filter names.
    names: Vec<String>,
}

/// Rows of a batch that pass and may be seen.
pub(crate) struct Passed<'a> {
    pub batch: &'a RecordBatch,
    pub ts: &'a Int64Array,
    rows: &'a [u32],
    places: &'a [u64],
}

impl Passed<'_> {
    /// Each row of the batch, ascending, and where it stands in its part, or in its batch of memory.
    pub fn rows(&self) -> impl Iterator<Item = (usize, u64)> {
        self.rows.iter().zip(self.places).map(|(row, place)| (*row as usize, *place))
    }
}

/// Is given the rows that pass, batch by batch; `None`: a column is missing, the file is not one of ours.
pub(crate) type Each<'a> = dyn FnMut(&Passed<'_>) -> Option<()> + 'a;

impl Plan {
    /// Errors: `Invalid` for a filter that does not compile.
    pub fn new(
        table: Option<&Table>,
        signal: Signal,
        filter: &Filter,
        range: RangeNs,
    ) -> Result<Self, Error> {
        let compiled =
            Compiled::new(filter).map_err(|e| Error::new(ErrorKind::Invalid, e.to_string()).caused_by(e))?;
        let (mut columns, mut tested) = (Columns::from([TS]), Columns::default());
        columns_for(signal, filter, &mut tested);
        let mut rest = Columns::default();
        columns_beside(signal, filter, &mut rest);
        let need = Need::of(signal, filter);
        let range = narrow(range, filter);
        // Fields lie in columns and attributes, too; the message alone is searched.
        let planned = compiled.plan(&|name| !name.starts_with("body."));
        let sieve = planned.literals.and_then(|literals| literals.sieve(Raw::Plain));
        let veil = Veil::over(table.map(|t| t.hidden.as_slice()).unwrap_or_default(), range);
        veil.columns(&mut columns);
        let asked = Asked::new(signal, filter);
        let pins = Pin::all(signal, filter);
        let names = planned.needs.fields;
        Ok(Self {
            signal,
            filter: compiled,
            range,
            columns,
            tested,
            rest,
            need,
            asked,
            pins,
            sieve,
            veil,
            names,
        })
    }

    /// All columns that are read of any row.
    pub fn all_columns(&self) -> Columns {
        let mut out = self.columns.clone();
        out.add_all(&self.tested);
        out
    }

    /// Calls `each` with the rows of a batch that are in the range and pass.
    pub fn run(&self, batch: &RecordBatch, each: &mut Each<'_>) -> Option<()> {
        let rows = self.passing(batch);
        let places = rows.iter().map(|row| u64::from(*row)).collect();
        self.give(batch, (rows, places), each)
    }

    /// Rows that pass, ascending, whatever their time.
    pub fn passing(&self, batch: &RecordBatch) -> Vec<u32> {
        if self.filter.is_all() {
            return (0..batch.num_rows() as u32).collect();
        }
        let Some((sieve, messages)) = self.sieve.as_ref().zip(Messages::of(self.signal, batch)) else {
            return self.verified(batch);
        };
        let sight = Sight::of(self.signal, batch, &self.names);
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        messages.sift(sieve, &mut |row, decided| {
            if decided || self.filter.matches_with(&sight.row(row), &mut scratch) {
                out.push(row as u32);
            }
        });
        out
    }

    /// The same, each row looked at by itself.
    pub fn verified(&self, batch: &RecordBatch) -> Vec<u32> {
        let sight = Sight::of(self.signal, batch, &self.names);
        let mut scratch = Scratch::default();
        let passes = |row: &u32| self.filter.matches_with(&sight.row(*row as usize), &mut scratch);
        (0..batch.num_rows() as u32).filter(passes).collect()
    }

    /// Calls `each` with the number of each of some rows that passes, counted from 0. Each row has with it which texts its
    /// message is known to have, so that messages are not looked at.
    pub fn by_rest(
        &self,
        batch: &RecordBatch,
        rows: impl Iterator<Item = (u32, u64)>,
        each: &mut dyn FnMut(usize),
    ) {
        let sight = Sight::of(self.signal, batch, &self.names);
        let mut scratch = Scratch::default();
        for (nth, (row, texts)) in rows.enumerate() {
            if self.filter.matches_known((&sight.row(row as usize), Some(texts)), &mut scratch) {
                each(nth);
            }
        }
    }

    /// Calls `each` with those of some rows that pass, given with their places, that are in the range and may be seen.
    pub fn give(
        &self,
        batch: &RecordBatch,
        (mut rows, mut places): (Vec<u32>, Vec<u64>),
        each: &mut Each<'_>,
    ) -> Option<()> {
        let ts: &Int64Array = batch.column_by_name(TS)?.as_any().downcast_ref()?;
        let seen = |row: u32| {
            let (row, at) = (row as usize, ts.value(row as usize));
            self.range.contains(at) && !self.veil.hides(at, batch, row)
        };
        if !rows.iter().all(|row| seen(*row)) {
            let (left, there): (Vec<u32>, Vec<u64>) =
                rows.iter().zip(&places).filter(|(row, _)| seen(**row)).unzip();
            (rows, places) = (left, there);
        }
        if rows.is_empty() {
            return Some(());
        }
        each(&Passed { batch, ts, rows: &rows, places: &places })
    }
}

/// The columns that must be read to evaluate a filter when it is known which of its texts the messages have.
fn columns_beside(signal: Signal, filter: &Filter, into: &mut Columns) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().for_each(|part| columns_beside(signal, part, into));
        }
        Filter::Not(part) => columns_beside(signal, part, into),
        Filter::Contains { field, .. } | Filter::Words { field, .. } | Filter::Regex { field, .. }
            if field.as_deref().is_none_or(|field| field == "message") => {}
        other => columns_for(signal, other, into),
    }
}

/// The part of a range that a filter's own time conditions leave.
fn narrow(range: RangeNs, filter: &Filter) -> RangeNs {
    match filter {
        Filter::Time { from, to } => {
            RangeNs::new(range.from.max(from.unwrap_or(i64::MIN)), range.to.min(to.unwrap_or(i64::MAX)))
        }
        Filter::And(parts) => parts.iter().fold(range, narrow),
        Filter::Or(parts) => {
            let each = || parts.iter().map(|part| narrow(range, part));
            match (each().map(|r| r.from).min(), each().map(|r| r.to).max()) {
                (Some(from), Some(to)) => RangeNs::new(from, to),
                _ => range,
            }
        }
        _ => range,
    }
}
