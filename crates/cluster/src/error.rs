//! Why the cluster-agent could not do something.

use kube::core::Status;
use kube::runtime::watcher;
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
    #[error("list pods in {place}; reading logs needs list and watch on pods there, and get on pods/log")]
    ListPods {
        place: String,
        #[source]
        cause: Box<kube::Error>,
    },
    #[error("list services in {place}, by whose selectors pods are found")]
    ListServices {
        place: String,
        #[source]
        cause: Box<kube::Error>,
    },
    #[error("{0}")]
    NoSuchSource(String),
    #[error("{text} means several things: {}; name one of them", .candidates.join(", "))]
    AmbiguousSource { text: String, candidates: Vec<String> },
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
            Error::ListPods { cause, .. } | Error::ListServices { cause, .. } => match &**cause {
                kube::Error::Api(status) if matches!(status.code, 401 | 403) => ErrorKind::Denied,
                _ => ErrorKind::Unavailable,
            },
            Error::NoSuchSource(_) => ErrorKind::NotFound,
            Error::AmbiguousSource { .. } => ErrorKind::Invalid,
            Error::BadIdentity { .. } | Error::NoToken | Error::Http(_) => ErrorKind::Invalid,
            Error::Enrol(e) | Error::Link(e) => e.kind(),
        }
    }
}

/// An error with all its causes in one line. What the API server answered is quoted as its own sentence.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        next = cause.source();
        let more = match (answered(cause), cause.is::<watcher::Error>()) {
            (Some(status), _) => {
                next = None;
                format!("the API server answered {}: {}", status.code, status.message)
            }
            // Its causes say the same.
            (None, true) if next.is_some() => continue,
            (None, _) => cause.to_string(),
        };
        if text.is_empty() {
            text = more;
        } else if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
    }
    text
}

/// Whether the API server itself said it.
pub fn is_answer(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source()).any(|e| answered(e).is_some())
}

fn answered<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Status> {
    let boxed = error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
    if let Some(watcher::Error::WatchError(status)) = error.downcast_ref() {
        return Some(status);
    }
    match error.downcast_ref::<kube::Error>().or(boxed) {
        Some(kube::Error::Api(status)) => Some(status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    //! What a person reads of a refusal.

    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_api_servers_words() {
        let status = Status::failure("pods is forbidden: no", "Forbidden").with_code(403);
        let listing = watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status.clone())));
        assert_eq!(chain(&listing), "the API server answered 403: pods is forbidden: no");
        let watching = watcher::Error::WatchError(Box::new(status.clone()));
        assert_eq!(chain(&watching), "the API server answered 403: pods is forbidden: no");
        let uid = Error::ClusterUid(Box::new(kube::Error::Api(Box::new(status))));
        let text = chain(&uid);
        assert!(text.starts_with("read namespace kube-system") && !text.contains("Status {"), "{text}");
        assert!(text.ends_with(": the API server answered 403: pods is forbidden: no"), "{text}");
    }
}
