//! Who may import whom: rooms by floor, and a few crates by room.
//!
//! In:     `cargo metadata --no-deps`. Only normal dependencies count: what tests or build scripts use is their own.

use std::path::Path;

use serde_json::Value;

use super::Finding;

/// Steps from the ground up. A room may use those of lower steps alone.
const STEPS: &[(&str, &[&str])] = &[
    ("0", &["ph-model"]),
    ("1a", &["ph-filter", "ph-access"]),
    ("1b", &["ph-tsdb", "ph-promql", "ph-taillog", "ph-workloads"]),
    ("2", &["ph-store", "ph-link", "ph-receive", "ph-api"]),
    ("3", &["ph-node", "ph-cluster", "ph-server"]),
    ("4", &["pilothouse"]),
    ("5", &["ph-fuzz"]),
];

/// Engines are below this step: no async runtime, no sockets.
const ENGINES_BELOW: usize = 3;

/// Not rooms: they import none, and no room imports them.
const TOOLS: &[&str] = &["testbed", "xtask"];

/// Families of crates that engines do without; `tokio` stands for `tokio-util` too.
const NOT_IN_ENGINES: &[&str] = &["tokio", "axum", "reqwest", "hyper"];

/// Families of crates that one room keeps to itself.
const KEPT: &[(&str, &str)] = &[("axum", "ph-server"), ("kube", "ph-cluster"), ("k8s-openapi", "ph-cluster")];

pub fn check(root: &Path, metadata: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in list(metadata, "packages") {
        let manifest = text(package, "manifest_path");
        let path = Path::new(manifest).strip_prefix(root).unwrap_or(Path::new(manifest));
        let path = path.to_string_lossy().into_owned();
        let source = std::fs::read_to_string(manifest).unwrap_or_default();
        let name = text(package, "name");
        if step(name).is_none() && !TOOLS.contains(&name) {
            let what = format!("{name} stands on no floor; add it to STEPS in xtask/src/tidy/edges.rs");
            found.push(Finding::new(&path, 1, what));
            continue;
        }
        // Of all kinds (normal, dev, build), a normal dependency is the one without a kind.
        for dependency in list(package, "dependencies").iter().filter(|d| d["kind"].is_null()) {
            let target = text(dependency, "name");
            found.extend(edge(name, target).map(|what| Finding::new(&path, line_of(&source, target), what)));
        }
    }
    found
}

/// What is wrong with `from` importing `to`.
fn edge(from: &str, to: &str) -> Option<String> {
    let of = |name: &str| step(name).and_then(|s| STEPS.get(s)).map_or("none", |(floor, _)| *floor);
    let here = step(from);
    if let (Some(here), Some(there)) = (here, step(to))
        && there >= here
    {
        return Some(format!(
            "{from} (floor {}) imports {to} (floor {}); move what both need to a lower floor, or hand it in from above",
            of(from),
            of(to),
        ));
    }
    if (here.is_some() && TOOLS.contains(&to)) || (TOOLS.contains(&from) && step(to).is_some()) {
        return Some(format!("{from} imports {to}, and one of them is no room; make it a dev-dependency"));
    }
    if here.is_some_and(|s| s < ENGINES_BELOW)
        && let Some(family) = NOT_IN_ENGINES.iter().find(|f| is_of(to, f))
    {
        return Some(format!(
            "{from} is an engine and imports {to}; engines have no {family}: do that part on floor 2 or above"
        ));
    }
    let (family, keeper) = KEPT.iter().find(|(family, keeper)| is_of(to, family) && *keeper != from)?;
    Some(format!("{from} imports {to}; {family} stays in {keeper}: move what needs it there"))
}

fn step(name: &str) -> Option<usize> {
    STEPS.iter().position(|(_, rooms)| rooms.contains(&name))
}

/// Whether a crate is `family` or `family-…`.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The line of a manifest that names a dependency.
fn line_of(manifest: &str, name: &str) -> usize {
    let names = |line: &str| {
        line.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['.', '=']))
    };
    manifest.lines().position(names).map_or(1, |at| at + 1)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::edge;

    #[test]
    fn edges_go_down_and_engines_stay_pure() {
        let good = [
            ("ph-filter", "ph-model"),
            ("ph-taillog", "ph-filter"),
            ("ph-store", "ph-tsdb"),
            ("ph-server", "axum"),
            ("ph-cluster", "kube"),
            ("ph-store", "tokio"),
            ("pilothouse", "ph-server"),
            ("ph-tsdb", "hyperloglog"),
            ("testbed", "tokio"),
        ];
        for (from, to) in good {
            assert_eq!(edge(from, to), None, "{from} imports {to}");
        }
        let bad = [
            ("ph-model", "ph-filter"),
            ("ph-filter", "ph-access"),
            ("ph-tsdb", "ph-taillog"),
            ("ph-access", "ph-workloads"),
            ("ph-link", "ph-api"),
            ("ph-node", "ph-cluster"),
            ("ph-server", "pilothouse"),
            ("ph-tsdb", "tokio-util"),
            ("ph-access", "hyper"),
            ("ph-link", "axum"),
            ("ph-server", "kube"),
            ("ph-workloads", "k8s-openapi"),
            ("ph-node", "testbed"),
            ("xtask", "ph-model"),
        ];
        for (from, to) in bad {
            assert!(edge(from, to).is_some_and(|what| what.contains(';')), "{from} imports {to}");
        }
    }
}
