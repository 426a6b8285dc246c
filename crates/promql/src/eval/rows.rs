//! Series in the course of evaluation: a label set and one value a step.

use std::collections::HashMap;

use ph_model::Labels;

use crate::error::Error;

/// Marks a step without a value. No sample has these bits: [`clean`] sees to it.
pub const ABSENT: f64 = f64::from_bits(0x7ff8_0000_0a5b_5e47);

pub fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// A sample's value, another NaN in place of the one that marks absence.
pub fn clean(value: f64) -> f64 {
    if is_absent(value) { f64::NAN } else { value }
}

/// One series.
#[derive(Clone, Debug)]
pub struct Row {
    pub labels: Labels,
    /// As long as the grid.
    pub column: Vec<f64>,
    /// The metric's name goes when all is evaluated; only when that is delayed until then.
    pub sheds_name: bool,
}

impl Row {
    pub fn new(labels: Labels, column: Vec<f64>) -> Self {
        Self { labels, column, sheds_name: false }
    }

    pub fn is_empty(&self) -> bool {
        self.column.iter().all(|v| is_absent(*v))
    }

    /// Bytes it takes, estimated.
    pub fn size(&self) -> usize {
        let labels: usize = self.labels.iter().map(|(n, v)| n.len() + v.len() + 48).sum();
        labels + self.column.len() * 8 + 64
    }
}

/// Series one by one, as somebody asks for them.
pub type Rows<'r> = Box<dyn Iterator<Item = Result<Row, Error>> + 'r>;

pub fn same_labels() -> Error {
    Error::Execution("vector cannot contain metrics with the same labelset".to_owned())
}

/// Labels that say what is measured; they go when the quantity changes.
pub fn is_metadata(name: &str) -> bool {
    matches!(name, "__name__" | "__type__" | "__unit__")
}

/// Without the metric's name.
pub fn nameless(labels: Labels) -> Labels {
    if labels.iter().any(|(n, _)| is_metadata(n)) {
        select(&labels, |name| !is_metadata(name))
    } else {
        labels
    }
}

/// The labels whose names are wanted.
pub fn select(labels: &Labels, wanted: impl Fn(&str) -> bool) -> Labels {
    Labels::of(labels.iter().filter(|(name, _)| wanted(name)))
}

/// With one label set, or removed when the value is empty.
pub fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    Labels::of(labels.iter().filter(|(known, _)| *known != name).chain([(name, value)]))
}

/// Puts series of equal labels together when they have no step in common; else it is an error.
///
/// Series keep the order of their first appearance. Cost: holds all series.
pub fn distinct<'r>(rows: Rows<'r>) -> Result<Rows<'r>, Error> {
    let mut found = Table::default();
    for row in rows {
        let row = row?;
        found.merge(row)?;
    }
    Ok(found.into_rows())
}

/// Refuses series of equal labels, whatever their steps.
pub fn distinct_strictly<'r>(rows: Rows<'r>) -> Rows<'r> {
    let mut seen = std::collections::HashSet::new();
    Box::new(rows.map(move |row| {
        let row = row?;
        if seen.insert(row.labels.hash128()) { Ok(row) } else { Err(same_labels()) }
    }))
}

/// Rows by label set, in the order of their first appearance.
#[derive(Default)]
pub struct Table {
    index: HashMap<Labels, usize>,
    pub rows: Vec<Row>,
}

impl Table {
    /// The row of a label set; a new one has no values.
    pub fn row(&mut self, labels: Labels, steps: usize) -> usize {
        if let Some(at) = self.index.get(&labels) {
            return *at;
        }
        let at = self.rows.len();
        self.index.insert(labels.clone(), at);
        self.rows.push(Row::new(labels, vec![ABSENT; steps]));
        at
    }

    /// Sets a value that no other series of these labels has at that step.
    pub fn set(&mut self, row: usize, step: usize, value: f64) -> Result<(), Error> {
        let Some(place) = self.rows.get_mut(row).and_then(|r| r.column.get_mut(step)) else { return Ok(()) };
        if !is_absent(*place) {
            return Err(same_labels());
        }
        *place = value;
        Ok(())
    }

    /// Says whether a row's name goes at the end.
    pub fn shed_name(&mut self, row: usize, sheds_name: bool) {
        if let Some(row) = self.rows.get_mut(row) {
            row.sheds_name = sheds_name;
        }
    }

    fn merge(&mut self, row: Row) -> Result<(), Error> {
        let Some(at) = self.index.get(&row.labels).copied() else {
            self.index.insert(row.labels.clone(), self.rows.len());
            self.rows.push(row);
            return Ok(());
        };
        for (step, value) in row.column.into_iter().enumerate() {
            if !is_absent(value) {
                self.set(at, step, value)?;
            }
        }
        Ok(())
    }

    pub fn into_rows<'r>(self) -> Rows<'r> {
        Box::new(self.rows.into_iter().filter(|r| !r.is_empty()).map(Ok))
    }
}
