//! From what a caller names to the containers that it means, and the nodes that can read them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ph_access::TenantCtx;
use ph_api::{Container, LogSelect, LogSource};
use ph_filter::{glob_fits, is_glob};
use ph_link::v1::{AgentKind, LogMarker, SourceRef};
use ph_model::ClusterId;
use serde_json::Value;

use super::planted::Planted;
use super::read::{Doors, FIRST_ANSWER, NodeSources, Source, whole};
use super::select::{Selector, ZONE};
use super::ticket::TicketDesk;
use super::token::{Cursor, Named};
use crate::app::AppState;
use crate::gateway::problem::Problem;
use crate::objects::{ClusterRoom, Home, containers, picked_clusters, workload};

/// Sources of one call; an agent takes 256.
const MOST: usize = 200;

/// One container whose log is meant.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub cluster: ClusterId,
    pub node: String,
    pub wire: SourceRef,
    pub json: LogSource,
    /// It has not begun to write: what it waits for. No node has files of it.
    pub waiting: Option<String>,
}

impl Resolved {
    /// Why there is nothing of it yet, in place of its lines.
    pub fn marker(&self, index: u32) -> Option<LogMarker> {
        let reason = self.waiting.clone()?;
        Some(LogMarker { source: index, kind: "waiting".into(), reason, ..LogMarker::default() })
    }

    pub fn cursor(&self) -> Cursor {
        let pod_uid =
            if self.wire.container_id.is_empty() { &self.wire.pod_uid } else { &self.wire.container_id };
        Cursor {
            cluster: self.cluster,
            pod_uid: pod_uid.clone(),
            container: self.json.container.clone(),
            position: ph_model::Position::default(),
        }
    }
}

/// Containers that any of the selects means, each once, by cluster, namespace, pod, container. An unknown cluster is not
/// found; a select that means nothing gives nothing. A select that cannot be understood is `invalid`, with all its faults.
pub fn resolve(app: &AppState, ctx: &TenantCtx, selects: &[LogSelect]) -> Result<Vec<Resolved>, Problem> {
    let mut found: BTreeMap<String, Resolved> = BTreeMap::new();
    let everything = [LogSelect { all_containers: true, ..LogSelect::default() }];
    let selects = if selects.is_empty() { &everything[..] } else { selects };
    let (mut ready, mut faults) = (Vec::new(), Vec::new());
    for (at, select) in selects.iter().enumerate() {
        match Selector::new(select, at) {
            Ok(selector) => ready.push((select, selector)),
            Err(more) => faults.extend(more),
        }
    }
    if !faults.is_empty() {
        return Err(super::routes::faults(faults));
    }
    for (select, ready) in &ready {
        for room in rooms(app, ctx, select)? {
            for r in of_room(&room, (select, ready)) {
                found.entry(r.json.id.clone()).or_insert(r);
            }
        }
    }
    let mut out: Vec<Resolved> = found.into_values().collect();
    let key = |r: &Resolved| {
        (r.json.cluster.clone(), r.json.namespace.clone(), r.json.pod.clone(), r.json.container.clone())
    };
    out.sort_by_key(key);
    Ok(out)
}

/// The clusters that a select means: named ones must exist, of a pattern those that fit.
fn rooms(app: &AppState, ctx: &TenantCtx, select: &LogSelect) -> Result<Vec<Arc<ClusterRoom>>, Problem> {
    match select.cluster.as_deref() {
        Some(pattern) if is_glob(pattern) => {
            Ok(app.inventories.of(ctx).into_iter().filter(|r| glob_fits(pattern, &r.name)).collect())
        }
        name => picked_clusters(&app.inventories, ctx, name),
    }
}

/// The container that a cursor names, when the caller's organisation has it.
pub fn of_named(app: &AppState, ctx: &TenantCtx, named: &Named) -> Option<Resolved> {
    let room = app.inventories.find(ctx, named.cluster)?;
    let all = LogSelect { all_containers: true, ..LogSelect::default() };
    let ready = Selector::new(&all, 0).ok()?;
    of_room(&room, (&all, &ready)).into_iter().find(|r| named.is_of(&r.cursor()))
}

/// A container that only its shipped lines tell of.
pub fn of_row(cluster: ClusterId, row: &ph_model::LogRow) -> Resolved {
    Resolved {
        cluster,
        node: row.node.clone(),
        wire: SourceRef {
            namespace: row.namespace.clone(),
            pod: row.pod.clone(),
            pod_uid: row.pod_uid.clone(),
            container: row.container.clone(),
            container_id: String::new(),
        },
        json: LogSource {
            id: format!("{cluster}/{}/{}/{}", row.namespace, row.pod_uid, row.container),
            cluster: row.cluster.clone(),
            namespace: row.namespace.clone(),
            workload_kind: row.workload_kind.clone(),
            workload: row.workload.clone(),
            pod: row.pod.clone(),
            pod_uid: row.pod_uid.clone(),
            container: row.container.clone(),
            node: row.node.clone(),
            zone: String::new(),
            state: "gone".to_owned(),
            runs: Vec::new(),
            bytes: 0,
            first_ns: None,
            last_ns: None,
            lines_per_s: None,
            restarts: row.restart,
        },
        waiting: None,
    }
}

fn of_room(room: &Arc<ClusterRoom>, (select, ready): (&LogSelect, &Selector<'_>)) -> Vec<Resolved> {
    room.with(|home| {
        let pods: Vec<Arc<Value>> = match select.workload_uid.as_deref() {
            Some(uid) => home.objects.pods_of(uid).into_iter().cloned().collect(),
            None => home.objects.of_kind("Pod").cloned().collect(),
        };
        let zones: HashMap<&str, &str> = home
            .objects
            .of_kind("Node")
            .filter_map(|n| {
                Some((text(n, "/metadata/name"), n.pointer("/metadata/labels")?.get(ZONE)?.as_str()?))
            })
            .collect();
        let meant = pods.iter().filter(|p| ready.means_pod(home, p));
        let mut out: Vec<Resolved> = meant.flat_map(|p| of_pod(home, (ready, &zones), p)).collect();
        let own = home.objects.of_kind("Container").filter(|c| ready.means_container(c));
        out.extend(own.map(|c| of_container(home, c)));
        out
    })
}

fn text<'a>(o: &'a Value, p: &str) -> &'a str {
    o.pointer(p).and_then(Value::as_str).unwrap_or("")
}

fn of_pod(
    home: Home<'_>,
    (select, zones): (&Selector<'_>, &HashMap<&str, &str>),
    pod: &Value,
) -> Vec<Resolved> {
    let zone = zones.get(text(pod, "/spec/nodeName")).copied().unwrap_or_default();
    // Static pods' files lie under their config hash, which the mirror pod names.
    let uid = text(pod, "/metadata/uid");
    let file_uid = match text(pod, "/metadata/annotations/kubernetes.io~1config.hash") {
        "" => uid,
        hash => hash,
    };
    let owner = workload(home, pod);
    select
        .chosen(pod, containers(pod))
        .iter()
        .map(|c| {
            let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
            Resolved {
                cluster: home.id,
                node: text(pod, "/spec/nodeName").to_owned(),
                wire: SourceRef {
                    namespace: namespace.to_owned(),
                    pod: name.to_owned(),
                    pod_uid: file_uid.to_owned(),
                    container: c.name.clone(),
                    container_id: String::new(),
                },
                json: LogSource {
                    id: format!("{}/{namespace}/{uid}/{}", home.id, c.name),
                    cluster: home.name.to_owned(),
                    namespace: namespace.to_owned(),
                    workload_kind: owner.as_ref().map(|w| w.kind.clone()).unwrap_or_default(),
                    workload: owner.as_ref().map(|w| w.name.clone()).unwrap_or_default(),
                    pod: name.to_owned(),
                    pod_uid: uid.to_owned(),
                    container: c.name.clone(),
                    node: text(pod, "/spec/nodeName").to_owned(),
                    zone: zone.to_owned(),
                    state: c.state.clone(),
                    runs: Vec::new(),
                    bytes: 0,
                    first_ns: None,
                    last_ns: None,
                    lines_per_s: None,
                    restarts: c.restarts,
                },
                waiting: waiting(pod, c),
            }
        })
        .collect()
}

/// What a container that never started waits for, in the words of the kubelet, or of the scheduler.
fn waiting(pod: &Value, c: &Container) -> Option<String> {
    let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if c.state != "waiting" || c.restarts > 0 || over {
        return None;
    }
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let unscheduled = conditions
        .into_iter()
        .flatten()
        .find(|c| text(c, "/type") == "PodScheduled" && text(c, "/status") == "False")
        .map(|c| (text(c, "/reason"), text(c, "/message")));
    let (reason, message) = match (c.reason.as_str(), c.message.as_str()) {
        ("", "") => unscheduled.unwrap_or(("", "it is about to start")),
        known => known,
    };
    Some([reason, message].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": "))
}

/// A container of a Docker host.
fn of_container(home: Home<'_>, c: &Value) -> Resolved {
    let (id, name) = (text(c, "/metadata/uid"), text(c, "/metadata/name"));
    let node = text(c, "/spec/nodeName").to_owned();
    Resolved {
        cluster: home.id,
        node: node.clone(),
        wire: SourceRef { container_id: id.to_owned(), ..SourceRef::default() },
        json: LogSource {
            id: format!("{}//{id}/{name}", home.id),
            cluster: home.name.to_owned(),
            namespace: String::new(),
            workload_kind: String::new(),
            workload: text(c, "/metadata/labels/com.docker.compose.project").to_owned(),
            pod: String::new(),
            pod_uid: id.to_owned(),
            container: name.to_owned(),
            node,
            zone: String::new(),
            state: text(c, "/state").to_owned(),
            runs: Vec::new(),
            bytes: 0,
            first_ns: None,
            last_ns: None,
            lines_per_s: None,
            restarts: 0,
        },
        waiting: None,
    }
}

/// Groups sources by the agent that can read them; indexes are those in `sources`. Those that have not begun to write are
/// in no group. A cluster without any node-agent is read by
/// its own: the sources of all its nodes go together, so that a large cluster is not a call for each node.
pub fn by_reader(
    app: &AppState,
    ctx: &TenantCtx,
    sources: &[(u32, Resolved)],
) -> Vec<(ClusterId, NodeSources)> {
    let clusters: BTreeSet<ClusterId> = sources.iter().map(|(_, r)| r.cluster).collect();
    let alone = |cluster: &ClusterId| {
        let live = app.link.registry().of_cluster(ctx, *cluster);
        !live.is_empty() && live.iter().all(|a| a.kind() == AgentKind::Cluster)
    };
    let alone: BTreeSet<ClusterId> = clusters.into_iter().filter(alone).collect();
    let reader = |r: &Resolved| match alone.contains(&r.cluster) {
        true => whole(&r.json.cluster),
        false => r.node.clone(),
    };
    grouped(app, ctx, (sources, &reader))
}

/// The same, node by node.
pub fn by_node(
    app: &AppState,
    ctx: &TenantCtx,
    sources: &[(u32, Resolved)],
) -> Vec<(ClusterId, NodeSources)> {
    grouped(app, ctx, (sources, &|r: &Resolved| r.node.clone()))
}

fn grouped(
    app: &AppState,
    ctx: &TenantCtx,
    (sources, reader): (&[(u32, Resolved)], &dyn Fn(&Resolved) -> String),
) -> Vec<(ClusterId, NodeSources)> {
    let mut groups: BTreeMap<(ClusterId, String), Vec<Source>> = BTreeMap::new();
    for (index, r) in sources.iter().filter(|(_, r)| r.waiting.is_none()) {
        let restarts = r.json.restarts;
        let columns = Arc::new(r.json.clone());
        let source = Source { index: *index, id: r.json.id.clone(), wire: r.wire.clone(), restarts, columns };
        groups.entry((r.cluster, reader(r))).or_default().push(source);
    }
    groups
        .into_iter()
        .flat_map(|(reader, sources)| {
            sources.chunks(MOST).map(|part| (reader.clone(), part.to_vec())).collect::<Vec<_>>()
        })
        .map(|((cluster, node), sources)| {
            let tickets = TicketDesk::new(app, ctx, cluster);
            let doors = doors(app, ctx, cluster, &node);
            let mask_key = app.auth.keyring().masks().key(ctx.org());
            let planted = Planted::new(app, ctx, (cluster, &node));
            let of = NodeSources { doors, node, sources, tickets, mask_key, patience: FIRST_ANSWER, planted };
            (cluster, of)
        })
        .collect()
}

/// The agents that can read a node's logs now: its own, and the cluster's over the Kubernetes API.
pub fn doors(app: &AppState, ctx: &TenantCtx, cluster: ClusterId, node: &str) -> Doors {
    let registry = app.link.registry();
    let leader = registry.agent_for_cluster(ctx, cluster).filter(|a| a.kind() == AgentKind::Cluster);
    Doors {
        files: registry.agent_for_node(ctx, cluster, node).map(|a| a.channel()),
        api: leader.map(|a| a.channel()),
    }
}
