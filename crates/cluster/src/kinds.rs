//! Catalogue: kinds of the inventory, each with one watch.

use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use ph_model::ObjectKind;

/// Group, version and resource name of a kind.
pub fn api_resource(kind: ObjectKind) -> ApiResource {
    let (group, version) = group_version(kind);
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.as_str()), kind.plural())
}

pub fn group_version(kind: ObjectKind) -> (&'static str, &'static str) {
    match kind {
        ObjectKind::Node
        | ObjectKind::Namespace
        | ObjectKind::Pod
        | ObjectKind::PersistentVolumeClaim
        | ObjectKind::PersistentVolume
        | ObjectKind::Service => ("", "v1"),
        ObjectKind::Deployment | ObjectKind::ReplicaSet | ObjectKind::StatefulSet | ObjectKind::DaemonSet => {
            ("apps", "v1")
        }
        ObjectKind::Job | ObjectKind::CronJob => ("batch", "v1"),
        ObjectKind::HorizontalPodAutoscaler => ("autoscaling", "v2"),
    }
}

/// `apps/v1`, `v1`.
pub fn api_version(kind: ObjectKind) -> String {
    match group_version(kind) {
        ("", v) => v.to_owned(),
        (g, v) => format!("{g}/{v}"),
    }
}

/// The manifest line that grants what a kind's watch needs.
pub fn rbac_fix(kind: ObjectKind) -> String {
    let (group, _) = group_version(kind);
    format!(
        "add to ClusterRole pilothouse-cluster-agent: {{apiGroups: [\"{group}\"], resources: [\"{}\"], verbs: [get, list, watch]}}",
        kind.plural()
    )
}
