//! Asks the kubelet for its summary.
//!
//! In:     the node's address, a ServiceAccount token (read anew for each call: it rotates), the cluster's CA.
//! Out:    the summary's bytes, and how the kubelet's certificate was trusted.
//! Never:  sends the token before the certificate is trusted by the rule chosen; falls back to no check by itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::certificate::{self, Rule, Shown};
use crate::error::{Error, Result};

/// How long the kubelet may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a summary; 110 pods have about 400 KiB.
const MAX_SUMMARY: usize = 32 << 20;

/// How the kubelet's certificate is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// By the cluster's CA; one that it did not sign is pinned on first use, with a warning.
    #[default]
    Verify,
    /// By its fingerprint, pinned on first use.
    Pin,
    /// Not at all: for tests of a cluster, never for a real one.
    Skip,
}

/// How the last connection was trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    ClusterCa,
    /// By fingerprint; `first` when it was pinned just now.
    Pinned {
        first: bool,
    },
    Skipped,
    /// The certificate is another than the pinned one, and the cluster's CA did not sign it.
    Changed {
        pinned: String,
        found: String,
    },
}

/// Where the kubelet is and what is needed to ask it.
#[derive(Clone, Debug)]
pub struct Kubelet {
    /// Address of the node, without port.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub token_file: PathBuf,
    pub ca_file: PathBuf,
    /// Where the fingerprint is kept.
    pub pin_file: PathBuf,
}

/// Client of one kubelet.
#[derive(Debug)]
pub struct Fetcher {
    kubelet: Kubelet,
    client: reqwest::Client,
    verifier: Arc<Verifier>,
}

impl Fetcher {
    /// Errors: `Config` when the client cannot be built. A missing CA is none: it means pinning.
    pub fn new(kubelet: Kubelet) -> Result<Self> {
        let verifier = Arc::new(Verifier::new(&kubelet));
        let bad = |e: &dyn std::fmt::Display| Error::Config(format!("client for the kubelet: {e}"));
        let tls = certificate::client_by(verifier.clone()).map_err(|e| bad(&e))?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("pilothouse/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|e| bad(&e))?;
        Ok(Self { kubelet, client, verifier })
    }

    /// How the last handshake was trusted; `None` before the first.
    pub fn trust(&self) -> Option<Trust> {
        self.verifier.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn url(&self) -> String {
        let Kubelet { host, port, .. } = &self.kubelet;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("https://{host}:{port}/stats/summary")
    }

    /// The summary.
    pub async fn summary(&self) -> Result<Vec<u8>> {
        let url = self.url();
        let token = tokio::fs::read_to_string(&self.kubelet.token_file)
            .await
            .map_err(|e| Error::read(&self.kubelet.token_file, e))?;
        let failed = |e: reqwest::Error| {
            let mut reason = e.to_string();
            let mut next = std::error::Error::source(&e);
            while let Some(cause) = next {
                reason = format!("{reason}: {cause}");
                next = cause.source();
            }
            Error::Http { url: url.clone(), reason }
        };
        let mut response = self.client.get(&url).bearer_auth(token.trim()).send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_SUMMARY {
                return Err(Error::Http { url, reason: "the summary has more than 32 MiB".into() });
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let reason = String::from_utf8_lossy(body.get(..300).unwrap_or(&body)).trim().to_owned();
            return Err(Error::Refused { url, status: status.as_u16(), reason });
        }
        Ok(body)
    }

    /// What a person can do about an error of [`Fetcher::summary`].
    pub fn fix(&self, error: &Error) -> String {
        if let Some(Trust::Changed { .. }) = self.trust() {
            return format!(
                "if this node's kubelet has a new certificate, delete {} and restart the agent; otherwise find out who answers at {}",
                self.kubelet.pin_file.display(),
                self.kubelet.host
            );
        }
        match error {
            Error::Refused { status: 401, .. } => {
                "let the kubelet accept ServiceAccount tokens (authentication.webhook.enabled: true)".into()
            }
            Error::Refused { status: 403, .. } => {
                "give the agent's ServiceAccount the ClusterRole rule: resources [nodes/stats], verbs [get]"
                    .into()
            }
            Error::Read { path, .. } => format!("mount the ServiceAccount token at {}", path.display()),
            _ => format!(
                "check that the kubelet listens on {}:{} and that the network policy lets the agent reach it",
                self.kubelet.host, self.kubelet.port
            ),
        }
    }
}

/// Trusts by the rule chosen, and remembers how.
#[derive(Debug)]
struct Verifier {
    rule: Tls,
    ca: Option<Arc<WebPkiServerVerifier>>,
    pin_file: PathBuf,
    last: Mutex<Option<Trust>>,
}

impl Verifier {
    fn new(kubelet: &Kubelet) -> Self {
        let ca = match kubelet.tls {
            Tls::Skip => None,
            Tls::Verify | Tls::Pin => authority(&kubelet.ca_file),
        };
        Self { rule: kubelet.tls, ca, pin_file: kubelet.pin_file.clone(), last: Mutex::new(None) }
    }

    fn trust(&self, leaf: &CertificateDer<'_>, by_ca: bool) -> std::io::Result<Trust> {
        if self.rule == Tls::Skip {
            return Ok(Trust::Skipped);
        }
        let found = fingerprint(leaf);
        let pinned = read_pin(&self.pin_file)?;
        if by_ca && (self.rule == Tls::Verify || pinned.as_ref().is_some_and(|p| *p != found)) {
            return Ok(Trust::ClusterCa);
        }
        match pinned {
            None => {
                write_pin(&self.pin_file, &found)?;
                Ok(Trust::Pinned { first: true })
            }
            Some(pinned) if pinned == found => Ok(Trust::Pinned { first: false }),
            Some(pinned) => Ok(Trust::Changed { pinned, found }),
        }
    }
}

impl Rule for Verifier {
    fn judge(&self, shown: &Shown<'_>) -> std::result::Result<(), rustls::Error> {
        let Shown { leaf, intermediates, name, ocsp, now } = shown;
        let by_ca = self
            .ca
            .as_ref()
            .is_some_and(|ca| ca.verify_server_cert(leaf, intermediates, name, ocsp, *now).is_ok());
        let trust = self.trust(leaf, by_ca).map_err(|e| {
            rustls::Error::General(format!("fingerprint file {}: {e}", self.pin_file.display()))
        })?;
        let changed = match &trust {
            Trust::Changed { pinned, found } => Some(format!(
                "the kubelet's certificate changed: pinned {pinned}, found {found}, not signed by the cluster's CA"
            )),
            _ => None,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(trust);
        match changed {
            Some(text) => Err(rustls::Error::General(text)),
            None => Ok(()),
        }
    }
}

/// The cluster's CA as a verifier; `None` when the file is absent or holds none.
fn authority(path: &Path) -> Option<Arc<WebPkiServerVerifier>> {
    let pem = std::fs::read(path).ok()?;
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(&pem).flatten() {
        let _ = roots.add(cert);
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), certificate::provider()).build().ok()
}

fn fingerprint(leaf: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(leaf.as_ref());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_pin(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn write_pin(path: &Path, pin: &str) -> std::io::Result<()> {
    let next = path.with_extension("new");
    std::fs::write(&next, format!("{pin}\n"))?;
    std::fs::File::open(&next)?.sync_all()?;
    std::fs::rename(&next, path)
}

#[cfg(test)]
mod tests;
