//! One physical line of a runtime's file, taken apart.
//!
//! Source: CRI logging format (`<time> <stream> <tags> <content>`), Docker json-file (`log`, `stream`, `time`).

use std::borrow::Cow;

use crate::batch::Stream;
use crate::stamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Cri,
    Docker,
}

#[derive(Debug)]
pub(crate) enum Parsed<'a> {
    Piece(Piece<'a>),
    Malformed,
}

#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub ts_ns: i64,
    pub stream: Stream,
    /// More of the same record follows.
    pub partial: bool,
    pub content: Cow<'a, [u8]>,
}

impl Format {
    /// What a segment is, by its first line with content; `None` when that decides nothing.
    pub fn of(line: &[u8]) -> Option<Self> {
        match line.first()? {
            b'{' => Some(Format::Docker),
            b'0'..=b'9' => Some(Format::Cri),
            _ => None,
        }
    }

    /// Which streams (stdout, stderr) lines were written to, malformed ones aside. Names streams that are not there only
    /// where content looks like a line's beginning.
    pub fn streams(self, lines: &[u8]) -> [bool; 2] {
        let texts: [&[u8]; 2] = match self {
            Format::Cri => [b" stdout ", b" stderr "],
            Format::Docker => [br#""stream":"stdout""#, br#""stream":"stderr""#],
        };
        texts.map(|text| {
            memchr::memmem::find_iter(lines, text).any(|i| {
                let before = lines.get(i.saturating_sub(48)..i).unwrap_or_default();
                let start = memchr::memrchr(b'\n', before).map_or(0, |lf| lf + 1);
                self == Format::Docker || stamp::parse(before.get(start..).unwrap_or_default()).is_some()
            })
        })
    }

    /// Parses a line given without its LF.
    pub fn parse(self, line: &[u8]) -> Parsed<'_> {
        match self {
            Format::Cri => cri(line),
            Format::Docker => docker(line),
        }
        .map_or(Parsed::Malformed, Parsed::Piece)
    }
}

fn cri(line: &[u8]) -> Option<Piece<'_>> {
    let first = memchr::memchr(b' ', line.get(..line.len().min(48))?)?;
    let ts_ns = stamp::parse(line.get(..first)?)?;
    let rest = line.get(first + 1..)?;
    let (stream, rest) = match rest {
        [b's', b't', b'd', b'o', b'u', b't', b' ', rest @ ..] => (Stream::Stdout, rest),
        [b's', b't', b'd', b'e', b'r', b'r', b' ', rest @ ..] => (Stream::Stderr, rest),
        _ => return None,
    };
    let (tags, content) = match memchr::memchr(b' ', rest) {
        Some(i) => (rest.get(..i)?, rest.get(i + 1..)?),
        None => (rest, &[][..]),
    };
    // Further tags, separated by colons, are not ours to know; an unknown first tag counts as full.
    let partial = tags.first() == Some(&b'P') && matches!(tags.get(1), None | Some(b':'));
    Some(Piece { ts_ns, stream, partial, content: Cow::Borrowed(content) })
}

fn docker(line: &[u8]) -> Option<Piece<'_>> {
    let (mut log, mut stream, mut time) = (None, None, None);
    for (key, value) in ph_filter::json::members(line) {
        let text = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
        match key {
            b"log" => log = Some(text?),
            b"stream" => stream = Some(text?),
            b"time" => time = Some(text?),
            _ => {}
        }
    }
    let ts_ns = stamp::parse(time?)?;
    let stream = match stream? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let mut content = ph_filter::json::unescape_bytes(log?);
    let partial = content.last() != Some(&b'\n');
    if !partial {
        match &mut content {
            Cow::Borrowed(bytes) => *bytes = bytes.split_last().map_or(&[], |(_, head)| head),
            Cow::Owned(bytes) => {
                bytes.pop();
            }
        }
    }
    Some(Piece { ts_ns, stream, partial, content })
}
