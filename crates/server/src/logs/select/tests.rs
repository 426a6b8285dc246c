//! Selects against the pods of a small cluster.

use ph_link::v1::ObjectSet;
use ph_link::v1::objects_event::M;
use ph_model::ClusterId;
use serde_json::json;

use super::*;
use crate::objects::{ClusterObjects, containers};

fn pod(name: &str, more: Value) -> Value {
    let mut pod = json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("u-{name}"), "labels": {"app": "web"}},
        "spec": {
            "nodeName": "n1",
            "initContainers": [{"name": "setup"}],
            "containers": [{"name": "app"}, {"name": "app-proxy"}],
            "ephemeralContainers": [{"name": "debugger"}]
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    });
    merge(&mut pod, more);
    pod
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

fn cluster() -> ClusterObjects {
    let owner = |api: &str, kind: &str, name: &str| json!([{"apiVersion": api, "kind": kind, "name": name, "uid": "o", "controller": true}]);
    let deployed = json!({"metadata": {
        "labels": {"pod-template-hash": "7d4"},
        "ownerReferences": owner("apps/v1", "ReplicaSet", "web-7d4"),
    }});
    let other = json!({
        "metadata": {"labels": {"app": "db"}, "ownerReferences": owner("apps.example.com/v1", "CloneSet", "db")},
        "spec": {"nodeName": "n2"},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]}
    });
    let node = |name: &str, zone: &str| json!({"kind": "Node", "metadata": {"name": name, "uid": name, "labels": {ZONE: zone, "kubernetes.io/arch": "arm64"}}});
    let front = json!({"kind": "Service", "metadata": {"name": "front", "namespace": "shop", "uid": "s"},
        "spec": {"selector": {"app": "web"}}});
    let mut objects = ClusterObjects::default();
    for o in [pod("web-7d4-x", deployed), pod("db-0", other), node("n1", "z1"), node("n2", "z2"), front] {
        let set = ObjectSet {
            kind: text(&o, "/kind").into(),
            namespace: text(&o, "/metadata/namespace").into(),
            name: text(&o, "/metadata/name").into(),
            uid: text(&o, "/metadata/uid").into(),
            json: serde_json::to_vec(&o).unwrap().into(),
            ..ObjectSet::default()
        };
        objects.apply(M::Set(set), 0);
    }
    objects
}

/// `pod/container` of what a select means.
fn check(select: Value, expected: &[&str]) {
    let select: LogSelect = serde_json::from_value(select).unwrap();
    let selector = Selector::new(&select, 0).unwrap();
    let objects = cluster();
    let home = Home { id: ClusterId(uuid::Uuid::nil()), name: "east", objects: &objects };
    let mut found: Vec<String> = objects
        .of_kind("Pod")
        .filter(|p| selector.means_pod(home, p))
        .flat_map(|p| {
            let name = text(p, "/metadata/name").to_owned();
            selector.chosen(p, containers(p)).into_iter().map(move |c| format!("{name}/{}", c.name))
        })
        .collect();
    found.sort();
    assert_eq!(found, expected, "{select:?}");
}

#[test]
fn pods_by_names_labels_fields_owners_services_conditions_and_nodes() {
    let (web, db) = (["web-7d4-x/app"], ["db-0/app"]);
    check(json!({}), &[db[0], web[0]]);
    check(json!({"pod": "web-*"}), &web);
    check(json!({"namespace": "sh?p", "pod_match": "^DB"}), &[]);
    check(json!({"namespace": "sh?p", "pod_match": "^db"}), &db);
    check(json!({"not_pods": ["^web"]}), &db);
    check(json!({"labels": "app in (web)"}), &web);
    check(json!({"labels": "!app"}), &[]);
    check(json!({"fields": "spec.nodeName=n2,status.phase!=Pending"}), &db);
    check(json!({"workload": "web", "workload_kind": "Deployment"}), &web);
    check(json!({"workload": "web-7d4", "workload_kind": "ReplicaSet"}), &web);
    check(json!({"workload": "w*"}), &web);
    check(json!({"workload": "db", "owner": "clonesets.apps.example.com"}), &db);
    check(json!({"workload": "db", "owner": "clonesets.other.example.com"}), &[]);
    check(json!({"service": "front"}), &web);
    check(json!({"service": "back"}), &[]);
    check(json!({"conditions": ["Ready=False"]}), &db);
    check(json!({"conditions": ["Ready"]}), &web);
    check(json!({"nodes": ["n3", "n2"]}), &db);
    check(json!({"zones": ["z1"], "arch": ["arm*"]}), &web);
    check(json!({"zones": ["z3"]}), &[]);
}

#[test]
fn containers_by_name_expression_and_kind() {
    let all = ["web-7d4-x/app", "web-7d4-x/app-proxy", "web-7d4-x/debugger", "web-7d4-x/setup"];
    let of = |more: Value, expected: &[&str]| {
        let mut select = json!({"pod": "web-7d4-x"});
        merge(&mut select, more);
        check(select, expected);
    };
    of(json!({"all_containers": true}), &all);
    of(json!({"all_containers": true, "without_init": true, "without_ephemeral": true}), &all[..2]);
    of(json!({"container": "app*"}), &all[..2]);
    // One that has exactly the name is meant alone.
    of(json!({"containers": ["app"]}), &all[..1]);
    of(json!({"containers": ["^app"]}), &all[..2]);
    of(json!({"not_containers": ["proxy|setup|debug"]}), &all[..1]);
    of(json!({"container": "setup", "without_init": true}), &all[3..]);
    of(json!({"states": ["running"]}), &[]);
}

#[test]
fn every_fault_is_named_with_its_place() {
    let select = LogSelect {
        pod_match: Some("(".into()),
        labels: Some("app near web".into()),
        fields: Some("spec.replicas=1".into()),
        states: vec!["asleep".into()],
        owner: Some("rollouts.argoproj.io".into()),
        ..LogSelect::default()
    };
    let Err(faults) = Selector::new(&select, 3) else { panic!("it is understood") };
    let paths: Vec<&str> = faults.iter().map(|f| f.path.as_str()).collect();
    let expected = ["pod_match", "labels", "fields", "states", "owner"].map(|f| format!("sources[3].{f}"));
    assert_eq!(paths, expected);
}
