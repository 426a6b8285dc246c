//! The server over real HTTP on a port of its own.

mod attacks;
mod flows;
mod matrix;
mod quotas;
mod surface;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::config::Listen;

/// A server in a directory of its own, and a client that behaves like our page in a browser.
pub(crate) struct Stack {
    pub running: Running,
    pub clock: Clock,
    pub dir: tempfile::TempDir,
    pub base: String,
}

impl Stack {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = ServerConfig::new(dir.path().join("data"));
        config.listen = vec![Listen::Http(any)];
        config.metrics = Some(any);
        config.probes = Some(any);
        change(&mut config);
        let clock = Clock::system();
        let running = Server::start(config, clock.clone()).await.unwrap();
        let base = running.public_url.as_str().trim_end_matches('/').to_owned();
        Self { running, clock, dir, base }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The token of the link that the first start printed.
    pub fn first_token(&self) -> String {
        let link = self.running.sign_in_link.as_ref().unwrap().expose();
        link.split_once("#token=").unwrap().1.to_owned()
    }

    /// Signs the owner in by the first link; returns the session's cookie pair.
    pub async fn sign_in(&self) -> String {
        let answer = self.post("/api/v1/auth/link", None, json!({"token": self.first_token()})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        cookie_of(&answer)
    }

    pub async fn get(&self, path: &str, cookie: Option<&str>) -> reqwest::Response {
        let mut ask = client().get(self.url(path));
        if let Some(cookie) = cookie {
            ask = ask.header("cookie", cookie);
        }
        ask.send().await.unwrap()
    }

    pub async fn post(&self, path: &str, cookie: Option<&str>, body: Value) -> reqwest::Response {
        self.send(http::Method::POST, path, cookie, Some(body)).await
    }

    pub async fn send(
        &self,
        method: http::Method,
        path: &str,
        cookie: Option<&str>,
        body: Option<Value>,
    ) -> reqwest::Response {
        let mut ask = client().request(method, self.url(path)).header("sec-fetch-site", "same-origin");
        if let Some(cookie) = cookie {
            ask = ask.header("cookie", cookie);
        }
        if let Some(body) = body {
            ask = ask.json(&body);
        }
        ask.send().await.unwrap()
    }

    pub async fn stop(self) {
        assert!(self.running.stop(Duration::from_secs(20)).await);
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

pub(crate) fn cookie_of(answer: &reqwest::Response) -> String {
    let set = answer.headers().get("set-cookie").unwrap().to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_first_link_signs_in_once() {
    let stack = Stack::start().await;
    let methods: Value = stack.get("/api/v1/auth/methods", None).await.json().await.unwrap();
    assert_eq!(methods, json!({"password": false, "first_start": true}));
    assert_eq!(stack.get("/api/v1/me", None).await.status(), StatusCode::UNAUTHORIZED);
    let cookie = stack.sign_in().await;
    let me: Value = stack.get("/api/v1/me", Some(&cookie)).await.json().await.unwrap();
    assert_eq!(me["email"], "owner@localhost");
    assert_eq!(me["role"], "owner");
    assert_eq!(me["org"]["slug"], "main");
    assert_eq!(me["session"]["current"], true);
    let again = stack.post("/api/v1/auth/link", None, json!({"token": stack.first_token()})).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    stack.stop().await;
}

#[test]
fn the_committed_description_is_this_one() {
    let file = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .join("../../web/src/api/openapi.json");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let said = openapi();
    let differs = kept.lines().zip(said.lines()).position(|(a, b)| a != b);
    let same = kept.trim_end() == said.trim_end();
    assert!(
        same,
        "{} differs from line {differs:?}: run `cargo xtask openapi` and `npm run api`",
        file.display()
    );
}

#[test]
fn the_description_names_every_route() {
    let text = openapi();
    for path in ["/api/v1/auth/link", "/api/v1/me", "/api/v1/audit/verify", "/api/v1/keys/{id}"] {
        assert!(text.contains(&format!("\"{path}\"")), "{path}");
    }
}
