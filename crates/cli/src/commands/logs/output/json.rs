//! Records as JSON, written without a tree of values in between.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::stamp;
use crate::commands::logs::line::{Line, Source};

/// The part of each record that its source decides: `"cluster":…` to `"container":…`.
pub fn head(source: &Source) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in [
        ("cluster", &source.cluster),
        ("namespace", &source.namespace),
        ("pod", &source.pod),
        ("pod_uid", &source.pod_uid),
        ("container", &source.container),
        ("node", &source.node),
    ] {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        string(value.as_bytes(), &mut out);
    }
    out
}

/// How the message stands in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    Text,
    /// An object or array stands as itself.
    Embedded,
}

/// Appends one object without a line's end. `head`: see [`head`]. `fields`: wanted ones.
pub fn record(line: &Line<'_>, head: &[u8], (message, fields): (Message, &[String]), out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"record\",\"ts\":\"");
    stamp::utc(line.ts_ns, out);
    out.push(b'"');
    out.extend_from_slice(head);
    out.extend_from_slice(b",\"restart\":");
    number(u64::from(line.restart), out);
    out.extend_from_slice(b",\"stream\":\"");
    out.extend_from_slice(line.stream.as_bytes());
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(line.level().as_str().as_bytes());
    out.extend_from_slice(b"\",\"message\":");
    match (message, embedded(line.message)) {
        (Message::Embedded, Some(json)) => out.extend_from_slice(json.as_bytes()),
        _ if string(line.message, out) => {}
        _ => {
            out.extend_from_slice(b",\"message_b64\":\"");
            out.extend_from_slice(STANDARD.encode(line.message).as_bytes());
            out.push(b'"');
        }
    }
    if line.full_bytes > 0 {
        out.extend_from_slice(b",\"full_bytes\":");
        number(line.full_bytes, out);
    }
    out.extend_from_slice(b",\"flags\":[");
    for (i, name) in line.flags.names().enumerate() {
        out.extend_from_slice(if i == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    }
    out.push(b']');
    self::fields(line, fields, out);
    if !line.origin.is_empty() {
        out.extend_from_slice(b",\"origin\":\"");
        out.extend_from_slice(line.origin.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"cursor\":\"");
    line.cursor.write(out);
    out.extend_from_slice(b"\"}");
}

fn fields(line: &Line<'_>, wanted: &[String], out: &mut Vec<u8>) {
    if wanted.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"fields\":{");
    let mut first = true;
    for name in wanted {
        let Some(value) = line.field(name) else { continue };
        if !first {
            out.push(b',');
        }
        first = false;
        string(name.as_bytes(), out);
        out.push(b':');
        string(value.as_bytes(), out);
    }
    out.push(b'}');
}

fn embedded(message: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(message).ok()?.trim();
    if !text.starts_with(['{', '[']) || text.contains('\n') {
        return None;
    }
    serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
}

/// Appends JSON that stands on one line, indented.
pub fn indented(json: &[u8], out: &mut Vec<u8>) {
    let mut depth = 0_usize;
    let mut bytes = json.iter().copied().peekable();
    let line = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                out.push(byte);
                while let Some(inner) = bytes.next() {
                    out.push(inner);
                    match inner {
                        b'\\' => out.extend(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => {
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                out.push(byte);
                if let Some(close) = bytes.next_if(|b| matches!(b, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(depth, out);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(depth, out);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(depth, out);
            }
            b':' => out.extend_from_slice(b": "),
            _ if byte.is_ascii_whitespace() => {}
            _ => out.push(byte),
        }
    }
}

pub fn number(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut value = value;
    let mut at = digits.len();
    loop {
        at -= 1;
        if let Some(place) = digits.get_mut(at) {
            *place = b'0' + (value % 10) as u8;
        }
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends a JSON string; false when the bytes are no UTF-8 and U+FFFD stands in places.
pub fn string(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    let whole = match std::str::from_utf8(bytes) {
        Ok(_) => {
            escaped(bytes, out);
            true
        }
        Err(_) => {
            escaped(String::from_utf8_lossy(bytes).as_bytes(), out);
            false
        }
    };
    out.push(b'"');
    whole
}

/// What stands otherwise in a string: quotes, backslashes, controls. 2 may begin a C1 control, which a terminal obeys.
const SPECIAL: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 0x20 {
        table[i] = 1;
        i += 1;
    }
    table[b'"' as usize] = 1;
    table[b'\\' as usize] = 1;
    table[0x7f] = 1;
    table[0xc2] = 2;
    table
};

/// The first byte that may not stand as it is. Most text has none, and is passed over many bytes at a time.
fn special(bytes: &[u8]) -> Option<usize> {
    let odd = |b: u8| {
        u8::from(b < 0x20)
            | u8::from(b == b'"')
            | u8::from(b == b'\\')
            | u8::from(b == 0x7f)
            | u8::from(b == 0xc2)
    };
    let (chunks, rest) = bytes.as_chunks::<16>();
    let clear =
        chunks.iter().take_while(|chunk| chunk.iter().fold(0, |found, b| found | odd(*b)) == 0).count();
    let from = clear * 16;
    if clear == chunks.len() {
        return rest.iter().position(|b| SPECIAL[usize::from(*b)] != 0).map(|i| from + i);
    }
    bytes.get(from..)?.iter().position(|b| SPECIAL[usize::from(*b)] != 0).map(|i| from + i)
}

/// Valid UTF-8 only.
fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = special(rest) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let byte = special.first().copied().unwrap_or_default();
        let mut taken = 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0xc2 => match special.get(1) {
                Some(second @ 0x80..=0x9f) => {
                    out.extend_from_slice(format!("\\u{second:04x}").as_bytes());
                    taken = 2;
                }
                _ => out.push(byte),
            },
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = special.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> (String, bool) {
        let mut out = Vec::new();
        let whole = string(bytes, &mut out);
        (String::from_utf8(out).unwrap(), whole)
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(text("a\u{1b}[2J\u{9b}\u{7f}é".as_bytes()).0, r#""a\u001b[2J\u009b\u007fé""#);
        assert_eq!(text(b"a\xff"), ("\"a\u{fffd}\"".to_owned(), false));
    }

    #[test]
    fn indented_json_keeps_its_order_and_its_numbers() {
        let mut out = Vec::new();
        indented(br#"{"b":[1, 12345678901234567890123],"a":{"x":"{,:[\"\\"},"e":[ ],"o":{}}"#, &mut out);
        expect_test::expect![[r#"
            {
              "b": [
                1,
                12345678901234567890123
              ],
              "a": {
                "x": "{,:[\"\\"
              },
              "e": [],
              "o": {}
            }"#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn strings_come_back(s in "\\PC*|[\\x00-\\x20\"\\\\\u{80}-\u{a0}]*", n in proptest::prelude::any::<u64>()) {
            let (json, whole) = text(s.as_bytes());
            proptest::prop_assert!(whole);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), s);
            let mut out = Vec::new();
            number(n, &mut out);
            proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }
}
