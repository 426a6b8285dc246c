//! The type check: every operand and argument is what its place takes.

use ph_model::Matcher;

use crate::ast::{
    Aggregate, Binary, Call, Expr, ExprKind, Fill, Group, MatchLabels, Selector, Subquery, Unary,
};
use crate::error::{ParseError, Span};
use crate::functions::Type;
use crate::regexp::Test;

pub fn check(source: &str, expr: &Expr) -> Result<(), ParseError> {
    Check { source }.expr(expr)
}

struct Check<'a> {
    source: &'a str,
}

impl Check<'_> {
    fn fault<T>(&self, span: Span, text: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(self.source, span, text))
    }

    fn want(&self, expr: &Expr, want: Type, context: &str) -> Result<(), ParseError> {
        self.want_at(expr.span, expr.gives(), (want, context))
    }

    fn want_at(&self, span: Span, gives: Type, (want, context): (Type, &str)) -> Result<(), ParseError> {
        if gives == want {
            return Ok(());
        }
        self.fault(
            span,
            format!("expected type {} in {context}, got {}", want.documented(), gives.documented()),
        )
    }

    fn expr(&self, expr: &Expr) -> Result<(), ParseError> {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Text(_) => Ok(()),
            ExprKind::Vector(selector) => self.selector(selector, expr.span),
            ExprKind::Matrix(matrix) => self.selector(&matrix.selector, expr.span),
            ExprKind::Subquery(subquery) => self.subquery(subquery, expr.span),
            ExprKind::Unary(unary) => self.unary(unary, expr.span),
            ExprKind::Binary(binary) => self.binary(binary, expr.span),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(call, expr.span),
            ExprKind::Paren(inner) => self.expr(inner),
        }
    }

    fn selector(&self, selector: &Selector, span: Span) -> Result<(), ParseError> {
        let refuses_empty = |m: &Matcher| Test::new(m).is_ok_and(|test| !test.accepts(""));
        if !selector.matchers.iter().any(refuses_empty) {
            return self.fault(span, "vector selector must contain at least one non-empty matcher");
        }
        Ok(())
    }

    fn subquery(&self, subquery: &Subquery, span: Span) -> Result<(), ParseError> {
        let gives = subquery.of.gives();
        if gives != Type::Vector {
            let text = format!("subquery is only allowed on instant vector, got {} instead", gives.as_str());
            return self.fault(span, text);
        }
        self.expr(&subquery.of)
    }

    fn unary(&self, unary: &Unary, span: Span) -> Result<(), ParseError> {
        let gives = unary.of.gives();
        if !matches!(gives, Type::Scalar | Type::Vector) {
            let text = format!(
                "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                gives.documented()
            );
            return self.fault(span, text);
        }
        self.expr(&unary.of)
    }

    fn binary(&self, binary: &Binary, span: Span) -> Result<(), ParseError> {
        self.expr(&binary.left)?;
        self.expr(&binary.right)?;
        let op = binary.op;
        let op_span = binary.op_span.0;
        for side in [&binary.left, &binary.right] {
            if !matches!(side.gives(), Type::Scalar | Type::Vector) {
                let text = "binary expression must contain only scalar and instant vector types";
                return self.fault(side.span, text);
            }
        }
        if binary.returns_bool && !op.is_comparison() {
            return self.fault(op_span, "bool modifier can only be used on comparison operators");
        }
        let scalars = [&binary.left, &binary.right].iter().filter(|e| e.gives() == Type::Scalar).count();
        if op.is_comparison() && !binary.returns_bool && scalars == 2 {
            return self.fault(op_span, "comparisons between scalars must use BOOL modifier");
        }
        self.matching(binary, scalars, span)
    }

    fn matching(&self, binary: &Binary, scalars: usize, span: Span) -> Result<(), ParseError> {
        let op = binary.op;
        let matching = &binary.matching;
        let fills = [matching.fill_left, matching.fill_right].iter().flatten().any(|Fill(_)| true);
        if scalars > 0 {
            // Without labels they say nothing.
            if matches!(&matching.labels, MatchLabels::On(l) | MatchLabels::Ignoring(l) if !l.is_empty()) {
                return self.fault(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                return self.fault(span, "filling in missing series only allowed between instant vectors");
            }
            if op.is_set() {
                let text = format!("set operator {:?} not allowed in binary scalar expression", op.text());
                return self.fault(span, text);
            }
            return Ok(());
        }
        if op.is_set() {
            if matching.group != Group::OneToOne {
                return self.fault(span, format!("no grouping allowed for {:?} operation", op.text()));
            }
            if fills {
                return self.fault(span, "filling in missing series not allowed for set operators");
            }
        }
        if let (MatchLabels::On(on), Group::Left(include) | Group::Right(include)) =
            (&matching.labels, &matching.group)
            && let Some(label) = on.iter().find(|l| include.contains(l))
        {
            let text = format!("label {label:?} must not occur in ON and GROUP clause at once");
            return self.fault(binary.op_span.0, text);
        }
        Ok(())
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(), ParseError> {
        self.want(&aggregate.of, Type::Vector, "aggregation expression")?;
        if let (Some(param), Some(want)) = (&aggregate.param, aggregate.op.param()) {
            self.want(param, want, "aggregation parameter")?;
            self.expr(param)?;
        }
        self.expr(&aggregate.of)
    }

    fn call(&self, call: &Call, span: Span) -> Result<(), ParseError> {
        let function = call.function;
        let (least, most, given) = (function.least(), function.most(), call.args.len());
        let (name, wrong) = (function.name, given < least || most.is_some_and(|m| given > m));
        if wrong {
            let text = match most {
                Some(most) if most == least => {
                    format!("expected {least} argument(s) in call to {name:?}, got {given}")
                }
                Some(most) if given > most => {
                    format!("expected at most {most} argument(s) in call to {name:?}, got {given}")
                }
                _ => format!("expected at least {least} argument(s) in call to {name:?}, got {given}"),
            };
            return self.fault(span, text);
        }
        let context = format!("call to function {name:?}");
        for (at, arg) in call.args.iter().enumerate() {
            if let Some(want) = function.takes_at(at) {
                // What is no selector at all is told where `info` begins.
                let place = if name == "info" && at == 1 { span } else { arg.span };
                self.want_at(place, arg.gives(), (want, context.as_str()))?;
            }
            // `info`'s second argument is label matchers in the form of a selector.
            if name == "info" && at == 1 {
                self.info_labels(arg)?;
            } else {
                self.expr(arg)?;
            }
        }
        Ok(())
    }

    fn info_labels(&self, arg: &Expr) -> Result<(), ParseError> {
        if !matches!(&arg.kind, ExprKind::Vector(_)) {
            return self.fault(arg.span, "expected label selectors only");
        }
        let text = self.source.get(arg.span.start..arg.span.end).unwrap_or_default();
        if !text.starts_with('{') && !text.is_empty() {
            return self.fault(arg.span, "expected label selectors only, got vector selector instead");
        }
        Ok(())
    }
}
