//! Containers out of pods.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};

use ph_filter::glob_fits;

use super::choice::{Containers, StateWord};

const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ContainerKind {
    #[default]
    Main,
    Init,
    Ephemeral,
}

/// What a container does now, as its pod's status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    /// Between two runs, or not begun yet: why, as far as the kubelet or the scheduler says.
    Waiting {
        reason: String,
        message: String,
    },
    Terminated {
        exit_code: i32,
        reason: String,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Waiting { reason: String::new(), message: String::new() }
    }
}

impl State {
    pub fn is_waiting(&self) -> bool {
        matches!(self, State::Waiting { .. })
    }

    /// `ImagePullBackOff: Back-off pulling image "…"`; empty when nothing is known, or it does not wait.
    pub fn why_waiting(&self) -> String {
        match self {
            State::Waiting { reason, message } if message.is_empty() => reason.clone(),
            State::Waiting { reason, message } if reason.is_empty() => message.clone(),
            State::Waiting { reason, message } => format!("{reason}: {message}"),
            State::Running | State::Terminated { .. } => String::new(),
        }
    }

    pub(super) fn is(&self, word: StateWord) -> bool {
        matches!(
            (self, word),
            (State::Running, StateWord::Running)
                | (State::Waiting { .. }, StateWord::Waiting)
                | (State::Terminated { .. }, StateWord::Terminated)
        )
    }
}

/// One container whose log is read. Empty parts are not known.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Source {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    pub kind: ContainerKind,
    pub node: String,
    pub region: String,
    pub zone: String,
    pub os: String,
    pub arch: String,
    /// Kind and name of the workload, as far as the pod alone tells.
    pub workload_kind: String,
    pub workload: String,
    pub state: State,
    /// Number of the current run.
    pub restarts: u32,
    /// When it began, ns UTC.
    pub started_ns: Option<i64>,
    /// Exit code and reason of the run before.
    pub last: Option<(i32, String)>,
    /// The pod has run to its end; nothing of it starts again.
    pub finished: bool,
}

/// All containers of a pod: init, main, ephemeral, each in the pod's order.
pub(crate) fn all(pod: &Pod) -> Vec<Source> {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let (workload_kind, workload) = workload(pod);
    let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let unscheduled = unscheduled(&status);
    let named = [
        (ContainerKind::Init, spec.init_containers.unwrap_or_default().into_iter().map(|c| c.name).collect()),
        (ContainerKind::Main, spec.containers.into_iter().map(|c| c.name).collect::<Vec<_>>()),
        (
            ContainerKind::Ephemeral,
            spec.ephemeral_containers.unwrap_or_default().into_iter().map(|c| c.name).collect(),
        ),
    ];
    let statuses: Vec<ContainerStatus> =
        [status.init_container_statuses, status.container_statuses, status.ephemeral_container_statuses]
            .into_iter()
            .flatten()
            .flatten()
            .collect();
    let mut out = Vec::new();
    for (kind, names) in named {
        for container in names {
            let status = statuses.iter().find(|s| s.name == container);
            out.push(Source {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                pod: pod.metadata.name.clone().unwrap_or_default(),
                pod_uid: pod.metadata.uid.clone().unwrap_or_default(),
                container,
                kind,
                node: spec.node_name.clone().unwrap_or_default(),
                workload_kind: workload_kind.clone(),
                workload: workload.clone(),
                state: status
                    .and_then(|s| s.state.as_ref())
                    .map_or_else(|| unscheduled.clone().unwrap_or_default(), state),
                restarts: status.and_then(|s| u32::try_from(s.restart_count).ok()).unwrap_or(0),
                started_ns: status.and_then(|s| s.state.as_ref()).and_then(started_ns),
                last: status
                    .and_then(|s| s.last_state.as_ref()?.terminated.as_ref())
                    .map(|t| (t.exit_code, t.reason.clone().unwrap_or_default())),
                finished,
                ..Source::default()
            });
        }
    }
    out
}

/// Why no node has taken the pod, where the scheduler says so.
fn unscheduled(status: &PodStatus) -> Option<State> {
    let conditions = status.conditions.iter().flatten();
    let found = conditions.into_iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    Some(State::Waiting {
        reason: found.reason.clone().unwrap_or_default(),
        message: found.message.clone().unwrap_or_default(),
    })
}

fn state(state: &ContainerState) -> State {
    match (&state.running, &state.terminated) {
        (Some(_), _) => State::Running,
        (None, Some(t)) => {
            State::Terminated { exit_code: t.exit_code, reason: t.reason.clone().unwrap_or_default() }
        }
        (None, None) => {
            let waiting = state.waiting.clone().unwrap_or_default();
            State::Waiting {
                reason: waiting.reason.unwrap_or_default(),
                message: waiting.message.unwrap_or_default(),
            }
        }
    }
}

fn started_ns(state: &ContainerState) -> Option<i64> {
    let running = state.running.as_ref().and_then(|r| r.started_at.as_ref());
    let began = running.or_else(|| state.terminated.as_ref()?.started_at.as_ref())?;
    i64::try_from(began.0.as_nanosecond()).ok()
}

/// The containers that are meant, and the names of the others where the default was chosen.
pub(super) fn chosen(pod: &Pod, which: &Containers) -> (Vec<Source>, Vec<String>) {
    let all = all(pod);
    match which {
        Containers::All => (all, Vec::new()),
        Containers::Named(name) => {
            (all.into_iter().filter(|s| glob_fits(name, &s.container)).collect(), Vec::new())
        }
        Containers::Default => {
            let annotations = pod.metadata.annotations.as_ref();
            let named = annotations.and_then(|a| a.get(DEFAULT_CONTAINER));
            let chosen = named
                .and_then(|name| all.iter().find(|s| s.container == *name))
                .or_else(|| all.iter().find(|s| s.kind == ContainerKind::Main))
                .cloned();
            let others = all
                .iter()
                .filter(|s| chosen.as_ref().is_none_or(|c| c.container != s.container))
                .map(|s| s.container.clone())
                .collect();
            (chosen.into_iter().collect(), others)
        }
    }
}

/// Kind and name of what runs the pod, from the pod alone: a ReplicaSet made by a Deployment has its pods' hash at the end of
/// its name, a Job made by a CronJob the minute of its schedule.
pub(super) fn workload(pod: &Pod) -> (String, String) {
    let owners = pod.metadata.owner_references.clone().unwrap_or_default();
    let Some(owner) = owners.into_iter().find(|o| o.controller == Some(true)) else {
        return ("Pod".to_owned(), pod.metadata.name.clone().unwrap_or_default());
    };
    let label = |name: &str| pod.metadata.labels.as_ref().and_then(|l| l.get(name)).cloned();
    if owner.kind == "ReplicaSet"
        && let Some(hash) = label("pod-template-hash")
        && let Some(base) = owner.name.strip_suffix(&format!("-{hash}"))
    {
        return ("Deployment".to_owned(), base.to_owned());
    }
    if owner.kind == "ReplicaSet"
        && let Some(hash) = label("rollouts-pod-template-hash")
        && let Some(base) = owner.name.strip_suffix(&format!("-{hash}"))
    {
        return ("Rollout".to_owned(), base.to_owned());
    }
    if owner.kind == "Job"
        && let Some((base, minute)) = owner.name.rsplit_once('-')
        && minute.len() >= 8
        && minute.bytes().all(|b| b.is_ascii_digit())
    {
        return ("CronJob".to_owned(), base.to_owned());
    }
    (owner.kind, owner.name)
}

/// Kind and name of the controlling owner itself.
pub(super) fn owner(pod: &Pod) -> Option<(String, String, String)> {
    let owners = pod.metadata.owner_references.as_ref()?;
    let owner = owners.iter().find(|o| o.controller == Some(true))?;
    Some((owner.kind.clone(), owner.name.clone(), owner.api_version.clone()))
}
