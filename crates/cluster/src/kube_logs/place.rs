//! A line's place as one number, so that it fits where a place in a file would stand.
//!
//! In:     a line's time, and its number among the lines of that very time.
//! Out:    numbers that grow along a run of a container; the number after a line's own is the place behind it.
//! Bound:  times from 1970 to 2042; others stand at the edge. Two lines share a number only where eight lines of one nanosecond
//!         are followed by another in the next nanosecond, which no runtime's clock does.

/// Numbers of one nanosecond.
const STEP: u64 = 8;

/// Where a line stands in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place(pub u64);

impl Place {
    pub fn of(ts_ns: i64, ordinal: u32) -> Self {
        let ns = u64::try_from(ts_ns).unwrap_or(0);
        Self(ns.saturating_mul(STEP).saturating_add(u64::from(ordinal)))
    }

    /// The place behind a line at this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// A time that is not behind the line's, and at most as many nanoseconds before it as the line's number among its equals.
    pub fn not_after_ns(self, ordinals: u64) -> i64 {
        i64::try_from(self.0.saturating_sub(ordinals) / STEP).unwrap_or(i64::MAX)
    }
}

/// Where a reading goes on in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub run: u32,
    pub place: Place,
    /// What the line right before it must be, by its [`check`]: when it is not there, lines between may be missing.
    pub behind: Option<u32>,
}

/// What is remembered of a line's content; never 0.
pub fn check(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_grow_with_time_and_number() {
        let at = 1_795_255_200_000_000_000;
        let line = Place::of(at, 0);
        assert!(line < Place::of(at, 1) && Place::of(at, 7) < Place::of(at + 1, 0));
        assert_eq!(line.next(), Place::of(at, 1));
        assert!(Place::of(at, 3_000) > Place::of(at, 2_999));
        assert_eq!(Place::of(at, 5).not_after_ns(0), at);
        let crowded = Place::of(at, 3_000).not_after_ns(1 << 20);
        assert!(crowded <= at && crowded > at - 1_000_000);
        assert_eq!(Place::of(-5, 0), Place(0));
        assert!(Place::of(i64::MAX, 9).next().0 >= Place::of(i64::MAX, 0).0);
    }
}
