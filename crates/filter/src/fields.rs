//! Fields of a message: a JSON object's members by dotted key, or logfmt pairs.
//!
//! Never: guesses; a message that is neither has no fields.

use std::borrow::Cow;

use crate::{json, logfmt};

/// One field's text by its dotted name, decoding nothing else. `null` counts as absent.
pub fn field<'a>(message: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    if json::is_object(message) {
        return json::lookup(message, name).and_then(json::text_of);
    }
    logfmt::pairs(message).find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
}

/// All fields, nested objects flattened to dotted names (to 32 levels), in the order of the message; arrays as JSON.
pub fn fields(message: &[u8]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if json::is_object(message) {
        flatten(message, "", 0, &mut out);
    } else {
        for (key, value) in logfmt::pairs(message) {
            out.push((String::from_utf8_lossy(key).into_owned(), value.into_owned()));
        }
    }
    out
}

fn flatten(object: &[u8], prefix: &str, depth: usize, out: &mut Vec<(String, String)>) {
    for (key, value) in json::members(object) {
        let name = match prefix {
            "" => json::unescape(key).into_owned(),
            _ => format!("{prefix}.{}", json::unescape(key)),
        };
        if value.first() == Some(&b'{') && depth + 1 < json::MAX_DEPTH {
            flatten(value, &name, depth + 1, out);
        } else if let Some(text) = json::text_of(value) {
            out.push((name, text.into_owned()));
        }
    }
}
