//! Owners by template hash; pods that come, go and come again.

use super::*;

fn pod(uid: &str) -> OwnPod {
    OwnPod { uid: uid.into(), name: format!("p-{uid}"), namespace: "shop".into(), ..OwnPod::default() }
}

fn owned(kind: &str, name: &str, labels: &[(&str, &str)]) -> OwnPod {
    OwnPod {
        owner: Some(Owner {
            kind: kind.into(),
            name: name.into(),
            uid: "o1".into(),
            api_version: "v1".into(),
        }),
        labels: labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..pod("u1")
    }
}

#[test]
fn owners_are_exact() {
    let long = "a".repeat(52);
    let cases = [
        (owned("ReplicaSet", "web-5d4f", &[("pod-template-hash", "5d4f")]), "k8s.deployment.name=web"),
        (
            owned("ReplicaSet", &format!("{long}-5d4f"), &[("pod-template-hash", "5d4f")]),
            &*format!("k8s.deployment.name={long}"),
        ),
        (owned("ReplicaSet", "web-5d4f", &[]), "k8s.replicaset.name=web-5d4f"),
        (owned("ReplicaSet", "web-5d4f", &[("pod-template-hash", "other")]), "k8s.replicaset.name=web-5d4f"),
        (owned("ReplicaSet", "-5d4f", &[("pod-template-hash", "5d4f")]), "k8s.replicaset.name=-5d4f"),
        (owned("ReplicaSet", "pay-77", &[("rollouts-pod-template-hash", "77")]), "k8s.owner.name=pay"),
        (owned("StatefulSet", "db", &[]), "k8s.statefulset.name=db"),
        (owned("DaemonSet", "log", &[]), "k8s.daemonset.name=log"),
        (owned("Job", "nightly-28394", &[]), "k8s.job.name=nightly-28394"),
        (owned("Kafka", "events", &[]), "k8s.owner.kind=Kafka"),
    ];
    for (pod, expected) in cases {
        let attributes = workload(&pod);
        let shown: Vec<String> = attributes.iter().map(|(k, v)| format!("{k}={}", v.to_text())).collect();
        assert!(shown.iter().any(|a| a == expected), "{expected} not in {shown:?}");
        if expected.starts_with("k8s.job") {
            assert!(attributes.value("k8s.cronjob.name").is_none(), "a CronJob is never guessed");
        }
    }
    assert!(workload(&owned("Node", "n1", &[])).is_empty(), "a node is no workload");
}

#[test]
fn a_deleted_pod_is_known_until_its_tombstone_ends() {
    let pods = Pods::default();
    let mut one = pod("u1");
    one.containers.push(OwnContainer { id: Some("c1".into()), ..OwnContainer::default() });
    pods.apply(PodEvent::Set(Box::new(one)), 0);
    pods.apply(PodEvent::Gone { uid: "u1".into() }, 1_000);
    assert!(pods.living().is_empty());
    assert!(pods.of_container("c1").is_some());
    pods.apply(PodEvent::Synced, 1_000 + TOMBSTONE_MS);
    assert!(pods.pod("u1").is_none() && pods.of_container("c1").is_none());
}

#[test]
fn what_a_relist_does_not_name_is_gone() {
    let pods = Pods::default();
    for uid in ["u1", "u2"] {
        pods.apply(PodEvent::Set(Box::new(pod(uid))), 0);
    }
    pods.apply(PodEvent::Reset, 5);
    pods.apply(PodEvent::Set(Box::new(pod("u2"))), 5);
    assert_eq!(pods.living().len(), 2, "before the end of the list nothing is gone");
    pods.apply(PodEvent::Synced, 5);
    let living: Vec<String> = pods.living().iter().map(|p| p.uid.clone()).collect();
    assert_eq!(living, ["u2"]);
    assert!(*pods.synced().borrow());
}

#[test]
fn a_static_pod_is_found_by_its_hash() {
    let pods = Pods::default();
    let mut mirror = pod("u1");
    mirror.annotations.insert(CONFIG_HASH.into(), "abc".into());
    pods.apply(PodEvent::Set(Box::new(mirror)), 0);
    assert_eq!(pods.pod("abc").map(|p| p.uid.clone()).as_deref(), Some("u1"));
}
