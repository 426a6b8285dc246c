//! One running Kubernetes: started, asked, stopped.
//!
//! In: `Options`. Out: commands that run in the bed's network or on one of its nodes. Dropping the bed stops all of
//! it; when the test that owns it fails, its logs stay and their place is printed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cache::{Program, program};
use crate::forward::Forward;
use crate::image::{PackOptions, pack};
use crate::layout::Layout;
use crate::process::Process;
use crate::shell::{finish, succeeds, wait_for};
use crate::{control, network, node, pki, prerequisite, registry, teardown};

const API_READY: Duration = Duration::from_secs(120);
const NODES_READY: Duration = Duration::from_secs(120);
const PARTS: [&str; 8] = [
    "etcd",
    "coredns",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
];

/// What a bed is to be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// 1 to 9.
    pub nodes: u32,
    /// Nodes are called `NAME-1`, `NAME-2`, …; the kubeconfig's context is called `NAME`.
    pub name: String,
    /// The size at which kubelet rotates a container's log.
    pub log_max_size: String,
    /// How often kubelet looks whether to rotate.
    pub log_monitor: String,
    /// Kubelets serve with a certificate of their own making instead of the cluster authority's.
    pub self_signed_kubelet: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            name: "bed".into(),
            log_max_size: "10Mi".into(),
            log_monitor: "10s".into(),
            self_signed_kubelet: false,
        }
    }
}

/// A running Kubernetes. Owned: stopped and removed on drop (a panic keeps its logs; for an error see `with_bed`).
/// Opened by its directory: left alone.
#[derive(Debug)]
pub struct Bed {
    layout: Layout,
    owned: bool,
}

impl Bed {
    /// Starts a bed in a directory of its own under the temporary directory. Blocks until its nodes are Ready
    /// (about ten seconds), or five minutes more when its programs must be built first.
    pub fn start(options: &Options) -> Result<Self> {
        for dir in registry::sweep() {
            eprintln!("testbed: took down {}, whose owner is gone", dir.display());
        }
        let dir = env::temp_dir().join(format!("phbed-{}", unique(&options.name)));
        Self::start_at(&dir, options, Process::of(std::process::id()))
    }

    /// Starts a bed in `dir` that outlives this process; `Bed::open(dir)?.stop()` ends it.
    pub fn start_in(dir: &Path, options: &Options) -> Result<Self> {
        let mut bed = Self::start_at(dir, options, None)?;
        bed.owned = false;
        Ok(bed)
    }

    /// The bed that runs in `dir`, started by another process.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self { layout: Layout::read(dir)?, owned: false })
    }

    fn start_at(dir: &Path, options: &Options, owner: Option<Process>) -> Result<Self> {
        if let Some(why) = prerequisite::missing() {
            bail!("a testbed {why}");
        }
        if dir.join("bed.json").exists() {
            bail!("{} has a bed already; end it with `bed down`", dir.display());
        }
        let kubebed = program(Program::Kubebed)?;
        let emitter = program(Program::Emitter)?;
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        let layout = Layout {
            dir: dir.canonicalize()?,
            id: format!("phbed-{}", unique(&options.name)),
            name: options.name.clone(),
            nodes: options.nodes,
        };
        layout.check()?;
        registry::add(&layout, owner)?;
        layout.write()?;
        let bed = Self { layout, owned: true }; // from here on, dropping it cleans up
        match bed.raise(options, &kubebed, &emitter) {
            Ok(()) => Ok(bed),
            Err(error) => {
                let kept = bed.fail();
                Err(error.context(format!("start a bed; its logs are in {}", kept.display())))
            }
        }
    }

    /// All parts in order; what can come up at the same time does.
    fn raise(&self, options: &Options, kubebed: &Path, emitter: &Path) -> Result<()> {
        let (layout, start) = (&self.layout, Instant::now());
        for folder in ["bin", "img", "log", "run"] {
            fs::create_dir_all(layout.dir.join(folder))?;
        }
        for part in PARTS {
            std::os::unix::fs::symlink(kubebed, layout.dir.join("bin").join(part))?;
        }
        network::make(layout)?;
        pki::make(layout)?;
        control::start_api(layout, options)?;
        for node in 1..=layout.nodes {
            node::start_containerd(layout, node)?;
        }
        self.pack_own_images(emitter)?;
        wait_for("kube-apiserver is ready", API_READY, || {
            succeeds(self.kubectl_command().args(["get", "--raw", "/readyz"]))
        })?;
        control::start_rest(layout)?;
        for node in 1..=layout.nodes {
            node::start_kubelet(layout, node, options)?;
        }
        wait_for("all nodes are Ready", NODES_READY, || self.ready_nodes() == layout.nodes as usize)?;
        wait_for("the default service account exists", NODES_READY, || {
            succeeds(self.kubectl_command().args(["get", "serviceaccount", "default"]))
        })?;
        let seconds = start.elapsed().as_secs_f32();
        eprintln!("testbed: {} node(s) Ready in {seconds:.1} s, in {}", layout.nodes, layout.dir.display());
        Ok(())
    }

    fn pack_own_images(&self, emitter: &Path) -> Result<()> {
        let busybox = PathBuf::from("/bin/busybox");
        let with = |entrypoint: &[&str]| PackOptions {
            entrypoint: entrypoint.iter().map(|word| (*word).to_owned()).collect(),
            busybox: Some(busybox.clone()),
            ..PackOptions::default()
        };
        let tar = |name: &str| self.layout.dir.join(format!("img/{name}.tar"));
        pack(&tar("busybox"), "bed.local/busybox:1", &busybox, &with(&["/bin/sh"]))?;
        pack(&tar("pause"), "bed.local/pause:1", &busybox, &with(&["/bin/sleep", "2147483647"]))?;
        pack(&tar("emitter"), "bed.local/emitter:1", emitter, &with(&["/bin/emitter"]))
    }

    fn ready_nodes(&self) -> usize {
        let Ok(said) = self.kubectl(&["get", "nodes", "-o", "json"]) else { return 0 };
        let nodes: Value = serde_json::from_slice(&said.stdout).unwrap_or_default();
        let ready = |node: &&Value| {
            let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        nodes["items"].as_array().map_or(0, |items| items.iter().filter(ready).count())
    }

    /// The bed's directory: logs under `log`, one directory a node under `node-N`.
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The cluster administrator's kubeconfig; its server is an address inside the bed's network.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig("admin")
    }

    /// What node `node` (from 1) is called.
    pub fn node_name(&self, node: u32) -> String {
        self.layout.node_name(node)
    }

    /// The address of node `node` (from 1) in the bed's network; the first is also the bed's own.
    pub fn node_ip(&self, node: u32) -> String {
        Layout::node_ip(node)
    }

    /// Runs kubectl to its end as the cluster's administrator, whatever its status.
    pub fn kubectl(&self, args: &[&str]) -> Result<Output> {
        finish(self.kubectl_command().args(args))
    }

    /// kubectl as the cluster's administrator, for the caller to feed and start.
    pub fn kubectl_command(&self) -> Command {
        self.command("kubectl")
    }

    /// A command in the bed's network, with KUBECONFIG set and kubectl on its PATH. Its pid is the program's own.
    pub fn command(&self, program: &str) -> Command {
        self.dressed(network::inside(&self.layout, program))
    }

    /// A command on node `node` (from 1): in its mounts and the bed's network, as root.
    pub fn node_command(&self, node: u32, program: &str) -> Result<Command> {
        Ok(self.dressed(node::enter(&self.layout, node, program)?))
    }

    fn dressed(&self, mut command: Command) -> Command {
        let own = self.layout.dir.join("bin");
        let machine = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(std::iter::once(own).chain(env::split_paths(&machine))).unwrap_or(machine);
        command.env("PATH", path).env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Makes an image archive of a program on this machine; see `PackOptions`. `reference` is `host/name:tag`.
    pub fn pack_image(&self, reference: &str, binary: &Path, options: &PackOptions) -> Result<PathBuf> {
        let folder = self.layout.dir.join("packed");
        fs::create_dir_all(&folder)?;
        let tar = folder.join(format!("{}.tar", reference.replace(['/', ':'], "_")));
        pack(&tar, reference, binary, options)?;
        Ok(tar)
    }

    /// Imports an image archive on every node.
    pub fn load_image(&self, tar: &Path) -> Result<()> {
        (1..=self.layout.nodes).try_for_each(|node| node::import(&self.layout, node, tar))
    }

    /// Where the API server writes its audit log, one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.layout.dir.join("log/audit.jsonl")
    }

    /// The pids of the processes in this bed's pods whose program is called `program`, in order; empty for none.
    pub fn pids(&self, program: &str) -> Vec<u32> {
        teardown::containers_running(&self.layout, program)
    }

    /// Passes an address of this machine (`127.0.0.1:0` picks a port) to one inside the bed until dropped.
    pub fn forward(&self, outside: &str, inside: &str) -> Result<Forward> {
        Forward::start(&self.layout, outside, inside)
    }

    /// Stops everything and removes the bed's directory.
    pub fn stop(mut self) {
        self.owned = false;
        teardown::stop(&self.layout);
        let _ = fs::remove_dir_all(&self.layout.dir);
    }

    /// Notes what the cluster knows, stops everything, keeps logs; answers where they are.
    pub fn fail(mut self) -> PathBuf {
        self.owned = false;
        self.keep_logs()
    }

    fn keep_logs(&self) -> PathBuf {
        let log = self.layout.dir.join("log");
        for (file, args) in [
            ("pods.txt", &["get", "pods", "-A", "-o", "wide", "--request-timeout=5s"][..]),
            ("pods.yaml", &["get", "pods", "-A", "-o", "yaml", "--request-timeout=5s"]),
            ("events.txt", &["get", "events", "-A", "--request-timeout=5s"]),
        ] {
            if let Ok(said) = self.kubectl(args) {
                let _ = fs::write(log.join(file), said.stdout);
            }
        }
        teardown::stop(&self.layout);
        for node in 1..=self.layout.nodes {
            let _ =
                fs::rename(self.layout.node_home(node).join("var/pods"), log.join(format!("pods-{node}")));
        }
        for entry in fs::read_dir(&self.layout.dir).into_iter().flatten().flatten() {
            if entry.path() != log {
                let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
            }
        }
        log
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        if thread::panicking() {
            eprintln!("testbed: the logs are kept in {}", self.keep_logs().display());
        } else {
            teardown::stop(&self.layout);
            let _ = fs::remove_dir_all(&self.layout.dir);
        }
    }
}

/// The end-to-end test `test` on a bed of its own: skipped or refused as `ready_to_run` says; logs are kept and their
/// place is told when `body` fails, be it by a panic or by an error.
pub fn with_bed(test: &str, options: &Options, body: impl FnOnce(&Bed) -> Result<()>) -> Result<()> {
    if !prerequisite::ready_to_run(test)? {
        return Ok(());
    }
    let bed = Bed::start(options)?;
    match body(&bed) {
        Ok(()) => {
            bed.stop();
            Ok(())
        }
        Err(error) => Err(error.context(format!("the logs are kept in {}", bed.fail().display()))),
    }
}

/// A name no other bed of this machine has: processes differ by pid, beds of one process by number.
fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
