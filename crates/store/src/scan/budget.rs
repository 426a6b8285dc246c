//! What one question may read, and what it did read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ph_model::ErrorKind;

use crate::contract::Error;
use crate::turns;

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

    /// For a part of the work that is done beside this.
    pub fn apart(&self) -> Self {
        Self::new(self.budget.clone())
    }

    /// Adds what was read beside this; what each damaged part lacks is told once.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        for why in other.incomplete {
            if !self.incomplete.contains(&why) {
                self.incomplete.push(why);
            }
        }
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
