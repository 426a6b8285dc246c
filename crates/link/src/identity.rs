//! An agent's key and what it is enrolled as, on disk or in a Kubernetes Secret.
//!
//! Files: `key.pem` (PKCS#8, mode 0600) and `identity.json` in one directory.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey};
use ph_model::{AgentId, ClusterId, Secret};
use serde::{Deserialize, Serialize};

use crate::Error;

/// An Ed25519 key pair. `Debug` shows the public half alone.
#[derive(Clone)]
pub struct Key(SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.public_base64())
    }
}

impl Key {
    pub fn generate() -> Result<Self, Error> {
        let mut seed = [0_u8; 32];
        getrandom::fill(&mut seed).map_err(|e| Error::Random(e.to_string()))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// PKCS#8 PEM, as [`Key::to_pem`] writes it.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        SigningKey::from_pkcs8_pem(pem)
            .map(Self)
            .map_err(|e| format!("not an Ed25519 key in PKCS#8 PEM ({e})"))
    }

    pub fn to_pem(&self) -> Result<Secret<String>, Error> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(|e| Error::Random(e.to_string()))?;
        Ok(Secret::new(pem.to_string()))
    }

    /// Reads the key at `path`, or makes one there with mode 0600; parent directories must exist.
    ///
    /// A key that others can read is refused: it may have been copied.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::KeyFile { path: path.to_owned(), reason };
        match fs::metadata(path) {
            Ok(meta) => {
                let mode = meta.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(fail(format!(
                        "mode {mode:03o} lets others read it; run chmod 600, or delete it to enrol anew"
                    )));
                }
                let pem = fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
                Self::from_pem(&pem).map_err(|e| fail(format!("{e}; delete it to enrol anew")))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::generate()?;
                write_private(path, key.to_pem()?.expose().as_bytes()).map_err(|e| fail(e.to_string()))?;
                Ok(key)
            }
            Err(e) => Err(fail(e.to_string())),
        }
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub fn public_base64(&self) -> String {
        STANDARD.encode(self.public())
    }

    /// Signs `message`, which begins with a domain of its own, so that it is never taken for another thing that this key signs.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.0
    }
}

/// A key and what the server knows it as.
#[derive(Clone, Debug)]
pub struct Identity {
    pub key: Key,
    pub agent_id: AgentId,
    pub cluster_id: ClusterId,
    pub cluster_name: String,
}

/// `identity.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    agent_id: AgentId,
    cluster_id: ClusterId,
    cluster_name: String,
    /// The key this enrolment is for: another key file makes it worthless.
    public_key: String,
}

impl Identity {
    /// The enrolment as JSON, without the private key.
    pub fn to_json(&self) -> String {
        let stored = Stored {
            agent_id: self.agent_id,
            cluster_id: self.cluster_id,
            cluster_name: self.cluster_name.clone(),
            public_key: self.key.public_base64(),
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// From [`Identity::to_json`] and the key it names; the error says what does not fit.
    pub fn from_json(json: &str, key: Key) -> Result<Self, String> {
        let stored: Stored = serde_json::from_str(json).map_err(|e| format!("not an identity ({e})"))?;
        if stored.public_key != key.public_base64() {
            return Err("it belongs to another key".into());
        }
        let Stored { agent_id, cluster_id, cluster_name, .. } = stored;
        Ok(Self { key, agent_id, cluster_id, cluster_name })
    }

    /// `DIR/identity.json` with `DIR/key.pem`; `None` before enrolment, or when the key is another by now.
    pub fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join("identity.json");
        let json = match fs::read_to_string(&path) {
            Ok(json) => json,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::IdentityFile { path, reason: e.to_string() }),
        };
        let key = Key::load_or_create(&dir.join("key.pem"))?;
        match Self::from_json(&json, key) {
            Ok(identity) => Ok(Some(identity)),
            Err(reason) => {
                tracing::warn!(path = %path.display(), reason, "identity is not usable, enrolling anew");
                Ok(None)
            }
        }
    }

    /// Writes `DIR/identity.json` (mode 0600), in one step; the key is in `DIR/key.pem` already.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join("identity.json");
        let next = dir.join("identity.json.new");
        let write = || {
            match fs::remove_file(&next) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            write_private(&next, self.to_json().as_bytes())?;
            fs::rename(&next, &path)
        };
        write().map_err(|e| Error::IdentityFile { path: path.clone(), reason: e.to_string() })
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
