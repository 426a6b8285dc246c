//! Other names of what is stored: one metric, one series, whichever version of OpenTelemetry's conventions its sender follows.
//!
//! In:     names of metrics, of their points' attributes and of resources' attributes, as senders and queries write them.
//! Out:    the names under which they are stored, and the way back.
//! Never:  renames what it does not know: metrics and attributes of people's own programs stay as they are.
//! Source: `aliases.toml`; <https://opentelemetry.io/docs/specs/semconv/>.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use ph_model::Labels;

/// What `aliases.toml` says.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Aliases {
    metrics: BTreeMap<String, String>,
    resource: BTreeMap<String, String>,
    attribute: Vec<Attribute>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    alias: String,
    name: String,
    of: Vec<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

impl Attribute {
    fn is_of(&self, metric: &str) -> bool {
        self.of.iter().any(|start| metric.starts_with(start.as_str()))
    }
}

// That the file is well-formed is held by a test.
static ALIASES: LazyLock<Aliases> =
    LazyLock::new(|| toml::from_str(include_str!("aliases.toml")).unwrap_or_default());

/// The stored name of a metric.
pub fn metric(name: &str) -> &str {
    ALIASES.metrics.get(name).map_or(name, String::as_str)
}

/// Other names of a stored metric.
pub fn of_metric(stored: &str) -> impl Iterator<Item = &str> {
    ALIASES.metrics.iter().filter(move |(_, name)| *name == stored).map(|(alias, _)| alias.as_str())
}

/// Name and value under which an attribute of a metric's points is stored; the metric by its stored name.
pub fn attribute<'a>(metric: &str, name: &'a str, value: &'a str) -> (&'a str, &'a str) {
    // Every alias has a dot, and most names have none.
    if !name.contains('.') {
        return (name, value);
    }
    match ALIASES.attribute.iter().find(|a| a.alias == name && a.is_of(metric)) {
        Some(a) => (a.name.as_str(), a.values.get(value).map_or(value, String::as_str)),
        None => (name, value),
    }
}

/// The value of a stored series' label that a query calls by another name, with its dots or without them.
pub fn value_of<'a>(stored: &'a Labels, name: &str) -> Option<&'a str> {
    let meant = |a: &&Attribute| is_written(&a.alias, name) && a.is_of(stored.metric());
    let found = ALIASES.attribute.iter().find(meant)?;
    let value = stored.value(&found.name)?;
    let told = found.values.iter().find(|(_, word)| *word == value);
    Some(told.map_or(value, |(alias, _)| alias.as_str()))
}

/// Whether a query's name of a label may mean one that is stored under another.
pub fn is_attribute(name: &str) -> bool {
    ALIASES.attribute.iter().any(|a| is_written(&a.alias, name))
}

fn is_written(alias: &str, name: &str) -> bool {
    alias.len() == name.len()
        && alias.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'.' && b == b'_'))
}

/// A resource's attributes under their stored names; what has that name already stays.
pub fn resource(mut list: Vec<KeyValue>) -> Vec<KeyValue> {
    let renamed: Vec<(usize, String)> =
        list.iter().enumerate().filter_map(|(i, kv)| Some((i, resource_name(&kv.key)?))).collect();
    if renamed.is_empty() {
        return list;
    }
    let mut known: HashSet<String> = list.iter().map(|kv| kv.key.clone()).collect();
    for (at, name) in renamed {
        if !known.insert(name.clone()) {
            continue;
        }
        if let Some(kv) = list.get_mut(at) {
            kv.key = name;
            one_tag(kv);
        }
    }
    list
}

fn resource_name(name: &str) -> Option<String> {
    ALIASES.resource.iter().find_map(|(alias, stored)| {
        match (alias.strip_suffix('*'), stored.strip_suffix('*')) {
            (Some(alias), Some(stored)) => Some(format!("{stored}{}", name.strip_prefix(alias)?)),
            _ => (alias == name).then(|| stored.clone()),
        }
    })
}

/// An image's tags are a list; where there is one, it is the tag.
fn one_tag(kv: &mut KeyValue) {
    if let Some(AnyValue { value: Some(any_value::Value::ArrayValue(list)) }) = &mut kv.value
        && list.values.len() == 1
    {
        kv.value = list.values.pop();
    }
}

#[cfg(test)]
mod tests {
    //! The file, and names in both directions.

    use super::*;

    #[test]
    fn the_file_is_well_formed_and_leads_to_names_that_agents_use() {
        let all: Aliases = toml::from_str(include_str!("aliases.toml")).unwrap();
        let source = |file: &str| {
            std::fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        let used = source("node/src/names.rs") + &source("cluster/src/metrics/table.rs");
        assert!(all.metrics.len() > 30 && all.attribute.len() > 5);
        for (alias, name) in &all.metrics {
            assert!(used.contains(&format!("\"{name}\"")), "{name} is no agent's");
            assert!(!used.contains(&format!("\"{alias}\"")), "{alias} is an agent's own");
        }
        for a in &all.attribute {
            assert!(a.alias.contains('.') && !a.name.contains('.') && !a.of.is_empty(), "{a:?}");
        }
        for (alias, name) in &all.resource {
            assert_eq!(alias.ends_with('*'), name.ends_with('*'), "{alias}");
        }
    }

    #[test]
    fn names_lead_to_what_is_stored_and_others_stay() {
        assert_eq!(metric("k8s.deployment.pod.desired"), "k8s.deployment.desired");
        assert_eq!(metric("shop.deployment.pod.desired"), "shop.deployment.pod.desired");
        let of: Vec<_> = of_metric("k8s.container.restarts").collect();
        assert_eq!(of, ["k8s.container.restart.count"]);
        assert_eq!(attribute("system.cpu.time", "cpu.mode", "iowait"), ("state", "wait"));
        assert_eq!(attribute("system.cpu.time", "cpu.mode", "user"), ("state", "user"));
        assert_eq!(attribute("shop.cpu.time", "cpu.mode", "iowait"), ("cpu.mode", "iowait"));
        let stored =
            Labels::new(vec![("__name__".into(), "system.cpu.time".into()), ("state".into(), "wait".into())]);
        for name in ["cpu.mode", "cpu_mode"] {
            assert_eq!((value_of(&stored, name), is_attribute(name)), (Some("iowait"), true));
        }
        assert_eq!((value_of(&stored, "cpu"), is_attribute("state")), (None, false));
    }

    #[test]
    fn a_resource_keeps_what_it_says_itself() {
        let text = |key: &str, value: &str| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
            ..KeyValue::default()
        };
        let tags = any_value::Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
            values: text("", "v1").value.into_iter().collect(),
        });
        let tags =
            KeyValue { value: Some(AnyValue { value: Some(tags) }), ..text("container.image.tags", "") };
        let list = vec![
            text("k8s.pod.label.app", "web"),
            text("k8s.pod.label.tier", "x"),
            text("k8s.pod.labels.tier", "front"),
            tags,
            text("cluster", "kafka-1"),
        ];
        let expected = vec![
            text("k8s.pod.labels.app", "web"),
            text("k8s.pod.label.tier", "x"),
            text("k8s.pod.labels.tier", "front"),
            text("container.image.tag", "v1"),
            text("cluster", "kafka-1"),
        ];
        assert_eq!(resource(list), expected);
    }
}
