//! One `GET` of one target.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use ph_link::agent::with_causes;
use reqwest::{Client, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::target::{Scheme, Target};
use crate::certificate::{self, Any};
use crate::error::{Error, Result};

/// Bytes of an answer.
const MAX_BYTES: usize = 32 << 20;
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.7,\
                      text/plain;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Goes straight to pods, by no proxy, and nowhere else. Nothing secret is ever sent. The system is asked for no authorities:
/// the agent's image has none.
pub struct Clients {
    /// For http, and for https where any certificate is taken.
    plain: Client,
    /// PEM file of the authorities that sign certificates of targets; `None`: any certificate is taken.
    ca: Option<PathBuf>,
}

impl Clients {
    pub fn new(ca: Option<PathBuf>) -> Result<Self> {
        let failed = |reason: String| Error::Http { url: "scrape".to_owned(), reason };
        let tls = match ca {
            // Certificates of pods name no address that is known here, so that any is taken where nothing else was asked for.
            None => certificate::client_by(Arc::new(Any)),
            Some(_) => trusting(RootCertStore::empty()),
        };
        let tls = tls.map_err(|e| failed(e.to_string()))?;
        let plain = straight(tls).build().map_err(|e| failed(e.to_string()))?;
        Ok(Self { plain, ca })
    }

    /// The text, or why there is none.
    pub async fn fetch(&self, target: &Target) -> std::result::Result<String, String> {
        let host = target.addr.to_string();
        match &self.ca {
            Some(ca) if target.scheme == Scheme::Https => {
                let (client, host) = checking(ca, target).await?;
                get(&client, &host, target).await
            }
            _ => get(&self.plain, &host, target).await,
        }
    }
}

fn trusting(roots: RootCertStore) -> std::result::Result<ClientConfig, rustls::Error> {
    Ok(certificate::client()?.with_root_certificates(roots).with_no_client_auth())
}

fn straight(tls: ClientConfig) -> reqwest::ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(1)
        .user_agent(concat!("pilothouse/", env!("CARGO_PKG_VERSION")))
}

/// A client for one target whose certificate is checked, and the host of its address. The authorities are read each time:
/// clusters renew theirs.
async fn checking(ca: &Path, target: &Target) -> std::result::Result<(Client, String), String> {
    let unusable = |why: String| format!("its certificate cannot be checked by {}: {why}", ca.display());
    let pem = tokio::fs::read(ca).await.map_err(|e| unusable(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(&pem) {
        let cert = cert.map_err(|e| unusable(e.to_string()))?;
        roots.add(cert).map_err(|e| unusable(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    let mut client = straight(trusting(roots).map_err(|e| unusable(e.to_string()))?);
    let host = match &target.server_name {
        Some(name) => {
            // The name is for the certificate alone: the connection goes to the pod's own address.
            client = client.resolve(name, target.addr);
            format!("{name}:{}", target.addr.port())
        }
        None => target.addr.to_string(),
    };
    Ok((client.build().map_err(|e| unusable(e.to_string()))?, host))
}

async fn get(client: &Client, host: &str, target: &Target) -> std::result::Result<String, String> {
    let ask = client
        .get(format!("{}://{host}{}", target.scheme.as_str(), target.path))
        .header(header::ACCEPT, ACCEPT)
        .header("x-prometheus-scrape-timeout-seconds", target.timeout.as_secs_f64().to_string())
        .timeout(target.timeout);
    let answer = ask.send().await.map_err(|e| with_causes(&e.without_url()))?;
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
