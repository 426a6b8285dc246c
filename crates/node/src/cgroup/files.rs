//! Reads the control groups of known containers.
//!
//! In:     the cgroup mount (v2, v1 or both), read-only.
//! Out:    one group of points a container; a container whose directory is gone gives none.
//! Never:  walks the tree when it already knows where a container is.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::v2::Scope;
use super::{v1, v2, walk};
use crate::error::{Error, Result};
use crate::group::{Group, Subject};
use crate::host::kernel::Since;
use crate::host::read_file;

/// Which hierarchy the kernel has mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// The v1 controllers that hold our files, and the names under which they are mounted.
const CONTROLLERS: [(&str, &[&str]); 5] = [
    ("memory", &["memory"]),
    ("cpu", &["cpu", "cpu,cpuacct"]),
    ("cpuacct", &["cpuacct", "cpu,cpuacct"]),
    ("blkio", &["blkio"]),
    ("pids", &["pids"]),
];

/// Reader of one mount.
#[derive(Debug)]
pub struct CgroupReader {
    root: PathBuf,
    /// For names of devices: the host's `/sys/dev/block`.
    sys: PathBuf,
    version: Version,
    /// Directory of each controller; one entry `""` on v2.
    controllers: Vec<(&'static str, PathBuf)>,
    /// Known places by controller, then container id.
    places: HashMap<&'static str, HashMap<String, Directory>>,
    walked_ms: Option<i64>,
    devices: HashMap<String, String>,
}

/// One container to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub id: String,
    /// When it started, ms UTC: since when its counters count.
    pub start_ms: Option<i64>,
}

/// A container's directory. Kept open, its files are found without a walk down from the root each time.
#[derive(Debug)]
enum Directory {
    Open(OwnedFd),
    /// One of more than may be kept open.
    At(PathBuf),
}

/// Directories kept open; a process may have 1,024 files open where nobody raised that.
const MAX_OPEN: usize = 400;

/// How often the tree is walked at most when containers are missing in it.
const WALK_EVERY_MS: i64 = 10_000;

impl CgroupReader {
    /// Looks at what is mounted at `root`; `sys` is the host's `/sys`.
    pub fn open(root: &Path, sys: &Path) -> Result<Self> {
        let (version, controllers) = if root.join("cgroup.controllers").exists() {
            (Version::V2, vec![("", root.to_owned())])
        } else {
            let found: Vec<(&'static str, PathBuf)> = CONTROLLERS
                .iter()
                .filter_map(|(controller, names)| {
                    let path = names.iter().map(|n| root.join(n)).find(|p| p.is_dir())?;
                    Some((*controller, path))
                })
                .collect();
            (Version::V1, found)
        };
        if controllers.is_empty() {
            let cause =
                std::io::Error::new(std::io::ErrorKind::NotFound, "no cgroup hierarchy is mounted there");
            return Err(Error::read(root, cause));
        }
        Ok(Self {
            root: root.to_owned(),
            sys: sys.to_owned(),
            version,
            controllers,
            places: HashMap::new(),
            walked_ms: None,
            devices: HashMap::new(),
        })
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// Why some points of this host cannot exist; empty when all can.
    pub fn limits(&self) -> &'static str {
        match self.version {
            Version::V1 => "cgroup v1 has no pressure files: container.pressure.stall_time is absent",
            Version::V2 => "",
        }
    }

    /// Points of the wanted containers, in their order. Blocks: call it from a thread that may.
    pub fn read(&mut self, wanted: &[Wanted], scope: Scope, now_ms: i64) -> Result<Vec<Group>> {
        self.locate(wanted, now_ms)?;
        let mut groups = self.groups(wanted, scope, now_ms);
        // A container that an engine started again has its id still, and another directory of the same name.
        let read: HashSet<&Subject> = groups.iter().map(|g| &g.subject).collect();
        let gone: Vec<Wanted> = wanted
            .iter()
            .filter(|c| !read.contains(&Subject::Container { id: c.id.clone() }))
            .cloned()
            .collect();
        let mut forgotten = false;
        for container in &gone {
            for places in self.places.values_mut() {
                forgotten |= places.remove(&container.id).is_some();
            }
        }
        if forgotten {
            self.locate(wanted, now_ms)?;
            groups.extend(self.groups(&gone, scope, now_ms));
        }
        Ok(groups)
    }

    fn groups(&mut self, wanted: &[Wanted], scope: Scope, now_ms: i64) -> Vec<Group> {
        let mut groups = Vec::with_capacity(wanted.len());
        for container in wanted {
            let mut group = Group::new(Subject::Container { id: container.id.clone() });
            let since = Since { at_ms: now_ms, start_ms: container.start_ms };
            match self.version {
                Version::V2 => {
                    let texts = self.texts_v2(&container.id);
                    let names = self.device_names(texts.io_stat.as_deref());
                    v2::points(&texts, scope, since, &|number| name_of(&names, number), &mut group);
                }
                Version::V1 => {
                    let texts = self.texts_v1(&container.id);
                    let names = self.device_names(texts.io_bytes.as_deref());
                    v1::points(&texts, scope, since, &|number| name_of(&names, number), &mut group);
                }
            }
            if !group.points.is_empty() {
                groups.push(group);
            }
        }
        groups
    }

    /// Walks when a wanted container is unknown, and forgets those not wanted.
    fn locate(&mut self, wanted: &[Wanted], now_ms: i64) -> Result<()> {
        let Some((first, _)) = self.controllers.first() else { return Ok(()) };
        let known = self.places.get(first);
        let missing = wanted.iter().any(|c| known.is_none_or(|known| !known.contains_key(&c.id)));
        let due = self.walked_ms.is_none_or(|at| now_ms - at >= WALK_EVERY_MS || now_ms < at);
        if !missing || !due {
            return Ok(());
        }
        self.walked_ms = Some(now_ms);
        let wanted: HashSet<&str> = wanted.iter().map(|c| c.id.as_str()).collect();
        self.places.clear();
        let mut open = 0;
        for (controller, root) in &self.controllers {
            let found = walk::find(root).map_err(|e| Error::read(&self.root, e))?;
            let mut places = HashMap::new();
            for (id, place) in found.into_iter().filter(|(id, _)| wanted.contains(id.as_str())) {
                let directory = Directory::open(root.join(place.path), open < MAX_OPEN);
                open += usize::from(matches!(directory, Directory::Open(_)));
                places.insert(id, directory);
            }
            self.places.insert(controller, places);
        }
        Ok(())
    }

    fn texts_v2(&self, id: &str) -> v2::Texts {
        let file = |name: &str| self.text("", id, name);
        v2::Texts {
            cpu_stat: file("cpu.stat"),
            cpu_pressure: file("cpu.pressure"),
            memory_pressure: file("memory.pressure"),
            io_pressure: file("io.pressure"),
            memory_stat: file("memory.stat"),
            memory_current: file("memory.current"),
            memory_swap_current: file("memory.swap.current"),
            memory_peak: file("memory.peak"),
            memory_max: file("memory.max"),
            memory_events: file("memory.events"),
            io_stat: file("io.stat"),
            pids_current: file("pids.current"),
            pids_max: file("pids.max"),
        }
    }

    fn texts_v1(&self, id: &str) -> v1::Texts {
        let memory = |name: &str| self.text("memory", id, name);
        let blkio = |name: &str| {
            self.text("blkio", id, &format!("blkio.throttle.{name}_recursive"))
                .or_else(|| self.text("blkio", id, &format!("blkio.throttle.{name}")))
        };
        v1::Texts {
            cpu_stat: self.text("cpu", id, "cpu.stat"),
            cpuacct_usage: self.text("cpuacct", id, "cpuacct.usage"),
            memory_stat: memory("memory.stat"),
            memory_usage: memory("memory.usage_in_bytes"),
            memory_max_usage: memory("memory.max_usage_in_bytes"),
            memory_limit: memory("memory.limit_in_bytes"),
            memory_failcnt: memory("memory.failcnt"),
            memory_oom_control: memory("memory.oom_control"),
            io_bytes: blkio("io_service_bytes"),
            io_operations: blkio("io_serviced"),
            pids_current: self.text("pids", id, "pids.current"),
            pids_max: self.text("pids", id, "pids.max"),
        }
    }

    fn text(&self, controller: &str, id: &str, file: &str) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let open = match self.places.get(controller)?.get(id)? {
            Directory::Open(dir) => openat(dir, file, flags, Mode::empty()),
            Directory::At(path) => openat(CWD, path.join(file), flags, Mode::empty()),
        };
        let mut bytes = Vec::with_capacity(1024);
        read_file(&mut File::from(open.ok()?), &mut bytes).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Names of the devices that an I/O file mentions.
    fn device_names(&mut self, text: Option<&str>) -> HashMap<String, String> {
        let mut names = HashMap::new();
        for line in text.unwrap_or_default().lines() {
            let Some(number) = line.split_ascii_whitespace().next().filter(|w| w.contains(':')) else {
                continue;
            };
            let name = self.devices.entry(number.to_owned()).or_insert_with(|| {
                let uevent = std::fs::read_to_string(self.sys.join("dev/block").join(number).join("uevent"));
                uevent
                    .unwrap_or_default()
                    .lines()
                    .find_map(|line| line.strip_prefix("DEVNAME="))
                    .unwrap_or(number)
                    .to_owned()
            });
            names.insert(number.to_owned(), name.clone());
        }
        names
    }
}

impl Directory {
    /// One that cannot be kept open is named; whether it is there shows when a file in it is read.
    fn open(path: PathBuf, keep: bool) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match keep.then(|| openat(CWD, &path, flags, Mode::empty())) {
            Some(Ok(dir)) => Self::Open(dir),
            _ => Self::At(path),
        }
    }
}

fn name_of(names: &HashMap<String, String>, number: &str) -> String {
    names.get(number).cloned().unwrap_or_else(|| number.to_owned())
}
