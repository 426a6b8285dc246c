//! The session cookie. Source: RFC 6265bis (`__Host-` prefix, SameSite).

use http::header::{self, HeaderMap, HeaderValue};

const SECURE: &str = "__Host-ph";
/// On plain http, which is loopback only, browsers keep no `Secure` cookie.
const PLAIN: &str = "ph";

/// Over which sort of connection the cookie travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Tls,
    Loopback,
}

impl Wire {
    fn name(self) -> &'static str {
        match self {
            Wire::Tls => SECURE,
            Wire::Loopback => PLAIN,
        }
    }
}

/// The session's text from the request's cookies. Two cookies of the name are nobody's.
pub fn read(headers: &HeaderMap, wire: Wire) -> Option<&str> {
    let mut found = None;
    for value in headers.get_all(header::COOKIE) {
        for pair in value.to_str().ok()?.split(';') {
            let Some((name, text)) = pair.trim().split_once('=') else { continue };
            if name == wire.name() && found.replace(text).is_some() {
                return None;
            }
        }
    }
    found
}

/// Sets the cookie for the rest of the session's life.
pub fn set(token: &str, wire: Wire, life_ms: i64) -> Option<HeaderValue> {
    let life = life_ms / 1000;
    let text = match wire {
        Wire::Tls => format!("{SECURE}={token}; Max-Age={life}; Path=/; Secure; HttpOnly; SameSite=Lax"),
        Wire::Loopback => format!("{PLAIN}={token}; Max-Age={life}; Path=/; HttpOnly; SameSite=Strict"),
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes the cookie back.
pub fn clear(wire: Wire) -> HeaderValue {
    HeaderValue::from_static(match wire {
        Wire::Tls => "__Host-ph=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax",
        Wire::Loopback => "ph=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict",
    })
}
