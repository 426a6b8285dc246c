//! The server as an agent knows it: address, trust, way there.
//!
//! In:     a URL, perhaps a CA, the environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`).
//! Never:  plain http to anything but loopback.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::{Host, Url};

use crate::Error;

/// One server, ready to be dialled.
#[derive(Clone)]
pub struct Origin {
    url: Url,
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
    proxy: Option<Url>,
    own_ca: bool,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Where the way to a server leads over a proxy; names as curl has them.
#[derive(Clone, Debug, Default)]
pub struct ProxyEnv {
    pub https_proxy: Option<String>,
    pub http_proxy: Option<String>,
    pub no_proxy: Option<String>,
}

impl ProxyEnv {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or their lower-case forms.
    pub fn from_env() -> Self {
        let read = |upper: &str| {
            let found = std::env::var(upper).or_else(|_| std::env::var(upper.to_lowercase())).ok()?;
            (!found.is_empty()).then_some(found)
        };
        Self { https_proxy: read("HTTPS_PROXY"), http_proxy: None, no_proxy: read("NO_PROXY") }
    }
}

impl Origin {
    /// `url`: `https://host[:port]`, or `http://` on loopback. `ca`: PEM, trusted besides the
    /// system's store (or `SSL_CERT_FILE`); empty is none. The proxy comes from the environment.
    pub fn new(url: &str, ca: Option<&[u8]>) -> Result<Self, Error> {
        Self::with_proxy(url, ca, &ProxyEnv::from_env())
    }

    pub fn with_proxy(url: &str, ca: Option<&[u8]>, env: &ProxyEnv) -> Result<Self, Error> {
        let bad = |reason: &str| Error::Address { url: url.to_owned(), reason: reason.to_owned() };
        let parsed = Url::parse(url)
            .map_err(|e| bad(&format!("{e}; write it like https://pilothouse.example.org")))?;
        let host = parsed.host().ok_or_else(|| bad("it has no host name"))?;
        let secure = match parsed.scheme() {
            "https" => true,
            "http" if is_loopback(&host) => false,
            "http" => return Err(bad("plain http is allowed on loopback only; use https://")),
            other => return Err(bad(&format!("{other}:// is not known; use https://"))),
        };
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
            return Err(bad("it must be an origin: no path, no query"));
        }
        let port = parsed.port_or_known_default().ok_or_else(|| bad("it has no port"))?;
        let name = match &host {
            Host::Ipv6(ip) => ip.to_string(),
            other => other.to_string(),
        };
        let proxy = proxy_for(&host, secure, env)?;
        let tls = if secure { Some(Arc::new(client_config(ca)?)) } else { None };
        Ok(Self { host: name, port, tls, proxy, own_ca: ca.is_some(), url: parsed })
    }

    /// Host name as dialled: lower case, without port and brackets. What Hello and token requests are signed for.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// `host:port`, IPv6 in brackets: for `Host` headers, CONNECT and messages.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// TLS settings; `None` on plain loopback. Other clients of the same server (telemetry) can use them.
    pub fn tls(&self) -> Option<&Arc<rustls::ClientConfig>> {
        self.tls.as_ref()
    }

    pub fn proxy(&self) -> Option<&Url> {
        self.proxy.as_ref()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What a person does about a certificate that is not trusted.
    pub(crate) fn trust_fix(&self) -> String {
        if self.own_ca {
            "the CA given with --ca did not sign it; take the server's current CA (GET /ca.pem on the server, or its data directory's tls/ca.pem)".into()
        } else {
            "give the server's CA with --ca FILE (or SSL_CERT_FILE); the server's own is tls/ca.pem in its data directory".into()
        }
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

/// The proxy for this host, unless `NO_PROXY` names it: exact names, `.suffix`, `suffix`, addresses, CIDR, `*`.
fn proxy_for(host: &Host<&str>, secure: bool, env: &ProxyEnv) -> Result<Option<Url>, Error> {
    let Some(proxy) = (if secure { &env.https_proxy } else { &env.http_proxy }) else { return Ok(None) };
    if is_loopback(host) && env.no_proxy.is_none()
        || env.no_proxy.as_deref().is_some_and(|list| exempt(host, list))
    {
        return Ok(None);
    }
    let text = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
    let bad = |reason: String| Error::Address { url: proxy.clone(), reason };
    let url = Url::parse(&text).map_err(|e| bad(format!("HTTPS_PROXY: {e}")))?;
    if url.scheme() != "http" {
        return Err(bad(format!("HTTPS_PROXY: only http:// proxies are supported, not {}://", url.scheme())));
    }
    Ok(Some(url))
}

fn exempt(host: &Host<&str>, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        match host {
            Host::Domain(name) => {
                let suffix = entry.trim_start_matches("*.").trim_start_matches('.').to_lowercase();
                let name = name.to_lowercase();
                name == suffix || name.strip_suffix(&suffix).is_some_and(|head| head.ends_with('.'))
            }
            Host::Ipv4(ip) => in_network((*ip).into(), entry),
            Host::Ipv6(ip) => in_network((*ip).into(), entry),
        }
    })
}

fn in_network(ip: std::net::IpAddr, entry: &str) -> bool {
    let entry = entry.trim_start_matches('[').trim_end_matches(']');
    let (net, bits) = match entry.split_once('/') {
        Some((net, bits)) => (net, bits.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let (Ok(net), Some(bits)) = (net.parse::<std::net::IpAddr>(), bits) else { return false };
    match (ip, net) {
        (std::net::IpAddr::V4(a), std::net::IpAddr::V4(b)) => {
            let shift = 32_u32.saturating_sub(bits);
            u32::from(a).checked_shr(shift).unwrap_or(0) == u32::from(b).checked_shr(shift).unwrap_or(0)
        }
        (std::net::IpAddr::V6(a), std::net::IpAddr::V6(b)) => {
            let shift = 128_u32.saturating_sub(bits);
            u128::from(a).checked_shr(shift).unwrap_or(0) == u128::from(b).checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

/// The system's authorities, and the given one besides.
fn client_config(ca: Option<&[u8]>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        if let Ok(file) = std::env::var("SSL_CERT_FILE") {
            let from = format!("SSL_CERT_FILE {file}");
            return Err(Error::Certificates { from, reason: error.to_string() });
        }
        tracing::debug!(%error, "part of the system's certificates could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    if let Some(pem) = ca {
        let before = roots.len();
        for cert in CertificateDer::pem_slice_iter(pem) {
            let bad = |reason: String| Error::Certificates { from: "the given CA".into(), reason };
            roots.add(cert.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
        }
        if roots.len() == before && !pem.trim_ascii().is_empty() {
            let reason = "no PEM certificate in it".into();
            return Err(Error::Certificates { from: "the given CA".into(), reason });
        }
    }
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
