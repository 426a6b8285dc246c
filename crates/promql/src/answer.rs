//! Answers, and the notes beside them.

use std::collections::BTreeMap;

use ph_model::Labels;

use crate::error::Span;

/// Times in ms since 1970, UTC.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Scalar(f64),
    Text(String),
    /// Each label set once.
    Vector(Vec<(Labels, f64)>),
    /// Ascending by label set; per series ascending time, never empty.
    Matrix(Vec<(Labels, Vec<(i64, f64)>)>),
}

/// The value of an expression, with what a reader should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub value: Value,
    /// Each once, with the place it is about.
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
    /// At some step, which of equals counted was decided by the order of series.
    pub by_order: bool,
    pub stats: Stats,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Samples read from the source.
    pub samples: u64,
    pub series: usize,
    /// Most bytes of intermediate results at one time, estimated.
    pub peak_bytes: usize,
    /// Steps that were not evaluated, since whoever asked had kept their values.
    pub kept_steps: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Warning,
    Info,
}

/// Where a note points to, the expression that it came up in, and what is summed up of all times that it came up.
type Noted = (Span, Span, Option<More>);

/// What a note says of all times that it came up.
#[derive(Clone, Copy, Debug)]
enum More {
    /// How far buckets were corrected.
    Monotone(Monotone),
    /// How often.
    Times(u64),
}

/// Notes of a run: each text once.
#[derive(Debug, Default)]
pub struct Notes {
    notes: BTreeMap<(Level, String), Noted>,
}

/// How far classic buckets had to be corrected to rise.
#[derive(Clone, Copy, Debug)]
pub struct Monotone {
    pub first_ms: i64,
    pub last_ms: i64,
    pub least_bucket: f64,
    pub most_bucket: f64,
    pub most_difference: f64,
    pub count: u64,
}

impl Notes {
    /// `within` is the expression that is evaluated when the note comes up.
    pub fn add(&mut self, level: Level, text: impl Into<String>, (span, within): (Span, Span)) {
        // Of equal notes that of what is evaluated last is told: an expression after those in it, else the one further on.
        let (known, known_within, _) = self.notes.entry((level, text.into())).or_insert((span, within, None));
        let inside = |a: Span, b: Span| a != b && a.start >= b.start && a.end <= b.end;
        let later = within.start > known_within.start && !inside(within, *known_within);
        if inside(*known_within, within) || later {
            (*known, *known_within) = (span, within);
        }
    }

    pub fn add_monotone(&mut self, text: impl Into<String>, span: Span, one: Monotone) {
        let (_, _, known) = self.notes.entry((Level::Info, text.into())).or_insert((span, span, None));
        *known = Some(More::Monotone(match known {
            Some(More::Monotone(k)) => Monotone {
                first_ms: k.first_ms.min(one.first_ms),
                last_ms: k.last_ms.max(one.last_ms),
                least_bucket: k.least_bucket.min(one.least_bucket),
                most_bucket: k.most_bucket.max(one.most_bucket),
                most_difference: k.most_difference.max(one.most_difference),
                count: k.count + one.count,
            },
            _ => one,
        }));
    }

    /// A warning that came up so many times.
    pub fn add_counted(&mut self, text: impl Into<String>, span: Span, times: u64) {
        let (_, _, known) = self.notes.entry((Level::Warning, text.into())).or_insert((span, span, None));
        let before = if let Some(More::Times(before)) = known { *before } else { 0 };
        *known = Some(More::Times(before + times));
    }

    /// Warnings and infos, each ending with its place in the expression.
    pub fn texts(&self, expression: &str) -> (Vec<String>, Vec<String>) {
        let of = |wanted: Level| {
            self.notes
                .iter()
                .filter(|((level, _), _)| *level == wanted)
                .map(|((level, text), (span, _, more))| {
                    let word = if *level == Level::Warning { "warning" } else { "info" };
                    let more = more.map_or_else(String::new, |m| m.text());
                    format!("PromQL {word}: {text}{more} ({})", span.place(expression))
                })
                .collect()
        };
        (of(Level::Warning), of(Level::Info))
    }
}

impl More {
    fn text(&self) -> String {
        match self {
            More::Monotone(monotone) => monotone.text(),
            More::Times(0 | 1) => String::new(),
            More::Times(times) => format!(" ({times} occurrences)"),
        }
    }
}

impl Monotone {
    fn text(&self) -> String {
        use crate::number::shortest;
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            shortest(self.least_bucket),
            shortest(self.most_bucket),
            two_digits(self.most_difference),
            self.count,
            crate::dates::rfc3339(self.first_ms),
            crate::dates::rfc3339(self.last_ms),
        )
    }
}

/// Two significant digits, as Go's `%.2g`.
fn two_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    if rounded.abs() >= 100.0 {
        let text = format!("{rounded:e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{digits}e+{power:0>2}")
    } else {
        crate::number::shortest(rounded)
    }
}
