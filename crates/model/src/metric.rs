//! Metric points as agents measure them, and series as the store keeps them.

use crate::{Attributes, Labels};

/// What a point is, in OpenTelemetry's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    Gauge,
    /// Cumulative monotonic sum.
    Counter,
    /// Cumulative sum that may fall.
    UpDown,
}

/// A number with the type it was measured in.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum NumberValue {
    Int(i64),
    Double(f64),
}

impl NumberValue {
    pub fn as_f64(self) -> f64 {
        match self {
            NumberValue::Int(i) => i as f64,
            NumberValue::Double(d) => d,
        }
    }
}

/// One measurement, before it has a resource: the reader's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Canonical name, for example `k8s.pod.cpu.time`.
    pub name: &'static str,
    /// UCUM unit, for example `By`, `s`, `{cpu}`, `1`.
    pub unit: &'static str,
    pub kind: PointKind,
    /// Attributes of the point itself (`direction`, `state` …), not of its resource.
    pub attributes: Attributes,
    /// When it was measured, ms UTC.
    pub at_ms: i64,
    /// Since when a counter counts, ms UTC.
    pub start_ms: Option<i64>,
    pub value: NumberValue,
}

/// How a series' values relate to each other. Numbers are those of the file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SeriesKind {
    #[default]
    Unknown = 0,
    Gauge = 1,
    Counter = 2,
    UpDown = 3,
    // 4 is kept for classic histogram parts, 5 for native histograms.
}

impl SeriesKind {
    pub fn from_u8(n: u8) -> Option<Self> {
        Some(match n {
            0 => Self::Unknown,
            1 => Self::Gauge,
            2 => Self::Counter,
            3 => Self::UpDown,
            _ => return None,
        })
    }
}

/// A value at a time (ms UTC). NaN payloads are kept; see [`stale_marker`].
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at_ms: i64,
    pub value: f64,
}

impl PartialEq for Sample {
    /// Bit equality of values, so that NaN equals itself and stale markers differ from NaN.
    fn eq(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms && self.value.to_bits() == other.value.to_bits()
    }
}

/// Samples of one series in one batch, in the order they were sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub kind: SeriesKind,
    /// UCUM unit; empty when unknown.
    pub unit: String,
    /// Since when a counter counts, ms UTC.
    pub start_ms: Option<i64>,
    pub samples: Vec<Sample>,
}

/// The NaN that says "this series ended here".
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

pub fn stale_marker() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

pub fn is_stale_marker(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}
