//! Counts on a time grid, by group.

use std::collections::HashMap;

use arrow::array::{Array, RecordBatch, StringArray, UInt8Array};
use ph_model::{ErrorKind, Level, Signal};

use crate::contract::{Bucket, CountAsk, Error};
use crate::rows::{RowView, column_name, columns_of_field};
use crate::scan::{self, Budget, Passed, Plan, Scanned};
use crate::snapshot::Table;

/// Groups that are named in an answer; the rest is summed as [`OTHER`].
const NAMED: usize = 1_000;
/// Groups that are told apart while counting.
const TOLD_APART: usize = 100_000;
/// Name of the rest.
const OTHER: &str = "other";
/// Most buckets of a grid.
const MAX_BUCKETS: i64 = 11_000;
/// Groups, and buckets of each, whose counts stand in a row.
const DENSE: usize = 64;
const MOST_DENSE: usize = 2 * MAX_BUCKETS as usize;

/// Buckets that hold something, by time and group. Errors: `Invalid` for the ask, `Exhausted` beyond the budget.
pub(crate) fn count(
    table: Option<&Table>,
    ask: &CountAsk,
    budget: Budget,
) -> Result<(Vec<Bucket>, Scanned), Error> {
    let width = ask.range.to.saturating_sub(ask.range.from);
    if ask.step_ns <= 0 || width / ask.step_ns > MAX_BUCKETS {
        let what = format!(
            "step of {} ns gives no grid of 1 to {MAX_BUCKETS} buckets over the range; the smallest that fits is {} ns",
            ask.step_ns,
            width / MAX_BUCKETS + 1
        );
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let mut plan = Plan::new(table, ask.signal, &ask.filter, ask.range)?;
    if let Some(by) = &ask.by {
        columns_of_field(ask.signal, by, &mut plan.columns);
    }
    let mut grid = Grid::new(ask);
    let mut scanned = Scanned::new(budget);
    if let Some(table) = table {
        let add = |grid: &mut Grid<'_>, passed: &Passed<'_>| grid.add(passed);
        for found in scan::side_by_side(table, &plan, &mut scanned, (&|| Grid::new(ask), &add)) {
            grid.merge(found);
        }
    }
    scanned.within()?;
    grid.settle();
    Ok((grid.buckets(), scanned))
}

/// Number of a bucket since the first of the grid, and group.
type Cell = (i64, u32);

struct Grid<'a> {
    ask: &'a CountAsk,
    groups: HashMap<String, u32>,
    /// Counts by group and bucket of the first [`DENSE`] groups, …
    dense: Vec<Vec<u64>>,
    /// … and of the others.
    cells: HashMap<Cell, u64>,
    /// The cell of the rows that were added last, and how many of them are not counted there yet.
    run: (Cell, u64),
    /// Group of the row that was added last.
    last: Option<(String, u32)>,
}

/// Where the group of each row of a batch stands.
enum By<'a> {
    /// All rows are of one.
    One(u32),
    /// The level's name, with the groups of the numbers that were seen.
    Levels(&'a UInt8Array, Box<[Option<u32>; 256]>),
    Texts(&'a StringArray),
    Field(&'a str),
}

impl<'a> Grid<'a> {
    fn new(ask: &'a CountAsk) -> Self {
        Self {
            ask,
            groups: HashMap::new(),
            dense: Vec::new(),
            cells: HashMap::new(),
            run: ((0, 0), 0),
            last: None,
        }
    }

    fn first_bucket(&self) -> i64 {
        self.ask.range.from.div_euclid(self.ask.step_ns)
    }

    fn add(&mut self, passed: &Passed<'_>) -> Option<()> {
        let mut by = self.by(passed.batch);
        let (step, first) = (self.ask.step_ns, self.first_bucket());
        // Neighbours mostly are of one bucket.
        let (mut bucket, mut ends) = (0, (0, 0));
        for (row, _) in passed.rows() {
            let ts = passed.ts.value(row);
            if ts < ends.0 || ts >= ends.1 {
                let number = ts.div_euclid(step);
                let start = number.saturating_mul(step);
                (bucket, ends) = (number.saturating_sub(first), (start, start.saturating_add(step)));
            }
            let cell = (bucket, self.group_of(&mut by, passed.batch, row));
            if cell != self.run.0 {
                self.settle();
                self.run.0 = cell;
            }
            self.run.1 += 1;
        }
        Some(())
    }

    fn by<'b>(&mut self, batch: &'b RecordBatch) -> By<'b>
    where
        'a: 'b,
    {
        let Some(by) = self.ask.by.as_deref() else { return By::One(self.group(String::new())) };
        let signal = self.ask.signal;
        if by == "level" && signal == Signal::Logs {
            let levels = batch.column_by_name(by).and_then(|c| c.as_any().downcast_ref());
            return levels.map_or(By::Field(by), |levels| By::Levels(levels, Box::new([None; 256])));
        }
        let column = column_name(signal, by).and_then(|name| batch.column_by_name(name));
        column.and_then(|c| c.as_any().downcast_ref()).map_or(By::Field(by), By::Texts)
    }

    fn group_of(&mut self, by: &mut By<'_>, batch: &RecordBatch, row: usize) -> u32 {
        match by {
            By::One(group) => *group,
            By::Levels(levels, known) => {
                let number = levels.value(row);
                let Some(known) = known.get_mut(usize::from(number)) else { return u32::MAX };
                *known.get_or_insert_with(|| self.group(Level::from_number(number).as_str().to_owned()))
            }
            By::Texts(texts) => self.named(if texts.is_valid(row) { texts.value(row) } else { "" }),
            By::Field(by) => self.named(&RowView { signal: self.ask.signal, batch, row }.group(by)),
        }
    }

    fn named(&mut self, name: &str) -> u32 {
        match &self.last {
            Some((last, group)) if last == name => *group,
            _ => {
                let group = self.group(name.to_owned());
                self.last = Some((name.to_owned(), group));
                group
            }
        }
    }

    /// Rows that follow each other often belong together.
    fn settle(&mut self) {
        let (cell, count) = std::mem::take(&mut self.run);
        if count > 0 {
            self.put(cell, count);
        }
    }

    fn put(&mut self, cell: Cell, count: u64) {
        let (bucket, group) = (usize::try_from(cell.0), cell.1 as usize);
        let Some(bucket) = bucket.ok().filter(|b| *b <= MOST_DENSE && group < DENSE) else {
            *self.cells.entry(cell).or_default() += count;
            return;
        };
        if self.dense.len() <= group {
            self.dense.resize_with(group + 1, Vec::new);
        }
        let Some(buckets) = self.dense.get_mut(group) else { return };
        if buckets.len() <= bucket {
            buckets.resize(bucket + 1, 0);
        }
        if let Some(known) = buckets.get_mut(bucket) {
            *known += count;
        }
    }

    /// Everything that was counted.
    fn counted(&mut self) -> Vec<(Cell, u64)> {
        self.settle();
        let dense = std::mem::take(&mut self.dense).into_iter().zip(0_u32..).flat_map(|(buckets, group)| {
            let buckets = buckets.into_iter().zip(0_i64..).filter(|(count, _)| *count > 0);
            buckets.map(move |(count, bucket)| ((bucket, group), count))
        });
        dense.chain(std::mem::take(&mut self.cells)).collect()
    }

    fn group(&mut self, name: String) -> u32 {
        let next = self.groups.len() as u32;
        match self.groups.get(&name) {
            Some(known) => *known,
            None if self.groups.len() >= TOLD_APART => u32::MAX,
            None => {
                self.groups.insert(name, next);
                next
            }
        }
    }

    fn merge(&mut self, mut other: Grid<'_>) {
        let counted = other.counted();
        let named = std::mem::take(&mut other.groups);
        let ours: HashMap<u32, u32> = named.into_iter().map(|(name, id)| (id, self.group(name))).collect();
        for ((bucket, group), count) in counted {
            self.put((bucket, ours.get(&group).copied().unwrap_or(u32::MAX)), count);
        }
    }

    fn buckets(mut self) -> Vec<Bucket> {
        let counted = self.counted();
        let (step, first) = (self.ask.step_ns, self.first_bucket());
        let mut totals: HashMap<u32, u64> = HashMap::new();
        for ((_, group), count) in &counted {
            *totals.entry(*group).or_default() += count;
        }
        let mut named: Vec<(String, u32)> = self.groups.into_iter().collect();
        named.sort_by(|a, b| totals.get(&b.1).cmp(&totals.get(&a.1)).then_with(|| a.0.cmp(&b.0)));
        named.truncate(NAMED);
        let names: HashMap<u32, String> = named.into_iter().map(|(name, id)| (id, name)).collect();
        let mut out: HashMap<(i64, String), u64> = HashMap::new();
        for ((bucket, group), count) in counted {
            let name = names.get(&group).cloned().unwrap_or_else(|| OTHER.to_owned());
            let start = first.saturating_add(bucket).saturating_mul(step);
            *out.entry((start, name)).or_default() += count;
        }
        let mut buckets: Vec<Bucket> =
            out.into_iter().map(|((start_ns, group), count)| Bucket { start_ns, group, count }).collect();
        buckets.sort_by(|a, b| a.start_ns.cmp(&b.start_ns).then_with(|| a.group.cmp(&b.group)));
        buckets
    }
}
