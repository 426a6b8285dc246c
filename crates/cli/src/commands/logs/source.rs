//! SOURCE as text: `[CLUSTER@][NAMESPACE:]TARGET[/CONTAINER]`, `file:PATH`, `docker/NAME`, a cursor, `@ALIAS`.

use super::ask::is_token;
use crate::failure::Failure;

/// What one SOURCE is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// What stands behind `file:`.
    File(String),
    /// A line's cursor.
    Cursor(String),
    /// A command saved under this name.
    Alias(String),
    Named(Source),
}

/// Names containers. Names may have `*` and `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As it was written.
    pub text: String,
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    pub target: Target,
    pub container: Container,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A pod, a workload, or the beginning of pods' names: to be found out.
    Bare(String),
    /// Pods whose names match.
    Pods(String),
    Pod(String),
    Workload {
        kind: &'static str,
        name: String,
    },
    Service(String),
    Node(String),
    Namespace(String),
    /// A container of a Docker host.
    Docker(String),
    /// `resource.group/NAME` of any owner.
    Owner {
        resource: String,
        name: String,
    },
    /// Everything in the place: what `-A`, `-l` and `--node` choose from.
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container {
    Default,
    All,
    Named(String),
}

/// What a type's word means.
enum Type {
    Pod,
    Workload(&'static str),
    Service,
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
        "svc" | "service" | "services" => Type::Service,
        "node" | "nodes" | "no" => Type::Node,
        "ns" | "namespace" | "namespaces" => Type::Namespace,
        "docker" => Type::Docker,
        _ => return None,
    })
}

/// Parses one SOURCE; the failure says what does not fit.
pub fn parse(text: &str) -> Result<Given, Failure> {
    if let Some(path) = text.strip_prefix("file:") {
        return match path {
            "" => Err(bad(text, "a path is missing")),
            path => Ok(Given::File(path.to_owned())),
        };
    }
    if is_token(text) && !text.contains(['/', '@', ':']) {
        return Ok(Given::Cursor(text.to_owned()));
    }
    if let Some(name) = text.strip_prefix('@') {
        return if name.is_empty() {
            Err(bad(text, "the name of a saved command is missing"))
        } else {
            Ok(Given::Alias(name.to_owned()))
        };
    }
    named(text).map(Given::Named)
}

fn bad(text: &str, why: &str) -> Failure {
    Failure::usage(format!("SOURCE `{text}`: {why}")).next(
        "write [CLUSTER@][NAMESPACE:]POD[/CONTAINER], [CLUSTER@][NAMESPACE:]TYPE/NAME[/CONTAINER], ~REGEX or file:PATH",
    )
}

/// Splits at a separator that stands before any `~`: expressions have all characters.
fn before(text: &str, separator: char) -> (Option<&str>, &str) {
    let end = text.find('~').unwrap_or(text.len());
    match text.get(..end).and_then(|head| head.find(separator)) {
        Some(at) => (text.get(..at), text.get(at + 1..).unwrap_or_default()),
        None => (None, text),
    }
}

fn named(text: &str) -> Result<Source, Failure> {
    let (cluster, rest) = before(text, '@');
    let (namespace, target) = before(rest, ':');
    if cluster == Some("") || namespace == Some("") || target.is_empty() {
        return Err(bad(text, "a part of it is empty"));
    }
    let source = |target, container: Option<&str>| Source {
        text: text.to_owned(),
        cluster: cluster.map(str::to_owned),
        namespace: namespace.map(str::to_owned),
        target,
        container: match container {
            None => Container::Default,
            Some("*") => Container::All,
            Some(name) => Container::Named(name.to_owned()),
        },
    };
    if let Some(pattern) = target.strip_prefix('~') {
        let (pattern, container) = pattern.rsplit_once('/').map_or((pattern, None), |(p, c)| (p, Some(c)));
        if pattern.is_empty() || container == Some("") {
            return Err(bad(text, "a part of it is empty"));
        }
        return Ok(source(Target::Pods(pattern.to_owned()), container));
    }
    let parts: Vec<&str> = target.split('/').collect();
    if parts.iter().any(|p| p.is_empty()) {
        return Err(bad(text, "a part of it is empty"));
    }
    let first = parts.first().copied().unwrap_or_default();
    let resource = first.contains('.').then_some(first);
    match (type_of(first), parts.as_slice()) {
        (Some(kind), [_, name]) => Ok(source(of_type(kind, name), None)),
        (Some(kind), [_, name, container]) => Ok(source(of_type(kind, name), Some(container))),
        (None, [resource, name, container]) if resource.contains('.') => {
            let target = Target::Owner { resource: (*resource).to_owned(), name: (*name).to_owned() };
            Ok(source(target, Some(container)))
        }
        // A pod's name may have dots, too: `web.v1/app` is a pod's container unless a group is named as groups are.
        (None, [_, name]) if resource.is_some_and(|r| r.matches('.').count() > 1) => {
            let target = Target::Owner { resource: first.to_owned(), name: (*name).to_owned() };
            Ok(source(target, None))
        }
        (_, [name]) => Ok(source(Target::Bare((*name).to_owned()), None)),
        (None, [name, container]) => Ok(source(Target::Bare((*name).to_owned()), Some(container))),
        (None, [word, _, _]) => Err(bad(
            text,
            &format!(
                "`{word}` is no type; use pod, deploy, rs, rc, sts, ds, job, cj, svc, node, ns, docker or resource.group"
            ),
        )),
        _ => Err(bad(text, "it has too many parts")),
    }
}

fn of_type(kind: Type, name: &str) -> Target {
    let name = name.to_owned();
    match kind {
        Type::Pod => Target::Pod(name),
        Type::Workload(kind) => Target::Workload { kind, name },
        Type::Service => Target::Service(name),
        Type::Node => Target::Node(name),
        Type::Namespace => Target::Namespace(name),
        Type::Docker => Target::Docker(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match parse(text) {
            Err(f) => format!("error {}", f.exit_code()),
            Ok(Given::Named(s)) => {
                let target = format!("{:?}", s.target);
                let mut said: Vec<String> = Vec::new();
                said.extend(s.cluster.map(|c| format!("cluster={c}")));
                said.extend(s.namespace.map(|n| format!("ns={n}")));
                said.push(target);
                match s.container {
                    Container::Default => {}
                    Container::All => said.push("all".into()),
                    Container::Named(n) => said.push(format!("container={n}")),
                }
                said.join(" ")
            }
            Ok(other) => format!("{other:?}"),
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn sources_as_people_write_them() {
        check("web-1", "Bare(\"web-1\")");
        check("web-1/app", "Bare(\"web-1\") container=app");
        check("shop:deploy/web", "ns=shop Workload { kind: \"Deployment\", name: \"web\" }");
        check(
            "prod@shop:sts/db/postgres",
            "cluster=prod ns=shop Workload { kind: \"StatefulSet\", name: \"db\" } container=postgres",
        );
        check("prod@pod/web-1/*", "cluster=prod Pod(\"web-1\") all");
        check("sh*:web-*", "ns=sh* Bare(\"web-*\")");
        check("node/n1", "Node(\"n1\")");
        check("ns/shop", "Namespace(\"shop\")");
        check("svc/web", "Service(\"web\")");
        check("docker/nginx", "Docker(\"nginx\")");
        check("job", "Bare(\"job\")");
        check("~web-(a|b)", "Pods(\"web-(a|b)\")");
        check("prod@shop:~^web(?:-x)?@/app", "cluster=prod ns=shop Pods(\"^web(?:-x)?@\") container=app");
        check(
            "shop:rollouts.argoproj.io/web",
            "ns=shop Owner { resource: \"rollouts.argoproj.io\", name: \"web\" }",
        );
        check("web.v1/app", "Bare(\"web.v1\") container=app");
        check("file:/tmp/a b", "File(\"/tmp/a b\")");
        check("@errors", "Alias(\"errors\")");
        check("pc1_AAAA", "Cursor(\"pc1_AAAA\")");
        check("thing/web/app", "error 2");
        check("shop:", "error 2");
        check("file:", "error 2");
        check("a/b/c/d", "error 2");
        check("@", "error 2");
        check("a@:x", "error 2");
        check("~", "error 2");
    }

    proptest::proptest! {
        #[test]
        fn nothing_a_person_types_is_a_defect(text in "\\PC{0,40}|[a-z@:/~.*]{0,20}") {
            if let Err(failure) = parse(&text) {
                proptest::prop_assert_eq!(failure.exit_code(), 2);
            }
        }
    }
}
