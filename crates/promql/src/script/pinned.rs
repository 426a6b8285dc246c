//! Expressions whose selectors are all pinned to one time with `@`: such a query gives the same whenever it is asked.

use crate::ast::{At, Expr, ExprKind, Shift};
use crate::eval::TIMELY;

/// The expression with `@` at every selector and subquery that has none; `None` when it looks at the time otherwise.
pub fn pinned(expr: &Expr, at_ms: i64) -> Option<Expr> {
    let mut expr = expr.clone();
    pin(&mut expr, At::Time(at_ms)).then_some(expr)
}

/// Times of asking at which a pinned query has to give what it gives at `at_ms`.
pub fn other_times(at_ms: i64) -> Vec<i64> {
    if at_ms == 0 { vec![-1000, 1000] } else { vec![at_ms.saturating_mul(-10), 0, at_ms / 5, at_ms * 10] }
}

/// False when something depends on the time of asking.
fn pin(expr: &mut Expr, at: At) -> bool {
    let here = |shift: &mut Shift| {
        shift.at.get_or_insert(at);
        true
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => true,
        ExprKind::Vector(selector) => here(&mut selector.shift),
        ExprKind::Matrix(matrix) => here(&mut matrix.selector.shift),
        // What is inside is asked at the times of the subquery.
        ExprKind::Subquery(subquery) => here(&mut subquery.shift),
        ExprKind::Unary(unary) => pin(&mut unary.of, at),
        ExprKind::Paren(inner) => pin(inner, at),
        ExprKind::Binary(binary) => pin(&mut binary.left, at) && pin(&mut binary.right, at),
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.as_mut().is_none_or(|param| pin(param, at)) && pin(&mut aggregate.of, at)
        }
        ExprKind::Call(call) => {
            !TIMELY.contains(&call.function.name) && call.args.iter_mut().all(|arg| pin(arg, at))
        }
    }
}
