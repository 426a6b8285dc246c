//! Values that are secret because of their name: `DB_PASSWORD=…`, `"apiKey": "…"`, `--token …`, headers.

use super::Kind;
use super::spans::Span;

/// Longest name that is looked at.
const NAME: usize = 128;

/// How far a closing quote is looked for; without one the value goes to the line's end.
const LONGEST: usize = 64 << 10;

const WORDS: &[&str] = &[
    "KEY",
    "TOKEN",
    "SECRET",
    "PASS",
    "PASSWORD",
    "PASSWD",
    "PWD",
    "CREDENTIAL",
    "CREDENTIALS",
    "DSN",
    "AUTH",
    "PASSPHRASE",
    "DOCKERCFG",
    "DOCKERCONFIGJSON",
    "APIKEY",
];

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// The value behind the name around `at..end`, if the name has one of the words. All before `covered` is masked already.
pub(super) fn value(line: &[u8], (at, end): (usize, usize), covered: usize) -> Option<Span> {
    let left = line.get(at.saturating_sub(NAME)..at)?.iter().rev().take_while(|b| is_name(**b)).count();
    let mut start = at - left;
    let right = line.get(end..)?.iter().take(NAME).take_while(|b| is_name(**b)).count();
    // The letter of an escape in front (`\nPASSWORD=`) is not part of the name.
    if start > 0 && line.get(start - 1) == Some(&b'\\') && matches!(line.get(start), Some(b'n' | b't' | b'r'))
    {
        start += 1;
    }
    let name = line.get(start..end + right)?;
    if !is_secret(name) {
        return None;
    }
    let flag = name.starts_with(b"--");
    let place = place(line, end + right, (flag, covered))?;
    let bare = name.eq_ignore_ascii_case(b"key") && !name.iter().all(u8::is_ascii_uppercase);
    let plain_colon = place.sep == b':' && !place.quoted_name;
    // `key=` and `auth: ok` are how programs talk about keys that are no secrets.
    if bare
        || (plain_colon && is_one_word(name) && place.len() < 8)
        || is_nothing(line.get(place.start..place.end)?)
    {
        return None;
    }
    Some(Span { start: place.start, end: place.end, kind: kind_of(name) })
}

fn kind_of(name: &[u8]) -> Kind {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(b"client-key-data") {
        Kind::Kubeconfig
    } else if lower.ends_with(b"dockercfg") || lower.ends_with(b"dockerconfigjson") || lower == b"auth" {
        Kind::Docker
    } else if lower.starts_with(b"aws") {
        Kind::Aws
    } else if lower.ends_with(b"accountkey") {
        Kind::Azure
    } else {
        Kind::Named
    }
}

fn is_one_word(name: &[u8]) -> bool {
    words(name).count() < 2
}

/// Whether one of the name's words, split at `_ - .` and where capitals begin, tells of a secret.
fn is_secret(name: &[u8]) -> bool {
    words(name).any(|word| WORDS.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes())))
}

fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|b| matches!(b, b'_' | b'-' | b'.')).flat_map(|part| {
        let mut rest = part;
        std::iter::from_fn(move || {
            let len = word_len(rest);
            let (word, next) = rest.split_at_checked(len)?;
            rest = next;
            (!word.is_empty()).then_some(word)
        })
    })
}

/// Length of the first word of `apiKey`, `APIKey`, `KEY2`, `password`.
fn word_len(text: &[u8]) -> usize {
    let upper = text.iter().take_while(|b| b.is_ascii_uppercase()).count();
    match upper {
        0 => text.iter().position(|b| !b.is_ascii_lowercase()).map_or(text.len(), |n| n.max(1)),
        1 => 1 + text.iter().skip(1).take_while(|b| b.is_ascii_lowercase()).count(),
        n if n == text.len() || !text.get(n).is_some_and(u8::is_ascii_lowercase) => n,
        n => n - 1,
    }
}

/// Values that hide nothing.
fn is_nothing(value: &[u8]) -> bool {
    let lower = value.get(..value.len().min(8)).unwrap_or_default().to_ascii_lowercase();
    matches!(
        lower.as_slice(),
        b"" | b"null" | b"nil" | b"none" | b"true" | b"false" | b"<nil>" | b"{}" | b"[]"
    ) || value.starts_with(super::MARKER_OPEN.as_bytes())
}

/// Where a value stands behind a name.
struct Place {
    start: usize,
    end: usize,
    sep: u8,
    quoted_name: bool,
}

impl Place {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

/// A quote with the backslashes before it: `"`, `\"`, `\\\"`.
fn quote(line: &[u8], at: usize) -> Option<(usize, u8)> {
    let slashes = line.get(at..)?.iter().take_while(|b| **b == b'\\').count();
    let mark = *line.get(at + slashes)?;
    matches!(mark, b'"' | b'\'' | b'`').then_some((slashes + 1, mark))
}

fn blanks(line: &[u8], at: usize) -> usize {
    at + line.get(at..).unwrap_or_default().iter().take(8).take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// The value behind a separator at `at`, which is where the name ends. A flag's value may follow a blank.
fn place(line: &[u8], at: usize, (flag, covered): (bool, usize)) -> Option<Place> {
    let name_quote = quote(line, at);
    let after_name = name_quote.map_or(at, |(len, _)| at + len);
    let sep_at = blanks(line, after_name);
    let sep = match line.get(sep_at)? {
        b'=' if line.get(sep_at + 1) == Some(&b'>') => (sep_at + 2, b'='),
        b'=' if line.get(sep_at + 1) == Some(&b'=') => return None,
        b':' if line.get(sep_at + 1) == Some(&b':') || line.get(sep_at + 1) == Some(&b'/') => return None,
        b':' if line.get(sep_at + 1) == Some(&b'=') => (sep_at + 2, b'='),
        c @ (b'=' | b':') => (sep_at + 1, *c),
        _ if flag && sep_at > after_name => (sep_at, b' '),
        _ => return None,
    };
    let start = match sep.1 {
        // `NAME= next` has an empty value.
        b'=' if name_quote.is_none() && sep_at == after_name && line.get(sep.0) == Some(&b' ') => {
            return None;
        }
        _ => blanks(line, sep.0),
    };
    let (start, end) = extent(line, start, covered)?;
    Some(Place { start, end, sep: sep.1, quoted_name: name_quote.is_some() })
}

/// A value from its first byte on: what stands in quotes, or as far as a word goes, which is not before `covered`.
fn extent(line: &[u8], at: usize, covered: usize) -> Option<(usize, usize)> {
    if let Some((len, _)) = quote(line, at) {
        let opening = line.get(at..at + len)?;
        let start = at + len;
        let end = closing(line, start, opening).unwrap_or(line.len());
        return Some((start, end));
    }
    if matches!(line.get(at)?, b'{' | b'[' | b'<' | b'(') {
        return None;
    }
    let stop = |b: &u8| {
        b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'"' | b'\'' | b'}' | b']' | b')' | b'&')
    };
    let from = at.max(covered);
    let word = line.get(from..)?;
    let len = word.iter().position(stop).unwrap_or(word.len());
    // Escaped quotes and line ends close a word that stands inside a string.
    let word = word.get(..len)?;
    let cut = memchr::memchr_iter(b'\\', word)
        .find(|i| matches!(word.get(i + 1), None | Some(b'n' | b'r' | b't' | b'"' | b'\'')));
    Some((at, from + cut.unwrap_or(len)))
}

/// Where the same quote with as many backslashes closes.
fn closing(line: &[u8], from: usize, opening: &[u8]) -> Option<usize> {
    let (mark, slashes) = (opening.last()?, opening.len() - 1);
    let mut at = from;
    let line = line.get(..line.len().min(from + LONGEST))?;
    loop {
        let hit = at + memchr::memchr(*mark, line.get(at..)?)?;
        let before = line.get(from..hit)?.iter().rev().take_while(|b| **b == b'\\').count();
        if before == slashes || (slashes == 0 && before % 2 == 0) {
            return Some(hit - before.min(slashes));
        }
        at = hit + 1;
    }
}

/// The credentials of an `Authorization` header; its scheme stays.
pub(super) fn authorization(line: &[u8], end: usize) -> Option<Span> {
    let (start, mut stop) = header(line, end)?;
    let text = line.get(start..stop)?;
    let word = text.iter().position(|b| *b == b' ').unwrap_or(text.len());
    let scheme = text.get(..word)?.to_ascii_lowercase();
    let keeps = matches!(
        scheme.as_slice(),
        b"bearer"
            | b"basic"
            | b"token"
            | b"digest"
            | b"negotiate"
            | b"apikey"
            | b"ntlm"
            | b"aws4-hmac-sha256"
    );
    let start = if keeps { blanks(line, start + word) } else { start };
    let one =
        matches!(scheme.as_slice(), b"bearer" | b"basic" | b"token" | b"negotiate" | b"apikey" | b"ntlm");
    if one {
        let len =
            line.get(start..stop)?.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b',' | b']'));
        stop = len.map_or(stop, |n| start + n);
    }
    (start < stop && !is_nothing(line.get(start..stop)?)).then_some(Span {
        start,
        end: stop,
        kind: Kind::Authorization,
    })
}

/// Everything in a `Cookie` or `Set-Cookie` header.
pub(super) fn cookie(line: &[u8], end: usize) -> Option<Span> {
    let plural = usize::from(matches!(line.get(end), Some(b's' | b'S')));
    let (start, stop) = header(line, end + plural)?;
    let value = line.get(start..stop)?;
    // A cookie is `name=value`; a word about cookies is none.
    (value.contains(&b'=') || stop - start >= 16).then_some(Span { start, end: stop, kind: Kind::Cookie })
}

/// A header's value: in quotes, in brackets, or to the end of the line; behind `=` as far as a word goes.
fn header(line: &[u8], end: usize) -> Option<(usize, usize)> {
    let name_quote = quote(line, end);
    let after_name = name_quote.map_or(end, |(len, _)| end + len);
    let sep_at = blanks(line, after_name);
    let sep = *line.get(sep_at).filter(|b| matches!(b, b':' | b'='))?;
    let at = blanks(line, sep_at + 1);
    let at = if line.get(at) == Some(&b'[') { at + 1 } else { at };
    if quote(line, at).is_some() {
        return extent(line, at, 0);
    }
    let rest = line.get(at..)?;
    let scheme = rest
        .iter()
        .position(|b| !b.is_ascii_alphanumeric() && *b != b'-')
        .filter(|n| rest.get(*n) == Some(&b' '));
    let known = scheme.and_then(|n| rest.get(..n)).is_some_and(|word| {
        [&b"bearer"[..], b"basic", b"token", b"digest", b"negotiate"]
            .iter()
            .any(|s| word.eq_ignore_ascii_case(s))
    });
    let skip = if known { scheme.map_or(0, |n| n + 1) } else { 0 };
    let stop = |b: &u8| match sep {
        b'=' => b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b']' | b'}' | b','),
        _ => matches!(b, b'"' | b'\'' | b']' | b'}' | b'\r' | b'\n'),
    };
    let body = rest.get(skip..)?;
    let mut len = body.iter().position(stop).unwrap_or(body.len());
    // A line end written as an escape ends the header, and so does the backslash of an escaped quote.
    let cut = memchr::memchr_iter(b'\\', body.get(..len)?)
        .find(|i| matches!(body.get(i + 1), None | Some(b'n' | b'r' | b'"' | b'\'')));
    len = cut.unwrap_or(len);
    Some((at, at + skip + len))
}

/// A token behind `Bearer ` outside of a header.
pub(super) fn bearer(line: &[u8], end: usize) -> Option<Span> {
    let of =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=');
    let len = line.get(end..)?.iter().take_while(|b| of(b)).count();
    let digits = line.get(end..end + len)?.iter().any(u8::is_ascii_digit);
    (len >= 16 && digits).then_some(Span { start: end, end: end + len, kind: Kind::Authorization })
}
