//! Which containers are meant.

use regex::Regex;

/// What was named, and what narrows it. Everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// United. Empty: everything in the namespaces.
    pub picks: Vec<Pick>,
    /// Names, may have `*` and `?`. Empty: the client's default namespace.
    pub namespaces: Vec<String>,
    pub labels: Option<String>,
    pub fields: Option<String>,
    pub containers: Containers,
    /// Any of them, by container name. Choosing by them looks at all containers.
    pub include: Vec<Regex>,
    pub exclude: Vec<Regex>,
    pub exclude_pods: Vec<Regex>,
    /// Count where more than the default container is chosen.
    pub without_init: bool,
    pub without_ephemeral: bool,
    pub states: Vec<StateWord>,
    /// Type, and status (`True` unless said), of a pod's condition.
    pub conditions: Vec<(String, String)>,
    pub nodes: Vec<String>,
    pub regions: Vec<String>,
    pub zones: Vec<String>,
    pub os: Vec<String>,
    pub arch: Vec<String>,
}

impl Choice {
    /// Whether nodes have to be looked at, not only their names.
    pub(super) fn by_node_labels(&self) -> bool {
        [&self.regions, &self.zones, &self.os, &self.arch].iter().any(|l| !l.is_empty())
    }
}

/// One thing that was named.
#[derive(Clone, Debug)]
pub struct Pick {
    /// As the user wrote it, for messages.
    pub text: String,
    /// May have `*` and `?`; `None`: the choice's namespaces.
    pub namespace: Option<String>,
    pub target: Target,
    pub containers: Containers,
}

/// Names may have `*` and `?`.
#[derive(Clone, Debug)]
pub enum Target {
    Any,
    /// A pod of this name, else the one workload of this name, else pods that begin with it and `-`.
    Bare(String),
    Pods(Regex),
    Pod(String),
    /// By controlling owner: kind as in `Deployment`.
    Workload {
        kind: String,
        name: String,
    },
    Service(String),
    Node(String),
    Namespace(String),
    /// `rollouts.argoproj.io`, name.
    Owner {
        resource: String,
        name: String,
    },
}

/// Which containers of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Containers {
    /// That of the annotation, else the first.
    #[default]
    Default,
    All,
    /// May have `*` and `?`.
    Named(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateWord {
    Running,
    Waiting,
    Terminated,
}
