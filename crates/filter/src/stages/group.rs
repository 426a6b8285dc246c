//! `count`, `rate` and `stats`: figures by group and step of time.
//!
//! Bound:  [`MOST_GROUPS`] groups. What is of a further one is counted, and told.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::input::Input;
use super::measure::{Room, Sum};
use super::{MOST_GROUPS, MOST_KEY, Row, Seen, Table, Value};
use crate::query::Measure;

/// ns.
const SECOND: f64 = 1e9;

/// What is told of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Count,
    /// Lines a second: over a step, else over the range, whose open ends are those of the lines.
    Rate {
        from_ns: Option<i64>,
        to_ns: Option<i64>,
    },
    Stats,
}

/// Begin of the step (0 without), and the values that it is grouped by.
type Key = (i64, Vec<Option<String>>);

#[derive(Debug)]
pub(super) struct Groups {
    pub what: What,
    pub by: Vec<String>,
    pub step_ns: Option<i64>,
    pub measures: Vec<Measure>,
    /// Of its rows.
    pub columns: Vec<String>,
    groups: HashMap<Key, Vec<Sum>>,
    room: Room,
    /// Records in no row.
    left_out: u64,
    /// Values that are told by their beginning.
    cut: bool,
    near: Vec<(usize, &'static str)>,
}

impl Groups {
    pub fn new(
        what: What,
        (by, step_ns): (&[String], Option<i64>),
        (measures, columns): (&[Measure], Vec<String>),
    ) -> Self {
        Self {
            what,
            by: by.to_vec(),
            step_ns,
            measures: measures.to_vec(),
            columns,
            groups: HashMap::new(),
            room: Room::new(measures),
            left_out: 0,
            cut: false,
            near: Vec::new(),
        }
    }

    pub fn add(&mut self, input: &Input<'_>) {
        let step = match (self.step_ns, input.time()) {
            (Some(step), Some(ts)) => ts.div_euclid(step).saturating_mul(step),
            _ => 0,
        };
        let value = |name: &String| {
            let text = input.text(name)?;
            let kept = kept(&text);
            Some((kept.len() < text.len(), kept.to_owned()))
        };
        let values: Vec<Option<(bool, String)>> = self.by.iter().map(value).collect();
        self.cut |= values.iter().flatten().any(|(cut, _)| *cut);
        let key = (step, values.into_iter().map(|v| v.map(|(_, text)| text)).collect());
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let measures = &self.measures;
        let sums = self.groups.entry(key).or_insert_with(|| measures.iter().map(Sum::new).collect());
        for (at, (sum, measure)) in sums.iter_mut().zip(measures).enumerate() {
            sum.add((at, measure), input, &mut self.room);
        }
    }

    /// Rows: by time where there are steps, else the most first; figures of `stats` by what they are grouped by.
    pub fn drain(&mut self, seen: Seen) -> Vec<Row> {
        let mut groups: Vec<(Key, Vec<Sum>)> = std::mem::take(&mut self.groups).into_iter().collect();
        if groups.is_empty() && self.by.is_empty() && self.step_ns.is_none() {
            // No record is an answer, too: none.
            groups.push(((0, Vec::new()), self.measures.iter().map(Sum::new).collect()));
        }
        for (_, sums) in &groups {
            for (at, sum) in sums.iter().enumerate() {
                if let Some(near) = sum.near().map(|text| (at, text)).filter(|near| !self.near.contains(near))
                {
                    self.near.push(near);
                }
            }
        }
        let count = |sums: &[Sum]| match sums.first() {
            Some(Sum::Count(n)) => *n,
            _ => 0,
        };
        let most_first = self.what != What::Stats && self.step_ns.is_none();
        groups.sort_by(|(a, of_a), (b, of_b)| {
            let by_count = if most_first { count(of_b).cmp(&count(of_a)) } else { Ordering::Equal };
            by_count.then_with(|| a.cmp(b))
        });
        let divisor = self.seconds(seen);
        groups.into_iter().map(|(key, sums)| self.row(key, &sums, divisor)).collect()
    }

    fn row(&self, (step, values): Key, sums: &[Sum], seconds: f64) -> Row {
        let mut row: Row = self.step_ns.map(|_| Value::Time(step)).into_iter().collect();
        row.extend(values.into_iter().map(|v| v.map_or(Value::Absent, Value::Text)));
        row.extend(sums.iter().map(|sum| match (self.what, sum) {
            (What::Rate { .. }, Sum::Count(n)) => Value::Number(*n as f64 / seconds),
            (_, sum) => sum.value(),
        }));
        row
    }

    /// What a rate is over.
    fn seconds(&self, seen: Seen) -> f64 {
        let What::Rate { from_ns, to_ns } = self.what else { return 1.0 };
        if let Some(step) = self.step_ns {
            return step as f64 / SECOND;
        }
        let from = from_ns.or(seen.first_ns).unwrap_or_default();
        let to = to_ns.or(seen.last_ns).unwrap_or_default();
        (to.saturating_sub(from) as f64 / SECOND).max(1.0)
    }

    pub fn tell(&self, table: &mut Table) {
        if self.left_out > 0 {
            table.exact = false;
            table.remarks.push(format!(
                "more groups than {MOST_GROUPS}: {} lines of others are in no row; group by fewer fields, a wider step or a narrower filter",
                self.left_out
            ));
        }
        if self.cut {
            table.remarks.push(format!("values longer than {MOST_KEY} bytes are told by their beginning, and those that begin alike are one"));
        }
        for (at, how) in &self.near {
            table.exact = false;
            let name = self.measures.get(*at).map(super::measure::shown).unwrap_or_default();
            table.remarks.push(format!("{name} {how}"));
        }
        self.room.tell(&self.measures, table);
    }
}

/// The beginning of a long value, cut where a character ends.
pub(super) fn kept(text: &str) -> &str {
    let end = (0..=MOST_KEY.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
