//! Sets of spans made ready to run over the spans of one trace.
//!
//! In:     a tree of the contract; rows of spans and what is known of their whole trace.
//! Out:    which spans of a trace are in the set.
//! Cost:   every filter runs once over every span of a candidate; sets are joined as sorted lists of places.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ph_filter::{Compiled, Filter, Record, Unit, quantity_of_field};
use ph_model::{ErrorKind, Level, Signal};

use crate::contract::{Comparison, Error, Measure, ROOT_NAME, ROOT_SERVICE, SpanSet, TRACE_DURATION};
use crate::rows::{Columns, RowView, columns_for, columns_of_field};

/// Most selectors of one question: a span remembers in one word which of them it passed.
const MAX_FILTERS: usize = 64;
/// How deep sets may nest.
const MAX_DEPTH: usize = 64;

/// What is known of a whole trace.
#[derive(Default)]
pub(super) struct Facts {
    pub root_name: String,
    pub root_service: String,
    pub duration_ns: u64,
}

/// What one span brings into the sets of its trace.
pub(super) struct Member {
    passed: u64,
    /// As many as there are measures.
    numbers: Vec<Option<f64>>,
}

pub(super) struct Sets {
    root: Node,
    filters: Vec<Compiled>,
    measures: Vec<(String, Unit)>,
}

enum Node {
    Where(usize),
    And(Vec<Node>),
    Or(Vec<Node>),
    Within(Box<Node>, usize),
    Having { set: Box<Node>, measure: Kind, op: Comparison, value: f64 },
}

/// A measure and the place of its field among [`Sets::measures`].
#[derive(Clone, Copy)]
enum Kind {
    Count,
    Sum(usize),
    Avg(usize),
    Min(usize),
    Max(usize),
}

impl Sets {
    /// `None` when the candidates are all that is asked. Errors: `Invalid` for a filter that does not compile, more
    /// than 64 selectors, or sets nested deeper than 64.
    pub fn new(set: &SpanSet) -> Result<Option<Self>, Error> {
        if set.is_plain() {
            return Ok(None);
        }
        let mut sets = Self { root: Node::Or(Vec::new()), filters: Vec::new(), measures: Vec::new() };
        sets.root = sets.node(set, 0)?;
        Ok(Some(sets))
    }

    fn node(&mut self, set: &SpanSet, depth: usize) -> Result<Node, Error> {
        if depth > MAX_DEPTH {
            return Err(invalid("sets of spans nest deeper than 64; write fewer parentheses"));
        }
        let mut list = |all: &[SpanSet]| -> Result<Vec<Node>, Error> {
            all.iter().map(|one| self.node(one, depth + 1)).collect()
        };
        Ok(match set {
            SpanSet::And(all) => Node::And(list(all)?),
            SpanSet::Or(all) => Node::Or(list(all)?),
            SpanSet::Where(filter) => Node::Where(self.filter(filter)?),
            SpanSet::Within { set, filter } => {
                let set = Box::new(self.node(set, depth + 1)?);
                Node::Within(set, self.filter(filter)?)
            }
            SpanSet::Having { set, measure, op, value } => {
                let set = Box::new(self.node(set, depth + 1)?);
                let measure = match measure {
                    Measure::Count => Kind::Count,
                    Measure::Sum(field) => Kind::Sum(self.measure(field, value.1)),
                    Measure::Avg(field) => Kind::Avg(self.measure(field, value.1)),
                    Measure::Min(field) => Kind::Min(self.measure(field, value.1)),
                    Measure::Max(field) => Kind::Max(self.measure(field, value.1)),
                };
                Node::Having { set, measure, op: *op, value: value.0 }
            }
        })
    }

    fn filter(&mut self, filter: &Filter) -> Result<usize, Error> {
        if self.filters.len() == MAX_FILTERS {
            return Err(invalid("more than 64 selectors in one question; ask with fewer"));
        }
        let compiled = Compiled::new(filter).map_err(|e| invalid(&e.to_string()).caused_by(e))?;
        self.filters.push(compiled);
        Ok(self.filters.len() - 1)
    }

    fn measure(&mut self, field: &str, unit: Unit) -> usize {
        self.measures.push((field.to_owned(), unit));
        self.measures.len() - 1
    }

    /// Columns that its filters and measures read.
    pub fn columns(&self, into: &mut Columns) {
        self.filters.iter().for_each(|filter| columns_for(Signal::Spans, filter.filter(), into));
        self.measures.iter().for_each(|(field, _)| columns_of_field(Signal::Spans, field, into));
    }

    pub fn member(&self, row: &RowView<'_>, facts: &Facts) -> Member {
        let span = SpanOfTrace { row, facts };
        let passed = self
            .filters
            .iter()
            .enumerate()
            .fold(0, |bits, (i, filter)| bits | u64::from(filter.matches(&span)) << i);
        let number = |(field, unit): &(String, Unit)| {
            quantity_of_field(field, &span.field(field)?, (span.unit(field), *unit))
        };
        Member { passed, numbers: self.measures.iter().map(number).collect() }
    }

    /// Places of the members that are in the set, ascending.
    pub fn chosen(&self, members: &[Member]) -> Vec<usize> {
        run(&self.root, members)
    }
}

fn run(node: &Node, members: &[Member]) -> Vec<usize> {
    let passed = |i: &usize, filter: usize| members.get(*i).is_some_and(|m| m.passed >> filter & 1 == 1);
    match node {
        Node::Where(filter) => (0..members.len()).filter(|i| passed(i, *filter)).collect(),
        Node::And(all) => {
            let sets: Vec<_> = all.iter().map(|one| run(one, members)).collect();
            if sets.iter().any(Vec::is_empty) { Vec::new() } else { union(sets) }
        }
        Node::Or(all) => union(all.iter().map(|one| run(one, members)).collect()),
        Node::Within(set, filter) => run(set, members).into_iter().filter(|i| passed(i, *filter)).collect(),
        Node::Having { set, measure, op, value } => {
            let set = run(set, members);
            let holds = measured(*measure, &set, members).is_some_and(|found| op.holds(found, *value));
            if holds { set } else { Vec::new() }
        }
    }
}

fn union(sets: Vec<Vec<usize>>) -> Vec<usize> {
    sets.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

/// `None` when the set is empty, or when none of its spans has the number.
fn measured(measure: Kind, set: &[usize], members: &[Member]) -> Option<f64> {
    if set.is_empty() {
        return None;
    }
    let numbers =
        |at: usize| set.iter().filter_map(move |i| members.get(*i)?.numbers.get(at).copied().flatten());
    match measure {
        Kind::Count => Some(set.len() as f64),
        Kind::Sum(at) => numbers(at).reduce(|a, b| a + b),
        Kind::Avg(at) => {
            let (sum, n) = numbers(at).fold((0.0, 0u64), |(sum, n), x| (sum + x, n + 1));
            (n > 0).then(|| sum / n as f64)
        }
        Kind::Min(at) => numbers(at).reduce(f64::min),
        Kind::Max(at) => numbers(at).reduce(f64::max),
    }
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::Invalid, text)
}

/// A span that also answers for its whole trace.
struct SpanOfTrace<'a> {
    row: &'a RowView<'a>,
    facts: &'a Facts,
}

impl Record for SpanOfTrace<'_> {
    fn ts_ns(&self) -> i64 {
        self.row.ts_ns()
    }

    fn level(&self) -> Level {
        self.row.level()
    }

    fn message(&self) -> &[u8] {
        self.row.message()
    }

    fn unit(&self, name: &str) -> Unit {
        if name == TRACE_DURATION { Unit::Nanoseconds } else { self.row.unit(name) }
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            ROOT_NAME => Some(Cow::Borrowed(&self.facts.root_name)),
            ROOT_SERVICE => Some(Cow::Borrowed(&self.facts.root_service)),
            TRACE_DURATION => Some(Cow::Owned(self.facts.duration_ns.to_string())),
            _ => self.row.field(name),
        }
    }
}
