//! What is asked of whole traces: sets of their spans, joined and measured.
//!
//! In:     trees that a query language builds.
//! Out:    the filter that finds candidates; the compiled form lies with the search.
//! Never:  evaluation: that needs rows.
//! Source: Grafana Tempo, "Construct a TraceQL query" (spansets, pipelines, trace-level intrinsics).

use ph_filter::{Filter, Order, Unit};

/// Fields that stand for the whole trace of a span. Text, text, ns.
pub const ROOT_NAME: &str = "trace.root_name";
pub const ROOT_SERVICE: &str = "trace.root_service";
pub const TRACE_DURATION: &str = "trace.duration_ns";

/// Spans of one trace. A trace is found when its set is not empty.
#[derive(Clone, Debug, PartialEq)]
pub enum SpanSet {
    /// Those that pass. May ask the trace's own fields.
    Where(Filter),
    /// All spans of all sets, when none of them is empty.
    And(Vec<SpanSet>),
    /// All spans of all sets.
    Or(Vec<SpanSet>),
    /// The set's spans that pass.
    Within { set: Box<SpanSet>, filter: Filter },
    /// The set, when its measure stands so to the value; fields are read in the value's unit.
    Having { set: Box<SpanSet>, measure: Measure, op: Comparison, value: (f64, Unit) },
}

/// A number of a set of spans. Fields that are no numbers count for nothing; durations count in ns.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    Count,
    Sum(String),
    Avg(String),
    Min(String),
    Max(String),
}

/// How two numbers stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Differs,
    Ordered(Order),
}

impl Comparison {
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::Differs => left != right,
            Comparison::Ordered(Order::Less) => left < right,
            Comparison::Ordered(Order::AtMost) => left <= right,
            Comparison::Ordered(Order::More) => left > right,
            Comparison::Ordered(Order::AtLeast) => left >= right,
        }
    }
}

impl Default for SpanSet {
    fn default() -> Self {
        SpanSet::Where(Filter::All)
    }
}

impl From<Filter> for SpanSet {
    fn from(filter: Filter) -> Self {
        SpanSet::Where(filter)
    }
}

impl SpanSet {
    /// A filter over single spans that every span of the set passes, and perhaps others.
    pub fn candidates(&self) -> Filter {
        match self {
            SpanSet::Where(filter) => without_trace(filter),
            SpanSet::And(all) | SpanSet::Or(all) => {
                let mut all: Vec<Filter> = all.iter().map(Self::candidates).collect();
                if all.len() == 1 { all.remove(0) } else { Filter::Or(all) }
            }
            SpanSet::Within { set, filter } => Filter::And(vec![set.candidates(), without_trace(filter)]),
            SpanSet::Having { set, .. } => set.candidates(),
        }
    }

    /// Whether passing [`SpanSet::candidates`] is all that is asked.
    pub fn is_plain(&self) -> bool {
        matches!(self, SpanSet::Where(filter) if !asks_trace(filter))
    }

    /// Every filter and every measured field in it.
    pub fn parts(&self) -> (Vec<&Filter>, Vec<&str>) {
        let (mut filters, mut fields) = (Vec::new(), Vec::new());
        self.collect(&mut filters, &mut fields);
        (filters, fields)
    }

    fn collect<'a>(&'a self, filters: &mut Vec<&'a Filter>, fields: &mut Vec<&'a str>) {
        match self {
            SpanSet::Where(filter) => filters.push(filter),
            SpanSet::And(all) | SpanSet::Or(all) => all.iter().for_each(|s| s.collect(filters, fields)),
            SpanSet::Within { set, filter } => {
                set.collect(filters, fields);
                filters.push(filter);
            }
            SpanSet::Having { set, measure, .. } => {
                set.collect(filters, fields);
                fields.extend(measure.field());
            }
        }
    }
}

impl Measure {
    pub fn field(&self) -> Option<&str> {
        match self {
            Measure::Count => None,
            Measure::Sum(f) | Measure::Avg(f) | Measure::Min(f) | Measure::Max(f) => Some(f),
        }
    }
}

/// Whether the filter asks a field of the whole trace.
fn asks_trace(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().any(asks_trace),
        Filter::Not(one) => asks_trace(one),
        Filter::Contains { field, .. } | Filter::Words { field, .. } | Filter::Regex { field, .. } => {
            field.as_deref().is_some_and(of_trace)
        }
        Filter::Equal { field, .. }
        | Filter::Compare { field, .. }
        | Filter::Between { field, .. }
        | Filter::Has { field } => of_trace(field),
        Filter::All | Filter::Level(_) | Filter::Time { .. } => false,
    }
}

fn of_trace(field: &str) -> bool {
    [ROOT_NAME, ROOT_SERVICE, TRACE_DURATION].contains(&field)
}

/// The filter with every condition on the whole trace taken as met.
fn without_trace(filter: &Filter) -> Filter {
    match filter {
        Filter::And(all) => Filter::And(all.iter().map(without_trace).collect()),
        Filter::Or(all) => Filter::Or(all.iter().map(without_trace).collect()),
        asks if asks_trace(asks) => Filter::All,
        other => other.clone(),
    }
}
