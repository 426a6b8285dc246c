//! Stack traces as one record: lines that go on with the one before them in the same source are joined to it.
//!
//! Never: changes the order of records; holds more than a few: what is still open when many others came goes out as it is.

use std::collections::{BTreeMap, VecDeque};

use ph_model::{Level, LogFlags};

use super::super::line::{Cursor, Line};

/// Records that wait at most.
const MOST: usize = 64;
/// Bytes of one joined record at most.
const MOST_BYTES: usize = 1 << 20;

/// Records that may still go on.
#[derive(Debug, Default)]
pub struct Group {
    held: VecDeque<Held>,
}

/// A record kept beyond its batch.
#[derive(Debug)]
pub struct Held {
    source: usize,
    ts_ns: i64,
    stream: String,
    level: Option<Level>,
    message: Vec<u8>,
    full_bytes: u64,
    flags: LogFlags,
    restart: u32,
    cursor: Vec<u8>,
    origin: String,
    fields: Option<BTreeMap<String, String>>,
    /// Another record of the source began.
    closed: bool,
}

impl Group {
    /// Takes a line; gives the records that are whole now, in order.
    pub fn add(&mut self, line: &Line<'_>) -> Vec<Held> {
        let open = self.held.iter_mut().rev().find(|h| h.source == line.source && !h.closed);
        match open {
            Some(held) if held.takes(line) => {
                held.message.push(b'\n');
                held.message.extend_from_slice(line.message);
                return Vec::new();
            }
            Some(held) => held.closed = true,
            None => {}
        }
        self.held.push_back(Held::of(line));
        let mut ready = Vec::new();
        while self.held.front().is_some_and(|h| h.closed) || self.held.len() > MOST {
            ready.extend(self.held.pop_front());
        }
        ready
    }

    pub fn take_all(&mut self) -> Vec<Held> {
        self.held.drain(..).collect()
    }
}

impl Held {
    fn of(line: &Line<'_>) -> Self {
        let mut cursor = Vec::new();
        line.cursor.write(&mut cursor);
        Self {
            source: line.source,
            ts_ns: line.ts_ns,
            stream: line.stream.to_owned(),
            level: line.level,
            message: line.message.to_vec(),
            full_bytes: line.full_bytes,
            flags: line.flags,
            restart: line.restart,
            cursor,
            origin: line.origin.to_owned(),
            fields: line.fields.cloned(),
            closed: false,
        }
    }

    fn takes(&self, line: &Line<'_>) -> bool {
        self.stream == line.stream
            && self.restart == line.restart
            && self.flags.has(LogFlags::CONTEXT) == line.is_context()
            && self.message.len() + line.message.len() < MOST_BYTES
            && (goes_on(line.message) || (in_traceback(&self.message) && raises(line.message)))
    }

    pub fn with_line<T>(&self, then: impl FnOnce(&Line<'_>) -> T) -> T {
        let cursor = String::from_utf8_lossy(&self.cursor);
        then(&Line {
            source: self.source,
            ts_ns: self.ts_ns,
            stream: &self.stream,
            level: self.level,
            message: &self.message,
            full_bytes: self.full_bytes,
            flags: self.flags,
            restart: self.restart,
            cursor: if cursor.is_empty() { Cursor::None } else { Cursor::Text(&cursor) },
            origin: &self.origin,
            fields: self.fields.as_ref(),
        })
    }
}

/// How the lines of a trace begin after its first: indented, or with a runtime's own words.
fn goes_on(message: &[u8]) -> bool {
    let words: [&[u8]; 9] = [
        b"Caused by:",
        b"at ",
        b"... ",
        b"Suppressed:",
        b"During handling of the above exception",
        b"The above exception was",
        b"stack backtrace:",
        b"created by ",
        b"Traceback (most recent call last)",
    ];
    match message.first() {
        None => false,
        Some(b' ' | b'\t') => true,
        // An object's or array's end that was printed over several lines.
        Some(b'}' | b']' | b')') => message.len() <= 3,
        Some(_) => words.iter().any(|w| message.starts_with(w)),
    }
}

/// Whether a Python traceback waits for the line that names the exception.
fn in_traceback(message: &[u8]) -> bool {
    memchr::memmem::find(message, b"Traceback (most recent call last)").is_some()
        && message.rsplit(|b| *b == b'\n').next().is_some_and(|last| last.starts_with(b" "))
}

/// `ValueError: …`
fn raises(message: &[u8]) -> bool {
    let name = message
        .split(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_')))
        .next()
        .unwrap_or_default();
    name.first().is_some_and(u8::is_ascii_alphabetic) && matches!(message.get(name.len()), None | Some(b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(source: usize, text: &str) -> Line<'_> {
        Line {
            source,
            ts_ns: 0,
            stream: "stdout",
            level: None,
            message: text.as_bytes(),
            full_bytes: 0,
            flags: LogFlags::default(),
            restart: 0,
            cursor: Cursor::None,
            origin: "",
            fields: None,
        }
    }

    fn check(lines: &[(usize, &str)], expected: &[&str]) {
        let mut group = Group::default();
        let mut got = Vec::new();
        for (source, text) in lines {
            got.extend(group.add(&said(*source, text)));
        }
        got.extend(group.take_all());
        let got: Vec<String> =
            got.iter().map(|h| format!("{} {}", h.source, String::from_utf8_lossy(&h.message))).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn traces_are_one_record_each_and_stay_in_order() {
        check(
            &[
                (0, "java.lang.IllegalStateException: no"),
                (1, "other"),
                (0, "\tat a.b.C"),
                (0, "Caused by: java.io.IOException"),
                (1, "  indented goes on"),
                (0, "next"),
            ],
            &[
                "0 java.lang.IllegalStateException: no\n\tat a.b.C\nCaused by: java.io.IOException",
                "1 other\n  indented goes on",
                "0 next",
            ],
        );
        check(
            &[
                (0, "Traceback (most recent call last):"),
                (0, "  File \"a.py\", line 1"),
                (0, "ValueError: no"),
                (0, "ok: fine"),
            ],
            &["0 Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: no", "0 ok: fine"],
        );
    }

    #[test]
    fn a_source_that_stays_silent_holds_nobody_for_long() {
        let mut lines = vec![(0, "silent")];
        lines.extend(std::iter::repeat_n((1, "busy"), 200));
        let mut group = Group::default();
        let mut out = 0;
        for (source, text) in lines {
            out += group.add(&said(source, text)).len();
        }
        assert_eq!(out, 200, "all but the last, whose source may go on");
    }
}
