//! Which contexts of the kubeconfig are shown, and how each cluster is called.

use std::collections::BTreeSet;
use std::path::Path;

use ph_cluster::kubeconfig::{self, Context, Contexts};
use ph_filter::glob_fits;

use crate::failure::{Failure, code, with_causes};
use crate::own_agents::cluster_name;

/// One context and the name of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub context: Context,
    pub cluster: String,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub shown: Vec<Shown>,
    /// To be told once.
    pub notices: Vec<String>,
}

/// The contexts that are meant, in the file's order.
pub fn chosen(path: Option<&Path>, wanted: &[String]) -> Result<Chosen, Failure> {
    let all = kubeconfig::contexts(path).map_err(|e| {
        Failure::new(code::UNREACHABLE, with_causes(&e))
            .next("name the file with --kubeconfig FILE; kubectl config view shows the one that kubectl uses")
    })?;
    choose(&all, wanted)
}

fn choose(all: &Contexts, wanted: &[String]) -> Result<Chosen, Failure> {
    let all_names: Vec<&str> = all.all.iter().map(|c| c.name.as_str()).collect();
    if all.all.is_empty() {
        return Err(Failure::new(code::UNREACHABLE, "the kubeconfig has no context")
            .next("name another file with --kubeconfig FILE"));
    }
    let listed = || format!("contexts are {}", all_names.join(", "));
    let mut chosen = Chosen::default();
    let meant: Vec<&Context> = if wanted.is_empty() {
        let current = all.all.iter().find(|c| Some(&c.name) == all.current.as_ref());
        let current = current.or_else(|| all.all.first().filter(|_| all.all.len() == 1));
        let current = current.ok_or_else(|| {
            Failure::usage("the kubeconfig names no current context")
                .next(format!("choose with --context NAME, or '*' for all; {}", listed()))
        })?;
        let others = all.all.len() - 1;
        if others > 0 {
            let noun = if others == 1 { "context is" } else { "contexts are" };
            chosen.notices.push(format!(
                "context {}; {others} more {noun} in the kubeconfig: --context '*' shows all",
                current.name
            ));
        }
        vec![current]
    } else {
        for pattern in wanted {
            if !all_names.iter().any(|n| glob_fits(pattern, n)) {
                return Err(Failure::usage(format!("no context {pattern}")).next(listed()));
            }
        }
        all.all.iter().filter(|c| wanted.iter().any(|w| glob_fits(w, &c.name))).collect()
    };
    let mut taken = BTreeSet::new();
    for context in meant {
        let cluster = free_name(&context.name, &mut taken);
        chosen.shown.push(Shown { context: context.clone(), cluster });
    }
    Ok(chosen)
}

/// A name that no other context has: contexts may differ in characters that a cluster's name cannot have.
fn free_name(context: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = cluster_name(context);
    let plain = if plain.is_empty() { "cluster".to_owned() } else { plain };
    let mut name = plain.clone();
    let mut n = 2;
    while !taken.insert(name.clone()) {
        name = cluster_name(&format!("{plain}-{n}"));
        n += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Contexts {
        let names = ["Prod", "prod", "arn:aws:eks:eu-1:1:cluster/x", "stage"].map(str::to_owned);
        Contexts { current: Some("stage".into()), all: names.map(context).into() }
    }

    fn context(name: String) -> Context {
        Context { name, server: "https://k".into() }
    }

    fn shown(wanted: &[&str]) -> Vec<(String, String)> {
        let wanted: Vec<String> = wanted.iter().map(|w| (*w).to_owned()).collect();
        let chosen = choose(&all(), &wanted).unwrap();
        chosen.shown.into_iter().map(|s| (s.context.name, s.cluster)).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn the_current_one_alone_unless_told_and_names_differ() {
        assert_eq!(shown(&[]), pairs(&[("stage", "stage")]));
        assert_eq!(shown(&["stage", "pr*"]), pairs(&[("prod", "prod"), ("stage", "stage")]));
        let every = pairs(&[
            ("Prod", "prod"),
            ("prod", "prod-2"),
            ("arn:aws:eks:eu-1:1:cluster/x", "arn-aws-eks-eu-1-1-cluster-x"),
            ("stage", "stage"),
        ]);
        assert_eq!(shown(&["*"]), every);
        assert!(choose(&all(), &[]).unwrap().notices[0].contains("3 more contexts"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let failure = choose(&all(), &["dev".into()]).unwrap_err();
        assert_eq!((failure.exit_code(), failure.text()), (code::USAGE, "no context dev"));
        let none = Contexts { current: Some("gone".into()), ..all() };
        assert!(choose(&none, &[]).unwrap_err().text().contains("no current context"));
        assert_eq!(choose(&Contexts::default(), &[]).unwrap_err().exit_code(), code::UNREACHABLE);
        let only = Contexts { current: None, all: vec![context("a".into())] };
        assert_eq!(choose(&only, &[]).unwrap().shown.len(), 1);
    }
}
