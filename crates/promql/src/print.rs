//! Expressions as text that reads back as the same expression.

use std::fmt::{self, Display, Formatter};

use ph_model::{MatchOp, Matcher};

use crate::ast::{
    Aggregate, At, Binary, BinaryOp, Call, Edges, Expr, ExprKind, Fill, Group, Grouping, Length, LengthKind,
    MatchLabels, Matching, Number, Shift, Subquery, Unary,
};
use crate::number::{duration_text, plain};
use crate::text::{is_plain_label, is_plain_metric, quote};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::Text(text) => f.write_str(&quote(text)),
            ExprKind::Vector(selector) => {
                name_and_labels(&selector.matchers, f)?;
                selector.shift.fmt(f)?;
                edges(selector.edges, f)
            }
            ExprKind::Matrix(matrix) => {
                name_and_labels(&matrix.selector.matchers, f)?;
                write!(f, "[{}]", matrix.range)?;
                edges(matrix.selector.edges, f)?;
                matrix.selector.shift.fmt(f)
            }
            ExprKind::Subquery(subquery) => subquery.fmt(f),
            ExprKind::Unary(unary) => unary.fmt(f),
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Call(call) => call.fmt(f),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ms = self.value * 1000.0;
        if self.is_duration && ms.fract() == 0.0 && ms.abs() < 1e15 {
            f.write_str(&duration_text(ms as i64))
        } else {
            f.write_str(&plain(self.value))
        }
    }
}

fn edges(edges: Edges, f: &mut Formatter<'_>) -> fmt::Result {
    match edges {
        Edges::Plain => Ok(()),
        Edges::Anchored => f.write_str(" anchored"),
        Edges::Smoothed => f.write_str(" smoothed"),
    }
}

/// The text of a selector that matches these, as [`parse_selector`](crate::parse_selector) reads it.
pub fn selector_text(matchers: &[Matcher]) -> String {
    Selected(matchers).to_string()
}

struct Selected<'a>(&'a [Matcher]);

impl Display for Selected<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        name_and_labels(self.0, f)
    }
}

fn name_and_labels(matchers: &[Matcher], f: &mut Formatter<'_>) -> fmt::Result {
    let name =
        matchers.first().filter(|m| m.name == "__name__" && m.op == MatchOp::Equal && !m.value.is_empty());
    // With further conditions on the name it stands among them.
    let name = name.filter(|_| matchers.iter().filter(|m| m.name == "__name__").count() == 1);
    let rest = matchers.get(usize::from(name.is_some())..).unwrap_or_default();
    let quoted = name.filter(|m| !is_plain_metric(&m.value) || crate::parse::is_reserved_name(&m.value));
    if let Some(matcher) = name.filter(|_| quoted.is_none()) {
        f.write_str(&matcher.value)?;
    }
    if rest.is_empty() && name.is_some() && quoted.is_none() {
        return Ok(());
    }
    f.write_str("{")?;
    let mut first = true;
    if let Some(matcher) = quoted {
        f.write_str(&quote(&matcher.value))?;
        first = false;
    }
    for matcher in rest {
        if !first {
            f.write_str(", ")?;
        }
        first = false;
        write_matcher(matcher, f)?;
    }
    f.write_str("}")
}

fn write_matcher(matcher: &Matcher, f: &mut Formatter<'_>) -> fmt::Result {
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    write!(f, "{}{op}{}", label(&matcher.name), quote(&matcher.value))
}

fn label(name: &str) -> String {
    let number = name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("nan");
    if is_plain_label(name) && !number { name.to_owned() } else { quote(name) }
}

fn labels(names: &[String]) -> String {
    names.iter().map(|n| label(n)).collect::<Vec<_>>().join(", ")
}

impl Display for Shift {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(At::Time(ms)) => write!(f, " @ {}.{:03}", seconds(ms), ms.unsigned_abs() % 1000)?,
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            None => {}
        }
        match &self.offset {
            Some(offset) if needs_parens(offset) => write!(f, " offset ({offset})"),
            Some(offset) => write!(f, " offset {offset}"),
            None => Ok(()),
        }
    }
}

/// Whole seconds with the sign, also of what lies less than a second before 1970.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}", ms.unsigned_abs() / 1000)
}

fn needs_parens(length: &Length) -> bool {
    matches!(length.kind, LengthKind::Binary(..))
}

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LengthKind::Number(number) => number.fmt(f),
            LengthKind::Step => f.write_str("step()"),
            LengthKind::Range => f.write_str("range()"),
            LengthKind::Least(a, b) => write!(f, "min_of({a}, {b})"),
            LengthKind::Most(a, b) => write!(f, "max_of({a}, {b})"),
            LengthKind::Negative(a) => write!(f, "-{a}"),
            LengthKind::Paren(a) => write!(f, "({a})"),
            LengthKind::Binary(op, a, b) => write!(f, "{a} {} {b}", op.text()),
        }
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}:", self.of, self.range)?;
        if let Some(step) = &self.step {
            write!(f, "{step}")?;
        }
        write!(f, "]{}", self.shift)
    }
}

impl Display for Unary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.negative { "-" } else { "+" }, self.of)
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.left, self.op.text())?;
        if self.returns_bool {
            f.write_str(" bool")?;
        }
        self.matching.fmt(f)?;
        write!(f, " {}", self.right)
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.labels, &self.group) {
            (MatchLabels::Ignoring(names), Group::OneToOne) if names.is_empty() => {}
            (MatchLabels::Ignoring(names), _) => write!(f, " ignoring ({})", labels(names))?,
            (MatchLabels::On(names), _) => write!(f, " on ({})", labels(names))?,
        }
        match &self.group {
            Group::OneToOne => {}
            Group::Left(names) => write!(f, " group_left ({})", labels(names))?,
            Group::Right(names) => write!(f, " group_right ({})", labels(names))?,
        }
        match (self.fill_left, self.fill_right) {
            (Some(l), Some(r)) if l == r => write!(f, " fill ({})", plain(l.0)),
            (left, right) => {
                if let Some(Fill(value)) = left {
                    write!(f, " fill_left ({})", plain(value))?;
                }
                if let Some(Fill(value)) = right {
                    write!(f, " fill_right ({})", plain(value))?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.text())?;
        match &self.grouping {
            Grouping::By(names) if names.is_empty() => {}
            Grouping::By(names) => write!(f, " by ({}) ", labels(names))?,
            Grouping::Without(names) => write!(f, " without ({}) ", labels(names))?,
        }
        match &self.param {
            Some(param) => write!(f, "({param}, {})", self.of),
            None => write!(f, "({})", self.of),
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{arg}")?;
        }
        f.write_str(")")
    }
}

impl Display for BinaryOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
