//! Shows how an expression is understood: its tree, for machines and for people.
//!
//! Source: the answer of Prometheus' `parse_query`, whose field names these are.

use serde_json::{Value, json};

use crate::ast::{
    Aggregate, At, Binary, Edges, Expr, ExprKind, Group, Grouping, Length, MatchLabels, Selector, Shift,
    Subquery,
};
use crate::eval::Params;
use crate::functions::{Arity, Type};
use crate::number::{duration_text, plain};

/// The tree as JSON, as Prometheus' `parse_query` gives it.
pub fn syntax_tree(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({"type": "numberLiteral", "val": plain(number.value)}),
        ExprKind::Text(text) => json!({"type": "stringLiteral", "val": text}),
        ExprKind::Paren(inner) => json!({"type": "parenExpr", "expr": syntax_tree(inner)}),
        ExprKind::Unary(unary) => {
            json!({"type": "unaryExpr", "op": if unary.negative { "-" } else { "+" }, "expr": syntax_tree(&unary.of)})
        }
        ExprKind::Vector(selector) => selector_tree("vectorSelector", selector),
        ExprKind::Matrix(matrix) => {
            let mut tree = selector_tree("matrixSelector", &matrix.selector);
            tree["range"] = millis(&matrix.range);
            tree
        }
        ExprKind::Subquery(subquery) => subquery_tree(subquery),
        ExprKind::Binary(binary) => binary_tree(binary),
        ExprKind::Aggregate(aggregate) => aggregate_tree(aggregate),
        ExprKind::Call(call) => {
            let f = call.function;
            let variadic = match f.arity {
                Arity::Exact => 0,
                Arity::OptionalLast => 1,
                Arity::Repeated(usize::MAX) => -1,
                Arity::Repeated(more) => i64::try_from(more).unwrap_or(-1),
            };
            let takes: Vec<&str> = f.takes.iter().map(|t| t.as_str()).collect();
            json!({
                "type": "call",
                "func": {"name": f.name, "argTypes": takes, "variadic": variadic, "returnType": f.gives.as_str()},
                "args": call.args.iter().map(syntax_tree).collect::<Vec<_>>(),
            })
        }
    }
}

fn millis(length: &Length) -> Value {
    crate::length::constant(length).map_or(Value::Null, |s| json!((s * 1000.0).round() as i64))
}

fn shift_into(tree: &mut Value, shift: &Shift) {
    tree["offset"] = shift.offset.as_ref().map_or(json!(0), millis);
    tree["timestamp"] = match shift.at {
        Some(At::Time(ms)) => json!(ms),
        _ => Value::Null,
    };
    tree["startOrEnd"] = match shift.at {
        Some(At::Start) => json!("start"),
        Some(At::End) => json!("end"),
        _ => Value::Null,
    };
}

fn selector_tree(kind: &str, selector: &Selector) -> Value {
    let matchers: Vec<Value> = selector
        .matchers
        .iter()
        .map(|m| json!({"name": m.name, "value": m.value, "type": serde_json::to_value(m.op).unwrap_or_default()}))
        .collect();
    let name = selector.matchers.iter().find(|m| m.name == "__name__" && m.op == ph_model::MatchOp::Equal);
    let mut tree = json!({
        "type": kind,
        "name": name.map_or("", |m| m.value.as_str()),
        "matchers": matchers,
        "anchored": selector.edges == Edges::Anchored,
        "smoothed": selector.edges == Edges::Smoothed,
    });
    shift_into(&mut tree, &selector.shift);
    tree
}

fn subquery_tree(subquery: &Subquery) -> Value {
    let mut tree = json!({
        "type": "subquery",
        "expr": syntax_tree(&subquery.of),
        "range": millis(&subquery.range),
        "step": subquery.step.as_ref().map_or(json!(0), millis),
    });
    shift_into(&mut tree, &subquery.shift);
    tree
}

fn binary_tree(binary: &Binary) -> Value {
    let (on, labels) = match &binary.matching.labels {
        MatchLabels::On(labels) => (true, labels),
        MatchLabels::Ignoring(labels) => (false, labels),
    };
    let (card, include) = match &binary.matching.group {
        Group::OneToOne if binary.op.is_set() => ("many-to-many", &[][..]),
        Group::OneToOne => ("one-to-one", &[][..]),
        Group::Left(include) => ("many-to-one", include.as_slice()),
        Group::Right(include) => ("one-to-many", include.as_slice()),
    };
    let vectors = binary.left.gives() == Type::Vector && binary.right.gives() == Type::Vector;
    let fill = |fill: Option<crate::ast::Fill>| fill.map_or(Value::Null, |f| json!(f.0));
    let matching = json!({
        "card": card,
        "labels": labels,
        "on": on,
        "include": include,
        "fillValues": {"lhs": fill(binary.matching.fill_left), "rhs": fill(binary.matching.fill_right)},
    });
    json!({
        "type": "binaryExpr",
        "op": binary.op.text(),
        "lhs": syntax_tree(&binary.left),
        "rhs": syntax_tree(&binary.right),
        "matching": if vectors { matching } else { Value::Null },
        "bool": binary.returns_bool,
    })
}

fn aggregate_tree(aggregate: &Aggregate) -> Value {
    let (without, grouping) = match &aggregate.grouping {
        Grouping::By(labels) => (false, labels),
        Grouping::Without(labels) => (true, labels),
    };
    json!({
        "type": "aggregation",
        "op": aggregate.op.text(),
        "expr": syntax_tree(&aggregate.of),
        "param": aggregate.param.as_ref().map_or(Value::Null, syntax_tree),
        "grouping": grouping,
        "without": without,
    })
}

/// The tree for people: a node a line with what it gives, then what each selector reads.
///
/// Errors: durations that are no durations for these times.
pub fn explain(expr: &Expr, params: &Params) -> Result<String, crate::error::Error> {
    let mut out = String::new();
    describe(expr, 0, &mut out);
    out.push_str("\nreads\n");
    for selection in crate::eval::selections(expr, params)? {
        let matchers = selection.matchers.clone();
        let selector = Selector { matchers, shift: Shift::default(), edges: Edges::Plain };
        let text = Expr::new(ExprKind::Vector(selector), crate::error::Span::default()).to_string();
        let span = selection.to_ms.saturating_sub(selection.from_ms).saturating_add(1);
        let behind = params.end_ms.saturating_sub(selection.to_ms);
        let behind = if behind == 0 {
            String::new()
        } else {
            format!(", ending {} before the end", duration_text(behind))
        };
        out.push_str(&format!("  {text}: {}{behind}\n", duration_text(span)));
    }
    Ok(out)
}

fn describe(expr: &Expr, level: usize, out: &mut String) {
    let what = match &expr.kind {
        ExprKind::Number(number) => format!("number {number}"),
        ExprKind::Text(text) => format!("string {text:?}"),
        ExprKind::Vector(_) | ExprKind::Matrix(_) => format!("select {expr}"),
        ExprKind::Subquery(s) => match &s.step {
            Some(step) => format!("subquery over {} every {step}{}", s.range, s.shift),
            None => format!("subquery over {} at the default step{}", s.range, s.shift),
        },
        ExprKind::Unary(u) => format!("sign {}", if u.negative { "-" } else { "+" }),
        ExprKind::Binary(b) => {
            format!("operator {}{}{}", b.op.text(), if b.returns_bool { " bool" } else { "" }, b.matching)
        }
        ExprKind::Aggregate(a) => match &a.grouping {
            Grouping::By(labels) if labels.is_empty() => format!("aggregate {}", a.op.text()),
            Grouping::By(labels) => format!("aggregate {} by ({})", a.op.text(), labels.join(", ")),
            Grouping::Without(labels) => format!("aggregate {} without ({})", a.op.text(), labels.join(", ")),
        },
        ExprKind::Call(c) => format!("function {}", c.function.name),
        ExprKind::Paren(inner) => return describe(inner, level, out),
    };
    out.push_str(&format!("{}{what} -> {}\n", "  ".repeat(level), expr.gives().documented()));
    for child in expr.children() {
        describe(child, level + 1, out);
    }
}
