//! Tokens to expressions: a Pratt parser, bounded in depth and size.
//!
//! Out:    an expression that passed the type check, or an error that points at a token and says what was expected.
//! Source: the precedences of <https://prometheus.io/docs/prometheus/latest/querying/operators/>.

mod binary;
mod call;
mod length;
mod selector;

use crate::ast::{Expr, ExprKind, Number, Unary};
use crate::error::{ParseError, Span};
use crate::lex::{Kind, Sign, Token, lex};
use crate::{number, text};

/// The longest text of an expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 256 * 1024;
/// The most levels of an expression's tree.
pub const MAX_DEPTH: usize = 256;

/// The strength of unary minus: that of `*`, so that `-2^2` is `-(2^2)`.
const UNARY: u8 = 5;

/// Reads an expression and checks its types.
///
/// Errors: what was found and expected, with its place. Cost: linear in the text; recursion is bounded.
pub fn parse(source: &str) -> Result<Expr, ParseError> {
    if source.len() > MAX_EXPRESSION_BYTES {
        let text = format!(
            "the expression has {} bytes, more than {MAX_EXPRESSION_BYTES}; split it, or match a regular expression \
             instead of a list",
            source.len()
        );
        return Err(ParseError::new(source, Span::new(0, 0), text));
    }
    let mut parser = Parser { source, tokens: lex(source)?, at: 0, depth: 0 };
    if parser.peek().kind == Kind::End {
        return Err(parser.fault(Span::new(0, 0), "no expression found in input"));
    }
    let expr = parser.expr(0)?;
    if parser.peek().kind != Kind::End {
        return Err(parser.unexpected("", "an operator or the end"));
    }
    crate::check::check(source, &expr)?;
    Ok(expr)
}

/// Reads one selector, as `match[]` parameters hold: a name, braces, or both.
pub fn parse_selector(source: &str) -> Result<Vec<ph_model::Matcher>, ParseError> {
    let expr = parse(source)?;
    match expr.kind {
        ExprKind::Vector(selector) if selector.shift == crate::ast::Shift::default() => Ok(selector.matchers),
        _ => Err(ParseError::new(source, expr.span, "expected a series selector, such as up{job=\"api\"}")),
    }
}

/// Whether a metric of this name needs quotes where an expression begins.
pub(crate) fn is_reserved_name(name: &str) -> bool {
    selector::is_reserved(name) || name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("nan")
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Token {
        let end = Token { kind: Kind::End, span: Span::new(self.source.len(), self.source.len()) };
        self.tokens.get(self.at + by).copied().unwrap_or(end)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn text(&self, token: Token) -> &'a str {
        self.source.get(token.span.start..token.span.end).unwrap_or_default()
    }

    fn is(&self, sign: Sign) -> bool {
        self.peek().kind == Kind::Sign(sign)
    }

    fn take(&mut self, sign: Sign) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, sign: Sign, place: &str) -> Result<Token, ParseError> {
        if self.is(sign) {
            Ok(self.next())
        } else {
            Err(self.unexpected(place, &format!("{:?}", sign.text())))
        }
    }

    /// Whether the next token is this keyword, in any case of letters.
    fn is_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Name && self.text(token).eq_ignore_ascii_case(word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn fault(&self, span: Span, text: impl Into<String>) -> ParseError {
        ParseError::new(self.source, span, text)
    }

    /// `unexpected X in PLACE, expected Y`.
    fn unexpected(&self, place: &str, expected: &str) -> ParseError {
        let token = self.peek();
        if token.kind == Kind::End
            && let Some(open) = self.unclosed()
        {
            return self.fault(token.span, open);
        }
        let what = match token.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Name => format!("identifier {:?}", self.text(token)),
            Kind::Number => format!("number {:?}", self.text(token)),
            Kind::Duration => format!("duration {:?}", self.text(token)),
            Kind::Text => format!("string {}", self.text(token)),
            Kind::Sign(sign) => format!("{:?}", sign.text()),
        };
        let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
        let expected = if expected.is_empty() { String::new() } else { format!(", expected {expected}") };
        self.fault(token.span, format!("unexpected {what}{place}{expected}"))
    }

    /// What is still open at the end.
    fn unclosed(&self) -> Option<&'static str> {
        let count = |sign: Sign| self.tokens.iter().filter(|t| t.kind == Kind::Sign(sign)).count();
        if count(Sign::OpenBrace) > count(Sign::CloseBrace) {
            Some("unexpected end of input inside braces")
        } else if count(Sign::OpenParen) > count(Sign::CloseParen) {
            Some("unclosed left parenthesis")
        } else if count(Sign::OpenBracket) > count(Sign::CloseBracket) {
            Some("unclosed left bracket")
        } else {
            None
        }
    }

    /// Runs one level deeper, within the limit.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep(self.peek().span));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&self, span: Span) -> ParseError {
        self.fault(
            span,
            format!("the expression has more than {MAX_DEPTH} levels; split it, or use recording rules"),
        )
    }

    fn build(&self, kind: ExprKind, span: Span) -> Result<Expr, ParseError> {
        let expr = Expr::new(kind, span);
        if expr.depth > MAX_DEPTH { Err(self.too_deep(span)) } else { Ok(expr) }
    }

    /// An expression whose operators bind more tightly than `weakest`.
    fn expr(&mut self, weakest: u8) -> Result<Expr, ParseError> {
        let mut left = self.deeper(Self::operand)?;
        while let Some((op, words)) = self.binary_op() {
            let strength = op.strength();
            if strength <= weakest {
                break;
            }
            left = self.binary(left, op, words)?;
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr, ParseError> {
        let token = self.peek();
        match token.kind {
            Kind::Sign(sign @ (Sign::Minus | Sign::Plus)) => {
                self.next();
                let of = self.expr(UNARY)?;
                let span = token.span.to(of.span);
                let negative = sign == Sign::Minus;
                if let ExprKind::Number(n) = of.kind {
                    let value = if negative { -n.value } else { n.value };
                    return self.build(ExprKind::Number(Number { value, ..n }), span);
                }
                self.build(ExprKind::Unary(Box::new(Unary { negative, of })), span)
            }
            _ => {
                let primary = self.primary()?;
                self.postfix(primary)
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let token = self.peek();
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next();
                let number = self.number(token)?;
                self.build(ExprKind::Number(number), token.span)
            }
            Kind::Text => {
                self.next();
                let literal = self.text(token);
                let value = text::unquote_shown(literal).map_err(|why| self.unquoted(token, why))?;
                self.build(ExprKind::Text(value), token.span)
            }
            Kind::Sign(Sign::OpenParen) => {
                self.next();
                let inner = self.expr(0)?;
                if !self.is(Sign::CloseParen) {
                    let expected =
                        if self.peek().kind == Kind::End { "\")\"" } else { "an operator or \")\"" };
                    return Err(self.unexpected("paren expression", expected));
                }
                let end = self.next();
                self.build(ExprKind::Paren(Box::new(inner)), token.span.to(end.span))
            }
            Kind::Sign(Sign::OpenBrace) => self.selector(),
            Kind::Name => self.named(token),
            _ => Err(self.unexpected("", "an expression")),
        }
    }

    /// What begins with a name: an aggregation, a call, a selector.
    fn named(&mut self, token: Token) -> Result<Expr, ParseError> {
        let word = self.text(token);
        let after = self.ahead(1);
        let opens = after.kind == Kind::Sign(Sign::OpenParen);
        let groups = after.kind == Kind::Name
            && ["by", "without"].iter().any(|w| self.text(after).eq_ignore_ascii_case(w))
            && self.ahead(2).kind == Kind::Sign(Sign::OpenParen);
        if let Some(op) = crate::ast::AggregateOp::of(word)
            && (opens || groups)
        {
            return self.aggregate(op);
        }
        if opens && !selector::is_reserved(word) {
            return self.call();
        }
        self.selector()
    }

    fn number(&self, token: Token) -> Result<Number, ParseError> {
        let text = self.text(token);
        let value = match token.kind {
            Kind::Duration => number::parse_duration(text).map(|ms| ms as f64 / 1000.0),
            _ => number::parse_number(text),
        };
        let value = value.ok_or_else(|| self.fault(token.span, format!("error parsing number: {text:?}")))?;
        Ok(Number { value, is_duration: token.kind == Kind::Duration })
    }

    fn string(&self, token: Token) -> Result<String, ParseError> {
        text::unquote(self.text(token)).map_err(|why| self.unquoted(token, why))
    }

    fn unquoted(&self, token: Token, why: &str) -> ParseError {
        self.fault(token.span, format!("error unquoting string {}: {why}", self.text(token)))
    }
}

#[cfg(test)]
mod tests;
