//! Everything that deviates, one row a cause, worst first.

use std::collections::{BTreeMap, HashSet};

use ph_api::{ObjectLink, ProblemRow, Reason};
use ph_model::ObjectKind;
use serde_json::Value;

use super::view::{self, Home};

/// Controllers first, so that a pod is not listed beside the workload that explains it.
const ORDER: [ObjectKind; 8] = [
    ObjectKind::Node,
    ObjectKind::Deployment,
    ObjectKind::StatefulSet,
    ObjectKind::DaemonSet,
    ObjectKind::CronJob,
    ObjectKind::Job,
    ObjectKind::ReplicaSet,
    ObjectKind::Pod,
];

/// Problems of one cluster. Pods and jobs below a listed workload are counted in its row.
pub fn problems(home: Home<'_>, now_ms: i64) -> Vec<ProblemRow> {
    let mut rows = Vec::new();
    let mut covered: HashSet<String> = HashSet::new();
    for kind in ORDER {
        for o in home.objects.of_kind(kind.as_str()) {
            let link = view::link(o);
            if covered.contains(&link.uid) {
                continue;
            }
            let health = view::health(home, o, now_ms);
            let unwell_rollout = health.state == "move" && !health.reasons.is_empty();
            if !matches!(health.state.as_str(), "warn" | "crit" | "unknown") && !unwell_rollout {
                continue;
            }
            cover(home, &link.uid, &mut covered);
            rows.push(row(home, o, (link, health), now_ms));
        }
    }
    rows.sort_by(|a, b| {
        rank(&a.state).cmp(&rank(&b.state)).then(a.since_ms.cmp(&b.since_ms)).then(a.id.cmp(&b.id))
    });
    rows
}

fn rank(state: &str) -> u8 {
    match state {
        "crit" => 0,
        "warn" => 1,
        _ => 2,
    }
}

fn cover(home: Home<'_>, uid: &str, covered: &mut HashSet<String>) {
    let mut queue = vec![(uid.to_owned(), 0_u8)];
    while let Some((uid, depth)) = queue.pop() {
        for child in ph_workloads::Related::children(home.objects, &uid) {
            let child = ph_workloads::uid(child).to_owned();
            if depth < 3 {
                queue.push((child.clone(), depth + 1));
            }
            covered.insert(child);
        }
    }
}

fn row(home: Home<'_>, o: &Value, (link, health): (ObjectLink, ph_api::Health), now_ms: i64) -> ProblemRow {
    let pods = match link.kind.as_str() {
        "Pod" => 1,
        "Node" => home
            .objects
            .of_kind("Pod")
            .filter(|p| p.pointer("/spec/nodeName").and_then(Value::as_str) == Some(link.name.as_str()))
            .count(),
        _ => home.objects.pods_of(&link.uid).len(),
    };
    let since = health
        .reasons
        .iter()
        .filter_map(|r| r.at_ms)
        .min()
        .or_else(|| ph_workloads::creation_ms(o))
        .unwrap_or(now_ms);
    ProblemRow {
        id: format!("{}/{}", home.id, link.uid),
        state: if health.state == "move" { "warn".into() } else { health.state.clone() },
        cluster_id: home.id,
        cluster: home.name.to_owned(),
        effect: effect(&link, &health, pods),
        chain: chain(&link, &health),
        pods: u32::try_from(pods).unwrap_or(u32::MAX),
        since_ms: since.min(now_ms),
        object: link,
    }
}

fn effect(link: &ObjectLink, health: &ph_api::Health, pods: usize) -> String {
    match link.kind.as_str() {
        "Node" => {
            format!("{} · {pods} pods", if health.available == "unknown" { "no status" } else { "NotReady" })
        }
        "Pod" => health.reasons.first().map_or_else(|| "not ready".into(), |r| short(&r.code).to_owned()),
        "Job" | "CronJob" => "failed".into(),
        _ => format!("{} of {} available", health.ready, health.wanted),
    }
}

fn short(code: &str) -> &str {
    match code {
        "crash_loop" => "CrashLoopBackOff",
        "image_pull" => "image cannot be pulled",
        "unschedulable" => "Pending",
        "create_failed" => "cannot be created",
        "config_missing" => "waits for its configuration",
        "mount_failed" => "waits for its volume",
        "probe_failed" => "probe fails",
        "oom_killed" => "OOMKilled",
        "exit_code" => "ended",
        _ => "not ready",
    }
}

/// Never empty: without a known cause it says what was looked at.
fn chain(link: &ObjectLink, health: &ph_api::Health) -> Vec<Reason> {
    if !health.reasons.is_empty() {
        return health.reasons.clone();
    }
    vec![Reason {
        code: "no_cause_found".into(),
        object: link.clone(),
        container: String::new(),
        text: "no cause found in its status, its pods, their containers and events".into(),
        quote: String::new(),
        source: "schema".into(),
        at_ms: None,
    }]
}

/// How many objects are in which state, by namespace.
pub fn counts(home: Home<'_>, kind: ObjectKind, now_ms: i64) -> BTreeMap<String, BTreeMap<String, u32>> {
    let mut out: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for o in home.objects.of_kind(kind.as_str()) {
        let state = view::health(home, o, now_ms).state;
        let namespace = o.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("");
        *out.entry(namespace.to_owned()).or_default().entry(state).or_default() += 1;
    }
    out
}
