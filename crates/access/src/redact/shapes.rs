//! Credentials that are known by their shape.
//!
//! Source: the token formats as GitHub, GitLab, Slack, Stripe, npm, AWS, Google and Azure document them; RFC 7519.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Kind;
use super::spans::Span;

fn run(line: &[u8], from: usize, of: impl Fn(u8) -> bool) -> usize {
    from + line.get(from..).unwrap_or_default().iter().take_while(|b| of(**b)).count()
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

fn before(line: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|i| line.get(i)).copied()
}

/// Whether a token may begin at `at`. After a backslash a letter may be an escape (`\neyJ…`).
fn begins(line: &[u8], at: usize) -> bool {
    let escaped =
        at >= 2 && line.get(at - 2) == Some(&b'\\') && matches!(before(line, at), Some(b'n' | b't' | b'r'));
    escaped || !before(line, at).is_some_and(|b| b.is_ascii_alphanumeric())
}

/// `header.payload.signature`; the signature may be missing or cut off.
pub(super) fn jwt(line: &[u8], at: usize) -> Option<Span> {
    if !begins(line, at) {
        return None;
    }
    let header = run(line, at, is_base64url);
    if header - at < 10 || line.get(header) != Some(&b'.') {
        return None;
    }
    let payload = run(line, header + 1, is_base64url);
    if payload - header < 5 {
        return None;
    }
    let mut end = payload;
    // Two parts more for a signed token, four for an encrypted one.
    for _ in 0..4 {
        if line.get(end) != Some(&b'.') || !line.get(end + 1).is_some_and(|b| is_base64url(*b)) {
            break;
        }
        end = run(line, end + 1, is_base64url);
    }
    let kind =
        if of_service_account(line.get(header + 1..payload)?) { Kind::ServiceAccount } else { Kind::Jwt };
    Some(Span { start: at, end, kind })
}

fn of_service_account(payload: &[u8]) -> bool {
    if payload.len() > 16 << 10 {
        return false;
    }
    let Ok(text) = URL_SAFE_NO_PAD.decode(payload) else { return false };
    let has = |needle: &[u8]| memchr::memmem::find(&text, needle).is_some();
    has(b"kubernetes.io") || has(b"system:serviceaccount:")
}

/// A token that begins with a vendor's prefix at `at`, which ends at `end`.
pub(super) fn token(line: &[u8], (at, end): (usize, usize), least: usize) -> Option<Span> {
    if !begins(line, at) {
        return None;
    }
    let stop = run(line, end, |b| is_base64url(b) || b == b'.');
    // A full stop at the end is the sentence's.
    let dots = line.get(end..stop)?.iter().rev().take_while(|b| **b == b'.').count();
    let stop = stop - dots;
    (stop - end >= least).then_some(Span { start: at, end: stop, kind: Kind::Named })
}

pub(super) fn aws_id(line: &[u8], at: usize, end: usize) -> Option<Span> {
    let stop = run(line, end, |b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let fits = begins(line, at) && (16..=24).contains(&(stop - end));
    (fits && !line.get(stop).is_some_and(u8::is_ascii_lowercase)).then_some(Span {
        start: at,
        end: stop,
        kind: Kind::Aws,
    })
}

/// `sig=` of a shared access signature: at least 32 characters of base64, percent-encoded or not.
pub(super) fn shared_signature(line: &[u8], at: usize, end: usize) -> Option<Span> {
    let free = before(line, at).is_none_or(|b| matches!(b, b'?' | b'&' | b';' | b' ' | b'"' | b'\''));
    let stop = run(line, end, |b| is_base64url(b) || matches!(b, b'%' | b'/' | b'+' | b'='));
    (free && stop - end >= 32).then_some(Span { start: end, end: stop, kind: Kind::Azure })
}

/// `abc8Q~…`: a client secret of Entra ID, three characters before the mark and at least 31 behind it.
pub(super) fn azure_secret(line: &[u8], at: usize, end: usize) -> Option<Span> {
    let of = |b: u8| is_base64url(b) || matches!(b, b'~' | b'.');
    let start = at.checked_sub(3)?;
    let head = line.get(start..at)?.iter().all(|b| of(*b));
    let stop = run(line, end, of);
    (head && (31..=40).contains(&(stop - end))).then_some(Span { start, end: stop, kind: Kind::Azure })
}

/// `user:password@` behind `://`, as far as the authority goes.
pub(super) fn userinfo(line: &[u8], from: usize) -> Option<Span> {
    let outside = |b: u8| {
        b.is_ascii_whitespace() || matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`')
    };
    let stop = run(line, from, |b| !outside(b));
    let authority = line.get(from..stop)?;
    let len = memchr::memrchr(b'@', authority)?;
    (len > 0).then_some(Span { start: from, end: from + len, kind: Kind::Url })
}

/// The path of a webhook, which is its secret.
pub(super) fn rest_of_path(line: &[u8], end: usize) -> Option<Span> {
    let stop = run(line, end, |b| is_base64url(b) || b == b'/');
    (stop - end >= 20).then_some(Span { start: end, end: stop, kind: Kind::Slack })
}
