//! Who this terminal is signed in as: one small file of mode 0600 below the user's configuration directory.
//!
//! In:     `$XDG_CONFIG_HOME/pilothouse/credentials.json`, else `~/.config/pilothouse/credentials.json`.
//! Never:  reads a file that others may read; writes a token anywhere else.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Doing, Failure, Outcome};

/// All servers that this terminal is signed in to.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The server that commands talk to unless told otherwise: the one signed in to last.
    #[serde(default)]
    pub current: Option<String>,
    /// By origin: `https://host[:port]`.
    #[serde(default)]
    pub servers: BTreeMap<String, Signed>,
}

/// One sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// A session's or an API key's text.
    pub token: String,
    /// Who it belongs to, for people: an address, or empty for keys.
    #[serde(default)]
    pub email: String,
    #[serde(default)]
    pub organisation: String,
    /// ms UTC; absent: not known.
    #[serde(default)]
    pub expires_ms: Option<i64>,
    /// PEM of the authority that signed the server's certificate, besides the system's.
    #[serde(default)]
    pub ca: Option<String>,
}

/// Where a user's configuration lies.
pub fn config_dir() -> Result<PathBuf, Failure> {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// Where a user's data lies: the server's default data directory.
pub fn data_dir() -> Result<PathBuf, Failure> {
    xdg("XDG_DATA_HOME", ".local/share")
}

/// Where what a user's programs keep between two runs lies.
pub fn state_dir() -> Result<PathBuf, Failure> {
    xdg("XDG_STATE_HOME", ".local/state")
}

fn xdg(variable: &str, below_home: &str) -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // The XDG base directory specification has relative paths ignored.
    set(variable)
        .filter(|p| p.is_absolute())
        .or_else(|| Some(set("HOME")?.join(below_home)))
        .map(|dir| dir.join("pilothouse"))
        .ok_or_else(|| {
            Failure::failed(format!("neither {variable} nor HOME is set")).next("set HOME to a directory")
        })
}

pub fn path() -> Result<PathBuf, Failure> {
    Ok(config_dir()?.join("credentials.json"))
}

/// The file's content; empty when there is none.
pub fn load() -> Result<Credentials, Failure> {
    load_from(&path()?)
}

fn load_from(path: &Path) -> Result<Credentials, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Credentials::default()),
        Err(e) => return Err(e).doing(|| format!("read {}", path.display())),
    };
    let mode = std::fs::metadata(path).doing(|| format!("look at {}", path.display()))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::failed(format!("{}: others may read it (mode {mode:03o})", path.display()))
            .next(format!(
                "chmod 600 {}; if others use this machine, run `pilothouse logout` too",
                path.display()
            )));
    }
    serde_json::from_str(&text).map_err(|e| {
        Failure::failed(format!("{} cannot be used: {e}", path.display()))
            .next(format!("delete it and run `pilothouse login URL` again: rm {}", path.display()))
    })
}

/// Replaces the file, durable when it returns.
pub fn save(credentials: &Credentials) -> Outcome {
    save_to(&path()?, credentials)
}

fn save_to(path: &Path, credentials: &Credentials) -> Outcome {
    let act = || format!("write {}", path.display());
    let text = serde_json::to_string_pretty(credentials).doing(act)?;
    if let Some(dir) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).doing(act)?;
    }
    let beside = path.with_extension(format!("new.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .doing(act)?;
    file.write_all(text.as_bytes()).doing(act)?;
    file.sync_all().doing(act)?;
    std::fs::rename(&beside, path).doing(act)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_private_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/credentials.json");
        let mut wanted = Credentials { current: Some("https://a".into()), ..Credentials::default() };
        let signed = Signed {
            token: "phs_x".into(),
            email: "ann@example.org".into(),
            organisation: "main".into(),
            expires_ms: Some(1),
            ca: None,
        };
        wanted.servers.insert("https://a".into(), signed);
        save_to(&path, &wanted).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let got = load_from(&path).unwrap();
        assert_eq!(
            (got.current.as_deref(), got.servers["https://a"].token.as_str()),
            (Some("https://a"), "phs_x")
        );
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.json");
        std::fs::write(&path, "{}").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(load_from(&path).unwrap_err().text().contains("others may read it"));
    }
}
