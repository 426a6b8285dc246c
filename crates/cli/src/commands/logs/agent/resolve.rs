//! From what people name to what the server is asked: exactly one meaning, or exit 3 with what there is.

use std::collections::BTreeSet;

use ph_api::{LogGap, LogQuery, LogSelect, LogSource, LogSources, LogSourcesAsk};

use crate::api::Api;
use crate::commands::logs::args::Args;
use crate::commands::logs::ask::Ask;
use crate::commands::logs::glob::is_glob;
use crate::commands::logs::source::{Container, Source, Target};
use crate::commands::logs::{notice, pick};
use crate::failure::{Failure, Outcome, code};
use crate::size;

/// Selects that mean at least one container each.
pub async fn resolve(api: &Api, args: &Args, named: Vec<Source>) -> Result<Vec<LogSelect>, Failure> {
    let mut out: Vec<LogSelect> = Vec::new();
    for source in spread(args, named) {
        let open = broad(&source, args);
        let selects = match &source.target {
            Target::Bare(name) if !is_glob(name) => bare(api, &source, (open, name)).await?,
            _ => {
                let found = found(api, &open, &source).await?;
                tell_default(api, &open, &found).await;
                vec![open]
            }
        };
        for select in selects {
            if !out.contains(&select) {
                out.push(select);
            }
        }
    }
    Ok(out)
}

/// `--dry-run`: what would be read.
pub async fn plan(api: &Api, ask: &Ask, query: &LogQuery) -> Outcome {
    let answer: LogSources =
        api.post("logs/sources", &LogSourcesAsk { sources: query.sources.clone() }).await?;
    let mut table = crate::table::Table::new(&["SOURCE", "STATE", "RUNS", "FILES", "SIZE", "FIRST"]);
    let mut all = 0;
    for s in &answer.sources {
        all += s.bytes;
        table.row([
            written(s),
            s.state.clone(),
            s.runs.len().to_string(),
            s.runs.iter().map(|r| r.segments.len()).sum::<usize>().to_string(),
            size::shown(s.bytes),
            s.first_ns.clone().unwrap_or_default(),
        ]);
    }
    let mut out = crate::out::stdout();
    table.write(&mut out)?;
    std::io::Write::flush(&mut out)?;
    for gap in &answer.gaps {
        eprintln!("gap {}: {}", gap.source_name, gap.text);
    }
    eprintln!("plan: {}", ask.plan());
    eprintln!("estimate: at most {} on disk in {} sources", size::shown(all), answer.sources.len());
    Ok(())
}

/// Bytes on disk of what a query would read.
pub async fn bytes(api: &Api, query: &LogQuery) -> Result<u64, Failure> {
    let ask = LogSourcesAsk { sources: query.sources.clone() };
    let answer: LogSources = api.post("logs/sources", &ask).await?;
    Ok(answer.sources.iter().map(|s| s.bytes).sum())
}

/// `CLUSTER@NAMESPACE:POD/CONTAINER`, as SOURCE takes it.
pub fn written(s: &LogSource) -> String {
    if s.pod.is_empty() {
        return format!("{}@docker/{}", s.cluster, s.container);
    }
    format!("{}@{}:{}/{}", s.cluster, s.namespace, s.pod, s.container)
}

/// Each source once for each cluster and namespace that flags name, where it names none itself.
fn spread(args: &Args, named: Vec<Source>) -> Vec<Source> {
    let c = &args.choose;
    let named = match (named.is_empty(), &c.docker) {
        (true, Some(_)) => vec![any(Container::All)],
        (true, None) => vec![any(Container::Default)],
        (false, _) => named,
    };
    let clusters: Vec<String> = c.cluster.iter().chain(&c.docker).cloned().collect();
    let namespaces: &[String] = if c.all_namespaces { &[] } else { &c.namespace };
    let mut out = Vec::new();
    for source in named {
        let source = match (&source.container, c.all_containers) {
            (Container::Default, true) => Source { container: Container::All, ..source },
            _ => source,
        };
        let of_clusters: Vec<Source> = match (&source.cluster, clusters.is_empty()) {
            (None, false) => {
                clusters.iter().map(|c| Source { cluster: Some(c.clone()), ..source.clone() }).collect()
            }
            _ => vec![source],
        };
        for source in of_clusters {
            match (
                &source.namespace,
                namespaces.is_empty() || matches!(source.target, Target::Namespace(_) | Target::Docker(_)),
            ) {
                (None, false) => {
                    out.extend(
                        namespaces.iter().map(|n| Source { namespace: Some(n.clone()), ..source.clone() }),
                    );
                }
                _ => out.push(source),
            }
        }
    }
    out
}

fn any(container: Container) -> Source {
    Source { text: "everything".to_owned(), cluster: None, namespace: None, target: Target::Any, container }
}

/// What the server is asked of it: the source's names, and what the flags narrow.
fn broad(source: &Source, args: &Args) -> LogSelect {
    let c = &args.choose;
    let mut select = LogSelect {
        cluster: source.cluster.clone(),
        namespace: source.namespace.clone(),
        all_containers: source.container == Container::All,
        container: match &source.container {
            Container::Named(name) => Some(name.clone()),
            _ => None,
        },
        not_pods: c.exclude_pod.clone(),
        containers: c.container.clone(),
        not_containers: c.exclude_container.clone(),
        without_init: c.init_containers == Some(false),
        without_ephemeral: c.ephemeral_containers == Some(false),
        labels: c.selector.clone(),
        fields: c.field_selector.clone(),
        conditions: c.condition.clone(),
        states: c.container_state.clone(),
        nodes: c.node.clone(),
        regions: c.region.clone(),
        zones: c.zone.clone(),
        os: c.os.clone(),
        arch: c.arch.clone(),
        ..LogSelect::default()
    };
    match &source.target {
        Target::Any => {}
        Target::Bare(pod) | Target::Pod(pod) => select.pod = Some(pod.clone()),
        Target::Pods(expression) => select.pod_match = Some(expression.clone()),
        Target::Workload { kind, name } => {
            (select.workload_kind, select.workload) = (Some((*kind).to_owned()), Some(name.clone()));
        }
        Target::Owner { resource, name } => {
            (select.owner, select.workload) = (Some(resource.clone()), Some(name.clone()));
        }
        Target::Service(name) => select.service = Some(name.clone()),
        Target::Node(node) => select.node = Some(node.clone()),
        Target::Namespace(namespace) => select.namespace = Some(namespace.clone()),
        // A container of a Docker host has its own name and no pod.
        Target::Docker(container) => select.container = Some(container.clone()),
    }
    select
}

async fn ask(api: &Api, select: &LogSelect) -> Result<LogSources, Failure> {
    api.post("logs/sources", &LogSourcesAsk { sources: vec![select.clone()] }).await
}

async fn found(api: &Api, select: &LogSelect, source: &Source) -> Result<Vec<LogSource>, Failure> {
    let answer = ask(api, select).await?;
    if answer.sources.is_empty() {
        return Err(none(source, &answer.gaps));
    }
    Ok(answer.sources)
}

fn none(source: &Source, gaps: &[LogGap]) -> Failure {
    let reasons: Vec<&str> = gaps.iter().map(|g| g.text.as_str()).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    Failure::new(code::NO_SOURCE, format!("no container is meant by `{}`{why}", source.text))
        .next("pilothouse get pods -o name lists pods as this command takes them")
}

/// The pod of that name, else the one workload of that name, else the pods whose names begin with it.
async fn bare(api: &Api, source: &Source, (pod, name): (LogSelect, &str)) -> Result<Vec<LogSelect>, Failure> {
    let pods = ask(api, &pod).await?;
    if !pods.sources.is_empty() {
        tell_default(api, &pod, &pods.sources).await;
        return Ok(vec![pod]);
    }
    let workload = LogSelect { pod: None, workload: Some(name.to_owned()), ..pod.clone() };
    let of_workload = ask(api, &workload).await?.sources;
    let kinds: BTreeSet<&str> = of_workload.iter().map(|s| s.workload_kind.as_str()).collect();
    if !kinds.is_empty() {
        let kind = one_kind(source, name, &kinds)?;
        let select = LogSelect { workload_kind: Some(kind), ..workload };
        let of_kind = ask(api, &select).await?.sources;
        tell_default(api, &select, &of_kind).await;
        return Ok(vec![select]);
    }
    let begin = LogSelect { pod: Some(format!("{name}-*")), ..pod };
    let found = ask(api, &begin).await?.sources;
    if found.is_empty() {
        return Err(none(source, &pods.gaps));
    }
    tell_default(api, &begin, &found).await;
    Ok(vec![begin])
}

/// The kind that is meant when several have the name: chosen on a terminal.
fn one_kind(source: &Source, name: &str, kinds: &BTreeSet<&str>) -> Result<String, Failure> {
    if let (1, Some(kind)) = (kinds.len(), kinds.first()) {
        return Ok((*kind).to_owned());
    }
    let list: Vec<String> = kinds.iter().map(|k| format!("{}/{name}", k.to_lowercase())).collect();
    let title = format!("`{}` is more than one thing", source.text);
    if let Some(at) = pick::one(&title, &list)? {
        return kinds.iter().nth(at).map(|k| (*k).to_owned()).ok_or_else(|| Failure::usage(title));
    }
    Err(Failure::new(code::NO_SOURCE, format!("{title}: {}", list.join(", ")))
        .next(format!("name one of them: pilothouse logs {}", list.first().map_or("", String::as_str))))
}

/// Says which containers the default leaves out.
async fn tell_default(api: &Api, select: &LogSelect, chosen: &[LogSource]) {
    let by_name = !select.containers.is_empty() || !select.not_containers.is_empty();
    if select.container.is_some() || select.all_containers || by_name {
        return;
    }
    let all = LogSelect { all_containers: true, ..select.clone() };
    let Ok(all) = ask(api, &all).await else { return };
    let names = |list: &[LogSource]| list.iter().map(|s| s.container.clone()).collect::<BTreeSet<_>>();
    let (chosen, all) = (names(chosen), names(&all.sources));
    let others: Vec<String> = all.difference(&chosen).cloned().collect();
    if !others.is_empty() {
        let chosen: Vec<String> = chosen.into_iter().collect();
        notice(&format!(
            "container {}; others: {} (-c NAME, --all-containers)",
            chosen.join(", "),
            others.join(", ")
        ));
    }
}

/// Every container that the caller may read, for the picker: how it is written, and what it is.
pub async fn everything(api: &Api, args: &Args) -> Result<Vec<String>, Failure> {
    let mut out = BTreeSet::new();
    for source in spread(args, Vec::new()) {
        let select = LogSelect { all_containers: true, ..broad(&source, args) };
        let answer = ask(api, &select).await?;
        out.extend(answer.sources.iter().map(written));
    }
    Ok(out.into_iter().collect())
}
