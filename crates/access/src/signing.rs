//! Ed25519 signing keys of the server, and the set of keys whose signatures it accepts.
//!
//! In:     a seed of 32 bytes from a sealed file.
//! Out:    signatures over `purpose ‖ 0 ‖ payload`, so that a token for one purpose is never one for another.
//! Source: RFC 8032.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::{Signature, Signer, Verifier};
use ph_model::Secret;
use sha2::{Digest, Sha256};

use crate::credential::random;
use crate::error::{Error, Refused};

/// One private key. `kid` is the first 16 hex digits of the SHA-256 of its public half.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::from_seed(&Secret::new(random()?)))
    }

    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed.expose());
        let kid = hex::encode(&Sha256::digest(key.verifying_key().as_bytes())[..8]);
        Self { kid, key }
    }

    /// For the file it is sealed in.
    pub fn seed(&self) -> Secret<[u8; 32]> {
        Secret::new(self.key.to_bytes())
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn pkcs8_der(&self) -> Result<Secret<Vec<u8>>, Error> {
        let der = self.key.to_pkcs8_der().map_err(|e| Error::SigningKey(Box::new(e)))?;
        Ok(Secret::new(der.as_bytes().to_vec()))
    }

    /// Signs `payload` for one purpose (`live-resume`, say): URL-safe text that holds both.
    pub fn sign(&self, purpose: &str, payload: &[u8]) -> String {
        let signature = self.key.sign(&message(purpose, payload));
        format!(
            "{}.{}.{}",
            self.kid,
            URL_SAFE_NO_PAD.encode(payload),
            URL_SAFE_NO_PAD.encode(signature.to_bytes())
        )
    }
}

/// The public keys whose signatures are accepted, found by `kid` among our own and nowhere else.
#[derive(Clone, Default)]
pub struct VerifyingKeys {
    keys: BTreeMap<String, ed25519_dalek::VerifyingKey>,
}

impl VerifyingKeys {
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Self {
        Self { keys: keys.into_iter().map(|k| (k.kid.clone(), k.key.verifying_key())).collect() }
    }

    pub(crate) fn by_kid(&self, kid: &str) -> Option<&ed25519_dalek::VerifyingKey> {
        self.keys.get(kid)
    }

    /// The payload of a text made by [`SigningKey::sign`] for the same purpose.
    pub fn open(&self, purpose: &str, text: &str) -> Result<Vec<u8>, Refused> {
        let mut parts = text.splitn(3, '.');
        let (Some(kid), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Refused::Malformed);
        };
        let key = self.by_kid(kid).ok_or(Refused::Unknown)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Refused::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| Refused::Malformed)?;
        key.verify(&message(purpose, &payload), &signature).map_err(|_| Refused::Unknown)?;
        Ok(payload)
    }
}

fn message(purpose: &str, payload: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], payload].concat()
}
