//! Health rules of controllers, nodes, claims and namespaces.
//!
//! Source: the rule tables of kstatus and Argo CD, kind by kind.

use serde_json::Value;

use crate::field::{at, condition, condition_is, int, list, text, time_at};
use crate::health::{Available, Converged, Counts, Health, Reason, Related, Source};

const NO_COMING: (Converged, Available) = (Converged::No, Available::Coming);

fn status(object: &Value, name: &str) -> i64 {
    int(object, &["status", name]).unwrap_or(0)
}

fn replicas(object: &Value) -> i64 {
    int(object, &["spec", "replicas"]).unwrap_or(1)
}

pub(crate) fn deployment(o: &Value) -> Health {
    let wanted = replicas(o);
    let (all, updated, ready, available) = (
        status(o, "replicas"),
        status(o, "updatedReplicas"),
        status(o, "readyReplicas"),
        status(o, "availableReplicas"),
    );
    let progressing = condition(o, "Progressing");
    let deadline = progressing.is_some_and(|c| text(c, &["reason"]) == "ProgressDeadlineExceeded");
    let converged = if deadline {
        Converged::Stalled
    } else {
        let unfinished = all < wanted
            || updated < wanted
            || all > wanted
            || available < updated
            || ready < wanted
            || (at(o, &["spec", "progressDeadlineSeconds"]).is_some()
                && !progressing.is_some_and(|c| {
                    text(c, &["status"]) == "True" && text(c, &["reason"]) == "NewReplicaSetAvailable"
                }))
            || !condition_is(o, "Available", "True");
        if unfinished { Converged::No } else { Converged::Yes }
    };
    let paused = at(o, &["spec", "paused"]).and_then(Value::as_bool).unwrap_or(false);
    let usable = if paused {
        Available::Suspended
    } else if deadline {
        Available::No
    } else if updated < wanted || all > updated || available < updated {
        Available::Coming
    } else {
        Available::Yes
    };
    let mut health = Health::of(converged, usable).counting(available, wanted);
    if deadline && let Some(c) = progressing {
        health.reasons.push(from_condition(
            o,
            c,
            "deadline_exceeded",
            "the rollout has not progressed within its deadline",
        ));
    }
    health
}

pub(crate) fn stateful_set(o: &Value) -> Health {
    let wanted = replicas(o);
    let (all, ready, updated, current) = (
        status(o, "replicas"),
        status(o, "readyReplicas"),
        status(o, "updatedReplicas"),
        status(o, "currentReplicas"),
    );
    let on_delete = text(o, &["spec", "updateStrategy", "type"]) == "OnDelete";
    let same_revision = text(o, &["status", "currentRevision"]) == text(o, &["status", "updateRevision"]);
    let rolling = at(o, &["spec", "updateStrategy", "rollingUpdate"]);
    let partition = int(o, &["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or(0);
    let converged = if on_delete {
        Converged::Yes
    } else if all < wanted || ready < wanted || all > wanted {
        Converged::No
    } else if partition > 0 {
        if updated < wanted - partition { Converged::No } else { Converged::Yes }
    } else if current < wanted || !same_revision {
        Converged::No
    } else {
        Converged::Yes
    };
    let unobserved = int(o, &["status", "observedGeneration"]).is_none();
    let usable = if unobserved || ready < wanted {
        Available::Coming
    } else if on_delete {
        Available::Yes
    } else if rolling.is_some() {
        if updated < wanted - partition { Available::Coming } else { Available::Yes }
    } else if same_revision {
        Available::Yes
    } else {
        Available::Coming
    };
    Health::of(converged, usable).counting(ready, wanted)
}

pub(crate) fn daemon_set(o: &Value) -> Health {
    let (desired, current, updated, available, ready) = (
        status(o, "desiredNumberScheduled"),
        status(o, "currentNumberScheduled"),
        status(o, "updatedNumberScheduled"),
        status(o, "numberAvailable"),
        status(o, "numberReady"),
    );
    let observed =
        int(o, &["metadata", "generation"]).is_some() && int(o, &["status", "observedGeneration"]).is_some();
    let converged =
        if !observed || desired > current || desired > updated || desired > available || desired > ready {
            Converged::No
        } else {
            Converged::Yes
        };
    let usable = if text(o, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        Available::Yes
    } else if !observed || updated < desired || available < desired {
        Available::Coming
    } else {
        Available::Yes
    };
    Health::of(converged, usable).counting(ready, desired)
}

pub(crate) fn replica_set(o: &Value) -> Health {
    let wanted = replicas(o);
    let (all, labelled, available, ready) = (
        status(o, "replicas"),
        status(o, "fullyLabeledReplicas"),
        status(o, "availableReplicas"),
        status(o, "readyReplicas"),
    );
    let failure = condition(o, "ReplicaFailure").filter(|c| text(c, &["status"]) == "True");
    let short = labelled < wanted || available < wanted || ready < wanted || all > wanted;
    let converged = if failure.is_some() || short { Converged::No } else { Converged::Yes };
    let usable = if failure.is_some() {
        Available::No
    } else if available < wanted {
        Available::Coming
    } else {
        Available::Yes
    };
    let mut health = Health::of(converged, usable).counting(available, wanted);
    if let Some(c) = failure {
        health.reasons.push(from_condition(o, c, "replica_failure", "pods cannot be created"));
    }
    health
}

pub(crate) fn job(o: &Value) -> Health {
    let wanted = int(o, &["spec", "completions"]).or_else(|| int(o, &["spec", "parallelism"])).unwrap_or(1);
    let done = status(o, "succeeded");
    let (converged, usable) = if condition_is(o, "Complete", "True") {
        (Converged::Yes, Available::Yes)
    } else if condition_is(o, "Failed", "True") {
        (Converged::Stalled, Available::No)
    } else if condition_is(o, "Suspended", "True") {
        (Converged::Yes, Available::Suspended)
    } else if text(o, &["status", "startTime"]).is_empty() {
        NO_COMING
    } else {
        (Converged::Yes, Available::Coming)
    };
    let mut health = Health::of(converged, usable).counting(done, wanted);
    if let Some(c) = condition(o, "Failed").filter(|c| text(c, &["status"]) == "True") {
        health.reasons.push(from_condition(o, c, "job_failed", "the job failed"));
    }
    health
}

/// The last finished job decides; `related` are the jobs.
pub(crate) fn cron_job(o: &Value, related: &dyn Related) -> Health {
    if at(o, &["spec", "suspend"]).and_then(Value::as_bool).unwrap_or(false) {
        return Health::of(Converged::Yes, Available::Suspended);
    }
    let mut jobs = related.children(crate::field::uid(o));
    jobs.sort_by_key(|j| (text(j, &["metadata", "creationTimestamp"]), text(j, &["metadata", "name"])));
    let finished =
        jobs.iter().rev().find(|j| condition_is(j, "Failed", "True") || condition_is(j, "Complete", "True"));
    if let Some(failed) = finished.filter(|j| condition_is(j, "Failed", "True")) {
        let mut health = Health::of(Converged::Yes, Available::No);
        health.reasons = job(failed).reasons;
        return health;
    }
    let running = !list(o, &["status", "active"]).is_empty();
    Health::of(Converged::Yes, if running { Available::Coming } else { Available::Yes })
}

pub(crate) fn node(o: &Value) -> Health {
    let ready = condition(o, "Ready");
    let answer = match ready.map(|c| text(c, &["status"])) {
        Some("True") => Health::of(Converged::Yes, Available::Yes).counting(1, 1),
        Some("False") => Health::of(Converged::No, Available::No).counting(0, 1),
        _ => Health::of(Converged::Unknown, Available::Unknown).counting(0, 1),
    };
    with_node_conditions(o, ready, answer)
}

fn with_node_conditions(o: &Value, ready: Option<&Value>, mut health: Health) -> Health {
    if let Some(c) = ready.filter(|c| text(c, &["status"]) != "True") {
        health.reasons.push(from_condition(o, c, "node_not_ready", "the node is not ready"));
    }
    for c in list(o, &["status", "conditions"]) {
        let kind = text(c, &["type"]);
        if kind != "Ready" && text(c, &["status"]) == "True" && kind.ends_with("Pressure") {
            health.reasons.push(from_condition(o, c, "node_pressure", &format!("the node reports {kind}")));
        }
    }
    health
}

pub(crate) fn claim(o: &Value) -> Health {
    match text(o, &["status", "phase"]) {
        "Bound" => Health::of(Converged::Yes, Available::Yes),
        "Lost" => Health::of(Converged::No, Available::No),
        _ => Health::of(Converged::No, Available::Coming),
    }
}

pub(crate) fn namespace(o: &Value) -> Health {
    match text(o, &["status", "phase"]) {
        "Terminating" => Health::of(Converged::Terminating, Available::Coming),
        _ => Health::of(Converged::Yes, Available::Yes),
    }
}

/// Ready and wanted of a kind when an earlier rule decided without them.
pub(crate) fn counts(o: &Value) -> Counts {
    let health = match text(o, &["kind"]) {
        "Deployment" | "ReplicaSet" => {
            Health::of(Converged::Yes, Available::Yes).counting(status(o, "availableReplicas"), replicas(o))
        }
        "StatefulSet" => {
            Health::of(Converged::Yes, Available::Yes).counting(status(o, "readyReplicas"), replicas(o))
        }
        "DaemonSet" => Health::of(Converged::Yes, Available::Yes)
            .counting(status(o, "numberReady"), status(o, "desiredNumberScheduled")),
        _ => return Counts::default(),
    };
    health.counts
}

pub(crate) fn from_condition(o: &Value, condition: &Value, code: &'static str, sentence: &str) -> Reason {
    Reason {
        code,
        object: crate::field::reference(o),
        container: String::new(),
        text: sentence.to_owned(),
        quote: text(condition, &["message"]).to_owned(),
        source: Source::Condition,
        at_ms: time_at(condition, &["lastTransitionTime"]),
    }
}
