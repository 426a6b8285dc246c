//! Times as other programs write them.

/// An RFC 3339 time with an offset as ms UTC; `None` when it is none.
pub fn rfc3339_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

/// The wall clock, ms UTC: the one place where the agent reads it.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
