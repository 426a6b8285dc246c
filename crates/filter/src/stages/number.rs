//! Numbers in fields, and the order of values.

use std::cmp::Ordering;

use ph_model::Level;

use super::Value;
use crate::quantity::Quantity;

/// What a field is to a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Num {
    Absent,
    /// There is something, and it is no number.
    Not,
    Is(f64),
}

impl Num {
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            Some(Value::Count(n)) => Num::Is(*n as f64),
            Some(Value::Number(n)) => Num::Is(*n),
            Some(Value::Time(ns)) => Num::Is(*ns as f64 / 1e9),
            Some(Value::Text(_)) => Num::Not,
            Some(Value::Absent) | None => Num::Absent,
        }
    }
}

/// Where a value stands when rows are sorted: numbers, durations and sizes by what they are, then text. What is absent comes last.
#[derive(Clone, Debug)]
pub(super) enum Rank {
    Whole(i128),
    Number(f64),
    Text(String),
    Absent,
}

impl Rank {
    pub fn of(name: &str, value: &Value) -> Self {
        match value {
            Value::Absent => Rank::Absent,
            Value::Count(n) => Rank::Whole(i128::from(*n)),
            Value::Time(ns) => Rank::Whole(i128::from(*ns)),
            Value::Number(n) => Rank::Number(*n),
            Value::Text(text) if name == "level" => match Level::parse(text) {
                Some(level) => Rank::Whole(level as i128),
                None => Rank::Text(text.clone()),
            },
            Value::Text(text) => match (text.parse::<i64>(), Quantity::parse(text)) {
                (Ok(whole), _) => Rank::Whole(i128::from(whole)),
                (_, Some(q)) => Rank::Number(q.base_number()),
                (_, None) => Rank::Text(text.clone()),
            },
        }
    }

    /// What kind of value it is.
    pub fn class(&self) -> u8 {
        match self {
            Rank::Whole(_) | Rank::Number(_) => 0,
            Rank::Text(_) => 1,
            Rank::Absent => 2,
        }
    }

    /// Ascending; of values of different kinds by the kind.
    pub fn cmp(&self, other: &Rank) -> Ordering {
        let float = |rank: &Rank| match rank {
            Rank::Whole(n) => *n as f64,
            Rank::Number(n) => *n,
            Rank::Text(_) | Rank::Absent => 0.0,
        };
        match (self, other) {
            (Rank::Whole(a), Rank::Whole(b)) => a.cmp(b),
            (Rank::Text(a), Rank::Text(b)) => a.cmp(b),
            (a, b) if a.class() == b.class() => float(a).total_cmp(&float(b)),
            (a, b) => a.class().cmp(&b.class()),
        }
    }
}
