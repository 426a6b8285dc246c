//! Stages over rows: sorted, cut, the commonest values.

use std::cmp::Ordering;

use super::group::kept;
use super::input::Input;
use super::number::Rank;
use super::{MOST_BYTES, MOST_ROWS, Row, Table, Value};
use crate::Frequent;
use crate::pattern::pattern;
use crate::query::Sorting;

/// Values that are counted for each that is told, so that the told ones are nearly always exact.
const SPARE: usize = 10;

/// Rows by one of their columns; of equal ones those first that came first.
#[derive(Debug)]
pub(super) struct Sorted {
    field: String,
    order: Sorting,
    /// More are not wanted, or not kept.
    most: usize,
    /// `limit` follows, so that what is left out is not asked for.
    asked: bool,
    rows: Vec<(Rank, Row)>,
    bytes: usize,
    /// The first row that was left out: what does not stand before it is left out as well.
    edge: Option<Rank>,
    left_out: u64,
}

impl Sorted {
    /// `limit` is how many of the rows are wanted, where that is said.
    pub fn new(field: &str, order: Sorting, limit: Option<u64>) -> Self {
        let most = limit.map_or(MOST_ROWS, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Self {
            field: field.to_owned(),
            order,
            most: most.min(MOST_ROWS),
            asked: most <= MOST_ROWS && limit.is_some(),
            rows: Vec::new(),
            bytes: 0,
            edge: None,
            left_out: 0,
        }
    }

    pub fn add(&mut self, names: &[String], row: Row) {
        let at = names.iter().position(|n| *n == self.field);
        let rank = Rank::of(&self.field, at.and_then(|at| row.get(at)).unwrap_or(&Value::Absent));
        if self.edge.as_ref().is_some_and(|edge| compare(self.order, &rank, edge) != Ordering::Less) {
            self.left_out += 1;
            return;
        }
        self.bytes += size(&row);
        self.rows.push((rank, row));
        if self.rows.len() >= self.most.saturating_mul(2).max(1_000) || self.bytes > MOST_BYTES {
            self.prune();
        }
    }

    fn prune(&mut self) {
        let order = self.order;
        self.rows.sort_by(|(a, _), (b, _)| compare(order, a, b));
        let mut end = self.rows.len().min(self.most);
        let mut bytes: usize = self.rows.iter().take(end).map(|(_, row)| size(row)).sum();
        while bytes > MOST_BYTES / 2 && end > 1 {
            end -= 1;
            bytes -= self.rows.get(end).map_or(0, |(_, row)| size(row));
            // It is the memory that ends, not what was asked for.
            self.asked = false;
        }
        self.bytes = bytes;
        self.left_out += (self.rows.len() - end) as u64;
        if let Some((rank, _)) = self.rows.get(end) {
            self.edge = Some(rank.clone());
        }
        self.rows.truncate(end);
    }

    pub fn drain(&mut self) -> Vec<Row> {
        self.prune();
        std::mem::take(&mut self.rows).into_iter().map(|(_, row)| row).collect()
    }

    pub fn tell(&self, table: &mut Table) {
        if self.left_out > 0 && !self.asked {
            table.exact = false;
            table.remarks.push(format!(
                "sort {}: {} rows behind the first ones are left out; say how many are wanted: | limit 100",
                self.field, self.left_out
            ));
        }
    }
}

/// Numbers before text before what is absent, in both directions.
fn compare(order: Sorting, a: &Rank, b: &Rank) -> Ordering {
    a.class().cmp(&b.class()).then_with(|| match order {
        Sorting::Ascending => a.cmp(b),
        Sorting::Descending => b.cmp(a),
    })
}

fn size(row: &Row) -> usize {
    let cell = |value: &Value| match value {
        Value::Text(text) => text.len(),
        _ => 0,
    };
    row.iter().map(|v| size_of::<Value>() + cell(v)).sum()
}

/// The commonest values of a field, or the commonest patterns of messages.
#[derive(Debug)]
pub(super) struct Top {
    /// `None`: patterns.
    field: Option<String>,
    most: usize,
    table: Frequent,
    without: u64,
    over: u64,
    cut: bool,
}

impl Top {
    pub fn values(field: &str, n: u32) -> Self {
        Self::new(Some(field.to_owned()), n)
    }

    pub fn patterns(n: u32) -> Self {
        Self::new(None, n)
    }

    fn new(field: Option<String>, n: u32) -> Self {
        let most = n as usize;
        let table = Frequent::new(most.saturating_mul(SPARE).max(1_000));
        Self { field, most, table, without: 0, over: 0, cut: false }
    }

    pub fn add(&mut self, input: &Input<'_>) {
        let key = match &self.field {
            None => input.text("message").map(|text| pattern(text.as_bytes())),
            Some(field) => input.text(field).map(|text| {
                self.cut |= kept(&text).len() < text.len();
                kept(&text).to_owned()
            }),
        };
        match key {
            Some(key) => drop(self.table.add(key, input.time().unwrap_or_default())),
            None => self.without += 1,
        }
    }

    pub fn drain(&mut self) -> Vec<Row> {
        let mut found = self.table.buckets().to_vec();
        found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        found.truncate(self.most);
        self.over = found.iter().map(|b| b.over).max().unwrap_or_default();
        found.into_iter().map(|b| vec![Value::Text(b.key), Value::Count(b.count)]).collect()
    }

    pub fn tell(&self, table: &mut Table) {
        if self.over > 0 {
            table.exact = false;
            table.remarks.push(format!(
                "counts may be too high by {} at most: there are more values than are counted apart",
                self.over
            ));
        }
        if let (Some(field), 1..) = (&self.field, self.without) {
            table.remarks.push(format!("{} lines have no {field}", self.without));
        }
        if self.cut {
            table.remarks.push(format!(
                "values longer than {} bytes are told by their beginning, and those that begin alike are one",
                super::MOST_KEY
            ));
        }
    }
}
