//! Points of each kind from objects as the API server gives them.

use super::points;
use ph_model::NumberValue;
use serde_json::{Value, json};

fn values(kind: &str, o: &Value) -> Vec<String> {
    points(kind, o, Some(("Deployment", "web")), 7)
        .into_iter()
        .flat_map(|r| r.points)
        .map(|p| {
            let attrs: Vec<String> =
                p.attributes.iter().map(|(k, v)| format!("{k}={}", v.to_text())).collect();
            let v = match p.value {
                NumberValue::Int(i) => i.to_string(),
                NumberValue::Double(d) => format!("{d:?}"),
            };
            format!("{}{{{}}} {v}", p.name, attrs.join(","))
        })
        .collect()
}

#[test]
fn a_pod_and_its_container() {
    let pod = json!({"metadata": {"name": "web-1", "namespace": "shop", "uid": "u"}, "spec": {"nodeName": "n1", "containers": [{"name": "app",
        "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "250m"}}}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "ready": true, "restartCount": 3, "state": {"running": {}}}]}});
    assert_eq!(
        values("Pod", &pod),
        [
            "k8s.pod.phase{} 2",
            "k8s.pod.ready{} 1",
            "k8s.container.cpu_request{} 0.25",
            "k8s.container.memory_limit{} 67108864",
            "k8s.container.ready{} 1",
            "k8s.container.restarts{} 3",
            "k8s.container.status.state{state=running} 1",
            "k8s.container.status.state{state=waiting} 0",
            "k8s.container.status.state{state=terminated} 0",
        ]
    );
    let r = &points("Pod", &pod, Some(("Deployment", "web")), 7)[1].resource;
    assert_eq!(
        (r.text("k8s.deployment.name"), r.text("k8s.container.name"), r.text("k8s.node.name")),
        (Some("web"), Some("app"), Some("n1"))
    );
}

#[test]
fn controllers_count_absent_zeros_but_not_absent_facts() {
    let d = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3}, "status": {"availableReplicas": 2}});
    assert_eq!(
        values("Deployment", &d),
        [
            "k8s.deployment.desired{} 3",
            "k8s.deployment.available{} 2",
            "k8s.deployment.updated{} 0",
            "k8s.deployment.unavailable{} 0"
        ]
    );
    assert!(values("ReplicaSet", &json!({"spec": {"replicas": 0}, "status": {"replicas": 0}})).is_empty());
    assert_eq!(values("CronJob", &json!({"status": {"active": [{}]}})), ["k8s.cronjob.active_jobs{} 1"]);
}

#[test]
fn a_node_says_unknown_as_minus_one() {
    let n = json!({"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}], "allocatable": {"cpu": "2", "memory": "1Ki"}}});
    assert_eq!(
        values("Node", &n),
        [
            "k8s.node.condition{condition=Ready} -1",
            "k8s.node.allocatable_cpu{} 2.0",
            "k8s.node.allocatable_memory{} 1024.0",
            "k8s.node.unschedulable{} 0",
        ]
    );
}

#[test]
fn garbage_gives_no_panic() {
    for kind in ["Pod", "Node", "Deployment", "CronJob", "PersistentVolumeClaim", "Namespace", "Unknown"] {
        let _ = points(kind, &json!({"spec": 3, "status": []}), None, 0);
    }
}
