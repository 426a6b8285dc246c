//! Which channels there are, and how each is computed.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use ph_access::{Permission, TenantCtx};
use ph_api::LiveValue;
use ph_filter::Filter;
use ph_model::{ClusterId, Matcher, RangeMs, RangeNs, Signal};
use ph_store::{Order, SearchAsk, SearchRows, SeriesAsk};
use serde::Serialize;

use super::channel::State;
use super::hub::{Compute, Source};
use crate::app::AppState;
use crate::objects::{ClusterRoom, object, picked_clusters};

/// Newest events of a cluster that a channel holds.
const EVENTS: usize = 200;
/// Values older than this are no longer "live".
const FRESH_MS: i64 = 5 * 60_000;

/// What one needs to hold to watch a channel; `None`: there is no such channel.
pub fn permission(name: &str) -> Option<Permission> {
    Some(match name.split_once(':').map_or(name, |(head, _)| head) {
        "objects" | "agents" | "clusters" | "problems" => Permission::ObjectsRead,
        "metrics" => Permission::MetricsRead,
        "events" => Permission::EventsRead,
        _ => return None,
    })
}

/// How the channel is computed; `None`: there is no such channel for this tenant.
pub fn source(app: &AppState, ctx: &TenantCtx, name: &str) -> Option<Source> {
    let (head, rest) = name.split_once(':').unwrap_or((name, ""));
    let every = Duration::from_secs(2);
    let (app, ctx) = (app.clone(), ctx.clone());
    match head {
        "agents" => Some(polled(every, move || {
            let (app, ctx) = (app.clone(), ctx.clone());
            async move { Some(keyed(crate::link::agents(&app, &ctx).await.ok()?, |a| a.id.to_string())) }
        })),
        "clusters" => Some(polled(every, move || {
            let (app, ctx) = (app.clone(), ctx.clone());
            async move { Some(keyed(crate::link::clusters(&app, &ctx).await.ok()?, |c| c.id.to_string())) }
        })),
        "problems" => Some(polled(every, move || {
            let (app, ctx) = (app.clone(), ctx.clone());
            async move {
                let rooms = app.inventories.of(&ctx);
                let page = crate::objects::all_problems(&app, &ctx, &rooms).await.ok()?;
                Some(keyed(page.items, |p| p.id.clone()))
            }
        })),
        "objects" => {
            let (cluster, kind) = rest.split_once('/')?;
            let room = app.inventories.find(&ctx, cluster.parse::<ClusterId>().ok()?)?;
            let kind = crate::objects::kind_name(kind).ok()?;
            let wake = room.changes();
            let clock = app.clock.clone();
            let compute: Compute = Arc::new(move || {
                let (room, now_ms) = (room.clone(), clock.now_ms());
                async move { tokio::task::spawn_blocking(move || objects(&room, kind, now_ms)).await.ok() }
                    .boxed()
            });
            Some(Source { compute, wake: Some(wake), every: Duration::from_secs(15) })
        }
        "events" => {
            let room = app.inventories.find(&ctx, rest.parse::<ClusterId>().ok()?)?;
            Some(polled(every, move || {
                let (app, ctx, room) = (app.clone(), ctx.clone(), room.clone());
                async move { events(&app, &ctx, &room).await }
            }))
        }
        "metrics" => {
            let (cluster, view) = rest.split_once('/')?;
            let room = app.inventories.find(&ctx, cluster.parse::<ClusterId>().ok()?)?;
            let matchers = view_matchers(&room, view)?;
            Some(polled(Duration::from_secs(5), move || {
                let (app, ctx, matchers) = (app.clone(), ctx.clone(), matchers.clone());
                async move { values(&app, &ctx, matchers).await }
            }))
        }
        _ => None,
    }
}

fn polled<F>(every: Duration, compute: impl Fn() -> F + Send + Sync + 'static) -> Source
where
    F: Future<Output = Option<State>> + Send + 'static,
{
    Source { compute: Arc::new(move || compute().boxed()), wake: None, every }
}

fn keyed<T: Serialize>(items: Vec<T>, key: impl Fn(&T) -> String) -> State {
    items.into_iter().filter_map(|i| Some((key(&i), serde_json::to_value(&i).ok()?))).collect()
}

fn objects(room: &ClusterRoom, kind: &str, now_ms: i64) -> State {
    room.with(|home| {
        home.objects
            .of_kind(kind)
            .map(|o| object(home, o, now_ms))
            .filter_map(|o| Some((o.uid.clone(), serde_json::to_value(&o).ok()?)))
            .collect()
    })
}

async fn events(app: &AppState, ctx: &TenantCtx, room: &ClusterRoom) -> Option<State> {
    let now_ns = app.clock.now_ms().saturating_mul(1_000_000);
    let ask = SearchAsk {
        signal: Signal::Events,
        filter: Filter::equal("cluster", room.name.clone()),
        range: RangeNs::new(now_ns - 3_600_000_000_000, now_ns + 1_000_000_000),
        order: Order::Descending,
        limit: EVENTS,
        cursor: None,
        within: None,
    };
    let SearchRows::Events(rows) = app.telemetry.search(ctx, ask).await.ok()?.rows else { return None };
    let rooms = picked_clusters(&app.inventories, ctx, None).ok()?;
    let mut out = State::new();
    for row in rows {
        if let Some(e) = crate::events::event(row, &rooms)
            && let Ok(value) = serde_json::to_value(&e)
        {
            out.entry(e.uid).or_insert(value);
        }
    }
    Some(out)
}

fn view_matchers(room: &ClusterRoom, view: &str) -> Option<Vec<Matcher>> {
    let cluster = Matcher::equal("k8s.cluster.name", room.name.clone());
    let (kind, id) = view.split_once('/').unwrap_or((view, ""));
    let one = match kind {
        "overview" => Matcher::regex(
            "__name__",
            "k8s\\.node\\.(cpu\\.usage|memory\\.working_set|filesystem\\.usage)|system\\.cpu\\.load_average\\.1m",
        ),
        "pods" => Matcher::regex("__name__", "k8s\\.pod\\.(cpu\\.usage|memory\\.working_set)"),
        "containers" => Matcher::regex("__name__", "container\\.(cpu\\.usage|memory\\.working_set)"),
        "pod" => Matcher::equal("k8s.pod.uid", id),
        "node" => {
            let name = room.with(|h| {
                h.objects
                    .object("Node", id)
                    .and_then(|n| n.pointer("/metadata/name")?.as_str().map(str::to_owned))
            })?;
            Matcher::equal("k8s.node.name", name)
        }
        "workload" => {
            let uids = room.with(|h| {
                h.objects.pods_of(id).iter().map(|p| ph_workloads::uid(p).to_owned()).collect::<Vec<_>>()
            });
            Matcher::regex("k8s.pod.uid", if uids.is_empty() { "-".to_owned() } else { uids.join("|") })
        }
        _ => return None,
    };
    Some(vec![cluster, one])
}

async fn values(app: &AppState, ctx: &TenantCtx, matchers: Vec<Matcher>) -> Option<State> {
    use futures::StreamExt;
    let now_ms = app.clock.now_ms();
    let ask = SeriesAsk { matchers, range: RangeMs::new(now_ms - FRESH_MS, now_ms + 1), max_series: 5_000 };
    let mut stream = app.telemetry.select_series(ctx, ask).await.ok()?;
    let mut out = State::new();
    while let Some(batch) = stream.next().await {
        for s in batch.ok()? {
            let Some(last) = s.samples.last().filter(|l| !l.value.is_nan()) else { continue };
            let value = LiveValue {
                metric: s.labels.metric().to_owned(),
                labels: s
                    .labels
                    .iter()
                    .filter(|(n, _)| *n != "__name__")
                    .map(|(n, v)| (n.to_owned(), v.to_owned()))
                    .collect(),
                at_ms: last.at_ms,
                value: last.value,
            };
            out.insert(format!("{:032x}", s.labels.hash128()), serde_json::to_value(&value).ok()?);
        }
    }
    Some(out)
}
