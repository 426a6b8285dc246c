//! Binary operators with their modifiers: `bool`, `on`, `ignoring`, `group_left`, `group_right`, `fill…`.

use super::Parser;
use crate::ast::{Binary, BinaryOp, Expr, ExprKind, Fill, Group, MatchLabels, Matching, OpSpan};
use crate::error::ParseError;
use crate::lex::{Kind, Sign};

impl Parser<'_> {
    /// The operator that stands next, and how many tokens it takes.
    pub(super) fn binary_op(&self) -> Option<(BinaryOp, usize)> {
        let token = self.peek();
        let op = match token.kind {
            Kind::Sign(sign) => match sign {
                Sign::Plus => BinaryOp::Add,
                Sign::Minus => BinaryOp::Sub,
                Sign::Times => BinaryOp::Mul,
                Sign::Over => BinaryOp::Div,
                Sign::Modulo => BinaryOp::Mod,
                Sign::Power => BinaryOp::Pow,
                Sign::Same => BinaryOp::Equal,
                Sign::NotSame => BinaryOp::NotEqual,
                Sign::Less => BinaryOp::Less,
                Sign::AtMost => BinaryOp::LessEqual,
                Sign::Greater => BinaryOp::Greater,
                Sign::AtLeast => BinaryOp::GreaterEqual,
                Sign::TrimUpper => BinaryOp::TrimUpper,
                Sign::TrimLower => BinaryOp::TrimLower,
                _ => return None,
            },
            Kind::Name => match self.text(token).to_ascii_lowercase().as_str() {
                "and" => BinaryOp::And,
                "or" => BinaryOp::Or,
                "unless" => BinaryOp::Unless,
                "atan2" => BinaryOp::Atan2,
                _ => return None,
            },
            _ => return None,
        };
        Some((op, 1))
    }

    pub(super) fn binary(&mut self, left: Expr, op: BinaryOp, tokens: usize) -> Result<Expr, ParseError> {
        let begin = self.peek().span;
        self.at += tokens;
        let returns_bool = self.take_word("bool");
        let matching = self.matching()?;
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(begin, |t| t.span);
        // `^` is right-associative: its right side may hold another one.
        let weakest = if op == BinaryOp::Pow { op.strength() - 1 } else { op.strength() };
        let right = self.deeper(|parser| parser.expr(weakest))?;
        let span = left.span.to(right.span);
        let op_span = OpSpan(begin.to(last));
        let binary = Binary { op, left, right, returns_bool, matching, op_span };
        self.build(ExprKind::Binary(Box::new(binary)), span)
    }

    fn matching(&mut self) -> Result<Matching, ParseError> {
        let mut matching = Matching::default();
        let on = self.is_word("on");
        if on || self.is_word("ignoring") {
            self.next();
            let labels = self.label_list("grouping opts")?;
            matching.labels = if on { MatchLabels::On(labels) } else { MatchLabels::Ignoring(labels) };
            let left = self.is_word("group_left");
            if left || self.is_word("group_right") {
                self.next();
                let labels =
                    if self.is(Sign::OpenParen) { self.label_list("grouping opts")? } else { Vec::new() };
                matching.group = if left { Group::Left(labels) } else { Group::Right(labels) };
            }
        }
        self.fills(&mut matching)?;
        Ok(matching)
    }

    fn fills(&mut self, matching: &mut Matching) -> Result<(), ParseError> {
        let opens = |parser: &Self| parser.ahead(1).kind == Kind::Sign(Sign::OpenParen);
        if self.is_word("fill") && opens(self) {
            let value = self.fill()?;
            matching.fill_left = Some(value);
            matching.fill_right = Some(value);
            return Ok(());
        }
        while opens(self) {
            let left = self.is_word("fill_left");
            if !left && !self.is_word("fill_right") {
                break;
            }
            let place = if left { &mut matching.fill_left } else { &mut matching.fill_right };
            if place.is_some() {
                break;
            }
            *place = Some(self.fill()?);
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<Fill, ParseError> {
        self.next();
        self.want(Sign::OpenParen, "fill modifier")?;
        let negative = self.is(Sign::Minus);
        if negative || self.is(Sign::Plus) {
            self.next();
        }
        let token = self.peek();
        if !matches!(token.kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected("fill modifier", "a number"));
        }
        self.next();
        let value = self.number(token)?.value;
        self.want(Sign::CloseParen, "fill modifier")?;
        Ok(Fill(if negative { -value } else { value }))
    }
}
