//! Each kind's rules on small objects, and first causes on what belongs to them.

use serde_json::{Value, json};

use super::{Available, Converged, Mark, Related, health};

const NOW: i64 = 1_800_000_000_000;

#[derive(Default)]
struct World {
    objects: Vec<Value>,
    events: Vec<Value>,
}

impl Related for World {
    fn children(&self, uid: &str) -> Vec<&Value> {
        self.objects.iter().filter(|o| crate::owner(o).is_some_and(|r| r.uid == uid)).collect()
    }
    fn events(&self, uid: &str) -> Vec<&Value> {
        self.events.iter().filter(|e| e["regarding"]["uid"] == uid).collect()
    }
    fn node(&self, name: &str) -> Option<&Value> {
        self.objects.iter().find(|o| o["kind"] == "Node" && o["metadata"]["name"] == name)
    }
}

fn deployment(status: Value) -> Value {
    json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "uid": "d1", "generation": 2},
        "spec": {"replicas": 3, "progressDeadlineSeconds": 600}, "status": status})
}

fn done() -> Value {
    json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
        "conditions": [{"type": "Available", "status": "True"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]})
}

fn pod(name: &str, status: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2027-01-15T07:00:00Z",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "uid": "r1", "controller": true}]},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "app", "resources": {"limits": {"memory": "64Mi"}}}]}, "status": status})
}

fn check(object: &Value, expected: (Converged, Available, Mark)) {
    let h = health(object, &(), NOW);
    assert_eq!((h.converged, h.available, h.mark()), expected, "{object}");
}

#[test]
fn deployments() {
    check(&deployment(done()), (Converged::Yes, Available::Yes, Mark::Ok));
    let mut unobserved = done();
    unobserved["observedGeneration"] = json!(1);
    check(&deployment(unobserved), (Converged::No, Available::Coming, Mark::Move));
    let mut short = done();
    short["availableReplicas"] = json!(1);
    check(&deployment(short), (Converged::No, Available::Coming, Mark::Move));
    let mut late = done();
    late["availableReplicas"] = json!(0);
    late["conditions"][1] = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out"});
    check(&deployment(late.clone()), (Converged::Stalled, Available::No, Mark::Crit));
    assert_eq!(health(&deployment(late), &(), NOW).reasons[0].quote, "has timed out");
    let mut zero =
        deployment(json!({"observedGeneration": 2, "conditions": [{"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}));
    zero["spec"]["replicas"] = json!(0);
    check(&zero, (Converged::Yes, Available::Yes, Mark::Ok));
}

#[test]
fn deletion_comes_before_every_other_rule() {
    let mut d = deployment(done());
    d["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    check(&d, (Converged::Terminating, Available::Coming, Mark::Move));
}

#[test]
fn stateful_and_daemon_sets_and_jobs() {
    let sts = json!({"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 2, "currentRevision": "a", "updateRevision": "a"}});
    check(&sts, (Converged::Yes, Available::Yes, Mark::Ok));
    let mut rolling = sts.clone();
    rolling["status"]["updateRevision"] = json!("b");
    rolling["status"]["updatedReplicas"] = json!(1);
    check(&rolling, (Converged::No, Available::Coming, Mark::Move));
    let ds = json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2,
        "currentNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1, "numberReady": 1}});
    check(&ds, (Converged::No, Available::Coming, Mark::Move));
    let job = json!({"kind": "Job", "spec": {"completions": 1}, "status": {"startTime": "2027-01-15T07:00:00Z",
        "conditions": [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}]}});
    check(&job, (Converged::Stalled, Available::No, Mark::Crit));
}

#[test]
fn pods_by_phase_and_container_state() {
    check(
        &pod("a", json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})),
        (Converged::Yes, Available::Yes, Mark::Ok),
    );
    check(&pod("a", json!({"phase": "Pending"})), (Converged::No, Available::Coming, Mark::Move));
    check(&pod("a", json!({"phase": "Succeeded"})), (Converged::Yes, Available::Yes, Mark::Ok));
    check(
        &pod(
            "a",
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}]}),
        ),
        (Converged::Stalled, Available::Coming, Mark::Crit),
    );
    check(
        &pod(
            "a",
            json!({"phase": "Pending", "containerStatuses": [{"name": "app", "image": "nope:1", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}}}]}),
        ),
        (Converged::No, Available::No, Mark::Crit),
    );
}

fn crashing(name: &str) -> Value {
    pod(
        name,
        json!({"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 4, "ready": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "fatal: no route to database", "finishedAt": "2027-01-15T07:30:00Z"}}}]}),
    )
}

#[test]
fn a_deployment_quotes_the_first_cause_of_its_crashing_pod() {
    let rs = json!({"kind": "ReplicaSet", "metadata": {"name": "web-1", "namespace": "shop", "uid": "r1",
        "ownerReferences": [{"kind": "Deployment", "name": "web", "uid": "d1", "controller": true}]}, "spec": {"replicas": 3}, "status": {"replicas": 3}});
    let mut short = done();
    short["availableReplicas"] = json!(0);
    short["readyReplicas"] = json!(0);
    let mut world = World { objects: vec![rs, crashing("web-1-b"), crashing("web-1-a")], events: vec![] };
    let h = health(&deployment(short.clone()), &world, NOW);
    let last = h.reasons.last().expect("a cause");
    assert_eq!(
        (last.code, last.quote.as_str(), last.object.name.as_str()),
        ("exit_code", "fatal: no route to database", "web-1-a")
    );
    assert_eq!(h.mark(), Mark::Crit);
    world.objects.reverse();
    assert_eq!(health(&deployment(short), &world, NOW), h, "the order of listing must not matter");
}

#[test]
fn oom_names_the_limit() {
    let p = pod(
        "a",
        json!({"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 1, "ready": false, "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}),
    );
    let h = health(&p, &(), NOW);
    assert_eq!(h.reasons.last().map(|r| r.quote.as_str()), Some("OOMKilled, exit 137: memory limit 64Mi"));
}

#[test]
fn a_missing_config_map_hides_the_symptom() {
    let p = pod(
        "a",
        json!({"phase": "Pending", "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ContainerCreating"}}}]}),
    );
    let world = World {
        objects: vec![],
        events: vec![
            json!({"type": "Warning", "reason": "FailedMount", "note": "MountVolume.SetUp failed for volume \"conf\" : configmap \"web-conf\" not found", "regarding": {"uid": "a"}, "eventTime": "2027-01-15T07:00:05Z"}),
            json!({"type": "Normal", "reason": "Scheduled", "note": "Successfully assigned", "regarding": {"uid": "a"}}),
        ],
    };
    let h = health(&p, &world, NOW);
    assert_eq!(h.reasons.last().map(|r| r.code), Some("config_missing"));
    assert!(h.reasons.last().is_some_and(|r| r.quote.contains("web-conf")));
}

#[test]
fn a_mount_that_failed_before_the_container_started_explains_no_crash() {
    let p = pod(
        "a",
        json!({"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "startedAt": "2027-01-15T07:01:00Z", "finishedAt": "2027-01-15T07:01:01Z"}}}]}),
    );
    let mount = |at: &str| json!({"type": "Warning", "reason": "FailedMount", "note": "configmap \"conf\" not found", "regarding": {"uid": "a"}, "eventTime": at});
    let world = |at| World { objects: vec![], events: vec![mount(at)] };
    let last = |at| health(&p, &world(at), NOW).reasons.last().map(|r| r.code);
    assert_ne!(last("2027-01-15T07:00:05Z"), Some("config_missing"));
    assert_eq!(last("2027-01-15T07:02:05Z"), Some("config_missing"));
}

#[test]
fn quota_explains_a_replica_set_without_pods() {
    let rs = json!({"kind": "ReplicaSet", "metadata": {"name": "web-1", "uid": "r1"}, "spec": {"replicas": 1}, "status": {}});
    let world = World {
        objects: vec![],
        events: vec![
            json!({"type": "Warning", "reason": "FailedCreate", "note": "pods \"web-1-x\" is forbidden: exceeded quota: small", "regarding": {"uid": "r1"}}),
        ],
    };
    assert_eq!(health(&rs, &world, NOW).reasons.last().map(|r| r.code), Some("quota"));
}

#[test]
fn a_failing_probe_is_the_cause_when_nothing_else_is() {
    let p = pod(
        "a",
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "app", "ready": false, "restartCount": 0, "state": {"running": {}}}]}),
    );
    let world = World {
        objects: vec![],
        events: vec![
            json!({"type": "Warning", "reason": "Unhealthy", "note": "Readiness probe failed: HTTP probe failed with statuscode: 503", "regarding": {"uid": "a"}}),
        ],
    };
    let h = health(&p, &world, NOW);
    assert_eq!(h.reasons.last().map(|r| r.code), Some("probe_failed"));
    assert_eq!(
        health(
            &pod(
                "b",
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "app", "ready": true, "state": {"running": {}}}]})
            ),
            &world,
            NOW
        )
        .reasons,
        vec![]
    );
}

#[test]
fn nodes() {
    let ok = json!({"kind": "Node", "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "MemoryPressure", "status": "False"}]}});
    check(&ok, (Converged::Yes, Available::Yes, Mark::Ok));
    let down = json!({"kind": "Node", "status": {"conditions": [{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}]}});
    check(&down, (Converged::Unknown, Available::Unknown, Mark::Unknown));
}

#[test]
fn garbage_has_a_health_too() {
    for garbage in [
        json!(null),
        json!([]),
        json!({"kind": "Pod"}),
        json!({"kind": "Pod", "status": {"containerStatuses": {"a": 1}}, "metadata": 3}),
    ] {
        let _ = health(&garbage, &(), NOW);
    }
}
