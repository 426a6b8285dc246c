//! Addresses that are taken and refused.

use expect_test::{Expect, expect};

use super::*;

fn check(text: &str, expected: Expect) {
    let got = match text.parse::<Listen>() {
        Ok(listen) => listen.to_string(),
        Err(e) => e.to_string(),
    };
    expected.assert_eq(&got);
}

#[test]
fn listen_addresses() {
    check("https://0.0.0.0:8443", expect!["https://0.0.0.0:8443"]);
    check("https://0.0.0.0", expect!["https://0.0.0.0:8000"]);
    check("http://localhost:8000/", expect!["http://127.0.0.1:8000"]);
    check("http://[::1]:1", expect!["http://[::1]:1"]);
    check(
        "http://10.0.0.1:80",
        expect![
            "--listen http://10.0.0.1:80: plain http is served on loopback only, since passwords and logs would cross the network in clear; use https://10.0.0.1:80"
        ],
    );
    check(
        "127.0.0.1:80",
        expect!["--listen 127.0.0.1:80: write it as https://ADDRESS:PORT or http://127.0.0.1:PORT"],
    );
    check(
        "https://example.org:80",
        expect!["--listen https://example.org:80: give an IP address and a port, for example 127.0.0.1:8000"],
    );
    check("ftp://127.0.0.1:80", expect!["--listen ftp://127.0.0.1:80: the scheme is https or http"]);
}

#[test]
fn all_faults_at_once() {
    let config = ServerConfig {
        listen: vec![],
        public_url: Some("http://ops.example.org/path".parse().unwrap()),
        org_slug: "Main Org".into(),
        owner_email: "ann".into(),
        cors_origins: vec!["*".into(), "shop.example.org".into()],
        ..ServerConfig::new("/nowhere")
    };
    expect![[r#"
        --listen: give at least one address
        --cors-origin *: the port takes a credential; name each origin whose pages may send one
        --cors-origin shop.example.org: write an origin as a browser does, such as https://shop.example.org: no path, no default port, in small letters
        --public-url http://ops.example.org/path: use https://
        --public-url http://ops.example.org/path: give scheme, host and port only
        organisation slug "Main Org": 1 to 40 of a-z, 0-9 and -
        owner "ann": give an e-mail address"#]]
    .assert_eq(&config.check().unwrap_err().to_string());
}
