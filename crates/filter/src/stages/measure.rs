//! Figures of one group: counts, sums, extremes, quantiles, distinct values.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::input::Input;
use super::number::Num;
use super::sketch::Sketch;
use super::{Table, Value};
use crate::query::{Function, Measure};

/// Values that are told apart over all groups and figures.
const MOST_DISTINCT: usize = 200_000;
/// Numbers that are kept as they are over all groups and figures.
const MOST_KEPT: usize = 200_000;

/// What all groups share.
#[derive(Debug)]
pub(super) struct Room {
    distinct: usize,
    kept: usize,
    /// By figure: values that are no numbers.
    strange: Vec<u64>,
}

impl Room {
    pub fn new(measures: &[Measure]) -> Self {
        Self { distinct: MOST_DISTINCT, kept: MOST_KEPT, strange: vec![0; measures.len()] }
    }

    /// Says what the figures do not hold.
    pub fn tell(&self, measures: &[Measure], table: &mut Table) {
        for (measure, n) in measures.iter().zip(&self.strange).filter(|(_, n)| **n > 0) {
            let text = format!("{}: {n} values are no numbers and are left out", shown(measure));
            table.remarks.push(text);
        }
    }
}

/// A figure's name where none was given: `p95(took)`.
pub(super) fn shown(measure: &Measure) -> String {
    match (&measure.name, &measure.field) {
        (Some(name), _) => name.clone(),
        (None, Some(field)) => format!("{}({field})", measure.function.as_str()),
        (None, None) => measure.function.as_str().to_owned(),
    }
}

/// One figure on its way.
#[derive(Debug)]
pub(super) enum Sum {
    Count(u64),
    Total {
        sum: f64,
        count: u64,
    },
    Avg {
        sum: f64,
        count: u64,
    },
    Least(Option<f64>),
    Most(Option<f64>),
    /// Of `ts`, ns UTC.
    First(Option<i64>),
    Last(Option<i64>),
    Quantile {
        part: f64,
        of: Sketch,
    },
    Distinct {
        seen: HashSet<u64>,
        more: bool,
    },
}

impl Sum {
    pub fn new(measure: &Measure) -> Self {
        let of_time = measure.field.as_deref() == Some("ts");
        let quantile = |part| Sum::Quantile { part, of: Sketch::default() };
        match measure.function {
            Function::Count => Sum::Count(0),
            Function::Sum => Sum::Total { sum: 0.0, count: 0 },
            Function::Avg => Sum::Avg { sum: 0.0, count: 0 },
            Function::Min if of_time => Sum::First(None),
            Function::Max if of_time => Sum::Last(None),
            Function::Min => Sum::Least(None),
            Function::Max => Sum::Most(None),
            Function::P50 => quantile(0.5),
            Function::P90 => quantile(0.9),
            Function::P95 => quantile(0.95),
            Function::P99 => quantile(0.99),
            Function::Distinct => Sum::Distinct { seen: HashSet::new(), more: false },
        }
    }

    /// Takes one record's part; `at` is which of the figures it is.
    pub fn add(&mut self, (at, measure): (usize, &Measure), input: &Input<'_>, room: &mut Room) {
        let Some(field) = &measure.field else {
            if let Sum::Count(n) = self {
                *n += 1;
            }
            return;
        };
        match self {
            Sum::Count(n) => *n += u64::from(input.text(field).is_some()),
            Sum::First(best) => *best = earlier(*best, input.time()),
            // Nothing is less than any time.
            Sum::Last(best) => *best = (*best).max(input.time()),
            Sum::Distinct { seen, more } => {
                let Some(text) = input.text(field) else { return };
                let mut hash = DefaultHasher::new();
                text.hash(&mut hash);
                let hash = hash.finish();
                if room.distinct == 0 && !seen.contains(&hash) {
                    *more = true;
                } else if seen.insert(hash) {
                    room.distinct -= 1;
                }
            }
            numeric => match input.number(field) {
                Num::Absent => {}
                Num::Not => {
                    if let Some(n) = room.strange.get_mut(at) {
                        *n += 1;
                    }
                }
                Num::Is(value) => numeric.number(value, &mut room.kept),
            },
        }
    }

    fn number(&mut self, value: f64, room: &mut usize) {
        match self {
            Sum::Total { sum, count } | Sum::Avg { sum, count } => {
                *sum += value;
                *count += 1;
            }
            Sum::Least(best) => *best = Some(best.map_or(value, |b| b.min(value))),
            Sum::Most(best) => *best = Some(best.map_or(value, |b| b.max(value))),
            Sum::Quantile { of, .. } => of.add(value, room),
            Sum::Count(_) | Sum::First(_) | Sum::Last(_) | Sum::Distinct { .. } => {}
        }
    }

    pub fn value(&self) -> Value {
        let number = |n: Option<f64>| n.map_or(Value::Absent, Value::Number);
        let time = |ns: Option<i64>| ns.map_or(Value::Absent, Value::Time);
        match self {
            Sum::Count(n) => Value::Count(*n),
            Sum::Total { sum, count } => number((*count > 0).then_some(*sum)),
            Sum::Avg { sum, count } => number((*count > 0).then(|| sum / *count as f64)),
            Sum::Least(best) | Sum::Most(best) => number(*best),
            Sum::First(best) | Sum::Last(best) => time(*best),
            Sum::Quantile { part, of } => number(of.quantile(*part)),
            Sum::Distinct { seen, .. } => Value::Count(seen.len() as u64),
        }
    }

    /// In what way the figure is only near.
    pub fn near(&self) -> Option<&'static str> {
        match self {
            Sum::Quantile { of, .. } if !of.is_exact() => Some("is within one hundredth of the value"),
            Sum::Distinct { more: true, .. } => {
                Some("is at least so many: there are more values than are told apart")
            }
            _ => None,
        }
    }
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
