//! The kubelet's stats summary as points.
//!
//! In:     the JSON of `GET /stats/summary`, of any kubelet version: every field may be missing.
//! Out:    groups of the node, its system containers, pods, containers, volumes. A missing field is a missing point.
//! Never:  takes the reader's clock for the kubelet's: each block has its own time, which may be seconds old.
//! Source: k8s.io/kubelet/pkg/apis/stats/v1alpha1.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::group::{Group, Subject, Writer};
use crate::names::{self as n, Name};

/// Which points that are off by default are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    pub system_containers: bool,
    pub volume_usage: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    node: Option<NodeStats>,
    #[serde(default)]
    pods: Vec<PodStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeStats {
    start_time: Option<Time>,
    #[serde(default)]
    system_containers: Vec<ContainerStats>,
    cpu: Option<Cpu>,
    memory: Option<Memory>,
    network: Option<Network>,
    fs: Option<Fs>,
    rlimit: Option<Rlimit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodRef,
    start_time: Option<Time>,
    #[serde(default)]
    containers: Vec<ContainerStats>,
    cpu: Option<Cpu>,
    memory: Option<Memory>,
    network: Option<Network>,
    #[serde(default)]
    volume: Vec<Volume>,
    #[serde(rename = "ephemeral-storage")]
    ephemeral_storage: Option<Fs>,
}

#[derive(Deserialize)]
struct PodRef {
    name: String,
    namespace: String,
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStats {
    name: String,
    start_time: Option<Time>,
    cpu: Option<Cpu>,
    memory: Option<Memory>,
    rootfs: Option<Fs>,
    logs: Option<Fs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    time: Option<Time>,
    usage_core_nano_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    time: Option<Time>,
    available_bytes: Option<u64>,
    usage_bytes: Option<u64>,
    working_set_bytes: Option<u64>,
    rss_bytes: Option<u64>,
    page_faults: Option<u64>,
    major_page_faults: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    time: Option<Time>,
    #[serde(flatten)]
    default: Interface,
    #[serde(default)]
    interfaces: Vec<Interface>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    name: Option<String>,
    rx_bytes: Option<u64>,
    rx_errors: Option<u64>,
    tx_bytes: Option<u64>,
    tx_errors: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fs {
    time: Option<Time>,
    available_bytes: Option<u64>,
    capacity_bytes: Option<u64>,
    used_bytes: Option<u64>,
    inodes_free: Option<u64>,
    inodes: Option<u64>,
    inodes_used: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    name: String,
    pvc_ref: Option<ClaimRef>,
    #[serde(flatten)]
    fs: Fs,
}

#[derive(Deserialize)]
struct ClaimRef {
    name: String,
}

#[derive(Deserialize)]
struct Rlimit {
    time: Option<Time>,
    maxpid: Option<u64>,
    curproc: Option<u64>,
}

/// An RFC 3339 time as ms UTC.
#[derive(Clone, Copy)]
struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        crate::time::rfc3339_ms(&text)
            .map(Time)
            .ok_or_else(|| serde::de::Error::custom(format_args!("{text:?} is no RFC 3339 time")))
    }
}

/// Go's zero time means "not measured yet", as for a file system of a container that has just begun.
fn known(time: Option<Time>) -> Option<Time> {
    time.filter(|t| t.0 > 0)
}

/// Go's zero time means "not started"; it is no start.
fn start(time: Option<Time>) -> Option<i64> {
    time.map(|t| t.0).filter(|ms| *ms > 0)
}

/// The metrics of one level; the three levels differ only in their names.
struct Level {
    cpu_time: Name,
    available: Option<Name>,
    usage: Name,
    rss: Option<Name>,
    working_set: Name,
    page_faults: Option<[Name; 2]>,
    filesystem: Option<[Name; 3]>,
    network: Option<[Name; 2]>,
    uptime: Option<Name>,
}

const NODE: Level = Level {
    cpu_time: n::K8S_NODE_CPU_TIME,
    available: Some(n::K8S_NODE_MEMORY_AVAILABLE),
    usage: n::K8S_NODE_MEMORY_USAGE,
    rss: Some(n::K8S_NODE_MEMORY_RSS),
    working_set: n::K8S_NODE_MEMORY_WORKING_SET,
    page_faults: Some([n::K8S_NODE_MEMORY_PAGE_FAULTS, n::K8S_NODE_MEMORY_MAJOR_PAGE_FAULTS]),
    filesystem: Some([
        n::K8S_NODE_FILESYSTEM_AVAILABLE,
        n::K8S_NODE_FILESYSTEM_CAPACITY,
        n::K8S_NODE_FILESYSTEM_USAGE,
    ]),
    network: Some([n::K8S_NODE_NETWORK_IO, n::K8S_NODE_NETWORK_ERRORS]),
    uptime: Some(n::K8S_NODE_UPTIME),
};
const POD: Level = Level {
    cpu_time: n::K8S_POD_CPU_TIME,
    available: Some(n::K8S_POD_MEMORY_AVAILABLE),
    usage: n::K8S_POD_MEMORY_USAGE,
    rss: Some(n::K8S_POD_MEMORY_RSS),
    working_set: n::K8S_POD_MEMORY_WORKING_SET,
    page_faults: Some([n::K8S_POD_MEMORY_PAGE_FAULTS, n::K8S_POD_MEMORY_MAJOR_PAGE_FAULTS]),
    filesystem: Some([
        n::K8S_POD_FILESYSTEM_AVAILABLE,
        n::K8S_POD_FILESYSTEM_CAPACITY,
        n::K8S_POD_FILESYSTEM_USAGE,
    ]),
    network: Some([n::K8S_POD_NETWORK_IO, n::K8S_POD_NETWORK_ERRORS]),
    uptime: Some(n::K8S_POD_UPTIME),
};
const CONTAINER: Level = Level {
    cpu_time: n::CONTAINER_CPU_TIME,
    available: Some(n::CONTAINER_MEMORY_AVAILABLE),
    usage: n::CONTAINER_MEMORY_USAGE,
    rss: Some(n::CONTAINER_MEMORY_RSS),
    working_set: n::CONTAINER_MEMORY_WORKING_SET,
    page_faults: Some([n::CONTAINER_MEMORY_PAGE_FAULTS, n::CONTAINER_MEMORY_MAJOR_PAGE_FAULTS]),
    filesystem: Some([
        n::CONTAINER_FILESYSTEM_AVAILABLE,
        n::CONTAINER_FILESYSTEM_CAPACITY,
        n::CONTAINER_FILESYSTEM_USAGE,
    ]),
    network: None,
    uptime: Some(n::CONTAINER_UPTIME),
};
const SYSTEM_CONTAINER: Level = Level {
    cpu_time: n::K8S_NODE_SYSTEM_CONTAINER_CPU_TIME,
    available: None,
    usage: n::K8S_NODE_SYSTEM_CONTAINER_MEMORY_USAGE,
    rss: None,
    working_set: n::K8S_NODE_SYSTEM_CONTAINER_MEMORY_WORKING_SET,
    page_faults: None,
    filesystem: None,
    network: None,
    uptime: None,
};

/// The blocks of one level of the summary.
#[derive(Default)]
struct Blocks<'a> {
    start_ms: Option<i64>,
    cpu: Option<&'a Cpu>,
    memory: Option<&'a Memory>,
    fs: Option<&'a Fs>,
    network: Option<&'a Network>,
}

/// Reads a summary. Fails only when it is no JSON object of that shape.
pub fn read(json: &[u8], extras: Extras) -> Result<Vec<Group>> {
    let summary: Summary = serde_json::from_slice(json)
        .map_err(|e| Error::Parse { what: "kubelet summary", reason: e.to_string() })?;
    let mut groups = Vec::new();
    if let Some(node) = &summary.node {
        read_node(node, extras, &mut groups);
    }
    for pod in &summary.pods {
        read_pod(pod, extras, &mut groups);
    }
    groups.retain(|g| !g.points.is_empty());
    Ok(groups)
}

fn read_node(node: &NodeStats, extras: Extras, groups: &mut Vec<Group>) {
    let blocks = Blocks {
        start_ms: start(node.start_time),
        cpu: node.cpu.as_ref(),
        memory: node.memory.as_ref(),
        fs: node.fs.as_ref(),
        network: node.network.as_ref(),
    };
    let mut group = Group::new(Subject::Node);
    level(&NODE, &blocks, &mut group);
    if let Some((fs, time)) = node.fs.as_ref().and_then(|fs| Some((fs, known(fs.time)?))) {
        let mut w = group.at(time.0);
        w.int(n::K8S_NODE_FILESYSTEM_INODE_COUNT, fs.inodes)
            .int(n::K8S_NODE_FILESYSTEM_INODE_FREE, fs.inodes_free);
    }
    if let Some((limit, time)) = node.rlimit.as_ref().and_then(|r| Some((r, known(r.time)?))) {
        group.at(time.0).int(n::K8S_NODE_PID_LIMIT, limit.maxpid).int(n::K8S_NODE_PID_USAGE, limit.curproc);
    }
    groups.push(group);
    if extras.system_containers {
        for container in &node.system_containers {
            let mut group = Group::new(Subject::SystemContainer { name: container.name.clone() });
            let blocks = Blocks {
                start_ms: start(container.start_time),
                cpu: container.cpu.as_ref(),
                memory: container.memory.as_ref(),
                ..Blocks::default()
            };
            level(&SYSTEM_CONTAINER, &blocks, &mut group);
            groups.push(group);
        }
    }
}

fn read_pod(pod: &PodStats, extras: Extras, groups: &mut Vec<Group>) {
    let PodRef { name, namespace, uid } = &pod.pod_ref;
    let mut group =
        Group::new(Subject::Pod { uid: uid.clone(), namespace: namespace.clone(), name: name.clone() });
    let blocks = Blocks {
        start_ms: start(pod.start_time),
        cpu: pod.cpu.as_ref(),
        memory: pod.memory.as_ref(),
        fs: pod.ephemeral_storage.as_ref(),
        network: pod.network.as_ref(),
    };
    level(&POD, &blocks, &mut group);
    groups.push(group);
    for container in &pod.containers {
        let mut group = Group::new(Subject::PodContainer {
            pod_uid: uid.clone(),
            namespace: namespace.clone(),
            pod: name.clone(),
            name: container.name.clone(),
            id: None,
        });
        read_container(container, &mut group);
        groups.push(group);
    }
    for volume in &pod.volume {
        let mut group = Group::new(Subject::Volume {
            pod_uid: uid.clone(),
            namespace: namespace.clone(),
            pod: name.clone(),
            volume: volume.name.clone(),
            claim: volume.pvc_ref.as_ref().map(|c| c.name.clone()),
        });
        read_volume(&volume.fs, extras, &mut group);
        groups.push(group);
    }
}

fn read_container(container: &ContainerStats, group: &mut Group) {
    let blocks = Blocks {
        start_ms: start(container.start_time),
        cpu: container.cpu.as_ref(),
        memory: container.memory.as_ref(),
        fs: container.rootfs.as_ref(),
        network: None,
    };
    level(&CONTAINER, &blocks, group);
    for (kind, fs) in [("rootfs", &container.rootfs), ("logs", &container.logs)] {
        if let Some((fs, time)) = fs.as_ref().and_then(|fs| Some((fs, known(fs.time)?))) {
            let attributes = [("fs.type", kind)];
            group.at(time.0).int_with(n::K8S_CONTAINER_EPHEMERAL_STORAGE_USAGE, &attributes, fs.used_bytes);
        }
    }
}

fn read_volume(fs: &Fs, extras: Extras, group: &mut Group) {
    let Some(time) = known(fs.time) else { return };
    let mut w = group.at(time.0);
    w.int(n::K8S_VOLUME_AVAILABLE, fs.available_bytes)
        .int(n::K8S_VOLUME_CAPACITY, fs.capacity_bytes)
        .int(n::K8S_VOLUME_INODES, fs.inodes)
        .int(n::K8S_VOLUME_INODES_FREE, fs.inodes_free)
        .int(n::K8S_VOLUME_INODES_USED, fs.inodes_used);
    if extras.volume_usage {
        w.int(n::K8S_POD_VOLUME_USAGE, fs.used_bytes);
    }
}

fn level(names: &Level, blocks: &Blocks<'_>, group: &mut Group) {
    if let Some((cpu, time)) = blocks.cpu.and_then(|c| Some((c, known(c.time)?))) {
        let mut w = group.at(time.0).since(blocks.start_ms);
        w.double(names.cpu_time, cpu.usage_core_nano_seconds.map(|ns| ns as f64 / 1e9));
        if let (Some(name), Some(start)) = (names.uptime, blocks.start_ms) {
            w.int(name, u64::try_from((time.0 - start) / 1000).ok());
        }
    }
    if let Some((memory, time)) = blocks.memory.and_then(|m| Some((m, known(m.time)?))) {
        let mut w = group.at(time.0);
        optional(&mut w, names.available, memory.available_bytes);
        w.int(names.usage, memory.usage_bytes);
        optional(&mut w, names.rss, memory.rss_bytes);
        w.int(names.working_set, memory.working_set_bytes);
        if let Some([all, major]) = names.page_faults {
            w.int(all, memory.page_faults).int(major, memory.major_page_faults);
        }
    }
    if let (Some([available, capacity, usage]), Some((fs, time))) =
        (names.filesystem, blocks.fs.and_then(|f| Some((f, known(f.time)?))))
    {
        group
            .at(time.0)
            .int(available, fs.available_bytes)
            .int(capacity, fs.capacity_bytes)
            .int(usage, fs.used_bytes);
    }
    if let (Some(names), Some((network, time))) =
        (names.network, blocks.network.and_then(|n| Some((n, known(n.time)?))))
    {
        let mut w = group.at(time.0).since(blocks.start_ms);
        read_network(names, network, &mut w);
    }
}

fn optional(w: &mut Writer<'_>, name: Option<Name>, value: Option<u64>) {
    if let Some(name) = name {
        w.int(name, value);
    }
}

/// The list of interfaces when the kubelet gives one, else the default interface alone.
fn read_network([io, errors]: [Name; 2], network: &Network, w: &mut Writer<'_>) {
    let all = if network.interfaces.is_empty() {
        std::slice::from_ref(&network.default)
    } else {
        &network.interfaces
    };
    for interface in all {
        let Some(name) = interface.name.as_deref() else { continue };
        let receive = [("interface", name), ("direction", "receive")];
        let transmit = [("interface", name), ("direction", "transmit")];
        w.int_with(io, &receive, interface.rx_bytes).int_with(io, &transmit, interface.tx_bytes);
        w.int_with(errors, &receive, interface.rx_errors).int_with(errors, &transmit, interface.tx_errors);
    }
}

#[cfg(test)]
mod tests;
