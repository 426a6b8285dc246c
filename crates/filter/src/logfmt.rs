//! A reader of logfmt lines: `key=value key="quoted value" flag`.
//!
//! Out: pairs in order, values unquoted. Words without `=` are passed over.

use std::borrow::Cow;

use crate::json::unescape;

pub(crate) struct Pairs<'a> {
    text: &'a [u8],
    at: usize,
}

pub(crate) fn pairs(text: &[u8]) -> Pairs<'_> {
    Pairs { text, at: 0 }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let eq = self.at + memchr::memchr(b'=', self.text.get(self.at..)?)?;
            let before = self.text.get(self.at..eq)?;
            let start = before.iter().rposition(|b| !is_key(*b)).map_or(self.at, |i| self.at + i + 1);
            let key = self.text.get(start..eq)?;
            let free = start == self.at || self.text.get(start - 1).is_some_and(u8::is_ascii_whitespace);
            if key.is_empty() || !free {
                self.at = eq + 1;
                continue;
            }
            return Some((key, self.value(eq + 1)?));
        }
    }
}

impl<'a> Pairs<'a> {
    fn value(&mut self, at: usize) -> Option<Cow<'a, str>> {
        let rest = self.text.get(at..)?;
        if rest.first() == Some(&b'"')
            && let Some(end) = closing_quote(rest)
        {
            self.at = at + end + 1;
            return Some(unescape(rest.get(1..end)?));
        }
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.at = at + end;
        Some(String::from_utf8_lossy(rest.get(..end)?))
    }
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let hit = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(hit) == Some(&b'"') {
            return Some(hit);
        }
        at = hit + 2;
    }
}

fn is_key(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b'@')
}
