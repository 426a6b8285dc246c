//! Attributes of the thing that points and lines describe.
//!
//! In:     a subject, the pods of this node, the facts of this machine.
//! Out:    resource attributes as far as they are known here; the server adds the cluster from the agent's credential.
//! Never:  guesses: what matches no pod stays unmatched and is counted by the caller.

use ph_model::{Attributes, NumberValue, Point, Value};

use crate::docker::Container;
use crate::group::{Group, Subject};
use crate::host::Facts;
use crate::names as n;
use crate::pods::{OwnContainer, OwnPod, Pods, workload, workload_name};

/// This machine as it stands on resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Kubernetes node name; empty on Docker and plain hosts.
    pub node: String,
    pub facts: Facts,
}

/// Points with the attributes of their resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcePoints {
    pub resource: Attributes,
    pub points: Vec<Point>,
}

impl Place {
    /// Attributes of the machine.
    pub fn attributes(&self) -> Attributes {
        let mut out = Attributes::new();
        set(&mut out, "k8s.node.name", &self.node);
        set(&mut out, "host.name", &self.facts.name);
        set(&mut out, "host.id", &self.facts.id);
        set(&mut out, "host.arch", self.facts.arch);
        out.set("os.type", "linux");
        set(&mut out, "os.description", &self.facts.description);
        out
    }
}

/// Attributes of a pod.
pub fn pod(pod: &OwnPod, place: &Place) -> Attributes {
    let mut out = workload(pod);
    set(&mut out, "k8s.node.name", &place.node);
    set(&mut out, "k8s.namespace.name", &pod.namespace);
    set(&mut out, "k8s.pod.name", &pod.name);
    set(&mut out, "k8s.pod.uid", &pod.uid);
    set(&mut out, "k8s.pod.ip", pod.ip.as_deref().unwrap_or_default());
    set(&mut out, "k8s.pod.qos_class", &pod.qos_class);
    if let Some(at) = pod.start_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        out.set("k8s.pod.start_time", at.to_string());
    }
    out
}

/// Adds the attributes of one container of a pod.
pub fn container(container: &OwnContainer, out: &mut Attributes) {
    set(out, "k8s.container.name", &container.name);
    out.set("k8s.container.restart_count", i64::from(container.restart_count));
    set(out, "container.id", container.id.as_deref().unwrap_or_default());
    set(out, "container.runtime", container.runtime.as_deref().unwrap_or_default());
    image(&container.image, &container.image_id, out);
    set(
        out,
        "k8s.container.status.last_terminated_reason",
        container.last_terminated_reason.as_deref().unwrap_or_default(),
    );
}

/// Adds the attributes of a container that was restarted since: its status now is that of its successor.
fn earlier(name: &str, id: &str, out: &mut Attributes) {
    set(out, "k8s.container.name", name);
    set(out, "container.id", id);
}

/// Names the containers of pods by their ids of now, so that a restart begins new series and ends the old.
pub fn identify(groups: &mut [Group], pods: &Pods) {
    for group in groups {
        if let Subject::PodContainer { pod_uid, name, id, .. } = &mut group.subject
            && let Some(pod) = pods.pod(pod_uid)
        {
            *id = pod.containers.iter().find(|c| c.name == *name).and_then(|c| c.id.clone());
        }
    }
}

/// Name, tag and digest of an image.
pub fn image(reference: &str, resolved: &str, out: &mut Attributes) {
    let reference = reference.split_once('@').map_or(reference, |(name, _)| name);
    // A colon before the last slash belongs to the registry's port.
    let (name, tag) = match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, ""),
    };
    set(out, "container.image.name", name);
    set(out, "container.image.tag", tag);
    if resolved.contains("@sha256:") {
        let digest = resolved.strip_prefix("docker-pullable://").unwrap_or(resolved);
        out.set("container.image.repo_digests", Value::Array(vec![digest.into()]));
    }
}

/// Attributes of a service, for lines: given by annotation or label, else the workload's name.
pub fn service(pod: &OwnPod, container: &str, out: &mut Attributes) {
    let given =
        |key: &str| pod.annotations.get(&format!("resource.opentelemetry.io/{key}")).map(String::as_str);
    let label = |key: &str| pod.labels.get(&format!("app.kubernetes.io/{key}")).map(String::as_str);
    let name = given("service.name").or_else(|| label("name"));
    out.set("service.name", name.map_or_else(|| workload_name(pod), str::to_owned));
    set(out, "service.namespace", given("service.namespace").unwrap_or(&pod.namespace));
    set(out, "service.version", given("service.version").or_else(|| label("version")).unwrap_or_default());
    let instance = format!("{}.{}.{container}", pod.namespace, pod.name);
    set(out, "service.instance.id", given("service.instance.id").unwrap_or(&instance));
}

fn set(out: &mut Attributes, key: &str, value: &str) {
    if !value.is_empty() {
        out.set(key, value);
    }
}

/// Joins groups with their resources. `missed` counts groups that match no pod or container known here.
pub fn join(
    groups: Vec<Group>,
    pods: &Pods,
    docker: &[Container],
    place: &Place,
) -> (Vec<ResourcePoints>, u64) {
    let mut out = Vec::with_capacity(groups.len());
    let mut missed = 0;
    for mut group in groups {
        if let Subject::SystemContainer { name } = &group.subject {
            for point in &mut group.points {
                point.attributes.set("k8s.node.system_container.name", name.as_str());
            }
        }
        match resource(&group.subject, pods, docker, place) {
            Some(resource) => out.push(ResourcePoints { resource, points: group.points }),
            None => missed += 1,
        }
    }
    (out, missed)
}

fn resource(subject: &Subject, pods: &Pods, docker: &[Container], place: &Place) -> Option<Attributes> {
    let node = || {
        let mut out = Attributes::new();
        set(&mut out, "k8s.node.name", &place.node);
        out
    };
    Some(match subject {
        Subject::Host => place.attributes(),
        Subject::Node | Subject::SystemContainer { .. } => node(),
        Subject::Agent => {
            let mut out = place.attributes();
            out.set("service.name", "pilothouse-node-agent");
            out
        }
        Subject::Pod { uid, namespace, name } => named_pod(pods, uid, namespace, name, place),
        Subject::PodContainer { pod_uid, namespace, pod, name, id } => {
            let mut out = named_pod(pods, pod_uid, namespace, pod, place);
            match pods.pod(pod_uid).and_then(|p| p.containers.iter().find(|c| c.name == *name).cloned()) {
                Some(known) if id.is_none() || known.id == *id => container(&known, &mut out),
                _ => earlier(name, id.as_deref().unwrap_or_default(), &mut out),
            }
            out
        }
        Subject::Volume { pod_uid, namespace, pod, volume, claim } => {
            let mut out = named_pod(pods, pod_uid, namespace, pod, place);
            out.set("k8s.volume.name", volume.as_str());
            if let Some(claim) = claim {
                out.set("k8s.persistentvolumeclaim.name", claim.as_str());
            }
            out
        }
        Subject::Container { id } => {
            if let Some(found) = docker.iter().find(|c| c.id == *id) {
                return Some(docker_container(found, place));
            }
            let (owner, name) = pods.of_container(id)?;
            let mut out = pod(&owner, place);
            match owner.containers.iter().find(|c| c.id.as_deref() == Some(id)) {
                Some(known) => container(known, &mut out),
                None => earlier(&name, id, &mut out),
            }
            out
        }
    })
}

fn named_pod(pods: &Pods, uid: &str, namespace: &str, name: &str, place: &Place) -> Attributes {
    match pods.pod(uid) {
        Some(known) => pod(&known, place),
        None => {
            let mut out = Attributes::new();
            set(&mut out, "k8s.node.name", &place.node);
            set(&mut out, "k8s.namespace.name", namespace);
            set(&mut out, "k8s.pod.name", name);
            set(&mut out, "k8s.pod.uid", uid);
            out
        }
    }
}

/// Attributes of a container of a Docker host.
pub fn docker_container(found: &Container, place: &Place) -> Attributes {
    let mut out = place.attributes();
    out.set("container.id", found.id.as_str());
    set(&mut out, "container.name", &found.name);
    out.set("container.runtime", "docker");
    image(&found.image, "", &mut out);
    set(&mut out, "container.image.id", &found.image_digest);
    for (label, attribute) in [
        ("com.docker.compose.project", "docker.compose.project"),
        ("com.docker.compose.service", "docker.compose.service"),
    ] {
        set(&mut out, attribute, found.labels.get(label).map(String::as_str).unwrap_or_default());
    }
    out
}

/// Adds use as a share of limits and requests. A pod has such a share only when each of its containers has the amount.
pub fn utilization(groups: &mut [Group], pods: &Pods) {
    for group in groups {
        let (amounts, names) = match &group.subject {
            Subject::Pod { uid, .. } => {
                let Some(pod) = pods.pod(uid) else { continue };
                (pod_amounts(&pod), POD)
            }
            Subject::PodContainer { pod_uid, name, .. } => {
                let Some(pod) = pods.pod(pod_uid) else { continue };
                let Some(found) = pod.containers.iter().find(|c| c.name == *name) else { continue };
                ([found.limits, found.requests], CONTAINER)
            }
            _ => continue,
        };
        let mut added = Vec::new();
        for point in &group.points {
            let (amount, names): ([Option<f64>; 2], _) = if point.name == names.cpu {
                (amounts.map(|r| r.cpu), names.cpu_share)
            } else if point.name == names.memory {
                (amounts.map(|r| r.memory.map(|m| m as f64)), names.memory_share)
            } else {
                continue;
            };
            for (amount, name) in amount.into_iter().zip(names) {
                if let Some(amount) = amount.filter(|a| *a > 0.0) {
                    let mut one = Group::new(Subject::Node);
                    let value = point.value.as_f64() / amount;
                    one.at(point.at_ms).double(
                        name,
                        Some(value).filter(|_| !ph_model::is_stale_marker(point.value.as_f64())),
                    );
                    added.append(&mut one.points);
                }
            }
        }
        group.points.extend(added);
    }
}

#[derive(Clone, Copy)]
struct Shares {
    cpu: &'static str,
    memory: &'static str,
    cpu_share: [n::Name; 2],
    memory_share: [n::Name; 2],
}

const POD: Shares = Shares {
    cpu: n::K8S_POD_CPU_USAGE.id,
    memory: n::K8S_POD_MEMORY_USAGE.id,
    cpu_share: [n::K8S_POD_CPU_LIMIT_UTILIZATION, n::K8S_POD_CPU_REQUEST_UTILIZATION],
    memory_share: [n::K8S_POD_MEMORY_LIMIT_UTILIZATION, n::K8S_POD_MEMORY_REQUEST_UTILIZATION],
};
const CONTAINER: Shares = Shares {
    cpu: n::CONTAINER_CPU_USAGE.id,
    memory: n::CONTAINER_MEMORY_USAGE.id,
    cpu_share: [n::K8S_CONTAINER_CPU_LIMIT_UTILIZATION, n::K8S_CONTAINER_CPU_REQUEST_UTILIZATION],
    memory_share: [n::K8S_CONTAINER_MEMORY_LIMIT_UTILIZATION, n::K8S_CONTAINER_MEMORY_REQUEST_UTILIZATION],
};

/// Limits and requests of a whole pod: its running containers' sums, absent when one lacks the amount.
fn pod_amounts(pod: &OwnPod) -> [crate::pods::Resources; 2] {
    let running: Vec<&OwnContainer> = pod.containers.iter().filter(|c| c.running).collect();
    let sum = |pick: fn(&OwnContainer) -> crate::pods::Resources| {
        if running.is_empty() {
            return crate::pods::Resources::default();
        }
        crate::pods::Resources {
            cpu: running.iter().map(|c| pick(c).cpu).sum::<Option<f64>>(),
            memory: running.iter().map(|c| pick(c).memory).sum::<Option<u64>>(),
        }
    };
    [sum(|c| c.limits), sum(|c| c.requests)]
}

/// Points that the pods' own status gives: facts, exit codes and start times of containers.
pub fn status_points(pods: &Pods, now_ms: i64) -> Vec<Group> {
    let mut groups = Vec::new();
    for pod in pods.living() {
        let mut group = Group::new(Subject::Pod {
            uid: pod.uid.clone(),
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
        });
        group.points.push(info(n::K8S_POD_INFO, pod_facts(&pod), now_ms));
        groups.push(group);
        for container in pod.containers.iter().filter(|c| c.id.is_some()) {
            let mut group = Group::new(Subject::PodContainer {
                pod_uid: pod.uid.clone(),
                namespace: pod.namespace.clone(),
                pod: pod.name.clone(),
                name: container.name.clone(),
                id: container.id.clone(),
            });
            let started = container.started_ms.and_then(|ms| u64::try_from(ms / 1000).ok());
            let mut w = group.at(now_ms);
            w.int(n::CONTAINER_START_TIME, started);
            w.int(n::CONTAINER_LAST_EXIT_CODE, container.last_exit_code.and_then(|c| u64::try_from(c).ok()));
            groups.push(group);
        }
    }
    groups.retain(|g| !g.points.is_empty());
    groups
}

fn pod_facts(pod: &OwnPod) -> Attributes {
    let mut out = Attributes::new();
    set(&mut out, "k8s.pod.ip", pod.ip.as_deref().unwrap_or_default());
    set(&mut out, "k8s.pod.qos_class", &pod.qos_class);
    if let Some(owner) = &pod.owner {
        set(&mut out, "k8s.owner.kind", &owner.kind);
        set(&mut out, "k8s.owner.name", &owner.name);
    }
    out
}

fn info(name: n::Name, attributes: Attributes, at_ms: i64) -> Point {
    Point {
        name: name.id,
        unit: name.unit,
        kind: name.kind,
        attributes,
        at_ms,
        start_ms: None,
        value: NumberValue::Int(1),
    }
}

#[cfg(test)]
mod tests;
