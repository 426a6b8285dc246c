//! Sources: one container's log each, named by where it lies.

use std::path::{Path, PathBuf};

use crate::layout::{self, Run};
use crate::roots::{Base, Place, Roots};
use crate::{Error, content};

/// Names one container log on this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceId {
    /// Static pods have the hash of their configuration as `pod_uid`.
    Pod {
        namespace: String,
        pod: String,
        pod_uid: String,
        container: String,
    },
    Docker {
        container_id: String,
    },
    /// A log that lies anywhere: a file, or a directory laid out as a container's. Only for [`Roots::with_files`].
    File {
        path: PathBuf,
    },
}

/// A source with what lies on disk.
#[derive(Clone, Debug)]
pub struct SourceDir {
    pub id: SourceId,
    pub path: PathBuf,
    /// Ascending by restart number; segments oldest first.
    pub runs: Vec<Run>,
}

/// Something that was passed over while listing, in words for a person.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    pub path: PathBuf,
    pub text: String,
}

impl SourceId {
    pub(crate) fn place(&self) -> Result<Place, Error> {
        match self {
            SourceId::Pod { namespace, pod, pod_uid, container } => {
                for part in [namespace, pod, pod_uid, container] {
                    single(part)?;
                }
                let rel = PathBuf::from(format!("{namespace}_{pod}_{pod_uid}")).join(container);
                Ok(Place { base: Base::Pods, rel })
            }
            SourceId::Docker { container_id } => {
                single(container_id)?;
                Ok(Place { base: Base::Docker, rel: PathBuf::from(container_id) })
            }
            SourceId::File { path } => {
                let full = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
                let rel = full.strip_prefix("/").map(PathBuf::from).unwrap_or_default();
                Ok(Place { base: Base::Anywhere, rel })
            }
        }
    }

    /// Full path of the source's directory, or of its file.
    ///
    /// # Errors
    /// `invalid` when a part of the name is no single directory name.
    pub fn path(&self, roots: &Roots) -> Result<PathBuf, Error> {
        Ok(roots.full(&self.place()?))
    }

    fn of_pod_dir(name: &str, container: &str) -> Option<Self> {
        let mut parts = name.splitn(3, '_');
        let (namespace, pod, uid) = (parts.next()?, parts.next()?, parts.next()?);
        if namespace.is_empty() || pod.is_empty() || uid.is_empty() {
            return None;
        }
        Some(SourceId::Pod {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            pod_uid: uid.to_owned(),
            container: container.to_owned(),
        })
    }
}

fn single(part: &str) -> Result<(), Error> {
    if part.is_empty() || part == "." || part == ".." || part.contains(['/', '\0']) {
        return Err(Error::Name { part: part.to_owned() });
    }
    Ok(())
}

/// The sources whose directories exist, by name; opens no log. A root that is absent has none.
///
/// # Errors
/// `denied` when a root cannot be read. Directories below that cannot be read are warnings.
pub fn discover(roots: &Roots) -> Result<(Vec<SourceId>, Vec<Warning>), Error> {
    let mut found = Vec::new();
    let mut warnings = Vec::new();
    for pod in or_none(dirs(roots, &Place { base: Base::Pods, rel: PathBuf::new() }))? {
        let place = Place { base: Base::Pods, rel: PathBuf::from(&pod) };
        match dirs(roots, &place) {
            Ok(containers) => {
                found.extend(containers.iter().filter_map(|c| SourceId::of_pod_dir(&pod, c)));
            }
            // A pod that is removed while we list is no fault.
            Err(Error::NotFound { .. }) => {}
            Err(e) => warnings.push(Warning { path: roots.full(&place), text: e.to_string() }),
        }
    }
    for id in or_none(dirs(roots, &Place { base: Base::Docker, rel: PathBuf::new() }))? {
        found.push(SourceId::Docker { container_id: id });
    }
    found.sort_unstable();
    Ok((found, warnings))
}

/// One source with its runs and segments; opens each segment once for its first time and key.
///
/// # Errors
/// `not_found`, `denied`.
pub fn inspect(roots: &Roots, id: &SourceId) -> Result<SourceDir, Error> {
    let place = id.place()?;
    let mut runs = layout::list(roots, id, &mut layout::Probes::default())?;
    for segment in runs.iter_mut().flat_map(|r| &mut r.segments) {
        segment.last_ns = content::last_time(roots, segment);
    }
    Ok(SourceDir { id: id.clone(), path: roots.full(&place), runs })
}

/// All sources with what lies on disk; those that cannot be read are warnings.
///
/// # Errors
/// `denied` when a root cannot be read.
pub fn list_sources(roots: &Roots) -> Result<(Vec<SourceDir>, Vec<Warning>), Error> {
    let (ids, mut warnings) = discover(roots)?;
    let mut sources = Vec::with_capacity(ids.len());
    for id in ids {
        match inspect(roots, &id) {
            Ok(source) => sources.push(source),
            Err(Error::NotFound { .. }) => {}
            Err(e) => warnings.push(Warning { path: id.path(roots)?, text: e.to_string() }),
        }
    }
    Ok((sources, warnings))
}

/// An absent root holds nothing.
fn or_none(listed: Result<Vec<String>, Error>) -> Result<Vec<String>, Error> {
    match listed {
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// Names of the directories in a directory, sorted.
fn dirs(roots: &Roots, place: &Place) -> Result<Vec<String>, Error> {
    let full = roots.full(place);
    let dir = roots.open_dir(place).map_err(|e| Error::io(&full, e))?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&dir).map_err(|e| Error::io(&full, e.into()))? {
        let entry = entry.map_err(|e| Error::io(&full, e.into()))?;
        let is_dir = match entry.file_type() {
            rustix::fs::FileType::Unknown => {
                rustix::fs::statat(&dir, entry.file_name(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|s| rustix::fs::FileType::from_raw_mode(s.st_mode).is_dir())
            }
            kind => kind.is_dir(),
        };
        if let (true, Ok(name)) = (is_dir, entry.file_name().to_str())
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// How deep [`local_sources`] looks below a directory.
const DEEP: usize = 4;

/// The sources that a path of a person's own names: a file is one; a directory laid out as a container's is one; any other
/// directory stands for what lies in it, to four levels. Sorted.
///
/// # Errors
/// `not_found`, `denied`, for the path itself. What cannot be read below it is left out of what it names.
pub fn local_sources(path: &Path) -> Result<Vec<SourceId>, Error> {
    let meta = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if !meta.is_dir() {
        return Ok(vec![SourceId::File { path: path.to_owned() }]);
    }
    let mut found = Vec::new();
    local_below(path, DEEP, &mut found).map_err(|e| Error::io(path, e))?;
    found.sort_unstable();
    Ok(found)
}

fn local_below(dir: &Path, deep: usize, found: &mut Vec<SourceId>) -> std::io::Result<()> {
    let (mut files, mut dirs) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        match std::fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() && !hidden => dirs.push(entry.path()),
            Ok(meta) if meta.is_file() && !hidden => files.push(entry.path()),
            _ => {}
        }
    }
    let name =
        |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if files.iter().any(|f| layout::is_container_name(&name(f))) {
        found.push(SourceId::File { path: dir.to_owned() });
    } else {
        found.extend(files.into_iter().map(|path| SourceId::File { path }));
    }
    for dir in dirs {
        if deep > 0 && local_below(&dir, deep - 1, found).is_err() {
            found.push(SourceId::File { path: dir });
        }
    }
    Ok(())
}
