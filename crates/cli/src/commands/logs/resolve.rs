//! From what people name to what the server is asked: exactly one meaning, or exit 3 with what there is.

use std::collections::BTreeSet;

use ph_api::{LogGap, LogSelect, LogSource, LogSources, LogSourcesAsk, ObjectQuery};

use super::notice;
use super::source::Source;
use crate::api::Api;
use crate::commands::get::all_objects;
use crate::failure::{Failure, code};

/// Selects that mean at least one container each.
pub async fn resolve(api: &Api, sources: Vec<Source>) -> Result<Vec<LogSelect>, Failure> {
    let mut out = Vec::new();
    for source in sources {
        match source.bare.clone() {
            Some(name) => out.extend(bare(api, &source, &name).await?),
            None if is_namespace_or_node(&source.select) => {
                // All of a place: every container, since a place has no default one.
                let select = LogSelect { all_containers: true, ..source.select.clone() };
                found(api, &select, &source).await?;
                out.push(select);
            }
            None => {
                let list = found(api, &source.select, &source).await?;
                tell_default(api, &source.select, &list).await;
                out.push(source.select);
            }
        }
    }
    Ok(out)
}

fn is_namespace_or_node(s: &LogSelect) -> bool {
    s.pod.is_none() && s.workload.is_none() && s.container.is_none()
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
    let pod = LogSelect { pod: Some(name.to_owned()), ..source.select.clone() };
    let pods = ask(api, &pod).await?.sources;
    if !pods.is_empty() {
        tell_default(api, &pod, &pods).await;
        return Ok(vec![pod]);
    }
    let workload = LogSelect { workload: Some(name.to_owned()), ..source.select.clone() };
    let of_workload = ask(api, &workload).await?.sources;
    let kinds: BTreeSet<&str> = of_workload.iter().map(|s| s.workload_kind.as_str()).collect();
    match kinds.len() {
        0 => {}
        1 => {
            tell_default(api, &workload, &of_workload).await;
            return Ok(vec![workload]);
        }
        _ => {
            let list: Vec<String> = kinds.iter().map(|k| format!("{}/{name}", k.to_lowercase())).collect();
            return Err(Failure::new(
                code::NO_SOURCE,
                format!("`{}` is more than one thing: {}", source.text, list.join(", ")),
            )
            .next(format!("name one of them: pilothouse logs {}", list.first().map_or("", String::as_str))));
        }
    }
    let query = ObjectQuery {
        cluster: source.select.cluster.clone(),
        namespace: source.select.namespace.clone(),
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
            ..source.select.clone()
        })
        .collect();
    if selects.is_empty() { Err(none(source, &[])) } else { Ok(selects) }
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
