//! Why a log could not be read.

use std::io;
use std::path::{Path, PathBuf};

use ph_model::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no log directory {} on this node: the container never ran here, or its logs were removed", .path.display())]
    NotFound { path: PathBuf },
    #[error(
        "{directory} has {runs} runs, so none lies {previous} before the current one; name a smaller number"
    )]
    NoRun {
        /// Directory of the log.
        directory: String,
        previous: u32,
        runs: usize,
    },
    #[error(
        "read {}: permission denied (mode {mode:04o}, owner {owner}); give the agent CAP_DAC_READ_SEARCH, \
         or run it as the owner", .path.display()
    )]
    Denied { path: PathBuf, mode: u32, owner: String },
    #[error("open log {}: it points outside of the log roots, so it is refused", .path.display())]
    Refused { path: PathBuf },
    #[error("source name part {part:?} is not a single directory name")]
    Name { part: String },
    #[error("read log {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("open an inotify instance; raise fs.inotify.max_user_instances")]
    Inotify {
        #[source]
        cause: io::Error,
    },
    #[error("watch {}; raise fs.inotify.max_user_watches", .path.display())]
    Watch {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. } | Error::NoRun { .. } => ErrorKind::NotFound,
            Error::Denied { .. } | Error::Refused { .. } => ErrorKind::Denied,
            Error::Name { .. } => ErrorKind::Invalid,
            Error::Read { .. } => ErrorKind::Unavailable,
            Error::Inotify { .. } | Error::Watch { .. } => ErrorKind::Exhausted,
        }
    }

    /// Sorts an I/O error on a path into the variant that says what to do about it.
    pub(crate) fn io(path: &Path, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::NotFound => Error::NotFound { path: path.to_owned() },
            io::ErrorKind::PermissionDenied => {
                let (mode, owner) = owner_of(path);
                Error::Denied { path: path.to_owned(), mode, owner }
            }
            _ if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                Error::Refused { path: path.to_owned() }
            }
            _ => Error::Read { path: path.to_owned(), cause },
        }
    }
}

/// Mode and `uid:gid` of the path, or of its nearest ancestor that can be asked.
fn owner_of(path: &Path) -> (u32, String) {
    use std::os::unix::fs::MetadataExt;
    for p in path.ancestors() {
        if let Ok(meta) = std::fs::symlink_metadata(p) {
            return (meta.mode() & 0o7777, format!("{}:{}", meta.uid(), meta.gid()));
        }
    }
    (0, "unknown".to_owned())
}
