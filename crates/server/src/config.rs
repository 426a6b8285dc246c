//! What `serve` is told: addresses, data directory, first organisation.
//!
//! Never: plain http beyond loopback.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ph_receive::{Asks, Cors};
use url::Url;

use crate::gateway::error::Error;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Loopback only.
    Http(SocketAddr),
    /// With a certificate of the server's own authority.
    Https(SocketAddr),
}

impl Listen {
    pub fn addr(self) -> SocketAddr {
        match self {
            Listen::Http(addr) | Listen::Https(addr) => addr,
        }
    }

    pub fn scheme(self) -> &'static str {
        match self {
            Listen::Http(_) => "http",
            Listen::Https(_) => "https",
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.addr())
    }
}

impl FromStr for Listen {
    type Err = Error;

    /// `https://ADDR` or `http://ADDR`, where ADDR is `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000` or `0.0.0.0` (port 8000).
    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = |why: &str| Error::Config(format!("--listen {text}: {why}"));
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| fault("write it as https://ADDRESS:PORT or http://127.0.0.1:PORT"))?;
        let rest = rest.trim_end_matches('/');
        let named = rest.strip_prefix("localhost").map(|tail| format!("127.0.0.1{tail}"));
        let rest = named.as_deref().unwrap_or(rest);
        let addr = rest
            .parse::<SocketAddr>()
            .or_else(|_| rest.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 8000)))
            .map_err(|_| fault("give an IP address and a port, for example 127.0.0.1:8000"))?;
        match scheme {
            "https" => Ok(Listen::Https(addr)),
            "http" if addr.ip().is_loopback() => Ok(Listen::Http(addr)),
            "http" => Err(fault(&format!(
                "plain http is served on loopback only, since passwords and logs would cross the network in clear; use https://{addr}"
            ))),
            _ => Err(fault("the scheme is https or http")),
        }
    }
}

/// Everything the server needs to start.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// At least one. Default: `https://127.0.0.1:8000`.
    pub listen: Vec<Listen>,
    /// What agents dial and sign, and what links name. Default: the first listen address.
    pub public_url: Option<Url>,
    /// Holds state, telemetry, keys and certificates; made when absent, mode 0700.
    pub data: PathBuf,
    /// Own metrics; `None`: off. Default: `127.0.0.1:8888`.
    pub metrics: Option<SocketAddr>,
    /// `/livez` and `/readyz`; `None`: off. Default: `127.0.0.1:13133`.
    pub probes: Option<SocketAddr>,
    /// When telemetry is acknowledged. Default: after it is synced to the disk.
    pub durability: ph_store::Durability,
    /// Go on behind damage of the telemetry log, and report what is left out, instead of refusing to start. Default: false.
    pub repair: bool,
    /// Further addresses that take telemetry of other programs and nothing else, such as OpenTelemetry's 4317 and 4318. Default:
    /// none; the main addresses take it too.
    pub intake: Vec<Listen>,
    /// Further addresses that answer Jaeger's query API below `/api`, with the same credentials as the main ones, and nothing else.
    /// Default: none; the main addresses have it below `/jaeger/api`.
    pub jaeger: Vec<Listen>,
    /// Origins of pages that may send OTLP over HTTP from a browser, with a key. Default: none.
    pub cors_origins: Vec<String>,
    /// What each organisation may send. Default: 2,000,000 active series, 200,000 samples and 64 MB of rows a second.
    pub limits: ph_store::Limits,
    /// How long telemetry is kept, of organisations that have no settings of their own. Default: metrics and events 30 days, logs and
    /// spans 7.
    pub retention: ph_store::Retention,
    /// How long roll-ups of metrics are kept. Default: 5 minutes 180 days, an hour 400.
    pub rollups: ph_store::RollupDays,
    /// Most bytes of all telemetry on the disk; the oldest days go first. Default: none.
    pub disk_cap_bytes: Option<u64>,
    /// Bytes of range queries' steps that are kept in memory for the next who asks; 0: none. Default: 64 MiB.
    pub range_cache_bytes: usize,
    /// Slug of the organisation that the first start creates.
    pub org_slug: String,
    /// Address of the owner that the first start creates.
    pub owner_email: String,
}

impl ServerConfig {
    /// All defaults, with data in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: vec![Listen::Https(local(8000))],
            public_url: None,
            data: data.into(),
            metrics: Some(local(8888)),
            probes: Some(local(13133)),
            durability: ph_store::Durability::default(),
            repair: false,
            intake: Vec::new(),
            jaeger: Vec::new(),
            cors_origins: Vec::new(),
            limits: ph_store::Limits {
                samples_per_second: Some(200_000),
                bytes_per_second: Some(64_000_000),
                ..ph_store::Limits::default()
            },
            retention: ph_store::Retention::default(),
            rollups: ph_store::RollupDays::default(),
            disk_cap_bytes: None,
            range_cache_bytes: 64 << 20,
            org_slug: "main".to_owned(),
            owner_email: "owner@localhost".to_owned(),
        }
    }

    /// Every address for other machines, under whatever flag.
    pub fn doors(&self) -> impl Iterator<Item = Listen> {
        self.listen.iter().chain(&self.intake).chain(&self.jaeger).copied()
    }

    /// Which pages may send. Errors: each fault of the list.
    pub fn cors(&self) -> Result<Cors, Vec<String>> {
        Cors::of(&self.cors_origins, Asks::Credential)
    }

    /// All faults at once.
    pub fn check(&self) -> Result<(), Error> {
        let mut faults = Vec::new();
        if self.listen.is_empty() {
            faults.push("--listen: give at least one address".to_owned());
        }
        for listen in self.doors() {
            if let Listen::Http(addr) = listen
                && !addr.ip().is_loopback()
            {
                faults.push(format!(
                    "--listen {listen}: plain http is served on loopback only; use https://{addr}"
                ));
            }
        }
        faults.extend(self.cors().err().into_iter().flatten());
        if let Some(url) = &self.public_url {
            let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            if url.scheme() != "https" && !(url.scheme() == "http" && local) {
                faults.push(format!("--public-url {url}: use https://"));
            }
            if url.path() != "/"
                || url.query().is_some()
                || url.fragment().is_some()
                || !url.username().is_empty()
            {
                faults.push(format!("--public-url {url}: give scheme, host and port only"));
            }
        }
        let slug = self.org_slug.as_bytes();
        let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        if slug.is_empty()
            || slug.len() > 40
            || !slug.iter().all(word)
            || slug.starts_with(b"-")
            || slug.ends_with(b"-")
        {
            faults.push(format!("organisation slug {:?}: 1 to 40 of a-z, 0-9 and -", self.org_slug));
        }
        if !self.owner_email.contains('@') {
            faults.push(format!("owner {:?}: give an e-mail address", self.owner_email));
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults.join("\n"))) }
    }
}

#[cfg(test)]
mod tests;
