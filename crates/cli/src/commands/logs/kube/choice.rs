//! The flags' choice in the Kubernetes backend's words.

use ph_cluster::kube_logs::{Choice, Containers, Pick, State, StateWord, Target as To};
use regex::Regex;

use crate::commands::logs::args::Args;
use crate::commands::logs::source::{Container, Source, Target};
use crate::failure::{Failure, code};

/// What is meant in one context.
pub fn of(args: &Args, named: &[Source]) -> Result<Choice, Failure> {
    let c = &args.choose;
    let states = c.container_state.iter().map(|s| word(s)).collect::<Result<Vec<_>, _>>()?;
    Ok(Choice {
        picks: named.iter().map(pick).collect::<Result<_, _>>()?,
        namespaces: if c.all_namespaces { vec!["*".to_owned()] } else { c.namespace.clone() },
        labels: c.selector.clone(),
        fields: c.field_selector.clone(),
        containers: if c.all_containers { Containers::All } else { Containers::Default },
        include: patterns("--container", &c.container)?,
        exclude: patterns("--exclude-container", &c.exclude_container)?,
        exclude_pods: patterns("--exclude-pod", &c.exclude_pod)?,
        without_init: c.init_containers == Some(false),
        without_ephemeral: c.ephemeral_containers == Some(false),
        states,
        conditions: c
            .condition
            .iter()
            .map(|text| text.split_once('=').unwrap_or((text, "True")))
            .map(|(kind, status)| (kind.to_owned(), status.to_owned()))
            .collect(),
        nodes: c.node.clone(),
        regions: c.region.clone(),
        zones: c.zone.clone(),
        os: c.os.clone(),
        arch: c.arch.clone(),
    })
}

/// A container's state in the word of `--container-state`.
pub fn state(state: &State) -> &'static str {
    match state {
        State::Running => "running",
        State::Waiting { .. } => "waiting",
        State::Terminated { .. } => "terminated",
    }
}

fn word(text: &str) -> Result<StateWord, Failure> {
    match text {
        "running" => Ok(StateWord::Running),
        "waiting" => Ok(StateWord::Waiting),
        "terminated" => Ok(StateWord::Terminated),
        _ => Err(Failure::new(
            code::UNREACHABLE,
            format!("--container-state {text}: the Kubernetes API forgets containers that are gone"),
        )
        .next("use --backend agent, which reads what is left on the node")),
    }
}

fn pick(source: &Source) -> Result<Pick, Failure> {
    let target = match &source.target {
        Target::Any => To::Any,
        Target::Bare(name) => To::Bare(name.clone()),
        Target::Pods(pattern) => To::Pods(regex("SOURCE", pattern)?),
        Target::Pod(name) => To::Pod(name.clone()),
        Target::Workload { kind, name } => To::Workload { kind: (*kind).to_owned(), name: name.clone() },
        Target::Service(name) => To::Service(name.clone()),
        Target::Node(name) => To::Node(name.clone()),
        Target::Namespace(name) => To::Namespace(name.clone()),
        Target::Owner { resource, name } => To::Owner { resource: resource.clone(), name: name.clone() },
        Target::Docker(_) => {
            return Err(Failure::new(
                code::UNREACHABLE,
                format!("`{}`: a Docker host has no Kubernetes API", source.text),
            )
            .next("use --backend agent"));
        }
    };
    Ok(Pick {
        text: source.text.clone(),
        namespace: source.namespace.clone(),
        target,
        containers: match &source.container {
            Container::Default => Containers::Default,
            Container::All => Containers::All,
            Container::Named(name) => Containers::Named(name.clone()),
        },
    })
}

fn patterns(flag: &str, texts: &[String]) -> Result<Vec<Regex>, Failure> {
    texts.iter().map(|t| regex(flag, t)).collect()
}

fn regex(flag: &str, text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|e| Failure::usage(format!("{flag} {text}: {e}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::commands::logs::source::{Given, parse};

    fn of_line(line: &[&str]) -> Result<Choice, u8> {
        let Command::Logs(args) = Cli::try_parse_from(line).unwrap().command else {
            panic!("logs was asked for")
        };
        let named = args.sources.iter().map(|s| parse(s).unwrap());
        let named: Vec<Source> =
            named.filter_map(|g| if let Given::Named(s) = g { Some(s) } else { None }).collect();
        of(&args, &named).map_err(|f| f.exit_code())
    }

    #[test]
    fn flags_become_a_choice() {
        let choice = of_line(&[
            "pilothouse",
            "logs",
            "sh*:deploy/web/app",
            "~^db",
            "-A",
            "-l",
            "app=web",
            "--condition=Ready=False",
            "--condition=Initialized",
            "-E",
            "proxy",
            "--init-containers=false",
            "--container-state=running,terminated",
        ])
        .unwrap();
        assert_eq!((choice.picks.len(), choice.namespaces.as_slice()), (2, &["*".to_owned()][..]));
        assert!(
            matches!(&choice.picks[0].target, To::Workload { kind, name } if kind == "Deployment" && name == "web")
        );
        assert_eq!(choice.picks[0].containers, Containers::Named("app".into()));
        assert_eq!(
            choice.conditions,
            [("Ready".into(), "False".into()), ("Initialized".into(), "True".into())]
        );
        assert_eq!((choice.without_init, choice.without_ephemeral, choice.exclude.len()), (true, false, 1));
        assert_eq!(choice.states, [StateWord::Running, StateWord::Terminated]);
        assert_eq!(of_line(&["pilothouse", "logs", "-A", "--container-state=gone"]).map(|_| ()), Err(6));
        assert_eq!(of_line(&["pilothouse", "logs", "docker/nginx"]).map(|_| ()), Err(6));
        assert_eq!(of_line(&["pilothouse", "logs", "-A", "-c", "("]).map(|_| ()), Err(2));
    }
}
