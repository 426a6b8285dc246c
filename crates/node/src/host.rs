//! The machine: processors, memory, disks, network, file systems, clock.
//!
//! In:     a `/proc` and a `/sys` root, which in a container are the host's, mounted read-only.
//! Out:    one group `Host`; a file that cannot be read is a problem of its own and the rest goes on.
//! Never:  opens sockets; reads the clock (time is an argument).

mod clock;
pub mod cpu;
pub mod disk;
pub mod filesystem;
pub mod kernel;
pub mod memory;
pub mod network;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::group::{Group, Problem, Reading, Subject};
use crate::names as n;
use kernel::Since;

/// Where the host's trees are mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The host's `/proc`.
    pub proc: PathBuf,
    /// The host's `/sys`.
    pub sys: PathBuf,
    /// The host's `/`, when it is mounted; without it only file systems that the agent's own mounts reach are measured.
    pub root: Option<PathBuf>,
}

/// Parts of a second in which `/proc/stat` counts: fixed in the kernel's interface on x86 and ARM, whatever its own tick.
const USER_HZ: u64 = 100;

/// Reads the host; keeps what must live between readings.
#[derive(Debug)]
pub struct HostReader {
    roots: Roots,
    filesystems: filesystem::Asker,
}

impl HostReader {
    pub fn new(roots: Roots) -> Self {
        Self { roots, filesystems: filesystem::Asker::default() }
    }

    /// One reading. Blocks: call it from a thread that may.
    pub fn read(&mut self, now_ms: i64) -> Reading {
        let mut out = Group::new(Subject::Host);
        let mut problems = Vec::new();
        let boot = self.processors(now_ms, &mut out, &mut problems);
        let since = Since { at_ms: now_ms, start_ms: boot.at_ms };
        self.memory(since, &mut out, &mut problems);
        self.devices(since, &mut out, &mut problems);
        self.kernel(since, &mut out, &mut problems);
        self.filesystems(now_ms, &mut out, &mut problems);
        Reading { groups: vec![out], problems }
    }

    fn processors(&self, now_ms: i64, out: &mut Group, problems: &mut Vec<Problem>) -> cpu::Boot {
        let mut boot = cpu::Boot::default();
        self.with("stat", problems, |text| {
            boot = cpu::boot(text);
            cpu::stat(text, USER_HZ, now_ms, out);
        });
        self.with("loadavg", problems, |text| cpu::load(text, now_ms, out));
        match self.processes() {
            Ok(counts) => counts.points(now_ms, out),
            Err(error) => problems.push(problem(&self.roots.proc, &error)),
        }
        boot
    }

    fn memory(&self, since: Since, out: &mut Group, problems: &mut Vec<Problem>) {
        self.with("meminfo", problems, |text| memory::meminfo(text, since.at_ms, out));
        self.with("vmstat", problems, |text| memory::vmstat(text, since.start_ms, since.at_ms, out));
        self.with("swaps", problems, |text| memory::swaps(text, since.at_ms, out));
    }

    fn devices(&self, since: Since, out: &mut Group, problems: &mut Vec<Problem>) {
        self.with("diskstats", problems, |text| disk::diskstats(text, since.start_ms, since.at_ms, out));
        if let Some(text) = self.optional("mdstat") {
            disk::mdstat(&text, since.at_ms, out);
        }
        self.with("1/net/dev", problems, |text| network::dev(text, since.start_ms, since.at_ms, out));
        let mut connections = network::Connections::default();
        let mut counted = false;
        for table in ["1/net/tcp", "1/net/tcp6"] {
            // A kernel without IPv6 has no tcp6.
            if let Ok(file) = File::open(self.roots.proc.join(table)) {
                counted |= connections.count(BufReader::with_capacity(16 * 1024, file)).is_ok();
            }
        }
        if counted {
            connections.points(since.at_ms, out);
        }
    }

    fn kernel(&self, since: Since, out: &mut Group, problems: &mut Vec<Problem>) {
        self.with("uptime", problems, |text| kernel::uptime(text, since.at_ms, out));
        self.with("sys/fs/file-nr", problems, |text| kernel::file_nr(text, since.at_ms, out));
        for resource in ["cpu", "memory", "io"] {
            // A kernel without pressure accounting has no such file.
            if let Some(text) = self.optional(&format!("pressure/{resource}")) {
                kernel::pressure(n::SYSTEM_PRESSURE_STALL_TIME, resource, &text, since, out);
            }
        }
        let table = self.optional("1/net/stat/nf_conntrack");
        let max = self.optional("sys/net/netfilter/nf_conntrack_max");
        kernel::conntrack(table.as_deref(), max.as_deref(), since.at_ms, out);
        match clock::read() {
            Ok(reading) => clock::points(reading, since.at_ms, out),
            Err(cause) => problems.push(Problem {
                part: "clock".into(),
                reason: format!("adjtimex: {cause}"),
                fix: "allow the system call adjtimex in the container's seccomp profile".into(),
            }),
        }
    }

    fn filesystems(&mut self, now_ms: i64, out: &mut Group, problems: &mut Vec<Problem>) {
        let text = match read_text(&self.roots.proc.join("1/mountinfo")) {
            Ok(text) => text,
            Err(error) => return problems.push(problem(&self.roots.proc, &error)),
        };
        let own = match &self.roots.root {
            Some(_) => String::new(),
            None => std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
        };
        for mount in filesystem::mounts(&text) {
            let path = match &self.roots.root {
                Some(root) => root.join(mount.mountpoint.trim_start_matches('/')),
                None => match filesystem::own_path(&own, &mount.device_number) {
                    Some(path) => path,
                    None => continue,
                },
            };
            match self.filesystems.ask(&path, filesystem::PATIENCE) {
                Ok(sizes) => filesystem::points(&mount, sizes, now_ms, out),
                Err(filesystem::Silence::Stalled) => problems.push(Problem {
                    part: mount.mountpoint.clone(),
                    reason: format!("{} does not answer: stalled", mount.device),
                    fix: format!("check the server of {} or unmount {}", mount.device, mount.mountpoint),
                }),
                Err(filesystem::Silence::Failed(cause)) => problems.push(Problem {
                    part: mount.mountpoint.clone(),
                    reason: format!("statvfs {}: {cause}", path.display()),
                    fix: String::new(),
                }),
            }
        }
    }

    fn processes(&self) -> Result<cpu::Processes> {
        let mut counts = cpu::Processes::default();
        let listing = std::fs::read_dir(&self.roots.proc).map_err(|e| Error::read(&self.roots.proc, e))?;
        let mut buffer = [0u8; 512];
        for entry in listing.flatten() {
            let name = entry.file_name();
            if !name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            // A process that ends between listing and reading is simply not counted.
            let Ok(mut file) = File::open(entry.path().join("stat")) else { continue };
            if let Ok(read) = file.read(&mut buffer)
                && let Some(stat) = buffer.get(..read)
            {
                counts.count(stat);
            }
        }
        Ok(counts)
    }

    fn with(&self, file: &str, problems: &mut Vec<Problem>, use_text: impl FnOnce(&str)) {
        let path = self.roots.proc.join(file);
        match read_text(&path) {
            Ok(text) => use_text(&text),
            Err(error) => problems.push(problem(&path, &error)),
        }
    }

    fn optional(&self, file: &str) -> Option<String> {
        read_text(&self.roots.proc.join(file)).ok()
    }
}

/// The facts of the machine that stand on every resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub name: String,
    /// `/etc/machine-id`, empty when unreadable.
    pub id: String,
    pub arch: &'static str,
    /// `PRETTY_NAME` of os-release and the kernel's release.
    pub description: String,
}

/// Reads the machine's facts. `root` is where its `/` is seen.
pub fn facts(roots: &Roots) -> Facts {
    let root = roots.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let text = |path: PathBuf| std::fs::read_to_string(path).map(|t| t.trim().to_owned()).unwrap_or_default();
    let release = text(root.join("etc/os-release"));
    let pretty = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .unwrap_or_default();
    let kernel = text(roots.proc.join("sys/kernel/osrelease"));
    Facts {
        name: text(roots.proc.join("sys/kernel/hostname")),
        id: if roots.root.is_some() { text(root.join("etc/machine-id")) } else { String::new() },
        arch: match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        },
        description: if roots.root.is_some() && !pretty.is_empty() {
            format!("{pretty}, Linux {kernel}")
        } else {
            format!("Linux {kernel}")
        },
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    let mut bytes = Vec::with_capacity(4096);
    File::open(path).and_then(|mut f| read_file(&mut f, &mut bytes)).map_err(|e| Error::read(path, e))?;
    // Interface and command names may hold any byte; what is not text is shown as U+FFFD.
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Reads a file of the kernel's to its end. Such files have no size, so it is not asked for: with hundreds of them a reading
/// that is most of the cost.
pub(crate) fn read_file(file: &mut File, out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0u8; 4096];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => out.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn problem(path: &Path, error: &Error) -> Problem {
    Problem {
        part: path.display().to_string(),
        reason: error.chain(),
        fix: "mount the host's /proc read-only and name it with --host-proc".into(),
    }
}

#[cfg(test)]
mod tests;
