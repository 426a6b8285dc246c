//! A reader of JSON objects that allocates nothing until a value is asked for.
//!
//! In:     bytes that may be anything. Out: members as spans of the input; a damaged object ends early.
//! Source: RFC 8259. Depth at most 32; what lies deeper is skipped, not decoded.

use std::borrow::Cow;

pub(crate) const MAX_DEPTH: usize = 32;

/// Whether the message can be a JSON object.
pub(crate) fn is_object(message: &[u8]) -> bool {
    message.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
}

/// The members of the object at the start of `text`: raw key (between its quotes) and raw value, in order.
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
    first: bool,
    done: bool,
}

pub fn members(text: &[u8]) -> Members<'_> {
    let at = skip_space(text, 0);
    let done = text.get(at) != Some(&b'{');
    Members { text, at: at + 1, first: true, done }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let member = self.member();
        self.done = member.is_none();
        member
    }
}

impl<'a> Members<'a> {
    fn member(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let mut at = skip_space(self.text, self.at);
        if !self.first {
            if self.text.get(at) != Some(&b',') {
                return None;
            }
            at = skip_space(self.text, at + 1);
        }
        self.first = false;
        let key_end = skip_string(self.text, at)?;
        let key = self.text.get(at + 1..key_end - 1)?;
        at = skip_space(self.text, key_end);
        if self.text.get(at) != Some(&b':') {
            return None;
        }
        at = skip_space(self.text, at + 1);
        let end = skip_value(self.text, at)?;
        self.at = end;
        Some((key, self.text.get(at..end)?))
    }
}

/// The value at a dotted path; a key that itself holds dots is found too.
pub(crate) fn lookup<'a>(text: &'a [u8], path: &str) -> Option<&'a [u8]> {
    lookup_at(text, path.as_bytes(), 0)
}

fn lookup_at<'a>(text: &'a [u8], path: &[u8], depth: usize) -> Option<&'a [u8]> {
    if depth >= MAX_DEPTH {
        return None;
    }
    for (key, value) in members(text) {
        let key = unescape_bytes(key);
        let key = &*key;
        if key == path {
            return Some(value);
        }
        if path.len() > key.len() + 1
            && path.starts_with(key)
            && path.get(key.len()) == Some(&b'.')
            && value.first() == Some(&b'{')
            && let Some(rest) = path.get(key.len() + 1..)
            && let Some(found) = lookup_at(value, rest, depth + 1)
        {
            return Some(found);
        }
    }
    None
}

/// A raw value as text: strings unescaped, `null` absent, everything else as it is written.
pub(crate) fn text_of(value: &[u8]) -> Option<Cow<'_, str>> {
    match value.first()? {
        b'"' => Some(unescape(value.get(1..value.len() - 1)?)),
        b'n' => None,
        _ => Some(String::from_utf8_lossy(value)),
    }
}

/// The text of a raw string (without quotes). Damaged escapes stay as they are.
pub fn unescape(raw: &[u8]) -> Cow<'_, str> {
    match unescape_bytes(raw) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(e) => Cow::Owned(String::from_utf8_lossy(e.as_bytes()).into_owned()),
        },
    }
}

/// As [`unescape`], but bytes that are no UTF-8 stay as they are.
pub fn unescape_bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(i) = memchr::memchr(b'\\', rest) {
        let (before, after) = rest.split_at(i);
        out.extend_from_slice(before);
        let used = escape(after, &mut out);
        rest = after.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Writes the character of the escape at the start of `text`; returns how many bytes it took.
fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = match text.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(c @ (b'"' | b'\\' | b'/')) => *c,
        Some(b'u') => return unicode(text, out),
        _ => {
            out.push(b'\\');
            return 1;
        }
    };
    out.push(plain);
    2
}

fn unicode(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(high) = hex4(text.get(2..6)) else {
        out.push(b'\\');
        return 1;
    };
    let mut used = 6;
    let mut code = high;
    if (0xd800..0xdc00).contains(&high)
        && text.get(6..8) == Some(b"\\u")
        && let Some(low) = hex4(text.get(8..12))
        && (0xdc00..0xe000).contains(&low)
    {
        code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        used = 12;
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    used
}

fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    let mut n = 0;
    for d in digits? {
        n = n * 16 + char::from(*d).to_digit(16)?;
    }
    Some(n)
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The index after the string that starts at `at`.
fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        let hit = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(hit) == Some(&b'"') {
            return Some(hit + 1);
        }
        at = hit + 2;
    }
}

/// The index after the value that starts at `at`; brackets of both kinds are only counted.
fn skip_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => skip_string(text, at),
        b'{' | b'[' => {
            let mut depth = 0usize;
            let mut at = at;
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = skip_string(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let rest = text.get(at..)?;
            let len = rest.iter().position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace());
            let len = len.unwrap_or(rest.len());
            (len > 0).then_some(at + len)
        }
    }
}
