//! The pods of a node-agent's own node: from the watch in `ph_cluster`, which knows Kubernetes, to the source in
//! `ph_node`, which knows none of it.
//!
//! Bound:  the node-agent's channel; the watch waits while it is full.

use std::collections::BTreeMap;

use futures::StreamExt;
use ph_cluster::node_pods::{self, PodEvent as Seen};
use ph_node::pods::{OwnContainer, OwnPod, Owner, PodEvent, PodSource, Resources};
use ph_workloads::quantity;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FIX: &str = "apply the manifests of `pilothouse cluster join` again: they grant the node-agent get, list and watch on pods";

/// A source that is fed by a watch of the pods on `node` until `stop`.
pub fn source(node: String, tasks: &TaskTracker, stop: CancellationToken) -> PodSource {
    let (tell, source) = PodSource::channel();
    tasks.spawn(async move {
        let client = match node_pods::client().await {
            Ok(client) => client,
            Err(e) => {
                let error = crate::failure::with_causes(&e);
                let _ = tell.send(PodEvent::Failed { error, fix: FIX.to_owned() }).await;
                // The source stays open: its end would read as a watch that broke.
                return stop.cancelled().await;
            }
        };
        let mut events = std::pin::pin!(node_pods::watch(client, &node));
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.next() => event,
            };
            let Some(event) = event else { return };
            if tell.send(translated(event)).await.is_err() {
                return;
            }
        }
    });
    source
}

fn translated(event: Seen) -> PodEvent {
    match event {
        Seen::Set(value) => PodEvent::Set(Box::new(pod(&value))),
        Seen::Gone { uid } => PodEvent::Gone { uid },
        Seen::Begin => PodEvent::Reset,
        Seen::Synced => PodEvent::Synced,
        Seen::Failed(error) => PodEvent::Failed { error, fix: FIX.to_owned() },
    }
}

fn text(v: &Value, at: &str) -> String {
    v.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn time_ms(v: &Value, at: &str) -> Option<i64> {
    v.pointer(at)?.as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn map(v: &Value, at: &str) -> BTreeMap<String, String> {
    let fields = v.pointer(at).and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}

fn list<'a>(v: &'a Value, at: &str) -> &'a [Value] {
    v.pointer(at).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A pod as the API server gives it. What is absent stays empty.
fn pod(v: &Value) -> OwnPod {
    let owner = list(v, "/metadata/ownerReferences")
        .iter()
        .find(|o| o.pointer("/controller").and_then(Value::as_bool) == Some(true))
        .map(|o| Owner {
            api_version: text(o, "/apiVersion"),
            kind: text(o, "/kind"),
            name: text(o, "/name"),
            uid: text(o, "/uid"),
        });
    let statuses: BTreeMap<String, &Value> = ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .flat_map(|at| list(v, at))
        .map(|s| (text(s, "/name"), s))
        .collect();
    let containers = ["/spec/initContainers", "/spec/containers"]
        .iter()
        .flat_map(|at| list(v, at))
        .map(|c| container(c, statuses.get(&text(c, "/name")).copied().unwrap_or(&Value::Null)))
        .collect();
    OwnPod {
        uid: text(v, "/metadata/uid"),
        name: text(v, "/metadata/name"),
        namespace: text(v, "/metadata/namespace"),
        labels: map(v, "/metadata/labels"),
        annotations: map(v, "/metadata/annotations"),
        owner,
        ip: v.pointer("/status/podIP").and_then(Value::as_str).map(str::to_owned),
        host_network: v.pointer("/spec/hostNetwork").and_then(Value::as_bool).unwrap_or_default(),
        node: text(v, "/spec/nodeName"),
        phase: text(v, "/status/phase"),
        qos_class: text(v, "/status/qosClass"),
        start_ms: time_ms(v, "/status/startTime"),
        containers,
    }
}

fn container(spec: &Value, status: &Value) -> OwnContainer {
    let full_id = text(status, "/containerID");
    let (runtime, id) = match full_id.split_once("://") {
        Some((runtime, id)) => (Some(runtime.to_owned()), Some(id.to_owned())),
        None => (None, None),
    };
    let image_id = text(status, "/imageID");
    OwnContainer {
        name: text(spec, "/name"),
        id,
        runtime,
        image: text(spec, "/image"),
        // Docker writes `docker-pullable://` before it.
        image_id: image_id.split_once("://").map_or(image_id.clone(), |(_, rest)| rest.to_owned()),
        limits: resources(spec, "/resources/limits"),
        requests: resources(spec, "/resources/requests"),
        ports: spec
            .pointer("/ports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(port)
            .collect(),
        restart_count: status
            .pointer("/restartCount")
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or_default(),
        running: status.pointer("/state/running").is_some(),
        started_ms: time_ms(status, "/state/running/startedAt"),
        last_exit_code: status
            .pointer("/lastState/terminated/exitCode")
            .and_then(Value::as_i64)
            .and_then(|n| i32::try_from(n).ok()),
        last_terminated_reason: status
            .pointer("/lastState/terminated/reason")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

/// Name and number of a TCP port.
fn port(declared: &Value) -> Option<(String, u16)> {
    let protocol = declared.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
    let number = declared.get("containerPort").and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok())?;
    (protocol == "TCP").then(|| (text(declared, "/name"), number))
}

fn resources(spec: &Value, at: &str) -> Resources {
    let amount = |name: &str| quantity(spec.pointer(&format!("{at}/{name}"))?.as_str()?);
    // Memory is whole bytes; a quantity such as `100m` of it rounds down, as the kubelet does.
    Resources { cpu: amount("cpu"), memory: amount("memory").filter(|b| *b >= 0.0).map(|b| b as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_as_the_api_server_gives_it() {
        let got = pod(&serde_json::json!({
            "metadata": {
                "name": "web-7d4b9c-x2x1z", "namespace": "shop", "uid": "u1",
                "labels": {"pod-template-hash": "7d4b9c"},
                "ownerReferences": [
                    {"kind": "Other", "name": "no", "uid": "o0", "apiVersion": "v1"},
                    {"kind": "ReplicaSet", "name": "web-7d4b9c", "uid": "o1", "apiVersion": "apps/v1", "controller": true}]},
            "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "web:1",
                "ports": [{"name": "http", "containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
                "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}}]},
            "status": {"phase": "Running", "qosClass": "Burstable", "podIP": "10.0.0.7", "startTime": "2026-11-21T10:00:00Z",
                "containerStatuses": [{"name": "app", "containerID": "containerd://abc", "imageID": "web@sha256:1",
                    "restartCount": 2, "state": {"running": {"startedAt": "2026-11-21T10:00:05Z"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}
        }));
        let app = &got.containers[0];
        assert_eq!(app.ports, [("http".to_owned(), 80)]);
        assert_eq!(
            (got.uid.as_str(), got.node.as_str(), got.start_ms),
            ("u1", "n1", Some(1_795_255_200_000))
        );
        assert_eq!(got.owner.unwrap().name, "web-7d4b9c");
        assert_eq!((app.id.as_deref(), app.runtime.as_deref()), (Some("abc"), Some("containerd")));
        assert_eq!(
            (app.limits.cpu, app.limits.memory, app.requests.cpu),
            (Some(0.5), Some(67_108_864), None)
        );
        assert_eq!((app.restart_count, app.running, app.last_exit_code), (2, true, Some(137)));
    }
}
