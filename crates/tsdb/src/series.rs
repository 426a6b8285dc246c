//! What selections and label look-ups give back.

use ph_model::{Labels, Sample, SeriesKind};

/// From `from_ms` on (a sample's time, ms UTC) the series counted since `start_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartRun {
    pub from_ms: i64,
    pub start_ms: i64,
}

/// One series with the samples of a range: strictly ascending times, no duplicates, float bits as they came.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSamples {
    pub labels: Labels,
    pub kind: SeriesKind,
    /// UCUM unit; empty when unknown.
    pub unit: String,
    /// Kind or unit were not the same wherever samples of it lie; those that were known first stand here.
    pub disputed: bool,
    /// Ascending by `from_ms`; may reach beyond the selected range.
    pub starts: Vec<StartRun>,
    pub samples: Vec<Sample>,
}

/// A sorted list without repeats, cut at a limit that the caller gave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Whether more items exist than the limit let through.
    pub truncated: bool,
}

impl<T: Ord> Listing<T> {
    /// Sorts, drops repeats, cuts at `limit`.
    pub fn cut(mut items: Vec<T>, limit: usize) -> Self {
        items.sort_unstable();
        items.dedup();
        let truncated = items.len() > limit;
        items.truncate(limit);
        Self { items, truncated }
    }
}
