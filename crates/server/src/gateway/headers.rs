//! Headers that a client may not bring, and those that every answer carries.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// A tenant named by a client, kept only to be compared with the credential's.
#[derive(Clone, Debug)]
pub struct ClaimedOrg(pub String);

const HOP: [&str; 8] = [
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "x-real-ip",
    "forwarded",
];
const PREFIXES: [&str; 6] = ["x-org", "x-tenant", "x-scope-org", "x-remote-", "impersonate-", "x-forwarded-"];

/// Removes what could be mistaken for an identity or an address; returns the tenant that the client claimed.
///
/// `Pilothouse-Batch` stays: it names a batch of an agent, and means nothing without the agent's token.
pub fn strip(headers: &mut HeaderMap) -> Option<ClaimedOrg> {
    let claimed =
        headers.get("x-scope-orgid").and_then(|v| v.to_str().ok()).map(|v| ClaimedOrg(v.to_owned()));
    let gone: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            HOP.contains(&name)
                || PREFIXES.iter().any(|p| name.starts_with(p))
                || (name.starts_with("pilothouse-") && name != "pilothouse-batch")
        })
        .cloned()
        .collect();
    for name in gone {
        headers.remove(name);
    }
    claimed
}

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; \
                   img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                   frame-ancestors 'none'";

/// Sets what every answer carries.
pub fn protect(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests;
