//! What a source's readings mean one after another: rates, resets, ends of series.
//!
//! In:     groups of one source, reading after reading.
//! Out:    the same without values whose time did not advance; counters with a new start time after a fall; processor use as
//!         the rate between two readings; a stale marker for each series of a thing that is gone.
//! Never:  repeats a value, or gives a rate across a reset.
//! Bound:  [`MAX_SERIES`] series a source; what is beyond passes untracked.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use ph_model::{Attributes, NumberValue, Point, PointKind, stale_marker};

use crate::group::{Group, Subject};
use crate::names::{self as n, Name};

/// Series that one source is followed for.
const MAX_SERIES: usize = 100_000;

/// Counters of processor time, and the use that is derived from each.
const RATES: [(Name, Name); 4] = [
    (n::CONTAINER_CPU_TIME, n::CONTAINER_CPU_USAGE),
    (n::K8S_POD_CPU_TIME, n::K8S_POD_CPU_USAGE),
    (n::K8S_NODE_CPU_TIME, n::K8S_NODE_CPU_USAGE),
    (n::K8S_NODE_SYSTEM_CONTAINER_CPU_TIME, n::K8S_NODE_SYSTEM_CONTAINER_CPU_USAGE),
];

/// The memory of one source.
#[derive(Debug, Default)]
pub struct Tracker {
    subjects: HashMap<Subject, Tracked>,
    series: usize,
}

#[derive(Debug, Default)]
struct Tracked {
    series: HashMap<u64, Last>,
    seen: bool,
}

/// The last point of one series.
#[derive(Debug)]
struct Last {
    point: Point,
    /// Set by a reset; wins over what the source says until the source says something later.
    start_ms: Option<i64>,
    seen: bool,
}

impl Tracker {
    /// Takes a reading. A subject or series that is missing in it has ended; `now_ms` is when.
    pub fn pass(&mut self, groups: Vec<Group>, now_ms: i64) -> Vec<Group> {
        let mut out = Vec::with_capacity(groups.len());
        for group in groups {
            let known = self.subjects.entry(group.subject.clone()).or_default();
            known.seen = true;
            let mut passed =
                Group { subject: group.subject, points: Vec::with_capacity(group.points.len() + 1) };
            for point in group.points {
                let full = self.series >= MAX_SERIES;
                self.series += usize::from(known.pass(point, full, &mut passed.points));
            }
            out.push(passed);
        }
        self.end_missing(now_ms, &mut out);
        out.retain(|g| !g.points.is_empty());
        out
    }

    fn end_missing(&mut self, now_ms: i64, out: &mut Vec<Group>) {
        let mut dropped = 0;
        self.subjects.retain(|subject, tracked| {
            let mut ended = Vec::new();
            let alive = std::mem::take(&mut tracked.seen);
            tracked.series.retain(|_, last| {
                let keep = std::mem::take(&mut last.seen) && alive;
                if !keep {
                    ended.push(stale(last, now_ms));
                    dropped += 1;
                }
                keep
            });
            ended.sort_by(|a, b| a.name.cmp(b.name));
            if !ended.is_empty() {
                match out.iter_mut().find(|g| g.subject == *subject) {
                    Some(group) => group.points.extend(ended),
                    None => out.push(Group { subject: subject.clone(), points: ended }),
                }
            }
            alive
        });
        self.series = self.series.saturating_sub(dropped);
    }
}

fn stale(last: &Last, now_ms: i64) -> Point {
    Point {
        at_ms: now_ms.max(last.point.at_ms + 1),
        value: NumberValue::Double(stale_marker()),
        start_ms: last.start_ms,
        ..last.point.clone()
    }
}

impl Tracked {
    /// Says whether the point began a series.
    fn pass(&mut self, mut point: Point, full: bool, out: &mut Vec<Point>) -> bool {
        let key = key(&point);
        let Some(last) = self.series.get_mut(&key) else {
            if full {
                out.push(point);
                return false;
            }
            self.series.insert(key, Last { point: point.clone(), start_ms: point.start_ms, seen: true });
            out.push(point);
            return true;
        };
        last.seen = true;
        let advanced = point.at_ms > last.point.at_ms;
        if point.kind == PointKind::Counter {
            self.keep_derived(&point);
        }
        let Some(last) = self.series.get_mut(&key).filter(|_| advanced) else { return false };
        let mut began = false;
        if point.kind == PointKind::Counter {
            let fell = point.value.as_f64() < last.point.value.as_f64();
            if fell {
                last.start_ms = Some(point.start_ms.unwrap_or(0).max(last.point.at_ms));
            } else if point.start_ms > last.start_ms {
                last.start_ms = point.start_ms;
            }
            point.start_ms = last.start_ms.or(point.start_ms);
            began = self.derive(key, &point, fell, out);
        }
        if let Some(last) = self.series.get_mut(&key) {
            last.point = point.clone();
        }
        out.push(point);
        began
    }

    /// A derived series lives as long as the counter it comes from, also over readings that give no rate.
    fn keep_derived(&mut self, point: &Point) {
        let Some((_, usage)) = RATES.iter().find(|(time, _)| time.id == point.name) else { return };
        if let Some(last) = self.series.get_mut(&key_of(usage.id, &point.attributes)) {
            last.seen = true;
        }
    }

    /// Processor use from two readings of processor time. Says whether that began a series.
    fn derive(&mut self, key: u64, point: &Point, fell: bool, out: &mut Vec<Point>) -> bool {
        let Some((_, usage)) = RATES.iter().find(|(time, _)| time.id == point.name) else { return false };
        let Some(last) = self.series.get(&key) else { return false };
        let seconds = (point.at_ms - last.point.at_ms) as f64 / 1000.0;
        let used = point.value.as_f64() - last.point.value.as_f64();
        if fell || seconds <= 0.0 {
            return false;
        }
        let derived = Point {
            name: usage.id,
            unit: usage.unit,
            kind: usage.kind,
            attributes: point.attributes.clone(),
            at_ms: point.at_ms,
            start_ms: None,
            value: NumberValue::Double(used / seconds),
        };
        out.push(derived.clone());
        let entry = Last { point: derived.clone(), start_ms: None, seen: true };
        self.series.insert(self::key(&derived), entry).is_none()
    }
}

fn key(point: &Point) -> u64 {
    key_of(point.name, &point.attributes)
}

fn key_of(name: &str, attributes: &Attributes) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    for (k, v) in attributes.iter() {
        k.hash(&mut hasher);
        match v.as_str() {
            Some(text) => text.hash(&mut hasher),
            None => v.to_text().hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
