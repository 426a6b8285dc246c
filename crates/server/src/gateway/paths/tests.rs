//! Paths that two readers could read in two ways.

use super::fault;

#[test]
fn plain_paths_pass() {
    for path in [
        "/",
        "/api/v1/me",
        "/api/v1/clusters/eu-1",
        "/assets/index-B1.js",
        "/api/v1/objects/a%20b",
        "/o/main/%C3%A4",
        "/x/..y",
        "/x.y.",
    ] {
        assert_eq!(fault(path), None, "{path}");
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    for path in [
        "",
        "api",
        "//api/v1/me",
        "/api//v1",
        "/api/v1//",
        "/./api",
        "/api/../me",
        "/api/..",
        "/%2e%2e/me",
        "/%2E/me",
        "/api%2fv1",
        "/api%2Fv1",
        "/api%5cv1",
        "/api\\v1",
        "/me;x",
        "/me%3bx",
        "/me%00",
        "/me%0a",
        "/me%",
        "/me%2",
        "/me%zz",
        "/me%252e",
        "/%ff",
        "/%c3",
        "/me%7f",
    ] {
        assert!(fault(path).is_some(), "{path}");
    }
}

#[test]
fn credentials_in_an_address_are_seen() {
    for bad in ["token=x", "a=1&access_token=eyJ", "x=phs_abc", "Authorization=Bearer%20x"] {
        assert!(super::carries_credential(bad), "{bad}");
    }
    for good in ["", "limit=5", "after=pp1_x", "token", "name=tokens", "before=5&after=5"] {
        assert!(!super::carries_credential(good), "{good}");
    }
}
