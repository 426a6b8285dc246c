//! Exemplars: which are asked for, and what is answered.

use ph_model::{Labels, Matcher, RangeMs};

#[derive(Clone, Debug)]
pub struct ExemplarsAsk {
    /// A series is asked for when all matchers of one of these accept it.
    pub selectors: Vec<Vec<Matcher>>,
    pub range: RangeMs,
    /// Most exemplars of the answer; the newest are given.
    pub limit: usize,
}

/// One exemplar of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// ns UTC.
    pub ts: i64,
    pub value: f64,
    pub trace_id: Option<[u8; 16]>,
    pub span_id: Option<[u8; 8]>,
    pub labels: Labels,
}

/// A series with its exemplars, at least one, ascending by time.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplars {
    pub series: Labels,
    pub exemplars: Vec<Exemplar>,
}

/// Ascending by label set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExemplarPage {
    pub series: Vec<SeriesExemplars>,
    /// There are older ones beyond the limit.
    pub truncated: bool,
    /// What could not be read, in words.
    pub incomplete: Vec<String>,
}
