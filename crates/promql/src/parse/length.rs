//! Durations and duration expressions.

use super::Parser;
use crate::ast::{BinaryOp, Length, LengthKind, Number};
use crate::error::ParseError;
use crate::lex::{Kind, Sign, Token};

/// What a length is read from.
const EXPECTED: &str = "number, duration, step(), or range()";
const UNARY: u8 = 5;

impl Parser<'_> {
    /// A length in brackets, with operators.
    pub(super) fn length(&mut self, place: &str) -> Result<Length, ParseError> {
        self.length_above(place, 0)
    }

    /// After `offset`: one signed number or function, whose operators belong to the expression around it; behind a plain
    /// parenthesis or a second sign they belong to the length.
    pub(super) fn offset(&mut self) -> Result<Length, ParseError> {
        let signed = |token: Token| matches!(token.kind, Kind::Sign(Sign::Plus | Sign::Minus));
        let whole = self.is(Sign::OpenParen) || (signed(self.peek()) && signed(self.ahead(1)));
        if !whole {
            return self.deeper(|parser| parser.length_operand("offset", UNARY + 1));
        }
        let length = self.length_above("offset", 0)?;
        let span = length.span;
        // In parentheses it reads back as one length.
        Ok(match length.kind {
            LengthKind::Binary(..) => Length { kind: LengthKind::Paren(Box::new(length)), span },
            _ => length,
        })
    }

    fn length_above(&mut self, place: &str, weakest: u8) -> Result<Length, ParseError> {
        let mut left = self.deeper(|parser| parser.length_operand(place, UNARY))?;
        let mut levels = 0;
        while let Some((op, tokens)) = self.binary_op().filter(|(op, _)| is_length_op(*op)) {
            if op.strength() <= weakest {
                break;
            }
            let sign = self.peek().span;
            self.at += tokens;
            let tighter = if op == BinaryOp::Pow { op.strength() - 1 } else { op.strength() };
            let right = self.deeper(|parser| parser.length_above(place, tighter))?;
            if matches!(op, BinaryOp::Div | BinaryOp::Mod) && right.literal() == Some(0.0) {
                let what = if op == BinaryOp::Div { "division by zero" } else { "modulo by zero" };
                return Err(self.fault(sign, what));
            }
            let span = left.span.to(right.span);
            left = Length { kind: LengthKind::Binary(op, Box::new(left), Box::new(right)), span };
            levels += 1;
            if levels > super::MAX_DEPTH {
                return Err(self.too_deep(span));
            }
        }
        Ok(left)
    }

    fn length_operand(&mut self, place: &str, unary: u8) -> Result<Length, ParseError> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next();
                let number = self.number(token)?;
                if number.value.abs() > crate::number::MAX_DURATION_MS as f64 / 1000.0 {
                    return Err(self.fault(token.span, "duration out of range"));
                }
                Ok(Length { kind: LengthKind::Number(number), span: token.span })
            }
            Kind::Sign(sign @ (Sign::Minus | Sign::Plus)) => {
                self.next();
                // `offset -2^2` is `(… offset -2)^2`: there the sign takes one operand and no operator.
                let of = if unary > UNARY {
                    self.deeper(|parser| parser.length_operand(place, unary))?
                } else {
                    self.deeper(|parser| parser.length_above(place, unary))?
                };
                let span = token.span.to(of.span);
                let kind = match (sign, of.kind) {
                    (Sign::Plus, kind) => kind,
                    (_, LengthKind::Number(n)) => LengthKind::Number(Number { value: -n.value, ..n }),
                    (_, kind) => LengthKind::Negative(Box::new(Length { kind, span: of.span })),
                };
                Ok(Length { kind, span })
            }
            Kind::Sign(Sign::OpenParen) => {
                self.next();
                let inner = self.length_above(place, 0)?;
                let end = self.want(Sign::CloseParen, place)?;
                Ok(Length { kind: LengthKind::Paren(Box::new(inner)), span: token.span.to(end.span) })
            }
            Kind::Name => self.length_function(place),
            _ => Err(self.unexpected(place, EXPECTED)),
        }
    }

    fn length_function(&mut self, place: &str) -> Result<Length, ParseError> {
        let token = self.peek();
        let word = self.text(token).to_ascii_lowercase();
        let kind = match word.as_str() {
            "step" | "range" => {
                self.next();
                self.want(Sign::OpenParen, place)?;
                if word == "step" { LengthKind::Step } else { LengthKind::Range }
            }
            "min_of" | "max_of" => {
                self.next();
                self.want(Sign::OpenParen, place)?;
                let a = Box::new(self.length_above(place, 0)?);
                self.want(Sign::Comma, place)?;
                let b = Box::new(self.length_above(place, 0)?);
                if word == "min_of" { LengthKind::Least(a, b) } else { LengthKind::Most(a, b) }
            }
            _ => return Err(self.unexpected(place, EXPECTED)),
        };
        let end = self.want(Sign::CloseParen, place)?;
        Ok(Length { kind, span: token.span.to(end.span) })
    }
}

fn is_length_op(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow
    )
}

impl Length {
    /// The value of a bare number.
    pub(super) fn literal(&self) -> Option<f64> {
        match &self.kind {
            LengthKind::Number(n) => Some(n.value),
            _ => None,
        }
    }
}
