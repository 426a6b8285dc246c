//! Values of steps that follow each other.

use std::cmp::Ordering;

use ph_model::Labels;
use ph_promql::Value;

use crate::prometheus::gather::Shown;

/// One series: values by time, never none.
pub type Line = (Labels, Vec<(i64, f64)>);

/// Equally spaced times, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub first_ms: i64,
    pub last_ms: i64,
    /// Above zero.
    pub step_ms: i64,
}

impl Steps {
    pub fn count(&self) -> i64 {
        if self.last_ms < self.first_ms { 0 } else { (self.last_ms - self.first_ms) / self.step_ms + 1 }
    }

    pub fn time(&self, n: i64) -> i64 {
        self.first_ms + n * self.step_ms
    }

    /// The first `n` of them; `None` without any.
    pub fn first(self, n: i64) -> Option<Self> {
        (n > 0).then(|| Self { last_ms: self.last_ms.min(self.time(n - 1)), ..self })
    }

    /// The last `n` of them; `None` without any.
    pub fn last(self, n: i64) -> Option<Self> {
        self.without_first((self.count() - n).max(0))
    }

    /// All but the first `n`; `None` when that is all.
    pub fn without_first(self, n: i64) -> Option<Self> {
        (n < self.count()).then(|| Self { first_ms: self.time(n), ..self })
    }

    /// Those before the first of `other`, which has the same times.
    pub fn before(self, other: Self) -> Option<Self> {
        let last_ms = self.last_ms.min(other.first_ms - self.step_ms);
        (self.first_ms <= last_ms).then_some(Self { last_ms, ..self })
    }

    /// Those behind the last of `other`, which has the same times.
    pub fn behind(self, other: Self) -> Option<Self> {
        let first_ms = self.first_ms.max(other.last_ms + self.step_ms);
        (first_ms <= self.last_ms).then_some(Self { first_ms, ..self })
    }
}

/// Values of some steps, about which there was nothing to note.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent {
    pub steps: Steps,
    /// Ascending by label set.
    pub lines: Vec<Line>,
    pub shown: Shown,
}

impl Extent {
    /// Of the answer to a range query, its values at some of its steps. `None` when it is none.
    pub fn of(value: &Value, steps: Steps, shown: Shown) -> Option<Self> {
        let Value::Matrix(lines) = value else { return None };
        Some(Self { steps, lines: cut(lines, steps), shown })
    }

    /// What it holds of other steps at the same times. `None` when they share none.
    pub fn within(&self, steps: Steps) -> Option<Self> {
        let first_ms = steps.first_ms.max(self.steps.first_ms);
        let last_ms = steps.last_ms.min(self.steps.last_ms);
        let steps = Steps { first_ms, last_ms, ..self.steps };
        let shared = || Self { steps, lines: cut(&self.lines, steps), shown: self.shown.clone() };
        (first_ms <= last_ms).then(shared)
    }

    /// With one that begins at the step behind it. `None` for one that does not, and for one of which names were spelled
    /// otherwise.
    pub fn followed_by(self, later: Self) -> Option<Self> {
        let follows = self.steps.last_ms + self.steps.step_ms == later.steps.first_ms;
        if !follows || !self.shown.agrees(&later.shown) {
            return None;
        }
        let steps = Steps { last_ms: later.steps.last_ms, ..self.steps };
        Some(Self { steps, lines: joined(self.lines, later.lines), shown: self.shown.with(later.shown) })
    }

    /// Bytes that it takes, estimated.
    pub fn size_bytes(&self) -> usize {
        let line = |(labels, points): &Line| {
            let texts: usize = labels.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
            texts + points.capacity() * 16 + 64
        };
        self.lines.iter().map(line).sum::<usize>() + self.shown.size_bytes() + 64
    }
}

/// Values at some steps.
fn cut(lines: &[Line], steps: Steps) -> Vec<Line> {
    let inside = |points: &[(i64, f64)]| {
        let from = points.partition_point(|(at, _)| *at < steps.first_ms);
        let to = points.partition_point(|(at, _)| *at <= steps.last_ms);
        points.get(from..to).unwrap_or_default().to_vec()
    };
    let lines = lines.iter().map(|(labels, points)| (labels, inside(points)));
    lines.filter(|(_, points)| !points.is_empty()).map(|(labels, points)| (labels.clone(), points)).collect()
}

/// Both, ascending by label set; the points of `later` lie behind those of `earlier`.
pub fn joined(earlier: Vec<Line>, later: Vec<Line>) -> Vec<Line> {
    let mut out = Vec::with_capacity(earlier.len().max(later.len()));
    let (mut earlier, mut later) = (earlier.into_iter().peekable(), later.into_iter().peekable());
    loop {
        let order = match (earlier.peek(), later.peek()) {
            (Some(a), Some(b)) => a.0.cmp(&b.0),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let next = match order {
            Ordering::Less => earlier.next(),
            Ordering::Greater => later.next(),
            Ordering::Equal => earlier.next().zip(later.next()).map(|((labels, mut points), (_, more))| {
                points.extend(more);
                (labels, points)
            }),
        };
        match next {
            Some(line) => out.push(line),
            None => return out,
        }
    }
}
