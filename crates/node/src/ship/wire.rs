//! Protobuf written straight into a buffer: what a log line costs is mostly this.
//!
//! Never:  builds a message in memory first; lengths are computed ahead.
//! Source: protobuf's encoding rules; opentelemetry-proto's `logs.proto` and `common.proto` for the numbers of fields.

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Size of a field of bytes whose number is below 16.
fn bytes_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

pub fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

pub fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

pub fn fixed64(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A value of `AnyValue`.
#[derive(Clone, Copy)]
pub enum Any<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Int(i64),
}

impl Any<'_> {
    fn len(self) -> usize {
        match self {
            Any::Text(text) => bytes_len(text.len()),
            Any::Bytes(raw) => bytes_len(raw.len()),
            Any::Int(value) => 1 + varint_len(value.cast_unsigned()),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Any::Text(text) => bytes(out, 1, text.as_bytes()),
            Any::Bytes(raw) => bytes(out, 7, raw),
            Any::Int(value) => number(out, 3, value.cast_unsigned()),
        }
    }
}

/// A field that holds an `AnyValue`.
pub fn any(out: &mut Vec<u8>, field: u64, value: Any<'_>) {
    varint(out, field << 3 | BYTES);
    varint(out, value.len() as u64);
    value.write(out);
}

/// A field that holds a `KeyValue`.
pub fn pair(out: &mut Vec<u8>, field: u64, key: &str, value: Any<'_>) {
    varint(out, field << 3 | BYTES);
    varint(out, (bytes_len(key.len()) + bytes_len(value.len())) as u64);
    bytes(out, 1, key.as_bytes());
    any(out, 2, value);
}
