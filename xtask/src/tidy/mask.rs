//! Rust source with its comments and literals blanked, so that braces and words can be looked for.
//!
//! Out:    as many bytes and lines as came in; what is blanked is spaces.
//! Never:  fails: source that is not Rust comes out as something.
//! Source: the Rust Reference, chapters "Comments" and "Tokens".

/// Blanks comments, strings and characters of `source`.
pub fn mask(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(bytes, at);
        if let Some(end) = end {
            for byte in out.iter_mut().take(end).skip(at).filter(|b| **b != b'\n') {
                *byte = b' ';
            }
        }
        at = end.unwrap_or(at + 1);
    }
    // Only whole characters were blanked, so this is text again.
    String::from_utf8(out).unwrap_or_default()
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Where the comment or literal that begins at `at` ends; `None`: none begins there.
fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    match (byte(bytes, at), byte(bytes, at + 1)) {
        (b'/', b'/') => Some(find(bytes, at, b"\n")),
        (b'/', b'*') => Some(block(bytes, at)),
        (b'"', _) => Some(string(bytes, at + 1, b'"')),
        (b'r', b'"' | b'#') if !in_word(bytes, at) => raw(bytes, at),
        (b'\'', b'\\') => Some(string(bytes, at + 1, b'\'')),
        (b'\'', _) => character(bytes, at),
        _ => None,
    }
}

/// Whether the byte before belongs to a word; the prefixes `b` and `c` of raw strings are none.
fn in_word(bytes: &[u8], at: usize) -> bool {
    let word = |at: usize| {
        let b = byte(bytes, at);
        b.is_ascii_alphanumeric() || b == b'_'
    };
    match at.checked_sub(1) {
        Some(before) if matches!(byte(bytes, before), b'b' | b'c') => before.checked_sub(1).is_some_and(word),
        Some(before) => word(before),
        None => false,
    }
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(what.len()).position(|w| w == what).map_or(bytes.len(), |n| from + n)
}

/// Block comments nest.
fn block(bytes: &[u8], from: usize) -> usize {
    let (mut depth, mut at) = (0_usize, from);
    while at < bytes.len() {
        match (byte(bytes, at), byte(bytes, at + 1)) {
            (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
            (b'*', b'/') => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match byte(bytes, at) {
            b'\\' => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"…"`, `r#"…"#`; `r#word` is none.
fn raw(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes.get(at + 1..)?.iter().take_while(|b| **b == b'#').count();
    let open = at + 1 + hashes;
    if byte(bytes, open) != b'"' {
        return None;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    Some((find(bytes, open + 1, &end) + end.len()).min(bytes.len()))
}

/// `'x'`, of one character of any length in bytes; a lifetime is none.
fn character(bytes: &[u8], at: usize) -> Option<usize> {
    let length = match byte(bytes, at + 1) {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    (byte(bytes, at + 1 + length) == b'\'').then_some(at + 2 + length)
}

#[cfg(test)]
mod tests {
    use super::mask;

    /// `left`: what is not blanked, without its spaces.
    fn check(source: &str, left: &str) {
        let masked = mask(source);
        assert_eq!(masked.len(), source.len(), "{source}");
        assert_eq!(masked.lines().count(), source.lines().count(), "{source}");
        assert_eq!(masked.split_whitespace().collect::<String>(), left, "{source}");
    }

    #[test]
    fn comments_and_literals_go_and_code_stays() {
        check("a // {\nb", "ab");
        check("a /* { /* } \n */ */ b", "ab");
        check(r#"f("{\"}") }"#, "f()}");
        check(r###"f(r#"{"}"#, br"}", r##"{"#"##) }"###, "f(,b,)}");
        check(r"f('{', '\'', 'ä', '→', b'\\') }", "f(,,,,b)}");
        check("fn f<'a>(x: &'a str) { 'l: loop {} }", "fnf<'a>(x:&'astr){'l:loop{}}");
        check("r#type bar\"{\"", "r#typebar");
        check("\"never closed {", "");
        check("/* never closed {", "");
    }
}
