//! `/api/v1/objects`, the compatible short lists, problems, summary, pod field.

use std::collections::BTreeMap;

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::{
    KubeObject, Object, ObjectCounts, ObjectDetail, ObjectQuery, Page, PodField, ProblemRow, Summary,
};
use ph_model::ObjectKind;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pick::{clusters, listed};
use super::silence;
use super::view::{self, Home};
use crate::app::AppState;
use crate::gateway::extract::{Json, Path, Query, not_found};
use crate::gateway::problem::Problem;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(counts))
        .routes(routes!(list))
        .routes(routes!(detail))
        .routes(routes!(nodes))
        .routes(routes!(pods))
        .routes(routes!(problems))
        .routes(routes!(summary))
        .routes(routes!(podfield))
}

/// Objects of one kind (plural, singular or kubectl's short name), by cluster, namespace and name.
#[utoipa::path(get, path = "/api/v1/objects/{kind}", tag = "objects", params(("kind" = String, Path), ObjectQuery),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Page<KubeObject>), (status = 404, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn list(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(kind): Path<String>,
    Query(query): Query<ObjectQuery>,
) -> Result<Json<Page<Object>>, Problem> {
    page(&app, &ctx, &kind, query).await.map(Json)
}

/// Nodes of all clusters.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "objects", params(ObjectQuery),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Page<KubeObject>)))]
pub async fn nodes(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(query): Query<ObjectQuery>,
) -> Result<Json<Page<Object>>, Problem> {
    page(&app, &ctx, "nodes", query).await.map(Json)
}

/// Pods of all clusters.
#[utoipa::path(get, path = "/api/v1/pods", tag = "objects", params(ObjectQuery),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Page<KubeObject>)))]
pub async fn pods(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(query): Query<ObjectQuery>,
) -> Result<Json<Page<Object>>, Problem> {
    page(&app, &ctx, "pods", query).await.map(Json)
}

/// The kind's name as the inventory keeps it: known kinds, and those of Docker hosts.
pub fn kind_name(word: &str) -> Result<&'static str, Problem> {
    match (ObjectKind::parse(word), word.to_ascii_lowercase().as_str()) {
        (Some(kind), _) => Ok(kind.as_str()),
        (None, "container" | "containers") => Ok("Container"),
        (None, "host" | "hosts") => Ok("Host"),
        _ => {
            let known: Vec<&str> = ObjectKind::ALL.iter().map(|k| k.plural()).collect();
            Err(Problem::new(ph_model::ErrorKind::NotFound, format!("`{word}` is no kind of the inventory"))
                .next_step(format!("use one of {}", known.join(", "))))
        }
    }
}

async fn page(
    app: &AppState,
    ctx: &TenantCtx,
    kind: &str,
    query: ObjectQuery,
) -> Result<Page<Object>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let kind = kind_name(kind)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(ph_model::ErrorKind::Invalid, "limit is out of range")
            .fault("limit", format!("{limit} is not between 1 and {MAX_LIMIT}")));
    }
    let rooms = clusters(&app.inventories, ctx, query.cluster.as_deref())?;
    let now_ms = app.clock.now_ms();
    let mut found: Vec<Object> = Vec::new();
    let mut incomplete = Vec::new();
    for room in &rooms {
        room.with(|home| {
            found.extend(matching(home, kind, &query).map(|o| view::object(home, o, now_ms)));
            if !home.objects.connected {
                incomplete.push(format!(
                    "{}: not connected; its objects are as of {} s ago",
                    home.name,
                    (now_ms - home.objects.updated_ms) / 1000
                ));
            }
            for (k, error, _) in home.objects.failures().filter(|(k, ..)| *k == kind) {
                incomplete.push(format!("{}: {k} cannot be read: {error}", home.name));
            }
        });
    }
    if let Some(states) = query.state.as_deref() {
        found.retain(|o| listed(Some(states), &o.health.state));
    }
    found.sort_by(|a, b| key(a).cmp(&key(b)));
    let total = found.len() as u64;
    if let Some(cursor) = &query.cursor {
        let after: [String; 4] = serde_json::from_str(cursor).map_err(|_| {
            Problem::new(ph_model::ErrorKind::Invalid, "cursor is not one of this list")
                .fault("cursor", "use `next` of the page before")
        })?;
        found.retain(|o| key(o) > after.each_ref().map(String::as_str));
    }
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).and_then(|o| serde_json::to_string(&key(o)).ok());
    Ok(Page { items: found, next, total: Some(total), incomplete })
}

fn key(o: &Object) -> [&str; 4] {
    [&o.cluster, &o.namespace, &o.name, &o.uid]
}

fn matching<'a>(
    home: Home<'a>,
    kind: &'static str,
    query: &'a ObjectQuery,
) -> impl Iterator<Item = &'a Value> {
    let owned: Option<Vec<&str>> = query
        .owner
        .as_deref()
        .map(|uid| home.objects.pods_of(uid).iter().map(|p| ph_workloads::uid(p)).collect());
    home.objects.of_kind(kind).map(|o| &**o).filter(move |o| {
        let text = |p: &str| o.pointer(p).and_then(Value::as_str).unwrap_or("");
        listed(query.namespace.as_deref(), text("/metadata/namespace"))
            && query.name.as_deref().is_none_or(|n| text("/metadata/name").contains(n))
            && query.node.as_deref().is_none_or(|n| text("/spec/nodeName") == n)
            && match (&owned, query.owner.as_deref()) {
                (Some(pods), _) if kind == "Pod" => pods.contains(&ph_workloads::uid(o)),
                (_, Some(owner)) => ph_workloads::owner(o).is_some_and(|r| r.uid == owner),
                _ => true,
            }
    })
}

/// One object by kind and UID.
#[utoipa::path(get, path = "/api/v1/objects/{kind}/{uid}", tag = "objects", params(("kind" = String, Path), ("uid" = String, Path)),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = ObjectDetail), (status = 404, body = ph_api::Problem)))]
pub async fn detail(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path((kind, uid)): Path<(String, String)>,
) -> Result<Json<ObjectDetail>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let kind = kind_name(&kind)?;
    let now_ms = app.clock.now_ms();
    for room in app.inventories.of(&ctx) {
        let found = room.with(|home| {
            let o = home.objects.object(kind, &uid)?;
            Some(ObjectDetail {
                object: view::object(home, o, now_ms),
                yaml: yaml(o),
                owners: home.objects.owners(o).into_iter().map(|(_, o)| view::link(o)).collect(),
                data_age_ms: if home.objects.connected { 0 } else { now_ms - home.objects.updated_ms },
            })
        });
        if let Some(mut found) = found {
            super::last_words::quote_cause(&app, &ctx, &mut found.object.health.reasons).await;
            return Ok(Json(found));
        }
    }
    Err(not_found())
}

/// YAML by way of JSON, which YAML 1.2 contains; indented as people read it.
fn yaml(o: &Value) -> String {
    serde_yaml_ng::to_string(o).unwrap_or_else(|_| o.to_string())
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClusterPick {
    /// Names or ids, comma-separated; absent: all.
    pub cluster: Option<String>,
}

/// How many objects of each kind are in which state, by cluster and namespace.
#[utoipa::path(get, path = "/api/v1/objects/counts", tag = "objects", params(ClusterPick),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Vec<ObjectCounts>)))]
pub async fn counts(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(pick): Query<ClusterPick>,
) -> Result<Json<Vec<ObjectCounts>>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let now_ms = app.clock.now_ms();
    let mut out = Vec::new();
    for room in clusters(&app.inventories, &ctx, pick.cluster.as_deref())? {
        for kind in ObjectKind::ALL {
            for (namespace, states) in room.with(|home| super::problems::counts(home, kind, now_ms)) {
                out.push(ObjectCounts {
                    cluster_id: room.id,
                    namespace,
                    kind: kind.as_str().to_owned(),
                    states,
                });
            }
        }
    }
    Ok(Json(out))
}

/// Everything that deviates, worst first, one row a cause.
#[utoipa::path(get, path = "/api/v1/problems", tag = "objects", params(ClusterPick),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Page<ProblemRow>)))]
pub async fn problems(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(pick): Query<ClusterPick>,
) -> Result<Json<Page<ProblemRow>>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let rooms = clusters(&app.inventories, &ctx, pick.cluster.as_deref())?;
    Ok(Json(all_problems(&app, &ctx, &rooms).await?))
}

/// Problems of the given clusters, and one row for each cluster and node that is silent.
pub async fn all_problems(
    app: &AppState,
    ctx: &TenantCtx,
    rooms: &[std::sync::Arc<super::ClusterRoom>],
) -> Result<Page<ProblemRow>, Problem> {
    let now_ms = app.clock.now_ms();
    let mut items = Vec::new();
    let lost = silence::lost_agents(app, ctx).await?;
    for room in rooms {
        items.extend(room.with(|home| super::problems::problems(home, now_ms)));
        items.extend(room.with(|home| silence::silent_nodes(home, &lost, now_ms)));
    }
    for record in app.state.clusters(ctx).await? {
        if let Some(room) = rooms.iter().find(|r| r.id == record.id) {
            items.extend(silence::silent(&record, room, now_ms));
        }
    }
    super::last_words::quote(app, ctx, &mut items).await;
    let rank = |s: &str| match s {
        "crit" => 0,
        "warn" => 1,
        _ => 2,
    };
    items.sort_by(|a, b| {
        rank(&a.state).cmp(&rank(&b.state)).then(a.since_ms.cmp(&b.since_ms)).then(a.id.cmp(&b.id))
    });
    let total = items.len() as u64;
    Ok(Page { items, next: None, total: Some(total), incomplete: Vec::new() })
}

/// Totals for the first screen.
#[utoipa::path(get, path = "/api/v1/summary", tag = "objects", params(ClusterPick),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Summary)))]
pub async fn summary(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(pick): Query<ClusterPick>,
) -> Result<Json<Summary>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let rooms = clusters(&app.inventories, &ctx, pick.cluster.as_deref())?;
    super::summary::summary(&app, &ctx, &rooms).await.map(Json)
}

/// One cell a pod, grouped by cluster.
#[utoipa::path(get, path = "/api/v1/podfield", tag = "objects", params(ClusterPick),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Vec<PodField>)))]
pub async fn podfield(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(pick): Query<ClusterPick>,
) -> Result<Json<Vec<PodField>>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let now_ms = app.clock.now_ms();
    let rooms = clusters(&app.inventories, &ctx, pick.cluster.as_deref())?;
    Ok(Json(rooms.iter().map(|r| r.with(|home| field(home, now_ms))).collect()))
}

fn field(home: Home<'_>, now_ms: i64) -> PodField {
    let mut field = PodField {
        cluster_id: home.id,
        cluster: home.name.to_owned(),
        connected: home.objects.connected,
        states: String::new(),
        uids: Vec::new(),
        workload: Vec::new(),
        workloads: Vec::new(),
    };
    let mut index: BTreeMap<String, i32> = BTreeMap::new();
    let mut pods: Vec<_> = home.objects.of_kind("Pod").collect();
    pods.sort_by_key(|p| (text(p, "/metadata/namespace"), text(p, "/metadata/name")));
    for pod in pods {
        let state =
            if home.objects.connected { view::health(home, pod, now_ms).state } else { "unknown".into() };
        field.states.push(match state.as_str() {
            "ok" | "off" => 'o',
            "move" => 'm',
            "warn" => 'w',
            "crit" => 'c',
            _ => 'u',
        });
        field.uids.push(text(pod, "/metadata/uid"));
        let place = view::workload(home, pod).map_or(-1, |w| {
            *index.entry(format!("{}/{}/{}", w.kind, w.namespace, w.name)).or_insert_with(|| {
                field.workloads.push(w);
                i32::try_from(field.workloads.len()).unwrap_or(i32::MAX) - 1
            })
        });
        field.workload.push(place);
    }
    field
}

fn text(o: &Value, pointer: &str) -> String {
    o.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned()
}
