//! Clusters and nodes that nothing is heard of: one row each, because everything that is shown of them is old.
//!
//! In:     records of clusters and agents, what the inventory knows of the nodes, which links live.
//! Out:    rows among the problems.
//! Never:  a row for a node that is gone, or that is said to be down already.

use std::collections::HashSet;

use ph_access::TenantCtx;
use ph_api::{ObjectLink, ProblemRow, Reason};

use ph_store::state::{AgentKind, AgentRecord, ClusterRecord, ClusterStatus};
use serde_json::Value;

use super::inventories::ClusterRoom;
use super::view::Home;
use crate::app::AppState;

/// A cluster or node without its link for this long is a problem of its own.
const SILENT_AFTER_MS: i64 = 45_000;

/// The row for a cluster whose link is gone.
pub fn silent(record: &ClusterRecord, room: &ClusterRoom, now_ms: i64) -> Option<ProblemRow> {
    let (connected, pods) = room.with(|h| (h.objects.connected, h.objects.count("Pod")));
    let seen = record.last_seen_ms?;
    if connected
        || now_ms - seen < SILENT_AFTER_MS
        || matches!(record.status, ClusterStatus::Removed | ClusterStatus::Waiting)
    {
        return None;
    }
    let object = ObjectLink {
        kind: "Cluster link".into(),
        namespace: String::new(),
        name: record.name.clone(),
        uid: record.id.to_string(),
    };
    let reason = Reason {
        code: "link_down".into(),
        object: object.clone(),
        container: String::new(),
        text: "its agent is not connected; everything shown of it is old".into(),
        quote: String::new(),
        source: "condition".into(),
        at_ms: Some(seen),
    };
    Some(ProblemRow {
        id: format!("{}/link", record.id),
        state: "unknown".into(),
        cluster_id: record.id,
        cluster: record.name.clone(),
        object,
        effect: format!("{pods} pods no data"),
        chain: vec![reason],
        pods: u32::try_from(pods).unwrap_or(u32::MAX),
        since_ms: seen,
    })
}

/// The agents of an organisation whose links are gone, but for those that another took the place of.
pub async fn lost_agents(app: &AppState, ctx: &TenantCtx) -> Result<Vec<AgentRecord>, ph_store::Error> {
    let records = app.state.agents(ctx).await?;
    let is_live = |r: &AgentRecord| app.link.registry().link_of(ctx, r.id).is_some();
    let (live, mut lost): (Vec<_>, Vec<_>) = records.into_iter().filter(|r| !r.revoked).partition(is_live);
    let place = |r: &AgentRecord| (r.cluster, r.kind, r.node_uid.clone());
    let taken: HashSet<_> = live.iter().map(place).collect();
    lost.retain(|r| !taken.contains(&place(r)));
    Ok(lost)
}

/// Rows for the nodes of a connected cluster whose own agent is away.
pub fn silent_nodes(home: Home<'_>, lost: &[AgentRecord], now_ms: i64) -> Vec<ProblemRow> {
    if !home.objects.connected {
        return Vec::new();
    }
    let of_cluster = lost.iter().filter(|a| a.cluster == home.id && a.kind == AgentKind::Node);
    of_cluster.filter_map(|agent| silent_node(home, agent, now_ms)).collect()
}

fn silent_node(home: Home<'_>, agent: &AgentRecord, now_ms: i64) -> Option<ProblemRow> {
    let seen = agent.last_seen_ms.filter(|seen| now_ms - seen >= SILENT_AFTER_MS)?;
    let node = home.objects.object("Node", &agent.node_uid).filter(|n| super::summary::ready(n))?;
    let on_it = |p: &&std::sync::Arc<Value>| p.pointer("/spec/nodeName") == node.pointer("/metadata/name");
    let pods = u32::try_from(home.objects.of_kind("Pod").filter(on_it).count()).unwrap_or(u32::MAX);
    let object = ObjectLink {
        kind: "Node".into(),
        namespace: String::new(),
        name: agent.node.clone(),
        uid: agent.node_uid.clone(),
    };
    let reason = Reason {
        code: "agent_down".into(),
        object: object.clone(),
        container: String::new(),
        text: "its node-agent is not connected; its metrics stand still and its logs cannot be read".into(),
        quote: String::new(),
        source: "condition".into(),
        at_ms: Some(seen),
    };
    Some(ProblemRow {
        id: format!("{}/agent", agent.id),
        state: "warn".into(),
        cluster_id: home.id,
        cluster: home.name.to_owned(),
        object,
        effect: format!("{pods} pods no data"),
        chain: vec![reason],
        pods,
        since_ms: seen,
    })
}

#[cfg(test)]
mod tests {
    //! Which agents' silence is told, on an inventory of two nodes.

    use ph_link::v1::objects_event::M;
    use ph_link::v1::{KindSynced, ObjectSet};
    use ph_model::{AgentId, ClusterId, OrgId};
    use serde_json::json;

    use super::super::ClusterObjects;
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn agent(cluster: ClusterId, node: &str, change: impl FnOnce(&mut AgentRecord)) -> AgentRecord {
        let mut record = AgentRecord {
            id: AgentId::from_bytes([1; 16]),
            org: OrgId::from_bytes([2; 16]),
            cluster,
            kind: AgentKind::Node,
            node: node.into(),
            node_uid: format!("uid-{node}"),
            public_key: [0; 32],
            machine: String::new(),
            version: String::new(),
            platform: String::new(),
            revoked: false,
            epoch: 1,
            created_ms: 0,
            last_seen_ms: Some(NOW - 60_000),
        };
        change(&mut record);
        record
    }

    #[test]
    fn a_node_that_is_ready_and_silent_is_told_with_its_pods() {
        let mut objects = ClusterObjects::default();
        for (name, ready) in [("a", "True"), ("b", "False")] {
            let node = json!({"kind": "Node", "metadata": {"name": name, "uid": format!("uid-{name}")},
                "status": {"conditions": [{"type": "Ready", "status": ready}]}});
            let pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": format!("p-{name}")},
                "spec": {"nodeName": name}});
            for (kind, object) in [("Node", node), ("Pod", pod)] {
                let field = |f: &str| object["metadata"][f].as_str().unwrap_or_default().to_owned();
                let set = ObjectSet {
                    kind: kind.into(),
                    namespace: field("namespace"),
                    name: field("name"),
                    uid: field("uid"),
                    json: object.to_string().into(),
                    ..ObjectSet::default()
                };
                objects.apply(M::Set(set), NOW);
            }
        }
        objects.apply(M::Synced(KindSynced { kind: "Node".into() }), NOW);
        objects.connected = true;
        let id = ClusterId::from_bytes([3; 16]);
        let home = Home { id, name: "pier", objects: &objects };
        let lost = [
            agent(id, "a", |_| {}),
            agent(id, "a", |a| a.last_seen_ms = Some(NOW - 1_000)),
            agent(id, "a", |a| a.kind = AgentKind::Cluster),
            // Not ready is told by the node itself, and a node that is gone has no agent to miss.
            agent(id, "b", |_| {}),
            agent(id, "gone", |_| {}),
            agent(ClusterId::from_bytes([4; 16]), "a", |_| {}),
        ];
        let rows = silent_nodes(home, &lost, NOW);
        assert_eq!(rows.len(), 1, "{rows:?}");
        let row = &rows[0];
        assert_eq!((row.object.name.as_str(), row.pods, row.state.as_str()), ("a", 1, "warn"));
        assert_eq!((row.chain[0].code.as_str(), row.since_ms), ("agent_down", NOW - 60_000));
        objects.connected = false;
        let home = Home { id, name: "pier", objects: &objects };
        assert!(silent_nodes(home, &lost, NOW).is_empty(), "the cluster's own row says it");
    }
}
