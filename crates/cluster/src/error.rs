//! Why the cluster-agent could not do something.

use ph_model::ErrorKind;

/// What failed; `source()` holds the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no way to the Kubernetes API: inside a pod the ServiceAccount's token is used, elsewhere KUBECONFIG"
    )]
    Client(#[source] Box<kube::Error>),
    #[error("read the kubeconfig; check the file that KUBECONFIG names")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "read namespace kube-system, whose UID names the cluster; add to ClusterRole pilothouse-cluster-agent: {{apiGroups: [\"\"], resources: [\"namespaces\"], verbs: [get, list, watch]}}"
    )]
    ClusterUid(#[source] Box<kube::Error>),
    #[error("identity Secret {name}: {act}")]
    Identity {
        name: String,
        act: &'static str,
        #[source]
        cause: Box<kube::Error>,
    },
    #[error("identity Secret {name} holds no usable key: {text}; delete its data and join again")]
    BadIdentity { name: String, text: String },
    #[error(
        "{act} ConfigMap pilothouse-log-keys in {namespace}, by which node-agents know log tickets; apply the manifests of `pilothouse cluster join` again"
    )]
    LogKeys {
        act: &'static str,
        namespace: String,
        #[source]
        cause: Box<kube::Error>,
    },
    #[error("enrol this cluster")]
    Enrol(#[source] Box<ph_link::Error>),
    #[error("link to the server")]
    Link(#[source] Box<ph_link::Error>),
    #[error("set up the client for telemetry; check HTTPS_PROXY and the CA")]
    Http(#[source] Box<reqwest::Error>),
    #[error(
        "this cluster has no join token and no identity; run `pilothouse cluster join NAME` and apply what it prints"
    )]
    NoToken,
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Client(_)
            | Error::Kubeconfig(_)
            | Error::ClusterUid(_)
            | Error::Identity { .. }
            | Error::LogKeys { .. } => ErrorKind::Unavailable,
            Error::BadIdentity { .. } | Error::NoToken | Error::Http(_) => ErrorKind::Invalid,
            Error::Enrol(e) | Error::Link(e) => e.kind(),
        }
    }
}

/// An error with all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
