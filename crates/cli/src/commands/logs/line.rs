//! What every backend hands to the output: lines, and the sources that they are of.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ph_model::{Level, LogFlags, Position};

/// Who wrote lines. Empty parts are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub node: String,
    pub region: String,
    pub zone: String,
    pub os: String,
    pub arch: String,
}

impl Source {
    /// What all of its lines have in common, by the name that filters use; `None` for any other name.
    pub fn column(&self, name: &str) -> Option<&str> {
        Some(match name {
            "cluster" => &self.cluster,
            "namespace" => &self.namespace,
            "pod" => &self.pod,
            "container" => &self.container,
            "node" => &self.node,
            "region" => &self.region,
            "zone" => &self.zone,
            "os" => &self.os,
            "arch" => &self.arch,
            _ => return None,
        })
    }
}

/// Names a line for `--after`, `--before`, `--at`.
#[derive(Clone, Copy, Debug)]
pub enum Cursor<'a> {
    /// As a server or the Kubernetes API backend wrote it.
    Text(&'a str),
    /// In a file of this machine: a hash of its path, and the place.
    File(u64, &'a Position),
    /// Piped lines have none.
    None,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Index into the sources told before.
    pub source: usize,
    /// ns UTC.
    pub ts_ns: i64,
    /// `stdout`, `stderr`, else `unknown`.
    pub stream: &'a str,
    /// `None`: not read out of the message yet.
    pub level: Option<Level>,
    pub message: &'a [u8],
    /// Of a line that was cut; else 0.
    pub full_bytes: u64,
    pub flags: LogFlags,
    pub restart: u32,
    pub cursor: Cursor<'a>,
    /// `files`, `store` or not known.
    pub origin: &'a str,
    /// Fields that the backend brought along.
    pub fields: Option<&'a BTreeMap<String, String>>,
}

impl Line<'_> {
    pub fn level(&self) -> Level {
        self.level.unwrap_or_else(|| ph_filter::level_of(self.message).0)
    }

    /// Whether it stands beside a match instead of being one.
    pub fn is_context(&self) -> bool {
        self.flags.has(LogFlags::CONTEXT)
    }

    /// A field that the backend brought, or that the message has.
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.fields.and_then(|f| f.get(name)) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => ph_filter::field(self.message, name),
        }
    }
}

impl Cursor<'_> {
    /// Appends its text; nothing for none.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Cursor::Text(text) => out.extend_from_slice(text.as_bytes()),
            Cursor::None => {}
            Cursor::File(path, at) => {
                let from = out.len();
                out.extend_from_slice(FILE_CURSOR.as_bytes());
                hex(*path, 16, out);
                hex((at.segment_key >> 64) as u64, 16, out);
                hex(at.segment_key as u64, 16, out);
                hex(at.run.into(), 1, out);
                out.push(b'-');
                hex(at.offset, 1, out);
                out.push(b'-');
                hex(at.rewind.into(), 1, out);
                let sum = check(out.get(from..).unwrap_or_default());
                out.push(b'-');
                hex(sum.into(), 4, out);
            }
        }
    }
}

/// How cursors into files of this machine begin.
pub const FILE_CURSOR: &str = "pf1_";

/// A hash of the path, and the place: what [`Cursor::File`] writes. `None` when it is no such cursor.
pub fn file_cursor(text: &str) -> Option<(u64, Position)> {
    let (body, sum) = text.rsplit_once('-')?;
    if u16::from_str_radix(sum, 16).ok()? != check(body.as_bytes()) {
        return None;
    }
    let text = body.strip_prefix(FILE_CURSOR)?;
    let (path, rest) = (text.get(..16)?, text.get(16..)?);
    let (key, rest) = (rest.get(..32)?, rest.get(32..)?);
    let mut numbers = rest.split('-');
    let position = Position {
        segment_key: u128::from_str_radix(key, 16).ok()?,
        run: u32::from_str_radix(numbers.next()?, 16).ok()?,
        offset: u64::from_str_radix(numbers.next()?, 16).ok()?,
        rewind: u32::from_str_radix(numbers.next()?, 16).ok()?,
    };
    numbers.next().is_none().then_some((u64::from_str_radix(path, 16).ok()?, position))
}

/// Tells a cursor that was cut or mistyped.
fn check(text: &[u8]) -> u16 {
    xxhash_rust::xxh3::xxh3_64(text) as u16
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// At least `width` digits.
fn hex(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 16];
    for (two, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(value.to_be_bytes()) {
        *two = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]];
    }
    let count = (64 - value.leading_zeros() as usize).div_ceil(4).max(width).min(digits.len());
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cursor_comes_back() {
        let at = Position { run: 3, segment_key: 0xabc << 100 | 7, offset: 1 << 40, rewind: 16_400 };
        let mut text = Vec::new();
        Cursor::File(0xfeed_0000_0000_0001, &at).write(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(file_cursor(&text), Some((0xfeed_0000_0000_0001, at)), "{text}");
        assert_eq!(file_cursor(&text[..text.len() - 3]), None);
        assert_eq!(file_cursor(&text.replace("feed", "feee")), None);
        assert_eq!(file_cursor("pc1_abc"), None);
    }
}
