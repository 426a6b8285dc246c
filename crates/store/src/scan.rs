//! Every row of a table that a filter lets through, from memory and from parts.

mod budget;
mod plan;
mod side;

use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use ph_model::{ErrorKind, RangeNs};

use crate::contract::Error;
use crate::health::Meter;
use crate::hidden::Veil;
use crate::index::{Blocks, Need};
use crate::part::{Part, Want};
use crate::rows::{Columns, LSN, ROW, STREAM, TS};
use crate::snapshot::Table;

pub(crate) use budget::{Budget, Leave, Scanned, gone};
pub(crate) use plan::{Each, Passed, Plan};
pub(crate) use side::{Share, together};

/// Columns that, with the time, place a row in the order of answers.
pub(crate) const PLACED: [&str; 3] = [STREAM, LSN, ROW];

/// Batches in memory that can touch a range.
pub(crate) fn memory(table: &Table, range: RangeNs) -> Vec<RecordBatch> {
    let touched = table.generations.iter().filter(|g| {
        let (first, last) = g.bounds().unwrap_or((i64::MAX, i64::MIN));
        range.touches(first, last)
    });
    touched.flat_map(|g| g.batches()).collect()
}

/// Calls `each` with the rows of memory and parts that pass.
pub(crate) fn all(table: &Table, plan: &Plan, scanned: &mut Scanned, each: &mut Each<'_>) {
    let shares = table.parts.iter().map(|_| Share::ALL).collect();
    share(table, plan, &Dealt { memory: Share::ALL, parts: shares }, (scanned, each));
}

/// What one thread takes of a table.
struct Dealt<'a> {
    memory: Share<'a>,
    /// Of each part.
    parts: Vec<Share<'a>>,
}

fn share(table: &Table, plan: &Plan, dealt: &Dealt<'_>, (scanned, each): (&mut Scanned, &mut Each<'_>)) {
    let mut turns = dealt.memory.turns();
    for (_, batch) in memory(table, plan.range).iter().enumerate().filter(|(i, _)| turns.has(*i)) {
        scanned.rows += batch.num_rows() as u64;
        plan.run(batch, each);
    }
    for (one, share) in table.parts.iter().zip(&dealt.parts) {
        if !plan.range.touches(one.row.first, one.row.last) {
            continue;
        }
        if scanned.is_over(0) {
            return;
        }
        part_share(one, (plan, *share), scanned, each);
    }
}

type Make<'a, T> = dyn Fn() -> T + Sync + 'a;
type Add<'a, T> = dyn Fn(&mut T, &Passed<'_>) -> Option<()> + Sync + 'a;

/// As [`all`] on as many threads as there are [turns](crate::turns) to spare; each has a `T` of its own.
pub(crate) fn side_by_side<T: Send>(
    table: &Table,
    plan: &Plan,
    scanned: &mut Scanned,
    (make, add): (&Make<'_, T>, &Add<'_, T>),
) -> Vec<T> {
    let counter = AtomicUsize::default;
    let (memory, parts): (_, Vec<_>) = (counter(), table.parts.iter().map(|_| counter()).collect());
    together(usize::MAX, scanned, &|nth, scanned| {
        let mut mine = make();
        let parts = parts.iter().map(|next| Share::of(next, nth)).collect();
        let dealt = Dealt { memory: Share::of(&memory, nth), parts };
        share(table, plan, &dealt, (scanned, &mut |passed| add(&mut mine, passed)));
        mine
    })
}

/// Calls `each` with all batches that can touch a range, with the given columns; rows outside the range come along.
/// `None` from `each` means that a column is missing.
pub(crate) fn batches(
    table: &Table,
    (columns, range): (&Columns, RangeNs),
    scanned: &mut Scanned,
    each: &mut dyn FnMut(&RecordBatch) -> Option<()>,
) {
    let veil = Veil::over(&table.hidden, range);
    let mut columns = columns.clone();
    if !veil.is_empty() {
        columns.add(TS);
        columns.extend(PLACED);
        veil.columns(&mut columns);
    }
    for batch in memory(table, range) {
        scanned.rows += batch.num_rows() as u64;
        each(&veil.seen(batch));
    }
    for part in table.parts.iter().filter(|p| range.touches(p.row.first, p.row.last)) {
        if scanned.is_over(0) {
            return;
        }
        if let Some(why) = part.damage() {
            scanned.incomplete.push(why);
            continue;
        }
        let blocks = part.candidates(&Need::Anything, range);
        let result = blocks.and_then(|blocks| {
            let (blocks, share) = (blocks.as_ref(), Share::ALL);
            let want = Want { columns: &columns, range, blocks, pins: &[], share };
            part.scan(&want, scanned, &mut |group| {
                if each(&veil.seen(group.batch.clone())).is_some() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        if let Err(error) = result {
            scanned.incomplete.push(part.note_damage(&error));
        }
    }
}

/// Scans one part; damage is written to `scanned.incomplete` and remembered by the part.
pub(crate) fn part(part: &Arc<Part>, plan: &Plan, scanned: &mut Scanned, each: &mut Each<'_>) {
    part_share(part, (plan, Share::ALL), scanned, each);
}

/// As [`part`] on as many threads as the machine has to spare and the part is worth. `each` is called by one of them at a
/// time, in no order.
pub(crate) fn part_side_by_side(
    part: &Arc<Part>,
    plan: &Plan,
    scanned: &mut Scanned,
    each: &mut (dyn FnMut(&Passed<'_>) -> Option<()> + Send),
) {
    let Some(blocks) = candidates(part, (plan, Share::ALL), scanned) else { return };
    let next = AtomicUsize::default();
    let each = Mutex::new(each);
    together(part.groups_of(blocks.as_ref()), scanned, &|nth, scanned| {
        pick(part, (plan, Share::of(&next, nth)), (blocks.as_ref(), scanned), &mut |passed| {
            let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
            each(passed)
        });
    });
}

fn part_share(
    part: &Arc<Part>,
    (plan, share): (&Plan, Share<'_>),
    scanned: &mut Scanned,
    each: &mut Each<'_>,
) {
    if let Some(blocks) = candidates(part, (plan, share), scanned) {
        pick(part, (plan, share), (blocks.as_ref(), scanned), each);
    }
}

/// Blocks in which rows may pass, or any; `None` when there is nothing to read.
fn candidates(
    part: &Part,
    (plan, share): (&Plan, Share<'_>),
    scanned: &mut Scanned,
) -> Option<Option<Blocks>> {
    let may_hold = part.may_hold(&plan.asked);
    if share.leads {
        part.note_asked(may_hold);
    }
    if !may_hold {
        return None;
    }
    if let Some(why) = part.damage() {
        scanned.incomplete.push(why);
        return None;
    }
    let blocks = part.candidates(&plan.need, plan.range);
    blocks.map_err(|error| scanned.incomplete.push(part.note_damage(&error))).ok()
}

fn pick(
    part: &Part,
    (plan, share): (&Plan, Share<'_>),
    (blocks, scanned): (Option<&Blocks>, &mut Scanned),
    each: &mut Each<'_>,
) {
    let want = Want { columns: &plan.columns, range: plan.range, blocks, pins: &plan.pins, share };
    if let Err(error) = part.pick(plan, &want, scanned, each) {
        scanned.incomplete.push(part.note_damage(&error));
    }
}

/// Errors: `Internal` when something could not be read, for answers that have no place to say so.
pub(crate) fn complete(meter: &Meter, scanned: &Scanned) -> Result<(), Error> {
    match scanned.incomplete.first() {
        None => Ok(()),
        Some(first) => {
            meter.failed(first.clone());
            Err(Error::new(ErrorKind::Internal, format!("the count would be incomplete: {first}")))
        }
    }
}
