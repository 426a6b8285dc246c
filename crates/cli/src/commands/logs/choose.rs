//! Which containers flags leave: by names, states, nodes and roles. The same for every backend.

use std::borrow::Cow;

use ph_filter::{Compiled, Filter, Record};
use ph_model::Level;

use super::args;
use super::glob::fits;
use crate::failure::Failure;

/// Expressions over names.
#[derive(Debug)]
pub struct Names(Vec<Compiled>);

/// A name, as the filter sees it.
struct Name<'a>(&'a str);

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

impl Names {
    /// # Errors
    /// Usage, naming the flag.
    pub fn new(flag: &str, patterns: &[String]) -> Result<Self, Failure> {
        let compile = |text: &String| {
            Compiled::new(&Filter::regex(text)).map_err(|e| Failure::usage(format!("{flag} {text}: {e}")))
        };
        patterns.iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches somewhere in the name.
    pub fn any(&self, name: &str) -> bool {
        self.0.iter().any(|c| c.matches(&Name(name)))
    }
}

/// The flags, made ready.
#[derive(Debug)]
pub struct Choice {
    container: Vec<String>,
    containers: Names,
    not_containers: Names,
    not_pods: Names,
    states: Vec<String>,
    nodes: Vec<String>,
    init: bool,
    ephemeral: bool,
}

impl Choice {
    /// # Errors
    /// Usage: an expression that cannot be used.
    pub fn new(flags: &args::Choose) -> Result<Self, Failure> {
        Ok(Self {
            containers: Names::new("--container", &flags.container)?,
            not_containers: Names::new("--exclude-container", &flags.exclude_container)?,
            not_pods: Names::new("--exclude-pod", &flags.exclude_pod)?,
            container: flags.container.clone(),
            states: flags.container_state.clone(),
            nodes: flags.node.clone(),
            init: flags.init_containers.unwrap_or(true),
            ephemeral: flags.ephemeral_containers.unwrap_or(true),
        })
    }

    /// Whether containers are chosen by name, so that it is not the default one.
    pub fn names_containers(&self) -> bool {
        !self.containers.is_empty() || !self.not_containers.is_empty()
    }

    /// Whether it matters what kind of container one is.
    pub fn asks_roles(&self) -> bool {
        !self.init || !self.ephemeral
    }

    pub fn pod(&self, name: &str) -> bool {
        !self.not_pods.any(name)
    }

    /// `all`: the pod's containers. One that has exactly the name is meant alone: `-c app` is not `app-proxy`.
    pub fn container(&self, name: &str, all: &[String]) -> bool {
        let exact = self.container.iter().any(|c| all.contains(c));
        let wanted = match exact {
            _ if self.containers.is_empty() => true,
            true => self.container.iter().any(|c| c == name),
            false => self.containers.any(name),
        };
        wanted && !self.not_containers.any(name)
    }

    pub fn state(&self, state: &str) -> bool {
        self.states.is_empty() || self.states.iter().any(|s| s == state)
    }

    pub fn node(&self, node: &str) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|n| fits(n, node))
    }

    /// `init`, `main`, `sidecar`, `ephemeral`; empty: not known.
    pub fn role(&self, role: &str) -> bool {
        match role {
            "init" => self.init,
            "ephemeral" => self.ephemeral,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_containers() {
        let all: Vec<String> = ["app", "app-proxy", "init-db"].map(str::to_owned).to_vec();
        let chosen = |wanted: &[&str], not: &[&str]| -> Vec<String> {
            let owned = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect();
            let flags = args::Choose {
                container: owned(wanted),
                exclude_container: owned(not),
                ..args::Choose::default()
            };
            let choice = Choice::new(&flags).unwrap();
            all.iter().filter(|c| choice.container(c, &all)).cloned().collect()
        };
        assert_eq!(chosen(&["app"], &[]), ["app"]);
        assert_eq!(chosen(&["proxy"], &[]), ["app-proxy"]);
        assert_eq!(chosen(&["^app"], &[]), ["app", "app-proxy"]);
        assert_eq!(chosen(&[], &["proxy|init"]), ["app"]);
        let bad = args::Choose { container: vec!["(".into()], ..args::Choose::default() };
        assert_eq!(Choice::new(&bad).unwrap_err().exit_code(), 2);
    }
}
