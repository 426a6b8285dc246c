//! What is kept of metrics when their samples are gone.

use ph_model::{Labels, Matcher, RangeMs, Rolled, SeriesKind};

/// Which windows are asked for.
#[derive(Clone, Debug)]
pub struct RolledAsk {
    pub matchers: Vec<Matcher>,
    /// Windows with some time in it.
    pub range: RangeMs,
    /// One of [`MetricsKept::rolled`].
    pub resolution_ms: i64,
    /// `Exhausted` above this many series.
    pub max_series: usize,
    /// `Exhausted` above this many windows of all series, before more are held.
    pub max_windows: usize,
}

/// One series: ascending windows, each once, none without a sample or an end of the series in it.
#[derive(Clone, Debug, PartialEq)]
pub struct RolledSeries {
    pub labels: Labels,
    pub kind: SeriesKind,
    pub unit: String,
    pub windows: Vec<Rolled>,
}

/// How far back samples and roll-ups reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsKept {
    /// Before this time samples are gone, and roll-ups are there; ms UTC. The smallest number when nothing is rolled up
    /// that is not there as samples, too.
    pub samples_from_ms: i64,
    /// Roll-ups of that older time, finest first.
    pub rolled: Vec<RolledKept>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolledKept {
    /// How wide a window is.
    pub resolution_ms: i64,
    /// ms UTC.
    pub from_ms: i64,
}
