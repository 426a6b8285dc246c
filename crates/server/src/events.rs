//! `/api/v1/events`: Kubernetes events and changes from the store, newest first, the last state of each.

use std::collections::{BTreeMap, HashSet};

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::{Event, EventQuery, Page};
use ph_filter::Filter;
use ph_model::{ErrorKind, EventRow, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::gateway::extract::{Json, Query};
use crate::gateway::problem::Problem;
use crate::objects::{ClusterRoom, picked_clusters};

const HOUR_MS: i64 = 3_600_000;
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;
/// UIDs that one question may name.
const MAX_RELATED: usize = 500;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Events, newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery),
    extensions(("x-permission" = json!("events.read"))),
    responses((status = 200, body = Page<Event>), (status = 422, body = ph_api::Problem)))]
pub async fn list(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Query(query): Query<EventQuery>,
) -> Result<Json<Page<Event>>, Problem> {
    ctx.require(Permission::EventsRead)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(ErrorKind::Invalid, "limit is out of range")
            .fault("limit", format!("{limit} is not between 1 and {MAX_LIMIT}")));
    }
    let rooms = picked_clusters(&app.inventories, &ctx, query.cluster.as_deref())?;
    let to = query.to.unwrap_or_else(|| app.clock.now_ms() + 1);
    let from = query.from.unwrap_or(to.saturating_sub(HOUR_MS));
    if from >= to {
        return Err(Problem::new(ErrorKind::Invalid, "the range is empty")
            .fault("from", format!("{from} is not before {to}")));
    }
    let ask = SearchAsk {
        signal: Signal::Events,
        filter: filter(&query, &rooms),
        range: RangeNs::new(from.saturating_mul(1_000_000), to.saturating_mul(1_000_000)),
        order: Order::Descending,
        limit: limit as usize,
        cursor: query.cursor.clone(),
        within: None,
    };
    let page = app.telemetry.search(&ctx, ask).await?;
    let SearchRows::Events(rows) = page.rows else {
        return Err(Problem::new(ErrorKind::Internal, "the store gave rows of another signal"));
    };
    let mut seen = HashSet::new();
    let items = rows
        .into_iter()
        .filter(|r| r.uid.is_empty() || seen.insert(r.uid.clone()))
        .filter_map(|r| event(r, &rooms))
        .collect();
    Ok(Json(Page { items, next: page.next, total: None, incomplete: page.incomplete }))
}

fn any_of(field: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::Or(values.into_iter().map(|v| Filter::equal(field, v)).collect())
}

fn filter(query: &EventQuery, rooms: &[std::sync::Arc<ClusterRoom>]) -> Filter {
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut all = Vec::new();
    if query.cluster.as_deref().is_some_and(|c| !c.is_empty()) {
        all.push(any_of("cluster", rooms.iter().map(|r| r.name.clone())));
    }
    for (field, value) in
        [("namespace", &query.namespace), ("type", &query.r#type), ("reason", &query.reason)]
    {
        if let Some(text) = value.as_deref().filter(|t| !t.is_empty()) {
            all.push(any_of(field, list(text)));
        }
    }
    if let Some(uid) = query.object.as_deref() {
        let uids = if query.related == Some(true) { related(rooms, uid) } else { vec![uid.to_owned()] };
        all.push(any_of("object_uid", uids));
    }
    match all.len() {
        0 => Filter::All,
        1 => all.remove(0),
        _ => Filter::And(all),
    }
}

/// The object, its owners, what it owns and its pods.
fn related(rooms: &[std::sync::Arc<ClusterRoom>], uid: &str) -> Vec<String> {
    let mut out = vec![uid.to_owned()];
    for room in rooms {
        room.with(|home| {
            let Some((_, object)) = home.objects.find(uid) else { return };
            out.extend(home.objects.owners(object).iter().map(|(_, o)| ph_workloads::uid(o).to_owned()));
            out.extend(
                ph_workloads::Related::children(home.objects, uid)
                    .iter()
                    .map(|o| ph_workloads::uid(o).to_owned()),
            );
            out.extend(home.objects.pods_of(uid).iter().map(|o| ph_workloads::uid(o).to_owned()));
        });
    }
    let unique: BTreeMap<String, ()> = out.into_iter().map(|u| (u, ())).collect();
    unique.into_keys().take(MAX_RELATED).collect()
}

/// `None` for a cluster that is no longer known: its name leads nowhere.
pub fn event(r: EventRow, rooms: &[std::sync::Arc<ClusterRoom>]) -> Option<Event> {
    let cluster_id = rooms.iter().find(|room| room.name == r.cluster)?.id;
    Some(Event {
        cluster_id,
        cluster: r.cluster,
        uid: r.uid,
        at_ms: r.ts / 1_000_000,
        first_ms: r.first_ts / 1_000_000,
        count: r.count,
        r#type: r.r#type,
        reason: r.reason,
        action: r.action,
        message: r.message,
        namespace: r.object.namespace,
        object_kind: r.object.kind,
        object_name: r.object.name,
        object_uid: r.object.uid,
        reporter: r.reporter,
        node: r.node,
    })
}
