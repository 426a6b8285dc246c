//! The pods of this node: what the agent knows about them, and for how long.
//!
//! In:     [`PodEvent`]s from whoever may talk to the API server (wired by the binary); none on plain hosts.
//! Out:    pods by UID, by static hash and by container id; a deleted pod stays known for 15 min, so that its last lines and
//!         points still find it.
//! Never:  talks to the API server.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ph_model::Attributes;
use tokio::sync::{mpsc, watch};

/// How long a deleted pod stays known, ms.
const TOMBSTONE_MS: i64 = 15 * 60 * 1000;
/// Deleted pods kept at once; the oldest go first.
const MAX_TOMBSTONES: usize = 2_000;
/// Runs of one container that are known by their ids.
const MAX_RUNS: usize = 4;
/// Annotation of a mirror pod: the hash that the kubelet has for the static pod's UID.
const CONFIG_HASH: &str = "kubernetes.io/config.hash";

/// A pod of this node, pruned to what is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnPod {
    pub uid: String,
    pub name: String,
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// The controlling owner.
    pub owner: Option<Owner>,
    pub ip: Option<String>,
    pub host_network: bool,
    pub node: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
    /// Its condition `Ready` holds: Services send to it.
    pub ready: bool,
    pub qos_class: String,
    /// ms UTC.
    pub start_ms: Option<i64>,
    /// Init containers too.
    pub containers: Vec<OwnContainer>,
}

/// An owner reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
}

/// A container of a pod: what its spec and its status say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnContainer {
    pub name: String,
    /// Without the runtime's prefix (`containerd://`); `None` before it was created.
    pub id: Option<String>,
    /// `containerd`, `cri-o`, `docker`.
    pub runtime: Option<String>,
    /// As the spec names it.
    pub image: String,
    /// As the runtime resolved it, usually `repository@sha256:…`.
    pub image_id: String,
    pub limits: Resources,
    pub requests: Resources,
    /// TCP ports that its spec declares, with their names (may be empty), in its order.
    pub ports: Vec<(String, u16)>,
    pub restart_count: u32,
    pub running: bool,
    /// Of the present start, ms UTC.
    pub started_ms: Option<i64>,
    /// Of the last finished run.
    pub last_exit_code: Option<i32>,
    pub last_terminated_reason: Option<String>,
}

/// Amounts of a container's limits or requests; `None` where the spec has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resources {
    /// Processors.
    pub cpu: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
}

/// A Service that says whether its pods are scraped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnService {
    pub name: String,
    pub namespace: String,
    pub annotations: BTreeMap<String, String>,
    /// Labels of its pods; empty: it selects none.
    pub selector: BTreeMap<String, String>,
    /// Its TCP ports, in its order.
    pub ports: Vec<ServicePort>,
    /// Pods that are not ready belong to it too.
    pub unready_too: bool,
}

/// A port of a Service: its name (may be empty), and where it leads to in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub name: String,
    pub target: TargetPort,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    Number(u16),
    /// Of a port that the pod declares.
    Named(String),
}

/// What the watches of this node's pods, and of Services, say.
#[derive(Clone, Debug, PartialEq)]
pub enum PodEvent {
    /// The pod as it is now.
    Set(Box<OwnPod>),
    Gone {
        uid: String,
    },
    /// Full state follows, ended by `Synced`; what is not in it is gone.
    Reset,
    Synced,
    /// The watch does not work at present; it goes on trying.
    Failed {
        error: String,
        fix: String,
    },
    /// All Services of the cluster that say whether they are scraped.
    Services(Vec<OwnService>),
    /// The watch of Services does not work at present; it goes on trying.
    ServicesFailed {
        error: String,
        fix: String,
    },
}

/// Where pod events come from: the receiving end of a bounded channel whose sender waits when it is full.
#[derive(Debug)]
pub struct PodSource(Option<mpsc::Receiver<PodEvent>>);

/// Room in the channel.
const CHANNEL: usize = 256;

impl PodSource {
    /// A source and the end that feeds it.
    pub fn channel() -> (mpsc::Sender<PodEvent>, Self) {
        let (tell, hear) = mpsc::channel(CHANNEL);
        (tell, Self(Some(hear)))
    }

    /// A source that never says anything: plain and Docker hosts.
    pub fn none() -> Self {
        Self(None)
    }

    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) async fn next(&mut self) -> Option<PodEvent> {
        self.0.as_mut()?.recv().await
    }
}

/// The pods known now. Clones share them.
#[derive(Clone, Debug)]
pub struct Pods(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: RwLock<Table>,
    synced: watch::Sender<bool>,
    changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    by_uid: HashMap<String, Arc<OwnPod>>,
    by_hash: HashMap<String, String>,
    /// Container id → UID of the pod, name of the container; also of earlier runs, while the pod is known.
    by_container: HashMap<String, (String, String)>,
    /// Deleted pods with the time when they are forgotten, oldest first.
    tombstones: VecDeque<(i64, String)>,
    /// UIDs not seen since the last `Reset`.
    unseen: Option<Vec<String>>,
    services: Arc<Vec<OwnService>>,
}

impl Default for Pods {
    fn default() -> Self {
        let (synced, _) = watch::channel(false);
        Self(Arc::new(Shared { table: RwLock::default(), synced, changes: AtomicU64::new(0) }))
    }
}

impl Pods {
    /// Takes one event into account.
    pub fn apply(&self, event: PodEvent, now_ms: i64) {
        let mut table = self.0.table.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            PodEvent::Set(pod) => table.set(*pod),
            PodEvent::Gone { uid } => table.bury(uid, now_ms),
            PodEvent::Reset => {
                let dead: Vec<&String> = table.tombstones.iter().map(|(_, uid)| uid).collect();
                let unseen = table.by_uid.keys().filter(|uid| !dead.contains(uid)).cloned().collect();
                table.unseen = Some(unseen);
            }
            PodEvent::Synced => {
                for uid in table.unseen.take().unwrap_or_default() {
                    table.bury(uid, now_ms);
                }
                self.0.synced.send_replace(true);
            }
            PodEvent::Services(all) => table.services = Arc::new(all),
            PodEvent::Failed { .. } | PodEvent::ServicesFailed { .. } => {}
        }
        table.forget(now_ms);
        self.0.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// How many events were applied so far: while it stays, nothing changed.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Relaxed)
    }

    /// Whether the full state has been seen once.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.0.synced.subscribe()
    }

    /// A pod by its UID, or by the hash that stands for it in paths of static pods.
    pub fn pod(&self, uid: &str) -> Option<Arc<OwnPod>> {
        let table = self.table();
        let uid = table.by_hash.get(uid).map_or(uid, String::as_str);
        table.by_uid.get(uid).cloned()
    }

    /// The UID in the pod's log path: of a static pod the hash of its configuration, else the UID itself.
    pub fn log_uid(&self, uid: &str) -> String {
        self.pod(uid).and_then(|p| p.annotations.get(CONFIG_HASH).cloned()).unwrap_or_else(|| uid.to_owned())
    }

    /// The pod that has, or had, a container of that id, and the container's name.
    pub fn of_container(&self, id: &str) -> Option<(Arc<OwnPod>, String)> {
        let table = self.table();
        let (uid, name) = table.by_container.get(id)?;
        Some((table.by_uid.get(uid)?.clone(), name.clone()))
    }

    /// The living pod that has this address for itself.
    pub fn of_ip(&self, ip: &str) -> Option<Arc<OwnPod>> {
        let table = self.table();
        let dead = |uid: &String| table.tombstones.iter().any(|(_, u)| u == uid);
        let over = |p: &OwnPod| matches!(p.phase.as_str(), "Succeeded" | "Failed");
        table
            .by_uid
            .values()
            .find(|p| p.ip.as_deref() == Some(ip) && !p.host_network && !over(p) && !dead(&p.uid))
            .cloned()
    }

    /// All pods that are not deleted, in no order.
    pub fn living(&self) -> Vec<Arc<OwnPod>> {
        let table = self.table();
        let dead: std::collections::HashSet<&String> = table.tombstones.iter().map(|(_, uid)| uid).collect();
        table.by_uid.values().filter(|p| !dead.contains(&p.uid)).cloned().collect()
    }

    /// Services that say whether they are scraped, as the watch told them last.
    pub fn services(&self) -> Arc<Vec<OwnService>> {
        self.table().services.clone()
    }

    fn table(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn set(&mut self, pod: OwnPod) {
        if let Some(unseen) = &mut self.unseen {
            unseen.retain(|uid| *uid != pod.uid);
        }
        self.tombstones.retain(|(_, uid)| *uid != pod.uid);
        if let Some(hash) = pod.annotations.get(CONFIG_HASH) {
            self.by_hash.insert(hash.clone(), pod.uid.clone());
        }
        for container in &pod.containers {
            let Some(id) = container.id.as_ref().filter(|id| !self.by_container.contains_key(*id)) else {
                continue;
            };
            self.remember(&pod.uid, &container.name, id);
        }
        self.by_uid.insert(pod.uid.clone(), Arc::new(pod));
    }

    /// Of a container that restarts for ever only the last few runs stay known.
    fn remember(&mut self, uid: &str, name: &str, id: &str) {
        let same = |(u, n): &(String, String)| u == uid && n == name;
        if self.by_container.values().filter(|owner| same(owner)).count() >= MAX_RUNS {
            let now =
                self.by_uid.get(uid).and_then(|p| p.containers.iter().find(|c| c.name == name)?.id.clone());
            self.by_container.retain(|known, owner| !same(owner) || Some(known) == now.as_ref());
        }
        self.by_container.insert(id.to_owned(), (uid.to_owned(), name.to_owned()));
    }

    fn bury(&mut self, uid: String, now_ms: i64) {
        if self.by_uid.contains_key(&uid) && !self.tombstones.iter().any(|(_, u)| *u == uid) {
            self.tombstones.push_back((now_ms + TOMBSTONE_MS, uid));
        }
    }

    fn forget(&mut self, now_ms: i64) {
        while self.tombstones.len() > MAX_TOMBSTONES
            || self.tombstones.front().is_some_and(|(at, _)| *at <= now_ms)
        {
            let Some((_, uid)) = self.tombstones.pop_front() else { return };
            self.by_uid.remove(&uid);
            self.by_hash.retain(|_, u| *u != uid);
            self.by_container.retain(|_, (u, _)| *u != uid);
        }
    }
}

/// The workload that a pod belongs to, as resource attributes, the controlling one among them.
///
/// A Deployment's name is its ReplicaSet's without `-` and the pod's own template hash, which is exact for names of any
/// length; cutting at the last dash is not. Without such a label it is a bare ReplicaSet.
pub fn workload(pod: &OwnPod) -> Attributes {
    let mut out = Attributes::new();
    let Some(owner) = &pod.owner else { return out };
    let kind = match owner.kind.as_str() {
        "ReplicaSet" => {
            let stripped = |label: &str| {
                let hash = pod.labels.get(label)?;
                owner.name.strip_suffix(hash.as_str())?.strip_suffix('-').filter(|name| !name.is_empty())
            };
            if let Some(rollout) = stripped("rollouts-pod-template-hash") {
                out.set("k8s.owner.kind", "Rollout");
                out.set("k8s.owner.name", rollout);
            } else if let Some(deployment) = stripped("pod-template-hash") {
                out.set("k8s.deployment.name", deployment);
            }
            "replicaset"
        }
        "StatefulSet" => "statefulset",
        "DaemonSet" => "daemonset",
        "Job" => "job",
        "ReplicationController" => "replicationcontroller",
        other => {
            // A mirror pod is owned by its node: that is no workload.
            if other != "Node" {
                out.set("k8s.owner.kind", other);
                out.set("k8s.owner.name", owner.name.as_str());
                out.set("k8s.owner.uid", owner.uid.as_str());
            }
            return out;
        }
    };
    out.set(format!("k8s.{kind}.name"), owner.name.as_str());
    out.set(format!("k8s.{kind}.uid"), owner.uid.as_str());
    out
}

/// The name of the controlling workload among the attributes of [`workload`], else the pod's own.
pub fn workload_name(pod: &OwnPod) -> String {
    let attributes = workload(pod);
    [
        "k8s.deployment.name",
        "k8s.owner.name",
        "k8s.statefulset.name",
        "k8s.daemonset.name",
        "k8s.job.name",
        "k8s.replicaset.name",
        "k8s.replicationcontroller.name",
    ]
    .iter()
    .find_map(|key| attributes.text(key))
    .unwrap_or(&pod.name)
    .to_owned()
}

#[cfg(test)]
mod tests;
