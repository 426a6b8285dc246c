//! What a stage is given: a record, or a row of the stage before.

use std::borrow::Cow;

use super::number::Num;
use super::{Row, Value};
use crate::Record;
use crate::quantity::{Quantity, Unit};

pub(super) enum Input<'a> {
    Line(&'a dyn Record),
    /// With the names of its cells.
    Row(&'a [String], Row),
}

impl Input<'_> {
    pub fn value(&self, name: &str) -> Value {
        match self {
            Input::Line(record) if name == "ts" => Value::Time(record.ts_ns()),
            Input::Line(_) => self.text(name).map_or(Value::Absent, |t| Value::Text(t.into_owned())),
            Input::Row(..) => self.cell(name).cloned().unwrap_or(Value::Absent),
        }
    }

    /// A field as text, without the escapes of terminals; `None` when there is none.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Input::Line(record) => match name {
                "ts" => Some(record.ts_ns().to_string().into()),
                "level" => Some(record.level().as_str().into()),
                "message" => Some(plain(String::from_utf8_lossy(record.message()))),
                other => record.field(other).map(plain),
            },
            Input::Row(..) => match self.cell(name)? {
                Value::Absent => None,
                Value::Text(text) => Some(Cow::Borrowed(text)),
                other => Some(other.to_string().into()),
            },
        }
    }

    pub fn number(&self, name: &str) -> Num {
        if let Some(Value::Count(_) | Value::Number(_) | Value::Time(_)) = self.cell(name) {
            return Num::of(self.cell(name));
        }
        match (self, name) {
            (Input::Line(record), "ts") => Num::Is(record.ts_ns() as f64 / 1e9),
            (Input::Line(record), _) => match self.text(name) {
                None => Num::Absent,
                Some(text) => match Quantity::parse(&text) {
                    None => Num::Not,
                    // A span's duration is bare nanoseconds; it is told in seconds as those with a unit are.
                    Some(q) if q.is(Unit::None) && record.unit(name) == Unit::Nanoseconds => {
                        Num::Is(q.base_number() / 1e9)
                    }
                    Some(q) => Num::Is(q.base_number()),
                },
            },
            (Input::Row(..), _) => match self.text(name) {
                None => Num::Absent,
                Some(text) => Quantity::parse(&text).map_or(Num::Not, |q| Num::Is(q.base_number())),
            },
        }
    }

    /// ns UTC.
    pub fn time(&self) -> Option<i64> {
        match self {
            Input::Line(record) => Some(record.ts_ns()),
            Input::Row(..) => match self.cell("ts")? {
                Value::Time(ns) => Some(*ns),
                _ => None,
            },
        }
    }

    fn cell(&self, name: &str) -> Option<&Value> {
        match self {
            Input::Line(_) => None,
            Input::Row(names, row) => row.get(names.iter().position(|n| n == name)?),
        }
    }
}

fn plain(text: Cow<'_, str>) -> Cow<'_, str> {
    match crate::plain(text.as_bytes()) {
        Cow::Borrowed(_) => text,
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    }
}
