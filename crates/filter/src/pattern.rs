//! Shapes of messages: what differs from line to line stands as a placeholder.
//!
//! Never: looks at more than the first 512 bytes.

/// What is looked at of a message for its pattern; bytes.
const PATTERN_BYTES: usize = 512;

/// A message with what differs from line to line replaced: `<uuid>`, `<hex>`, `<n>`, `<str>`. Cut at 512 bytes.
pub fn pattern(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message.get(..PATTERN_BYTES).unwrap_or(message));
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(c) = rest.chars().next() {
        if matches!(c, '"' | '\'')
            && let Some(end) = rest.get(1..).and_then(|r| r.find(c))
            && !out.ends_with(|c: char| c.is_alphanumeric())
        {
            out.push_str("<str>");
            rest = rest.get(end + 2..).unwrap_or_default();
            continue;
        }
        if !c.is_ascii_alphanumeric() {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        if is_uuid(word) {
            out.push_str("<uuid>");
            rest = rest.get(end..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        out.push_str(&placeholder(word));
        rest = rest.get(end..).unwrap_or_default();
    }
    out
}

fn is_uuid(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let hex = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hex)
}

/// Numbers, also with a unit behind or `0x` before; hexadecimal words of eight and more with a digit.
fn placeholder(word: &str) -> std::borrow::Cow<'_, str> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let hex = word.strip_prefix("0x").unwrap_or(word);
    let is_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if digits == word.len() {
        "<n>".into()
    } else if is_hex
        && (hex.len() < word.len() || (word.len() >= 8 && word.bytes().any(|b| b.is_ascii_digit())))
    {
        "<hex>".into()
    } else if digits > 0 && word.len() - digits <= 3 {
        format!("<n>{}", word.get(digits..).unwrap_or_default()).into()
    } else {
        word.into()
    }
}
