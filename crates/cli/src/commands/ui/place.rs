//! Where the desktop form keeps its state: a private directory of the user's, or one that is removed at the end.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Failure};
use crate::{credentials, local};

/// The directory.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    temporary: bool,
}

impl Place {
    /// Makes it, mode 0700, when it is not there.
    pub fn open(temporary: bool, given: Option<&Path>) -> Result<Self, Failure> {
        let dir = match (temporary, given) {
            (true, _) => std::env::temp_dir().join(format!("pilothouse-ui-{}", uuid::Uuid::new_v4())),
            (false, Some(dir)) => dir.to_owned(),
            (false, None) => credentials::state_dir()?.join("ui"),
        };
        let mut builder = std::fs::DirBuilder::new();
        // Below a directory for everybody it must be new: nobody else made it, and nobody else may look into it.
        builder.recursive(!temporary).mode(0o700);
        builder.create(&dir).doing(|| format!("make {}", dir.display()))?;
        Ok(Self { dir, temporary })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The address of another process that uses it now.
    pub fn taken_by(&self) -> Option<String> {
        let lock = std::fs::OpenOptions::new().write(true).open(self.dir.join("serve.lock")).ok()?;
        let held = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err();
        held.then(|| local::marker(&self.dir).ok())?.map(|marker| marker.public_url.to_string())
    }

    /// Removes it when it was temporary.
    pub fn close(self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.dir)
        {
            eprintln!("warning: {} could not be removed: {error}", self.dir.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_temporary_place_is_private_and_goes() {
        let place = Place::open(true, None).unwrap();
        let dir = place.dir().to_owned();
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(place.taken_by(), None);
        place.close();
        assert!(!dir.exists());
    }
}
