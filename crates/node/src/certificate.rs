//! Certificates of servers that are judged by a rule of ours, where that of browsers does not fit.
//!
//! Never: takes one whose owner does not prove to have its key.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme, WantsVerifier};

/// What a server shows in a handshake.
pub struct Shown<'a> {
    pub leaf: &'a CertificateDer<'a>,
    pub intermediates: &'a [CertificateDer<'a>],
    pub name: &'a ServerName<'a>,
    pub ocsp: &'a [u8],
    pub now: UnixTime,
}

/// Decides about certificates. Errors: why one is not taken.
pub trait Rule: Debug + Send + Sync + 'static {
    fn judge(&self, shown: &Shown<'_>) -> Result<(), Error>;
}

/// Takes whatever is shown.
#[derive(Debug)]
pub struct Any;

impl Rule for Any {
    fn judge(&self, _: &Shown<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// The beginning of every client's configuration.
pub fn client() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()
}

/// Of a client that takes certificates by a rule.
pub fn client_by(rule: Arc<impl Rule>) -> Result<ClientConfig, Error> {
    let algorithms = provider().signature_verification_algorithms;
    let verifier = Arc::new(ByRule { rule, algorithms });
    Ok(client()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[derive(Debug)]
struct ByRule<R> {
    rule: Arc<R>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl<R: Rule> ServerCertVerifier for ByRule<R> {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.rule.judge(&Shown { leaf, intermediates, name, ocsp, now })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
