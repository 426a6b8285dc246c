//! One evaluation under way: its limits, its notes, and the way from an expression to series.

use std::cell::{Cell, RefCell};

use super::grid::{Grid, Names, effective, names};
use super::rows::{Row, Rows, distinct, is_absent, nameless};
use super::{Cancel, Params};
use crate::answer::{Level, Notes};
use crate::ast::{Expr, ExprKind};
use crate::error::{Error, Span};
use crate::functions::Type;
use crate::source::SeriesSource;

/// How much work passes between two looks at the cancellation.
const WORK_BETWEEN_CHECKS: u64 = 65_536;

pub struct Run<'a> {
    pub params: &'a Params,
    pub source: &'a dyn SeriesSource,
    cancel: &'a dyn Cancel,
    pub notes: RefCell<Notes>,
    /// See [`Answer`](crate::Answer).
    pub by_order: Cell<bool>,
    pub samples: Cell<u64>,
    pub series: Cell<usize>,
    memory: Cell<usize>,
    pub peak: Cell<usize>,
    work: Cell<u64>,
}

/// Series held at once; gives its memory back when dropped.
pub struct Held<'r, 'a> {
    pub rows: Vec<Row>,
    bytes: usize,
    run: &'r Run<'a>,
}

impl Drop for Held<'_, '_> {
    fn drop(&mut self) {
        self.run.memory.set(self.run.memory.get().saturating_sub(self.bytes));
    }
}

impl<'a> Run<'a> {
    pub fn new(params: &'a Params, source: &'a dyn SeriesSource, cancel: &'a dyn Cancel) -> Self {
        Self {
            params,
            source,
            cancel,
            notes: RefCell::default(),
            by_order: Cell::new(false),
            samples: Cell::new(0),
            series: Cell::new(0),
            memory: Cell::new(0),
            peak: Cell::new(0),
            work: Cell::new(0),
        }
    }

    pub fn warn(&self, text: impl Into<String>, span: Span) {
        self.warn_within(text, (span, span));
    }

    /// Warns of a part of an expression when the whole is evaluated.
    pub fn warn_within(&self, text: impl Into<String>, (span, within): (Span, Span)) {
        self.notes.borrow_mut().add(Level::Warning, text, (span, within));
    }

    /// Counts work done, and stops when the query was cancelled.
    pub fn tick(&self, work: usize) -> Result<(), Error> {
        let done = self.work.get() + work as u64;
        if done < WORK_BETWEEN_CHECKS {
            self.work.set(done);
            return Ok(());
        }
        self.work.set(0);
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Counts a series read with its samples.
    pub fn read(&self, samples: usize) -> Result<(), Error> {
        let limits = &self.params.limits;
        self.samples.set(self.samples.get() + samples as u64);
        self.series.set(self.series.get() + 1);
        if self.samples.get() > limits.samples {
            return Err(Error::Limit(format!(
                "query processing would load too many samples: more than {}; select fewer series or a shorter range",
                limits.samples
            )));
        }
        if self.series.get() > limits.series {
            return Err(Error::Limit(format!(
                "the query reads more than {} series; add label matchers",
                limits.series
            )));
        }
        self.tick(samples + 16)
    }

    /// Counts bytes that are held from now on.
    pub fn hold(&self, bytes: usize) -> Result<(), Error> {
        let held = self.memory.get().saturating_add(bytes);
        self.memory.set(held);
        self.peak.set(self.peak.get().max(held));
        if held > self.params.limits.memory_bytes {
            return Err(Error::Limit(format!(
                "the query needs more than {} bytes at one time; select fewer series, or use a longer step",
                self.params.limits.memory_bytes
            )));
        }
        Ok(())
    }

    /// Holds all series at once, within the memory limit.
    pub fn collect<'r>(&'r self, rows: Rows<'r>) -> Result<Held<'r, 'a>, Error> {
        let mut held = Held { rows: Vec::new(), bytes: 0, run: self };
        for row in rows {
            let row = row?;
            let size = row.size();
            held.bytes += size;
            self.hold(size)?;
            self.tick(row.column.len())?;
            held.rows.push(row);
        }
        Ok(held)
    }

    /// The series of a vector expression on a grid.
    pub fn vector<'r>(&'r self, expr: &'r Expr, grid: Grid) -> Result<Rows<'r>, Error> {
        if grid.count == 0 {
            return Ok(Box::new(std::iter::empty()));
        }
        let first = effective(expr, grid, self.params);
        if first != grid {
            let rows = self.vector_at(expr, first)?;
            return Ok(Box::new(rows.map(move |row| {
                let row = row?;
                let value = row.column.first().copied().unwrap_or(super::rows::ABSENT);
                Ok(Row { column: vec![value; grid.count], ..row })
            })));
        }
        self.vector_at(expr, grid)
    }

    fn vector_at<'r>(&'r self, expr: &'r Expr, grid: Grid) -> Result<Rows<'r>, Error> {
        match &expr.kind {
            ExprKind::Vector(selector) => self.instant_selector(selector, grid),
            ExprKind::Paren(inner) => self.vector(inner, grid),
            ExprKind::Unary(unary) => {
                let rows = self.vector(&unary.of, grid)?;
                if !unary.negative {
                    return Ok(rows);
                }
                let negated = map_values(rows, |v| -v);
                self.without_names(negated, &unary.of)
            }
            ExprKind::Binary(binary) => self.binary(binary, expr.span, grid),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span, grid),
            ExprKind::Call(call) => self.call(call, expr.span, grid),
            ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Matrix(_) | ExprKind::Subquery(_) => {
                Err(Error::Execution(format!("{expr} is no instant vector")))
            }
        }
    }

    /// Drops the metric's name of series that `from` gave and a function changed.
    pub fn without_names<'r>(&'r self, rows: Rows<'r>, from: &Expr) -> Result<Rows<'r>, Error> {
        let rows: Rows<'r> = Box::new(rows.map(|row| Ok(self.unnamed(row?))));
        let may_collide =
            !self.params.delays_names && from.gives() == Type::Vector && names(from) == Names::Many;
        if may_collide { distinct(rows) } else { Ok(rows) }
    }

    /// Without the metric's name, at once or when all is evaluated.
    pub fn unnamed(&self, row: Row) -> Row {
        if self.params.delays_names {
            Row { sheds_name: true, ..row }
        } else {
            Row { labels: nameless(row.labels), ..row }
        }
    }

    /// Drops the names that were to go at the end.
    pub fn settled<'r>(&'r self, rows: Rows<'r>) -> Result<Rows<'r>, Error> {
        if !self.params.delays_names {
            return Ok(rows);
        }
        distinct(Box::new(rows.map(|row| {
            let row = row?;
            Ok(if row.sheds_name { Row { labels: nameless(row.labels), ..row } } else { row })
        })))
    }
}

/// Applies `change` to every value that is there.
pub fn map_values<'r>(rows: Rows<'r>, mut change: impl FnMut(f64) -> f64 + 'r) -> Rows<'r> {
    Box::new(rows.map(move |row| {
        let mut row = row?;
        for value in row.column.iter_mut().filter(|v| !is_absent(**v)) {
            *value = super::rows::clean(change(*value));
        }
        Ok(row)
    }))
}
