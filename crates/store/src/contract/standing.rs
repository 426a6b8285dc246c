//! Whether samples are as they were when something was worked out from them.

use ph_model::RangeMs;

/// See [`Store::standing`](super::Store::standing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Samples in here, ms UTC, change only as `touched` tells: from the retention's border, or from where on no roll-up
    /// stands for them, up to 10 minutes ago, since younger ones arrive in the course of things.
    pub settled: RangeMs,
    /// How many changes of the organisation's samples were counted so far: `since` of a later question.
    pub changes: u64,
    /// What of the asked range changed after `since`, widened to whole hours or to all of it; `None`: nothing did.
    pub touched: Option<RangeMs>,
}
