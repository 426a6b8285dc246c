//! One `GET` of one target.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, header};
use rustls::RootCertStore;

use super::target::Target;
use crate::error::{Error, Result};

/// How long a target may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MAX_BYTES: usize = 32 << 20;
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.7,\
                      text/plain;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Goes straight to the pod, by no proxy, and nowhere else.
///
/// It trusts no authority, since it speaks no TLS: the agent's image has none, and asking the system for them fails there.
pub fn client() -> Result<Client> {
    let nobody = RootCertStore::empty();
    let tls = rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("pilothouse/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Error::Http { url: "scrape".to_owned(), reason: e.to_string() })
}

/// The text, or why there is none.
pub async fn fetch(client: &Client, target: &Target) -> std::result::Result<String, String> {
    let ask = client
        .get(format!("http://{}{}", target.addr, target.path))
        .header(header::ACCEPT, ACCEPT)
        .header("x-prometheus-scrape-timeout-seconds", TIMEOUT.as_secs());
    let answer = ask.send().await.map_err(|e| e.without_url().to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answered {}", answer.status()));
    }
    let mut body = Vec::new();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|e| e.without_url().to_string())?;
        if body.len() + piece.len() > MAX_BYTES {
            return Err(format!("it answered with more than {MAX_BYTES} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|_| "it answered with something that is not UTF-8".to_owned())
}
