//! Which times an expression is evaluated at, and which samples its selectors need for that.

use super::Params;
use crate::ast::{AggregateOp, At, Edges, Expr, ExprKind, Length, MatchLabels, Selector, Shift, Subquery};
use crate::error::Error;
use crate::functions::Type;
use crate::length;
use crate::source::{Hint, Selection};

/// Equally spaced times, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub start: i64,
    pub step: i64,
    pub count: usize,
    /// Where it was asked to end, at or behind the last step.
    pub end: i64,
}

impl Grid {
    /// From `start` to `end`, both inclusive where the steps reach it; `step` is above zero.
    pub fn between(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let count = if end < start { 0 } else { (end.saturating_sub(start) / step).saturating_add(1) };
        Self { start, step, count: usize::try_from(count).unwrap_or(usize::MAX), end }
    }

    pub fn time(&self, at: usize) -> i64 {
        self.start.saturating_add((at as i64).saturating_mul(self.step))
    }

    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let grid = *self;
        (0..grid.count).map(move |at| grid.time(at))
    }

    pub fn last(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    /// Between two steps; 0 when there is one alone.
    fn spacing(&self) -> i64 {
        if self.count > 1 { self.step } else { 0 }
    }

    /// The first step alone, which stands for all when nothing depends on the step.
    pub fn first(&self) -> Self {
        Self { count: self.count.min(1), end: self.start, ..*self }
    }
}

/// `offset` and `@` with their values.
#[derive(Clone, Copy, Debug)]
pub struct Resolved {
    pub at: Option<i64>,
    pub offset: i64,
}

impl Resolved {
    /// The time that a selector looks at when the expression is evaluated at `time`.
    pub fn end(&self, time: i64) -> i64 {
        self.at.unwrap_or(time).saturating_sub(self.offset)
    }
}

/// What durations may depend on: the query's own step and range, also inside subqueries.
fn query(params: &Params) -> length::Span {
    length::Span { step_ms: params.step_ms, range_ms: params.end_ms - params.start_ms }
}

pub fn resolve(shift: &Shift, params: &Params) -> Result<Resolved, Error> {
    let offset = shift.offset.as_ref().map_or(Ok(0), |o| length::millis(o, query(params), true))?;
    let at = shift.at.map(|at| match at {
        At::Time(ms) => ms,
        At::Start => params.start_ms,
        At::End => params.end_ms,
    });
    Ok(Resolved { at, offset })
}

pub fn positive(of: &Length, params: &Params) -> Result<i64, Error> {
    let ms = length::millis(of, query(params), false)?;
    if ms <= 0 { Err(Error::Execution("duration must be at least 1 ms".to_owned())) } else { Ok(ms) }
}

/// The grid on which a subquery's inner expression is evaluated for all steps of `grid`: aligned to the subquery's step,
/// the range open on its left.
pub fn inner(subquery: &Subquery, grid: Grid, params: &Params) -> Result<Grid, Error> {
    let shift = resolve(&subquery.shift, params)?;
    let range = positive(&subquery.range, params)?;
    let step = match &subquery.step {
        Some(step) => positive(step, params)?,
        None => params.default_step_ms.max(1),
    };
    let left = shift.end(grid.start).saturating_sub(range);
    let mut start = step.saturating_mul(left / step);
    if start <= left {
        start = start.saturating_add(step);
    }
    let inner = Grid::between(start, shift.end(grid.last()), step);
    if inner.count > params.limits.subquery_steps {
        return Err(Error::Limit(format!(
            "a subquery takes {} steps, more than {}; give it a longer step or a shorter range",
            inner.count, params.limits.subquery_steps
        )));
    }
    Ok(inner)
}

/// What an instant selector needs.
pub fn instant_selection(selector: &Selector, grid: Grid, params: &Params) -> Result<Selection, Error> {
    let shift = resolve(&selector.shift, params)?;
    let ahead = if selector.edges == Edges::Smoothed { params.lookback_ms } else { 0 };
    Ok(Selection {
        matchers: selector.matchers.clone(),
        from_ms: shift.end(grid.start).saturating_sub(params.lookback_ms.saturating_sub(1)),
        to_ms: shift.end(grid.last()).saturating_add(ahead),
        hint: Hint {
            function: None,
            range_ms: 0,
            step_ms: grid.spacing(),
            end_ms: end_of(selector, grid, shift),
        },
    })
}

/// What a range selector needs.
pub fn range_selection(
    matrix: &crate::ast::Matrix,
    function: Option<&'static str>,
    grid: Grid,
    params: &Params,
) -> Result<Selection, Error> {
    let shift = resolve(&matrix.selector.shift, params)?;
    let range = positive(&matrix.range, params)?;
    let (behind, ahead) = match matrix.selector.edges {
        Edges::Plain => (0, 0),
        Edges::Anchored => (params.lookback_ms, 0),
        Edges::Smoothed => (params.lookback_ms, params.lookback_ms),
    };
    Ok(Selection {
        matchers: matrix.selector.matchers.clone(),
        from_ms: shift.end(grid.start).saturating_sub(range + behind - 1),
        to_ms: shift.end(grid.last()).saturating_add(ahead),
        hint: Hint {
            function,
            range_ms: range,
            step_ms: grid.spacing(),
            end_ms: end_of(&matrix.selector, grid, shift),
        },
    })
}

/// Where the first window of a selector ends, if nothing beside its windows matters.
fn end_of(selector: &Selector, grid: Grid, shift: Resolved) -> Option<i64> {
    (selector.edges == Edges::Plain).then(|| shift.end(grid.start))
}

/// Functions whose result depends on the time of evaluation even when their arguments do not.
pub const TIMELY: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "time",
    "timestamp",
    "year",
];

/// Whether an expression gives the same at every step, so that one evaluation stands for all.
pub fn is_invariant(expr: &Expr, params: &Params) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => true,
        ExprKind::Vector(selector) => selector.shift.at.is_some(),
        ExprKind::Matrix(matrix) => matrix.selector.shift.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.shift.at.is_some(),
        ExprKind::Call(call) if call.function.name == "info" => call
            .args
            .first()
            .is_some_and(|of| is_invariant(of, params) && super::info::is_uniform(of, params)),
        ExprKind::Call(call) => {
            !TIMELY.contains(&call.function.name) && call.args.iter().all(|arg| is_invariant(arg, params))
        }
        _ => expr.children().into_iter().all(|child| is_invariant(child, params)),
    }
}

/// The grid on which `expr` is evaluated when its parent is on `grid`.
pub fn effective(expr: &Expr, grid: Grid, params: &Params) -> Grid {
    if grid.count > 1 && is_invariant(expr, params) { grid.first() } else { grid }
}

/// Collects what the selectors of an expression need, as evaluation will ask for it.
pub fn walk(expr: &Expr, grid: Grid, params: &Params, found: &mut Vec<Selection>) -> Result<(), Error> {
    let grid = if expr.gives() == Type::Matrix { grid } else { effective(expr, grid, params) };
    if grid.count == 0 {
        return Ok(());
    }
    match &expr.kind {
        ExprKind::Vector(selector) => found.push(instant_selection(selector, grid, params)?),
        ExprKind::Matrix(matrix) => found.push(range_selection(matrix, None, grid, params)?),
        ExprKind::Subquery(subquery) => walk(&subquery.of, inner(subquery, grid, params)?, params, found)?,
        ExprKind::Call(call) => {
            for (at, arg) in call.args.iter().enumerate() {
                match &arg.bare().kind {
                    _ if call.function.name == "info" && at == 1 => {}
                    ExprKind::Matrix(matrix) => {
                        found.push(range_selection(matrix, Some(call.function.name), grid, params)?);
                    }
                    _ => walk(arg, grid, params, found)?,
                }
            }
            if call.function.name == "info" {
                found.push(super::info::selection(call, grid, params)?);
            }
        }
        _ => {
            for child in expr.children() {
                walk(child, grid, params, found)?;
            }
        }
    }
    Ok(())
}

/// The metric names that the series of an expression may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// All series have this one, or all have none (`""`).
    One(String),
    Many,
}

/// Whether dropping the name can make two series equal.
pub fn names(expr: &Expr) -> Names {
    match &expr.kind {
        ExprKind::Vector(selector) => names_of(selector),
        ExprKind::Matrix(matrix) => names_of(&matrix.selector),
        ExprKind::Subquery(subquery) => names(&subquery.of),
        ExprKind::Unary(unary) if !unary.negative => names(&unary.of),
        ExprKind::Unary(_) | ExprKind::Number(_) | ExprKind::Text(_) => Names::One(String::new()),
        ExprKind::Paren(inner) => names(inner),
        ExprKind::Aggregate(a) if a.op.picks() => names(&a.of),
        // Values may become names.
        ExprKind::Aggregate(a) if a.op == AggregateOp::CountValues => Names::Many,
        ExprKind::Aggregate(a) => match &a.grouping {
            crate::ast::Grouping::By(labels) if labels.iter().any(|l| l == "__name__") => names(&a.of),
            _ => Names::One(String::new()),
        },
        ExprKind::Binary(b) if b.op.is_arithmetic() || b.returns_bool => Names::One(String::new()),
        ExprKind::Binary(b) => {
            let plain = matches!(&b.matching.labels, MatchLabels::Ignoring(_))
                && b.matching.group == crate::ast::Group::OneToOne
                && b.matching.fill_left.is_none()
                && b.matching.fill_right.is_none();
            let (left, right) = (names(&b.left), names(&b.right));
            match b.op {
                crate::ast::BinaryOp::And | crate::ast::BinaryOp::Unless => left,
                crate::ast::BinaryOp::Or if left == right => left,
                crate::ast::BinaryOp::Or => Names::Many,
                _ if b.left.gives() == Type::Scalar => right,
                _ if plain => left,
                _ => Names::Many,
            }
        }
        ExprKind::Call(call) => match call.function.name {
            "first_over_time" | "last_over_time" | "sort" | "sort_desc" | "sort_by_label"
            | "sort_by_label_desc" => call.args.first().map_or(Names::Many, names),
            "label_replace" | "label_join" | "info" | "histogram_quantiles" => Names::Many,
            _ => Names::One(String::new()),
        },
    }
}

fn names_of(selector: &Selector) -> Names {
    let name = selector.matchers.iter().find(|m| m.name == "__name__" && m.op == ph_model::MatchOp::Equal);
    name.map_or(Names::Many, |m| Names::One(m.value.clone()))
}
