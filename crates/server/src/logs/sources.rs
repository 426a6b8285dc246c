//! Sources: which containers are meant, and which files of theirs lie on the nodes.
//!
//! Never:  lists a container whose log the cluster refuses to the caller, unless the caller named it outright: then it says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::{LogSelect, LogSources, LogSourcesAsk};
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::{SourcesAsk, SourcesReply};
use ph_model::ClusterId;

use super::page;
use super::read::{Missing, NodeSources, unreachable_gap, words};
use super::record::{position_key, time_text};
use super::resolve::{Resolved, by_reader, resolve};
use super::routes::numbered;
use super::ticket::{self, Admitted};
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;
use ph_filter::is_glob;

/// Containers whose logs the caller may read, with their files.
#[utoipa::path(post, path = "/api/v1/logs/sources", tag = "logs", request_body = LogSourcesAsk,
    responses((status = 200, body = LogSources), (status = 404, body = ph_api::Problem)),
    extensions(("x-permission" = json!("logs.read"))))]
pub async fn sources(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<LogSourcesAsk>,
) -> Result<Json<LogSources>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let found = numbered(resolve(&app, &ctx, &ask.sources)?)?;
    let named = outright(&app, &ctx, &ask.sources)?;
    let nodes = by_reader(&app, &ctx, &found);
    let answers = futures::future::join_all(nodes.iter().map(|(_, node)| admitted_files(node))).await;
    let mut by_index: HashMap<u32, Resolved> = found.into_iter().collect();
    let (mut missing, mut refused): (Vec<Missing>, BTreeSet<u32>) = Default::default();
    for ((_, node), (admitted, answer)) in nodes.iter().zip(answers) {
        refused.extend(admitted.gaps.iter().filter(|g| g.2.kind == "denied").filter_map(|g| g.0));
        missing.extend(admitted.gaps);
        match answer {
            Ok(reply) => fill(&mut by_index, node, reply),
            Err(why) => missing.push(unreachable_gap(&admitted.node, &why)),
        }
    }
    // What may not be read is not there, but for those who know of it.
    let hidden = |index: &u32, r: &Resolved| refused.contains(index) && !named.contains(&r.json.id);
    missing.retain(|(i, ..)| i.is_none_or(|i| by_index.get(&i).is_none_or(|r| !hidden(&i, r))));
    by_index.retain(|i, r| !hidden(i, r));
    let names = by_index.iter().map(|(i, r)| (*i, r.json.clone())).collect();
    let gaps = missing.iter().map(|(source, node, gap)| page::gap(*source, node, gap, &names)).collect();
    let mut list: Vec<_> = by_index.into_iter().collect();
    list.sort_by_key(|(i, _)| *i);
    Ok(Json(LogSources { sources: list.into_iter().map(|(_, r)| r.json).collect(), gaps }))
}

/// Ids of the sources that the caller named by pod or by workload.
fn outright(app: &AppState, ctx: &TenantCtx, selects: &[LogSelect]) -> Result<BTreeSet<String>, Problem> {
    let exact = |name: &Option<String>| name.as_deref().is_some_and(|n| !n.is_empty() && !is_glob(n));
    let named =
        |s: &&LogSelect| exact(&s.pod) || exact(&s.pod_uid) || exact(&s.workload) || s.workload_uid.is_some();
    let selects: Vec<LogSelect> = selects.iter().filter(named).cloned().collect();
    if selects.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(resolve(app, ctx, &selects)?.into_iter().map(|r| r.json.id).collect())
}

/// The files of those sources of a node that the cluster lets the caller read.
pub async fn files(node: &NodeSources) -> Result<SourcesReply, String> {
    admitted_files(node).await.1
}

/// The same, with what the cluster said.
async fn admitted_files(node: &NodeSources) -> (Admitted, Result<SourcesReply, String>) {
    let admitted = ticket::admit(node).await;
    let reply = match admitted.node.sources.is_empty() {
        true => Ok(SourcesReply::default()),
        false => list(&admitted).await,
    };
    (admitted, reply)
}

async fn list(admitted: &Admitted) -> Result<SourcesReply, String> {
    let node = &admitted.node;
    let channel = node.doors.to(None).ok_or_else(|| "no agent of this node is connected".to_owned())?;
    let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
    let only = node.sources.iter().map(|s| s.wire.clone()).collect();
    let ask = SourcesAsk { only, ticket: admitted.ticket.clone() };
    match tokio::time::timeout(node.patience, client.sources(ask)).await {
        Ok(Ok(reply)) => Ok(reply.into_inner()),
        Ok(Err(status)) => match &admitted.unasked {
            Some(why) if ticket::is_refusal(&status) => Err(why.clone()),
            _ => Err(words(&status).to_owned()),
        },
        Err(_) => Err(node.silent()),
    }
}

fn fill(by_index: &mut HashMap<u32, Resolved>, node: &NodeSources, reply: SourcesReply) {
    for found in reply.sources {
        let Some(r) = index_of(node, &found).and_then(|i| by_index.get_mut(&i)) else { continue };
        let segments = || found.runs.iter().flat_map(|run| &run.segments);
        r.json.bytes = segments().map(|s| s.bytes).sum();
        r.json.first_ns = segments().map(|s| s.first_ns).filter(|t| *t != 0).min().map(time_text);
        r.json.last_ns = segments().map(|s| s.last_ns).filter(|t| *t != 0).max().map(time_text);
        r.json.runs = found
            .runs
            .iter()
            .map(|run| ph_api::LogRun {
                run: run.run,
                segments: run
                    .segments
                    .iter()
                    .map(|s| ph_api::LogSegment { file: s.file.clone(), bytes: s.bytes, gzip: s.gzip })
                    .collect(),
            })
            .collect();
    }
}

/// What lies in files now, or the API has, by source.
#[derive(Debug, Default)]
pub struct Held {
    /// Keys of segments. A source of which nobody tells has none at all.
    pub keys: BTreeMap<u32, BTreeSet<u128>>,
    /// Of sources that are read over the API: the time of the oldest line there, ns UTC.
    pub since: BTreeMap<u32, i64>,
}

/// Asks the nodes what they hold.
pub async fn segments(nodes: &[(ClusterId, NodeSources)]) -> Held {
    let answers = futures::future::join_all(nodes.iter().map(|(_, node)| files(node))).await;
    let mut out = Held::default();
    for ((_, node), answer) in nodes.iter().zip(answers) {
        let Ok(reply) = answer else { continue };
        for found in reply.sources {
            let Some(index) = index_of(node, &found) else { continue };
            let keyed = || found.runs.iter().flat_map(|run| &run.segments).filter(|s| s.key.len() == 16);
            out.keys.entry(index).or_default().extend(keyed().map(|s| position_key(&s.key)));
            let api = keyed().filter(|s| position_key(&s.key) == ph_link::API_SEGMENT && s.first_ns != 0);
            if let Some(first) = api.map(|s| s.first_ns).min() {
                out.since.insert(index, first);
            }
        }
    }
    out
}

/// Which of a node's sources an answer is about.
pub fn index_of(node: &NodeSources, found: &ph_link::v1::LogSource) -> Option<u32> {
    let wire = found.source.as_ref()?;
    let same = |s: &&super::read::Source| {
        s.wire == *wire || (!wire.container_id.is_empty() && s.wire.container_id == wire.container_id)
    };
    node.sources.iter().find(same).map(|s| s.index)
}
