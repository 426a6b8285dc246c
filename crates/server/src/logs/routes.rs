//! `/api/v1/logs`: sources, query, streams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ph_access::{LogsQuery as LogsOp, Permission, Target, TenantCtx};
use ph_api::{LogPage, LogQuery, LogSources, LogSourcesAsk, LogStreamOpened};
use ph_link::v1::SourcesAsk;
use ph_link::v1::logs_client::LogsClient;
use ph_model::{ErrorKind, OrgId};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ask::{Ask, DEFAULT_LIMIT, Fault, Mode, Origin};
use super::read::{self, NodeSources, unreachable_gap};
use super::record::time_text;
use super::resolve::{Resolved, by_node, resolve};
use super::token::{PageToken, StoreMark};
use super::{page, socket, stored};
use crate::app::AppState;
use crate::audit::Outcome;
use crate::gateway::extract::{Json, Path};
use crate::gateway::problem::Problem;

/// A stream that was opened and not claimed is forgotten after this.
const CLAIM_MS: i64 = 60_000;
/// Streams of one organisation that wait to be claimed.
const MAX_WAITING: usize = 1_000;
/// Sources of one query.
const MAX_SOURCES: usize = 2_000;

/// A stream between `POST` and its WebSocket.
pub struct WaitingStream {
    pub org: OrgId,
    pub actor: String,
    pub query: LogQuery,
    expires_ms: i64,
}

/// Streams that wait to be claimed.
#[derive(Clone, Default)]
pub struct LogsRoom {
    waiting: Arc<Mutex<HashMap<String, WaitingStream>>>,
}

impl LogsRoom {
    /// The stream, once, for its creator, in time.
    pub fn claim(&self, id: &str, ctx: &TenantCtx, now_ms: i64) -> Option<WaitingStream> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = waiting
            .get(id)
            .is_some_and(|w| w.org == ctx.org() && w.actor == ctx.actor().label() && now_ms < w.expires_ms);
        if mine { waiting.remove(id) } else { None }
    }
}

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sources))
        .routes(routes!(query))
        .routes(routes!(open_stream))
        .routes(routes!(stream))
}

pub fn faults(list: Vec<Fault>) -> Problem {
    let first = list.first().map(|(p, t)| format!("{p}: {t}")).unwrap_or_default();
    list.into_iter().fold(
        Problem::new(ErrorKind::Invalid, format!("the query does not fit: {first}")),
        |p, (path, text)| p.fault(path, text),
    )
}

/// Numbers the sources; too many are refused, not cut.
pub fn numbered(sources: Vec<Resolved>) -> Result<Vec<(u32, Resolved)>, Problem> {
    if sources.len() > MAX_SOURCES {
        return Err(Problem::new(
            ErrorKind::Exhausted,
            format!("{} containers are more than {MAX_SOURCES} in one query", sources.len()),
        )
        .next_step("name a cluster, a namespace or a workload"));
    }
    Ok((0..).zip(sources).collect())
}

/// Containers whose logs the caller may read, with their files.
#[utoipa::path(post, path = "/api/v1/logs/sources", tag = "logs", request_body = LogSourcesAsk,
    extensions(("x-permission" = json!("logs.read"))),
    responses((status = 200, body = LogSources), (status = 404, body = ph_api::Problem)))]
pub async fn sources(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<LogSourcesAsk>,
) -> Result<Json<LogSources>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let found = numbered(resolve(&app, &ctx, &ask.sources)?)?;
    let nodes = by_node(&app, &ctx, &found);
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

async fn files(node: &NodeSources) -> Result<ph_link::v1::SourcesReply, String> {
    let channel = node.channel.clone().ok_or_else(|| "no agent of this node is connected".to_owned())?;
    let mut client = LogsClient::new(channel).max_decoding_message_size(32 << 20);
    let ask = SourcesAsk { only: node.sources.iter().map(|s| s.wire.clone()).collect() };
    match tokio::time::timeout(std::time::Duration::from_secs(5), client.sources(ask)).await {
        Ok(Ok(reply)) => Ok(reply.into_inner()),
        Ok(Err(status)) => Err(status.message().to_owned()),
        Err(_) => Err("the agent did not answer within 5 s".to_owned()),
    }
}

fn fill(by_index: &mut HashMap<u32, Resolved>, node: &NodeSources, reply: ph_link::v1::SourcesReply) {
    for found in reply.sources {
        let Some(wire) = found.source else { continue };
        let Some(source) = node.sources.iter().find(|s| {
            s.wire == wire || (!wire.container_id.is_empty() && s.wire.container_id == wire.container_id)
        }) else {
            continue;
        };
        let Some(r) = by_index.get_mut(&source.index) else { continue };
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

/// The act that the audit row names.
pub fn target(query: &LogQuery, sources: &[(u32, Resolved)]) -> Target {
    let names: Vec<String> = sources
        .iter()
        .take(20)
        .map(|(_, r)| format!("{}/{}/{}", r.json.namespace, r.json.pod, r.json.container))
        .collect();
    let clusters: std::collections::BTreeSet<&str> =
        sources.iter().map(|(_, r)| r.json.cluster.as_str()).collect();
    Target {
        cluster: clusters.into_iter().collect::<Vec<_>>().join(","),
        object: format!("logs of {} containers", sources.len()),
        detail: json!({
            "sources": names,
            "filter": query.filter,
            "from": query.from,
            "to": query.to,
            "follow": query.follow,
        }),
        ..Target::default()
    }
}

/// One page of lines.
#[utoipa::path(post, path = "/api/v1/logs/query", tag = "logs", request_body = LogQuery,
    extensions(("x-permission" = json!("logs.read"))),
    responses((status = 200, body = LogPage), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn query(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(query): Json<LogQuery>,
) -> Result<Json<LogPage>, Problem> {
    ctx.require(Permission::LogsRead)?;
    let started = std::time::Instant::now();
    let ask = Ask::new(&query, DEFAULT_LIMIT).map_err(faults)?;
    let sources = numbered(resolve(&app, &ctx, &query.sources)?)?;
    let grant = app.auditor.decide::<LogsOp>(&ctx, target(&query, &sources)).await?;
    let decision = grant.row().clone();
    let in_store = ask.token.as_ref().is_some_and(|t| t.store.is_some());
    let mut found = if ask.origin == Origin::Store || in_store {
        read::Page::default()
    } else {
        let nodes = by_node(&app, &ctx, &sources).into_iter().map(|(_, n)| n).collect();
        read::page(nodes, &ask).await
    };
    add_stored(&app, &ctx, (&ask, &sources), &mut found).await?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = page::page(found, &sources, took_ms);
    let detail = json!({"rows": answer.records.len(), "bytes": answer.summary.scanned_bytes, "gaps": answer.gaps.len()});
    app.auditor.outcome(&ctx, &decision, Outcome { action: "logs.query", failed: None, detail }).await?;
    Ok(Json(answer))
}

/// What files no longer hold comes from the store, before the oldest line that a file gave.
async fn add_stored(
    app: &AppState,
    ctx: &TenantCtx,
    (ask, sources): (&Ask, &[(u32, Resolved)]),
    found: &mut read::Page,
) -> Result<(), Problem> {
    let room = (ask.limit as usize).saturating_sub(found.records.len());
    let Some(mark) = store_mark(ask, found).filter(|_| room > 0 && !sources.is_empty()) else {
        return Ok(());
    };
    let (mut older, more) = stored::read(&app.telemetry, ctx, (ask, sources), (&mark, room)).await?;
    let token = more.map(|mark| PageToken {
        query: ask.digest,
        back: ask.is_back(),
        at: Default::default(),
        store: Some(mark),
    });
    if ask.is_back() {
        found.prev = token;
        older.append(&mut found.records);
        found.records = older;
    } else {
        found.next = token;
        found.records.append(&mut older);
    }
    Ok(())
}

/// Where the store is to be read, when it is.
fn store_mark(ask: &Ask, found: &read::Page) -> Option<StoreMark> {
    if let Some(mark) = ask.token.as_ref().and_then(|t| t.store.clone()) {
        return Some(mark);
    }
    let files_done = ask.is_back() && ask.mode == Mode::Tail && found.prev.is_none();
    match ask.origin {
        Origin::Store => Some(StoreMark { cursor: None, before_ns: i64::MAX }),
        Origin::Auto if files_done => {
            let oldest = found.summary.oldest_ns;
            Some(StoreMark { cursor: None, before_ns: if oldest == 0 { i64::MAX } else { oldest } })
        }
        _ => None,
    }
}

/// Opens a stream; claim it within 60 s at `/api/v1/logs/streams/{id}`.
#[utoipa::path(post, path = "/api/v1/logs/streams", tag = "logs", request_body = LogQuery,
    extensions(("x-permission" = json!("logs.read"))),
    responses((status = 201, body = LogStreamOpened), (status = 422, body = ph_api::Problem)))]
pub async fn open_stream(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(query): Json<LogQuery>,
) -> Result<Response, Problem> {
    ctx.require(Permission::LogsRead)?;
    Ask::new(&query, DEFAULT_LIMIT).map_err(faults)?;
    numbered(resolve(&app, &ctx, &query.sources)?)?;
    let now_ms = app.clock.now_ms();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let expires_ms = now_ms + CLAIM_MS;
    {
        let mut waiting = app.logs.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, w| now_ms < w.expires_ms);
        if waiting.values().filter(|w| w.org == ctx.org()).count() >= MAX_WAITING {
            return Err(Problem::new(
                ErrorKind::Exhausted,
                format!("{MAX_WAITING} streams wait to be claimed"),
            )
            .retry_after_ms(10_000));
        }
        waiting.insert(
            id.clone(),
            WaitingStream { org: ctx.org(), actor: ctx.actor().label(), query, expires_ms },
        );
    }
    Ok((StatusCode::CREATED, Json(LogStreamOpened { id, expires_ms })).into_response())
}

/// The stream as WebSocket, subprotocol `pilothouse.logs.v1`, JSON text frames.
#[utoipa::path(get, path = "/api/v1/logs/streams/{id}", tag = "logs", params(("id" = String, Path)),
    extensions(("x-permission" = json!("logs.read"))),
    responses((status = 101, description = "WebSocket, subprotocol pilothouse.logs.v1"), (status = 404, body = ph_api::Problem)))]
pub async fn stream(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
    upgrade: axum::extract::WebSocketUpgrade,
) -> Result<Response, Problem> {
    ctx.require(Permission::LogsRead)?;
    let waiting =
        app.logs.claim(&id, &ctx, app.clock.now_ms()).ok_or_else(crate::gateway::extract::not_found)?;
    Ok(upgrade
        .protocols(["pilothouse.logs.v1"])
        .on_upgrade(move |ws| async move { socket::serve(app, ctx, waiting.query, ws).await }))
}
