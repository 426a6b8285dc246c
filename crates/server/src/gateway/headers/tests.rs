//! What a client's headers may and may not say.

use super::*;

#[test]
fn identities_and_addresses_are_removed() {
    let mut headers = HeaderMap::new();
    for name in [
        "x-org-id",
        "x-organisation",
        "x-tenant",
        "x-tenant-id",
        "x-scope-orgid",
        "x-remote-user",
        "impersonate-user",
        "x-forwarded-for",
        "x-forwarded-proto",
        "forwarded",
        "x-real-ip",
        "pilothouse-ctx",
        "te",
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("evil"));
    }
    headers.insert("pilothouse-batch", HeaderValue::from_static("1:2"));
    headers.insert("authorization", HeaderValue::from_static("Bearer x"));
    assert_eq!(strip(&mut headers).unwrap().0, "evil");
    let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["authorization", "pilothouse-batch"]);
}
