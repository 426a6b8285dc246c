//! Totals of clusters: what is there, what it uses, how fresh it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use ph_access::TenantCtx;
use ph_api::{Summary, Usage};
use ph_model::{Matcher, RangeMs};
use ph_store::state::{ClusterKind, ClusterRecord};
use ph_store::{SeriesAsk, Store};
use ph_tsdb::{Grid, RangeFn, rate_at};
use ph_workloads::quantity;
use serde_json::Value;

use super::inventories::ClusterRoom;
use super::view::{self, Home};
use crate::app::AppState;
use crate::gateway::problem::Problem;

const RATE_MS: i64 = 90_000;

/// Used cores and bytes of a cluster's nodes, requested and allocatable ones of its objects.
pub async fn cluster_usage(
    store: &Arc<dyn Store>,
    ctx: &TenantCtx,
    room: &ClusterRoom,
    now_ms: i64,
) -> (Usage, Usage, Option<i64>) {
    let (cpu, cpu_at) =
        node_total(store, ctx, (&room.name, "k8s.node.cpu.time", RangeFn::Rate), now_ms).await;
    let (memory, _) =
        node_total(store, ctx, (&room.name, "k8s.node.memory.working_set", RangeFn::Last), now_ms).await;
    let (mut cpu, mut memory, mut newest) = (cpu, memory, cpu_at);
    if cpu.is_none() {
        (cpu, newest) = host_cpu(store, ctx, &room.name, now_ms).await;
        memory = host_memory(store, ctx, &room.name, now_ms).await;
    }
    let (requested, allocatable) = room.with(|home| (requests(home), allocatable(home)));
    let usage = |used, i: usize| Usage {
        used,
        requested: requested.map(|r| if i == 0 { r.0 } else { r.1 }),
        allocatable: allocatable.map(|a| if i == 0 { a.0 } else { a.1 }),
    };
    (usage(cpu, 0), usage(memory, 1), newest)
}

async fn node_total(
    store: &Arc<dyn Store>,
    ctx: &TenantCtx,
    (cluster, metric, function): (&str, &str, RangeFn),
    now_ms: i64,
) -> (Option<f64>, Option<i64>) {
    total(
        store,
        ctx,
        (vec![Matcher::equal("__name__", metric), Matcher::equal("k8s.cluster.name", cluster)], function),
        now_ms,
    )
    .await
}

/// Busy cores of plain and Docker hosts: all states of all cores but idle and wait.
async fn host_cpu(
    store: &Arc<dyn Store>,
    ctx: &TenantCtx,
    cluster: &str,
    now_ms: i64,
) -> (Option<f64>, Option<i64>) {
    let matchers = vec![
        Matcher::equal("__name__", "system.cpu.time"),
        Matcher::equal("k8s.cluster.name", cluster),
        Matcher::regex("state", "user|system|nice|softirq|interrupt|steal"),
    ];
    total(store, ctx, (matchers, RangeFn::Rate), now_ms).await
}

async fn host_memory(store: &Arc<dyn Store>, ctx: &TenantCtx, cluster: &str, now_ms: i64) -> Option<f64> {
    let matchers = vec![
        Matcher::equal("__name__", "system.memory.usage"),
        Matcher::equal("k8s.cluster.name", cluster),
        Matcher::equal("state", "used"),
    ];
    total(store, ctx, (matchers, RangeFn::Last), now_ms).await.0
}

async fn total(
    store: &Arc<dyn Store>,
    ctx: &TenantCtx,
    (matchers, function): (Vec<Matcher>, RangeFn),
    now_ms: i64,
) -> (Option<f64>, Option<i64>) {
    let ask =
        SeriesAsk { matchers, range: RangeMs::new(now_ms - 2 * RATE_MS, now_ms + 1), max_series: 50_000 };
    let Ok(mut stream) = store.select_series(ctx, ask).await else { return (None, None) };
    let grid = Grid { start_ms: now_ms, end_ms: now_ms, step_ms: 1 };
    let (mut sum, mut newest) = (None, None);
    while let Some(Ok(batch)) = stream.next().await {
        for s in batch {
            let value = rate_at(&s.samples, function, RATE_MS, grid).first().copied().flatten();
            sum = match (sum, value) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
            newest = newest.max(s.samples.last().map(|s| s.at_ms));
        }
    }
    (sum, newest)
}

/// Requested cores and bytes of all pods that hold resources.
fn requests(home: Home<'_>) -> Option<(f64, f64)> {
    let pods = home.objects.of_kind("Pod").filter(|p| {
        !matches!(p.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"))
    });
    let mut sum = None;
    for c in pods.flat_map(|p| view::containers(p)).filter(|c| c.role == "main" || c.role == "sidecar") {
        let (cpu, memory) = sum.unwrap_or((0.0, 0.0));
        sum = Some((cpu + c.cpu_request.unwrap_or(0.0), memory + c.memory_request.unwrap_or(0.0)));
    }
    sum
}

/// Allocatable cores and bytes of all nodes.
fn allocatable(home: Home<'_>) -> Option<(f64, f64)> {
    let amount = |n: &Value, key: &str| {
        n.pointer(&format!("/status/allocatable/{key}"))
            .and_then(Value::as_str)
            .and_then(quantity)
            .unwrap_or(0.0)
    };
    let mut sum = None;
    for n in home.objects.of_kind("Node") {
        let (cpu, memory) = sum.unwrap_or((0.0, 0.0));
        sum = Some((cpu + amount(n, "cpu"), memory + amount(n, "memory")));
    }
    sum
}

/// Whether a node or pod says that it is ready.
pub fn ready(o: &Value) -> bool {
    o.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten().any(|c| {
        c.get("type").and_then(Value::as_str) == Some("Ready")
            && c.get("status").and_then(Value::as_str) == Some("True")
    })
}

/// Ready and all nodes, ready and all pods that should run.
pub fn readiness(home: Home<'_>) -> [u32; 4] {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let wanted =
        |p: &&Arc<Value>| !matches!(p.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded"));
    [
        count(home.objects.of_kind("Node").filter(|n| ready(n)).count()),
        count(home.objects.count("Node")),
        count(home.objects.of_kind("Pod").filter(wanted).filter(|p| ready(p)).count()),
        count(home.objects.of_kind("Pod").filter(wanted).count()),
    ]
}

/// Totals over the given clusters.
pub async fn summary(
    app: &AppState,
    ctx: &TenantCtx,
    rooms: &[Arc<ClusterRoom>],
) -> Result<Summary, Problem> {
    let now_ms = app.clock.now_ms();
    let records = app.state.clusters(ctx).await?;
    let picked: Vec<&ClusterRecord> = records.iter().filter(|c| rooms.iter().any(|r| r.id == c.id)).collect();
    let of_kind =
        |kind: ClusterKind| u32::try_from(picked.iter().filter(|c| c.kind == kind).count()).unwrap_or(0);
    let agents = crate::link::agents(app, ctx).await?;
    let mut s = Summary {
        clusters: of_kind(ClusterKind::Kubernetes),
        hosts: of_kind(ClusterKind::Docker) + of_kind(ClusterKind::Host),
        agents_connected: u32::try_from(agents.iter().filter(|a| a.status == "connected").count())
            .unwrap_or(0),
        agents: u32::try_from(agents.iter().filter(|a| a.status != "revoked").count()).unwrap_or(0),
        nodes_ready: 0,
        nodes: 0,
        pods_ready: 0,
        pods: 0,
        pods_by_phase: BTreeMap::new(),
        containers: 0,
        problems: BTreeMap::new(),
        cpu_used: None,
        cpu_allocatable: None,
        memory_used: None,
        memory_allocatable: None,
        log_lines_per_s: None,
        samples_per_s: None,
        newest_ms: None,
        oldest_ms: None,
        oldest_source: String::new(),
        updated_ms: now_ms,
    };
    for room in rooms {
        add_room(app, ctx, (room, now_ms), &mut s).await;
    }
    for p in super::routes::all_problems(app, ctx, rooms).await?.items {
        *s.problems.entry(p.state).or_default() += 1;
    }
    Ok(s)
}

async fn add_room(app: &AppState, ctx: &TenantCtx, (room, now_ms): (&ClusterRoom, i64), s: &mut Summary) {
    let ([nodes_ready, nodes, pods_ready, pods], phases, containers) = room.with(|home| {
        let mut phases: BTreeMap<String, u32> = BTreeMap::new();
        let mut containers = home.objects.count("Container");
        for p in home.objects.of_kind("Pod") {
            *phases
                .entry(p.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Unknown").to_owned())
                .or_default() += 1;
            containers += view::containers(p).iter().filter(|c| c.state == "running").count();
        }
        (readiness(home), phases, containers)
    });
    s.nodes_ready += nodes_ready;
    s.nodes += nodes;
    s.pods_ready += pods_ready;
    s.pods += pods;
    s.containers += u32::try_from(containers).unwrap_or(u32::MAX);
    for (phase, n) in phases {
        *s.pods_by_phase.entry(phase).or_default() += n;
    }
    let intake = app.intake.now((room.org, room.id), now_ms);
    let (cpu, memory, newest) = cluster_usage(&app.telemetry, ctx, room, now_ms).await;
    let add = |total: &mut Option<f64>, one: Option<f64>| {
        if let Some(one) = one {
            *total = Some(total.unwrap_or(0.0) + one);
        }
    };
    add(&mut s.cpu_used, cpu.used);
    add(&mut s.cpu_allocatable, cpu.allocatable);
    add(&mut s.memory_used, memory.used);
    add(&mut s.memory_allocatable, memory.allocatable);
    add(&mut s.log_lines_per_s, intake.log_rows_per_s);
    add(&mut s.samples_per_s, intake.samples_per_s);
    if let Some(age) = newest.map(|at| (now_ms - at).max(0)) {
        s.newest_ms = Some(s.newest_ms.map_or(age, |n| n.min(age)));
        if s.oldest_ms.is_none_or(|o| age > o) {
            s.oldest_ms = Some(age);
            s.oldest_source.clone_from(&room.name);
        }
    }
}
