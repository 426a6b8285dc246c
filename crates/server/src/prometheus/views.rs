//! Views: what is stored under the names that existing rules and boards use.
//!
//! In:     `views.toml`.
//! Out:    series of a stored metric as series of another name, their labels and values as that name's readers expect.
//! Never:  a view that is not exact: then there is none.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ph_model::{Labels, MatchOp, Matcher, Sample, is_stale_marker};

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Views {
    view: Vec<View>,
}

/// One name over one stored metric; several may share the name.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct View {
    pub name: String,
    pub of: String,
    when: BTreeMap<String, String>,
    has: Vec<String>,
    rename: BTreeMap<String, String>,
    drop: Vec<String>,
    add: BTreeMap<String, String>,
    values: BTreeMap<String, BTreeMap<String, String>>,
    strip: BTreeMap<String, String>,
    one_hot: Option<OneHot>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct OneHot {
    label: String,
    words: BTreeMap<String, i32>,
}

// That the file is well-formed is held by a test.
static VIEWS: LazyLock<Views> =
    LazyLock::new(|| toml::from_str(include_str!("views.toml")).unwrap_or_default());

/// Views that the matchers mean by their name.
pub fn meant(matchers: &[Matcher]) -> Vec<&'static View> {
    let name = matchers.iter().find(|m| m.name == "__name__" && m.op == MatchOp::Equal);
    VIEWS.view.iter().filter(|v| name.is_some_and(|m| m.value == v.name)).collect()
}

impl View {
    /// What to ask of the stored metric; the rest is asked of what [`View::apply`] gives.
    pub fn matchers(&self, asked: &[Matcher]) -> Vec<Matcher> {
        let made = |name: &str| {
            self.rename.values().any(|to| to == name)
                || self.add.contains_key(name)
                || self.values.contains_key(name)
                || self.strip.contains_key(name)
                || self.rename.contains_key(name)
                || self.drop.iter().any(|d| d == name)
                || self.one_hot.as_ref().is_some_and(|o| o.label == name)
        };
        let own = self.when.iter().map(|(name, value)| Matcher::equal(name, value));
        let passed = asked.iter().filter(|m| m.name != "__name__" && !made(&m.name)).cloned();
        [Matcher::equal("__name__", &self.of)].into_iter().chain(own).chain(passed).collect()
    }

    /// A series under the view's name; several where its values are words.
    pub fn apply(&self, labels: &Labels, samples: Vec<Sample>) -> Vec<(Labels, Vec<Sample>)> {
        if self.has.iter().any(|name| labels.value(name).is_none()) {
            return Vec::new();
        }
        let mut set: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in labels.iter().filter(|(name, _)| !self.drop.iter().any(|d| d == name)) {
            let name = self.rename.get(name).map_or(name, String::as_str);
            let value =
                self.strip.get(name).and_then(|start| value.strip_prefix(start.as_str())).unwrap_or(value);
            let words = self.values.get(name);
            let value = words.and_then(|words| words.get(value)).map_or(value, String::as_str);
            set.insert(name.to_owned(), value.to_owned());
        }
        set.extend(self.add.clone());
        set.insert("__name__".to_owned(), self.name.clone());
        let Some(one_hot) = &self.one_hot else { return vec![(set.into_iter().collect(), samples)] };
        let word = |(word, code): (&String, &i32)| {
            let mut set = set.clone();
            set.insert(one_hot.label.clone(), word.clone());
            let is = |value: f64| if value == f64::from(*code) { 1.0 } else { 0.0 };
            let value = |value: f64| if is_stale_marker(value) { value } else { is(value) };
            let samples = samples.iter().map(|s| Sample { at_ms: s.at_ms, value: value(s.value) }).collect();
            (set.into_iter().collect(), samples)
        };
        one_hot.words.iter().map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    //! The file, and what views make of series.

    use super::*;

    #[test]
    fn the_file_is_well_formed() {
        let views: Views = toml::from_str(include_str!("views.toml")).unwrap();
        assert!(views.view.len() > 50);
        for view in &views.view {
            assert!(view.of.contains('.') && !view.name.contains('.'), "{view:?}");
        }
        let mut each: Vec<_> = views.view.iter().map(|v| (&v.name, &v.of)).collect();
        each.sort();
        each.dedup();
        assert_eq!(each.len(), views.view.len(), "a view stands there twice");
    }

    #[test]
    fn labels_and_words_are_those_of_the_name() {
        let of = |name: &str, labels: &str, value: f64| {
            let matchers = [Matcher::equal("__name__", name)];
            let pairs = labels.split(' ').filter_map(|p| p.split_once('='));
            let labels = Labels::new(pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
            let samples =
                vec![Sample { at_ms: 1, value }, Sample { at_ms: 2, value: ph_model::stale_marker() }];
            let made = meant(&matchers).into_iter().flat_map(|v| v.apply(&labels, samples.clone()));
            let text = |(l, s): (Labels, Vec<Sample>)| {
                assert!(is_stale_marker(s[1].value));
                format!("{l} {}", s[0].value)
            };
            made.map(text).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            of("node_cpu_seconds_total", "__name__=system.cpu.time cpu=cpu3 state=wait node=n1", 2.5),
            r#"{__name__="node_cpu_seconds_total", cpu="3", mode="iowait", node="n1"} 2.5"#
        );
        assert_eq!(
            of("kube_node_status_condition", "condition=Ready node=n1", -1.0),
            r#"{__name__="kube_node_status_condition", condition="Ready", node="n1", status="false"} 0
{__name__="kube_node_status_condition", condition="Ready", node="n1", status="true"} 0
{__name__="kube_node_status_condition", condition="Ready", node="n1", status="unknown"} 1"#
        );
        assert_eq!(of("kubelet_volume_stats_capacity_bytes", "pod=web-1", 1.0), "");
        assert_eq!(of("nothing", "pod=web-1", 1.0), "");
        let view = meant(&[Matcher::equal("__name__", "kube_horizontalpodautoscaler_spec_max_replicas")])[0];
        let asked = [Matcher::equal("horizontalpodautoscaler", "x"), Matcher::equal("namespace", "shop")];
        let pushed = view.matchers(&asked);
        assert_eq!(
            pushed,
            [Matcher::equal("__name__", "k8s.hpa.max_replicas"), Matcher::equal("namespace", "shop")]
        );
    }
}
