//! Counts on a time grid, by group.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use ph_model::ErrorKind;

use crate::contract::{Bucket, CountAsk, Error};
use crate::rows::{Keys, RowView, columns_of_field};
use crate::scan::{self, Budget, Plan, Scanned};
use crate::snapshot::Table;

/// Groups that are named in an answer; the rest is summed as [`OTHER`].
const NAMED: usize = 1_000;
/// Groups that are told apart while counting.
const TOLD_APART: usize = 100_000;
/// Name of the rest.
const OTHER: &str = "other";
/// Most buckets of a grid.
const MAX_BUCKETS: i64 = 11_000;

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
        let add = |grid: &mut Grid<'_>, keys: &Keys<'_>, batch: &RecordBatch, row: usize| {
            grid.add(keys.ts.value(row), &RowView { signal: ask.signal, batch, row });
        };
        for found in scan::side_by_side(table, &plan, &mut scanned, (&|| Grid::new(ask), &add)) {
            grid.merge(found);
        }
    }
    scanned.within()?;
    grid.settle();
    Ok((grid.buckets(), scanned))
}

struct Grid<'a> {
    ask: &'a CountAsk,
    groups: HashMap<String, u32>,
    cells: HashMap<(i64, u32), u64>,
    /// The cell of the rows that were added last, and how many of them are not in `cells` yet.
    run: ((i64, u32), u64),
    /// Group of the row that was added last.
    last: Option<(String, u32)>,
}

impl<'a> Grid<'a> {
    fn new(ask: &'a CountAsk) -> Self {
        Self { ask, groups: HashMap::new(), cells: HashMap::new(), run: ((0, 0), 0), last: None }
    }

    fn add(&mut self, ts: i64, row: &RowView<'_>) {
        let start = ts.div_euclid(self.ask.step_ns).saturating_mul(self.ask.step_ns);
        let name = self.ask.by.as_deref().map_or_else(String::new, |by| row.group(by));
        let group = match &self.last {
            Some((last, group)) if *last == name => *group,
            _ => {
                let group = self.group(name.clone());
                self.last = Some((name, group));
                group
            }
        };
        let cell = (start, group);
        if cell != self.run.0 {
            self.settle();
            self.run.0 = cell;
        }
        self.run.1 += 1;
    }

    /// Rows that follow each other often belong together.
    fn settle(&mut self) {
        let (cell, count) = std::mem::take(&mut self.run);
        if count > 0 {
            *self.cells.entry(cell).or_default() += count;
        }
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
        other.settle();
        let named = std::mem::take(&mut other.groups);
        let ours: HashMap<u32, u32> = named.into_iter().map(|(name, id)| (id, self.group(name))).collect();
        for ((start, group), count) in other.cells {
            let group = ours.get(&group).copied().unwrap_or(u32::MAX);
            *self.cells.entry((start, group)).or_default() += count;
        }
    }

    fn buckets(self) -> Vec<Bucket> {
        let mut totals: HashMap<u32, u64> = HashMap::new();
        for ((_, group), count) in &self.cells {
            *totals.entry(*group).or_default() += count;
        }
        let mut named: Vec<(String, u32)> = self.groups.into_iter().collect();
        named.sort_by(|a, b| totals.get(&b.1).cmp(&totals.get(&a.1)).then_with(|| a.0.cmp(&b.0)));
        named.truncate(NAMED);
        let names: HashMap<u32, String> = named.into_iter().map(|(name, id)| (id, name)).collect();
        let mut out: HashMap<(i64, String), u64> = HashMap::new();
        for ((start, group), count) in self.cells {
            let name = names.get(&group).cloned().unwrap_or_else(|| OTHER.to_owned());
            *out.entry((start, name)).or_default() += count;
        }
        let mut buckets: Vec<Bucket> =
            out.into_iter().map(|((start_ns, group), count)| Bucket { start_ns, group, count }).collect();
        buckets.sort_by(|a, b| a.start_ns.cmp(&b.start_ns).then_with(|| a.group.cmp(&b.group)));
        buckets
    }
}
