//! Kubernetes objects and Docker containers as lists and pages show them.

use ph_model::ClusterId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Query of `GET /api/v1/objects/{kind}` (kind: plural or kubectl's short name), and the compatible `/nodes`, `/pods`, `/containers`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ObjectQuery {
    /// Names or ids, comma-separated; absent: all.
    pub cluster: Option<String>,
    /// Comma-separated.
    pub namespace: Option<String>,
    /// Substring of the name.
    pub name: Option<String>,
    /// `ok`, `move`, `warn`, `crit`, `unknown`, comma-separated.
    pub state: Option<String>,
    pub node: Option<String>,
    /// UID of an owner: the pods of a workload.
    pub owner: Option<String>,
    /// 1–1000, default 100; above: 422.
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// One object of any kind. Live channel `objects:<cluster>/<kind>` (key: uid). `GET /api/v1/objects/{kind}/{uid}` gives `ObjectDetail`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = KubeObject)]
pub struct Object {
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub cluster: String,
    pub kind: String,
    pub api_version: String,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    pub name: String,
    /// Kubernetes UID, or a Docker container's id.
    pub uid: String,
    pub created_ms: Option<i64>,
    pub health: Health,
    /// What stands in lists beside the name, by kind (pods: `phase`, `ready`, `restarts`, `node`, `ip`, `owner_kind`,
    /// `owner`, `qos`; nodes: `version`, `os`, `roles`, `cpu_allocatable`, `memory_allocatable`, `pods_allocatable`; workloads: `ready`, `desired`, `updated`,
    /// `available`, `images`, `strategy`).
    pub columns: std::collections::BTreeMap<String, String>,
    /// Pods: their containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// Pods: the controlling workload (a Deployment, not its ReplicaSet).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<ObjectLink>,
}

/// [`Object`] by the name that it has in the OpenAPI document, where `Object` would mean any object at all.
pub type KubeObject = Object;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObjectLink {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Container {
    pub name: String,
    /// As the runtime names it, without `containerd://`; empty before it was created.
    pub id: String,
    pub image: String,
    /// `init`, `main`, `sidecar`, `ephemeral`.
    pub role: String,
    /// `running`, `waiting`, `terminated`.
    pub state: String,
    /// For example `CrashLoopBackOff`, `OOMKilled`.
    pub reason: String,
    pub message: String,
    pub ready: bool,
    pub restarts: u32,
    pub exit_code: Option<i32>,
    pub started_ms: Option<i64>,
    pub cpu_request: Option<f64>,
    pub cpu_limit: Option<f64>,
    pub memory_request: Option<f64>,
    pub memory_limit: Option<f64>,
}

/// "Has the controller finished what was asked", and "can it be used now".
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, `move`, `warn`, `crit`, `unknown`, `off`: the mark to draw.
    pub state: String,
    /// `yes`, `no`, `stalled`, `terminating`, `gone`, `unknown`.
    pub converged: String,
    /// `yes`, `coming`, `no`, `suspended`, `gone`, `unknown`, `n/a`.
    pub available: String,
    pub ready: u32,
    pub wanted: u32,
    /// Effect first, first cause last.
    pub reasons: Vec<Reason>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Stable: `crash_loop`, `image_pull`, `unschedulable`, `oom_killed`, `probe_failed`, `config_missing` …
    pub code: String,
    pub object: ObjectLink,
    /// The container that is meant, where it is one; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// A sentence of ours.
    pub text: String,
    /// The system's own words.
    pub quote: String,
    /// `condition`, `event`, `container`, `metric`, `schema`, `log`.
    pub source: String,
    pub at_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObjectDetail {
    pub object: KubeObject,
    /// The pruned object, as YAML.
    pub yaml: String,
    pub owners: Vec<ObjectLink>,
    /// Age of what the server knows of this object; grows while the link is down.
    pub data_age_ms: i64,
}

/// `GET /api/v1/objects/counts` — how many of each kind and state, by cluster and namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObjectCounts {
    #[schema(value_type = String)]
    pub cluster_id: ClusterId,
    pub namespace: String,
    pub kind: String,
    pub states: std::collections::BTreeMap<String, u32>,
}
