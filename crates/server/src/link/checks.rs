//! The Connect page's list: what has been seen of a new cluster, and what to do about the rest.

use axum::extract::State;
use ph_access::{Permission, TenantCtx};
use ph_api::ConnectCheck;
use ph_link::gateway::LiveAgent;
use ph_link::v1::AgentKind;
use ph_store::state::{
    AgentKind as Enrolled, AgentRecord, ClusterKind, ClusterRecord, ClusterStatus, JoinRecord,
};

use super::facts::Facts;
use crate::app::AppState;
use crate::gateway::extract::{Json, Path};
use crate::gateway::problem::{Problem, hide};

/// Everything the list is made of.
struct Seen {
    cluster: ClusterRecord,
    join: Option<JoinRecord>,
    agents: Vec<AgentRecord>,
    live: Vec<LiveAgent>,
    facts: Facts,
    now_ms: i64,
}

/// The steps of connecting a cluster or host, in order, with what was seen of each.
#[utoipa::path(get, path = "/api/v1/clusters/{id}/checks", tag = "clusters", params(("id" = String, Path, description = "id or name")),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Vec<ConnectCheck>), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem)))]
pub async fn checks(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
) -> Result<Json<Vec<ConnectCheck>>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let cluster = app.state.cluster_named(&ctx, &id).await.map_err(hide)?;
    let join = app.state.join_of(&ctx, cluster.id).await?;
    let mut agents = app.state.agents(&ctx).await?;
    agents.retain(|a| a.cluster == cluster.id && !a.revoked);
    let seen = Seen {
        join,
        agents,
        live: app.link.registry().of_cluster(&ctx, cluster.id),
        facts: app.link.facts(ctx.org(), cluster.id),
        now_ms: app.clock.now_ms(),
        cluster,
    };
    let mut list = vec![token(&seen), link(&seen), identity(&seen)];
    if seen.cluster.kind == ClusterKind::Kubernetes {
        list.extend([inventory(&seen), nodes(&seen)]);
    }
    list.extend([
        first(&seen, ("metrics", "Metrics arrive"), seen.facts.newest_sample_ms),
        first(&seen, ("logs", "Logs arrive"), seen.facts.newest_line_ms),
    ]);
    Ok(Json(list))
}

fn check(id: &str, title: &str) -> ConnectCheck {
    ConnectCheck {
        id: id.to_owned(),
        title: title.to_owned(),
        state: "waiting".to_owned(),
        evidence: String::new(),
        at_ms: None,
        fix: String::new(),
        fix_command: String::new(),
    }
}

fn done(check: ConnectCheck, evidence: impl Into<String>, at_ms: Option<i64>) -> ConnectCheck {
    ConnectCheck { state: "done".to_owned(), evidence: evidence.into(), at_ms, ..check }
}

fn leader(seen: &Seen) -> Option<&LiveAgent> {
    seen.live.iter().find(|a| matches!(a.kind(), AgentKind::Cluster | AgentKind::Host))
}

fn token(seen: &Seen) -> ConnectCheck {
    let check = check("token", "Join token used");
    let leads = |a: &&AgentRecord| a.kind != Enrolled::Node;
    if let Some(agent) = seen.agents.iter().find(leads) {
        return done(check, "spent by the first agent", Some(agent.created_ms));
    }
    match seen.join {
        Some(join) if join.expires_ms > seen.now_ms => {
            let left = (join.expires_ms - seen.now_ms) / 60_000 + 1;
            ConnectCheck { evidence: format!("valid for {left} min, not used yet"), ..check }
        }
        _ => ConnectCheck {
            state: "failed".to_owned(),
            evidence: "the token is older than 15 min".to_owned(),
            fix: "make a new one".to_owned(),
            fix_command: format!("pilothouse cluster join {} | kubectl apply -f -", seen.cluster.name),
            ..check
        },
    }
}

fn link(seen: &Seen) -> ConnectCheck {
    let check = check("link", "Agent connected");
    if let Some(agent) = leader(seen) {
        let rtt =
            agent.rtt().map(|rtt| format!(", {:.1} ms away", rtt.as_secs_f64() * 1e3)).unwrap_or_default();
        return done(check, format!("version {}{rtt}", agent.hello().version), Some(agent.connected_ms()));
    }
    let host = seen.cluster.kind != ClusterKind::Kubernetes;
    ConnectCheck {
        fix: "the agent's log says what it cannot reach: this server's address, its certificate, or the API server".into(),
        fix_command: if host { "journalctl -u pilothouse-agent -n 50" } else { "kubectl -n pilothouse logs deploy/cluster-agent" }
            .into(),
        ..check
    }
}

fn identity(seen: &Seen) -> ConnectCheck {
    let check = check("identity", "Identity bound");
    if seen.cluster.status == ClusterStatus::ClusterChanged && leader(seen).is_none() {
        return ConnectCheck {
            state: "failed".to_owned(),
            evidence: "cluster_changed: the agent runs in another cluster than it was enrolled for"
                .to_owned(),
            fix: "join that cluster under its own name, or remove this one and join it again".to_owned(),
            fix_command: format!("pilothouse cluster remove {}", seen.cluster.name),
            ..check
        };
    }
    match seen.agents.first() {
        Some(agent) if seen.cluster.uid.is_empty() => {
            done(check, format!("key of {}", agent.node), Some(agent.created_ms))
        }
        Some(agent) => done(check, format!("cluster UID {}", seen.cluster.uid), Some(agent.created_ms)),
        None => check,
    }
}

fn inventory(seen: &Seen) -> ConnectCheck {
    let check = check("inventory", "Inventory complete");
    match seen.facts.inventory_synced_ms {
        Some(at) => done(check, format!("{} nodes, {} pods", seen.facts.nodes, seen.facts.pods), Some(at)),
        None => check,
    }
}

fn nodes(seen: &Seen) -> ConnectCheck {
    let check = check("nodes", "Node-agents connected");
    let here: std::collections::BTreeSet<&str> =
        seen.live.iter().filter(|a| a.kind() == AgentKind::Node).map(LiveAgent::node).collect();
    let evidence = format!("{} of {} node-agents connected", here.len(), seen.facts.nodes);
    if seen.facts.nodes > 0 && here.len() >= seen.facts.nodes as usize {
        let at = seen.live.iter().map(LiveAgent::connected_ms).max();
        return done(check, evidence, at);
    }
    ConnectCheck {
        evidence,
        fix: "see why the others do not start".to_owned(),
        fix_command: "kubectl -n pilothouse get pods -o wide".to_owned(),
        ..check
    }
}

fn first(seen: &Seen, (id, title): (&str, &str), newest_ms: Option<i64>) -> ConnectCheck {
    let check = check(id, title);
    match newest_ms {
        Some(at) => done(check, format!("newest {} s ago", (seen.now_ms - at).max(0) / 1000), Some(at)),
        None => check,
    }
}
