//! Work of one question on more than one processor.
//!
//! Never:  more threads than there are turns: a question beside others works alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Scanned;
use crate::turns::Spare;

/// Which pieces of something are taken: all, or those that nobody else who goes through them has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share<'a> {
    next: Option<&'a AtomicUsize>,
    /// Who speaks for all that share.
    pub leads: bool,
}

/// A walk through the pieces in the order of their numbers.
pub(crate) struct Turns<'a> {
    next: Option<&'a AtomicUsize>,
    mine: Option<usize>,
}

impl<'a> Share<'a> {
    pub const ALL: Share<'static> = Share { next: None, leads: true };

    /// Number `nth` of those that share the pieces behind one counter, which begins at 0.
    pub fn of(next: &'a AtomicUsize, nth: usize) -> Self {
        Self { next: Some(next), leads: nth == 0 }
    }

    pub fn turns(self) -> Turns<'a> {
        Turns { next: self.next, mine: None }
    }
}

impl Turns<'_> {
    /// Whether a piece is to be taken. Asked of each piece once, ascending.
    pub fn has(&mut self, number: usize) -> bool {
        let Some(next) = self.next else { return true };
        let mine = *self.mine.get_or_insert_with(|| next.fetch_add(1, Ordering::Relaxed));
        if mine == number {
            self.mine = None;
        }
        mine == number
    }
}

/// Does work on as many threads as there are [turns](crate::turns) to spare, at most `most`; each has a number, and its result is given.
/// What each damaged part lacks is told once.
pub(crate) fn together<T: Send>(
    most: usize,
    scanned: &mut Scanned,
    work: &(dyn Fn(usize, &mut Scanned) -> T + Sync),
) -> Vec<T> {
    let spare = if most > 1 { Spare::take() } else { Spare::default() };
    let beside = spare.count().min(most.saturating_sub(1));
    let one = |nth: usize, mut scanned: Scanned| (work(nth, &mut scanned), scanned);
    let found: Vec<(T, Scanned)> = std::thread::scope(|scope| {
        let one = &one;
        let others: Vec<_> = (1..=beside)
            .map(|nth| {
                let theirs = scanned.apart();
                scope.spawn(move || one(nth, theirs))
            })
            .collect();
        let mut found = vec![one(0, scanned.apart())];
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
        scanned.add(theirs);
        out.push(one);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_piece_is_taken_once() {
        let next = AtomicUsize::new(0);
        let taken = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for nth in 0..3 {
                let (next, taken) = (&next, &taken);
                scope.spawn(move || {
                    let mut turns = Share::of(next, nth).turns();
                    let mine: Vec<usize> = (0..1_000).filter(|n| turns.has(*n)).collect();
                    taken.lock().unwrap().extend(mine);
                });
            }
        });
        let mut taken = taken.into_inner().unwrap();
        taken.sort_unstable();
        assert_eq!(taken, (0..1_000).collect::<Vec<_>>());
        let mut all = Share::ALL.turns();
        assert!((0..10).all(|n| all.has(n)));
    }

    #[test]
    fn what_each_read_is_summed() {
        let mut scanned = Scanned::default();
        let numbers = together(8, &mut scanned, &|nth, scanned| {
            scanned.rows += 10;
            scanned.incomplete.push("part x is damaged".to_owned());
            nth
        });
        assert_eq!(scanned.rows, 10 * numbers.len() as u64);
        assert_eq!(scanned.incomplete.len(), 1);
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    }
}
