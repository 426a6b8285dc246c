//! What a select means, made ready: names with wildcards, expressions, selectors of labels and fields, held against objects.
//!
//! In:     a select as a caller wrote it. Out: yes or no for a pod, and its containers; faults that name the field.

mod requirement;

use std::borrow::Cow;

use ph_api::{Container, FieldError, LogSelect};
use ph_filter::{Compiled, Filter, Record, glob_fits};
use ph_model::Level;
use serde_json::Value;

use crate::objects::{Home, workload};
use requirement::{Requirement, parse_fields, parse_labels};

const STATES: [&str; 4] = ["running", "waiting", "terminated", "gone"];
const REGION: &str = "topology.kubernetes.io/region";
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// A select, ready to be held against the objects of a cluster.
pub struct Selector<'a> {
    of: &'a LogSelect,
    pod_match: Option<Compiled>,
    not_pods: Vec<Compiled>,
    containers: Vec<Compiled>,
    not_containers: Vec<Compiled>,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
    conditions: Vec<(&'a str, &'a str)>,
}

fn is(wanted: Option<&str>, value: &str) -> bool {
    wanted.is_none_or(|w| w.is_empty() || glob_fits(w, value))
}

fn any(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|w| glob_fits(w, value))
}

fn text<'v>(o: &'v Value, pointer: &str) -> &'v str {
    o.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// A label of an object.
fn label<'v>(o: &'v Value, name: &str) -> Option<&'v str> {
    o.pointer("/metadata/labels")?.get(name)?.as_str()
}

/// A name, as the filter sees it.
struct Name<'n>(&'n str);

impl Record for Name<'_> {
    fn ts_ns(&self) -> i64 {
        0
    }
    fn level(&self) -> Level {
        Level::Unknown
    }
    fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }
    fn field(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }
}

fn matches(all: &[Compiled], name: &str) -> bool {
    all.iter().any(|c| c.matches(&Name(name)))
}

/// Collects the faults of one select.
struct Faults {
    at: usize,
    all: Vec<FieldError>,
}

impl Faults {
    fn add(&mut self, field: &str, message: String) {
        let path = format!("sources[{}].{field}", self.at);
        self.all.push(FieldError { path, message, ..FieldError::default() });
    }

    fn expression(&mut self, field: &str, text: &str) -> Option<Compiled> {
        match Compiled::new(&Filter::regex(text)) {
            Ok(compiled) => Some(compiled),
            Err(e) => {
                self.add(field, format!("`{text}`: {e}"));
                None
            }
        }
    }

    fn requirements(
        &mut self,
        field: &str,
        (text, parse): (Option<&str>, fn(&str) -> Result<Vec<Requirement>, String>),
    ) -> Vec<Requirement> {
        match text.map(parse) {
            None => Vec::new(),
            Some(Ok(found)) => found,
            Some(Err(why)) => {
                self.add(field, why);
                Vec::new()
            }
        }
    }
}

impl<'a> Selector<'a> {
    /// `at`: the select's place in the query, for faults.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(of: &'a LogSelect, at: usize) -> Result<Self, Vec<FieldError>> {
        let mut f = Faults { at, all: Vec::new() };
        let each = |f: &mut Faults, field: &str, texts: &[String]| -> Vec<Compiled> {
            texts.iter().filter_map(|t| f.expression(field, t)).collect()
        };
        let selector = Self {
            of,
            pod_match: of.pod_match.as_deref().and_then(|t| f.expression("pod_match", t)),
            not_pods: each(&mut f, "not_pods", &of.not_pods),
            containers: each(&mut f, "containers", &of.containers),
            not_containers: each(&mut f, "not_containers", &of.not_containers),
            labels: f.requirements("labels", (of.labels.as_deref(), parse_labels)),
            fields: f.requirements("fields", (of.fields.as_deref(), parse_fields)),
            conditions: of.conditions.iter().map(|c| c.split_once('=').unwrap_or((c, "True"))).collect(),
        };
        for state in of.states.iter().filter(|s| !STATES.contains(&s.as_str())) {
            f.add("states", format!("`{state}` is not one of {}", STATES.join(", ")));
        }
        if of.owner.is_some() && of.workload.is_none() {
            f.add("owner", "name the owner in `workload`".to_owned());
        }
        if f.all.is_empty() { Ok(selector) } else { Err(f.all) }
    }

    /// Whether pods are narrowed by what only a pod of Kubernetes has.
    fn only_pods(&self) -> bool {
        let of = self.of;
        of.workload_uid.is_some()
            || of.workload.is_some()
            || of.service.is_some()
            || self.pod_match.is_some()
            || !self.fields.is_empty()
            || !self.conditions.is_empty()
            || self.by_node_labels()
    }

    fn by_node_labels(&self) -> bool {
        [&self.of.regions, &self.of.zones, &self.of.os, &self.of.arch].iter().any(|l| !l.is_empty())
    }

    pub fn means_pod(&self, home: Home<'_>, pod: &Value) -> bool {
        let of = self.of;
        let name = text(pod, "/metadata/name");
        is(of.namespace.as_deref(), text(pod, "/metadata/namespace"))
            && is(of.pod.as_deref(), name)
            && is(of.pod_uid.as_deref(), text(pod, "/metadata/uid"))
            && is(of.node.as_deref(), text(pod, "/spec/nodeName"))
            && any(&of.nodes, text(pod, "/spec/nodeName"))
            && self.pod_match.as_ref().is_none_or(|c| c.matches(&Name(name)))
            && !matches(&self.not_pods, name)
            && self.labels.iter().all(|r| r.holds(label(pod, &r.key)))
            && self.fields.iter().all(|r| r.holds(Some(field(pod, &r.key))))
            && self.conditions.iter().all(|c| has_condition(pod, c))
            && self.of_workload(home, pod)
            && self.of_service(home, pod)
            && self.on_node(home, pod)
    }

    fn of_workload(&self, home: Home<'_>, pod: &Value) -> bool {
        let Some(name) = self.of.workload.as_deref() else { return true };
        if let Some(resource) = &self.of.owner {
            return is_owned(pod, resource, name);
        }
        let fits_kind =
            |kind: &str| self.of.workload_kind.as_deref().is_none_or(|k| k.eq_ignore_ascii_case(kind));
        let direct = ph_workloads::owner(pod);
        workload(home, pod).is_some_and(|w| glob_fits(name, &w.name) && fits_kind(&w.kind))
            || direct.is_some_and(|o| {
                glob_fits(name, &o.name) && self.of.workload_kind.is_some() && fits_kind(&o.kind)
            })
    }

    fn of_service(&self, home: Home<'_>, pod: &Value) -> bool {
        let Some(wanted) = self.of.service.as_deref() else { return true };
        let namespace = text(pod, "/metadata/namespace");
        home.objects.of_kind("Service").any(|service| {
            let selector = service.pointer("/spec/selector").and_then(Value::as_object);
            glob_fits(wanted, text(service, "/metadata/name"))
                && text(service, "/metadata/namespace") == namespace
                && selector.is_some_and(|s| {
                    !s.is_empty()
                        && s.iter().all(|(k, v)| v.as_str().is_some() && label(pod, k) == v.as_str())
                })
        })
    }

    fn on_node(&self, home: Home<'_>, pod: &Value) -> bool {
        if !self.by_node_labels() {
            return true;
        }
        let name = text(pod, "/spec/nodeName");
        let Some(node) = home.objects.of_kind("Node").find(|n| text(n, "/metadata/name") == name) else {
            return false;
        };
        let of = self.of;
        let on = |wanted: &[String], name: &str| any(wanted, label(node, name).unwrap_or_default());
        on(&of.regions, REGION)
            && on(&of.zones, ZONE)
            && on(&of.os, "kubernetes.io/os")
            && on(&of.arch, "kubernetes.io/arch")
    }

    /// The containers of a pod that are meant.
    pub fn chosen(&self, pod: &Value, all: Vec<Container>) -> Vec<Container> {
        let of = self.of;
        let named = of.container.as_deref().filter(|c| !c.is_empty());
        let by_name = !self.containers.is_empty() || !self.not_containers.is_empty();
        let default = text(pod, "/metadata/annotations/kubectl.kubernetes.io~1default-container");
        let first = all.iter().find(|c| c.role == "main").map(|c| c.name.clone()).unwrap_or_default();
        let default = match all.iter().any(|c| c.name == default) {
            true => default.to_owned(),
            false => first,
        };
        let exact: Vec<String> =
            of.containers.iter().filter(|w| all.iter().any(|c| c.name == **w)).cloned().collect();
        let wide = named.is_none() && (of.all_containers || by_name);
        let chosen = |c: &Container| match named {
            Some(name) => glob_fits(name, &c.name),
            None if wide => true,
            None => c.name == default,
        };
        let by_expression = |name: &str| {
            let wanted = match exact.is_empty() {
                _ if self.containers.is_empty() => true,
                true => matches(&self.containers, name),
                false => exact.iter().any(|e| e == name),
            };
            wanted && !matches(&self.not_containers, name)
        };
        all.into_iter()
            .filter(|c| {
                chosen(c)
                    && by_expression(&c.name)
                    && (of.states.is_empty() || of.states.contains(&c.state))
                    && !(wide && of.without_init && c.role == "init")
                    && !(wide && of.without_ephemeral && c.role == "ephemeral")
            })
            .collect()
    }

    /// Whether a container of a Docker host is meant.
    pub fn means_container(&self, c: &Value) -> bool {
        let of = self.of;
        let (id, name, state) = (text(c, "/metadata/uid"), text(c, "/metadata/name"), text(c, "/state"));
        !self.only_pods()
            && is(of.namespace.as_deref(), "")
            && is(of.pod.as_deref(), name)
            && (is(of.container.as_deref(), name) || is(of.container.as_deref(), id))
            && is(of.pod_uid.as_deref(), id)
            && is(of.node.as_deref(), text(c, "/spec/nodeName"))
            && any(&of.nodes, text(c, "/spec/nodeName"))
            && (self.containers.is_empty() || matches(&self.containers, name))
            && !matches(&self.not_containers, name)
            && !matches(&self.not_pods, name)
            && self.labels.iter().all(|r| r.holds(label(c, &r.key)))
            && (of.states.is_empty() || of.states.iter().any(|s| s == docker_state(state)))
    }
}

/// The words of Kubernetes for a Docker container's state.
fn docker_state(state: &str) -> &str {
    match state {
        "running" | "paused" | "restarting" => "running",
        "created" => "waiting",
        "" => "gone",
        _ => "terminated",
    }
}

fn has_condition(pod: &Value, (kind, status): &(&str, &str)) -> bool {
    let all = pod.pointer("/status/conditions").and_then(Value::as_array);
    all.into_iter().flatten().any(|c| {
        text(c, "/type").eq_ignore_ascii_case(kind) && text(c, "/status").eq_ignore_ascii_case(status)
    })
}

/// A field that selectors over pods know.
fn field(pod: &Value, key: &str) -> String {
    match pod.pointer(&format!("/{}", key.replace('.', "/"))) {
        Some(Value::String(value)) => value.clone(),
        Some(Value::Bool(value)) => value.to_string(),
        // What is not set is as if it were false.
        None if key == "spec.hostNetwork" => "false".to_owned(),
        _ => String::new(),
    }
}

/// Whether the controlling owner is of the resource `plural.group`.
fn is_owned(pod: &Value, resource: &str, name: &str) -> bool {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let hash = label(pod, "rollouts-pod-template-hash");
    owners.into_iter().flatten().any(|o| {
        let (kind, own, api) = (text(o, "/kind"), text(o, "/name"), text(o, "/apiVersion"));
        let same_group = group.is_empty() || api.rsplit_once('/').map_or("", |(g, _)| g) == group;
        let direct = same_group && is_plural(plural, kind) && glob_fits(name, own);
        // A rollout's pods belong to a ReplicaSet that has their hash at the end of its name.
        let base = hash.and_then(|h| own.strip_suffix(h)).and_then(|n| n.strip_suffix('-'));
        direct
            || (kind == "ReplicaSet"
                && is_plural(plural, "Rollout")
                && base.is_some_and(|b| glob_fits(name, b)))
    })
}

fn is_plural(word: &str, kind: &str) -> bool {
    let (word, kind) = (word.to_ascii_lowercase(), kind.to_ascii_lowercase());
    let ies = kind.strip_suffix('y').map(|stem| format!("{stem}ies"));
    word == kind || word == format!("{kind}s") || word == format!("{kind}es") || Some(word) == ies
}

#[cfg(test)]
mod tests;
