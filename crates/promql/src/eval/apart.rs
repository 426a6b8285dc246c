//! Whether the steps of a range query can be worked out apart and then give the very same answer together.
//!
//! In:     an expression that passed the type check.
//! Out:    yes only when labels, values and faults of each step are, to the last bit, those of the step alone; perhaps, where an
//!         evaluation has to tell whether it came to a choice that the order of series decided.
//! Never:  looks at limits, at notes, or at what a source makes of a shorter range.
//!
//! Three things tie steps to each other: what names the query's range, such as `start()`, or asks whether there is one
//! step alone, such as `sort`; rules over whole series, such as that of `rate` over series that differ in their names
//! alone; and the order of series, where an aggregation depends on it to the last bit and what is there at one step
//! decides about it for all.

use std::cell::Cell;

use super::grid::{Names, names};
use crate::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Expr, ExprKind, Grouping, Length, Shift,
};
use crate::functions::Type;
use crate::length;

/// Whether steps can be worked out apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    Never,
    /// As long as no answer says that it chose [by order](crate::Answer::by_order).
    UnlessByOrder,
    Always,
}

/// In which order the series of an expression come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Two of them always in the same one, whatever steps are asked for.
    Fixed,
    /// It may depend on which are there at the first steps.
    Loose,
}

/// See the module's description.
pub fn steps_apart(expr: &Expr) -> Apart {
    let chooses = Cell::new(false);
    match order(expr, &chooses) {
        None => Apart::Never,
        Some(_) if chooses.get() => Apart::UnlessByOrder,
        Some(_) => Apart::Always,
    }
}

/// `None`: steps depend on each other. `chooses` is set where the order may decide between equals.
fn order(expr: &Expr, chooses: &Cell<bool>) -> Option<Order> {
    let order = |expr: &Expr| order(expr, chooses);
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => Some(Order::Fixed),
        ExprKind::Vector(selector) => stands(&selector.shift).then_some(Order::Fixed),
        ExprKind::Matrix(matrix) => {
            (stands(&matrix.selector.shift) && is_constant(&matrix.range)).then_some(Order::Fixed)
        }
        ExprKind::Subquery(subquery) => {
            let lengths = is_constant(&subquery.range) && subquery.step.as_ref().is_none_or(is_constant);
            if lengths && stands(&subquery.shift) { order(&subquery.of) } else { None }
        }
        ExprKind::Unary(unary) if unary.negative => Some(unnamed(order(&unary.of)?, &unary.of)),
        ExprKind::Unary(unary) => order(&unary.of),
        ExprKind::Paren(inner) => order(inner),
        ExprKind::Binary(binary) => of_binary(binary, (order(&binary.left)?, order(&binary.right)?)),
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.as_ref().map_or(Some(Order::Fixed), order)?;
            of_aggregate(aggregate, order(&aggregate.of)?, chooses)
        }
        ExprKind::Call(call) => {
            let orders: Option<Vec<Order>> = call.args.iter().map(order).collect();
            of_call(call, &orders?)
        }
    }
}

/// Whether it is the same whatever the query's range is.
fn stands(shift: &Shift) -> bool {
    !matches!(shift.at, Some(At::Start | At::End)) && shift.offset.as_ref().is_none_or(is_constant)
}

fn is_constant(of: &Length) -> bool {
    length::constant(of).is_some()
}

/// Series that differ in their names alone become one without them, where the first of them stood.
fn unnamed(order: Order, from: &Expr) -> Order {
    if names(from) == Names::Many { Order::Loose } else { order }
}

fn of_binary(binary: &Binary, (left, right): (Order, Order)) -> Option<Order> {
    let renames = binary.op.is_arithmetic() || binary.returns_bool;
    let with_scalar = |order: Order, of: &Expr| if renames { unnamed(order, of) } else { order };
    match (binary.left.gives(), binary.right.gives()) {
        // They end with a fault as soon as there is a series at all.
        _ if binary.op.is_trim() => None,
        (Type::Scalar, Type::Scalar) => Some(Order::Fixed),
        (Type::Scalar, _) => Some(with_scalar(right, &binary.right)),
        (_, Type::Scalar) => Some(with_scalar(left, &binary.left)),
        _ if matches!(binary.op, BinaryOp::And | BinaryOp::Unless) => Some(left),
        _ => Some(Order::Loose),
    }
}

fn of_aggregate(aggregate: &Aggregate, of: Order, chooses: &Cell<bool>) -> Option<Order> {
    use AggregateOp as Op;
    let counts = || aggregate.param.as_ref().is_some_and(is_number);
    let choosing = || {
        chooses.set(chooses.get() || of == Order::Loose);
        true
    };
    let possible = match aggregate.op {
        Op::Count | Op::Group | Op::CountValues => true,
        // Wrong numbers are looked for among those of all steps.
        Op::LimitRatio => counts(),
        Op::Topk | Op::Bottomk | Op::Limitk => counts() && choosing(),
        Op::Min | Op::Max => choosing(),
        Op::Sum | Op::Avg | Op::Stddev | Op::Stdvar | Op::Quantile => of == Order::Fixed,
    };
    let one = matches!(&aggregate.grouping, Grouping::By(labels) if labels.is_empty());
    let many_of_one = aggregate.op.picks() || aggregate.op == Op::CountValues;
    possible.then_some(if one && !many_of_one { Order::Fixed } else { Order::Loose })
}

fn is_number(expr: &Expr) -> bool {
    match &expr.bare().kind {
        ExprKind::Number(_) => true,
        ExprKind::Unary(unary) => is_number(&unary.of),
        _ => false,
    }
}

fn of_call(call: &Call, orders: &[Order]) -> Option<Order> {
    let mut args = call.args.iter().zip(orders.iter().copied());
    if let Some((of, order)) = args.clone().find(|(arg, _)| arg.gives() == Type::Matrix) {
        return of_range_call(call, of, order);
    }
    match call.function.name {
        "start" | "end" | "range" | "step" | "sort" | "sort_desc" | "sort_by_label"
        | "sort_by_label_desc" | "info" | "histogram_avg" | "histogram_count" | "histogram_sum"
        | "histogram_stddev" | "histogram_stdvar" => None,
        "label_replace"
        | "label_join"
        | "histogram_quantile"
        | "histogram_quantiles"
        | "histogram_fraction" => Some(Order::Loose),
        "absent" | "scalar" | "vector" => Some(Order::Fixed),
        _ => match args.next() {
            Some((of, order)) if of.gives() == Type::Vector => Some(unnamed(order, of)),
            _ => Some(Order::Fixed),
        },
    }
}

fn of_range_call(call: &Call, of: &Expr, order: Order) -> Option<Order> {
    match call.function.name {
        "absent_over_time" => Some(Order::Fixed),
        "first_over_time" | "last_over_time" => Some(order),
        // Names that differ are refused although no step has two of them.
        _ if names(of) == Names::Many => None,
        _ => Some(order),
    }
}

#[cfg(test)]
mod tests;
