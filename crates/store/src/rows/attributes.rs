//! Attributes as a map of texts, with a word of one letter a value that keeps the types.
//!
//! Letters: `s` text, `i` integer, `d` double, `b` bool, `y` bytes in hex, `j` array or map as JSON.

use ph_model::{Attributes, Value};

pub(super) fn letter(value: &Value) -> char {
    match value {
        Value::Str(_) => 's',
        Value::Int(_) => 'i',
        Value::Double(_) => 'd',
        Value::Bool(_) => 'b',
        Value::Bytes(_) => 'y',
        Value::Array(_) | Value::Map(_) => 'j',
    }
}

/// Reads a value back. A text that does not fit its letter stays a text.
pub(super) fn value(letter: u8, text: &str) -> Value {
    let read = match letter {
        b'i' => text.parse().ok().map(Value::Int),
        b'd' => text.parse().ok().map(Value::Double),
        b'b' => text.parse().ok().map(Value::Bool),
        b'y' => unhex(text).map(Value::Bytes),
        b'j' => serde_json::from_str::<serde_json::Value>(text).ok().map(from_json),
        _ => None,
    };
    read.unwrap_or_else(|| Value::Str(text.to_owned()))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?, 16).ok())
        .collect()
}

fn from_json(json: serde_json::Value) -> Value {
    match json {
        // The only value that JSON has no number for.
        serde_json::Value::Null => Value::Double(f64::NAN),
        serde_json::Value::Bool(b) => Value::Bool(b),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Double(n.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(s) => Value::Str(s),
        serde_json::Value::Array(items) => Value::Array(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.into_iter().map(|(k, v)| (k, from_json(v))).collect())
        }
    }
}

/// Letters of all values, in the order of the keys.
pub(super) fn letters(attributes: &Attributes) -> String {
    attributes.iter().map(|(_, v)| letter(v)).collect()
}
