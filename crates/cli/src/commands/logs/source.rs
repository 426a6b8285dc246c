//! `[CLUSTER@][NAMESPACE:]TARGET[/CONTAINER]` as text.

use ph_api::LogSelect;

use crate::failure::Failure;

/// What one SOURCE says.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// As it was written.
    pub text: String,
    pub select: LogSelect,
    /// A name without a type: pod, workload or beginning of pods' names, to be found out.
    pub bare: Option<String>,
}

/// What a type's word selects.
enum Type {
    Pod,
    Workload(&'static str),
    Node,
    Namespace,
    Docker,
}

fn type_of(word: &str) -> Option<Type> {
    Some(match word.to_ascii_lowercase().as_str() {
        "pod" | "pods" | "po" => Type::Pod,
        "deploy" | "deployment" | "deployments" => Type::Workload("Deployment"),
        "rs" | "replicaset" | "replicasets" => Type::Workload("ReplicaSet"),
        "rc" | "replicationcontroller" | "replicationcontrollers" => Type::Workload("ReplicationController"),
        "sts" | "statefulset" | "statefulsets" => Type::Workload("StatefulSet"),
        "ds" | "daemonset" | "daemonsets" => Type::Workload("DaemonSet"),
        "job" | "jobs" => Type::Workload("Job"),
        "cj" | "cronjob" | "cronjobs" => Type::Workload("CronJob"),
        "node" | "nodes" | "no" => Type::Node,
        "ns" | "namespace" | "namespaces" => Type::Namespace,
        "docker" => Type::Docker,
        _ => return None,
    })
}

/// Parses one SOURCE; the failure says what does not fit.
pub fn parse(text: &str) -> Result<Source, Failure> {
    let bad = |why: &str| {
        Failure::usage(format!("SOURCE `{text}`: {why}")).next(
            "write [CLUSTER@][NAMESPACE:]POD[/CONTAINER] or [CLUSTER@][NAMESPACE:]TYPE/NAME[/CONTAINER]",
        )
    };
    let (cluster, rest) = text.split_once('@').map_or((None, text), |(c, rest)| (Some(c), rest));
    let (namespace, target) = rest.split_once(':').map_or((None, rest), |(n, rest)| (Some(n), rest));
    if cluster == Some("") || namespace == Some("") || target.is_empty() {
        return Err(bad("a part of it is empty"));
    }
    let parts: Vec<&str> = target.split('/').collect();
    if parts.iter().any(|p| p.is_empty()) {
        return Err(bad("a part of it is empty"));
    }
    let known = parts.first().and_then(|word| type_of(word)).filter(|_| parts.len() > 1);
    let (name, container) = match (&known, parts.as_slice()) {
        (Some(_), [_, name]) | (None, [name]) => (*name, None),
        (Some(_), [_, name, container]) | (None, [name, container]) => (*name, Some(*container)),
        (None, [word, _, _]) => {
            return Err(bad(&format!(
                "`{word}` is no type; use pod, deploy, rs, rc, sts, ds, job, cj, node, ns or docker"
            )));
        }
        _ => return Err(bad("it has too many parts")),
    };
    let owned = |t: Option<&str>| t.map(str::to_owned);
    let mut select = LogSelect {
        cluster: owned(cluster),
        namespace: owned(namespace),
        container: owned(container).filter(|c| c != "*"),
        all_containers: container == Some("*"),
        ..LogSelect::default()
    };
    let mut bare = None;
    match known {
        Some(Type::Pod) => select.pod = Some(name.to_owned()),
        Some(Type::Workload(kind)) => {
            select.workload_kind = Some(kind.to_owned());
            select.workload = Some(name.to_owned());
        }
        Some(Type::Node) => select.node = Some(name.to_owned()),
        Some(Type::Namespace) => select.namespace = Some(name.to_owned()),
        // A container of a Docker host has its own name and no pod.
        Some(Type::Docker) => select.container = Some(name.to_owned()),
        None => bare = Some(name.to_owned()),
    }
    Ok(Source { text: text.to_owned(), select, bare })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match parse(text) {
            Err(f) => format!("error {}", f.exit_code()),
            Ok(s) => {
                let l = s.select;
                let kind = l.workload_kind.as_deref().unwrap_or_default().to_owned();
                let fields = [
                    ("cluster", l.cluster),
                    ("ns", l.namespace),
                    ("bare", s.bare),
                    ("pod", l.pod),
                    (kind.as_str(), l.workload),
                    ("node", l.node),
                    ("container", l.container),
                    ("all", l.all_containers.then(String::new)),
                ];
                let said = fields.into_iter().filter_map(|(k, v)| Some(format!("{k}={}", v?)));
                said.collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn sources_as_people_write_them() {
        check("web-1", "bare=web-1");
        check("web-1/app", "bare=web-1 container=app");
        check("shop:deploy/web", "ns=shop Deployment=web");
        check("prod@shop:sts/db/postgres", "cluster=prod ns=shop StatefulSet=db container=postgres");
        check("prod@pod/web-1/*", "cluster=prod pod=web-1 all=");
        check("node/n1", "node=n1");
        check("ns/shop", "ns=shop");
        check("docker/nginx", "container=nginx");
        check("job", "bare=job");
        check("thing/web/app", "error 2");
        check("shop:", "error 2");
        check("a/b/c/d", "error 2");
        check("@x", "error 2");
    }
}
