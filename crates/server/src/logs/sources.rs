//! Sources: which containers are meant, and which files of theirs lie on the nodes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::{LogSources, LogSourcesAsk};
use ph_link::v1::logs_client::LogsClient;
use ph_link::v1::{SourcesAsk, SourcesReply};
use ph_model::ClusterId;

use super::page;
use super::read::{FIRST_ANSWER, NodeSources, unreachable_gap, words};
use super::record::{position_key, time_text};
use super::resolve::{Resolved, by_reader, resolve};
use super::routes::numbered;
use crate::app::AppState;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

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
    let nodes = by_reader(&app, &ctx, &found);
    let asked = nodes.iter().map(|(_, node)| files(node));
    let answers = futures::future::join_all(asked).await;
    let mut by_index: HashMap<u32, Resolved> = found.into_iter().collect();
    let mut gaps = Vec::new();
    for ((_, node), answer) in nodes.iter().zip(answers) {
        match answer {
            Ok(reply) => fill(&mut by_index, node, reply),
            Err(why) => {
                let (source, name, gap) = unreachable_gap(node, &why);
                gaps.push(page::gap(source, &name, &gap, &Default::default()));
            }
        }
    }
    let mut list: Vec<_> = by_index.into_iter().collect();
    list.sort_by_key(|(i, _)| *i);
    Ok(Json(LogSources { sources: list.into_iter().map(|(_, r)| r.json).collect(), gaps }))
}

pub async fn files(node: &NodeSources) -> Result<SourcesReply, String> {
    let channel = node.doors.to(None).ok_or_else(|| "no agent of this node is connected".to_owned())?;
    let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
    let ask = SourcesAsk { only: node.sources.iter().map(|s| s.wire.clone()).collect() };
    match tokio::time::timeout(FIRST_ANSWER, client.sources(ask)).await {
        Ok(Ok(reply)) => Ok(reply.into_inner()),
        Ok(Err(status)) => Err(words(&status).to_owned()),
        Err(_) => Err("the agent did not answer within 5 s".to_owned()),
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
