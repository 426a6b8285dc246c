//! Clusters and hosts: list, register, remove.

use axum::extract::State;
use http::StatusCode;
use ph_access::{ClusterRemove, Entry, Opaque, OpaqueKind, Operation, Permission, TenantCtx};
use ph_api::{Cluster, ClusterJoin, ClusterJoining, ClusterRemoved};
use ph_model::{ErrorKind, Secret};
use ph_store::state::{ClusterKind, ClusterRecord, ClusterStatus, JoinRecord, NewCluster, Tier};
use serde_json::json;

use super::agents::{cut, tier};
use super::manifests::{Values, command, host_command, render};
use crate::app::AppState;
use crate::auth::keys::rule;
use crate::gateway::extract::{Json, Path};
use crate::gateway::problem::{Problem, hide};

/// Image of the agents unless the caller names one: the server's own version.
const IMAGE: &str = concat!("pilothouse:", env!("CARGO_PKG_VERSION"));

/// Clusters and hosts by name.
#[utoipa::path(get, path = "/api/v1/clusters", tag = "clusters", extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Vec<Cluster>), (status = 403, body = ph_api::Problem)))]
pub async fn list(State(app): State<AppState>, ctx: TenantCtx) -> Result<Json<Vec<Cluster>>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    Ok(Json(clusters(&app, &ctx).await?))
}

/// As [`list`], for the live channel.
pub async fn clusters(app: &AppState, ctx: &TenantCtx) -> Result<Vec<Cluster>, ph_store::Error> {
    let agents = app.state.agents(ctx).await?;
    let of = |c: &ClusterRecord| agents.iter().filter(|a| a.cluster == c.id && !a.revoked).count();
    let records = app.state.clusters(ctx).await?;
    Ok(records.into_iter().map(|c| (of(&c), c)).map(|(n, c)| cluster(app, ctx, (c, n))).collect())
}

/// One cluster or host, by id or name.
#[utoipa::path(get, path = "/api/v1/clusters/{id}", tag = "clusters", params(("id" = String, Path, description = "id or name")),
    extensions(("x-permission" = json!("objects.read"))),
    responses((status = 200, body = Cluster), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem)))]
pub async fn one(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
) -> Result<Json<Cluster>, Problem> {
    ctx.require(Permission::ObjectsRead)?;
    let record = app.state.cluster_named(&ctx, &id).await.map_err(hide)?;
    let agents = app.state.agents(&ctx).await?;
    let count = agents.iter().filter(|a| a.cluster == record.id && !a.revoked).count();
    Ok(Json(cluster(&app, &ctx, (record, count))))
}

fn cluster(app: &AppState, ctx: &TenantCtx, (record, agents): (ClusterRecord, usize)) -> Cluster {
    let registry = app.link.registry();
    let leader = registry.agent_for_cluster(ctx, record.id);
    let facts = app.link.facts(ctx.org(), record.id);
    let status = match (record.status, &leader) {
        (ClusterStatus::ClusterChanged, None) => ClusterStatus::ClusterChanged,
        (_, Some(_)) => ClusterStatus::Connected,
        (ClusterStatus::Connected, None) => ClusterStatus::Disconnected,
        (other, None) => other,
    };
    let mut warnings = facts.warnings;
    if let Some(leader) = &leader {
        warnings.extend(leader.session().status().borrow().warnings.iter().cloned());
    }
    let now = app.clock.now_ms();
    Cluster {
        id: record.id,
        name: record.name,
        kind: record.kind.as_str().to_owned(),
        status: status.as_str().to_owned(),
        platform: leader.as_ref().map_or(record.platform, |l| l.hello().platform.clone()),
        uid: record.uid,
        tier: tier(record.tier, leader.as_ref()).as_str().to_owned(),
        created_ms: record.created_ms,
        last_seen_ms: if leader.is_some() { Some(now) } else { record.last_seen_ms },
        nodes_ready: facts.nodes_ready,
        nodes: facts.nodes,
        pods_ready: facts.pods_ready,
        pods: facts.pods,
        agents_connected: count(registry.of_cluster(ctx, record.id).len()),
        agents: count(agents),
        cpu: facts.cpu,
        memory: facts.memory,
        log_lines_per_s: facts.log_lines_per_s,
        data_age_ms: facts.newest_sample_ms.map(|at| (now - at).max(0)),
        state: if facts.state.is_empty() { "unknown".to_owned() } else { facts.state },
        warnings,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Registers a cluster or host and makes its join token; for one that is registered, a further token.
#[utoipa::path(post, path = "/api/v1/clusters", tag = "clusters", request_body = ClusterJoin,
    extensions(("x-permission" = json!("clusters.manage"))),
    responses((status = 201, body = ClusterJoining), (status = 403, body = ph_api::Problem), (status = 422, body = ph_api::Problem)))]
pub async fn join(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Json(ask): Json<ClusterJoin>,
) -> Result<(StatusCode, Json<ClusterJoining>), Problem> {
    ctx.require(ph_access::ClusterJoin::NEEDS)?;
    let (kind, tier) = checked(&ask)?;
    let now = app.clock.now_ms();
    let token = Opaque::generate(OpaqueKind::Join)?;
    let entry = Entry::change(ph_access::ClusterJoin::ACTION, format!("{} {}", kind.as_str(), ask.name))
        .on_cluster(ask.name.clone())
        .by_rule(rule(&ctx, ph_access::ClusterJoin::NEEDS))
        .with(json!({"tier": tier.as_str(), "kind": kind.as_str(), "log_redaction": ask.log_redaction}));
    let record = match app.state.cluster_named(&ctx, &ask.name).await {
        Ok(known) if known.kind == kind => {
            let entry = Entry { target_uid: known.id.to_string(), ..entry };
            app.state.renew_join(&ctx, ((known.id, token.hash()), tier), entry, now).await?;
            app.state.cluster(&ctx, known.id).await?
        }
        Ok(known) => {
            let text = format!("{} is registered as {}", known.name, known.kind.as_str());
            let problem = Problem::new(ErrorKind::Invalid, text.clone()).fault("/name", text);
            return Err(problem.next_step("choose another name, or remove it first"));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let new = NewCluster { name: ask.name.clone(), kind, tier, token: token.hash() };
            app.state.create_cluster(&ctx, new, entry, now).await?
        }
        Err(e) => return Err(e.into()),
    };
    app.link.registry().tell();
    Ok((StatusCode::CREATED, Json(joining(&app, &ctx, (record, &ask), token.text())?)))
}

fn joining(
    app: &AppState,
    ctx: &TenantCtx,
    (record, ask): (ClusterRecord, &ClusterJoin),
    token: &Secret<String>,
) -> Result<ClusterJoining, Problem> {
    let authority = app.link.authority()?.unwrap_or_default();
    let url = app.public_url.as_str().trim_end_matches('/');
    let values = Values {
        url,
        authority: &authority,
        image: ask.image.as_deref().unwrap_or(IMAGE),
        cluster: record.id,
        name: &record.name,
        tier: record.tier,
        log_redaction: &ask.log_redaction,
        token,
    };
    let (manifests, command) = match record.kind {
        ClusterKind::Kubernetes => {
            let manifests = render(&values);
            let command = command(&manifests);
            (manifests, command)
        }
        kind => (String::new(), host_command(&values, kind == ClusterKind::Docker)),
    };
    Ok(ClusterJoining {
        join_token: token.expose().clone(),
        expires_ms: app.clock.now_ms() + JoinRecord::LIFE_MS,
        manifests,
        command,
        cluster: cluster(app, ctx, (record, 0)),
    })
}

/// All faults at once.
fn checked(ask: &ClusterJoin) -> Result<(ClusterKind, Tier), Problem> {
    let mut faults: Vec<(&str, String)> = Vec::new();
    let name = ask.name.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inner = name.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if name.len() > 63 || !inner || !edge(name.first()) || !edge(name.last()) {
        faults
            .push(("/name", "1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit".into()));
    }
    if ask.name.parse::<ph_model::ClusterId>().is_ok() {
        faults.push(("/name", "a name that looks like an id cannot be told from one".into()));
    }
    let kind = ClusterKind::parse(&ask.kind);
    if kind.is_none() {
        faults.push(("/kind", format!("{:?} is none of kubernetes, docker, host", ask.kind)));
    }
    let tier = Tier::parse(&ask.tier).filter(|t| *t != Tier::Operate);
    if tier.is_none() {
        faults.push(("/tier", format!("{:?} is neither observe nor debug", ask.tier)));
    }
    let for_host = ask.log_redaction == "off" && kind.is_some_and(|k| k != ClusterKind::Kubernetes);
    if !matches!(ask.log_redaction.as_str(), "on" | "off") {
        faults.push(("/log_redaction", format!("{:?} is neither on nor off", ask.log_redaction)));
    } else if for_host {
        let text = "a host's owner sets it at the host: pilothouse node-agent --log-redaction off";
        faults.push(("/log_redaction", text.into()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if ask.image.as_ref().is_some_and(|i| i.is_empty() || i.len() > 255 || !i.chars().all(plain)) {
        faults.push(("/image", "not the name of an image".into()));
    }
    match (kind, tier) {
        (Some(kind), Some(tier)) if faults.is_empty() => Ok((kind, tier)),
        _ => {
            let text =
                faults.iter().map(|(path, text)| format!("{path}: {text}")).collect::<Vec<_>>().join("; ");
            Err(faults
                .into_iter()
                .fold(Problem::new(ErrorKind::Invalid, text), |p, (path, text)| p.fault(path, text)))
        }
    }
}

/// Removes a cluster or host: its agents are revoked and cut now. What it sent stays until its retention ends.
#[utoipa::path(delete, path = "/api/v1/clusters/{id}", tag = "clusters", params(("id" = String, Path, description = "id or name")),
    extensions(("x-permission" = json!("clusters.manage"))),
    responses((status = 200, body = ClusterRemoved), (status = 403, body = ph_api::Problem), (status = 404, body = ph_api::Problem)))]
pub async fn remove(
    State(app): State<AppState>,
    ctx: TenantCtx,
    Path(id): Path<String>,
) -> Result<Json<ClusterRemoved>, Problem> {
    ctx.require(ClusterRemove::NEEDS)?;
    let record = app.state.cluster_named(&ctx, &id).await.map_err(hide)?;
    let entry = Entry::change(ClusterRemove::ACTION, format!("{} {}", record.kind.as_str(), record.name))
        .on_cluster(record.name.clone())
        .by_rule(rule(&ctx, ClusterRemove::NEEDS));
    let entry = Entry { target_uid: record.id.to_string(), ..entry };
    let revoked = app.state.remove_cluster(&ctx, record.id, entry, app.clock.now_ms()).await.map_err(hide)?;
    for id in &revoked {
        cut(&app, &ctx, *id);
    }
    app.inventories.forget(record.id);
    app.link.registry().tell();
    let command = match record.kind {
        ClusterKind::Kubernetes => {
            "kubectl delete namespace pilothouse --ignore-not-found && kubectl delete \
             clusterrole,clusterrolebinding -l app.kubernetes.io/part-of=pilothouse"
                .to_owned()
        }
        ClusterKind::Docker | ClusterKind::Host => {
            "systemctl disable --now pilothouse-agent; rm -rf /var/lib/pilothouse".to_owned()
        }
    };
    Ok(Json(ClusterRemoved { revoked_agents: count(revoked.len()), command }))
}
