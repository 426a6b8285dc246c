//! From what was named to containers, the same way once and for every pod that comes later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::api::{Api, ListParams};

use ph_filter::{glob_fits, is_glob};

use super::choice::{Choice, Containers, Pick, Target};
use super::containers::{self, ContainerKind, Source};
use super::pods::{self, Place};
use crate::Error;

/// The containers that are meant now.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By namespace, pod and the pod's own order.
    pub sources: Vec<Source>,
    /// To be told once.
    pub notices: Vec<String>,
}

/// Resolves a choice.
///
/// # Errors
/// `not_found`: something named does not exist; `invalid`: a bare name means several things, all named; `denied`, `unavailable`.
pub async fn sources(client: &kube::Client, choice: &Choice) -> Result<Found, Error> {
    Ok(Scope::prepare(client, choice).await?.1)
}

/// A choice made ready to be held against pods.
#[derive(Debug)]
pub struct Scope {
    choice: Choice,
    picks: Vec<Ready>,
    pub places: Vec<Place>,
    /// Labels by node; `None`: nodes may not be looked at.
    nodes: Option<HashMap<String, BTreeMap<String, String>>>,
}

#[derive(Debug)]
struct Ready {
    text: String,
    namespaces: Vec<String>,
    target: Target,
    containers: Containers,
    /// Selectors of services, by namespace.
    selectors: Vec<(String, BTreeMap<String, String>)>,
}

impl Scope {
    /// Asks for what has to be known besides the pods, and for the pods.
    pub async fn prepare(client: &kube::Client, choice: &Choice) -> Result<(Self, Found), Error> {
        let picks = ready(client, choice);
        let mut scope = Self { places: places(&picks), choice: choice.clone(), picks, nodes: None };
        let mut notices = Vec::new();
        scope.services(client).await?;
        let (pods, failed) = scope.list(client).await?;
        notices.extend(failed);
        match nodes(client).await {
            Ok(nodes) => scope.nodes = Some(nodes),
            Err(why) => notices.push(format!(
                "region, zone, os and arch of nodes are not known: {why}; get and list on nodes would show them"
            )),
        }
        scope.bare_names(&pods)?;
        let mut found = Vec::new();
        let mut hidden: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
        for pod in &pods {
            let (sources, others) = scope.of_pod(pod);
            if let [only] = sources.as_slice()
                && !others.is_empty()
            {
                *hidden.entry((only.container.clone(), others)).or_default() += 1;
            }
            found.extend(sources);
        }
        for ((container, others), pods) in hidden {
            notices.push(format!(
                "container {container} of {pods} pod{}; others: {}",
                if pods == 1 { "" } else { "s" },
                others.join(", ")
            ));
        }
        scope.all_there(&pods)?;
        found.sort_by(|a, b| (&a.namespace, &a.pod).cmp(&(&b.namespace, &b.pod)));
        Ok((scope, Found { sources: found, notices }))
    }

    /// Whether pods that do not exist yet can be meant.
    pub fn is_open(&self) -> bool {
        self.picks.iter().any(|p| !matches!(&p.target, Target::Pod(name) if !is_glob(name)))
    }

    /// What is meant of this pod, and the other containers where the default one was chosen.
    pub fn of_pod(&self, pod: &Pod) -> (Vec<Source>, Vec<String>) {
        let mut out: Vec<Source> = Vec::new();
        let mut others = Vec::new();
        for pick in self.picks.iter().filter(|p| self.means(p, pod)) {
            let (found, rest) = self.containers(pick, pod);
            others = rest;
            for source in found {
                if !out.iter().any(|s| s.container == source.container) {
                    out.push(source);
                }
            }
        }
        if out.len() != 1 {
            others.clear();
        }
        (out, others)
    }

    fn containers(&self, pick: &Ready, pod: &Pod) -> (Vec<Source>, Vec<String>) {
        let choice = &self.choice;
        let which = match (&pick.containers, &choice.containers) {
            (Containers::Default, Containers::Default) if choice.include.is_empty() => &Containers::Default,
            (Containers::Default, Containers::Default) => &Containers::All,
            (Containers::Default, wider) => wider,
            (own, _) => own,
        };
        let (found, others) = containers::chosen(pod, which);
        let wide = *which == Containers::All;
        let kept = found.into_iter().filter(|s| {
            let name = s.container.as_str();
            (choice.include.is_empty() || choice.include.iter().any(|r| r.is_match(name)))
                && !choice.exclude.iter().any(|r| r.is_match(name))
                && (choice.states.is_empty() || choice.states.iter().any(|w| s.state.is(*w)))
                && !(wide && choice.without_init && s.kind == ContainerKind::Init)
                && !(wide && choice.without_ephemeral && s.kind == ContainerKind::Ephemeral)
        });
        (kept.map(|s| self.placed(s)).collect(), others)
    }

    /// With what its node's labels say.
    fn placed(&self, mut source: Source) -> Source {
        let label = |name: &str| self.label(&source.node, name).unwrap_or_default().to_owned();
        let (region, zone) = (label("topology.kubernetes.io/region"), label("topology.kubernetes.io/zone"));
        let (os, arch) = (label("kubernetes.io/os"), label("kubernetes.io/arch"));
        (source.region, source.zone, source.os, source.arch) = (region, zone, os, arch);
        source
    }

    fn label(&self, node: &str, name: &str) -> Option<&str> {
        Some(self.nodes.as_ref()?.get(node)?.get(name)?.as_str())
    }

    fn means(&self, pick: &Ready, pod: &Pod) -> bool {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        pick.namespaces.iter().any(|n| glob_fits(n, namespace))
            && targets(pick, pod, (namespace, name))
            && !self.choice.exclude_pods.iter().any(|r| r.is_match(name))
            && self.conditions_hold(pod)
            && self.on_node(pod)
    }

    fn conditions_hold(&self, pod: &Pod) -> bool {
        let has = |kind: &str, status: &str| {
            let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
            conditions
                .into_iter()
                .flatten()
                .any(|c| c.type_.eq_ignore_ascii_case(kind) && c.status.eq_ignore_ascii_case(status))
        };
        self.choice.conditions.iter().all(|(kind, status)| has(kind, status))
    }

    fn on_node(&self, pod: &Pod) -> bool {
        let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default();
        let fits =
            |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|w| glob_fits(w, value));
        let label = |name: &str| self.label(node, name).unwrap_or_default();
        fits(&self.choice.nodes, node)
            && (!self.choice.by_node_labels()
                || (fits(&self.choice.regions, label("topology.kubernetes.io/region"))
                    && fits(&self.choice.zones, label("topology.kubernetes.io/zone"))
                    && fits(&self.choice.os, label("kubernetes.io/os"))
                    && fits(&self.choice.arch, label("kubernetes.io/arch"))))
    }

    /// Pods of all places. A place that cannot be listed is told, unless it is the only one.
    async fn list(&self, client: &kube::Client) -> Result<(Vec<Pod>, Vec<String>), Error> {
        let lists =
            futures::future::join_all(self.places.iter().map(|p| pods::list(client, p, &self.choice))).await;
        let all = lists.len();
        let (mut pods, mut failed, mut first) = (Vec::new(), Vec::new(), None);
        for list in lists {
            match list {
                Ok(list) => pods.extend(list),
                Err(e) => {
                    failed.push(crate::error::chain(&e));
                    first = first.or(Some(e));
                }
            }
        }
        match first {
            Some(error) if failed.len() == all => Err(error),
            _ => Ok((pods, failed)),
        }
    }

    async fn services(&mut self, client: &kube::Client) -> Result<(), Error> {
        for pick in &mut self.picks {
            let Target::Service(name) = &pick.target else { continue };
            for namespace in &pick.namespaces {
                let place = (!is_glob(namespace)).then(|| namespace.clone());
                let api: Api<Service> = match &place {
                    Some(namespace) => Api::namespaced(client.clone(), namespace),
                    None => Api::all(client.clone()),
                };
                let all = api.list(&ListParams::default()).await.map_err(|e| Error::ListServices {
                    place: place.unwrap_or_else(|| "all namespaces".to_owned()),
                    cause: Box::new(e),
                })?;
                for service in all.items {
                    let own = service.metadata.namespace.clone().unwrap_or_default();
                    let fits = glob_fits(name, service.metadata.name.as_deref().unwrap_or_default());
                    let selector = service.spec.and_then(|s| s.selector).unwrap_or_default();
                    if fits && glob_fits(namespace, &own) && !selector.is_empty() {
                        pick.selectors.push((own, selector));
                    }
                }
            }
            if pick.selectors.is_empty() {
                return Err(Error::NoSuchSource(format!("{}: no service with a selector", pick.text)));
            }
        }
        Ok(())
    }

    /// Finds out what bare names mean.
    fn bare_names(&mut self, pods: &[Pod]) -> Result<(), Error> {
        for pick in &mut self.picks {
            let Target::Bare(name) = &pick.target else { continue };
            let near: Vec<&Pod> = pods
                .iter()
                .filter(|p| {
                    let namespace = p.metadata.namespace.as_deref().unwrap_or_default();
                    pick.namespaces.iter().any(|n| glob_fits(n, namespace))
                })
                .collect();
            pick.target = bare(&pick.text, name, &near)?;
        }
        Ok(())
    }

    /// Everything that was named exists.
    fn all_there(&self, pods: &[Pod]) -> Result<(), Error> {
        for pick in &self.picks {
            if matches!(pick.target, Target::Any)
                || pods.iter().any(|p| !self.containers(pick, p).0.is_empty() && self.means(pick, p))
            {
                continue;
            }
            let matched = pods.iter().filter(|p| self.means(pick, p)).count();
            let text = if matched > 0 {
                format!("{}: none of its containers is meant", pick.text)
            } else {
                format!("{}: no such pod or workload in {}", pick.text, pick.namespaces.join(", "))
            };
            return Err(Error::NoSuchSource(text));
        }
        Ok(())
    }
}

fn ready(client: &kube::Client, choice: &Choice) -> Vec<Ready> {
    let usual = if choice.namespaces.is_empty() {
        vec![client.default_namespace().to_owned()]
    } else {
        choice.namespaces.clone()
    };
    let any = [Pick {
        text: "pods".to_owned(),
        namespace: None,
        target: Target::Any,
        containers: Containers::Default,
    }];
    let picks = if choice.picks.is_empty() { &any[..] } else { &choice.picks[..] };
    picks
        .iter()
        .map(|pick| {
            let namespaces = match (&pick.target, &pick.namespace) {
                (Target::Namespace(name), _) => vec![name.clone()],
                (_, Some(namespace)) => vec![namespace.clone()],
                (Target::Node(_), None) if choice.namespaces.is_empty() => vec!["*".to_owned()],
                _ => usual.clone(),
            };
            Ready {
                text: pick.text.clone(),
                namespaces,
                target: pick.target.clone(),
                containers: pick.containers.clone(),
                selectors: Vec::new(),
            }
        })
        .collect()
}

fn places(picks: &[Ready]) -> Vec<Place> {
    let names: BTreeSet<&String> = picks.iter().flat_map(|p| &p.namespaces).collect();
    if names.iter().any(|n| is_glob(n)) {
        return vec![None];
    }
    names.into_iter().map(|n| Some(n.clone())).collect()
}

fn targets(pick: &Ready, pod: &Pod, (namespace, name): (&str, &str)) -> bool {
    match &pick.target {
        Target::Any | Target::Namespace(_) => true,
        Target::Bare(wanted) | Target::Pod(wanted) => glob_fits(wanted, name),
        Target::Pods(expression) => expression.is_match(name),
        Target::Node(wanted) => {
            let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default();
            glob_fits(wanted, node)
        }
        Target::Service(_) => pick.selectors.iter().any(|(own, selector)| {
            let labels = pod.metadata.labels.as_ref();
            own == namespace && selector.iter().all(|(k, v)| labels.and_then(|l| l.get(k)) == Some(v))
        }),
        Target::Workload { kind, name } => owned(pod, |k, n, _| k == kind && glob_fits(name, n)),
        Target::Owner { resource, name } => {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            owned(pod, |kind, n, api| {
                let own_group = api.rsplit_once('/').map_or("", |(g, _)| g);
                let same_group = group.is_empty() || api.is_empty() || own_group == group;
                same_group && is_plural(plural, kind) && glob_fits(name, n)
            })
        }
    }
}

/// Whether the owner itself, or what made the owner, fits: kind, name, and version where it is known.
fn owned(pod: &Pod, fits: impl Fn(&str, &str, &str) -> bool) -> bool {
    let (kind, name) = containers::workload(pod);
    if kind != "Pod" && fits(&kind, &name, "") {
        return true;
    }
    containers::owner(pod).is_some_and(|(kind, name, api)| fits(&kind, &name, &api))
}

fn is_plural(word: &str, kind: &str) -> bool {
    let (word, kind) = (word.to_ascii_lowercase(), kind.to_ascii_lowercase());
    let ies = kind.strip_suffix('y').map(|stem| format!("{stem}ies"));
    word == kind || word == format!("{kind}s") || word == format!("{kind}es") || Some(word) == ies
}

/// A pod of this very name; else the one workload of it; else the pods that begin with it and a dash.
fn bare(text: &str, name: &str, pods: &[&Pod]) -> Result<Target, Error> {
    let pod_name = |p: &Pod| p.metadata.name.clone().unwrap_or_default();
    if is_glob(name) || pods.iter().any(|p| pod_name(p) == name) {
        return Ok(Target::Pod(name.to_owned()));
    }
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for pod in pods {
        let (kind, own) = containers::workload(pod);
        if own == name && kind != "Pod" {
            kinds.insert(kind);
        } else if let Some((kind, own, _)) = containers::owner(pod)
            && own == name
        {
            kinds.insert(kind);
        }
    }
    let mut kinds: Vec<String> = kinds.into_iter().collect();
    match kinds.len() {
        0 => {}
        1 => return Ok(Target::Workload { kind: kinds.remove(0), name: name.to_owned() }),
        _ => {
            let candidates = kinds.iter().map(|k| format!("{}/{name}", k.to_ascii_lowercase())).collect();
            return Err(Error::AmbiguousSource { text: text.to_owned(), candidates });
        }
    }
    if pods.iter().any(|p| pod_name(p).starts_with(&format!("{name}-"))) {
        return Ok(Target::Pod(format!("{name}-*")));
    }
    Err(Error::NoSuchSource(format!("{text}: no pod, workload or beginning of a pod's name")))
}

async fn nodes(client: &kube::Client) -> Result<HashMap<String, BTreeMap<String, String>>, String> {
    let api: Api<Node> = Api::all(client.clone());
    match api.list_metadata(&ListParams::default()).await {
        Ok(list) => Ok(list
            .items
            .into_iter()
            .filter_map(|n| Some((n.metadata.name?, n.metadata.labels.unwrap_or_default())))
            .collect()),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(e) => Err(crate::error::chain(&e)),
    }
}
