//! Metrics by name: what their series are, and when they were last seen.

use std::collections::BTreeMap;

use ph_model::SeriesKind;

use crate::{Block, Error, Head};

/// The series of one name taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: String,
    /// The first known one of its series.
    pub kind: SeriesKind,
    /// UCUM unit; empty when no series has one.
    pub unit: String,
    /// ms UTC of the newest sample.
    pub last_ms: i64,
}

/// Metrics while their series come in any order.
#[derive(Default)]
pub(crate) struct Metrics(BTreeMap<String, Metric>);

impl Metrics {
    pub fn note(&mut self, name: &str, kind: SeriesKind, unit: &str, last_ms: i64) {
        match self.0.get_mut(name) {
            Some(known) => {
                known.last_ms = known.last_ms.max(last_ms);
                if known.kind == SeriesKind::Unknown {
                    known.kind = kind;
                }
                if known.unit.is_empty() {
                    unit.clone_into(&mut known.unit);
                }
            }
            None => {
                let metric = Metric { name: name.to_owned(), kind, unit: unit.to_owned(), last_ms };
                self.0.insert(name.to_owned(), metric);
            }
        }
    }

    fn list(self) -> Vec<Metric> {
        self.0.into_values().collect()
    }
}

impl Head {
    /// All metrics of series with samples, ascending by name. Walks over all series.
    pub fn metrics(&self) -> Vec<Metric> {
        let mut out = Metrics::default();
        self.each_metric(&mut out);
        out.list()
    }
}

impl Block {
    /// All metrics, ascending by name. Reads the whole series table. Errors: those of reading.
    pub fn metrics(&self) -> Result<Vec<Metric>, Error> {
        let mut out = Metrics::default();
        self.each_metric(&mut out)?;
        Ok(out.list())
    }
}
