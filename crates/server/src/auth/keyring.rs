//! The server's own secrets on disk: signing key, pepper, mask seed; files of mode 0600 in a directory of mode 0700.
//!
//! Never: overwrites a file that is there, or reads one that others may read.

use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use ph_access::{Pepper, SigningKey, VerifyingKeys};
use ph_model::Secret;

use super::mask_seed::MaskSeed;
use crate::gateway::error::Error;

/// Keys that this installation signs and checks with.
#[derive(Clone)]
pub struct Keyring {
    signing: SigningKey,
    verifying: VerifyingKeys,
    pepper: Pepper,
    masks: MaskSeed,
}

impl Keyring {
    /// Opens the keys in `dir`, making what is missing.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        private_dir(dir)?;
        let signing = match read_exact(&dir.join("signing.key"))? {
            Some(seed) => SigningKey::from_seed(&Secret::new(seed)),
            None => {
                let key = SigningKey::generate()?;
                write_private(&dir.join("signing.key"), key.seed().expose())?;
                key
            }
        };
        let pepper = match read_exact(&dir.join("pepper.key"))? {
            Some(bytes) => Pepper::from_bytes(bytes),
            None => {
                let pepper = Pepper::generate()?;
                write_private(&dir.join("pepper.key"), pepper.expose())?;
                pepper
            }
        };
        let masks = match read_exact(&dir.join("mask.key"))? {
            Some(bytes) => MaskSeed::from_bytes(bytes),
            None => {
                // Drawn as a pepper is: 32 bytes of the system's generator.
                let masks = MaskSeed::from_bytes(*Pepper::generate()?.expose());
                write_private(&dir.join("mask.key"), masks.expose())?;
                masks
            }
        };
        let verifying = VerifyingKeys::of([&signing]);
        Ok(Self { signing, verifying, pepper, masks })
    }

    /// Signs agent tokens and resume tokens.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// Draws the keys under which organisations' secrets are masked.
    pub fn masks(&self) -> &MaskSeed {
        &self.masks
    }

    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }
}

/// Makes a directory that only its owner may enter.
pub fn private_dir(dir: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|cause| Error::File {
        act: "create directory",
        path: dir.to_owned(),
        cause,
    })
}

/// The content of a private file; `None` when there is none. Refuses a file that others may read.
pub fn read_private(path: &Path) -> Result<Option<Secret<Vec<u8>>>, Error> {
    let file = |cause| Error::File { act: "read", path: path.to_owned(), cause };
    let mut open = match std::fs::File::open(path) {
        Ok(open) => open,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(file(e)),
    };
    let mode = open.metadata().map_err(file)?.mode();
    if mode & 0o077 != 0 {
        let text = format!("others may read it (mode {:o}); run: chmod 600 {}", mode & 0o777, path.display());
        return Err(file(io::Error::new(io::ErrorKind::PermissionDenied, text)));
    }
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).map_err(file)?;
    Ok(Some(Secret::new(bytes)))
}

fn read_exact(path: &Path) -> Result<Option<[u8; 32]>, Error> {
    read_private(path)?
        .map(|bytes| {
            bytes.expose().as_slice().try_into().map_err(|_| Error::KeyFile { path: path.to_owned() })
        })
        .transpose()
}

/// Writes a new file of mode 0600, durable when it returns: first beside its place, then moved there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        match path.parent() {
            Some(dir) => std::fs::File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|cause| Error::File { act: "write", path: path.to_owned(), cause })
}
