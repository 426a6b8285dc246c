//! The rules by kind: which field becomes which metric.

use ph_model::{Attributes, NumberValue, Point};
use ph_workloads::quantity;
use serde_json::Value;

use super::{ResourcePoints, gauge};

/// A field that is an integer, as a metric of its own. Absent fields count as 0 where the API leaves zeros out.
struct Field {
    metric: &'static str,
    unit: &'static str,
    pointer: &'static str,
    absent: Option<i64>,
}

const fn f(metric: &'static str, unit: &'static str, pointer: &'static str, absent: Option<i64>) -> Field {
    Field { metric, unit, pointer, absent }
}

const ZERO: Option<i64> = Some(0);

const DEPLOYMENT: &[Field] = &[
    f("k8s.deployment.desired", "{pod}", "/spec/replicas", Some(1)),
    f("k8s.deployment.available", "{pod}", "/status/availableReplicas", ZERO),
    f("k8s.deployment.updated", "{pod}", "/status/updatedReplicas", ZERO),
    f("k8s.deployment.unavailable", "{pod}", "/status/unavailableReplicas", ZERO),
    f("k8s.deployment.generation", "1", "/metadata/generation", None),
    f("k8s.deployment.observed_generation", "1", "/status/observedGeneration", None),
];
const REPLICA_SET: &[Field] = &[
    f("k8s.replicaset.desired", "{pod}", "/spec/replicas", Some(1)),
    f("k8s.replicaset.available", "{pod}", "/status/availableReplicas", ZERO),
];
const STATEFUL_SET: &[Field] = &[
    f("k8s.statefulset.desired_pods", "{pod}", "/spec/replicas", Some(1)),
    f("k8s.statefulset.ready_pods", "{pod}", "/status/readyReplicas", ZERO),
    f("k8s.statefulset.current_pods", "{pod}", "/status/currentReplicas", ZERO),
    f("k8s.statefulset.updated_pods", "{pod}", "/status/updatedReplicas", ZERO),
    f("k8s.statefulset.pod.available", "{pod}", "/status/availableReplicas", ZERO),
];
const DAEMON_SET: &[Field] = &[
    f("k8s.daemonset.current_scheduled_nodes", "{node}", "/status/currentNumberScheduled", ZERO),
    f("k8s.daemonset.desired_scheduled_nodes", "{node}", "/status/desiredNumberScheduled", ZERO),
    f("k8s.daemonset.misscheduled_nodes", "{node}", "/status/numberMisscheduled", ZERO),
    f("k8s.daemonset.ready_nodes", "{node}", "/status/numberReady", ZERO),
    f("k8s.daemonset.updated_nodes", "{node}", "/status/updatedNumberScheduled", ZERO),
    f("k8s.daemonset.available_nodes", "{node}", "/status/numberAvailable", ZERO),
];
const JOB: &[Field] = &[
    f("k8s.job.active_pods", "{pod}", "/status/active", ZERO),
    f("k8s.job.failed_pods", "{pod}", "/status/failed", ZERO),
    f("k8s.job.successful_pods", "{pod}", "/status/succeeded", ZERO),
    f("k8s.job.desired_successful_pods", "{pod}", "/spec/completions", None),
    f("k8s.job.max_parallel_pods", "{pod}", "/spec/parallelism", None),
];
const HPA: &[Field] = &[
    f("k8s.hpa.current_replicas", "{pod}", "/status/currentReplicas", ZERO),
    f("k8s.hpa.desired_replicas", "{pod}", "/status/desiredReplicas", ZERO),
    f("k8s.hpa.min_replicas", "{pod}", "/spec/minReplicas", Some(1)),
    f("k8s.hpa.max_replicas", "{pod}", "/spec/maxReplicas", None),
];

/// Points of one object; empty for kinds without metrics. `owner` is the one workload of a pod: kind and name.
pub fn points(kind: &str, object: &Value, owner: Option<(&str, &str)>, at_ms: i64) -> Vec<ResourcePoints> {
    let (key, fields) = match kind {
        "Pod" => return pod(object, owner, at_ms),
        "Node" => {
            return vec![ResourcePoints {
                resource: resource(object, "k8s.node"),
                points: node(object, at_ms),
            }];
        }
        "Namespace" => {
            return vec![ResourcePoints {
                resource: resource(object, "k8s.namespace"),
                points: namespace(object, at_ms),
            }];
        }
        "PersistentVolumeClaim" => {
            return vec![ResourcePoints {
                resource: resource(object, "k8s.persistentvolumeclaim"),
                points: claim(object, at_ms),
            }];
        }
        "CronJob" => {
            let active = list(object, "/status/active").len() as i64;
            return vec![ResourcePoints {
                resource: resource(object, "k8s.cronjob"),
                points: vec![gauge("k8s.cronjob.active_jobs", "{job}", NumberValue::Int(active), at_ms)],
            }];
        }
        "Deployment" => ("k8s.deployment", DEPLOYMENT),
        "ReplicaSet" => ("k8s.replicaset", REPLICA_SET),
        "StatefulSet" => ("k8s.statefulset", STATEFUL_SET),
        "DaemonSet" => ("k8s.daemonset", DAEMON_SET),
        "Job" => ("k8s.job", JOB),
        "HorizontalPodAutoscaler" => ("k8s.hpa", HPA),
        _ => return Vec::new(),
    };
    // Old revisions of a deployment stay at zero for years; they are no news.
    if kind == "ReplicaSet"
        && int(object, "/spec/replicas") == Some(0)
        && int(object, "/status/replicas").unwrap_or(0) == 0
    {
        return Vec::new();
    }
    let points = fields
        .iter()
        .filter_map(|f| {
            Some(gauge(f.metric, f.unit, NumberValue::Int(int(object, f.pointer).or(f.absent)?), at_ms))
        })
        .collect();
    vec![ResourcePoints { resource: resource(object, key), points }]
}

fn text<'a>(o: &'a Value, pointer: &str) -> &'a str {
    o.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn int(o: &Value, pointer: &str) -> Option<i64> {
    o.pointer(pointer).and_then(Value::as_i64)
}

fn list<'a>(o: &'a Value, pointer: &str) -> &'a [Value] {
    o.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `k8s.<kind>.name`, `.uid` and the namespace.
fn resource(o: &Value, key: &str) -> Attributes {
    let mut r = Attributes::new();
    r.set(format!("{key}.name"), text(o, "/metadata/name"));
    r.set(format!("{key}.uid"), text(o, "/metadata/uid"));
    let namespace = text(o, "/metadata/namespace");
    if !namespace.is_empty() {
        r.set("k8s.namespace.name", namespace);
    }
    r
}

fn pod(o: &Value, owner: Option<(&str, &str)>, at_ms: i64) -> Vec<ResourcePoints> {
    let mut base = resource(o, "k8s.pod");
    let node = text(o, "/spec/nodeName");
    if !node.is_empty() {
        base.set("k8s.node.name", node);
    }
    if let Some((kind, name)) = owner {
        base.set(format!("k8s.{}.name", kind.to_ascii_lowercase()), name);
    }
    let phase = match text(o, "/status/phase") {
        "Pending" => 1,
        "Running" => 2,
        "Succeeded" => 3,
        "Failed" => 4,
        _ => 5,
    };
    let ready = list(o, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True");
    let mut points = vec![
        gauge("k8s.pod.phase", "1", NumberValue::Int(phase), at_ms),
        gauge("k8s.pod.ready", "1", NumberValue::Int(i64::from(ready)), at_ms),
    ];
    let reason = match text(o, "/status/reason") {
        "" => None,
        "Evicted" => Some(1),
        "NodeAffinity" => Some(2),
        "NodeLost" => Some(3),
        "Shutdown" => Some(4),
        "UnexpectedAdmissionError" => Some(5),
        _ => Some(6),
    };
    points.extend(reason.map(|n| gauge("k8s.pod.status_reason", "1", NumberValue::Int(n), at_ms)));
    let mut out = vec![ResourcePoints { resource: base.clone(), points }];
    for spec in list(o, "/spec/containers") {
        out.push(container(o, spec, &base, at_ms));
    }
    out
}

/// Limits and requests: metric, unit, pointer.
const RESOURCES: [(&str, &str, &str); 6] = [
    ("k8s.container.cpu_limit", "{cpu}", "/resources/limits/cpu"),
    ("k8s.container.cpu_request", "{cpu}", "/resources/requests/cpu"),
    ("k8s.container.memory_limit", "By", "/resources/limits/memory"),
    ("k8s.container.memory_request", "By", "/resources/requests/memory"),
    ("k8s.container.ephemeralstorage_limit", "By", "/resources/limits/ephemeral-storage"),
    ("k8s.container.ephemeralstorage_request", "By", "/resources/requests/ephemeral-storage"),
];

fn container(pod: &Value, spec: &Value, base: &Attributes, at_ms: i64) -> ResourcePoints {
    let name = text(spec, "/name");
    let mut resource = base.clone();
    resource.set("k8s.container.name", name);
    let status = list(pod, "/status/containerStatuses").iter().find(|s| text(s, "/name") == name);
    let mut points: Vec<Point> = RESOURCES
        .iter()
        .filter_map(|(metric, unit, pointer)| {
            let value = quantity(spec.pointer(pointer)?.as_str()?)?;
            let value =
                if *unit == "By" { NumberValue::Int(value as i64) } else { NumberValue::Double(value) };
            Some(gauge(metric, unit, value, at_ms))
        })
        .collect();
    if let Some(s) = status {
        let ready = s.get("ready").and_then(Value::as_bool).unwrap_or(false);
        points.push(gauge("k8s.container.ready", "1", NumberValue::Int(i64::from(ready)), at_ms));
        points.push(gauge(
            "k8s.container.restarts",
            "{restart}",
            NumberValue::Int(int(s, "/restartCount").unwrap_or(0)),
            at_ms,
        ));
        for state in ["running", "waiting", "terminated"] {
            let on = s.pointer(&format!("/state/{state}")).is_some_and(|v| !v.is_null());
            let mut p =
                gauge("k8s.container.status.state", "{container}", NumberValue::Int(i64::from(on)), at_ms);
            p.attributes.set("state", state);
            points.push(p);
        }
    }
    ResourcePoints { resource, points }
}

fn node(o: &Value, at_ms: i64) -> Vec<Point> {
    let mut points = Vec::new();
    for c in list(o, "/status/conditions") {
        let value = match text(c, "/status") {
            "True" => 1,
            "False" => 0,
            _ => -1,
        };
        let mut p = gauge("k8s.node.condition", "{condition}", NumberValue::Int(value), at_ms);
        p.attributes.set("condition", text(c, "/type"));
        points.push(p);
    }
    for (metric, unit, pointer) in [
        ("k8s.node.allocatable_cpu", "{cpu}", "/status/allocatable/cpu"),
        ("k8s.node.allocatable_memory", "By", "/status/allocatable/memory"),
        ("k8s.node.allocatable_ephemeral_storage", "By", "/status/allocatable/ephemeral-storage"),
        ("k8s.node.allocatable_pods", "{pod}", "/status/allocatable/pods"),
        ("k8s.node.capacity_cpu", "{cpu}", "/status/capacity/cpu"),
        ("k8s.node.capacity_memory", "By", "/status/capacity/memory"),
        ("k8s.node.capacity_pods", "{pod}", "/status/capacity/pods"),
    ] {
        if let Some(v) = quantity(text(o, pointer)) {
            points.push(gauge(metric, unit, NumberValue::Double(v), at_ms));
        }
    }
    let unschedulable = o.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
    points.push(gauge("k8s.node.unschedulable", "1", NumberValue::Int(i64::from(unschedulable)), at_ms));
    points
}

fn namespace(o: &Value, at_ms: i64) -> Vec<Point> {
    let active = text(o, "/status/phase") != "Terminating";
    vec![gauge("k8s.namespace.phase", "1", NumberValue::Int(i64::from(active)), at_ms)]
}

fn claim(o: &Value, at_ms: i64) -> Vec<Point> {
    let mut points = Vec::new();
    let phase = text(o, "/status/phase");
    for known in ["Pending", "Bound", "Lost"] {
        let mut p = gauge(
            "k8s.persistentvolumeclaim.status.phase",
            "{claim}",
            NumberValue::Int(i64::from(known == phase)),
            at_ms,
        );
        p.attributes.set("phase", known);
        points.push(p);
    }
    for (metric, pointer) in [
        ("k8s.persistentvolumeclaim.storage.capacity", "/status/capacity/storage"),
        ("k8s.persistentvolumeclaim.storage.request", "/spec/resources/requests/storage"),
    ] {
        if let Some(v) = quantity(text(o, pointer)) {
            points.push(gauge(metric, "By", NumberValue::Int(v as i64), at_ms));
        }
    }
    points
}
