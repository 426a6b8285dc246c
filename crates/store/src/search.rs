//! Pages of rows in the order `(ts, stream, lsn, row)`.
//!
//! First only keys and the columns that the filter needs are read, newest (or oldest) parts first, until no unread
//! part can hold a row of the page. Then the page's rows are fetched whole.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, take_record_batch};
use ph_model::{ErrorKind, RangeNs, Signal};

use crate::contract::{Error, Order, SearchAsk, SearchPage, SearchRows};
use crate::cursor::{self, Stand, place_text};
use crate::part::Part;
use crate::rows::{Key, Keys, rows_of, stored_schema};
use crate::scan::{self, Budget, Passed, Plan, Scanned};
use crate::snapshot::Table;

/// Most rows of one page.
pub const MAX_PAGE: usize = 10_000;

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Memory { batch: usize, row: u32 },
    Part { part: usize, row: u64 },
}

/// A row in the order of the ask: smaller comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ranked {
    Up(Key),
    Down(std::cmp::Reverse<Key>),
}

impl Ranked {
    fn new(key: Key, order: Order) -> Self {
        match order {
            Order::Ascending => Ranked::Up(key),
            Order::Descending => Ranked::Down(std::cmp::Reverse(key)),
        }
    }

    fn key(&self) -> Key {
        match self {
            Ranked::Up(key) | Ranked::Down(std::cmp::Reverse(key)) => *key,
        }
    }
}

/// The best rows so far; the worst of them on top.
struct Best {
    heap: BinaryHeap<(Ranked, Place)>,
    /// One more than the page, so that it is known whether another follows.
    keep: usize,
    order: Order,
    after: Option<Ranked>,
    /// Newer rows are not in this search.
    pin: u64,
}

impl Best {
    /// Rows that pass; `place` says where a row of the batch lies. `None` when a column is missing.
    fn offer_all(&mut self, passed: &Passed<'_>, place: &dyn Fn(usize, u64) -> Place) -> Option<()> {
        let keys = Keys::of(passed.batch)?;
        passed.rows().for_each(|(row, at)| self.offer(keys.at(row), place(row, at)));
        Some(())
    }

    fn offer(&mut self, key: Key, place: Place) {
        if key.lsn > self.pin {
            return;
        }
        let ranked = Ranked::new(key, self.order);
        if self.after.is_some_and(|after| ranked <= after) {
            return;
        }
        if self.heap.len() >= self.keep && self.heap.peek().is_some_and(|(worst, _)| ranked >= *worst) {
            return;
        }
        self.heap.push((ranked, place));
        if self.heap.len() > self.keep {
            self.heap.pop();
        }
    }

    /// Whether no row with times in `[first, last]` can still be among the best.
    fn closed_to(&self, first: i64, last: i64) -> bool {
        let Some((worst, _)) = self.heap.peek().filter(|_| self.heap.len() >= self.keep) else {
            return false;
        };
        match self.order {
            Order::Ascending => first > worst.key().ts,
            Order::Descending => last < worst.key().ts,
        }
    }
}

/// Between all rows from a time on and those before it.
fn border(at: i64, order: Order) -> Key {
    match order {
        Order::Ascending => Key { ts: at.saturating_sub(1), stream: u128::MAX, lsn: u64::MAX, row: u32::MAX },
        Order::Descending => Key { ts: at, stream: 0, lsn: 0, row: 0 },
    }
}

/// One page of what had arrived at the first page; `reached` is the LSN up to which everything is visible now. Errors:
/// `Invalid` for the ask itself, `Exhausted` beyond the budget; damage is told in the page.
pub(crate) fn search(
    table: Option<&Table>,
    ask: &SearchAsk,
    (budget, reached): (Budget, u64),
) -> Result<SearchPage, Error> {
    if ask.limit == 0 || ask.limit > MAX_PAGE {
        let what =
            format!("limit {} is not between 1 and {MAX_PAGE}; ask for less and follow `next`", ask.limit);
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let from = ask.cursor.as_deref().map(cursor::place).transpose()?;
    let pin = from.and_then(|place| place.pin).map_or(reached, |(pin, _)| pin);
    let range = match (from.map(|place| place.key), ask.order) {
        (None, _) => ask.range,
        (Some(key), Order::Ascending) => RangeNs::new(ask.range.from.max(key.ts), ask.range.to),
        (Some(key), Order::Descending) => {
            RangeNs::new(ask.range.from, ask.range.to.min(key.ts.saturating_add(1)))
        }
    };
    let mut plan = Plan::new(table, ask.signal, &ask.filter, range)?;
    plan.columns.extend(scan::PLACED);
    let after = from.map(|place| Ranked::new(place.key, ask.order));
    let mut best = Best { heap: BinaryHeap::new(), keep: ask.limit + 1, order: ask.order, after, pin };
    let mut scanned = Scanned::new(budget);
    let Some(table) = table else {
        return page((ask, pin), Vec::new(), &Found { memory: &[], parts: &[] }, scanned);
    };
    let memory = scan::memory(table, plan.range);
    for (number, batch) in memory.iter().enumerate() {
        scanned.rows += batch.num_rows() as u64;
        scanned.bytes += batch.get_array_memory_size() as u64;
        plan.run(batch, &mut |passed| {
            best.offer_all(passed, &|row, _| Place::Memory { batch: number, row: row as u32 })
        });
    }
    let mut parts: Vec<Arc<Part>> =
        table.parts.iter().filter(|p| plan.range.touches(p.row.first, p.row.last)).cloned().collect();
    match ask.order {
        Order::Ascending => parts.sort_by_key(|p| p.row.first),
        Order::Descending => parts.sort_by_key(|p| std::cmp::Reverse(p.row.last)),
    }
    let ends_at = ask.within.and_then(|within| Instant::now().checked_add(within));
    let mut reached = None;
    for (number, part) in parts.iter().enumerate() {
        if best.closed_to(part.row.first, part.row.last) {
            break;
        }
        scanned.within()?;
        if number > 0 && ends_at.is_some_and(|at| Instant::now() >= at) {
            let (border, further) = match ask.order {
                Order::Ascending => (part.row.first, part.row.first > plan.range.from.saturating_add(1)),
                Order::Descending => {
                    let border = part.row.last.saturating_add(1);
                    (border, border < plan.range.to.saturating_sub(1))
                }
            };
            // Each page has to come further than the one before.
            if further {
                reached = Some(border);
                break;
            }
        }
        scan::part_side_by_side(part, &plan, &mut scanned, &mut |passed| {
            best.offer_all(passed, &|_, row| Place::Part { part: number, row })
        });
    }
    scanned.within()?;
    let mut chosen = best.heap.into_sorted_vec();
    if let Some(border) = reached {
        // Beyond it rows may lie between these.
        chosen.retain(|(ranked, _)| match ask.order {
            Order::Ascending => ranked.key().ts < border,
            Order::Descending => ranked.key().ts >= border,
        });
        reached = reached.filter(|_| chosen.len() <= ask.limit);
    }
    let found = page((ask, pin), chosen, &Found { memory: &memory, parts: &parts }, scanned)?;
    let further = || reached.map(|at| place_text(&border(at, ask.order), (pin, ask.order)));
    Ok(SearchPage { next: found.next.or_else(further), reached, ..found })
}

/// What places of rows refer to.
pub(crate) struct Found<'a> {
    pub memory: &'a [RecordBatch],
    pub parts: &'a [Arc<Part>],
}

fn page(
    (ask, pin): (&SearchAsk, u64),
    mut chosen: Vec<(Ranked, Place)>,
    found: &Found<'_>,
    mut scanned: Scanned,
) -> Result<SearchPage, Error> {
    let more = chosen.len() > ask.limit;
    chosen.truncate(ask.limit);
    let next = chosen.last().filter(|_| more).map(|(ranked, _)| place_text(&ranked.key(), (pin, ask.order)));
    let places: Vec<Place> = chosen.iter().map(|(_, place)| *place).collect();
    let rows = fetch(ask.signal, &places, found, &mut scanned)?;
    Ok(SearchPage {
        rows,
        next,
        tail: Stand::behind_all(pin).to_text(),
        reached: None,
        scanned_rows: scanned.rows,
        scanned_bytes: scanned.bytes,
        incomplete: scanned.incomplete,
    })
}

/// The whole rows, in the order of their places; what cannot be read is told in `scanned` and left out.
pub(crate) fn fetch(
    signal: Signal,
    chosen: &[Place],
    found: &Found<'_>,
    scanned: &mut Scanned,
) -> Result<SearchRows, Error> {
    let defect = |e: arrow::error::ArrowError| Error::new(ErrorKind::Internal, format!("gather rows: {e}"));
    let mut by_place: Vec<(Place, u32)> =
        chosen.iter().enumerate().map(|(n, place)| (*place, n as u32)).collect();
    by_place.sort_unstable();
    let mut pieces = Vec::new();
    let mut positions: Vec<u32> = Vec::with_capacity(chosen.len());
    let same = |a: &(Place, u32), b: &(Place, u32)| match (a.0, b.0) {
        (Place::Memory { batch: a, .. }, Place::Memory { batch: b, .. }) => a == b,
        (Place::Part { part: a, .. }, Place::Part { part: b, .. }) => a == b,
        _ => false,
    };
    for run in by_place.chunk_by(same) {
        let piece = match run.first().map(|(place, _)| *place) {
            Some(Place::Memory { batch, .. }) => found.memory.get(batch).map(|all| {
                let rows = run.iter().filter_map(|(p, _)| match p {
                    Place::Memory { row, .. } => Some(*row),
                    Place::Part { .. } => None,
                });
                take_record_batch(all, &arrow::array::UInt32Array::from_iter_values(rows)).map_err(defect)
            }),
            Some(Place::Part { part, .. }) => found.parts.get(part).map(|part| {
                let rows = run.iter().filter_map(|(p, _)| match p {
                    Place::Part { row, .. } => Some(*row),
                    Place::Memory { .. } => None,
                });
                part.fetch(&rows.collect::<Vec<u64>>(), scanned)
            }),
            None => None,
        };
        match piece {
            Some(Ok(batch)) => {
                pieces.push(batch);
                positions.extend(run.iter().map(|(_, n)| *n));
            }
            Some(Err(error)) => scanned.incomplete.push(error.text),
            None => {}
        }
    }
    let all = concat_batches(&stored_schema(signal), &pieces).map_err(defect)?;
    // `positions[i]` is the place in the page of row i; its inverse puts the rows in order.
    let mut order: Vec<u32> = (0..positions.len() as u32).collect();
    order.sort_unstable_by_key(|i| positions.get(*i as usize).copied());
    let ordered = take_record_batch(&all, &arrow::array::UInt32Array::from(order)).map_err(defect)?;
    Ok(rows_of(signal, &ordered))
}
