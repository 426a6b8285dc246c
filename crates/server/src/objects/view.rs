//! Objects as lists and pages show them.

use std::collections::BTreeMap;

use ph_api::{Container, Health, Object, ObjectLink, Reason};
use ph_model::{ClusterId, ObjectKind};
use ph_workloads::quantity;
use serde_json::Value;

use super::inventory::ClusterObjects;

/// Which cluster an object is of.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    pub id: ClusterId,
    pub name: &'a str,
    pub objects: &'a ClusterObjects,
}

fn text<'a>(o: &'a Value, pointer: &str) -> &'a str {
    o.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn int(o: &Value, pointer: &str) -> i64 {
    o.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn list<'a>(o: &'a Value, pointer: &str) -> &'a [Value] {
    o.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Kind, namespace, name and UID of an object.
pub fn link(o: &Value) -> ObjectLink {
    ObjectLink {
        kind: text(o, "/kind").to_owned(),
        namespace: text(o, "/metadata/namespace").to_owned(),
        name: text(o, "/metadata/name").to_owned(),
        uid: text(o, "/metadata/uid").to_owned(),
    }
}

pub fn health(home: Home<'_>, o: &Value, now_ms: i64) -> Health {
    let h = ph_workloads::health(o, home.objects, now_ms);
    let word = |v: Result<Value, serde_json::Error>| {
        v.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    };
    Health {
        state: h.mark().as_str().to_owned(),
        converged: word(serde_json::to_value(h.converged)),
        available: word(serde_json::to_value(h.available)),
        ready: h.counts.ready,
        wanted: h.counts.wanted,
        reasons: h.reasons.into_iter().map(reason).collect(),
    }
}

fn reason(r: ph_workloads::Reason) -> Reason {
    Reason {
        code: r.code.to_owned(),
        object: ObjectLink {
            kind: r.object.kind,
            namespace: r.object.namespace,
            name: r.object.name,
            uid: r.object.uid,
        },
        container: r.container,
        text: r.text,
        quote: r.quote,
        source: r.source.as_str().to_owned(),
        at_ms: r.at_ms,
    }
}

/// The workload that a pod belongs to: its topmost owner that is a workload, found by UID, else by the hash in its name.
pub fn workload(home: Home<'_>, pod: &Value) -> Option<ObjectLink> {
    let owners = home.objects.owners(pod);
    if let Some((kind, top)) = owners.last() {
        let mut l = link(top);
        l.kind = (*kind).to_owned();
        return Some(l);
    }
    let direct = ph_workloads::owner(pod)?;
    let hash = text(pod, "/metadata/labels/pod-template-hash");
    let parent = direct.name.strip_suffix(hash).and_then(|n| n.strip_suffix('-'));
    match parent.filter(|_| direct.kind == "ReplicaSet" && !hash.is_empty()) {
        Some(name) => Some(ObjectLink {
            kind: "Deployment".into(),
            namespace: direct.namespace,
            name: name.to_owned(),
            uid: String::new(),
        }),
        None => Some(ObjectLink {
            kind: direct.kind,
            namespace: direct.namespace,
            name: direct.name,
            uid: direct.uid,
        }),
    }
}

pub fn object(home: Home<'_>, o: &Value, now_ms: i64) -> Object {
    let kind = text(o, "/kind");
    let is_pod = kind == ObjectKind::Pod.as_str();
    Object {
        cluster_id: home.id,
        cluster: home.name.to_owned(),
        kind: kind.to_owned(),
        api_version: text(o, "/apiVersion").to_owned(),
        namespace: text(o, "/metadata/namespace").to_owned(),
        name: text(o, "/metadata/name").to_owned(),
        uid: text(o, "/metadata/uid").to_owned(),
        created_ms: ph_workloads::creation_ms(o),
        health: health(home, o, now_ms),
        columns: columns(home, o, kind),
        containers: if is_pod || kind == "Container" { containers(o) } else { Vec::new() },
        workload: if is_pod { workload(home, o) } else { None },
    }
}

fn columns(home: Home<'_>, o: &Value, kind: &str) -> BTreeMap<String, String> {
    let mut c = BTreeMap::new();
    let mut put = |k: &str, v: String| {
        if !v.is_empty() {
            c.insert(k.to_owned(), v);
        }
    };
    match kind {
        "Pod" => pod_columns(home, o, &mut put),
        "Node" => node_columns(o, &mut put),
        "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" | "Job" | "CronJob" => {
            workload_columns(o, kind, &mut put)
        }
        "PersistentVolumeClaim" => {
            put("phase", text(o, "/status/phase").to_owned());
            put("capacity", text(o, "/status/capacity/storage").to_owned());
            put("class", text(o, "/spec/storageClassName").to_owned());
        }
        "Namespace" => put("phase", text(o, "/status/phase").to_owned()),
        "Container" => {
            for key in ["image", "state", "status", "health"] {
                put(key, text(o, &format!("/{key}")).to_owned());
            }
        }
        _ => {}
    }
    c
}

fn pod_columns(home: Home<'_>, o: &Value, put: &mut impl FnMut(&str, String)) {
    let statuses = list(o, "/status/containerStatuses");
    let ready = statuses.iter().filter(|s| s.get("ready").and_then(Value::as_bool).unwrap_or(false)).count();
    let restarts: i64 = statuses.iter().map(|s| int(s, "/restartCount")).sum();
    put("phase", text(o, "/status/phase").to_owned());
    put("ready", format!("{ready}/{}", list(o, "/spec/containers").len()));
    put("restarts", restarts.to_string());
    put("node", text(o, "/spec/nodeName").to_owned());
    put("ip", text(o, "/status/podIP").to_owned());
    put("qos", text(o, "/status/qosClass").to_owned());
    if let Some(w) = workload(home, o) {
        put("owner_kind", w.kind);
        put("owner", w.name);
    }
}

fn node_columns(o: &Value, put: &mut impl FnMut(&str, String)) {
    put("version", text(o, "/status/nodeInfo/kubeletVersion").to_owned());
    put("os", text(o, "/status/nodeInfo/osImage").to_owned());
    put("runtime", text(o, "/status/nodeInfo/containerRuntimeVersion").to_owned());
    put("arch", text(o, "/status/nodeInfo/architecture").to_owned());
    let labels = o.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, _)| k.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    put("roles", roles.join(", "));
    put("zone", text(o, "/metadata/labels/topology.kubernetes.io~1zone").to_owned());
    for (column, pointer) in [
        ("cpu_allocatable", "/status/allocatable/cpu"),
        ("memory_allocatable", "/status/allocatable/memory"),
        ("pods_allocatable", "/status/allocatable/pods"),
    ] {
        put(column, quantity(text(o, pointer)).map(|n| n.to_string()).unwrap_or_default());
    }
    put(
        "unschedulable",
        if o.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
            "true".into()
        } else {
            String::new()
        },
    );
}

fn workload_columns(o: &Value, kind: &str, put: &mut impl FnMut(&str, String)) {
    let n = |p: &str| int(o, p).to_string();
    match kind {
        "DaemonSet" => {
            put("desired", n("/status/desiredNumberScheduled"));
            put("ready", n("/status/numberReady"));
            put("updated", n("/status/updatedNumberScheduled"));
            put("available", n("/status/numberAvailable"));
        }
        "Job" => {
            put("desired", o.pointer("/spec/completions").and_then(Value::as_i64).unwrap_or(1).to_string());
            put("ready", n("/status/succeeded"));
            put("failed", n("/status/failed"));
            put("active", n("/status/active"));
        }
        "CronJob" => {
            put("schedule", text(o, "/spec/schedule").to_owned());
            put("last_schedule", text(o, "/status/lastScheduleTime").to_owned());
            put("active", list(o, "/status/active").len().to_string());
        }
        _ => {
            put("desired", o.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1).to_string());
            put("ready", n("/status/readyReplicas"));
            put("updated", n("/status/updatedReplicas"));
            put("available", n("/status/availableReplicas"));
        }
    }
    let template = if kind == "CronJob" {
        "/spec/jobTemplate/spec/template/spec/containers"
    } else {
        "/spec/template/spec/containers"
    };
    let images: Vec<&str> = list(o, template).iter().map(|c| text(c, "/image")).collect();
    put("images", images.join(", "));
    put(
        "strategy",
        text(o, if kind == "Deployment" { "/spec/strategy/type" } else { "/spec/updateStrategy/type" })
            .to_owned(),
    );
    put("revision", text(o, "/metadata/annotations/deployment.kubernetes.io~1revision").to_owned());
}

/// Containers of a pod in the order of its spec: init containers, main ones, ephemeral ones.
pub fn containers(pod: &Value) -> Vec<Container> {
    let groups = [
        ("/spec/initContainers", "/status/initContainerStatuses", "init"),
        ("/spec/containers", "/status/containerStatuses", "main"),
        ("/spec/ephemeralContainers", "/status/ephemeralContainerStatuses", "ephemeral"),
    ];
    let mut out = Vec::new();
    for (specs, statuses, role) in groups {
        for spec in list(pod, specs) {
            let name = text(spec, "/name");
            let status = list(pod, statuses).iter().find(|s| text(s, "/name") == name);
            let sidecar = role == "init" && text(spec, "/restartPolicy") == "Always";
            out.push(container(spec, status.unwrap_or(&Value::Null), if sidecar { "sidecar" } else { role }));
        }
    }
    out
}

fn container(spec: &Value, status: &Value, role: &str) -> Container {
    let state = ["running", "waiting", "terminated"]
        .into_iter()
        .find(|s| status.pointer(&format!("/state/{s}")).is_some_and(|v| !v.is_null()))
        .unwrap_or("waiting");
    let in_state = |field: &str| text(status, &format!("/state/{state}/{field}")).to_owned();
    let resource = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str).and_then(quantity);
    let id = text(status, "/containerID");
    Container {
        name: text(spec, "/name").to_owned(),
        id: id.split_once("://").map_or(id, |(_, id)| id).to_owned(),
        image: text(spec, "/image").to_owned(),
        role: role.to_owned(),
        state: state.to_owned(),
        reason: in_state("reason"),
        message: in_state("message"),
        ready: status.get("ready").and_then(Value::as_bool).unwrap_or(false),
        restarts: u32::try_from(int(status, "/restartCount")).unwrap_or(0),
        exit_code: ["/state/terminated/exitCode", "/lastState/terminated/exitCode"]
            .iter()
            .find_map(|p| status.pointer(p).and_then(Value::as_i64))
            .and_then(|c| i32::try_from(c).ok()),
        started_ms: ph_workloads::time_ms(text(status, "/state/running/startedAt")),
        cpu_request: resource("/resources/requests/cpu"),
        cpu_limit: resource("/resources/limits/cpu"),
        memory_request: resource("/resources/requests/memory"),
        memory_limit: resource("/resources/limits/memory"),
    }
}
