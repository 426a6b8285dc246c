//! Which requests count as our own page's.

use http::HeaderValue;

use super::*;

fn passes(method: Method, pairs: &[(&'static str, &'static str)]) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    let asked = Asked {
        method: &method,
        headers: &headers,
        own_origin: "https://127.0.0.1:8000",
        public_origin: "https://ops.example.org",
    };
    check(asked).is_ok()
}

#[test]
fn own_pages_and_terminals_pass() {
    assert!(passes(Method::GET, &[("cookie", "ph=1"), ("sec-fetch-site", "cross-site")]));
    assert!(passes(Method::POST, &[("cookie", "ph=1"), ("sec-fetch-site", "same-origin")]));
    assert!(passes(Method::POST, &[("cookie", "ph=1"), ("origin", "https://127.0.0.1:8000")]));
    assert!(passes(Method::POST, &[("cookie", "ph=1"), ("origin", "https://ops.example.org")]));
    assert!(passes(Method::DELETE, &[("authorization", "Bearer x")]));
    assert!(passes(Method::GET, &[("upgrade", "websocket"), ("authorization", "Bearer x")]));
    assert!(passes(
        Method::GET,
        &[("upgrade", "websocket"), ("cookie", "ph=1"), ("origin", "https://ops.example.org")]
    ));
}

#[test]
fn other_sites_do_not() {
    for site in ["cross-site", "same-site", "none"] {
        let site: &'static str = site;
        assert!(!passes(Method::POST, &[("cookie", "ph=1"), ("sec-fetch-site", site)]), "{site}");
        assert!(!passes(Method::POST, &[("sec-fetch-site", site)]), "sign-in from {site}");
    }
    assert!(!passes(Method::POST, &[("cookie", "ph=1")]));
    assert!(!passes(Method::POST, &[("cookie", "ph=1"), ("origin", "null")]));
    assert!(!passes(Method::POST, &[("origin", "https://evil.example")]));
    assert!(!passes(Method::PUT, &[("cookie", "ph=1"), ("origin", "http://127.0.0.1:8000")]));
    for origin in ["null", "https://evil.example"] {
        let origin: &'static str = origin;
        let pairs = [("upgrade", "WebSocket"), ("cookie", "ph=1"), ("origin", origin)];
        assert!(!passes(Method::GET, &pairs), "{origin}");
        let pairs = [
            ("upgrade", "websocket"),
            ("cookie", "ph=1"),
            ("origin", origin),
            ("sec-fetch-site", "same-origin"),
        ];
        assert!(!passes(Method::GET, &pairs), "{origin}");
    }
    assert!(!passes(Method::GET, &[("upgrade", "websocket"), ("cookie", "ph=1")]));
}
