//! Selectors and what follows them: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`.

use ph_model::{MatchOp, Matcher};

use super::Parser;
use crate::ast::{At, Edges, Expr, ExprKind, Length, Matrix, Selector, Shift, Subquery};
use crate::error::{ParseError, Span};
use crate::lex::{Kind, Sign};

/// Keywords that are no metric's name where an expression begins.
pub(super) fn is_reserved(word: &str) -> bool {
    const WORDS: &[&str] = &["on", "ignoring", "group_left", "group_right", "bool", "atan2"];
    WORDS.iter().any(|w| w.eq_ignore_ascii_case(word))
}

impl Parser<'_> {
    pub(super) fn selector(&mut self) -> Result<Expr, ParseError> {
        let start = self.peek();
        let mut matchers = Vec::new();
        let mut span = start.span;
        if start.kind == Kind::Name {
            if is_reserved(self.text(start)) {
                return Err(self.unexpected("", "an expression"));
            }
            self.next();
            matchers.push(Matcher::equal("__name__", self.text(start)));
        }
        if self.is(Sign::OpenBrace) {
            self.next();
            span = span.to(self.matchers(&mut matchers)?);
        }
        // A name before the braces stands alone; inside them there may be more conditions on it.
        if start.kind == Kind::Name
            && let [first, rest @ ..] = matchers.as_slice()
            && let Some(second) = rest.iter().find(|m| m.name == "__name__")
        {
            let text = format!("metric name must not be set twice: {:?} or {:?}", first.value, second.value);
            return Err(self.fault(span, text));
        }
        let selector = Selector { matchers, shift: Shift::default(), edges: Edges::Plain };
        self.build(ExprKind::Vector(selector), span)
    }

    fn matchers(&mut self, into: &mut Vec<Matcher>) -> Result<Span, ParseError> {
        while !self.is(Sign::CloseBrace) {
            let token = self.peek();
            let name = match token.kind {
                Kind::Name => self.text(token).to_owned(),
                Kind::Text => self.string(token)?,
                _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
            };
            self.next();
            let op = match self.peek().kind {
                Kind::Sign(Sign::Equals) => Some(MatchOp::Equal),
                Kind::Sign(Sign::NotSame) => Some(MatchOp::NotEqual),
                Kind::Sign(Sign::Matches) => Some(MatchOp::Regex),
                Kind::Sign(Sign::NotMatches) => Some(MatchOp::NotRegex),
                _ => None,
            };
            match op {
                Some(op) => {
                    self.next();
                    let value = self.peek();
                    if value.kind != Kind::Text {
                        return Err(self.unexpected("label matching", "string"));
                    }
                    self.next();
                    let matcher = Matcher { name, op, value: self.string(value)? };
                    crate::regexp::check(&matcher)
                        .map_err(|why| self.fault(token.span.to(value.span), why))?;
                    into.push(matcher);
                }
                // `{"the.metric"}`: a quoted name alone is the metric's.
                None if token.kind == Kind::Text => {
                    let first = into.iter().all(|m| m.name != "__name__");
                    into.insert(if first { 0 } else { into.len() }, Matcher::equal("__name__", name));
                }
                None => return Err(self.unexpected("label matching", "label matching operator")),
            }
            if !self.take(Sign::Comma) && !self.is(Sign::CloseBrace) {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
        }
        Ok(self.next().span)
    }

    pub(super) fn postfix(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        loop {
            let token = self.peek();
            expr = if self.take(Sign::OpenBracket) {
                self.bracket(expr)?
            } else if self.take(Sign::At) {
                let at = self.at_time(expr.span)?;
                let end = self.last_span();
                shifted(expr, end, |shift| shift.at.replace(at).is_none())
                    .map_err(|(why, span)| self.fault(span, self.shift_fault(why, Word::At)))?
            } else if self.is_word("offset") {
                self.next();
                let offset = self.offset()?;
                let end = self.last_span();
                shifted(expr, end, |shift| shift.offset.replace(offset).is_none_or(|old| is_zero(&old)))
                    .map_err(|(why, span)| self.fault(span, self.shift_fault(why, Word::Offset)))?
            } else if self.is_word("anchored") || self.is_word("smoothed") {
                self.next();
                let edges = if self.text(token).eq_ignore_ascii_case("anchored") {
                    Edges::Anchored
                } else {
                    Edges::Smoothed
                };
                self.edged(expr, edges)?
            } else {
                return Ok(expr);
            };
            if expr.depth > super::MAX_DEPTH {
                return Err(self.too_deep(expr.span));
            }
        }
    }

    fn last_span(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|t| t.span).unwrap_or_default()
    }

    fn shift_fault(&self, why: ShiftFault, word: Word) -> String {
        match (why, word) {
            (ShiftFault::Twice, Word::Offset) => "offset may not be set multiple times".to_owned(),
            (ShiftFault::Twice, Word::At) => "@ <timestamp> may not be set multiple times".to_owned(),
            (ShiftFault::Place, word) => {
                let word = if word == Word::At { "@" } else { "offset" };
                format!(
                    "{word} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
                )
            }
        }
    }

    fn edged(&self, mut expr: Expr, edges: Edges) -> Result<Expr, ParseError> {
        let word = if edges == Edges::Anchored { "anchored" } else { "smoothed" };
        let span = expr.span;
        let selector = match &mut expr.kind {
            ExprKind::Vector(selector) => selector,
            ExprKind::Matrix(matrix) => &mut matrix.selector,
            ExprKind::Subquery(_) => {
                return Err(self.fault(span, format!("{word} modifier is not supported for subqueries")));
            }
            _ => {
                let text = format!(
                    "{word} modifier must be preceded by an instant vector selector or range vector selector"
                );
                return Err(self.fault(span, text));
            }
        };
        if selector.edges != Edges::Plain && selector.edges != edges {
            return Err(self.fault(span, "anchored and smoothed modifiers cannot be used together"));
        }
        selector.edges = edges;
        expr.span = span.to(self.last_span());
        Ok(expr)
    }

    /// `@ 123.4`, `@ start()`, `@ end()`.
    fn at_time(&mut self, of: Span) -> Result<At, ParseError> {
        for (name, at) in [("start", At::Start), ("end", At::End)] {
            if self.is_word(name) && self.ahead(1).kind == Kind::Sign(Sign::OpenParen) {
                self.at += 2;
                self.want(Sign::CloseParen, "@")?;
                return Ok(at);
            }
        }
        let negative = self.is(Sign::Minus);
        if negative || self.is(Sign::Plus) {
            self.next();
        }
        let token = self.peek();
        if !matches!(token.kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected("@", "timestamp"));
        }
        self.next();
        let value = self.number(token)?.value;
        let seconds = if negative { -value } else { value };
        let ms = seconds * 1000.0;
        if !ms.is_finite() || ms.abs() >= i64::MAX as f64 {
            let seconds = crate::number::fixed(seconds);
            return Err(self.fault(of, format!("timestamp out of bounds for @ modifier: {seconds}")));
        }
        Ok(At::Time(ms.round() as i64))
    }

    /// After `[`: a range `5m]` or a subquery `1h:30s]`.
    fn bracket(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let open = self.last_span();
        let range = self.length("subquery or range selector")?;
        if self.take(Sign::Colon) {
            let step =
                if self.is(Sign::CloseBracket) { None } else { Some(self.length("subquery selector")?) };
            let end = self.want(Sign::CloseBracket, "subquery selector")?;
            self.positive(&range)?;
            if let Some(step) = &step {
                self.positive(step)?;
            }
            let span = expr.span.to(end.span);
            let subquery = Subquery { of: expr, range, step, shift: Shift::default() };
            return self.build(ExprKind::Subquery(Box::new(subquery)), span);
        }
        let end = self.want(Sign::CloseBracket, "subquery or range")?;
        self.positive(&range)?;
        let span = expr.span.to(end.span);
        let brackets = open.to(end.span);
        match expr.kind {
            ExprKind::Vector(selector) if selector.shift.offset.as_ref().is_some_and(|o| !is_zero(o)) => {
                Err(self.fault(brackets, "no offset modifiers allowed before range"))
            }
            ExprKind::Vector(selector) if selector.shift.at.is_some() => {
                Err(self.fault(brackets, "no @ modifiers allowed before range"))
            }
            ExprKind::Vector(selector) => self.build(ExprKind::Matrix(Matrix { selector, range }), span),
            _ => Err(self.fault(brackets, "ranges only allowed for vector selectors")),
        }
    }

    /// A length that is written as none at all is refused; what is worked out is looked at when it is.
    fn positive(&self, length: &Length) -> Result<(), ParseError> {
        match length.literal() {
            Some(seconds) if seconds.is_nan() => Err(self.fault(length.span, "duration is NaN or infinite")),
            Some(seconds) if seconds <= 0.0 => {
                Err(self.fault(length.span, "duration must be greater than 0"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether an offset is written as none at all, which counts as not written.
fn is_zero(offset: &Length) -> bool {
    offset.literal() == Some(0.0)
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Offset,
    At,
}

#[derive(Clone, Copy)]
enum ShiftFault {
    Twice,
    Place,
}

fn shifted(
    mut expr: Expr,
    end: Span,
    set: impl FnOnce(&mut Shift) -> bool,
) -> Result<Expr, (ShiftFault, Span)> {
    let span = expr.span;
    let shift = match &mut expr.kind {
        ExprKind::Vector(selector) => &mut selector.shift,
        ExprKind::Matrix(matrix) => &mut matrix.selector.shift,
        ExprKind::Subquery(subquery) => &mut subquery.shift,
        _ => return Err((ShiftFault::Place, span)),
    };
    if !set(shift) {
        return Err((ShiftFault::Twice, span));
    }
    expr.span = span.to(end);
    Ok(expr)
}
