//! Evaluates expressions over any source of series, one series at a time.
//!
//! In:     an expression, a grid of times, a source.
//! Out:    values for every step, with notes and statistics.
//! Never:  a clock, a file, a thread. Cancellation and limits are checked as it goes.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/basics/> and the pages beside it.

mod absent;
mod aggregate;
mod apart;
mod binary;
mod call;
mod classic;
mod dates;
mod grid;
mod info;
mod matching;
mod over_time;
mod pick;
mod range;
mod rate;
mod relabel;
mod rolled;
mod rows;
mod run;
mod scalar;
mod select;
mod sets;
mod sort;
mod started;

use ph_model::Labels;

pub use apart::{Apart, steps_apart};
pub(crate) use grid::TIMELY;

use crate::answer::{Answer, Stats, Value};
use crate::ast::{Expr, ExprKind};
use crate::error::Error;
use crate::functions::Type;
use crate::source::{Selection, SeriesSource};
use grid::Grid;
use rows::{Row, is_absent};
use run::Run;

/// Whether to stop; asked every few thousand steps.
pub trait Cancel {
    fn is_cancelled(&self) -> bool;
}

/// Never stops.
pub struct Never;

impl Cancel for Never {
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// When to evaluate. Times in ms since 1970, UTC.
#[derive(Clone, Debug)]
pub struct Params {
    pub start_ms: i64,
    /// Inclusive; the start for an instant query.
    pub end_ms: i64,
    /// 0 makes it an instant query.
    pub step_ms: i64,
    /// How old a sample may be to count as a series' value.
    pub lookback_ms: i64,
    /// The step of subqueries that name none.
    pub default_step_ms: i64,
    /// Names of metrics that an operation drops go when all is evaluated, not at once: Prometheus'
    /// `promql-delayed-name-removal`, under which its own query tests run.
    pub delays_names: bool,
    /// Counters look at when their samples' counting [began](SeriesSource::starts): Prometheus' `use-start-timestamps`,
    /// under which its own query tests run.
    pub uses_starts: bool,
    pub limits: Limits,
}

impl Params {
    pub fn instant(at_ms: i64) -> Self {
        Self::range(at_ms, at_ms, 0)
    }

    pub fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        Self {
            start_ms,
            end_ms,
            step_ms,
            lookback_ms: 300_000,
            default_step_ms: 60_000,
            delays_names: false,
            uses_starts: false,
            limits: Limits::default(),
        }
    }

    fn is_instant(&self) -> bool {
        self.step_ms == 0
    }
}

/// What one query may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Steps of a range query.
    pub steps: usize,
    /// Samples read, also again by overlapping selectors.
    pub samples: u64,
    /// Series read by all selectors together.
    pub series: usize,
    /// Bytes of intermediate results at one time, estimated.
    pub memory_bytes: usize,
    /// Steps of a subquery, over the whole query.
    pub subquery_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 11_000,
            samples: 200_000_000,
            series: 1_000_000,
            memory_bytes: 1 << 30,
            subquery_steps: 1_000_000,
        }
    }
}

/// Evaluates an expression that [`parse`](crate::parse) gave; `text` is what it was read from, for the places in notes.
///
/// Shape: a scalar, a string, an instant vector in the order that `sort` and the like define, or a matrix by label set.
/// Errors: `Invalid` when the data do not allow the operation, `Exhausted` at a limit, those of the source.
pub fn eval(
    text: &str,
    expr: &Expr,
    params: &Params,
    ends: (&dyn SeriesSource, &dyn Cancel),
) -> Result<Answer, Error> {
    let grid = top_grid(expr, params)?;
    let run = Run::new(params, ends.0, ends.1);
    let value = if params.is_instant() { run.instant(expr, grid)? } else { run.ranged(expr, grid)? };
    let (warnings, infos) = run.notes.borrow().texts(text);
    let (samples, series, peak_bytes) = (run.samples.get(), run.series.get(), run.peak.get());
    let stats = Stats { samples, series, peak_bytes, kept_steps: 0 };
    Ok(Answer { value, warnings, infos, by_order: run.by_order.get(), stats })
}

/// What the selectors of an expression need, in no order; some may be equal.
///
/// Errors: as [`eval`] for durations that are no durations.
pub fn selections(expr: &Expr, params: &Params) -> Result<Vec<Selection>, Error> {
    let grid = top_grid(expr, params)?;
    let mut found = Vec::new();
    grid::walk(expr, grid, params, &mut found)?;
    Ok(found)
}

fn top_grid(expr: &Expr, params: &Params) -> Result<Grid, Error> {
    if params.is_instant() {
        return Ok(Grid { start: params.start_ms, step: 1, count: 1, end: params.start_ms });
    }
    if params.step_ms < 0 {
        return Err(Error::Execution("the step must be above zero".to_owned()));
    }
    let gives = expr.gives();
    if !matches!(gives, Type::Scalar | Type::Vector) {
        return Err(Error::Execution(format!(
            "invalid expression type {:?} for range query, must be Scalar or instant Vector",
            gives.documented()
        )));
    }
    let grid = Grid::between(params.start_ms, params.end_ms, params.step_ms);
    if grid.count > params.limits.steps {
        return Err(Error::Limit(format!(
            "{} steps are more than {}; use a step of at least {} s",
            grid.count,
            params.limits.steps,
            (params.end_ms - params.start_ms).div_euclid(params.limits.steps as i64 * 1000) + 1
        )));
    }
    Ok(grid)
}

impl Run<'_> {
    fn instant(&self, expr: &Expr, grid: Grid) -> Result<Value, Error> {
        match expr.gives() {
            Type::Text => Ok(Value::Text(text_of(expr).to_owned())),
            Type::Scalar => Ok(Value::Scalar(first(&self.scalar(expr, grid)?))),
            Type::Matrix => self.raw_matrix(expr, grid).map(Value::Matrix),
            Type::Vector => {
                let mut out: Vec<(Labels, f64)> = Vec::new();
                for row in self.settled(self.vector(expr, grid)?)? {
                    let row = row?;
                    let value = first(&row.column);
                    if !is_absent(value) {
                        out.push((row.labels, value));
                    }
                }
                let distinct: std::collections::HashSet<&Labels> = out.iter().map(|(l, _)| l).collect();
                if distinct.len() < out.len() {
                    return Err(rows::same_labels());
                }
                Ok(Value::Vector(out))
            }
        }
    }

    fn ranged(&self, expr: &Expr, grid: Grid) -> Result<Value, Error> {
        let rows: Vec<Row> = if expr.gives() == Type::Scalar {
            vec![Row::new(Labels::default(), self.scalar(expr, grid)?)]
        } else {
            let rows = rows::distinct(self.settled(self.vector(expr, grid)?)?)?;
            std::mem::take(&mut self.collect(rows)?.rows)
        };
        let mut out: Vec<(Labels, Vec<(i64, f64)>)> = Vec::with_capacity(rows.len());
        for row in rows {
            let points: Vec<(i64, f64)> = grid
                .times()
                .zip(&row.column)
                .filter(|(_, v)| !is_absent(**v))
                .map(|(t, v)| (t, *v))
                .collect();
            if !points.is_empty() {
                out.push((row.labels, points));
            }
        }
        out.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Value::Matrix(out))
    }
}

/// The text of a string literal, in any parentheses.
fn text_of(expr: &Expr) -> &str {
    match &expr.bare().kind {
        ExprKind::Text(text) => text,
        _ => "",
    }
}

fn first(column: &[f64]) -> f64 {
    column.first().copied().unwrap_or(rows::ABSENT)
}

#[cfg(test)]
mod tests;
