//! Every row of a table that a filter lets through, from memory and from parts.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use ph_filter::{Compiled, Filter, Raw, Sieve};
use ph_model::{ErrorKind, RangeNs, Signal};

use crate::contract::Error;
use crate::health::Meter;
use crate::hidden::Veil;
use crate::index::Need;
use crate::part::{Asked, Part, Pin, Want};
use crate::rows::{Columns, Keys, LSN, Messages, ROW, RowView, STREAM, TS, columns_for};
use crate::snapshot::Table;
use crate::turns::{self, Spare};

/// A filter over a time range, ready to run.
pub(crate) struct Plan {
    pub signal: Signal,
    pub filter: Compiled,
    pub range: RangeNs,
    /// Columns that are read of each row.
    pub columns: Columns,
    /// What indexes are asked.
    pub need: Need,
    /// What summaries of parts are asked.
    asked: Asked,
    /// What pages of attributes are asked.
    pins: Vec<Pin>,
    /// What must not be seen.
    veil: Veil,
    /// Finds the rows that may pass in many messages at once.
    sieve: Option<Sieve>,
}

/// Every so manieth of the pieces that a scan goes through: threads that scan side by side divide them like this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    nth: usize,
    of: usize,
}

impl Share {
    pub const ALL: Share = Share { nth: 0, of: 1 };

    pub fn has(self, number: usize) -> bool {
        number % self.of == self.nth
    }
}

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
        let mut columns = Columns::from([TS, STREAM, LSN, ROW]);
        columns_for(signal, filter, &mut columns);
        let need = Need::of(signal, filter);
        let range = narrow(range, filter);
        // Fields lie in columns and attributes, too; the message alone is searched.
        let sieve = compiled.plan(&|name| !name.starts_with("body.")).literals;
        let sieve = sieve.and_then(|literals| literals.sieve(Raw::Plain));
        let veil = Veil::over(table.map(|t| t.hidden.as_slice()).unwrap_or_default(), range);
        veil.columns(&mut columns);
        let asked = Asked::new(signal, filter);
        let pins = Pin::all(signal, filter);
        Ok(Self { signal, filter: compiled, range, columns, need, asked, pins, veil, sieve })
    }

    /// Calls `each` with every row of a batch that is in the range and passes.
    pub fn run(&self, batch: &RecordBatch, each: &mut dyn FnMut(&Keys<'_>, usize)) -> Option<()> {
        let keys = Keys::of(batch)?;
        let mut give = |row: usize, decided: bool| {
            if self.range.contains(keys.ts.value(row)) {
                let view = RowView { signal: self.signal, batch, row };
                let passes = decided || self.filter.is_all() || self.filter.matches(&view);
                if passes && !self.veil.hides(keys.ts.value(row), batch, row) {
                    each(&keys, row);
                }
            }
        };
        match self.sieve.as_ref().zip(Messages::of(self.signal, batch)) {
            Some((sieve, messages)) => messages.sift(sieve, &mut give),
            None => (0..batch.num_rows()).for_each(|row| give(row, false)),
        }
        Some(())
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

/// What one question may read. `None`: as much as it needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    pub leave: Leave,
}

/// Whether nobody waits for an answer any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leave(Arc<AtomicBool>);

/// Tells it when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Leave);

impl Leave {
    pub fn unless_waited_for(&self) -> Waiting {
        Waiting(self.clone())
    }

    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// What work ends with that nobody waits for.
pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Gone, "nobody waits for the answer any more")
}

/// What a scan touched.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub rows: u64,
    pub bytes: u64,
    pub incomplete: Vec<String>,
    budget: Budget,
}

impl Scanned {
    pub fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Whether more was read than may be, `reading` bytes of a file that is being read included.
    pub fn is_over(&self, reading: u64) -> bool {
        // Asked between the pieces of a scan.
        turns::pass();
        self.budget.leave.is_told()
            || self.budget.rows.is_some_and(|most| self.rows > most)
            || self.budget.bytes.is_some_and(|most| self.bytes + reading > most)
    }

    /// Errors: `Gone` when nobody waits any more, `Exhausted`, with the limit named, when the question was ended because it read too much.
    pub fn within(&self) -> Result<(), Error> {
        if self.budget.leave.is_told() {
            return Err(gone());
        }
        let next = "ask for less time or with a narrower filter, or have it raised";
        let what = match (self.budget.rows, self.budget.bytes) {
            (Some(most), _) if self.rows > most => {
                format!("query_rows: the question has to look at more than {most} rows; {next}")
            }
            (_, Some(most)) if self.bytes > most => {
                format!("query_bytes: the question has to read more than {most} bytes; {next}")
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Exhausted, what))
    }
}

/// Batches in memory that can touch a range.
pub(crate) fn memory(table: &Table, range: RangeNs) -> Vec<RecordBatch> {
    let touched = table.generations.iter().filter(|g| {
        let (first, last) = g.bounds().unwrap_or((i64::MAX, i64::MIN));
        range.touches(first, last)
    });
    touched.flat_map(|g| g.batches()).collect()
}

/// Calls `each` with every row of memory and parts that passes.
pub(crate) fn all(
    table: &Table,
    plan: &Plan,
    scanned: &mut Scanned,
    each: &mut dyn FnMut(&Keys<'_>, &RecordBatch, usize),
) {
    share(table, plan, (Share::ALL, scanned), each);
}

fn share(
    table: &Table,
    plan: &Plan,
    (share, scanned): (Share, &mut Scanned),
    each: &mut dyn FnMut(&Keys<'_>, &RecordBatch, usize),
) {
    for (_, batch) in memory(table, plan.range).into_iter().enumerate().filter(|(i, _)| share.has(*i)) {
        scanned.rows += batch.num_rows() as u64;
        plan.run(&batch, &mut |keys, row| each(keys, &batch, row));
    }
    for one in table.parts.iter().filter(|p| plan.range.touches(p.row.first, p.row.last)) {
        if scanned.is_over(0) {
            return;
        }
        part_share(one, (plan, share), scanned, &mut |keys, batch, row, _| each(keys, batch, row));
    }
}

type Make<'a, T> = dyn Fn() -> T + Sync + 'a;
type Each<'a, T> = dyn Fn(&mut T, &Keys<'_>, &RecordBatch, usize) + Sync + 'a;

/// As [`all`] on as many threads as there are [turns](crate::turns) to spare; each has a `T` of its own. What each damaged part lacks is told once.
pub(crate) fn side_by_side<T: Send>(
    table: &Table,
    plan: &Plan,
    scanned: &mut Scanned,
    (make, each): (&Make<'_, T>, &Each<'_, T>),
) -> Vec<T> {
    let spare = Spare::take();
    let of = spare.count() + 1;
    let budget = scanned.budget.clone();
    let work = |nth: usize| {
        let (mut mine, mut scanned) = (make(), Scanned::new(budget.clone()));
        share(table, plan, (Share { nth, of }, &mut scanned), &mut |keys, batch, row| {
            each(&mut mine, keys, batch, row);
        });
        (mine, scanned)
    };
    let found: Vec<(T, Scanned)> = std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = (1..of).map(|nth| scope.spawn(move || work(nth))).collect();
        let mut found = vec![work(0)];
        for other in others {
            match other.join() {
                Ok(one) => found.push(one),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    });
    let mut out = Vec::with_capacity(found.len());
    for (one, theirs) in found {
        scanned.rows += theirs.rows;
        scanned.bytes += theirs.bytes;
        for why in theirs.incomplete {
            if !scanned.incomplete.contains(&why) {
                scanned.incomplete.push(why);
            }
        }
        out.push(one);
    }
    out
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
        columns.extend([TS, STREAM, LSN, ROW]);
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
pub(crate) fn part(
    part: &Arc<Part>,
    plan: &Plan,
    scanned: &mut Scanned,
    each: &mut dyn FnMut(&Keys<'_>, &RecordBatch, usize, u64),
) {
    part_share(part, (plan, Share::ALL), scanned, each);
}

fn part_share(
    part: &Arc<Part>,
    (plan, share): (&Plan, Share),
    scanned: &mut Scanned,
    each: &mut dyn FnMut(&Keys<'_>, &RecordBatch, usize, u64),
) {
    let may_hold = part.may_hold(&plan.asked);
    if share.nth == 0 {
        part.note_asked(may_hold);
    }
    if !may_hold {
        return;
    }
    if let Some(why) = part.damage() {
        scanned.incomplete.push(why);
        return;
    }
    let result = part.candidates(&plan.need, plan.range).and_then(|blocks| {
        let Plan { columns, range, pins, .. } = plan;
        let want = Want { columns, range: *range, blocks: blocks.as_ref(), pins, share };
        part.scan(&want, scanned, &mut |group| {
            let seen = plan.run(group.batch, &mut |keys, row| {
                each(keys, group.batch, row, group.first_row + row as u64);
            });
            if seen.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    });
    if let Err(error) = result {
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
