//! Agents of the organisation: list, revoke.

use std::collections::HashMap;

use axum::extract::State;
use http::StatusCode;
use ph_access::{AgentRevoke, Entry, Operation, Permission, TenantCtx};
use ph_api::{Agent, AgentSource};
use ph_link::gateway::LiveAgent;
use ph_link::v1::{self, StatusReport};
use ph_link::{Close, CloseCode};
use ph_model::{AgentId, ClusterId};
use ph_store::state::{AgentRecord, ClusterRecord, Tier};
use serde_json::json;

use crate::app::AppState;
use crate::auth::keys::rule;
use crate::auth::liveness::Credential;
use crate::gateway::extract::{Json, Path, not_found};
use crate::gateway::problem::{Problem, hide};

/// Agents of clusters that are not removed, revoked ones too, by cluster and age.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Vec<Agent>), (status = 403, body = ph_api::Problem)))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<Agent>>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    Ok(Json(agents(&app, &ctx).await?))
}

/// As [`list`], for the live channel.
pub async fn agents(app: &AppState, ctx: &TenantCtx) -> Result<Vec<Agent>, ph_store::Error> {
    let clusters: HashMap<ClusterId, ClusterRecord> =
        app.state.clusters(ctx).await?.into_iter().map(|c| (c.id, c)).collect();
    let records = app.state.agents(ctx).await?;
    let known = records.into_iter().filter_map(|r| Some((clusters.get(&r.cluster)?, r)));
    Ok(known
        .map(|(cluster, record)| {
            let live = app.link.registry().link_of(ctx, record.id);
            agent(record, cluster, live.as_ref())
        })
        .collect())
}

fn agent(record: AgentRecord, cluster: &ClusterRecord, live: Option<&LiveAgent>) -> Agent {
    let report = live.map(|l| l.session().status().borrow().clone()).unwrap_or_default();
    let status = match (record.revoked, live) {
        (true, _) => "revoked",
        (false, Some(_)) => "connected",
        (false, None) => "disconnected",
    };
    let StatusReport { sources, warnings, queue_bytes, rss_bytes, .. } = report;
    Agent {
        id: record.id,
        kind: record.kind.as_str().to_owned(),
        cluster_id: record.cluster,
        cluster: cluster.name.clone(),
        node: record.node,
        version: live.map_or(record.version, |l| l.hello().version.clone()),
        platform: live.map_or(record.platform, |l| l.hello().platform.clone()),
        status: status.to_owned(),
        connected_since_ms: live.map(LiveAgent::connected_ms),
        last_seen_ms: record.last_seen_ms,
        ping_ms: live.and_then(LiveAgent::rtt).map(|rtt| rtt.as_secs_f64() * 1e3),
        tier: tier(cluster.tier, live).as_str().to_owned(),
        sources: sources.into_iter().map(source).collect(),
        warnings,
        queue_bytes,
        rss_bytes,
    }
}

/// The lower of what was registered here and what the owner set in the cluster.
pub(crate) fn tier(registered: Tier, live: Option<&LiveAgent>) -> Tier {
    let rank = |t: Tier| match t {
        Tier::Observe => 1,
        Tier::Debug => 2,
        Tier::Operate => 3,
    };
    let said = live.map(|l| match l.hello().ceiling {
        v1::Tier::Operate => Tier::Operate,
        v1::Tier::Debug => Tier::Debug,
        v1::Tier::Observe | v1::Tier::Unspecified => Tier::Observe,
    });
    said.filter(|said| rank(*said) < rank(registered)).unwrap_or(registered)
}

fn source(s: v1::SourceStatus) -> AgentSource {
    AgentSource {
        name: s.name,
        last_success_ms: (s.last_success_ms != 0).then_some(s.last_success_ms),
        last_error: s.last_error,
        fix: s.fix,
        facts: s.facts.into_iter().collect(),
    }
}

/// Revokes an agent: its links, and every stream and terminal on them, end now.
#[utoipa::path(delete, path = "/api/v1/agents/{id}", tag = "agents", params(("id" = String, Path)),
    extensions(("x-permission" = json!("agents.manage"))),
    responses((status = 204), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem)))]
pub async fn revoke(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<AgentId>,
) -> Result<StatusCode, Problem> {
    ctx.require(AgentRevoke::NEEDS)?;
    let record = app.state.agent(&ctx, id).await.map_err(hide)?;
    let cluster = app.state.cluster(&ctx, record.cluster).await.map_err(|_| not_found())?;
    let object =
        if record.node.is_empty() { "cluster-agent".into() } else { format!("agent of {}", record.node) };
    let entry = Entry::change(AgentRevoke::ACTION, object)
        .on_cluster(cluster.name)
        .by_rule(rule(&ctx, AgentRevoke::NEEDS))
        .with(json!({"kind": record.kind.as_str()}));
    let entry = Entry { target_uid: id.to_string(), ..entry };
    app.state.revoke_agent(&ctx, id, entry, app.clock.now_ms()).await.map_err(hide)?;
    cut(&app, &ctx, id);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends everything that hangs on a revoked agent.
pub(super) fn cut(app: &AppState, ctx: &TenantCtx, id: AgentId) {
    app.auth.cut(Credential::Agent(ctx.org(), id));
    app.link.registry().cut(ctx.org(), id, &Close::new(CloseCode::REVOKED, "this agent was revoked"));
    app.link.registry().tell();
}
