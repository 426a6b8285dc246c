//! From what people name to what the server is asked: exactly one meaning, or exit 3 with what there is.

use std::collections::{BTreeMap, BTreeSet};

use ph_api::{LogGap, LogQuery, LogSelect, LogSource, LogSources, LogSourcesAsk, ObjectQuery};

use super::record;
use crate::api::Api;
use crate::commands::get::all_objects;
use crate::commands::logs::args::Args;
use crate::commands::logs::ask::Ask;
use crate::commands::logs::choose::Choice;
use crate::commands::logs::glob::{fits, is_glob};
use crate::commands::logs::source::{Container, Source, Target};
use crate::commands::logs::{notice, pick};
use crate::failure::{Failure, Outcome, code};
use crate::size;

/// Selects that mean at least one container each.
pub async fn resolve(api: &Api, args: &Args, named: Vec<Source>) -> Result<Vec<LogSelect>, Failure> {
    let choice = Choice::new(&args.choose)?;
    let mut out: Vec<LogSelect> = Vec::new();
    for source in spread(args, named) {
        let selects = match must_list(&source, args) {
            true => listed(api, (&source, args), &choice).await?,
            false => plain(api, &source).await?,
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

/// Whether the server's own selection does not say it.
fn must_list(source: &Source, args: &Args) -> bool {
    let c = &args.choose;
    let glob = |text: &Option<String>| text.as_deref().is_some_and(is_glob);
    let name = match &source.target {
        Target::Pods(_) | Target::Any => true,
        Target::Bare(n)
        | Target::Pod(n)
        | Target::Service(n)
        | Target::Node(n)
        | Target::Namespace(n)
        | Target::Docker(n) => is_glob(n),
        Target::Workload { name, .. } | Target::Owner { name, .. } => is_glob(name),
    };
    let container = matches!(&source.container, Container::Named(n) if is_glob(n));
    let flags = !c.container.is_empty()
        || !c.exclude_container.is_empty()
        || !c.exclude_pod.is_empty()
        || !c.container_state.is_empty()
        || !c.node.is_empty()
        || c.init_containers == Some(false)
        || c.ephemeral_containers == Some(false);
    name || container || flags || glob(&source.cluster) || glob(&source.namespace)
}

/// What the server can be asked of it; globs are left open.
fn broad(source: &Source) -> Result<LogSelect, Failure> {
    let exact = |text: &Option<String>| text.clone().filter(|t| !is_glob(t));
    let mut select = LogSelect {
        cluster: exact(&source.cluster),
        namespace: exact(&source.namespace),
        all_containers: source.container == Container::All,
        container: match &source.container {
            Container::Named(name) => Some(name.clone()).filter(|n| !is_glob(n)),
            _ => None,
        },
        ..LogSelect::default()
    };
    let name = |name: &String| Some(name.clone()).filter(|n| !is_glob(n));
    match &source.target {
        Target::Bare(_) | Target::Pods(_) | Target::Any => {}
        Target::Pod(pod) => select.pod = name(pod),
        Target::Workload { kind, name: workload } => {
            select.workload_kind = Some((*kind).to_owned());
            select.workload = name(workload);
        }
        Target::Node(node) => {
            select.node = name(node);
            select.all_containers |= source.container == Container::Default;
        }
        Target::Namespace(namespace) => {
            select.namespace = name(namespace);
            select.all_containers |= source.container == Container::Default;
        }
        // A container of a Docker host has its own name and no pod.
        Target::Docker(container) => select.container = name(container),
        Target::Service(_) | Target::Owner { .. } => {
            return Err(Failure::new(
                code::UNREACHABLE,
                format!("`{}`: the server does not know which pods belong to it", source.text),
            )
            .next("name the workload (deploy/web) or pods (~REGEX), or use --backend kube"));
        }
    }
    Ok(select)
}

/// Sources that have to be looked through here.
async fn listed(
    api: &Api,
    (source, args): (&Source, &Args),
    choice: &Choice,
) -> Result<Vec<LogSelect>, Failure> {
    let mut select = broad(source)?;
    let several = choice.names_containers() || matches!(&source.container, Container::Named(n) if is_glob(n));
    select.all_containers |= several;
    let answer = ask(api, &select).await?;
    let roles = match choice.asks_roles() {
        true => roles(api, &select).await?,
        false => BTreeMap::new(),
    };
    let begins = begins(source)?;
    let fitting: Vec<&LogSource> = answer.sources.iter().filter(|s| begins(s)).collect();
    let of_pod = |s: &LogSource| -> Vec<String> {
        fitting.iter().filter(|o| o.pod_uid == s.pod_uid).map(|o| o.container.clone()).collect()
    };
    let chosen: Vec<LogSelect> = fitting
        .iter()
        .filter(|s| {
            let role = roles.get(&(s.pod_uid.clone(), s.container.clone())).map_or("", String::as_str);
            choice.pod(&s.pod)
                && choice.container(&s.container, &of_pod(s))
                && choice.state(&s.state)
                && choice.node(&s.node)
                && choice.role(role)
        })
        .map(|s| LogSelect {
            cluster: Some(s.cluster.clone()),
            namespace: Some(s.namespace.clone()).filter(|n| !n.is_empty()),
            pod: Some(s.pod.clone()).filter(|n| !n.is_empty()),
            pod_uid: Some(s.pod_uid.clone()).filter(|n| !n.is_empty()),
            container: Some(s.container.clone()),
            ..LogSelect::default()
        })
        .collect();
    if chosen.is_empty() {
        return Err(none(source, &answer.gaps));
    }
    if args.range.follow {
        notice(
            "note: these are the containers of now; new ones do not join when names are chosen by patterns",
        );
    }
    Ok(chosen)
}

type Fits<'a> = Box<dyn Fn(&LogSource) -> bool + 'a>;

/// Whether a listed source is meant by the names.
fn begins<'a>(source: &'a Source) -> Result<Fits<'a>, Failure> {
    let fit = |pattern: &Option<String>, name: &str| pattern.as_ref().is_none_or(|p| fits(p, name));
    let pattern = match &source.target {
        Target::Pods(text) => {
            Some(crate::commands::logs::choose::Names::new("SOURCE", std::slice::from_ref(text))?)
        }
        _ => None,
    };
    Ok(Box::new(move |s| {
        let target = match &source.target {
            Target::Any => true,
            Target::Pods(_) => pattern.as_ref().is_some_and(|p| p.any(&s.pod)),
            Target::Pod(name) => fits(name, &s.pod),
            Target::Bare(name) if is_glob(name) => fits(name, &s.pod),
            Target::Bare(name) => {
                s.pod == *name
                    || s.workload == *name
                    || s.pod.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('-'))
            }
            Target::Workload { kind, name } => s.workload_kind == *kind && fits(name, &s.workload),
            Target::Node(name) => fits(name, &s.node),
            Target::Namespace(name) => fits(name, &s.namespace),
            Target::Docker(name) => s.pod.is_empty() && fits(name, &s.container),
            Target::Service(_) | Target::Owner { .. } => false,
        };
        let container = match &source.container {
            Container::Named(name) => fits(name, &s.container),
            Container::Default | Container::All => true,
        };
        target
            && container
            && fit(&source.namespace, &s.namespace)
            && (fit(&source.cluster, &s.cluster)
                || s.id.starts_with(source.cluster.as_deref().unwrap_or_default()))
    }))
}

/// `init`, `main`, `sidecar`, `ephemeral` by pod UID and container.
async fn roles(api: &Api, select: &LogSelect) -> Result<BTreeMap<(String, String), String>, Failure> {
    let query = ObjectQuery {
        cluster: select.cluster.clone(),
        namespace: select.namespace.clone(),
        ..ObjectQuery::default()
    };
    let pods = all_objects(api, "pods", query).await?;
    let of = |p: ph_api::Object| p.containers.into_iter().map(move |c| ((p.uid.clone(), c.name), c.role));
    Ok(pods.into_iter().flat_map(of).collect())
}

/// Sources that the server selects by itself.
async fn plain(api: &Api, source: &Source) -> Result<Vec<LogSelect>, Failure> {
    if let Target::Bare(name) = &source.target {
        return bare(api, source, name).await;
    }
    let select = broad(source)?;
    let found = found(api, &select, source).await?;
    tell_default(api, &select, &found).await;
    Ok(vec![select])
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
async fn bare(api: &Api, source: &Source, name: &str) -> Result<Vec<LogSelect>, Failure> {
    let open = broad(source)?;
    let pod = LogSelect { pod: Some(name.to_owned()), ..open.clone() };
    let pods = ask(api, &pod).await?.sources;
    if !pods.is_empty() {
        tell_default(api, &pod, &pods).await;
        return Ok(vec![pod]);
    }
    let workload = LogSelect { workload: Some(name.to_owned()), ..open.clone() };
    let of_workload = ask(api, &workload).await?.sources;
    let kinds: BTreeSet<&str> = of_workload.iter().map(|s| s.workload_kind.as_str()).collect();
    if !kinds.is_empty() {
        let kind = one_kind(source, name, &kinds)?;
        let select = LogSelect { workload_kind: Some(kind), ..workload };
        let of_kind = ask(api, &select).await?.sources;
        tell_default(api, &select, &of_kind).await;
        return Ok(vec![select]);
    }
    let query = ObjectQuery {
        cluster: source.cluster.clone(),
        namespace: source.namespace.clone(),
        name: Some(name.to_owned()),
        ..ObjectQuery::default()
    };
    let begin = format!("{name}-");
    let selects: Vec<LogSelect> = all_objects(api, "pods", query)
        .await?
        .into_iter()
        .filter(|o| o.name.starts_with(&begin))
        .map(|o| LogSelect {
            cluster: Some(o.cluster_id.to_string()),
            namespace: Some(o.namespace),
            pod: Some(o.name),
            pod_uid: Some(o.uid),
            ..open.clone()
        })
        .collect();
    if selects.is_empty() { Err(none(source, &[])) } else { Ok(selects) }
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
    if select.container.is_some() || select.all_containers {
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
        let select = LogSelect { all_containers: true, ..broad(&source)? };
        let answer = ask(api, &select).await?;
        let namespace =
            |s: &LogSource| source.namespace.as_ref().is_none_or(|p| fits(p, &record::source(s).namespace));
        out.extend(answer.sources.iter().filter(|s| namespace(s)).map(written));
    }
    Ok(out.into_iter().collect())
}
