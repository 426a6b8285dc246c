//! String literals: three kinds of quotes, Go's escapes.

/// Reads a whole literal with its quotes. Back-quoted text is taken as it stands, newlines and all.
///
/// Errors: what is wrong, in words.
pub fn unquote(literal: &str) -> Result<String, &'static str> {
    String::from_utf8(bytes(literal)?).map_err(|_| "escapes give bytes that are not UTF-8")
}

/// As [`unquote`], with U+FFFD for bytes that are not UTF-8, as JSON shows them.
pub fn unquote_shown(literal: &str) -> Result<String, &'static str> {
    bytes(literal).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn bytes(literal: &str) -> Result<Vec<u8>, &'static str> {
    let quote = literal.chars().next().ok_or("empty string literal")?;
    let body = literal
        .get(1..)
        .and_then(|rest| rest.strip_suffix(quote))
        .ok_or("string literal does not end with the quote it began with")?;
    match quote {
        '`' if !body.contains('`') => Ok(body.as_bytes().to_vec()),
        '\'' | '"' => escaped(body, quote),
        _ => Err("string literal needs quotes"),
    }
}

fn escaped(body: &str, quote: char) -> Result<Vec<u8>, &'static str> {
    let mut out: Vec<u8> = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(c) = rest.next() {
        if c == '\n' {
            return Err("a newline needs back-quotes or \\n");
        }
        if c == quote {
            return Err("a quote inside the string needs a backslash");
        }
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let kind = rest.next().ok_or("backslash at the end of the string")?;
        escape(kind, quote, &mut rest, &mut out)?;
    }
    Ok(out)
}

fn escape(
    kind: char,
    quote: char,
    rest: &mut std::str::Chars<'_>,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let simple = match kind {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        c if c == quote => u8::try_from(c).ok(),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return Ok(());
    }
    match kind {
        'x' => out.push(u8::try_from(code(rest, 2, 16, 0)?).map_err(|_| "bad escape")?),
        'u' | 'U' => {
            let point = code(rest, if kind == 'u' { 4 } else { 8 }, 16, 0)?;
            let c = char::from_u32(point).ok_or("escape is no Unicode character")?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        '0'..='7' => {
            let value = code(rest, 2, 8, kind.to_digit(8).unwrap_or(0))?;
            out.push(u8::try_from(value).map_err(|_| "octal escape above \\377")?);
        }
        _ => return Err("unknown escape sequence"),
    }
    Ok(())
}

/// Reads `digits` more digits after `start`.
fn code(rest: &mut std::str::Chars<'_>, digits: usize, radix: u32, start: u32) -> Result<u32, &'static str> {
    (0..digits).try_fold(start, |value, _| {
        let digit = rest.next().and_then(|c| c.to_digit(radix)).ok_or("escape with too few digits")?;
        value.checked_mul(radix).and_then(|v| v.checked_add(digit)).ok_or("escape is too large")
    })
}

/// A double-quoted literal that [`unquote`] reads back.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if c.is_control() && u32::from(c) < 0x80 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a name may stand without quotes as a label: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_plain_label(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a name may stand without quotes as a metric: as a label, and `:` too.
pub fn is_plain_metric(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_read_as_in_go() {
        for (literal, text) in [
            (r#""a\tb""#, "a\tb"),
            (r"'it\'s'", "it's"),
            ("`raw \\n\nline`", "raw \\n\nline"),
            (r#""\x41\101\u00e4\U0001F600""#, "AAä😀"),
        ] {
            assert_eq!(unquote(literal).as_deref(), Ok(text));
            assert_eq!(unquote(&quote(text)).as_deref(), Ok(text));
        }
        for literal in [r#""\q""#, r#""\x4""#, "\"a\nb\"", "'a\"", r#""\400""#, r#""\xff""#, "\""] {
            assert!(unquote(literal).is_err(), "{literal}");
        }
    }
}
