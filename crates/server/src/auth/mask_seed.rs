//! Keys under which organisations' secrets are masked in logs: drawn from one seed of this installation.
//!
//! In:     `mask.key` in the keys' directory, made when missing. Out: 32 bytes for each organisation, always the same.
//! Never:  two organisations with one key, so that equal tags say nothing across them.

use ph_model::{OrgId, Secret};
use sha2::{Digest, Sha256};

/// What the keys are drawn from.
#[derive(Clone)]
pub struct MaskSeed(Secret<[u8; 32]>);

/// Keeps these digests apart from all others.
const DOMAIN: &[u8] = b"pilothouse mask key 1";

impl MaskSeed {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// For its file.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// An organisation's key. All inputs have a fixed length, so no key extends to another.
    pub fn key(&self, org: OrgId) -> Secret<Vec<u8>> {
        let mut digest = Sha256::new();
        digest.update(DOMAIN);
        digest.update(self.0.expose());
        digest.update(org.as_bytes());
        Secret::new(digest.finalize().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organisation_has_its_own_key_and_keeps_it() {
        let (seed, other) = (MaskSeed::from_bytes([1; 32]), MaskSeed::from_bytes([2; 32]));
        let [a, b] = [3, 4].map(|n| OrgId(uuid::Uuid::from_bytes([n; 16])));
        assert_eq!(seed.key(a).expose(), seed.clone().key(a).expose());
        assert_ne!(seed.key(a).expose(), seed.key(b).expose());
        assert_ne!(seed.key(a).expose(), other.key(a).expose());
        assert_eq!(seed.key(a).expose().len(), 32);
    }
}
