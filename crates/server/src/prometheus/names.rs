//! The name view: stored OpenTelemetry names as PromQL shows and understands them.
//!
//! `k8s.volume.available` in bytes appears as `k8s_volume_available_bytes{namespace=…}`. A quoted name, as in
//! `{"k8s.volume.available"}`, is shown as it is stored. Both are the same series: operators match them by their labels,
//! which are the same. Names without a dot are nobody's but their sender's and stay as they are.
//! Source: <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>; `names.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ph_model::{Labels, MatchOp, Matcher, SeriesKind};
use ph_promql::{Expr, ExprKind, Group, Grouping, MatchLabels};
use ph_tsdb::LabelTest;

use crate::aliases;

/// What `names.toml` says.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    labels: BTreeMap<String, String>,
    units: BTreeMap<String, String>,
    per: BTreeMap<String, String>,
}

// That the file is well-formed is held by a test.
static NAMES: LazyLock<Names> =
    LazyLock::new(|| toml::from_str(include_str!("names.toml")).unwrap_or_default());

/// The PromQL name of a stored metric.
pub fn metric_name(name: &str, unit: &str, kind: SeriesKind) -> String {
    if !name.contains('.') {
        return name.to_owned();
    }
    let mut out = plain(name);
    let suffix = unit_suffix(name, unit);
    if !suffix.is_empty() && !out.ends_with(&format!("_{suffix}")) {
        out.push('_');
        out.push_str(&suffix);
    }
    if kind == SeriesKind::Counter && !out.ends_with("_total") {
        out.push_str("_total");
    }
    out
}

/// With `_` for every character that a plain name cannot have.
pub fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | ':') { c } else { '_' }).collect()
}

fn unit_suffix(name: &str, unit: &str) -> String {
    if unit == "1" {
        return if name.ends_with("utilization") { "ratio".to_owned() } else { String::new() };
    }
    let (main, per) = unit.split_once('/').map_or((unit, None), |(a, b)| (a, Some(b)));
    let word = |of: &BTreeMap<String, String>, unit: &str| {
        if unit.contains('{') { String::new() } else { of.get(unit).cloned().unwrap_or_default() }
    };
    let main = word(&NAMES.units, main);
    match per.map(|per| word(&NAMES.per, per)).filter(|per| !per.is_empty()) {
        Some(per) if main.is_empty() => format!("per_{per}"),
        Some(per) => format!("{main}_per_{per}"),
        None => main,
    }
}

/// How one query writes names: it decides how they are shown to it.
#[derive(Clone, Debug, Default)]
pub struct Spelling {
    /// Stored label names that the query groups or matches by, by the way it writes them.
    labels: BTreeMap<String, String>,
}

impl Spelling {
    /// Of an expression: long forms in its groupings and matchings are kept.
    pub fn of(expr: &Expr) -> Self {
        let mut words = BTreeSet::new();
        collect(expr, &mut words);
        let stored = |word: &str| {
            let known = NAMES.labels.keys().find(|dotted| *dotted == word || plain(dotted) == word);
            known.cloned().or_else(|| word.contains('.').then(|| word.to_owned()))
        };
        Self { labels: words.into_iter().filter_map(|word| Some((stored(&word)?, word))).collect() }
    }

    /// A label's name as this query sees it.
    fn label(&self, name: &str) -> String {
        if !name.contains('.') {
            return name.to_owned();
        }
        match self.labels.get(name).or_else(|| NAMES.labels.get(name)) {
            Some(shown) => shown.clone(),
            None => plain(name),
        }
    }

    /// A series' labels as this query sees them. `as_stored`: the query wrote the metric's name with its dots.
    pub fn labels(&self, stored: &Labels, (unit, kind): (&str, SeriesKind), as_stored: bool) -> Labels {
        if !stored
            .iter()
            .any(|(name, value)| name.contains('.') || (name == "__name__" && value.contains('.')))
        {
            return stored.clone();
        }
        // A label that the sender itself calls so keeps its name; the other one gets its long form.
        let taken = |shown: &str| stored.value(shown).is_some();
        let pairs = stored.iter().map(|(name, value)| {
            if name == "__name__" {
                let shown = if as_stored { value.to_owned() } else { metric_name(value, unit, kind) };
                return (name.to_owned(), shown);
            }
            let shown = self.label(name);
            let shown = if shown != name && taken(&shown) { plain(name) } else { shown };
            (shown, value.to_owned())
        });
        pairs.collect()
    }
}

fn collect(expr: &Expr, words: &mut BTreeSet<String>) {
    match &expr.kind {
        ExprKind::Aggregate(a) => match &a.grouping {
            Grouping::By(names) | Grouping::Without(names) => words.extend(names.iter().cloned()),
        },
        ExprKind::Binary(b) => {
            match &b.matching.labels {
                MatchLabels::On(names) | MatchLabels::Ignoring(names) => words.extend(names.iter().cloned()),
            }
            if let Group::Left(names) | Group::Right(names) = &b.matching.group {
                words.extend(names.iter().cloned());
            }
        }
        _ => {}
    }
    for child in expr.children() {
        collect(child, words);
    }
}

/// The matchers of one selection, asked of stored series under all their names.
pub struct Selector {
    tests: Vec<(LabelTest, MatchOp)>,
    /// The metric's name, where it is asked for by `=`.
    named: Option<String>,
    /// The metric's name is written with its dots.
    pub as_stored: bool,
}

impl Selector {
    /// Errors: a pattern that does not compile, in words.
    pub fn new(matchers: &[Matcher]) -> Result<Self, String> {
        let tests: Result<Vec<_>, _> =
            matchers.iter().map(|m| LabelTest::new(m).map(|t| (t, m.op))).collect();
        let named = matchers.iter().find(|m| m.name == "__name__" && m.op == MatchOp::Equal);
        let named = named.map(|m| m.value.clone());
        let as_stored = named.as_ref().is_some_and(|name| name.contains('.'));
        Ok(Self { tests: tests.map_err(|e| e.to_string())?, named, as_stored })
    }

    /// Whether a metric of this stored name may be meant, whatever its unit and kind.
    pub fn may_mean(&self, name: &str) -> bool {
        let names = self.tests.iter().filter(|(t, _)| t.name() == "__name__");
        let mut names = names.filter(|(_, op)| matches!(op, MatchOp::Equal | MatchOp::Regex));
        if !name.contains('.') {
            return names.all(|(t, _)| t.accepts(name));
        }
        // Whatever the unit, it stands behind the plain name; most names are told apart by that.
        let begins = |asked: &String| {
            let mut all = std::iter::once(name).chain(aliases::of_metric(name));
            all.any(|n| asked == n || asked.starts_with(&plain(n)))
        };
        if self.named.as_ref().is_some_and(|asked| !begins(asked)) {
            return false;
        }
        let spellings = possible_names(name);
        names.all(|(t, _)| spellings.iter().any(|s| t.accepts(s)))
    }

    /// Whether a stored series is meant.
    pub fn accepts(&self, stored: &Labels, (unit, kind): (&str, SeriesKind)) -> bool {
        self.tests.iter().all(|(test, op)| {
            let name = stored.metric();
            if test.name() != "__name__" {
                return test.accepts(value_of(stored, test.name()));
            }
            if !name.contains('.') {
                return test.accepts(name);
            }
            let spellings = name_spellings(name, unit, kind);
            let mut spellings = spellings.iter();
            match op {
                MatchOp::Equal | MatchOp::Regex => spellings.any(|s| test.accepts(s)),
                MatchOp::NotEqual | MatchOp::NotRegex => spellings.all(|s| test.accepts(s)),
            }
        })
    }
}

/// All names of a stored name with dots.
fn name_spellings(name: &str, unit: &str, kind: SeriesKind) -> Vec<String> {
    let all = std::iter::once(name).chain(aliases::of_metric(name));
    all.flat_map(|name| [name.to_owned(), plain(name), metric_name(name, unit, kind)]).collect()
}

/// All names that a stored name can have, with every unit.
fn possible_names(name: &str) -> Vec<String> {
    let all = std::iter::once(name).chain(aliases::of_metric(name));
    all.flat_map(spelt_with_units).collect()
}

fn spelt_with_units(name: &str) -> Vec<String> {
    let mut out = vec![name.to_owned(), plain(name)];
    let pers = NAMES.per.keys().map(String::as_str);
    let units = NAMES.units.keys().map(String::as_str).chain(["1", "{x}"]);
    let units: Vec<String> =
        units.flat_map(|u| pers.clone().map(move |p| format!("{u}/{p}")).chain([u.to_owned()])).collect();
    for unit in &units {
        out.push(metric_name(name, unit, SeriesKind::Gauge));
        out.push(metric_name(name, unit, SeriesKind::Counter));
    }
    out.sort();
    out.dedup();
    out
}

/// The value of a label under its stored, short or long name; an absent one is empty.
pub fn value_of<'a>(stored: &'a Labels, name: &str) -> &'a str {
    if let Some(value) = stored.value(name) {
        return value;
    }
    let meant = |dotted: &str| {
        dotted.contains('.') && (plain(dotted) == name || NAMES.labels.get(dotted).is_some_and(|s| s == name))
    };
    let found = stored.iter().find(|(dotted, _)| meant(dotted)).map(|(_, value)| value);
    found.or_else(|| aliases::value_of(stored, name)).unwrap_or("")
}

/// Whether a label's name can mean nothing but a stored label of that very name, given all names that are stored.
pub fn is_only_itself(name: &str, stored: &[String]) -> bool {
    let other = aliases::is_attribute(name);
    !other
        && !stored.iter().filter(|d| d.contains('.')).any(|dotted| {
            plain(dotted) == name || NAMES.labels.get(dotted).is_some_and(|short| short == name)
        })
}

/// A label's name as listings show it.
pub fn shown_label(name: &str) -> String {
    Spelling::default().label(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_under_each_of_its_spellings_and_under_no_other() {
        let means = |asked: &str, stored: &str| {
            Selector::new(&[Matcher::equal("__name__", asked)]).unwrap().may_mean(stored)
        };
        for stored in ["k8s.volume.available", "http.server.request.duration", "system.cpu.utilization"] {
            let all = possible_names(stored);
            assert!(all.len() > 10, "{all:?}");
            assert!(all.iter().all(|asked| means(asked, stored)), "{stored}");
            assert!(
                !means("http_requests_total", stored) && !means(&format!("{}_cats", plain(stored)), stored)
            );
        }
    }

    #[test]
    fn the_file_is_well_formed_and_names_do_not_collide() {
        let names: Names = toml::from_str(include_str!("names.toml")).unwrap();
        let shorts: BTreeSet<_> = names.labels.values().collect();
        assert_eq!(shorts.len(), names.labels.len(), "two stored labels have one short name");
        for (dotted, short) in &names.labels {
            assert!(dotted.contains('.') && plain(short) == *short, "{dotted} {short}");
            assert!(!matches!(short.as_str(), "job" | "instance"), "{short} is Prometheus' own");
        }
        assert!(names.units.len() > 10 && names.per.len() > 3);
    }

    #[test]
    fn metrics_of_charts_have_one_name_each() {
        use crate::metrics::{CONTAINER, HOST, NODE, POD, WORKLOAD};
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for chart in [POD, WORKLOAD, NODE, HOST, CONTAINER].into_iter().flatten() {
            let shown = metric_name(chart.metric, "", SeriesKind::Gauge);
            let other = seen.insert(shown.clone(), chart.metric);
            assert!(other.is_none_or(|o| o == chart.metric), "{shown} is {other:?} and {}", chart.metric);
        }
    }

    #[test]
    fn names_get_units_and_total() {
        for (name, unit, kind, shown) in [
            ("k8s.volume.available", "By", SeriesKind::Gauge, "k8s_volume_available_bytes"),
            ("k8s.pod.cpu.usage", "{cpu}", SeriesKind::Gauge, "k8s_pod_cpu_usage"),
            ("container.cpu.time", "s", SeriesKind::Counter, "container_cpu_time_seconds_total"),
            ("system.filesystem.utilization", "1", SeriesKind::Gauge, "system_filesystem_utilization_ratio"),
            ("k8s.node.condition", "1", SeriesKind::Gauge, "k8s_node_condition"),
            ("net.rate", "By/s", SeriesKind::Gauge, "net_rate_bytes_per_second"),
            ("up", "s", SeriesKind::Counter, "up"),
            ("http_requests_total", "", SeriesKind::Counter, "http_requests_total"),
        ] {
            assert_eq!(metric_name(name, unit, kind), shown);
        }
    }

    #[test]
    fn a_series_is_found_under_every_name() {
        let stored = Labels::new(vec![
            ("__name__".into(), "k8s.pod.memory.usage".into()),
            ("k8s.pod.name".into(), "web-1".into()),
            ("direction".into(), "in".into()),
        ]);
        let of = ("By", SeriesKind::Gauge);
        let found = |matchers: &[Matcher]| Selector::new(matchers).unwrap().accepts(&stored, of);
        for name in ["k8s.pod.memory.usage", "k8s_pod_memory_usage", "k8s_pod_memory_usage_bytes"] {
            assert!(found(&[Matcher::equal("__name__", name)]), "{name}");
            assert!(
                Selector::new(&[Matcher::equal("__name__", name)]).unwrap().may_mean("k8s.pod.memory.usage")
            );
        }
        for label in ["k8s.pod.name", "k8s_pod_name", "pod"] {
            assert!(found(&[Matcher::equal(label, "web-1")]), "{label}");
            let not = Matcher { name: label.into(), op: MatchOp::NotEqual, value: "web-1".into() };
            assert!(!found(&[not]), "{label}");
        }
        assert!(!found(&[Matcher::equal("__name__", "k8s_pod_memory_usage_seconds")]));
        let shown = Spelling::default().labels(&stored, of, false);
        assert_eq!(
            shown.to_string(),
            r#"{__name__="k8s_pod_memory_usage_bytes", direction="in", pod="web-1"}"#
        );
        let desired = Labels::new(vec![("__name__".into(), "k8s.deployment.desired".into())]);
        let of = ("{pod}", SeriesKind::UpDown);
        for name in
            ["k8s.deployment.pod.desired", "k8s_deployment_pod_desired", "k8s_deployment_desired_pods"]
        {
            let selector = Selector::new(&[Matcher::equal("__name__", name)]).unwrap();
            assert!(selector.accepts(&desired, of) && selector.may_mean("k8s.deployment.desired"), "{name}");
        }
        assert!(!is_only_itself("cpu_mode", &[]) && is_only_itself("state", &[]));
        let long = ph_promql::parse("sum by (k8s_pod_name) (x)").unwrap();
        assert_eq!(Spelling::of(&long).labels(&stored, of, true).value("k8s_pod_name"), Some("web-1"));
    }
}
