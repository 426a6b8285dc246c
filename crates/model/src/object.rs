//! References to Kubernetes objects, without any Kubernetes type.

use std::fmt;

/// The kinds that screens, lists and first causes know by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum ObjectKind {
    Node,
    Namespace,
    Pod,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    PersistentVolumeClaim,
    PersistentVolume,
    Service,
    HorizontalPodAutoscaler,
}

impl ObjectKind {
    pub const ALL: [ObjectKind; 13] = [
        Self::Node,
        Self::Namespace,
        Self::Pod,
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::PersistentVolumeClaim,
        Self::PersistentVolume,
        Self::Service,
        Self::HorizontalPodAutoscaler,
    ];

    /// The kind as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::PersistentVolume => "PersistentVolume",
            Self::Service => "Service",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        }
    }

    /// Plural resource name in lower case, as in addresses (`pods`).
    pub fn plural(self) -> &'static str {
        match self {
            Self::Node => "nodes",
            Self::Namespace => "namespaces",
            Self::Pod => "pods",
            Self::Deployment => "deployments",
            Self::ReplicaSet => "replicasets",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Job => "jobs",
            Self::CronJob => "cronjobs",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
            Self::PersistentVolume => "persistentvolumes",
            Self::Service => "services",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
        }
    }

    /// Reads a kind (`Pod`), a plural (`pods`), a singular (`pod`) or a kubectl short name (`po`), in any case.
    pub fn parse(word: &str) -> Option<Self> {
        let w = word.to_ascii_lowercase();
        let short = match w.as_str() {
            "no" => Some(Self::Node),
            "ns" => Some(Self::Namespace),
            "po" => Some(Self::Pod),
            "deploy" => Some(Self::Deployment),
            "rs" => Some(Self::ReplicaSet),
            "sts" => Some(Self::StatefulSet),
            "ds" => Some(Self::DaemonSet),
            "cj" => Some(Self::CronJob),
            "pvc" => Some(Self::PersistentVolumeClaim),
            "pv" => Some(Self::PersistentVolume),
            "svc" => Some(Self::Service),
            "hpa" => Some(Self::HorizontalPodAutoscaler),
            _ => None,
        };
        short.or_else(|| {
            Self::ALL.into_iter().find(|k| k.plural() == w || k.as_str().eq_ignore_ascii_case(word))
        })
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one object of one cluster. `uid` may be empty where only a name is known (an event's subject, say).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct ObjectRef {
    pub api_version: String,
    pub kind: String,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}
