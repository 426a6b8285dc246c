//! TraceQL: read, or refused with a place inside the text.

#[path = "../../server/src/traces/selector.rs"]
mod selector;

/// TraceQL: any text.
pub fn traceql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(e) = selector::parse(text) {
        assert!(text.get(e.span.clone()).is_some(), "{e:?} lies outside of {text:?}");
    }
}

pub(crate) const SEEDS: &[&[u8]] = &[
    b"{ resource.service.name = \"shop\" && span.http.status_code >= 500 } && { name = \"charge\" } | count() > 2",
    b"({ duration > 250ms } || { kind = server }) | avg(duration) >= 1s | select(span.x, name)",
    b"{ .a =~ \"b\" || status != error } | { true } | by(name)",
];
