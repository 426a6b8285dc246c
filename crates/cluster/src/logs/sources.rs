//! Which containers are meant, and what the API has of their logs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use ph_link::API_SEGMENT;
use ph_link::v1::{LogRun, LogSegment, LogSource, SourceRef, SourcesReply};
use tokio::time::Instant;

use super::Desk;
use crate::inventory::Entry;
use crate::kube_logs::{Source, State, Timing, containers_of, first_line};

/// Questions to the API server at once.
const CONCURRENT: usize = 16;
/// Runs whose first line is asked for; of more, the status' own times must do.
const MOST_ASKED: usize = 64;
/// A reader waits 5 s for the list.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a first line is believed: the kubelet rotates.
const KEPT: Duration = Duration::from_secs(15);
const MOST_KEPT: usize = 10_000;
/// Static pods' files lie under this hash, by which they may be named.
const CONFIG_HASH: &str = "kubernetes.io/config.hash";

/// A container that cannot be read: a gap's kind, and why.
pub type Missing = (&'static str, String);

/// Pod's UID, container, run.
type RunOf = (String, String, u32);

/// Times of oldest lines, and when they were asked for.
#[derive(Default)]
pub struct FirstLines(Mutex<HashMap<RunOf, (Instant, Option<i64>)>>);

impl FirstLines {
    async fn of(&self, desk: &Desk, source: &Source, run: u32) -> Option<i64> {
        let key = (source.pod_uid.clone(), source.container.clone(), run);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((at, first)) = kept
            && at.elapsed() < KEPT
        {
            return first;
        }
        let first = first_line(&desk.client, source, (run < source.restarts, &Timing::default())).await;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_KEPT {
            all.clear();
        }
        all.insert(key, (Instant::now(), first));
        first
    }
}

/// The containers as their pods' status has them now, in the order that they are named in.
pub async fn resolve(desk: &Desk, wanted: &[SourceRef]) -> Vec<Result<Source, Missing>> {
    let known: HashMap<(String, String), Entry> = desk
        .inventory
        .of_kind("Pod")
        .into_iter()
        .map(|(_, e)| ((e.namespace.clone(), e.name.clone()), e))
        .collect();
    let asked = wanted.iter().map(|reference| {
        let entry = known.get(&(reference.namespace.clone(), reference.pod.clone()));
        let pod = entry.and_then(|e| serde_json::from_slice::<Pod>(&e.json).ok());
        one(desk, reference, pod)
    });
    let asked: Vec<_> = asked.collect();
    futures::stream::iter(asked).buffered(CONCURRENT).collect().await
}

async fn one(desk: &Desk, reference: &SourceRef, known: Option<Pod>) -> Result<Source, Missing> {
    if let Some(source) = known.and_then(|pod| of_pod(&pod, reference)) {
        return Ok(source);
    }
    let SourceRef { namespace, pod, container, .. } = reference;
    let api: Api<Pod> = Api::namespaced(desk.client.clone(), namespace);
    let asked = tokio::time::timeout(Timing::default().answer, api.get_opt(pod)).await;
    let gone =
        || ("read_error", format!("{namespace}/{pod}/{container}: the pod is gone, and its logs with it"));
    match asked {
        Ok(Ok(Some(found))) => of_pod(&found, reference).ok_or_else(gone),
        Ok(Ok(None)) => Err(gone()),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403) => {
            let text =
                format!("{namespace}/{pod}: {}; get on pods in {namespace} would allow it", status.message);
            Err(("denied", text))
        }
        Ok(Err(e)) => Err(("cluster_unreachable", format!("{namespace}/{pod}: {}", crate::error::chain(&e)))),
        Err(_) => Err((
            "cluster_unreachable",
            format!("{namespace}/{pod}: the API server did not answer within 5 s"),
        )),
    }
}

/// The container of a pod, when it is the very pod that is meant.
pub fn of_pod(pod: &Pod, reference: &SourceRef) -> Option<Source> {
    let hash = pod.metadata.annotations.as_ref().and_then(|a| a.get(CONFIG_HASH));
    let uids = [pod.metadata.uid.as_ref(), hash];
    let same = reference.pod_uid.is_empty() || uids.contains(&Some(&reference.pod_uid));
    same.then(|| containers_of(pod))?.into_iter().find(|s| s.container == reference.container)
}

/// Sources with their runs; `only` empty means all.
pub async fn list(desk: &Desk, firsts: &FirstLines, only: &[SourceRef]) -> SourcesReply {
    let all;
    let wanted = if only.is_empty() {
        all = every(desk);
        &all
    } else {
        only
    };
    let mut reply = SourcesReply::default();
    let mut found = Vec::new();
    for (reference, answer) in wanted.iter().zip(resolve(desk, wanted).await) {
        match answer {
            Ok(source) => found.push((reference.clone(), source)),
            Err((_, why)) => reply.warnings.push(why),
        }
    }
    let runs = |s: &Source| -> Vec<u32> {
        let before = s.restarts.checked_sub(1).filter(|_| s.last.is_some());
        let current = (!s.state.is_waiting()).then_some(s.restarts);
        before.into_iter().chain(current).collect()
    };
    let asks = found.iter().map(|(_, s)| runs(s).len()).sum::<usize>() <= MOST_ASKED;
    let sources: Vec<_> = found.iter().map(|f| source(desk, firsts, (f, runs(&f.1), asks))).collect();
    reply.sources = futures::stream::iter(sources).buffered(CONCURRENT).collect().await;
    reply
}

async fn source(
    desk: &Desk,
    firsts: &FirstLines,
    ((reference, source), numbers, asks): (&(SourceRef, Source), Vec<u32>, bool),
) -> LogSource {
    let mut runs = Vec::with_capacity(numbers.len());
    for run in numbers {
        let first = match asks {
            true => tokio::time::timeout(PATIENCE, firsts.of(desk, source, run)).await.ok().flatten(),
            false => None,
        };
        let began = source.started_ns.filter(|_| run == source.restarts);
        let segment = LogSegment {
            key: API_SEGMENT.to_be_bytes().to_vec().into(),
            file: if run == source.restarts { "live" } else { "previous" }.to_owned(),
            first_ns: first.or(began).unwrap_or(0),
            ..LogSegment::default()
        };
        runs.push(LogRun { run, segments: vec![segment] });
    }
    let state = match source.state {
        State::Running => "running",
        State::Terminated { .. } | State::Waiting { .. } => "exited",
    };
    LogSource { source: Some(reference.clone()), runs, state: state.to_owned() }
}

/// Every container of the inventory.
fn every(desk: &Desk) -> Vec<SourceRef> {
    let pods = desk.inventory.of_kind("Pod").into_iter();
    let parsed = pods.filter_map(|(_, entry)| serde_json::from_slice::<Pod>(&entry.json).ok());
    parsed
        .flat_map(|pod| containers_of(&pod))
        .map(|s| SourceRef {
            namespace: s.namespace,
            pod: s.pod,
            pod_uid: s.pod_uid,
            container: s.container,
            container_id: String::new(),
        })
        .collect()
}
