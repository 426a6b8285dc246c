//! Stored rows behind a follower's place, in the order in which they arrived.
//!
//! One round looks at all that may hold such rows and remembers where the next ones lie; they are fetched piece by
//! piece. Files of a round stay on the disk until it is read.

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use ph_model::Signal;

use crate::contract::{Error, SearchRows};
use crate::cursor::{Arrival, Stand};
use crate::part::Part;
use crate::rows::Keys;
use crate::scan::{self, Budget, Plan, Scanned};
use crate::search::{Found, Place, fetch};
use crate::snapshot::Table;

/// Rows of one round.
const ROUND: usize = 65_536;
/// Rows that are fetched at once.
const PIECE: usize = 1_000;

/// The next rows of a follower.
pub(super) struct Round {
    signal: Signal,
    places: VecDeque<(Arrival, Place)>,
    memory: Vec<RecordBatch>,
    parts: Vec<Arc<Part>>,
    incomplete: Vec<String>,
    /// More may lie behind the last of its rows.
    pub more: bool,
}

/// A piece of a round.
pub(super) struct Piece {
    pub rows: SearchRows,
    pub upto: Arrival,
    pub incomplete: Vec<String>,
}

/// The rows of a round, the last to arrive on top.
struct Earliest {
    heap: BinaryHeap<(Arrival, Place)>,
    stand: Stand,
    upto: u64,
    more: bool,
}

impl Earliest {
    fn offer(&mut self, keys: &Keys<'_>, row: usize, place: Place) {
        let key = keys.at(row);
        if key.lsn > self.upto || !self.stand.wants(&key) {
            return;
        }
        let arrival = (key.lsn, key.row);
        if self.heap.len() >= ROUND {
            self.more = true;
            if self.heap.peek().is_some_and(|(latest, _)| arrival >= *latest) {
                return;
            }
            self.heap.pop();
        }
        self.heap.push((arrival, place));
    }
}

impl Round {
    /// Looks for rows from `stand` on up to an LSN. Errors: `Exhausted` beyond the budget, `Gone` when nobody waits.
    pub fn look(
        table: Option<&Table>,
        (plan, signal): (&Plan, Signal),
        (stand, upto): (Stand, u64),
        budget: Budget,
    ) -> Result<Self, Error> {
        let mut earliest = Earliest { heap: BinaryHeap::new(), stand, upto, more: false };
        let mut scanned = Scanned::new(budget);
        let (mut memory, mut parts) = (Vec::new(), Vec::new());
        if let Some(table) = table {
            let fresh = |last_lsn: u64, last_ts: i64| may_hold(&stand, last_lsn, last_ts);
            memory = table
                .generations
                .iter()
                .filter(|g| fresh(g.last_lsn(), g.bounds().map_or(i64::MAX, |b| b.1)))
                .flat_map(|g| g.batches())
                .collect();
            for (batch, rows) in memory.iter().enumerate() {
                scanned.rows += rows.num_rows() as u64;
                plan.run(rows, &mut |passed| {
                    let keys = Keys::of(passed.batch)?;
                    for (row, _) in passed.rows() {
                        earliest.offer(&keys, row, Place::Memory { batch, row: row as u32 });
                    }
                    Some(())
                });
            }
            parts = table
                .parts
                .iter()
                .filter(|p| plan.range.touches(p.row.first, p.row.last) && fresh(p.row.lsn, p.row.last))
                .cloned()
                .collect();
            for (number, part) in parts.iter().enumerate() {
                scan::part(part, plan, &mut scanned, &mut |passed| {
                    let keys = Keys::of(passed.batch)?;
                    for (row, place) in passed.rows() {
                        earliest.offer(&keys, row, Place::Part { part: number, row: place });
                    }
                    Some(())
                });
                scanned.within()?;
            }
        }
        Ok(Self {
            signal,
            places: earliest.heap.into_sorted_vec().into(),
            memory,
            parts,
            incomplete: scanned.incomplete,
            more: earliest.more,
        })
    }

    /// The next rows; `None` behind the last.
    pub fn piece(&mut self) -> Result<Option<Piece>, Error> {
        let next: Vec<_> = self.places.drain(..PIECE.min(self.places.len())).collect();
        let mut incomplete = std::mem::take(&mut self.incomplete);
        let Some((upto, _)) = next.last().copied() else {
            self.incomplete = incomplete;
            return Ok(None);
        };
        let places: Vec<Place> = next.into_iter().map(|(_, place)| place).collect();
        let mut scanned = Scanned::default();
        let found = Found { memory: &self.memory, parts: &self.parts };
        let rows = fetch(self.signal, &places, &found, &mut scanned)?;
        incomplete.append(&mut scanned.incomplete);
        Ok(Some(Piece { rows, upto, incomplete }))
    }

    /// What could not be read and was not told yet.
    pub fn untold(&mut self) -> Vec<String> {
        std::mem::take(&mut self.incomplete)
    }
}

/// Whether something with rows up to such an LSN and time can hold a wanted one.
fn may_hold(stand: &Stand, last_lsn: u64, last_ts: i64) -> bool {
    let old = stand.behind.is_some_and(|(behind, upto)| last_lsn <= upto && last_ts < behind.ts);
    last_lsn >= stand.after.0 && !old
}
