//! What is deleted.

use ph_filter::Filter;
use ph_model::{Matcher, RangeMs, RangeNs, Signal};

/// Rows or samples that nobody shall see any more.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteAsk {
    /// Rows of a signal that pass the filter. The range ends at the present at the latest.
    Rows { signal: Signal, filter: Filter, range: RangeNs },
    /// Samples of series that all matchers accept. The range ends at the present at the latest.
    Samples { matchers: Vec<Matcher>, range: RangeMs },
}

/// A deletion that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Deletion {
    /// Grows from deletion to deletion.
    pub seq: i64,
    pub ask: DeleteAsk,
    /// ms UTC.
    pub made_ms: i64,
}
