//! What an agent signs to prove its key, and the checks of it.
//!
//! Each signature starts with its own domain, so that one can never be replayed as the other.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use ph_model::AgentId;

pub const HELLO_DOMAIN: &[u8] = b"pilothouse-link-v1";
pub const TOKEN_DOMAIN: &[u8] = b"pilothouse-token-v1";

/// What a Hello is signed over.
#[derive(Clone, Copy, Debug)]
pub struct HelloProof<'a> {
    pub nonce: &'a [u8],
    pub epoch: u64,
    pub instance: &'a [u8],
    pub public_host: &'a str,
}

impl HelloProof<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(HELLO_DOMAIN);
        out.extend_from_slice(self.nonce);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(self.instance);
        out.extend_from_slice(self.public_host.as_bytes());
        out
    }

    pub(crate) fn sign(&self, key: &SigningKey) -> [u8; 64] {
        key.sign(&self.bytes()).to_bytes()
    }
}

/// Whether `signature` is the holder of `public_key`'s over this Hello. Strict: no malleable signatures, no weak keys.
pub fn verify_hello(public_key: &[u8], signature: &[u8], proof: HelloProof<'_>) -> bool {
    proof.nonce.len() == 32 && proof.instance.len() == 16 && verify(public_key, signature, &proof.bytes())
}

/// The bytes of a token request: `TOKEN_DOMAIN || agent id || at_ms (i64 BE) || host name`.
fn token_bytes(agent: AgentId, at_ms: i64, host: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    out.extend_from_slice(TOKEN_DOMAIN);
    out.extend_from_slice(agent.as_bytes());
    out.extend_from_slice(&at_ms.to_be_bytes());
    out.extend_from_slice(host.as_bytes());
    out
}

pub(crate) fn sign_token(key: &SigningKey, agent: AgentId, at_ms: i64, host: &str) -> [u8; 64] {
    key.sign(&token_bytes(agent, at_ms, host)).to_bytes()
}

/// Whether `signature` asks for a token for `agent` at `at_ms` from the server called `host`.
pub fn verify_token(public_key: &[u8], signature: &[u8], agent: AgentId, at_ms: i64, host: &str) -> bool {
    verify(public_key, signature, &token_bytes(agent, at_ms, host))
}

fn verify(public_key: &[u8], signature: &[u8], bytes: &[u8]) -> bool {
    let Ok(key) = <[u8; 32]>::try_from(public_key) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    let Ok(key) = VerifyingKey::from_bytes(&key) else { return false };
    !key.is_weak() && key.verify_strict(bytes, &signature).is_ok() && key.verify(bytes, &signature).is_ok()
}
