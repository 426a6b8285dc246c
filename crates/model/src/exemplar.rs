//! Exemplars as rows.

use crate::Labels;

/// One measurement that stands for many in a series, mostly with the trace in which it was made.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ExemplarRow {
    /// Labels of the series, with its name.
    pub series: Labels,
    /// ns UTC.
    pub ts: i64,
    pub value: f64,
    pub trace_id: Option<[u8; 16]>,
    pub span_id: Option<[u8; 8]>,
    /// What the exemplar says beside its trace.
    pub labels: Labels,
}
