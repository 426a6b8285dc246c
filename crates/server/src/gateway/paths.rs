//! Paths on which router and authorisation could disagree are refused before either looks.
//!
//! In:     the raw path of a request.
//! Never:  repairs a path; what is not plain is refused.

/// Why a path is refused, or nothing. Decodes once, and only to look.
pub fn fault(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("the path has to begin with /");
    }
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        if b != b'%' {
            decoded.push(b);
            i += 1;
            continue;
        }
        let pair = bytes.get(i + 1..i + 3).and_then(|p| std::str::from_utf8(p).ok());
        let Some(byte) = pair.and_then(|p| u8::from_str_radix(p, 16).ok()) else {
            return Some("the path has a broken percent escape");
        };
        if matches!(byte, b'/' | b'\\' | b'.' | b'%') {
            return Some("the path has an escaped /, \\, . or %");
        }
        decoded.push(byte);
        i += 3;
    }
    let Ok(text) = std::str::from_utf8(&decoded) else { return Some("the path is not UTF-8") };
    if text.contains("//") {
        return Some("the path has an empty segment");
    }
    if text.contains(['\\', ';']) || text.chars().any(char::is_control) {
        return Some("the path has a character that is not allowed in it");
    }
    if text.split('/').any(|s| s == "." || s == "..") {
        return Some("the path has a dot segment");
    }
    None
}

/// Whether a query string carries what looks like one of our credentials, or names one.
pub fn carries_credential(query: &str) -> bool {
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        let named = matches!(
            name.as_str(),
            "access_token" | "api_key" | "apikey" | "authorization" | "bearer" | "token"
        );
        (named && !value.is_empty())
            || ["phs_", "phk_", "pha_", "phj_", "phl_"].iter().any(|p| value.starts_with(p))
    })
}

#[cfg(test)]
mod tests;
