//! Calls of functions and aggregations.

use super::Parser;
use crate::ast::{Aggregate, AggregateOp, Call, Expr, ExprKind, Grouping};
use crate::error::{ParseError, Span};
use crate::functions::function;
use crate::lex::{Kind, Sign};

impl Parser<'_> {
    pub(super) fn call(&mut self) -> Result<Expr, ParseError> {
        let token = self.next();
        let name = self.text(token);
        let Some(function) = function(name) else {
            let more = match name {
                "holt_winters" => "; it is called double_exponential_smoothing now".to_owned(),
                _ => nearest(name).map_or_else(String::new, |near| format!("; did you mean {near:?}?")),
            };
            return Err(self.fault(token.span, format!("unknown function with name {name:?}{more}")));
        };
        let (args, end) = self.args("function call")?;
        self.build(ExprKind::Call(Call { function, args }), token.span.to(end))
    }

    pub(super) fn aggregate(&mut self, op: AggregateOp) -> Result<Expr, ParseError> {
        let token = self.next();
        let before = self.grouping()?;
        if !self.is(Sign::OpenParen) {
            return Err(self.unexpected("aggregation", "\"(\""));
        }
        let (mut args, mut end) = self.args("aggregation")?;
        let mut grouping = before;
        if grouping.is_none() {
            grouping = self.grouping()?;
            if grouping.is_some() {
                end = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(end, |t| t.span);
            }
        }
        let span = token.span.to(end);
        let wanted = 1 + usize::from(op.param().is_some());
        if args.is_empty() {
            return Err(self.fault(span, "no arguments for aggregate expression provided"));
        }
        if args.len() != wanted {
            let text = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            return Err(self.fault(span, text));
        }
        let Some(of) = args.pop() else {
            return Err(self.fault(span, "no arguments for aggregate expression provided"));
        };
        let aggregate =
            Aggregate { op, param: args.pop(), of, grouping: grouping.unwrap_or(Grouping::By(Vec::new())) };
        self.build(ExprKind::Aggregate(Box::new(aggregate)), span)
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let by = self.is_word("by");
        if !by && !self.is_word("without") {
            return Ok(None);
        }
        self.next();
        let labels = self.label_list("grouping opts")?;
        Ok(Some(if by { Grouping::By(labels) } else { Grouping::Without(labels) }))
    }

    fn args(&mut self, place: &str) -> Result<(Vec<Expr>, Span), ParseError> {
        self.want(Sign::OpenParen, place)?;
        let mut args = Vec::new();
        if self.is(Sign::CloseParen) {
            return Ok((args, self.next().span));
        }
        loop {
            args.push(self.expr(0)?);
            if self.is(Sign::CloseParen) {
                return Ok((args, self.next().span));
            }
            if !self.is(Sign::Comma) {
                return Err(self.unexpected(place, "\",\", \")\" or an operator"));
            }
            let comma = self.next().span;
            if self.is(Sign::CloseParen) {
                return Err(self.fault(comma, "trailing commas not allowed in function call args"));
            }
        }
    }

    /// `(a, b, "c d",)`.
    pub(super) fn label_list(&mut self, place: &str) -> Result<Vec<String>, ParseError> {
        self.want(Sign::OpenParen, place)?;
        let mut labels: Vec<String> = Vec::new();
        while !self.is(Sign::CloseParen) {
            let token = self.peek();
            let label = match token.kind {
                Kind::Name => self.text(token).to_owned(),
                Kind::Text => self.string(token)?,
                _ => return Err(self.unexpected(place, "label")),
            };
            if label.is_empty() {
                return Err(self.fault(token.span, format!("invalid label name for grouping: {label:?}")));
            }
            self.next();
            labels.push(label);
            if !self.take(Sign::Comma) && !self.is(Sign::CloseParen) {
                return Err(self.unexpected(place, "\",\" or \")\""));
            }
        }
        self.next();
        Ok(labels)
    }
}

/// The name of a function that a wrong one was probably meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if name.len() > 40 {
        return None;
    }
    let best = crate::functions::FUNCTIONS.iter().map(|f| (distance(&lower, f.name), f.name)).min()?;
    (best.0 <= 2).then_some(best.1)
}

fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let cost = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
