//! Network counters of pods and containers, read through one of their processes.
//!
//! In:     `/proc/<pid>/net/dev` of the host. Which process belongs to whom is looked up once a new pod appears.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::cgroup::pids;
use crate::group::{Group, Subject};
use crate::host::network::{device_points, devices};
use crate::host::read_text;
use crate::names::{self as n, Name};
use crate::pods::OwnPod;

/// All processes are looked at no more often than this, ms.
const SCAN_EVERY_MS: i64 = 10_000;

/// Names of the metrics for bytes, packets, errors, dropped; what the kubelet gives already is left out for pods.
const POD: [Option<Name>; 4] =
    [None, Some(n::K8S_POD_NETWORK_PACKETS), None, Some(n::K8S_POD_NETWORK_DROPPED)];
const CONTAINER: [Option<Name>; 4] = [
    Some(n::CONTAINER_NETWORK_IO),
    Some(n::CONTAINER_NETWORK_PACKETS),
    Some(n::CONTAINER_NETWORK_ERRORS),
    Some(n::CONTAINER_NETWORK_DROPPED),
];

/// Remembers a process of each pod.
#[derive(Debug)]
pub struct PodNetworks {
    proc: PathBuf,
    processes: HashMap<String, u32>,
    scanned_ms: Option<i64>,
}

impl PodNetworks {
    pub fn new(proc: PathBuf) -> Self {
        Self { proc, processes: HashMap::new(), scanned_ms: None }
    }

    /// Points of the running pods that have a network of their own. Blocks.
    pub fn read(&mut self, pods: &[std::sync::Arc<OwnPod>], now_ms: i64) -> Vec<Group> {
        let wanted: Vec<&OwnPod> = pods
            .iter()
            .map(AsRef::as_ref)
            .filter(|p| !p.host_network && p.containers.iter().any(|c| c.running))
            .collect();
        let mut texts: HashMap<&str, String> = HashMap::new();
        for pod in &wanted {
            if let Some(text) = self.text(&pod.uid) {
                texts.insert(&pod.uid, text);
            }
        }
        let due = self.scanned_ms.is_none_or(|at| now_ms - at >= SCAN_EVERY_MS || now_ms < at);
        if texts.len() < wanted.len() && due {
            self.scan(&wanted, now_ms);
            for pod in wanted.iter().filter(|p| !texts.contains_key(p.uid.as_str())).collect::<Vec<_>>() {
                if let Some(text) = self.text(&pod.uid) {
                    texts.insert(&pod.uid, text);
                }
            }
        }
        wanted
            .iter()
            .filter_map(|pod| {
                let mut group = Group::new(Subject::Pod {
                    uid: pod.uid.clone(),
                    namespace: pod.namespace.clone(),
                    name: pod.name.clone(),
                });
                points(texts.get(pod.uid.as_str())?, POD, (now_ms, pod.start_ms), &mut group);
                Some(group)
            })
            .collect()
    }

    fn text(&self, uid: &str) -> Option<String> {
        let pid = self.processes.get(uid)?;
        read_text(&self.proc.join(format!("{pid}/net/dev"))).ok()
    }

    fn scan(&mut self, wanted: &[&OwnPod], now_ms: i64) {
        self.scanned_ms = Some(now_ms);
        let Ok(found) = pids::scan(&self.proc) else { return };
        self.processes.clear();
        for pod in wanted {
            let by_container = pod
                .containers
                .iter()
                .filter_map(|c| found.by_container.get(c.id.as_deref()?).copied())
                .next();
            if let Some(pid) = by_container.or_else(|| found.by_pod.get(&pod.uid).copied()) {
                self.processes.insert(pod.uid.clone(), pid);
            }
        }
    }
}

/// Points of a Docker container's own network.
pub fn container(net_dev: &str, (now_ms, start_ms): (i64, Option<i64>), out: &mut Group) {
    points(net_dev, CONTAINER, (now_ms, start_ms), out);
}

fn points(text: &str, names: [Option<Name>; 4], (now_ms, start_ms): (i64, Option<i64>), out: &mut Group) {
    let mut w = out.at(now_ms).since(start_ms);
    for device in devices(text).filter(|d| d.name != "lo") {
        device_points(&device, "interface", names, &mut w);
    }
}
