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
    let seconds = seconds(length, Some(query)).unwrap_or(f64::NAN);
    let place = format!("{}:{}", length.span.start, length.span.end);
    if !seconds.is_finite() {
        return Err(Error::Execution(format!("{place}: duration is NaN or infinite")));
    }
    if seconds <= 0.0 && !negative_allowed {
        return Err(Error::Execution(format!("{place}: duration must be greater than 0")));
    }
    if seconds.abs() > crate::number::MAX_DURATION_MS as f64 / 1000.0 {
        return Err(Error::Execution(format!("{place}: duration is out of range")));
    }
    // A literal is first rounded to whole nanoseconds.
    let literal = matches!(length.kind, LengthKind::Number(_));
    let ms = if literal { (seconds * 1e9).round() / 1e6 } else { seconds * 1000.0 };
    Ok(ms.trunc() as i64)
}

/// Seconds, when it does not depend on the query.
pub fn constant(length: &Length) -> Option<f64> {
    seconds(length, None)
}

fn seconds(length: &Length, query: Option<Span>) -> Option<f64> {
    let of = |l: &Length| seconds(l, query);
    Some(match &length.kind {
        LengthKind::Number(n) => n.value,
        LengthKind::Step => query?.step_ms as f64 / 1000.0,
        LengthKind::Range => query?.range_ms as f64 / 1000.0,
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
                BinaryOp::Div => a / b,
                BinaryOp::Mod => a % b,
                _ => crate::float::power(a, b),
            }
        }
    })
}
