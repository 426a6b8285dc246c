//! First cause: walk from the object to its ReplicaSet, pods, containers and events, and quote the earliest fact that
//! explains the rest.

use serde_json::Value;

use crate::field::{flag, int, reference, text, time_at, uid};
use crate::health::{Health, Reason, Related, Source};
use crate::pod;

/// Whether a reason's code means that something failed, rather than is on its way.
pub(crate) fn is_failure(code: &str) -> bool {
    !matches!(code, "scaling" | "waits")
}

/// Reasons that the object's own status does not hold, effect first.
pub(crate) fn explain(object: &Value, related: &dyn Related, now_ms: i64, health: &Health) -> Vec<Reason> {
    match text(object, &["kind"]) {
        "Pod" => pod_events(object, related, health),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" => {
            controller(object, related, now_ms, 0)
        }
        "PersistentVolumeClaim" => events(object, related, &["ProvisioningFailed", "FailedBinding"]),
        _ => Vec::new(),
    }
}

/// The worst child explains its owner. Depth is bounded: CronJob → Job → Pod, Deployment → ReplicaSet → Pod.
fn controller(object: &Value, related: &dyn Related, now_ms: i64, depth: u8) -> Vec<Reason> {
    let own = events(object, related, &["FailedCreate", "FailedUpdate", "FailedDelete"]);
    if !own.is_empty() {
        return own;
    }
    if depth > 2 {
        return Vec::new();
    }
    let mut children = related.children(uid(object));
    if text(object, &["kind"]) == "Deployment" {
        children.retain(|rs| {
            int(rs, &["spec", "replicas"]).unwrap_or(0) > 0
                || int(rs, &["status", "replicas"]).unwrap_or(0) > 0
        });
    }
    let mut chains: Vec<Vec<Reason>> = Vec::new();
    for child in children {
        if text(child, &["kind"]) == "Pod" {
            let health = crate::health(child, related, now_ms);
            if health.mark() > crate::Mark::Move && !health.reasons.is_empty() {
                chains.push(health.reasons);
            }
        } else {
            let health_reasons = crate::health(child, related, now_ms).reasons;
            if !health_reasons.is_empty() {
                chains.push(health_reasons);
            } else {
                chains.push(controller(child, related, now_ms, depth + 1));
            }
        }
    }
    chains.retain(|c| !c.is_empty());
    // The earliest known time wins; then the object's name, so that the order of listing does not matter.
    chains.sort_by_key(|c| {
        let last = c.last();
        (
            last.map(|r| severity(r.code)),
            last.and_then(|r| r.at_ms).unwrap_or(i64::MAX),
            last.map(|r| r.object.name.clone()),
        )
    });
    chains.into_iter().next().unwrap_or_default()
}

/// Lower explains more: what kept a pod from existing comes before how it ended.
fn severity(code: &str) -> u8 {
    match code {
        "quota" | "admission" | "create_rejected" => 0,
        "config_missing" | "mount_failed" | "unschedulable" | "image_pull" => 1,
        "oom_killed" | "exit_code" | "crash_loop" | "create_failed" => 2,
        "probe_failed" => 3,
        _ => 4,
    }
}

fn pod_events(object: &Value, related: &dyn Related, health: &Health) -> Vec<Reason> {
    let settled =
        health.reasons.iter().any(|r| matches!(r.code, "image_pull" | "unschedulable" | "oom_killed"));
    if settled || matches!(health.available, crate::Available::Yes) {
        return Vec::new();
    }
    let mut found = events(
        object,
        related,
        &["FailedMount", "FailedAttachVolume", "Failed", "FailedScheduling", "Unhealthy"],
    );
    // A mount or a missing key hides the rest; a probe explains only what nothing else does.
    if let Some(i) = found.iter().position(|r| matches!(r.code, "mount_failed" | "config_missing")) {
        return vec![found.swap_remove(i)];
    }
    if health.reasons.is_empty() || found.iter().all(|r| r.code == "probe_failed") {
        found.truncate(1);
        if let Some(r) = found.first().filter(|r| r.code == "probe_failed") {
            let started = pod::containers(object).any(|c| flag(c, &["ready"]));
            let unready = pod::containers(object).any(|c| !flag(c, &["ready"]));
            return if unready || !started { vec![r.clone()] } else { Vec::new() };
        }
        return found;
    }
    Vec::new()
}

/// Warning events with one of these reasons, earliest first.
fn events(object: &Value, related: &dyn Related, reasons: &[&str]) -> Vec<Reason> {
    let mut out: Vec<Reason> = related
        .events(uid(object))
        .into_iter()
        .filter(|e| reasons.contains(&text(e, &["reason"])) && text(e, &["type"]) != "Normal")
        .filter(|e| !is_overcome(object, e))
        .map(|e| from_event(object, e))
        .collect();
    out.sort_by(|a, b| (a.at_ms.unwrap_or(i64::MAX), &a.quote).cmp(&(b.at_ms.unwrap_or(i64::MAX), &b.quote)));
    out.dedup_by(|a, b| a.quote == b.quote);
    out
}

/// Volumes are mounted and a node is found before any container starts: such a failure is over once one has started.
fn is_overcome(pod: &Value, event: &Value) -> bool {
    if !matches!(text(event, &["reason"]), "FailedMount" | "FailedAttachVolume" | "FailedScheduling") {
        return false;
    }
    let last = EVENT_TIMES
        .iter()
        .chain(&[&["series", "lastObservedTime"][..]])
        .filter_map(|f| time_at(event, f))
        .max();
    let started =
        pod::containers(pod).flat_map(|c| CONTAINER_STARTS.iter().filter_map(|f| time_at(c, f))).max();
    matches!((last, started), (Some(last), Some(started)) if started >= last)
}

const CONTAINER_STARTS: [&[&str]; 3] = [
    &["state", "running", "startedAt"],
    &["state", "terminated", "startedAt"],
    &["lastState", "terminated", "startedAt"],
];
/// Earliest first.
const EVENT_TIMES: [&[&str]; 5] = [
    &["eventTime"],
    &["firstTimestamp"],
    &["deprecatedFirstTimestamp"],
    &["lastTimestamp"],
    &["deprecatedLastTimestamp"],
];

fn from_event(object: &Value, event: &Value) -> Reason {
    let note =
        [text(event, &["note"]), text(event, &["message"])].into_iter().find(|t| !t.is_empty()).unwrap_or("");
    let (code, sentence) = classify(text(event, &["reason"]), note);
    Reason {
        code,
        object: reference(object),
        container: String::new(),
        text: sentence.to_owned(),
        quote: note.to_owned(),
        source: Source::Event,
        at_ms: EVENT_TIMES.iter().find_map(|f| time_at(event, f)),
    }
}

fn classify(reason: &str, note: &str) -> (&'static str, &'static str) {
    let missing = note.contains("configmap") || note.contains("secret") || note.contains("couldn't find key");
    match reason {
        "FailedCreate" if note.contains("exceeded quota") => ("quota", "a quota of the namespace is used up"),
        "FailedCreate" if note.contains("admission webhook") => {
            ("admission", "an admission webhook refused the pod")
        }
        "FailedCreate" => ("create_rejected", "the API server refused the pod"),
        "FailedScheduling" => ("unschedulable", "no node can take the pod"),
        "FailedMount" | "FailedAttachVolume" if missing && note.contains("not found") => {
            ("config_missing", "what the pod mounts does not exist")
        }
        "FailedMount" | "FailedAttachVolume" => ("mount_failed", "a volume cannot be mounted"),
        "Failed" if missing => ("config_missing", "what the container refers to does not exist"),
        "Failed" if note.contains("pull") || note.contains("image") => {
            ("image_pull", "the image cannot be pulled")
        }
        "Unhealthy" => ("probe_failed", "a probe fails"),
        "ProvisioningFailed" | "FailedBinding" => ("volume_unbound", "the claim finds no volume"),
        _ => ("event", "the cluster reports a failure"),
    }
}
