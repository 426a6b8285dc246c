//! The value of a duration expression.

use crate::ast::{BinaryOp, Length, LengthKind};
use crate::error::Error;

/// What durations may depend on, in ms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    pub step_ms: i64,
    pub range_ms: i64,
}

/// The value in ms, truncated to whole ones.
///
/// Errors: `Invalid` when it is no number, too large, or not above zero where it must be.
pub fn millis(length: &Length, query: Span, negative_allowed: bool) -> Result<i64, Error> {
    let seconds = seconds(length, query)?;
    if !seconds.is_finite() {
        return fault(length, "duration is NaN or infinite");
    }
    if seconds <= 0.0 && !negative_allowed {
        return fault(length, "duration must be greater than 0");
    }
    if seconds.abs() > crate::number::MAX_DURATION_MS as f64 / 1000.0 {
        return fault(length, "duration is out of range");
    }
    // A literal is first rounded to whole nanoseconds.
    let literal = matches!(length.kind, LengthKind::Number(_));
    let ms = if literal { (seconds * 1e9).round() / 1e6 } else { seconds * 1000.0 };
    Ok(ms.trunc() as i64)
}

/// Seconds, when it has a value and does not depend on the query.
pub fn constant(length: &Length) -> Option<f64> {
    if asks_the_query(length) { None } else { seconds(length, Span::default()).ok() }
}

fn asks_the_query(length: &Length) -> bool {
    match &length.kind {
        LengthKind::Number(_) => false,
        LengthKind::Step | LengthKind::Range => true,
        LengthKind::Negative(a) | LengthKind::Paren(a) => asks_the_query(a),
        LengthKind::Least(a, b) | LengthKind::Most(a, b) | LengthKind::Binary(_, a, b) => {
            asks_the_query(a) || asks_the_query(b)
        }
    }
}

fn fault<T>(length: &Length, what: &str) -> Result<T, Error> {
    let (start, end) = place(length);
    Err(Error::Execution(format!("{start}:{end}: {what}")))
}

/// Where a length stands without the parentheses around what has operators.
fn place(length: &Length) -> (usize, usize) {
    match &length.kind {
        LengthKind::Paren(inner) if !matches!(inner.kind, LengthKind::Number(_)) => place(inner),
        LengthKind::Binary(_, a, b) => (place(a).0, place(b).1),
        LengthKind::Negative(a) => (length.span.start, place(a).1),
        _ => (length.span.start, length.span.end),
    }
}

fn seconds(length: &Length, query: Span) -> Result<f64, Error> {
    let of = |l: &Length| seconds(l, query);
    Ok(match &length.kind {
        LengthKind::Number(n) => n.value,
        LengthKind::Step => query.step_ms as f64 / 1000.0,
        LengthKind::Range => query.range_ms as f64 / 1000.0,
        LengthKind::Least(a, b) => crate::float::least(of(a)?, of(b)?),
        LengthKind::Most(a, b) => crate::float::most(of(a)?, of(b)?),
        LengthKind::Negative(a) => -of(a)?,
        LengthKind::Paren(a) => of(a)?,
        LengthKind::Binary(op, a, b) => {
            let (a, b) = (of(a)?, of(b)?);
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div if b == 0.0 => return fault(length, "division by zero"),
                BinaryOp::Div => a / b,
                BinaryOp::Mod if b == 0.0 => return fault(length, "modulo by zero"),
                BinaryOp::Mod => a % b,
                _ => crate::float::power(a, b),
            }
        }
    })
}
