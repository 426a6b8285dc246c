//! The server's own certificate authority and the certificate it serves with.
//!
//! In:     a directory for keys (mode 0600), the names and addresses to cover, the time.
//! Out:    an authority made once for ten years; a leaf of 90 days, made anew 30 days before its end or when names change.
//! Never:  writes a private key where others can read it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig as TlsConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::error::Error;
use crate::auth::keyring::{read_private, write_private};

const DAY_MS: i64 = 86_400_000;
const CA_DAYS: i64 = 3650;
const LEAF_DAYS: i64 = 90;
const RENEW_DAYS: i64 = 30;
const CA_NAME: &str = "Pilothouse own authority";

/// Serves the current certificate; renewal swaps it under open connections.
#[derive(Debug)]
pub struct Certificates {
    dir: PathBuf,
    names: BTreeSet<String>,
    current: ArcSwap<CertifiedKey>,
    until_ms: std::sync::atomic::AtomicI64,
}

impl Certificates {
    /// Opens or makes the authority in `dir` and a certificate for `names` (DNS names and IP addresses).
    pub fn open(dir: &Path, names: BTreeSet<String>, now_ms: i64) -> Result<Arc<Self>, Error> {
        let (key, until_ms) = issue(dir, &names, now_ms)?;
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            names,
            current: ArcSwap::from_pointee(key),
            until_ms: until_ms.into(),
        }))
    }

    /// Makes a new certificate when the current one ends within 30 days. Returns whether it did.
    pub fn renew(&self, now_ms: i64) -> Result<bool, Error> {
        use std::sync::atomic::Ordering;
        if now_ms < self.until_ms.load(Ordering::Relaxed) - RENEW_DAYS * DAY_MS {
            return Ok(false);
        }
        let (key, until_ms) = issue(&self.dir, &self.names, now_ms)?;
        self.current.store(Arc::new(key));
        self.until_ms.store(until_ms, Ordering::Relaxed);
        Ok(true)
    }

    /// ms UTC of the end of the certificate that is served now.
    pub fn until_ms(&self) -> i64 {
        self.until_ms.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    pub fn acceptor(self: &Arc<Self>) -> Result<tokio_rustls::TlsAcceptor, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = TlsConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// The authority's certificate in PEM, as agents and terminals take it with `--ca`.
pub fn authority_path(dir: &Path) -> PathBuf {
    dir.join("ca.pem")
}

fn issue(dir: &Path, names: &BTreeSet<String>, now_ms: i64) -> Result<(CertifiedKey, i64), Error> {
    let ca_key = ca_key(dir)?;
    let ca_der = ca_certificate(dir, &ca_key, now_ms)?;
    let issuer = Issuer::new(ca_params(now_ms), &ca_key);
    let leaf_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Pilothouse server");
    params.subject_alt_names = names.iter().filter_map(|n| san(n)).collect();
    set_life(&mut params, now_ms - DAY_MS, now_ms + LEAF_DAYS * DAY_MS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&leaf_key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let signer = rustls::crypto::ring::sign::any_supported_type(&key)?;
    let chain = vec![leaf.der().clone(), ca_der];
    Ok((CertifiedKey::new(chain, signer), now_ms + LEAF_DAYS * DAY_MS))
}

fn ca_key(dir: &Path) -> Result<KeyPair, Error> {
    let path = dir.join("ca-key.pem");
    if let Some(pem) = read_private(&path)? {
        let text =
            String::from_utf8(pem.expose().clone()).map_err(|_| Error::KeyFile { path: path.clone() })?;
        return KeyPair::from_pem(&text).map_err(|_| Error::KeyFile { path });
    }
    let key = KeyPair::generate()?;
    write_private(&path, key.serialize_pem().as_bytes())?;
    Ok(key)
}

fn ca_certificate(dir: &Path, key: &KeyPair, now_ms: i64) -> Result<CertificateDer<'static>, Error> {
    use rustls_pki_types::pem::PemObject;
    let path = authority_path(dir);
    if path.exists() {
        return CertificateDer::from_pem_file(&path).map_err(|_| Error::KeyFile { path });
    }
    let certificate = ca_params(now_ms).self_signed(key)?;
    std::fs::write(&path, certificate.pem()).map_err(|cause| Error::File {
        act: "write",
        path: path.clone(),
        cause,
    })?;
    Ok(certificate.der().clone())
}

fn ca_params(now_ms: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_life(&mut params, now_ms - DAY_MS, now_ms + CA_DAYS * DAY_MS);
    params
}

fn san(name: &str) -> Option<SanType> {
    match name.parse::<IpAddr>() {
        Ok(ip) => Some(SanType::IpAddress(ip)),
        Err(_) => name.to_owned().try_into().ok().map(SanType::DnsName),
    }
}

/// Certificates count in days here: year, month and day of `ms` in UTC.
fn day(ms: i64) -> (i32, u8, u8) {
    let ts = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let day = ts.to_zoned(jiff::tz::TimeZone::UTC).date();
    (i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs())
}

fn set_life(params: &mut CertificateParams, from_ms: i64, to_ms: i64) {
    let (from, to) = (day(from_ms), day(to_ms));
    params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
}

#[cfg(test)]
mod tests;
