//! Enrolment: a public key against a join token, or against the word of the cluster's own agent.

use std::time::Duration;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ph_access::{Entry, Opaque, OpaqueKind, TenantCtx};
use ph_api::{EnrolAsk, EnrolProof, Enrolled};
use ph_link::v1::review_client::ReviewClient;
use ph_link::v1::{NodeTokenAsk, NodeTokenReply};
use ph_link::{Close, CloseCode};
use ph_model::{ClusterId, ErrorKind};
use ph_store::state::{AgentKind, EnrolBy, NewAgent};
use serde_json::json;

use super::refusals;
use crate::app::AppState;
use crate::auth::credential::Caller;
use crate::gateway::extract::Json;
use crate::gateway::problem::Problem;

/// For the cluster's own agent to ask its API server.
const REVIEW: Duration = Duration::from_secs(15);

/// The ServiceAccount of node-agents, as the manifests name it: no other account of the cluster enrols nodes.
const NODE_ACCOUNT: &str = "pilothouse-node-agent";

/// Enrols an agent's public key.
#[utoipa::path(post, path = "/api/v1/agents/enrol", tag = "agents", request_body = EnrolAsk,
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = Enrolled), (status = 403, body = ph_api::Problem), (status = 410, body = ph_api::Problem),
        (status = 422, body = ph_api::Problem), (status = 503, body = ph_api::Problem)))]
pub async fn enrol(
    State(app): State<AppState>,
    caller: Caller,
    Json(ask): Json<EnrolAsk>,
) -> Result<Json<Enrolled>, Problem> {
    let answer = admit(&app, &caller, &ask).await;
    if let Err(why) = &answer {
        refusals::note(&app, &caller, (&ask, why)).await;
    }
    answer.map(Json)
}

async fn admit(app: &AppState, caller: &Caller, ask: &EnrolAsk) -> Result<Enrolled, Problem> {
    let public_key = public_key(&ask.public_key)?;
    words(ask)?;
    let (by, kind, node) = match &ask.proof {
        EnrolProof::JoinToken { token } => {
            let token = Opaque::parse(OpaqueKind::Join, token.trim()).map_err(|_| {
                Problem::new(
                    ErrorKind::Denied,
                    "this is not a join token; it begins with phj_ and has 47 characters",
                )
                .next_step("make one with `pilothouse cluster join NAME` and copy it whole")
            })?;
            let kind = if ask.cluster_uid.is_empty() { AgentKind::Host } else { AgentKind::Cluster };
            let node = if kind == AgentKind::Host { ask.node.clone() } else { String::new() };
            (EnrolBy::Token(token.hash()), kind, (node, String::new(), ask.cluster_uid.clone()))
        }
        EnrolProof::ServiceAccount { cluster_id, token } => {
            let (by, reply, uid) = vouched(app, *cluster_id, token).await?;
            if reply.node != ask.node {
                let text =
                    format!("the token belongs to a pod on node {:?}, not on {:?}", reply.node, ask.node);
                return Err(Problem::new(ErrorKind::Denied, text));
            }
            (by, AgentKind::Node, (reply.node, reply.node_uid, uid))
        }
    };
    if kind == AgentKind::Host && node.0.is_empty() {
        return Err(Problem::new(
            ErrorKind::Invalid,
            "a host needs its name in `node`, a cluster its UID in `cluster_uid`",
        ));
    }
    let (node, node_uid, cluster_uid) = node;
    let entry = Entry::change("agent.enrol", object(kind, &node))
        .by_rule(if matches!(by, EnrolBy::Token(_)) { "join_token" } else { "token_review" })
        .with(json!({"kind": kind.as_str(), "node": node, "node_uid": node_uid, "version": ask.version,
            "ip": caller.origin.ip, "public_key": ask.public_key}));
    let new = NewAgent {
        kind,
        node,
        node_uid,
        public_key,
        machine: ask.machine.clone(),
        version: ask.version.clone(),
        cluster_uid,
    };
    let done = app.state.enrol(by, new, entry, app.clock.now_ms()).await?;
    let agent = done.agent;
    for id in done.superseded {
        let text = "another key was enrolled for this node";
        app.link.registry().cut(agent.org, id, &Close::new(CloseCode::REVOKED, text));
    }
    let cluster = app.state.cluster(&TenantCtx::system(agent.org, "enrolment"), agent.cluster).await?;
    app.link.registry().tell();
    tracing::info!(agent = %agent.id, cluster = cluster.name, node = agent.node, "agent enrolled");
    Ok(Enrolled { agent_id: agent.id, cluster_id: cluster.id, cluster_name: cluster.name })
}

fn object(kind: AgentKind, node: &str) -> String {
    match kind {
        AgentKind::Cluster => "cluster-agent".to_owned(),
        AgentKind::Node => format!("node-agent of {node}"),
        AgentKind::Host => format!("agent of host {node}"),
    }
}

fn public_key(text: &str) -> Result<[u8; 32], Problem> {
    let bytes = STANDARD.decode(text).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
    bytes.ok_or_else(|| {
        let text = "the public key must be 32 bytes of Ed25519 in base64";
        Problem::new(ErrorKind::Invalid, text).fault("/public_key", text)
    })
}

/// Names end up in screens, labels and audit rows.
fn words(ask: &EnrolAsk) -> Result<(), Problem> {
    for (path, text, most) in [
        ("/node", &ask.node, 253),
        ("/cluster_uid", &ask.cluster_uid, 64),
        ("/machine", &ask.machine, 64),
        ("/version", &ask.version, 64),
    ] {
        if text.len() > most || text.chars().any(char::is_control) {
            let text = format!("at most {most} bytes, without control characters");
            return Err(Problem::new(ErrorKind::Invalid, format!("{path}: {text}")).fault(path, text));
        }
    }
    Ok(())
}

/// Has the cluster's own agent check a ServiceAccount token, over its link.
async fn vouched(
    app: &AppState,
    cluster: ClusterId,
    token: &str,
) -> Result<(EnrolBy, NodeTokenReply, String), Problem> {
    let not_yet = || {
        let text = format!(
            "the cluster-agent of cluster {cluster} is not connected, and it vouches for node-agents"
        );
        Problem::new(ErrorKind::Unavailable, text)
            .next_step(
                "wait for it; `kubectl -n pilothouse logs deploy/cluster-agent` says what it waits for",
            )
            .retry_after_ms(5_000)
    };
    let leader = app.link.registry().leader(cluster).ok_or_else(not_yet)?;
    let ctx = TenantCtx::system(leader.org(), "enrolment");
    let mut client = ReviewClient::new(leader.channel());
    let asked = client.node_token(NodeTokenAsk { token: token.to_owned() });
    let reply = match tokio::time::timeout(REVIEW, asked).await {
        Ok(Ok(reply)) => reply.into_inner(),
        Ok(Err(status)) => {
            let text = format!("the cluster-agent could not check the token: {}", status.message());
            return Err(Problem::new(ErrorKind::Unavailable, text).retry_after_ms(5_000));
        }
        Err(_) => return Err(not_yet()),
    };
    let denied = |text: String| Problem::new(ErrorKind::Denied, text);
    if !reply.authenticated {
        let text = format!("this cluster does not know the ServiceAccount token: {}", reply.error);
        return Err(
            denied(text).next_step("check that server URL and cluster id in the manifests belong together")
        );
    }
    if reply.service_account.split_once('/').is_none_or(|(_, name)| name != NODE_ACCOUNT) {
        return Err(denied(format!(
            "only ServiceAccount {NODE_ACCOUNT} enrols nodes, not {:?}",
            reply.service_account
        )));
    }
    if reply.node.is_empty() || reply.node_uid.is_empty() {
        return Err(denied(
            "the token names no node; Kubernetes 1.32 or newer puts it into projected tokens".into(),
        ));
    }
    let uid = app.state.cluster(&ctx, cluster).await?.uid;
    Ok((EnrolBy::Cluster(leader.org(), cluster), reply, uid))
}
