//! Health of a pod, and what its containers say.

use serde_json::Value;

use crate::field::{condition, condition_is, creation_ms, flag, int, list, reference, text, time_at};
use crate::health::{Available, Converged, Health, Reason, Source};
use crate::kinds::from_condition;

/// A pod that cannot be scheduled for this long is stalled, not merely starting.
const UNSCHEDULABLE_AFTER_MS: i64 = 15_000;

/// All container statuses: init containers first, as they run.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(|group| list(pod, &["status", group]))
}

fn waiting(c: &Value) -> &str {
    text(c, &["state", "waiting", "reason"])
}

fn is_error(reason: &str) -> bool {
    reason.starts_with("Err")
        || reason.ends_with("Error")
        || reason.ends_with("BackOff")
        || reason == "InvalidImageName"
}

pub(crate) fn health(pod: &Value, now_ms: i64) -> Health {
    let phase = text(pod, &["status", "phase"]);
    let ready = condition_is(pod, "Ready", "True");
    let unschedulable = condition(pod, "PodScheduled")
        .filter(|c| text(c, &["status"]) == "False" && text(c, &["reason"]) == "Unschedulable");
    let overdue = creation_ms(pod).is_some_and(|at| now_ms - at > UNSCHEDULABLE_AFTER_MS);
    let crashing = containers(pod).any(|c| waiting(c) == "CrashLoopBackOff");
    let converged = match phase {
        "Succeeded" | "Failed" => Converged::Yes,
        "Running" if ready => Converged::Yes,
        "Running" if crashing => Converged::Stalled,
        "Pending" if unschedulable.is_some() && overdue => Converged::Stalled,
        _ => Converged::No,
    };
    let wanted = if phase == "Succeeded" { 0 } else { 1 };
    let mut health = Health::of(converged, available(pod, phase, ready)).counting(i64::from(ready), wanted);
    health.reasons = reasons(pod, unschedulable.filter(|_| overdue));
    health
}

fn available(pod: &Value, phase: &str, ready: bool) -> Available {
    match phase {
        "Succeeded" => return Available::Yes,
        "Failed" => return Available::No,
        _ => {}
    }
    let always = matches!(text(pod, &["spec", "restartPolicy"]), "" | "Always");
    let failing = containers(pod).any(|c| is_error(waiting(c)));
    let terminated_before = containers(pod)
        .any(|c| !flag(c, &["ready"]) && c.pointer("/lastState/terminated").is_some_and(|t| !t.is_null()));
    if failing {
        Available::No
    } else if ready {
        Available::Yes
    } else if always && terminated_before && phase == "Running" {
        Available::No
    } else {
        Available::Coming
    }
}

/// Why this pod is not well, from its own status; the earliest explaining fact last.
fn reasons(pod: &Value, unschedulable: Option<&Value>) -> Vec<Reason> {
    let mut out = Vec::new();
    if let Some(c) = unschedulable {
        out.push(from_condition(pod, c, "unschedulable", "no node can take the pod"));
    }
    for c in containers(pod) {
        out.extend(container_reasons(pod, c));
    }
    if text(pod, &["status", "phase"]) == "Failed" && out.is_empty() {
        out.push(Reason {
            code: if text(pod, &["status", "reason"]) == "Evicted" { "evicted" } else { "pod_failed" },
            object: reference(pod),
            container: String::new(),
            text: "the pod failed".into(),
            quote: first_of(&[text(pod, &["status", "message"]), text(pod, &["status", "reason"])])
                .to_owned(),
            source: Source::Condition,
            at_ms: time_at(pod, &["status", "startTime"]),
        });
    }
    out
}

fn container_reasons(pod: &Value, c: &Value) -> Vec<Reason> {
    let name = text(c, &["name"]);
    let reason = waiting(c);
    let message = text(c, &["state", "waiting", "message"]);
    let make = |code: &'static str, sentence: String, quote: &str, at_ms: Option<i64>| Reason {
        code,
        object: reference(pod),
        container: name.to_owned(),
        text: sentence,
        quote: quote.to_owned(),
        source: Source::Container,
        at_ms,
    };
    let mut out = Vec::new();
    match reason {
        "CrashLoopBackOff" => {
            let restarts = int(c, &["restartCount"]).unwrap_or(0);
            out.push(make(
                "crash_loop",
                format!("container {name} keeps ending; {restarts} restarts"),
                message,
                None,
            ));
            out.extend(exit_reason(pod, c));
        }
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
            let image = text(c, &["image"]);
            out.push(make(
                "image_pull",
                format!("container {name}: image {image} cannot be pulled"),
                message,
                None,
            ));
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            out.push(make("create_failed", format!("container {name} cannot be created"), message, None));
        }
        _ => {
            let state = c.pointer("/state/terminated").filter(|t| !t.is_null());
            let failed = state.is_some_and(|t| int(t, &["exitCode"]).unwrap_or(0) != 0);
            let restarted_unready = !flag(c, &["ready"]) && int(c, &["restartCount"]).unwrap_or(0) > 0;
            if failed || restarted_unready {
                out.extend(exit_reason(pod, c));
            }
        }
    }
    out
}

/// How the container ended last: out of memory with its limit, or its exit code with the last words it left.
fn exit_reason(pod: &Value, c: &Value) -> Option<Reason> {
    let ended = ["/state/terminated", "/lastState/terminated"]
        .into_iter()
        .filter_map(|p| c.pointer(p))
        .find(|t| !t.is_null())?;
    let name = text(c, &["name"]);
    let code = int(ended, &["exitCode"]).unwrap_or(-1);
    let why = text(ended, &["reason"]);
    let said = text(ended, &["message"]).trim();
    let oom = why == "OOMKilled";
    let limit = limit_of(pod, name);
    let quote = match (oom, limit.is_empty(), said.is_empty()) {
        (true, false, _) => format!("OOMKilled, exit {code}: memory limit {limit}"),
        (true, true, _) => format!("OOMKilled, exit {code}"),
        (false, _, false) => said.to_owned(),
        (false, _, true) => format!("{why}, exit {code}"),
    };
    let sentence = if oom {
        format!("container {name} used more memory than its limit")
    } else {
        format!("container {name} ended with exit code {code}{}", meaning(code))
    };
    Some(Reason {
        code: if oom { "oom_killed" } else { "exit_code" },
        object: reference(pod),
        container: name.to_owned(),
        text: sentence,
        quote,
        source: Source::Container,
        at_ms: time_at(ended, &["finishedAt"]),
    })
}

fn meaning(code: i64) -> &'static str {
    match code {
        126 => " (command not executable)",
        127 => " (command not found)",
        137 => " (killed, SIGKILL)",
        139 => " (segmentation fault)",
        143 => " (SIGTERM)",
        _ => "",
    }
}

fn limit_of<'a>(pod: &'a Value, container: &str) -> &'a str {
    ["containers", "initContainers"]
        .into_iter()
        .flat_map(|g| list(pod, &["spec", g]))
        .find(|c| text(c, &["name"]) == container)
        .map_or("", |c| text(c, &["resources", "limits", "memory"]))
}

fn first_of<'a>(choices: &[&'a str]) -> &'a str {
    choices.iter().copied().find(|c| !c.is_empty()).unwrap_or("")
}
