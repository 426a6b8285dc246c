//! The pods of a node-agent's own node, and the Services that ask for them to be scraped: from the watches in `ph_cluster`,
//! which knows Kubernetes, to the source in `ph_node`, which knows none of it.
//!
//! Bound:  the node-agent's channel; the watch waits while it is full.

use std::collections::BTreeMap;

use futures::StreamExt;
use ph_cluster::node_pods::{self, PodEvent as Seen};
use ph_cluster::node_services::{self, ServiceEvent};
use ph_node::pods::{
    OwnContainer, OwnPod, OwnService, Owner, PodEvent, PodSource, Resources, ServicePort, TargetPort,
};
use ph_workloads::quantity;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FIX: &str = "apply the manifests of `pilothouse cluster join` again: they grant the node-agent get, list and watch on pods";
const SERVICES_FIX: &str = "apply the manifests of `pilothouse cluster join` again: they grant the node-agent get, list and watch on services; until then only pods' own annotations count for scraping";

/// A source that is fed by watches of the pods on `node` and of Services until `stop`.
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
        let services = node_services::watch(client.clone()).map(told);
        let pods = node_pods::watch(client, &node).map(translated);
        let mut events = std::pin::pin!(futures::stream::select(pods, services));
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.next() => event,
            };
            let Some(event) = event else { return };
            if tell.send(event).await.is_err() {
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

fn told(event: ServiceEvent) -> PodEvent {
    match event {
        ServiceEvent::All(all) => PodEvent::Services(all.iter().map(service).collect()),
        ServiceEvent::Failed(error) => PodEvent::ServicesFailed { error, fix: SERVICES_FIX.to_owned() },
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
        ready: list(v, "/status/conditions")
            .iter()
            .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True"),
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

/// A Service as the API server gives it.
fn service(v: &Value) -> OwnService {
    OwnService {
        name: text(v, "/metadata/name"),
        namespace: text(v, "/metadata/namespace"),
        annotations: map(v, "/metadata/annotations"),
        selector: map(v, "/spec/selector"),
        ports: list(v, "/spec/ports").iter().filter_map(service_port).collect(),
        unready_too: v.pointer("/spec/publishNotReadyAddresses").and_then(Value::as_bool).unwrap_or_default(),
    }
}

/// A TCP port of a Service; without a target it leads to the same number.
fn service_port(port: &Value) -> Option<ServicePort> {
    let number = |v: &Value| v.as_u64().and_then(|n| u16::try_from(n).ok());
    let target = match port.get("targetPort") {
        Some(Value::String(name)) => TargetPort::Named(name.clone()),
        Some(target) if !target.is_null() => TargetPort::Number(number(target)?),
        _ => TargetPort::Number(number(port.get("port")?)?),
    };
    let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
    (protocol == "TCP").then(|| ServicePort { name: text(port, "/name"), target })
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
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "qosClass": "Burstable", "podIP": "10.0.0.7", "startTime": "2026-11-21T10:00:00Z",
                "containerStatuses": [{"name": "app", "containerID": "containerd://abc", "imageID": "web@sha256:1",
                    "restartCount": 2, "state": {"running": {"startedAt": "2026-11-21T10:00:05Z"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}
        }));
        let app = &got.containers[0];
        assert!(got.ready);
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

    #[test]
    fn a_service_as_the_api_server_gives_it() {
        let got = service(&serde_json::json!({
            "metadata": {"name": "web", "namespace": "shop", "annotations": {"prometheus.io/scrape": "true"}},
            "spec": {"selector": {"app": "web"}, "publishNotReadyAddresses": true, "ports": [
                {"name": "http", "port": 80, "targetPort": "web"}, {"port": 9000, "targetPort": 9001, "protocol": "TCP"},
                {"port": 7}, {"port": 53, "protocol": "UDP"}]}
        }));
        let ports: Vec<_> = got.ports.iter().map(|p| (p.name.as_str(), p.target.clone())).collect();
        let named = TargetPort::Named("web".to_owned());
        assert_eq!(ports, [("http", named), ("", TargetPort::Number(9001)), ("", TargetPort::Number(7))]);
        assert_eq!((got.selector["app"].as_str(), got.unready_too), ("web", true));
        let none = service(
            &serde_json::json!({"metadata": {"name": "x"}, "spec": {"selector": null, "ports": null}}),
        );
        assert!(none.selector.is_empty() && none.ports.is_empty() && !none.unready_too);
    }
}
