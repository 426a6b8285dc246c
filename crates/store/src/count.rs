//! Counts on a time grid, by group.

use std::collections::HashMap;

use ph_model::ErrorKind;

use crate::contract::{Bucket, CountAsk, Error};
use crate::rows::{RowView, columns_of_field};
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
    let mut grid = Grid { ask, groups: HashMap::new(), cells: HashMap::new() };
    let mut scanned = Scanned::new(budget);
    if let Some(table) = table {
        scan::all(table, &plan, &mut scanned, &mut |keys, batch, row| {
            grid.add(keys.ts.value(row), &RowView { signal: ask.signal, batch, row });
        });
    }
    scanned.within()?;
    Ok((grid.buckets(), scanned))
}

struct Grid<'a> {
    ask: &'a CountAsk,
    groups: HashMap<String, u32>,
    cells: HashMap<(i64, u32), u64>,
}

impl Grid<'_> {
    fn add(&mut self, ts: i64, row: &RowView<'_>) {
        let start = ts.div_euclid(self.ask.step_ns).saturating_mul(self.ask.step_ns);
        let name = self.ask.by.as_deref().map_or_else(String::new, |by| row.group(by));
        let next = self.groups.len() as u32;
        let full = self.groups.len() >= TOLD_APART;
        let group = match self.groups.get(&name) {
            Some(known) => *known,
            None if full => u32::MAX,
            None => {
                self.groups.insert(name, next);
                next
            }
        };
        *self.cells.entry((start, group)).or_default() += 1;
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
